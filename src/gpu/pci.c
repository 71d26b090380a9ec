/* SPDX-License-Identifier: Apache-2.0 */
/* PCI addresses, and the look at the bus when no driver tells us about it. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "backend.h"

#define PCI_LIST_MAX      (1U << 20) /* of some 200 bytes a device */
#define PCI_CLASS_DISPLAY 0x03       /* the upper byte of the class: VGA, XGA, 3D, other */

/* Hexadecimal digits (1 to @max of them) at *@s; *@s behind them. */
static int hex_field(const char **s, int max, uint32_t *ret)
{
	uint32_t v = 0;
	int n = 0;

	for (; n < max && isxdigit((unsigned char)**s); n++, (*s)++) {
		char c = **s;

		v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	*ret = v;
	return n > 0 ? 0 : -EINVAL;
}

/* The character @c at *@s; *@s behind it. */
static int hex_expect(const char **s, char c)
{
	if (**s != c)
		return -EINVAL;
	(*s)++;
	return 0;
}

int pci_parse(const char *s, struct pci_address *ret)
{
	struct pci_address p = { 0 };
	const char *colon = strchr(s, ':');

	if (!colon)
		return -EINVAL;
	if (strchr(colon + 1, ':') && (hex_field(&s, 8, &p.domain) < 0 || hex_expect(&s, ':') < 0))
		return -EINVAL;
	if (hex_field(&s, 2, &p.bus) < 0 || hex_expect(&s, ':') < 0 ||
	    hex_field(&s, 2, &p.slot) < 0 || hex_expect(&s, '.') < 0 ||
	    hex_field(&s, 1, &p.function) < 0 || *s)
		return -EINVAL;
	if (p.slot > 0x1f || p.function > 7)
		return -EINVAL;
	*ret = p;
	return 0;
}

int pci_compare(const struct pci_address *a, const struct pci_address *b)
{
	const uint32_t x[] = { a->domain, a->bus, a->slot, a->function };
	const uint32_t y[] = { b->domain, b->bus, b->slot, b->function };

	for (size_t i = 0; i < ELEMENTS(x); i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

/* The number "0x030200" in a file of sysfs, 0 when there is none. */
static uint32_t pci_attribute(struct arena *a, const struct sysroot *root, const char *device,
			      const char *name)
{
	const char *path = arena_printf(a, "/sys/bus/pci/devices/%s/%s", device, name);
	const char *s = gpu_read(a, root, path);
	uint32_t v = 0;

	if (s)
		s = str_after(s, "0x");
	if (!s || hex_field(&s, 8, &v) < 0)
		return 0;
	return v;
}

/*
 * Does the kernel's one list of all devices name the vendor?  It knows no class, so this spares
 * most machines a look at each device in sysfs, and answers nothing else.  Lines "0018\t10de2330\t"
 */
static bool pci_may_have(struct arena *a, const struct sysroot *root, uint32_t vendor)
{
	_cleanup_fd_ int fd =
		root_open(root->fd, "/proc/bus/pci/devices", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	char word[16], *text;

	(void)snprintf(word, sizeof(word), "\t%04x", vendor);
	return fd < 0 || fd_read_text(fd, a, PCI_LIST_MAX, &text, NULL) < 0 || strstr(text, word);
}

bool pci_has_display(struct arena *a, const struct sysroot *root, uint32_t vendor)
{
	struct strv names = { 0 };

	if (!pci_may_have(a, root, vendor) ||
	    gpu_list_dir(a, root, "/sys/bus/pci/devices", &names) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++)
		if (pci_attribute(a, root, names.v[i], "vendor") == vendor &&
		    pci_attribute(a, root, names.v[i], "class") >> 16 == PCI_CLASS_DISPLAY)
			return true;
	return false;
}

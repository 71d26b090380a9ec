/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of --gpus, and nothing else:
 *
 *	choice = "auto" | "none" | "all" | "count=" N | [ "device=" ] item *( "," item )
 *	item   = index | UUID or a unique prefix of it, from "GPU-" on | [dddd:]bb:dd.f
 *
 * Docker wants '"device=0,1"' with quotes inside the shell's; they are taken off.
 */
#include <ctype.h>
#include <errno.h>

#include <gpurun/str.h>

#include "backend.h"

#define SEL_TEXT_MAX 4096U
#define SEL_FORMS    "auto, none, all, count=N, or a list of indexes, GPU UUIDs and PCI addresses"

/* Words that stand for a whole choice. */
static const struct sel_word {
	const char *word;
	enum gpu_sel_kind kind;
} sel_words[] = {
	{ "auto", GPU_SEL_AUTO },     { "none", GPU_SEL_NONE },    { "all", GPU_SEL_ALL },
	{ "count=all", GPU_SEL_ALL }, { "count=-1", GPU_SEL_ALL },
};

static bool is_decimal(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

/* "0-3" */
static bool is_range(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n && s[n] == '-' && is_decimal(s + n + 1);
}

/* "0:1": a MIG device by the numbers of GPU and instance. */
static bool is_mig_pair(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n && s[n] == ':' && is_decimal(s + n + 1);
}

/* Does @s start with @prefix, which is in lower case, in any case? */
static bool has_prefix(const char *s, const char *prefix)
{
	for (; *prefix; s++, prefix++)
		if (tolower((unsigned char)*s) != *prefix)
			return false;
	return true;
}

/* "GPU-" and at least one hexadecimal digit or dash. */
static bool is_uuid(const char *s)
{
	if (!has_prefix(s, "gpu-") || !s[4])
		return false;
	for (s += 4; *s; s++)
		if (!isxdigit((unsigned char)*s) && *s != '-')
			return false;
	return true;
}

/* One item of the list: 0 when its form is good. */
static int sel_check_item(const char *text, const char *item, struct err *e)
{
	struct pci_address pci;

	if (is_decimal(item) || is_uuid(item) || pci_parse(item, &pci) == 0)
		return 0;
	if (has_prefix(item, "mig-") || is_mig_pair(item))
		return err_set(e, ENOTSUP, "%s: MIG devices are not supported yet", item);
	if (is_range(item)) {
		err_set(e, EINVAL, "%s: ranges are not accepted", item);
		err_hint(e, "name each GPU: --gpus 0,1,2,3");
		return -EINVAL;
	}
	if (!*item)
		err_set(e, EINVAL, "%s: an empty item in the list", text);
	else
		err_set(e, EINVAL, "%s: not understood", item);
	err_hint(e, "--gpus takes " SEL_FORMS);
	return -EINVAL;
}

/* Are @x and @y the same item?  Numbers by value, all else in any case. */
static bool sel_same(const char *x, const char *y)
{
	if (is_decimal(x) && is_decimal(y)) {
		x += strspn(x, "0");
		y += strspn(y, "0");
	}
	for (; *x && tolower((unsigned char)*x) == tolower((unsigned char)*y); x++, y++)
		;
	return *x == *y;
}

static int sel_parse_list(struct arena *a, const char *text, const char *list, struct gpu_sel *sel,
			  struct err *e)
{
	str_split(a, list, ',', &sel->items);
	if (sel->items.n > GPU_MAX)
		return err_set(e, E2BIG, "more than %u GPUs are named", GPU_MAX);
	for (size_t i = 0; i < sel->items.n; i++) {
		int r = sel_check_item(text, sel->items.v[i], e);

		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++)
			if (sel_same(sel->items.v[i], sel->items.v[j]))
				return err_set(e, EINVAL, "%s: %s is named twice", text,
					       sel->items.v[i]);
	}
	sel->kind = GPU_SEL_LIST;
	return 0;
}

static int sel_parse_count(const char *text, const char *number, struct gpu_sel *sel, struct err *e)
{
	uint64_t n;

	if (num_u64(number, GPU_MAX, &n) < 0)
		return err_set(e, EINVAL, "%s: the count is a number up to %u, or all", text,
			       GPU_MAX);
	sel->kind = n ? GPU_SEL_COUNT : GPU_SEL_NONE;
	sel->count = (unsigned int)n;
	return 0;
}

/* @text without the quotes that docker wants inside the shell's. */
static const char *sel_unquote(struct arena *a, const char *text)
{
	size_t n = strlen(text);

	if (n >= 2 && text[0] == '"' && text[n - 1] == '"')
		return arena_strndup(a, text + 1, n - 2);
	return text;
}

/* Forms with '=' other than count= and device=: known to docker or CDI, or not at all. */
static int sel_refuse_key(const char *text, const char *body, struct err *e)
{
	static const char *const docker_keys[] = { "driver=", "capabilities=", "options=" };

	for (size_t i = 0; i < ELEMENTS(docker_keys); i++)
		if (strstr(body, docker_keys[i]))
			return err_set(e, ENOTSUP, "%s: %s is not supported", text, docker_keys[i]);
	if (strchr(body, '/'))
		return err_set(e, ENOTSUP,
			       "%s: CDI device names (vendor/class=name) are not supported "
			       "yet",
			       text);
	err_set(e, EINVAL, "%s: not understood", text);
	err_hint(e, "--gpus takes " SEL_FORMS);
	return -EINVAL;
}

int gpu_sel_parse(struct arena *a, const char *text, struct gpu_sel *ret, struct err *e)
{
	struct gpu_sel sel = { .text = arena_strdup(a, text) };
	const char *body = sel_unquote(a, text);
	const char *rest;
	bool found = false;
	int r = 0;

	if (strlen(text) > SEL_TEXT_MAX)
		return err_set(e, E2BIG, "longer than %u characters", SEL_TEXT_MAX);
	for (size_t i = 0; i < ELEMENTS(sel_words); i++) {
		if (str_eq(body, sel_words[i].word)) {
			sel.kind = sel_words[i].kind;
			found = true;
		}
	}
	if (found)
		r = 0;
	else if ((rest = str_after(body, "device=")) && !strchr(rest, '='))
		r = sel_parse_list(a, text, rest, &sel, e);
	else if ((rest = str_after(body, "count=")) && !strchr(rest, '='))
		r = sel_parse_count(text, rest, &sel, e);
	else if (strchr(body, '='))
		r = sel_refuse_key(text, body, e);
	else
		r = sel_parse_list(a, text, body, &sel, e);
	if (r < 0)
		return r;
	sel.bare_number = is_decimal(body);
	*ret = sel;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text formats of NVIDIA's kernel module (nv-procfs.c of its open source edition).  The
 * kernel writes them, but a file system that somebody mounted there may have written them too:
 * nothing is trusted, what is not understood counts as absent.
 */
#include <ctype.h>

#include <gpurun/str.h>

#include "nvidia.h"

#define VALUE_MAX        128U
#define NVIDIA_MAJOR_MAX 4095U /* 12 bits in the kernel */

/* Trimmed copy of the @n characters at @s, with '?' for what cannot be printed. */
static char *value_copy(struct arena *a, const char *s, size_t n)
{
	char *v;

	while (n && (*s == ' ' || *s == '\t')) {
		s++;
		n--;
	}
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r'))
		n--;
	if (n > VALUE_MAX)
		n = VALUE_MAX;
	v = arena_strndup(a, s, n);
	for (char *p = v; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	return v;
}

/* "GPU-" and hexadecimal digits and dashes; before the first use some drivers print '?'. */
static bool uuid_is_known(const char *s)
{
	s = str_after(s, "GPU-");
	if (!s || !*s)
		return false;
	for (; *s; s++)
		if (!isxdigit((unsigned char)*s) && *s != '-')
			return false;
	return true;
}

/* The next line "Key: value" at *@text, both trimmed; false at the end. */
static bool line_next(struct arena *a, const char **text, const char **key, const char **value)
{
	const char *line = *text;

	while (*line) {
		size_t n = strcspn(line, "\n");
		const char *colon = memchr(line, ':', n);

		*text = line + n + (line[n] == '\n');
		if (colon) {
			*key = value_copy(a, line, (size_t)(colon - line));
			*value = value_copy(a, colon + 1, (size_t)(line + n - colon - 1));
			return true;
		}
		line = *text;
	}
	return false;
}

static void info_take(struct nvidia_info *info, const char *key, const char *value)
{
	uint64_t v;

	if (str_eq(key, "Model") && *value)
		info->model = value;
	else if (str_eq(key, "GPU UUID") && uuid_is_known(value))
		info->uuid = value;
	else if (str_eq(key, "Device Minor") && num_u64(value, NVIDIA_MINOR_MAX, &v) == 0)
		info->minor = (int)v;
	else if (str_eq(key, "GPU Excluded"))
		info->excluded = str_eq(value, "Yes");
}

void nvidia_info_parse(struct arena *a, const char *text, struct nvidia_info *ret)
{
	struct nvidia_info info = { .minor = -1 };
	const char *key, *value;

	while (line_next(a, &text, &key, &value))
		info_take(&info, key, value);
	*ret = info;
}

int nvidia_cap_parse(struct arena *a, const char *text)
{
	const char *key, *value;
	uint64_t v;

	while (line_next(a, &text, &key, &value))
		if (str_eq(key, "DeviceFileMinor"))
			return num_u64(value, NVIDIA_CAP_MINOR_MAX, &v) == 0 ? (int)v : -1;
	return -1;
}

/* "195 nvidia" between "Character devices:" and the empty line. */
int nvidia_major_parse(struct arena *a, const char *devices, const char *name)
{
	bool character = false;

	for (const char *line = devices; *line;) {
		size_t n = strcspn(line, "\n");
		const char *entry = value_copy(a, line, n);
		size_t digits = strcspn(entry, " ");
		uint64_t v;

		line += n + (line[n] == '\n');
		if (str_eq(entry, "Character devices:"))
			character = true;
		else if (!*entry)
			character = false;
		else if (character && entry[digits] && str_eq(entry + digits + 1, name) &&
			 num_u64(arena_strndup(a, entry, digits), NVIDIA_MAJOR_MAX, &v) == 0)
			return (int)v;
	}
	return -1;
}

/* Length of "550.163.01" or "550.54" at @s: three digits or more, dots, digits; 0: none. */
static size_t version_length(const char *s)
{
	size_t major = strspn(s, "0123456789");
	size_t n = strspn(s, "0123456789.");

	if (major < 3 || s[major] != '.' || n == major + 1 || s[n - 1] == '.' || n > VALUE_MAX)
		return 0;
	return s[n] == ' ' || s[n] == '\t' || s[n] == '\n' || s[n] == '\0' ? n : 0;
}

const char *nvidia_version_parse(struct arena *a, const char *text)
{
	const char *s = strstr(text, "Module");

	while (s && *s && *s != '\n') {
		size_t n;

		s += strcspn(s, " \t\n");
		s += strspn(s, " \t");
		n = version_length(s);
		if (n)
			return arena_strndup(a, s, n);
	}
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * whiteout.c - the names of a layer's entries (OCI image-spec, layer.md, "Whiteouts").
 *
 * Pure functions over bytes: no character set is assumed, '/' and NUL are the only special
 * ones.  ".." has no honest use in a layer and is refused instead of interpreted.
 */
#include "whiteout.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <gpurun/str.h>

#define WH      ".wh."
#define WH_META ".wh..wh."
#define WH_OPQ  ".wh..wh..opq"

static bool component_is(const char *p, size_t n, const char *what)
{
	return n == strlen(what) && memcmp(p, what, n) == 0;
}

static bool component_starts(const char *p, size_t n, const char *what)
{
	return n >= strlen(what) && memcmp(p, what, strlen(what)) == 0;
}

int name_clean(const char *raw, char ret[PATH_MAX])
{
	size_t len = 0;

	if (!*raw)
		return -EINVAL;
	for (const char *p = raw; *p;) {
		size_t n = strcspn(p, "/");

		if (component_is(p, n, ".."))
			return -EINVAL;
		if (n > 0 && !component_is(p, n, ".")) {
			if (n > NAME_MAX || len + n + 2 > PATH_MAX)
				return -ENAMETOOLONG;
			if (len > 0)
				ret[len++] = '/';
			memcpy(ret + len, p, n);
			len += n;
		}
		p += n;
		p += strspn(p, "/");
	}
	ret[len] = '\0';
	return 0;
}

const char *name_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int name_join(const char *dir, const char *name, char ret[PATH_MAX])
{
	size_t d = strlen(dir), n = strlen(name);

	if (d + 1 + n + 1 > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(ret, dir, d);
	if (d > 0)
		ret[d++] = '/';
	memcpy(ret + d, name, n);
	ret[d + n] = '\0';
	return 0;
}

void name_dir(const char *path, char ret[PATH_MAX])
{
	size_t n = (size_t)(name_base(path) - path);

	memcpy(ret, path, n);
	ret[n > 0 ? n - 1 : 0] = '\0';
}

/* The directories above the last component: leftovers are skipped, whiteouts have no inside. */
static int check_parents(const char *path, const char *base, enum name_kind *kind)
{
	for (const char *p = path; p < base;) {
		size_t n = strcspn(p, "/");

		if (component_starts(p, n, WH_META)) {
			*kind = NAME_IGNORED;
			return 0;
		}
		if (component_starts(p, n, WH))
			return -EINVAL;
		p += n + 1;
	}
	return 0;
}

/* "etc/.wh.motd" becomes "etc/motd", "etc/.wh..wh..opq" becomes "etc". */
static int parse_base(struct name *name, const char **ret_why)
{
	char *base = name->path + (name_base(name->path) - name->path);
	const char *hidden = str_after(base, WH);

	if (!hidden)
		return 0;
	if (str_eq(base, WH_OPQ)) {
		name->kind = NAME_OPAQUE;
		base[base == name->path ? 0 : -1] = '\0';
		return 0;
	}
	if (str_after(base, WH_META)) {
		name->kind = NAME_IGNORED;
		return 0;
	}
	if (!*hidden || str_eq(hidden, ".") || str_eq(hidden, "..")) {
		*ret_why = "a whiteout of nothing";
		return -EINVAL;
	}
	name->kind = NAME_WHITEOUT;
	memmove(base, hidden, strlen(hidden) + 1);
	return 0;
}

int name_parse(const char *raw, struct name *ret, const char **ret_why)
{
	int r = name_clean(raw, ret->path);

	ret->kind = NAME_PLAIN;
	*ret_why = r == -ENAMETOOLONG ? "the name is too long" : "a name that no layer may hold";
	if (r < 0)
		return r;
	if (!*ret->path) {
		ret->kind = NAME_ROOT;
		return 0;
	}
	r = check_parents(ret->path, name_base(ret->path), &ret->kind);
	if (r < 0)
		*ret_why = "below a whiteout";
	if (r < 0 || ret->kind == NAME_IGNORED)
		return r;
	return parse_base(ret, ret_why);
}

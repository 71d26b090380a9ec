/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdi_read.c - a tree of JSON or YAML, read by tables: each kind of object is a table of its
 * members.  A member that is null counts as absent, as it does to the tools that write CDI files.
 */
#include "cdi_read.h"

#include <errno.h>

#include <gpurun/str.h>

#define PLACE_MAX 16 /* levels that a message names */

/* ---- errors --------------------------------------------------------------------------------- */

static const char *place_text(struct arena *a, const struct cdi_at *at)
{
	const struct cdi_at *levels[PLACE_MAX];
	const char *text = "";
	size_t n = 0;

	for (; at && n < PLACE_MAX; at = at->up)
		levels[n++] = at;
	while (n--)
		text = levels[n]->name
			       ? arena_printf(a, "%s%s%s", text, *text ? "." : "", levels[n]->name)
			       : arena_printf(a, "%s[%zu]", text, levels[n]->index);
	return text;
}

int cdi_read_refuse(struct cdi_reader *r, const struct cdi_at *at, const char *reason)
{
	const char *place = place_text(r->a, at);

	return err_set(r->e, EINVAL, "%s: %s%s%s", r->file, place, *place ? ": " : "", reason);
}

/* ---- values --------------------------------------------------------------------------------- */

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

int cdi_read_string(struct cdi_reader *r, const struct json *v, const struct cdi_at *at, void *to)
{
	if (v->type != JSON_STRING)
		return cdi_read_refuse(r, at, "not a string");
	if (has_control(v->str))
		return cdi_read_refuse(r, at, "control characters");
	*(const char **)to = v->str;
	return 0;
}

int cdi_read_path(struct cdi_reader *r, const struct json *v, const struct cdi_at *at, void *to)
{
	int err = cdi_read_string(r, v, at, to);

	if (err < 0)
		return err;
	if (v->str[0] != '/')
		return cdi_read_refuse(r, at, "not an absolute path");
	*(const char **)to = path_clean(r->a, v->str);
	return 0;
}

/* Numbers are checked, and none is needed. */
int cdi_read_number(struct cdi_reader *r, const struct json *v, const struct cdi_at *at, void *to)
{
	(void)to;
	return v->type == JSON_INT ? 0 : cdi_read_refuse(r, at, "not a whole number");
}

int cdi_read_flag(struct cdi_reader *r, const struct json *v, const struct cdi_at *at, void *to)
{
	(void)to;
	return v->type == JSON_BOOL ? 0 : cdi_read_refuse(r, at, "neither true nor false");
}

/* ---- lists and objects ---------------------------------------------------------------------- */

/* Each element by @read, which puts it behind those before. */
int cdi_read_list(struct cdi_reader *r, const struct json *v, const struct cdi_at *at,
		  cdi_read_fn *read, void *to)
{
	struct cdi_at element = { .up = at };

	if (v->type != JSON_ARRAY)
		return cdi_read_refuse(r, at, "not a list");
	if (v->count > CDI_LIST_MAX)
		return cdi_read_refuse(r, at, "too long a list");
	for (const struct json *m = v->child; m; m = m->next, element.index++) {
		int err = read(r, m, &element, to);

		if (err < 0)
			return err;
	}
	return 0;
}

static const struct cdi_member *find_member(const struct cdi_member *members, size_t n,
					    const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(members[i].name, name))
			return &members[i];
	return NULL;
}

int cdi_read_object(struct cdi_reader *r, const struct json *v, const struct cdi_at *at,
		    const struct cdi_member *members, size_t n, void *to)
{
	if (v->type != JSON_OBJECT)
		return cdi_read_refuse(r, at, "not an object");
	for (const struct json *m = v->child; m; m = m->next) {
		const struct cdi_at inside = { .up = at,
					       .name = has_control(m->key) ? "?" : m->key };
		const struct cdi_member *known = find_member(members, n, m->key);
		int err;

		if (!known)
			return cdi_read_refuse(r, &inside, "an unknown member");
		err = m->type == JSON_NULL ? 0
					   : known->read(r, m, &inside, (char *)to + known->offset);
		if (err < 0)
			return err;
	}
	for (size_t i = 0; i < n; i++) {
		const struct cdi_at inside = { .up = at, .name = members[i].name };

		if (members[i].required && !json_get(v, members[i].name))
			return cdi_read_refuse(r, &inside, "missing");
	}
	return 0;
}

int cdi_read_one_string(struct cdi_reader *r, const struct json *v, const struct cdi_at *at,
			void *to)
{
	const char *s = NULL;
	int err = cdi_read_string(r, v, at, &s);

	if (err == 0)
		strv_push(r->a, to, s);
	return err;
}

int cdi_read_strings(struct cdi_reader *r, const struct json *v, const struct cdi_at *at, void *to)
{
	return cdi_read_list(r, v, at, cdi_read_one_string, to);
}

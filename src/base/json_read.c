/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_read.c - a tree of JSON or YAML, read strictly, by tables: each kind of object is a table
 * of its members.  A member that is null counts as absent, as it does to the tools that write
 * CDI files.
 */
#include <gpurun/json.h>

#include <errno.h>

#include <gpurun/str.h>

#define PLACE_MAX 16 /* levels that a message names */

/* ---- errors --------------------------------------------------------------------------------- */

const char *json_read_place(struct arena *a, const struct json_at *at)
{
	const struct json_at *levels[PLACE_MAX];
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

int json_read_refuse(struct json_reader *r, const struct json_at *at, const char *reason)
{
	const char *place = json_read_place(r->a, at);

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

int json_read_string(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	if (v->type != JSON_STRING)
		return json_read_refuse(r, at, "not a string");
	if (has_control(v->str))
		return json_read_refuse(r, at, "control characters");
	*(const char **)to = v->str;
	return 0;
}

int json_read_path(struct json_reader *r, const struct json *v, const struct json_at *at, void *to)
{
	int err = json_read_string(r, v, at, to);

	if (err < 0)
		return err;
	if (v->str[0] != '/')
		return json_read_refuse(r, at, "not an absolute path");
	*(const char **)to = path_clean(r->a, v->str);
	return 0;
}

/* Numbers are checked, and none is needed. */
int json_read_number(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	(void)to;
	return v->type == JSON_INT ? 0 : json_read_refuse(r, at, "not a whole number");
}

int json_read_flag(struct json_reader *r, const struct json *v, const struct json_at *at, void *to)
{
	(void)to;
	return v->type == JSON_BOOL ? 0 : json_read_refuse(r, at, "neither true nor false");
}

/* ---- lists and objects ---------------------------------------------------------------------- */

/* Each element by @read, which puts it behind those before. */
int json_read_list(struct json_reader *r, const struct json *v, const struct json_at *at,
		   json_read_fn *read, void *to)
{
	struct json_at element = { .up = at };

	if (v->type != JSON_ARRAY)
		return json_read_refuse(r, at, "not a list");
	if (v->count > JSON_LIST_MAX)
		return json_read_refuse(r, at, "too long a list");
	for (const struct json *m = v->child; m; m = m->next, element.index++) {
		int err = read(r, m, &element, to);

		if (err < 0)
			return err;
	}
	return 0;
}

static const struct json_member *find_member(const struct json_member *members, size_t n,
					     const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(members[i].name, name))
			return &members[i];
	return NULL;
}

int json_read_object(struct json_reader *r, const struct json *v, const struct json_at *at,
		     const struct json_member *members, size_t n, void *to)
{
	if (v->type != JSON_OBJECT)
		return json_read_refuse(r, at, "not an object");
	for (const struct json *m = v->child; m; m = m->next) {
		const struct json_at inside = { .up = at,
						.name = has_control(m->key) ? "?" : m->key };
		const struct json_member *known = find_member(members, n, m->key);
		int err;

		if (!known && r->unknown) {
			strv_push(r->a, r->unknown, json_read_place(r->a, &inside));
			continue;
		}
		if (!known)
			return json_read_refuse(r, &inside, "an unknown member");
		err = m->type == JSON_NULL ? 0
					   : known->read(r, m, &inside, (char *)to + known->offset);
		if (err < 0)
			return err;
	}
	for (size_t i = 0; i < n; i++) {
		const struct json_at inside = { .up = at, .name = members[i].name };

		if (members[i].required && !json_get(v, members[i].name))
			return json_read_refuse(r, &inside, "missing");
	}
	return 0;
}

int json_read_one_string(struct json_reader *r, const struct json *v, const struct json_at *at,
			 void *to)
{
	const char *s = NULL;
	int err = json_read_string(r, v, at, &s);

	if (err == 0)
		strv_push(r->a, to, s);
	return err;
}

int json_read_strings(struct json_reader *r, const struct json *v, const struct json_at *at,
		      void *to)
{
	return json_read_list(r, v, at, json_read_one_string, to);
}

static int read_variable(struct json_reader *r, const struct json *v, const struct json_at *at,
			 void *to)
{
	int err = json_read_one_string(r, v, at, to);

	if (err < 0)
		return err;
	return v->str[0] != '=' && strchr(v->str, '=') ? 0
						       : json_read_refuse(r, at, "not NAME=VALUE");
}

int json_read_variables(struct json_reader *r, const struct json *v, const struct json_at *at,
			void *to)
{
	return json_read_list(r, v, at, read_variable, to);
}

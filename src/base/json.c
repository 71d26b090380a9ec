/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - JSON read with limits; the only file that knows json-c.
 *
 * json-c parses and its tree is copied into the arena.  What it is too friendly about is refused
 * by a scan of the text before (json_scan.c) and by the copy after it (1e999).  Duplicate member
 * names are found by arithmetic: json-c keeps one member of each name, and in a valid document
 * every colon outside of strings belongs to one member.
 */
#include "json_scan.h"

#include <gpurun/json.h>
#include <gpurun/lib.h>
#include <gpurun/str.h>

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <string.h>

#define JSON_SONAME  "libjson-c.so.5"
#define JSON_PACKAGE "libjson-c5"

#define JSON_FUNCS(X)                                                                              \
	X(json_tokener_new_ex)                                                                     \
	X(json_tokener_free)                                                                       \
	X(json_tokener_set_flags)                                                                  \
	X(json_tokener_parse_ex)                                                                   \
	X(json_tokener_get_error)                                                                  \
	X(json_tokener_get_parse_end)                                                              \
	X(json_tokener_error_desc)                                                                 \
	X(json_object_put)                                                                         \
	X(json_object_get_type)                                                                    \
	X(json_object_get_boolean)                                                                 \
	X(json_object_get_double)                                                                  \
	X(json_object_get_int64)                                                                   \
	X(json_object_get_uint64)                                                                  \
	X(json_object_get_string)                                                                  \
	X(json_object_get_object)                                                                  \
	X(json_object_array_length)                                                                \
	X(json_object_array_get_idx)

struct json_api {
	JSON_FUNCS(LIB_POINTER)
};

#define JSON_ENTRY(f) LIB_ENTRY(json_api, f)
static const struct lib_func json_funcs[] = { JSON_FUNCS(JSON_ENTRY) };
static struct json_api api;

int json_load(struct err *e)
{
	if (api.json_tokener_new_ex)
		return 0;
	return lib_load(JSON_SONAME, JSON_PACKAGE, json_funcs, ELEMENTS(json_funcs), &api, e);
}

static size_t line_of(const char *text, size_t at)
{
	size_t n = 1;

	for (size_t i = 0; i < at; i++)
		n += text[i] == '\n';
	return n;
}

/* struct copy - the state of the copy from json-c's tree into the arena */
struct copy {
	struct arena *a;
	size_t members;
	const char *reason;
};

static struct json *copy_value(struct copy *c, struct json_object *from, const char *key);

static void copy_append(struct json *parent, struct json **last, struct json *child)
{
	if (*last)
		(*last)->next = child;
	else
		parent->child = child;
	*last = child;
	parent->count++;
}

static void copy_object(struct copy *c, struct json *to, struct json_object *from)
{
	struct json *last = NULL;
	const struct lh_entry *m = lh_table_head(api.json_object_get_object(from));

	for (; m; m = lh_entry_next(m)) {
		const char *key = arena_strdup(c->a, lh_entry_k(m));
		struct json_object *value = (struct json_object *)(uintptr_t)lh_entry_v(m);

		copy_append(to, &last, copy_value(c, value, key));
		c->members++;
	}
}

static void copy_array(struct copy *c, struct json *to, struct json_object *from)
{
	struct json *last = NULL;
	size_t n = api.json_object_array_length(from);

	for (size_t i = 0; i < n; i++)
		copy_append(to, &last, copy_value(c, api.json_object_array_get_idx(from, i), NULL));
}

/* Whole numbers over INT64_MAX (limits as 2^64-1 in the wild) become doubles. */
static void copy_int(struct json *to, struct json_object *from)
{
	uint64_t u = api.json_object_get_uint64(from);

	to->type = JSON_INT;
	to->num = api.json_object_get_int64(from);
	if (u > INT64_MAX) {
		to->type = JSON_DOUBLE;
		to->num = 0;
		to->dbl = (double)u;
	}
}

static void copy_double(struct copy *c, struct json *to, struct json_object *from)
{
	to->type = JSON_DOUBLE;
	to->dbl = api.json_object_get_double(from);
	if (!isfinite(to->dbl))
		c->reason = "a number without a finite value";
}

/* The scan has limited the depth of the recursion to JSON_DEPTH_MAX. */
static struct json *copy_value(struct copy *c, struct json_object *from, const char *key)
{
	struct json *to = ARENA_NEW(c->a, struct json);

	to->key = key;
	switch (api.json_object_get_type(from)) {
	case json_type_null:
		to->type = JSON_NULL;
		break;
	case json_type_boolean:
		to->type = JSON_BOOL;
		to->num = api.json_object_get_boolean(from);
		break;
	case json_type_int:
		copy_int(to, from);
		break;
	case json_type_double:
		copy_double(c, to, from);
		break;
	case json_type_string:
		to->type = JSON_STRING;
		to->str = arena_strdup(c->a, api.json_object_get_string(from));
		break;
	case json_type_array:
		to->type = JSON_ARRAY;
		copy_array(c, to, from);
		break;
	case json_type_object:
		to->type = JSON_OBJECT;
		copy_object(c, to, from);
		break;
	}
	return to;
}

/* Run json-c over the text; success means that it read all of it. */
static int parse_tree(const char *text, size_t len, struct json_object **ret, const char *what,
		      struct err *e)
{
	struct json_tokener *tok = api.json_tokener_new_ex(JSON_DEPTH_MAX + 2);
	enum json_tokener_error why;
	struct json_object *obj;
	size_t end;

	if (!tok)
		return err_sys(e, ENOMEM, "%s", what);
	api.json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	obj = api.json_tokener_parse_ex(tok, text, (int)len);
	why = api.json_tokener_get_error(tok);
	end = api.json_tokener_get_parse_end(tok);
	if (why == json_tokener_continue) { /* a number may go on: say that it does not */
		obj = api.json_tokener_parse_ex(tok, "", 1);
		why = api.json_tokener_get_error(tok);
		end = len;
	}
	api.json_tokener_free(tok);
	if (why == json_tokener_success && end == len) {
		*ret = obj;
		return 0;
	}
	api.json_object_put(obj);
	return err_set(e, EINVAL, "%s: not JSON: %s in line %zu", what,
		       why == json_tokener_success ? "more text behind the value"
						   : api.json_tokener_error_desc(why),
		       line_of(text, end < len ? end : len));
}

static size_t trim_end(const char *text, size_t len)
{
	while (len > 0 && text[len - 1] && strchr(" \t\r\n", text[len - 1]))
		len--;
	return len;
}

int json_parse(struct arena *a, const char *text, size_t len, const char *what,
	       const struct json **ret, struct err *e)
{
	struct json_scan scan = { 0 };
	struct copy copy = { .a = a };
	struct json_object *obj = NULL;
	struct json *tree;
	int r = json_load(e);

	if (r < 0)
		return r;
	if (len > JSON_SIZE_MAX)
		return err_set(e, EFBIG, "%s: larger than %u MiB", what, JSON_SIZE_MAX >> 20);
	len = trim_end(text, len);
	if (!json_scan(&scan, text, len))
		return err_set(e, EINVAL, "%s: not accepted as JSON: %s in line %zu", what,
			       scan.reason, line_of(text, scan.at));
	r = parse_tree(text, len, &obj, what, e);
	if (r < 0)
		return r;
	tree = copy_value(&copy, obj, NULL);
	api.json_object_put(obj);
	if (copy.members != scan.members)
		copy.reason = "a member name is there twice";
	if (copy.reason)
		return err_set(e, EINVAL, "%s: not accepted as JSON: %s", what, copy.reason);
	*ret = tree;
	return 0;
}

const struct json *json_get(const struct json *obj, const char *key)
{
	if (!obj || obj->type != JSON_OBJECT)
		return NULL;
	for (const struct json *m = obj->child; m; m = m->next) {
		if (str_eq(m->key, key))
			return m->type == JSON_NULL ? NULL : m;
	}
	return NULL;
}

const char *json_str(const struct json *obj, const char *key)
{
	const struct json *v = json_get(obj, key);

	return v && v->type == JSON_STRING ? v->str : NULL;
}

int json_strv(struct arena *a, const struct json *obj, const char *key, struct strv *ret)
{
	const struct json *v = json_get(obj, key);
	struct strv list = { 0 };

	if (!v)
		return 0;
	if (v->type != JSON_ARRAY)
		return -EINVAL;
	for (const struct json *s = v->child; s; s = s->next) {
		if (s->type != JSON_STRING)
			return -EINVAL;
		strv_push(a, &list, s->str);
	}
	*ret = list;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml.c - YAML read with limits; the only file that knows libyaml.
 *
 * libyaml gives events (YAML 1.1, production rules of its scanner); a value is built from them by
 * one recursive function, whose depth is limited.
 */
#include "yaml.h"

#include <errno.h>
#include <yaml.h> /* libyaml's; NOLINT(readability-duplicate-include) */

#include <gpurun/lib.h>
#include <gpurun/str.h>

#define YAML_SONAME  "libyaml-0.so.2"
#define YAML_PACKAGE "libyaml-0-2"

#define YAML_FUNCS(X)                                                                              \
	X(yaml_parser_initialize)                                                                  \
	X(yaml_parser_delete)                                                                      \
	X(yaml_parser_set_input_string)                                                            \
	X(yaml_parser_set_encoding)                                                                \
	X(yaml_parser_parse)                                                                       \
	X(yaml_event_delete)

struct yaml_api {
	YAML_FUNCS(LIB_POINTER)
};

#define YAML_ENTRY(f) LIB_ENTRY(yaml_api, f)
static const struct lib_func yaml_funcs[] = { YAML_FUNCS(YAML_ENTRY) };

/* struct reader - one document; @reason is set once, where it is known */
struct reader {
	struct arena *a;
	struct yaml_api api;
	yaml_parser_t parser;
	yaml_event_t event; /* the current one, to be deleted */
	bool has_event;
	size_t count, line;
	const char *reason;
};

static int refuse(struct reader *r, const char *reason)
{
	if (!r->reason) {
		r->reason = reason;
		r->line = r->has_event ? r->event.start_mark.line + 1
				       : r->parser.problem_mark.line + 1;
	}
	return -EINVAL;
}

/* The next event; the one before is gone. */
static int next(struct reader *r)
{
	if (r->has_event)
		r->api.yaml_event_delete(&r->event);
	r->has_event = false;
	if (!r->api.yaml_parser_parse(&r->parser, &r->event))
		return refuse(r, r->parser.problem ? arena_strdup(r->a, r->parser.problem)
						   : "it cannot be read");
	r->has_event = true;
	return 0;
}

/* A decimal whole number, as "major: 195" is written; -EINVAL: something else. */
static int scalar_number(const char *s, int64_t *ret)
{
	bool negative = *s == '-';
	uint64_t v;

	if ((s[negative] == '0' && s[negative + 1]) || num_u64(s + negative, INT64_MAX, &v) < 0)
		return -EINVAL;
	*ret = negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

/* What a plain scalar means. */
static void scalar_type(struct json *v)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	static const char *const bools[] = { "false", "true", "False", "True", "FALSE", "TRUE" };

	for (size_t i = 0; i < ELEMENTS(nulls); i++)
		if (str_eq(v->str, nulls[i]))
			v->type = JSON_NULL;
	for (size_t i = 0; i < ELEMENTS(bools); i++) {
		if (str_eq(v->str, bools[i])) {
			v->type = JSON_BOOL;
			v->num = i & 1;
		}
	}
	if (v->type == JSON_STRING && scalar_number(v->str, &v->num) == 0)
		v->type = JSON_INT;
	if (v->type != JSON_STRING)
		v->str = NULL;
}

static int read_scalar(struct reader *r, struct json *v)
{
	const char *text = (const char *)r->event.data.scalar.value;
	size_t n = r->event.data.scalar.length;

	if (r->event.data.scalar.anchor || r->event.data.scalar.tag)
		return refuse(r, "an anchor or a tag");
	if (strlen(text) != n)
		return refuse(r, "a NUL in a string");
	v->type = JSON_STRING;
	v->str = arena_strndup(r->a, text, n);
	if (r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		scalar_type(v);
	return 0;
}

static int read_value(struct reader *r, int depth, struct json *ret);

static void append(struct json *parent, struct json **last, struct json *child)
{
	if (*last)
		(*last)->next = child;
	else
		parent->child = child;
	*last = child;
	parent->count++;
}

/* The current event is the first one inside. */
static int read_sequence(struct reader *r, int depth, struct json *ret)
{
	struct json *last = NULL;
	int err = next(r);

	ret->type = JSON_ARRAY;
	while (err == 0 && r->event.type != YAML_SEQUENCE_END_EVENT) {
		struct json *v = ARENA_NEW(r->a, struct json);

		err = read_value(r, depth, v);
		append(ret, &last, v);
		if (err == 0)
			err = next(r);
	}
	return err;
}

/* The key that the current event is. */
static int read_key(struct reader *r, const struct json *object, const char **ret)
{
	struct json key = { 0 };
	int err;

	if (r->event.type != YAML_SCALAR_EVENT)
		return refuse(r, "a key that is no string");
	err = read_scalar(r, &key);
	if (err < 0)
		return err;
	if (key.type != JSON_STRING)
		return refuse(r, "a key that is no string");
	for (const struct json *m = object->child; m; m = m->next)
		if (str_eq(m->key, key.str))
			return refuse(r, "a key is there twice");
	*ret = key.str;
	return 0;
}

static int read_mapping(struct reader *r, int depth, struct json *ret)
{
	struct json *last = NULL;
	int err = next(r);

	ret->type = JSON_OBJECT;
	while (err == 0 && r->event.type != YAML_MAPPING_END_EVENT) {
		struct json *v = ARENA_NEW(r->a, struct json);

		err = read_key(r, ret, &v->key);
		if (err == 0)
			err = next(r);
		if (err == 0)
			err = read_value(r, depth, v);
		if (err < 0)
			break;
		append(ret, &last, v);
		err = next(r);
	}
	return err;
}

/* The value that begins with the current event; its last event is the current one then. */
static int read_value(struct reader *r, int depth, struct json *ret)
{
	const yaml_event_t *ev = &r->event;

	if (++r->count > YAML_COUNT_MAX)
		return refuse(r, "too many values");
	if (depth > YAML_DEPTH_MAX)
		return refuse(r, "too deep");
	if (ev->type == YAML_SCALAR_EVENT)
		return read_scalar(r, ret);
	if (ev->type == YAML_ALIAS_EVENT)
		return refuse(r, "an alias");
	if (ev->type == YAML_SEQUENCE_START_EVENT)
		return ev->data.sequence_start.anchor || ev->data.sequence_start.tag
			       ? refuse(r, "an anchor or a tag")
			       : read_sequence(r, depth + 1, ret);
	if (ev->type == YAML_MAPPING_START_EVENT)
		return ev->data.mapping_start.anchor || ev->data.mapping_start.tag
			       ? refuse(r, "an anchor or a tag")
			       : read_mapping(r, depth + 1, ret);
	return refuse(r, "a value is missing");
}

/* stream start, document start, the value, document end, stream end */
static int read_document(struct reader *r, struct json *ret)
{
	int err = next(r);

	if (err == 0)
		err = next(r);
	if (err == 0 && r->event.type == YAML_STREAM_END_EVENT)
		return refuse(r, "it is empty");
	if (err == 0)
		err = next(r);
	if (err == 0)
		err = read_value(r, 0, ret);
	if (err == 0)
		err = next(r);
	if (err == 0)
		err = next(r);
	if (err == 0 && r->event.type != YAML_STREAM_END_EVENT)
		return refuse(r, "a second document");
	return err;
}

int yaml_parse(struct arena *a, const char *text, size_t len, const char *what,
	       const struct json **ret, struct err *e)
{
	struct reader *r = ARENA_NEW(a, struct reader);
	struct json *v = ARENA_NEW(a, struct json);
	int err;

	r->a = a;
	if (len > YAML_SIZE_MAX)
		return err_set(e, EFBIG, "%s: larger than %u KiB", what, YAML_SIZE_MAX >> 10);
	err = lib_load(YAML_SONAME, YAML_PACKAGE, yaml_funcs, ELEMENTS(yaml_funcs), &r->api, e);
	if (err < 0)
		return err;
	if (!r->api.yaml_parser_initialize(&r->parser))
		return err_sys(e, ENOMEM, "%s", what);
	r->api.yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	r->api.yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
	err = read_document(r, v);
	if (r->has_event)
		r->api.yaml_event_delete(&r->event);
	r->api.yaml_parser_delete(&r->parser);
	if (err < 0)
		return err_set(e, EINVAL, "%s: not accepted as YAML: %s in line %zu", what,
			       r->reason, r->line);
	*ret = v;
	return 0;
}

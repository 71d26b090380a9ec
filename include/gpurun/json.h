/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - JSON read with limits (json-c behind it, loaded on first use) and written.
 *
 * The reader refuses duplicate member names, nesting over JSON_DEPTH_MAX, documents over
 * JSON_SIZE_MAX and invalid UTF-8; the tree lives in the caller's arena.
 */
#ifndef GPURUN_JSON_H
#define GPURUN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>

#define JSON_SIZE_MAX  (4U << 20)
#define JSON_DEPTH_MAX 32
#define JSON_COUNT_MAX (1U << 18) /* values in one document: 16 MiB of the arena at most */

enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,
	JSON_DOUBLE,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/** struct json - one value; members of objects and arrays hang on @child, linked by @next */
struct json {
	enum json_kind type;
	const char *key; /* member name inside an object, else NULL */
	const char *str; /* JSON_STRING; no NUL inside (refused) */
	int64_t num;     /* JSON_INT, JSON_BOOL */
	double dbl;      /* JSON_DOUBLE, also a whole number over INT64_MAX */
	struct json *child, *next;
	size_t count; /* number of children */
};

/** json_load - load the library now (before a sandbox closes); json_parse does it by itself */
int json_load(struct err *e);

/** json_parse - @what names the document in messages */
int json_parse(struct arena *a, const char *text, size_t len, const char *what,
	       const struct json **ret, struct err *e);

/** json_get - member @key of an object; NULL when absent, null, or @obj is no object (or NULL) */
const struct json *json_get(const struct json *obj, const char *key);

/** json_str - member @key as a string, or NULL when absent or of another type */
const char *json_str(const struct json *obj, const char *key);

/** json_strv - member @key, an array of strings (or absent), into @ret; -EINVAL on other types */
int json_strv(struct arena *a, const struct json *obj, const char *key, struct strv *ret);

/*
 * The strict reader: a tree of JSON or YAML against tables, one for each kind of object.
 *
 * struct json_at - where we are: "devices[2].containerEdits.mounts[0].hostPath"
 * @name: of a member; NULL: element @index of a list
 */
#define JSON_LIST_MAX 4096U /* entries of one list */
struct json_at {
	const struct json_at *up;
	const char *name;
	size_t index;
};

/* @unknown: collects the places of members that no table has; NULL: they are errors */
struct json_reader {
	struct arena *a;
	const char *file;
	struct err *e;
	struct strv *unknown;
};

/* Check the value @v and put it at @to. */
typedef int json_read_fn(struct json_reader *r, const struct json *v, const struct json_at *at,
			 void *to);

/** struct json_member - of an object; its value goes to @offset of what the object becomes */
struct json_member {
	const char *name;
	json_read_fn *read;
	size_t offset;
	bool required;
};

/** json_read_refuse - the error "FILE: PLACE: @reason"; returns -EINVAL */
int json_read_refuse(struct json_reader *r, const struct json_at *at, const char *reason);

/** json_read_place - the text of a place, for messages */
const char *json_read_place(struct arena *a, const struct json_at *at);

/** json_read_object - its members by the table of @n */
int json_read_object(struct json_reader *r, const struct json *v, const struct json_at *at,
		     const struct json_member *members, size_t n, void *to);

/** json_read_list - each element by @read, which puts it behind those before */
int json_read_list(struct json_reader *r, const struct json *v, const struct json_at *at,
		   json_read_fn *read, void *to);

/* A string without control characters to a const char *, an absolute path (cleaned). */
json_read_fn json_read_string, json_read_path;
/* One string more to a struct strv, a list of them, a list of "NAME=VALUE". */
json_read_fn json_read_one_string, json_read_strings, json_read_variables;
/* Of the right type, and not kept: nobody needs it. */
json_read_fn json_read_number, json_read_flag;

/* The writer: commas and indentation by itself; keys are NULL inside arrays. */
struct jsonw {
	struct arena *a;
	char *buf;
	size_t len, cap;
	int depth;
	bool compact; /* one line without indentation */
	bool comma;
};

void jsonw_begin_object(struct jsonw *w, const char *key);
void jsonw_end_object(struct jsonw *w);
void jsonw_begin_array(struct jsonw *w, const char *key);
void jsonw_end_array(struct jsonw *w);
void jsonw_str(struct jsonw *w, const char *key, const char *value); /* NULL: null */
void jsonw_int(struct jsonw *w, const char *key, int64_t value);
void jsonw_uint(struct jsonw *w, const char *key, uint64_t value);
void jsonw_bool(struct jsonw *w, const char *key, bool value);

/** jsonw_text - the finished document, NUL-terminated, with a final newline */
const char *jsonw_text(struct jsonw *w, size_t *ret_len);

#endif

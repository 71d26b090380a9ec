/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonw.c - JSON written; two spaces a level.  The output is valid whatever the strings hold:
 * bytes that are not UTF-8 become U+FFFD.
 */
#include "utf8.h"

#include <gpurun/json.h>
#include <gpurun/str.h>

#include <stdio.h>

#define JSONW_FIRST  4096 /* bytes of room at the start */
#define JSONW_INDENT 8    /* levels whose blanks are written at once */

/* Append @n bytes; one more is always there for the final NUL. */
static void put(struct jsonw *w, const char *s, size_t n)
{
	if (n >= w->cap - w->len) {
		size_t cap = w->cap ? w->cap : JSONW_FIRST;

		while (n >= cap - w->len)
			cap *= 2;
		w->buf = arena_extend(w->a, w->buf, w->cap, cap);
		w->cap = cap;
	}
	memcpy(w->buf + w->len, s, n);
	w->len += n;
}

static void put_text(struct jsonw *w, const char *s)
{
	put(w, s, strlen(s));
}

static void put_newline(struct jsonw *w)
{
	static const char line[1 + 2 * JSONW_INDENT + 1] = "\n                ";

	if (w->compact)
		return;
	put(w, line, 1 + 2 * (size_t)(w->depth < JSONW_INDENT ? w->depth : JSONW_INDENT));
	for (int i = JSONW_INDENT; i < w->depth; i++)
		put_text(w, "  ");
}

/* One character that may not stand in a string as it is. */
static void put_escaped(struct jsonw *w, unsigned char c)
{
	static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: character, its letter */
	char hex[8];

	for (const char *p = escapes; *p; p += 2) {
		if ((unsigned char)*p == c) {
			put_text(w, "\\");
			put(w, p + 1, 1);
			return;
		}
	}
	(void)snprintf(hex, sizeof(hex), "\\u%04x", c);
	put_text(w, hex);
}

/* How many of the @n bytes at @s stand for themselves: all of a usual string. */
static size_t plain_len(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] >= 0x20 && s[i] < 0x7f && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

/* The character at @s, which is no plain one; its length. */
static size_t put_other(struct jsonw *w, const char *s, size_t left)
{
	size_t n = utf8_len(s, left);

	if (n == 0)
		put_text(w, "\xef\xbf\xbd"); /* U+FFFD */
	else if (n == 1)
		put_escaped(w, (unsigned char)*s);
	else
		put(w, s, n);
	return n ? n : 1;
}

static void put_string(struct jsonw *w, const char *s)
{
	size_t left = strlen(s);

	put(w, "\"", 1);
	while (left > 0) {
		size_t n = plain_len(s, left);

		if (n)
			put(w, s, n);
		else
			n = put_other(w, s, left);
		s += n;
		left -= n;
	}
	put(w, "\"", 1);
}

/* Everything that stands before a value: the comma, the line, the name. */
static void put_key(struct jsonw *w, const char *key)
{
	if (w->comma)
		put_text(w, w->compact ? ", " : ",");
	if (w->depth > 0)
		put_newline(w);
	if (key) {
		put_string(w, key);
		put_text(w, ": ");
	}
	w->comma = true;
}

static void put_begin(struct jsonw *w, const char *key, const char *bracket)
{
	put_key(w, key);
	put_text(w, bracket);
	w->depth++;
	w->comma = false;
}

static void put_end(struct jsonw *w, const char *bracket)
{
	w->depth--;
	if (w->comma)
		put_newline(w);
	put_text(w, bracket);
	w->comma = true;
}

void jsonw_begin_object(struct jsonw *w, const char *key)
{
	put_begin(w, key, "{");
}

void jsonw_end_object(struct jsonw *w)
{
	put_end(w, "}");
}

void jsonw_begin_array(struct jsonw *w, const char *key)
{
	put_begin(w, key, "[");
}

void jsonw_end_array(struct jsonw *w)
{
	put_end(w, "]");
}

void jsonw_str(struct jsonw *w, const char *key, const char *value)
{
	put_key(w, key);
	if (value)
		put_string(w, value);
	else
		put_text(w, "null");
}

void jsonw_int(struct jsonw *w, const char *key, int64_t value)
{
	char digits[32];

	(void)snprintf(digits, sizeof(digits), "%lld", (long long)value);
	put_key(w, key);
	put_text(w, digits);
}

void jsonw_uint(struct jsonw *w, const char *key, uint64_t value)
{
	char digits[32];

	(void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
	put_key(w, key);
	put_text(w, digits);
}

void jsonw_bool(struct jsonw *w, const char *key, bool value)
{
	put_key(w, key);
	put_text(w, value ? "true" : "false");
}

const char *jsonw_text(struct jsonw *w, size_t *ret_len)
{
	put_text(w, "\n");
	w->buf[w->len] = '\0';
	if (ret_len)
		*ret_len = w->len;
	return w->buf;
}

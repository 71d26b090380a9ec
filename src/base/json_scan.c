/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_scan.c - what json-c lets through even when it is strict: bytes that are not UTF-8,
 * control characters and NULs in strings, names in single quotes, "-01", "1.", NaN, too many
 * values.
 */
#include "json_scan.h"
#include "utf8.h"

#include <gpurun/json.h>

#include <string.h>

static bool scan_stop(struct json_scan *s, const char *reason)
{
	s->reason = reason;
	return false;
}

/* The inside of a string, from behind its first quote to behind its last. */
static bool scan_string(struct json_scan *s, const char *text, size_t len)
{
	while (s->at < len && text[s->at] != '"') {
		const char *p = text + s->at;
		size_t left = len - s->at;
		size_t n = utf8_len(p, left);

		if (n == 0)
			return scan_stop(s, "a string is not UTF-8");
		if (*(const unsigned char *)p < 0x20)
			return scan_stop(s, "a control character in a string");
		if (*p == '\\') {
			if (left >= 6 && memcmp(p, "\\u0000", 6) == 0)
				return scan_stop(s, "a NUL in a string");
			n = left >= 2 ? 2 : 1;
		}
		s->at += n;
	}
	if (s->at == len)
		return scan_stop(s, "the text ends inside a string");
	s->at++;
	return true;
}

static size_t scan_digits(struct json_scan *s, const char *text, size_t len)
{
	size_t from = s->at;

	while (s->at < len && text[s->at] >= '0' && text[s->at] <= '9')
		s->at++;
	return s->at - from;
}

/* Is the next byte one of @set?  Then step over it. */
static bool scan_one_of(struct json_scan *s, const char *text, size_t len, const char *set)
{
	bool hit = s->at < len && text[s->at] && strchr(set, text[s->at]);

	s->at += hit;
	return hit;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool scan_number(struct json_scan *s, const char *text, size_t len)
{
	size_t first, whole;

	(void)scan_one_of(s, text, len, "-");
	first = s->at;
	whole = scan_digits(s, text, len);
	if (whole == 0 || (whole > 1 && text[first] == '0'))
		return scan_stop(s, "a number that JSON does not know");
	if (scan_one_of(s, text, len, ".") && scan_digits(s, text, len) == 0)
		return scan_stop(s, "a number that JSON does not know");
	if (scan_one_of(s, text, len, "eE")) {
		(void)scan_one_of(s, text, len, "+-");
		if (scan_digits(s, text, len) == 0)
			return scan_stop(s, "a number that JSON does not know");
	}
	return true;
}

/* Count what @c, one of SCAN_BYTES, opens, closes or separates. */
static bool scan_count(struct json_scan *s, char c)
{
	bool opens = c == '[' || c == '{';

	s->depth += opens;
	s->depth -= c == ']' || c == '}';
	s->members += c == ':';
	s->values += c == ',' || opens;
	if (s->depth > JSON_DEPTH_MAX)
		return scan_stop(s, "nested too deeply");
	if (s->values >= JSON_COUNT_MAX)
		return scan_stop(s, "too many values");
	return true;
}

/* What may stand outside of strings and numbers: structure, white space, true false null. */
#define SCAN_BYTES                                                                                 \
	"[]{},: \t\r\n"                                                                            \
	"truefalsn"

bool json_scan(struct json_scan *s, const char *text, size_t len)
{
	while (s->at < len) {
		char c = text[s->at];
		bool fine;

		if (c == '-' || (c >= '0' && c <= '9')) {
			fine = scan_number(s, text, len);
		} else if (scan_one_of(s, text, len, "\"")) {
			fine = scan_string(s, text, len);
		} else if (scan_one_of(s, text, len, SCAN_BYTES)) {
			fine = scan_count(s, c);
		} else {
			fine = scan_stop(s, "a character that JSON does not know");
		}
		if (!fine)
			return false;
	}
	return true;
}

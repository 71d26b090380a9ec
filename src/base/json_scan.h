/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_scan.h - private to base: a look at the bytes of a JSON text before its parser.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct json_scan - what the bytes alone tell; starts as zeroes
 * @at:      byte where the scan stopped
 * @members: members of all objects, if the text is valid: the colons outside of strings
 * @values:  commas and opening brackets: the values, if the text is valid, but for the outermost,
 *           or a few more
 * @depth:   brackets open at @at
 * @reason:  why it stopped, or NULL
 */
struct json_scan {
	size_t at;
	size_t members;
	size_t values;
	int depth;
	const char *reason;
};

/**
 * json_scan - refuse what no parser of JSON should accept, within JSON_DEPTH_MAX and
 * JSON_COUNT_MAX; the grammar of arrays and objects is left to the parser
 */
bool json_scan(struct json_scan *s, const char *text, size_t len);

#endif

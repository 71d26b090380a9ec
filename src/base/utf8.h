/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8.h - private to base: well-formed UTF-8 as of RFC 3629.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/**
 * utf8_len - length of the well-formed sequence at @s, of which @n > 0 bytes are there
 * Return: 1 to 4, or 0 for anything else (stray, cut, overlong, surrogate, over U+10FFFF).
 */
size_t utf8_len(const char *s, size_t n);

#endif

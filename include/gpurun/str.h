/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str.h - strings, numbers and lexical paths.  Pure functions; nothing here touches a file.
 */
#ifndef GPURUN_STR_H
#define GPURUN_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <gpurun/arena.h>

#define ELEMENTS(x) (sizeof(x) / sizeof((x)[0]))

static inline bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/** str_after - the rest of @s behind @prefix, or NULL when it does not start with it */
static inline const char *str_after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/** str_split - cut @s at every @sep into @ret (empty fields are kept) */
void str_split(struct arena *a, const char *s, char sep, struct strv *ret);

/** strv_has - is @s one of the list? */
bool strv_has(const struct strv *list, const char *s);

/** str_glob - does @s match the shell pattern @pattern ('*' and '?' only)? */
bool str_glob(const char *pattern, const char *s);

/** str_nearest - the word of the NULL-terminated list that @s was probably meant to be, or NULL */
const char *str_nearest(const char *s, const char *const *words);

/** num_u64 - the whole of @s as a decimal number <= @max; -EINVAL or -ERANGE, @ret untouched */
int num_u64(const char *s, uint64_t max, uint64_t *ret);

/**
 * num_write - write @v to the base 8, 10 or 16, so that it ends in front of @end; no NUL
 * Return: where it starts, at most NUM_DIGITS_MAX bytes in front
 * For where printf(3) would cost as much as the system call that the number is for.
 */
#define NUM_DIGITS_MAX 22 /* of 64 bits in octal */
char *num_write(char *end, uint64_t v, unsigned int base);

/** num_size - bytes, as off_t has them: a number, a suffix b k m g t (powers of 1024) or none */
int num_size(const char *s, uint64_t *ret);

/** num_is_decimal - digits and nothing else? */
bool num_is_decimal(const char *s);

/** num_hex - are the @n characters at @s all lower-case hexadecimal digits? */
bool num_is_hex(const char *s, size_t n);

/**
 * hex_digest - the SHA-256 of something short, its first half in hexadecimal
 * Nobody makes two things of one digest, or another thing of a given one.
 */
#define HEX_DIGEST_LEN 32
void hex_digest(const void *data, size_t len, char ret[HEX_DIGEST_LEN + 1]);

/** path_clean - @path without "//", "." and "..", absolute; ".." stops at "/" (lexical) */
char *path_clean(struct arena *a, const char *path);

/** path_join - @dir "/" @name cleaned; an absolute @name stands alone */
char *path_join(struct arena *a, const char *dir, const char *name);

/** path_below - is @path @dir itself or below it, compared component by component? */
bool path_below(const char *path, const char *dir);

/** path_base - the part behind the last slash (of a cleaned path) */
const char *path_base(const char *path);

/** path_dir - the directory of a cleaned absolute path */
const char *path_dir(struct arena *a, const char *path);

#endif

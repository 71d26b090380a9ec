/* SPDX-License-Identifier: Apache-2.0 */
/*
 * special.c - pax records (POSIX.1-2001, "pax Extended Header"): "LENGTH KEY=VALUE\n", and the
 * sizes of GNU's long names.
 *
 * A record that one reader skips and another one does not may say how long the file behind it
 * is: then the two see different entries (CVE-2025-62518).  So nothing malformed is let pass.
 */
#include "special.h"

#include <errno.h>
#include <string.h>

#include <gpurun/str.h>

#define BLOCK    512U
#define SIZE_AT  124
#define SIZE_LEN 12
#define TYPE_AT  156
#define BINARY   0x80 /* in the first byte of a number that is not octal */

int special_is(const uint8_t *block)
{
	return block[TYPE_AT] && strchr("xXgLK", block[TYPE_AT]) != NULL;
}

/* Octal digits after blanks, or a large number in binary. */
static uint64_t header_size(const uint8_t *block)
{
	const uint8_t *p = block + SIZE_AT, *end = p + SIZE_LEN;
	bool binary = *p & BINARY;
	uint64_t v = binary ? *p++ & (BINARY - 1) : 0;

	while (!binary && p < end && (*p == ' ' || *p == '\t'))
		p++;
	for (; p < end && v <= SPECIAL_MAX; p++) {
		if (binary)
			v = v << 8 | *p;
		else if (*p >= '0' && *p <= '7')
			v = v << 3 | (uint64_t)(*p - '0');
		else
			break;
	}
	return v;
}

/* struct record - one pax record; @key and @value are not NUL-terminated */
struct record {
	const char *key, *value;
	size_t n_key, n_value;
};

/* Take a record off the front; its length, 0 when it is malformed. */
static size_t record_next(const char *p, size_t n, struct record *ret)
{
	size_t len = 0, digits = 0;
	const char *equals;

	while (digits < n && p[digits] >= '0' && p[digits] <= '9' && len <= n)
		len = len * 10 + (size_t)(p[digits++] - '0');
	if (digits == 0 || len > n || len < digits + 4 || p[digits] != ' ' || p[len - 1] != '\n')
		return 0;
	ret->key = p + digits + 1;
	equals = memchr(ret->key, '=', len - digits - 2);
	if (!equals || equals == ret->key)
		return 0;
	ret->n_key = (size_t)(equals - ret->key);
	ret->value = equals + 1;
	ret->n_value = (size_t)(p + len - 1 - ret->value);
	return memchr(ret->key, '\0', ret->n_key) ? 0 : len;
}

static bool key_is(const struct record *r, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (r->n_key == strlen(keys[i]) && memcmp(r->key, keys[i], r->n_key) == 0)
			return true;
	}
	return false;
}

static bool key_begins(const struct record *r, const char *with)
{
	return r->n_key > strlen(with) && memcmp(r->key, with, strlen(with)) == 0;
}

static bool is_number(const char *p, size_t n)
{
	size_t digits = 0;

	while (digits < n && p[digits] >= '0' && p[digits] <= '9')
		digits++;
	return n > 0 && digits == n;
}

/* Names end at a NUL for us, and do not for others; so do numbers, at what is no digit. */
static int check_record(const struct record *r, bool global, struct err *e)
{
	static const char *const names[] = { "path", "linkpath", "GNU.sparse.name" };
	static const char *const numbers[] = { "size", "GNU.sparse.size", "GNU.sparse.realsize",
					       "GNU.sparse.numblocks" };
	static const char *const own[] = { "path", "linkpath", "size" };

	if (global && key_is(r, own, ELEMENTS(own)))
		return err_set(e, EINVAL, "tar: a global pax header with a %.*s", (int)r->n_key,
			       r->key);
	if (key_is(r, names, ELEMENTS(names)) && memchr(r->value, '\0', r->n_value))
		return err_set(e, EINVAL, "tar: a NUL in the %.*s of a pax header", (int)r->n_key,
			       r->key);
	if (key_is(r, numbers, ELEMENTS(numbers)) && !is_number(r->value, r->n_value))
		return err_set(e, EINVAL, "tar: the %.*s in a pax header is no size", (int)r->n_key,
			       r->key);
	return 0;
}

/* struct said - which names the headers of one entry have given so far, and that it has holes */
struct said {
	bool sparse;
	bool path, linkpath;       /* in pax */
	bool long_name, long_link; /* GNU's */
};

static void note_record(struct said *said, const struct record *r)
{
	static const char *const path[] = { "path" }, *const linkpath[] = { "linkpath" };

	said->path |= key_is(r, path, 1);
	said->linkpath |= key_is(r, linkpath, 1);
	said->sparse |= key_begins(r, "GNU.sparse.");
}

static int check_pax(const char *p, size_t n, bool global, struct said *said, struct err *e)
{
	unsigned int xattrs = 0;
	struct record rec;
	int r = 0;

	while (r == 0 && n > 0) {
		size_t len = record_next(p, n, &rec);

		if (len == 0)
			return err_set(e, EINVAL, "tar: malformed pax header");
		r = check_record(&rec, global, e);
		note_record(said, &rec);
		xattrs +=
			key_begins(&rec, "SCHILY.xattr.") || key_begins(&rec, "LIBARCHIVE.xattr.");
		if (r == 0 && xattrs > SPECIAL_XATTRS_MAX)
			r = err_set(e, EFBIG, "tar: an entry with more than %u extended attributes",
				    SPECIAL_XATTRS_MAX);
		p += len;
		n -= len;
	}
	return r;
}

/* One header with a body of @size bytes. */
static int check_header(const uint8_t *p, size_t size, struct said *said, struct err *e)
{
	const char type = (char)p[TYPE_AT];
	int r = 0;

	if (strchr("xXg", type))
		r = check_pax((const char *)p + BLOCK, size, type == 'g', said, e);
	said->long_name |= type == 'L';
	said->long_link |= type == 'K';
	if (r == 0 && ((said->path && said->long_name) || (said->linkpath && said->long_link)))
		r = err_set(e, EINVAL, "tar: a name in a pax header and a long name of GNU's");
	return r;
}

int special_check(const uint8_t *p, size_t n, struct err *e)
{
	struct said said = { 0 };

	while (n >= BLOCK && special_is(p)) {
		uint64_t size = header_size(p);
		size_t step = BLOCK + ((size_t)size + BLOCK - 1) / BLOCK * BLOCK;
		int r;

		if (size > SPECIAL_MAX)
			return err_set(e, EFBIG, "tar: a header of more than %u bytes",
				       SPECIAL_MAX);
		if (size > n - BLOCK)
			return 0;
		r = check_header(p, (size_t)size, &said, e);
		if (r < 0 || step > n)
			return r;
		p += step;
		n -= step;
	}
	return n >= BLOCK && !said.sparse && memchr("07", p[TYPE_AT], sizeof("07")) != NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two CRC-32: the same numbers for every length and alignment, in one piece and in several.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "../../src/store/crc.h"
#include "tap.h"

#define LONGEST 5000

static void fill(unsigned char *p, size_t n)
{
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (unsigned char)(x >> 24);
	}
}

/* Where they differ first, or 0. */
static size_t compare_lengths(const unsigned char *p)
{
	for (size_t n = 1; n <= LONGEST; n += n < 600 ? 1 : 97) {
		for (size_t from = 0; from < 17; from++) {
			if (crc_update(0, p + from, n) != crc_update_zlib(0, p + from, n))
				return n;
		}
	}
	return 0;
}

static size_t compare_pieces(const unsigned char *p)
{
	const uint32_t whole = crc_update_zlib(0, p, LONGEST);

	for (size_t at = 0; at <= LONGEST; at += 61) {
		uint32_t crc = crc_update(crc_update(0, p, at), p + at, LONGEST - at);

		if (crc != whole)
			return at + 1;
	}
	return 0;
}

int main(void)
{
	static unsigned char data[LONGEST + 32], zero[LONGEST];
	struct err e = { 0 };

	fill(data, sizeof(data));
	is_int(crc_load(&e), 0, "loaded");
	diag("libisal.so.2 is %s",
	     dlopen("libisal.so.2", RTLD_NOW | RTLD_NOLOAD) ? "used" : "missing");
	is_int((int)(crc_update(0, "123456789", 9) == 0xcbf43926), 1, "the check value");
	is_int((int)crc_update(7, data, 0), 7, "nothing changes nothing");
	is_int((int)compare_lengths(data), 0, "as zlib's, every length and alignment");
	is_int((int)compare_pieces(data), 0, "as zlib's, in two pieces");
	is_int((int)(crc_zeros(crc_update(0, data, 10), LONGEST) ==
		     crc_update(crc_update(0, data, 10), zero, LONGEST)),
	       1, "a hole is as many zeros");
	return done_testing();
}

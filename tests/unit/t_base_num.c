/* SPDX-License-Identifier: Apache-2.0 */
/* base/num: strict numbers and sizes. */
#include "tap.h"

#include <gpurun/str.h>

#include <errno.h>

#define UNTOUCHED 0xdeadbeefU

static const struct row {
	const char *s;
	uint64_t max;
	int r;
	uint64_t want;
} u64_rows[] = {
	{ "0", 0, 0, 0 },
	{ "1", 0, -ERANGE, 0 },
	{ "007", 9, 0, 7 },
	{ "65535", 65535, 0, 65535 },
	{ "65536", 65535, -ERANGE, 0 },
	{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX, -ERANGE, 0 },
	{ "99999999999999999999999999", UINT64_MAX, -ERANGE, 0 },
	{ "99999999999999999999999999x", UINT64_MAX, -EINVAL, 0 },
	{ "", 9, -EINVAL, 0 },
	{ " 1", 9, -EINVAL, 0 },
	{ "1 ", 9, -EINVAL, 0 },
	{ "1\n", 9, -EINVAL, 0 },
	{ "+1", 9, -EINVAL, 0 },
	{ "-1", 9, -EINVAL, 0 },
	{ "-0", 9, -EINVAL, 0 },
	{ "0x1", 9, -EINVAL, 0 },
	{ "1e3", 9999, -EINVAL, 0 },
	{ "1.0", 9, -EINVAL, 0 },
	{ "\xd9\xa1", 9, -EINVAL, 0 }, /* an Arabic one */
};

static const struct row size_rows[] = {
	{ "0", 0, 0, 0 },
	{ "1", 0, 0, 1 },
	{ "1b", 0, 0, 1 },
	{ "1k", 0, 0, 1024 },
	{ "2K", 0, 0, 2048 },
	{ "64m", 0, 0, 67108864 },
	{ "64MB", 0, 0, 67108864 },
	{ "64MiB", 0, 0, 67108864 },
	{ "1g", 0, 0, 1073741824 },
	{ "1t", 0, 0, (uint64_t)1 << 40 },
	{ "8388607t", 0, 0, (uint64_t)8388607 << 40 },
	{ "8388608t", 0, -ERANGE, 0 },
	{ "18446744073709551615b", 0, -ERANGE, 0 },
	{ "18446744073709551616", 0, -ERANGE, 0 },
	{ "18446744073709551615k", 0, -ERANGE, 0 },
	{ "9223372036854775807", 0, 0, INT64_MAX },
	{ "9223372036854775808", 0, -ERANGE, 0 },
	{ "99999999999999999999q", 0, -EINVAL, 0 },
	{ "", 0, -EINVAL, 0 },
	{ "m", 0, -EINVAL, 0 },
	{ "-1m", 0, -EINVAL, 0 },
	{ "1.5g", 0, -EINVAL, 0 },
	{ "1p", 0, -EINVAL, 0 },
	{ "1mm", 0, -EINVAL, 0 },
	{ "1mi", 0, -EINVAL, 0 },
	{ "1bb", 0, -EINVAL, 0 },
	{ "1ib", 0, -EINVAL, 0 },
	{ "1mbx", 0, -EINVAL, 0 },
	{ "1 m", 0, -EINVAL, 0 },
	{ "1m ", 0, -EINVAL, 0 },
	{ "1\x0b", 0, -EINVAL, 0 }, /* 0x0b and 0x2b differ from 'k' in more than its case */
};

static void check(const char *name, const struct row *row, int r, uint64_t got)
{
	is_int(r, row->r, "%s of '%s'", name, row->s);
	ok(got == (row->r ? UNTOUCHED : row->want), "%s of '%s': the value", name, row->s);
}

int main(void)
{
	for (size_t i = 0; i < ELEMENTS(u64_rows); i++) {
		uint64_t v = UNTOUCHED;
		int r = num_u64(u64_rows[i].s, u64_rows[i].max, &v);

		check("num_u64", &u64_rows[i], r, v);
	}
	for (size_t i = 0; i < ELEMENTS(size_rows); i++) {
		uint64_t v = UNTOUCHED;
		int r = num_size(size_rows[i].s, &v);

		check("num_size", &size_rows[i], r, v);
	}
	ok(num_is_hex("0123456789abcdef", 16), "all the digits");
	ok(num_is_hex("", 0), "no digits at all");
	ok(num_is_hex("abXY", 2), "only the first n count");
	ok(!num_is_hex("ABCD", 4), "upper case is not accepted");
	ok(!num_is_hex("12g4", 4), "g is no digit");
	ok(!num_is_hex("ab", 3), "a NUL is no digit");
	return done_testing();
}

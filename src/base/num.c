/* SPDX-License-Identifier: Apache-2.0 */
/*
 * num.c - strict numbers: digits first, no sign, no white space, no overflow, nothing behind.
 */
#include <gpurun/str.h>

#include <errno.h>

/* Eat the digits at *@s: -EINVAL when there are none, -ERANGE when they are too many. */
static int num_digits(const char **s, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;
	int r = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(v, 10U, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			r = -ERANGE;
	}
	*s = p;
	*ret = v;
	return r;
}

char *num_write(char *end, uint64_t v, unsigned int base)
{
	do
		*--end = "0123456789abcdef"[v % base];
	while ((v /= base) > 0);
	return end;
}

int num_u64(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v;
	int r = num_digits(&s, &v);

	if (r == -EINVAL || *s)
		return -EINVAL;
	if (r < 0 || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

/*
 * The suffixes that docker takes: one letter, either case, and behind k m g t also "b" or
 * "ib" ("64m", "64MB", "64MiB" are the same size).  Returns the shift, or -EINVAL.
 */
static int num_suffix_shift(const char *s)
{
	static const char units[] = "bkmgt";
	const char *unit;

	if (!*s)
		return 0;
	unit = strchr(units, *s | 0x20);
	if (!unit)
		return -EINVAL;
	s++;
	if (unit != units && (*s | 0x20) == 'i' && (s[1] | 0x20) == 'b')
		s++;
	if (unit != units && (*s | 0x20) == 'b')
		s++;
	return *s ? -EINVAL : (int)(unit - units) * 10;
}

int num_size(const char *s, uint64_t *ret)
{
	uint64_t v;
	int r = num_digits(&s, &v);
	int shift;

	if (r == -EINVAL)
		return r;
	shift = num_suffix_shift(s);
	if (shift < 0)
		return shift;
	if (r < 0 ||
	    v > (uint64_t)INT64_MAX >> shift) /* off_t: the kernel would take more for less */
		return -ERANGE;
	*ret = v << shift;
	return 0;
}

bool num_is_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!(s[i] >= '0' && s[i] <= '9') && !(s[i] >= 'a' && s[i] <= 'f'))
			return false;
	}
	return true;
}

bool num_is_decimal(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

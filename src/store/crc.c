/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc.c - CRC-32 of contents and of holes.
 *
 * ISA-L's is ten times as fast as zlib's, which remains for where it is missing, and for holes.
 */
#include "crc.h"

#include <errno.h>
#include <isa-l/crc.h>
#include <sys/types.h>
#include <unistd.h>
#include <zlib.h>

#include <gpurun/lib.h>
#include <gpurun/str.h>

#define ZLIB_FUNCS(X) X(crc32) X(crc32_combine)
struct zlib_api {
	ZLIB_FUNCS(LIB_POINTER)
};
#define ENTRY(f) LIB_ENTRY(zlib_api, f)
static const struct lib_func zlib_funcs[] = { ZLIB_FUNCS(ENTRY) };
static struct zlib_api zlib;

#define ISAL_FUNCS(X) X(crc32_gzip_refl)
struct isal_api {
	ISAL_FUNCS(LIB_POINTER)
};
#define ISAL_ENTRY(f) LIB_ENTRY(isal_api, f)
static const struct lib_func isal_funcs[] = { ISAL_FUNCS(ISAL_ENTRY) };
static struct isal_api isal_api;

int crc_load(struct err *e)
{
	if (zlib.crc32)
		return 0;
	/* without it everything works as well, only slower */
	(void)lib_load("libisal.so.2", "libisal2", isal_funcs, ELEMENTS(isal_funcs), &isal_api,
		       NULL);
	return lib_load("libz.so.1", "zlib1g", zlib_funcs, ELEMENTS(zlib_funcs), &zlib, e);
}

uint32_t crc_update(uint32_t crc, const void *p, size_t n)
{
	return isal_api.crc32_gzip_refl ? isal_api.crc32_gzip_refl(crc, p, n)
					: crc_update_zlib(crc, p, n);
}

uint32_t crc_update_zlib(uint32_t crc, const void *p, size_t n)
{
	const unsigned char *s = p;

	while (n > 0) { /* zlib counts in unsigned int */
		unsigned int part = n > (1U << 30) ? 1U << 30 : (unsigned int)n;

		crc = (uint32_t)zlib.crc32(crc, s, part);
		s += part;
		n -= part;
	}
	return crc;
}

/* Doubling: the CRC of 2k zeros is that of k zeros combined with itself. */
uint32_t crc_zeros(uint32_t crc, uint64_t n)
{
	static const unsigned char zero[1];
	uLong power = zlib.crc32(0, zero, 1);
	uint64_t len = 1;

	for (; n > 0; n >>= 1) {
		if (n & 1)
			crc = (uint32_t)zlib.crc32_combine(crc, power, (z_off_t)len);
		if (n > 1)
			power = zlib.crc32_combine(power, power, (z_off_t)len);
		len *= 2;
	}
	return crc;
}

static int crc_data(int fd, uint64_t from, uint64_t to, uint32_t *crc)
{
	char buf[12 << 10];

	while (from < to) {
		size_t want = to - from < sizeof(buf) ? (size_t)(to - from) : sizeof(buf);
		ssize_t n = pread(fd, buf, want, (off_t)from);

		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		*crc = crc_update(*crc, buf, (size_t)n);
		from += (uint64_t)n;
	}
	return 0;
}

int crc_file(int fd, uint64_t size, uint32_t *ret)
{
	uint64_t at = 0;
	uint32_t crc = 0;

	while (at < size) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA);
		off_t hole;
		int r;

		if (data < 0 && errno != ENXIO)
			return -errno;
		if (data < 0 || (uint64_t)data > size)
			data = (off_t)size;
		crc = crc_zeros(crc, (uint64_t)data - at);
		hole = (uint64_t)data < size ? lseek(fd, data, SEEK_HOLE) : data;
		if (hole < 0)
			return -errno;
		if ((uint64_t)hole > size)
			hole = (off_t)size;
		r = crc_data(fd, (uint64_t)data, (uint64_t)hole, &crc);
		if (r < 0)
			return r;
		at = (uint64_t)hole;
	}
	*ret = crc;
	return 0;
}

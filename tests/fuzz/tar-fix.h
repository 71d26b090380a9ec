/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar-fix.h - mutations of archives that survive the checksums of their headers.
 */
#ifndef GPURUN_FUZZ_TAR_FIX_H
#define GPURUN_FUZZ_TAR_FIX_H

#include "fuzz.h"

#define TAR_BLOCK 512

static FUZZ_UNUSED unsigned int tar_sum(const uint8_t *h)
{
	unsigned int sum = 8 * ' ';

	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (i < 148 || i >= 156)
			sum += h[i];
	return sum;
}

/* Octal digits, and nothing but a blank or NUL behind them; -1: no such number */
static FUZZ_UNUSED int64_t tar_octal(const uint8_t *p, size_t n)
{
	int64_t v = 0;
	size_t i = 0;

	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v << 3 | (p[i] - '0');
	return i == 0 || i == n || (p[i] != ' ' && p[i] != '\0') ? -1 : v;
}

static FUZZ_UNUSED bool tar_is_zero(const uint8_t *p)
{
	static const uint8_t zeros[TAR_BLOCK];

	return memcmp(p, zeros, TAR_BLOCK) == 0;
}

/* Right sums for all headers, as far as they can be found by the sizes in them. */
static FUZZ_UNUSED void tar_fix(uint8_t *p, size_t n)
{
	for (size_t at = 0; at + TAR_BLOCK <= n; at += TAR_BLOCK) {
		uint8_t *h = p + at;
		int64_t size = tar_octal(h + 124, 12);
		char text[8];

		if (tar_is_zero(h))
			continue;
		(void)snprintf(text, sizeof(text), "%06o", tar_sum(h));
		memcpy(h + 148, text, 7);
		h[155] = ' ';
		if (size > 0 && (uint64_t)size <= n - at)
			at += ((size_t)size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	}
}

/* @skip: bytes in front of the archive that mean something else */
static FUZZ_UNUSED size_t tar_mutate(uint8_t *data, size_t size, size_t max, unsigned int seed,
				     size_t skip)
{
	size = LLVMFuzzerMutate(data, size, max);
	if (seed % 8 && size > skip)
		tar_fix(data + skip, size - skip);
	return size;
}

#endif

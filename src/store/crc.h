/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc.h - CRC-32 by ISA-L or zlib, loaded on use; holes of sparse files cost nothing.
 */
#ifndef STORE_CRC_H
#define STORE_CRC_H

#include <stddef.h>
#include <stdint.h>

#include <gpurun/err.h>

/** crc_load - before the first of the others, and before a sandbox closes */
int crc_load(struct err *e);

uint32_t crc_update(uint32_t crc, const void *p, size_t n);
/** crc_update_zlib - the same where ISA-L is missing (for tests) */
uint32_t crc_update_zlib(uint32_t crc, const void *p, size_t n);
/** crc_zeros - the CRC after @n bytes of zeros, in O(log n) */
uint32_t crc_zeros(uint32_t crc, uint64_t n);
/** crc_file - of the first @size bytes of a regular file, holes skipped; -errno */
int crc_file(int fd, uint64_t size, uint32_t *ret);

#endif

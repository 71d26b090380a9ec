/* SPDX-License-Identifier: Apache-2.0 */
/*
 * special.h - the headers of a tar that only say something about the entry behind them: pax
 * records and GNU's long names.  libarchive reads them, and is lenient; this is a second look
 * at the same bytes, which refuses what two readers could understand differently.
 */
#ifndef STORE_SPECIAL_H
#define STORE_SPECIAL_H

#include <stddef.h>
#include <stdint.h>

#include <gpurun/err.h>

#define SPECIAL_MAX        (1U << 20) /* bytes of one such header */
#define SPECIAL_XATTRS_MAX 1024U      /* extended attributes in one */

/** special_is - does this block begin such a header? */
int special_is(const uint8_t *block);

/**
 * special_check - the headers at @p, up to the entry that they belong to
 * Pure.  What is cut off is no fault here: the reader says so.
 * Return: 0; 1: the entry is a file without a map of holes, so it is as long as its data, whatever
 * else there is about its size; -EINVAL or -EFBIG with @e filled
 */
int special_check(const uint8_t *p, size_t n, struct err *e);

#endif

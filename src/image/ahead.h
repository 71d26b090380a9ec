/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ahead.h - inside image/: a thread that makes blocks ahead of the one that uses them.
 */
#ifndef GPURUN_IMAGE_AHEAD_H
#define GPURUN_IMAGE_AHEAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>

#define AHEAD_BLOCKS 8 /* of DECODE_BLOCK bytes; up to eight streams are read at a time */

/**
 * struct ahead_ops - what the blocks are
 * @make: the next block, in @buf or in a buffer that it exchanges for @buf; 0, -errno
 * @hash: called for every block, in order, by one of the two threads at a time
 */
struct ahead_ops {
	ssize_t (*make)(void *arg, uint8_t **buf, const void **ret_block, struct err *e);
	void (*hash)(void *arg, const void *block, size_t n);
};

struct ahead;

/** ahead_start - NULL when there is no second CPU or no thread to be had */
struct ahead *ahead_start(struct arena *a, const struct ahead_ops *ops, void *arg);

/**
 * ahead_read - the next block, valid until the next call; 0 at the end, when all are hashed;
 * -errno. What failed in the thread is reported behind the blocks that were made before.
 */
ssize_t ahead_read(struct ahead *p, const void **ret_block, struct err *e);

/** ahead_stop - end the thread, wherever it is, and wait for it; accepts NULL */
void ahead_stop(struct ahead *p);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen.h - a set of paths, remembered as 64-bit keyed hashes.
 *
 * An image chooses the paths, so the hash is SipHash with a random key: nobody can prepare a
 * collision.  By accident two of ten million paths meet with a probability of three in a
 * million, and then one file that a whiteout names stays; eight bytes a path are worth that.
 */
#ifndef STORE_SEEN_H
#define STORE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gpurun/arena.h>

struct seen {
	struct arena *arena; /* of the present table, replaced when it grows */
	uint64_t *slots;     /* 0: free */
	size_t n, cap;
	uint64_t key[2];
};

/** siphash - SipHash-2-4 of @n bytes */
uint64_t siphash(const uint64_t key[2], const void *data, size_t n);

void seen_begin(struct seen *s);
void seen_end(struct seen *s);

/** seen_add - add the first @n bytes of @path in the category @tag; false: it was there already */
bool seen_add(struct seen *s, char tag, const char *path, size_t n);
bool seen_has(const struct seen *s, char tag, const char *path, size_t n);

#endif

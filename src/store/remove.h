/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remove.h - delete trees, whatever modes their directories have.
 */
#ifndef STORE_REMOVE_H
#define STORE_REMOVE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct removed - what was freed
 * @limit: so many entries at most, then -EAGAIN; 0: all
 */
struct removed {
	uint64_t entries, bytes;
	uint64_t limit;
};

/**
 * remove_contents - delete everything below the directory @fd, which stays
 * @n: counted on; may be NULL
 * Return: 0 or -errno when something is left.  Somebody else may be doing the same.
 */
int remove_contents(int fd, struct removed *n);

/** remove_tree - the directory @name in @dirfd with all that is below it; 0 when it is gone */
int remove_tree(int dirfd, const char *name, struct removed *n);

/**
 * remove_soon - delete @name in @dirfd (NULL: everything below @dirfd) without making anybody
 * wait: a little at once, much by a process of its own that outlives us
 * @lock: goes with that process, which may be killed at any time: then the lock is free, and
 *	  what is left waits for whoever looks next; or -1
 */
void remove_soon(int dirfd, const char *name, int lock);

#endif

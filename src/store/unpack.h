/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack.h - apply one layer to a tree.
 */
#ifndef STORE_UNPACK_H
#define STORE_UNPACK_H

#include <stdatomic.h>
#include <stdint.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>

#include "tar.h"
#include "tree.h"

#define UNPACK_ENTRIES_MAX 10000000U
#define UNPACK_COPY_UNIT   4096U /* bytes that had to be copied for a hard link: as an entry */
#define UNPACK_FILE_MAX    ((uint64_t)1 << 40) /* logical size of one file */

/* What could not be kept, to be said once at the end. */
struct unpack_skipped {
	uint64_t devices, sockets, xattrs, leftovers;
};

/**
 * unpack_layer - read @in to the end of its tar archive and apply every entry
 * @a: scratch, for the reader
 * @entries: entries of the image so far, counted on, at most UNPACK_ENTRIES_MAX; a hard link that
 *	    the file system cannot make (any more) is a copy, which counts as many
 * Return: 0; -E2BIG: that was too many; -errno with "PATH: reason" in @e.
 */
int unpack_layer(struct arena *a, struct tree *t, const struct tar_input *in,
		 _Atomic uint64_t *entries, struct unpack_skipped *skipped, struct err *e);

/** unpack_load - the libraries, before a sandbox closes */
int unpack_load(struct err *e);

#endif

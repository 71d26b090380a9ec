/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar.h - the entries of a tar stream.  libarchive reads it (and only its tar reader, without
 * filters: the bytes come decompressed); it writes nothing and opens nothing.
 */
#ifndef STORE_TAR_H
#define STORE_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>

/* All headers of one entry, a map of holes included; to the block in which the limit is reached. */
#define TAR_HEADERS_MAX (4U << 20)

/**
 * struct tar_input - where the bytes come from
 * @read: the next block, valid until the next call; 0 at the end, -errno with @e filled
 */
struct tar_input {
	ssize_t (*read)(void *arg, const void **ret_block, struct err *e);
	void *arg;
};

enum tar_type { TAR_FILE, TAR_DIR, TAR_SYMLINK, TAR_HARDLINK, TAR_FIFO, TAR_DEVICE, TAR_SOCKET };

/** struct tar_entry - one header; the strings live until the next tar_next() */
struct tar_entry {
	enum tar_type type;
	const char *name;
	const char *link; /* TAR_SYMLINK, TAR_HARDLINK */
	mode_t mode;
	uint64_t size; /* TAR_FILE: of the whole file, holes included, unless it is @plain: */
	bool plain;    /* it is as long as its data, and @size is a claim */
	struct timespec mtime;
};

struct tar;

/** tar_load - load libarchive now, before a sandbox closes */
int tar_load(struct err *e);

int tar_open(struct arena *a, const struct tar_input *in, struct tar **ret, struct err *e);
void tar_close(struct tar *t);

/** tar_next - 1, 0 at the end of the archive, -errno */
int tar_next(struct tar *t, struct tar_entry *ret, struct err *e);

/** tar_data - the next piece of the file's contents and its place; 1, 0 at the end, -errno */
int tar_data(struct tar *t, const void **ret, size_t *ret_len, uint64_t *ret_offset, struct err *e);

/** tar_has_xattrs - does the entry have extended attributes? */
bool tar_has_xattrs(struct tar *t);
/** tar_xattr - the next extended attribute of the entry; 1 or 0 */
int tar_xattr(struct tar *t, const char **ret_name, const void **ret_value, size_t *ret_len);

static inline void tar_closep(struct tar **t)
{
	tar_close(*t);
}
#define _cleanup_tar_ __attribute__((cleanup(tar_closep)))

#endif

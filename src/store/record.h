/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - the record of an image: the one file that a warm start reads (pure).
 *
 * NUL-terminated strings: RECORD_MAGIC, then "key=value" in the order of the table in record.c
 * (lists repeat their key), then "end".  Nothing else is accepted.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gpurun/arena.h>
#include <gpurun/image.h>

#define RECORD_MAGIC    "gpurun-image-1"
#define RECORD_MAX      (8U << 20)
#define RECORD_LIST_MAX 65536
#define RECORD_SETTLED  "00000000-0000-0000-0000-000000000000"
#define RECORD_BOOT     36 /* length of a boot id */

/**
 * struct record
 * @boot:     boot id of the machine when the files were written, or RECORD_SETTLED: they are
 *	      known to have reached the disk.  It is replaced in place (RECORD_BOOT_OFFSET)
 * @lowers:   keys of the directories, the topmost first: diff_ids, or one image id (flat)
 * @unpacked: seconds since the epoch, for people
 * @uptime:   the same for us: seconds since the boot (0: a record from before there was this), as
 *	      clocks are set
 * @image:    without lowers, which depend on where the store is
 * @abi:      image.abi was looked at (abi.ld_cache as abi_look() leaves it).  Records that were
 *	      written before it was are without: they stay good, in stores that we may not write,
 *	      too, and the tree is looked at when such an image is used
 */
struct record {
	char boot[RECORD_BOOT + 1];
	struct strv lowers;
	int64_t unpacked;
	uint64_t uptime;
	struct image image;
	bool abi;
};
#define RECORD_BOOT_OFFSET (sizeof(RECORD_MAGIC) + sizeof("boot=") - 1)

const char *record_format(struct arena *a, const struct record *r, size_t *ret_len);

/** record_parse - -EBADMSG for anything that record_format would not write; @ret points into @text */
int record_parse(struct arena *a, const char *text, size_t len, struct record *ret);

#endif

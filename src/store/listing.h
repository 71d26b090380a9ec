/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing.h - the file "list" of a layer or tree: what was written below fs/, in the order in
 * which it was written.  Later records override; verify compares the outcome with the disk.
 *
 *	header	"gpurun-list-1 FLAGS ENTRIES BYTES" in hex of fixed width, NUL; zero flags until
 *		the writer has ended
 *	record	"T MODE SIZE CRC SEC.NSEC PATH", NUL; T is a letter of enum listing_type; MODE
 *		octal, SIZE and CRC hex, SEC decimal with sign.  LISTING_HARD has a second
 *		string, the path whose contents it shares.
 */
#ifndef STORE_LISTING_H
#define STORE_LISTING_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <gpurun/arena.h>

enum listing_type {
	LISTING_FILE = 'f',
	LISTING_DIR = 'd',
	LISTING_LINK = 'l', /* size and CRC are those of the target's text */
	LISTING_FIFO = 'p',
	LISTING_HARD = 'h',
	LISTING_GONE = 'x',     /* the path and all below it was removed */
	LISTING_WHITEOUT = 'w', /* overlay: character device 0:0 */
	LISTING_OPAQUE = 'o',   /* overlay: user.overlay.opaque=y on the directory */
};

/* What a layer is like, as far as its neighbours are concerned. */
enum {
	LAYER_COMPLETE = 1 << 0,
	LAYER_IMPLIED = 1 << 1,     /* has directories that only a path implied: bottom only */
	LAYER_NEEDS_LOWER = 1 << 2, /* cannot be told without the layers below: flat only */
	LAYER_ROOT_OPAQUE = 1 << 3, /* hides everything below */
	LAYER_WHITEOUTS = 1 << 4,   /* has at least one whiteout */
	LAYER_FLAGS_ALL = 0x1f,
};

struct listing_header {
	uint32_t flags;
	uint64_t entries, bytes;
};

struct listing_entry {
	enum listing_type type;
	unsigned int mode;
	uint64_t size;
	uint32_t crc;
	struct timespec mtime;
	const char *path;
	const char *target; /* LISTING_HARD */
};

#define LISTING_BUFFER (64U << 10)

struct listing_writer {
	int fd; /* not owned */
	size_t len;
	char *buf;
};

/** listing_begin - start a list in the empty file @fd; -errno */
int listing_begin(struct arena *a, int fd, struct listing_writer *w);
int listing_add(struct listing_writer *w, const struct listing_entry *e);
int listing_flush(struct listing_writer *w);
/** listing_end - flush and fill in the header */
int listing_end(struct listing_writer *w, const struct listing_header *h);

struct listing_reader {
	int fd; /* not owned; its position does not move */
	off_t pos;
	size_t at, len;
	char *buf;
	bool eof;
};

/**
 * listing_open - read the header of a finished list
 * Return: 0; -EBADMSG: no list, or not finished; -errno
 */
int listing_open(struct arena *a, int fd, struct listing_reader *r, struct listing_header *ret);

/** listing_rewind - read the records of a list that may still be written */
void listing_rewind(struct arena *a, int fd, struct listing_reader *r);

/** listing_next - 1 with the strings valid until the next call, 0 at the end, -EBADMSG */
int listing_next(struct listing_reader *r, struct listing_entry *ret);

#endif

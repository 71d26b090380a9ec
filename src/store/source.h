/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - what the user named: a file, a layout directory, a root file system directory; and
 * how an unchanged one is recognised.
 */
#ifndef STORE_SOURCE_H
#define STORE_SOURCE_H

#include <stdbool.h>
#include <sys/stat.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>
#include <gpurun/image.h>

enum source_kind { SOURCE_NONE, SOURCE_FILE, SOURCE_LAYOUT, SOURCE_ROOT };

/**
 * struct source
 * @st: of the file; of a layout, of its index.json
 */
struct source {
	enum source_kind kind;
	const char *path; /* absolute */
	struct stat st;
};

#define SOURCE_KEY_MAX 200

/** source_look - what is at the path of @ref; SOURCE_NONE when nothing is, no error */
int source_look(struct arena *a, const struct image_ref *ref, struct source *ret, struct err *e);

/** source_open - O_RDONLY; @s->st is taken anew from what was opened */
int source_open(struct source *s, struct err *e);

/** source_changed - is the open source another one than @s->st says? */
bool source_changed(const struct source *s, int fd);

/**
 * source_key - a name for the file as it is now, with what was wanted from it
 *
 * Device, inode, size, mtime and ctime: nobody but root can change a file and keep its ctime.
 * Two changes within one tick of the kernel's clock have the same ctime, so a file is read only
 * when its ctime is older than that (source_settle); what is read is then all there was.
 */
void source_key(const struct source *s, const struct image_ref *ref, const char *arch, bool flat,
		char ret[SOURCE_KEY_MAX]);

/** source_settle - wait until the ctime of @s is SOURCE_SETTLE_MS old; false: it will not be */
bool source_settle(const struct source *s);
#define SOURCE_SETTLE_MS 50

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - the directory that a layer is unpacked into.
 *
 * Paths of the archive are looked up here and nowhere else.  A path is opened by openat2 below
 * the root without any link; where there is a link on the way, it is walked component by
 * component, links resolved inside the root, so that the real path is known.  Everything else
 * is done with one component in a directory that is held open.
 */
#ifndef STORE_TREE_H
#define STORE_TREE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/arena.h>

#include "listing.h"
#include "seen.h"

#define TREE_OPAQUE "user.overlay.opaque"

/** struct dir - an open directory and its real path below the root ("" is the root) */
struct dir {
	int fd;
	char path[PATH_MAX];
};

static inline void dir_closep(struct dir *d)
{
	if (d->fd >= 0)
		(void)close(d->fd);
}
#define _cleanup_dir_ __attribute__((cleanup(dir_closep)))

/**
 * struct tree
 * @root, @trash: O_RDONLY directories on one file system, not owned; what must go although it
 *	    is not empty is moved to @trash
 * @overlay: a layer of its own: deletions are kept as overlayfs wants them.  Otherwise the
 *	    tree holds the layers so far, and deletions are done
 * @above:  !overlay: there are layers below the present one, and seen is in use: category
 *	    'c' holds what this layer made and all directories above that, category 'o' the
 *	    directories from which everything else was removed already
 * @flags:  LAYER_*
 * @copies: of files, in UNPACK_COPY_UNIT
 * @steps:  components looked up one by one, see TREE_STEPS_FREE
 * @modes_stick: what is made with a mode has that mode.  Not so where the umask, a set-group-id
 *	    bit or an access list that is inherited meddles
 */
struct tree {
	int root, trash;
	bool overlay, above;
	bool opaque_used, whiteout_used, modes_stick;
	uint32_t flags;
	uint64_t entries, bytes, copies, n_trash, steps;
	struct listing_writer list;
	struct seen seen;
	struct dir parent;    /* the last directory that tree_parent() gave out ... */
	char asked[PATH_MAX]; /* ... and the path that led there, as long as it does: */
	bool cached;
};

/** tree_begin - @list_fd: the empty file "list" */
int tree_begin(struct tree *t, struct arena *a, int root, int trash, int list_fd, bool overlay);
/** tree_layer - another layer comes on top of what is there (!overlay) */
void tree_layer(struct tree *t);
/** tree_end - whiteouts and times of directories put right, the list ended; @a: scratch */
int tree_end(struct tree *t, struct arena *a);
/** tree_close - after success and failure alike */
void tree_close(struct tree *t);

/**
 * tree_dir - look up a directory; @create: make what is missing, replace what is none
 * Return: 0; -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, ...
 */
int tree_dir(struct tree *t, const char *path, bool create, struct dir *ret);
/** tree_parent - the directory in which @path's last component is, from the cache if possible */
int tree_parent(struct tree *t, const char *path, bool create, const struct dir **ret);

/** tree_path - the real path of @name in @d */
int tree_path(const struct dir *d, const char *name, char ret[PATH_MAX]);
/** tree_open - something by one component, never a link; flags as for open(2) */
int tree_open(const struct dir *d, const char *name, int flags, mode_t mode);

/** tree_remove - remove @name from @d, whatever it is; 0 or -errno, -ENOENT too */
int tree_remove(struct tree *t, const struct dir *d, const char *name);
/** tree_record - count and list what was made, remember it as this layer's */
int tree_record(struct tree *t, const struct listing_entry *e);

/** tree_is_whiteout - character device 0:0 */
static inline bool tree_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/** tree_whiteout - hide @path of the layers below; tree_opaque - all that they have in @path */
int tree_whiteout(struct tree *t, const char *path);
int tree_opaque(struct tree *t, const char *path);
/** tree_set_opaque - mark a directory of this layer (overlay) */
int tree_set_opaque(struct tree *t, int fd, const char *path);

#endif

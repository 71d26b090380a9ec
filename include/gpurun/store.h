/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - unpacked images on disk, content addressed, shared by all runs of one user.
 *
 *	STORE/v1/layers/HEX/{fs/,list}   one layer by diff_id (overlay form)
 *	STORE/v1/trees/HEX/{fs/,list}    a flattened image by image id (works everywhere)
 *	STORE/v1/images/HEX              the image's record (NUL-separated text, see record.c);
 *	STORE/v1/images/HEX.flat         the same, where the flattened form was asked for
 *	STORE/v1/names/NAME -> ../images/HEX
 *	STORE/v1/files/KEY -> ../images/HEX    a file recognised by dev, inode, size, mtime, ctime
 *	STORE/v1/{lock,tmp,trash,keep,scratch}/
 *	STORE/v1/probe                   what this file system can do (per st_dev and kernel)
 *
 * A layer or tree is complete when it is there: it is built in tmp/ and published by rename.
 * Whoever runs an image holds a shared lock on its record; rm and prune want it exclusive.
 */
#ifndef GPURUN_STORE_H
#define GPURUN_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>
#include <gpurun/image.h>

struct store;

/**
 * store_open - find or make the store
 * @dir: --store (or GPURUN_STORE), NULL: the first node-local of $XDG_DATA_HOME/gpurun
 *	 (default ~/.local/share/gpurun) and /var/tmp/gpurun-UID
 * @ro_list: GPURUN_STORE_RO, colon separated, or NULL
 * Errors: not ours, not 0700, a symbolic link, a network file system that was not named,
 *	   case-insensitive; each says which directory and how to name another.
 */
struct store_options {
	const char *dir, *ro_list;
	const char *xdg_data_home, *home; /* for the default */
	uid_t uid;
	const struct store_users *users; /* asked before anything goes; NULL: there are none */
};

/**
 * struct store_users - those who use something without a lock: the containers of steps, of which
 * nobody stays to hold one
 * @find: who uses the image @id, or the directory @dir (the other is NULL); NULL: nobody.  It is
 *	  asked when the lock is ours, so nobody can be on the way to use it.
 */
struct store_users {
	const char *(*find)(void *arg, const char *id, const char *dir);
	void *arg;
};
int store_open(struct arena *a, const struct store_options *o, struct store **ret, struct err *e);
void store_close(struct store *s);
const char *store_path(const struct store *s); /* the writable one */

/** store_overlay - can this store's file system be the lower of a rootless overlay? (cached probe) */
bool store_overlay(struct store *s);

/** store_overlay_in_memory - can a tmpfs be the upper directory of one? (the same probe) */
bool store_overlay_in_memory(struct store *s);

/**
 * store_ensure - the image that @ref names, unpacked and locked for use
 * Warm: one stat of the file, one read of a record.  Cold: unpacks in a forked worker, once
 * even when many start together (the others wait and show why).
 * @form_flat: want the flattened form (overlay cannot be used here)
 * @arch: wanted architecture
 * @abi: image.abi is wanted, too; a directory's, or that of a record which does not have it, costs
 *	 a look into the tree
 * @lock_fd: holds the shared lock; close-on-exec; keep it open as long as the container runs
 * Errors: ERR_TOPIC_NOT_FOUND when there is neither a file nor a name.
 */
struct store_ensure_options {
	const char *arch;
	bool form_flat;
	bool abi;
	bool quiet;        /* no progress */
	bool wait_quietly; /* another process of the same step says for whom we wait */
};
int store_ensure(struct store *s, struct arena *a, const struct image_ref *ref,
		 const struct store_ensure_options *o, struct image *ret, int *lock_fd,
		 struct err *e);

/** store_directory - the root file system at @path (absolute) as it is; no store is needed */
int store_directory(struct arena *a, const char *path, const struct store_ensure_options *o,
		    struct image *ret, struct err *e);

/* ---- what the verbs need ---------------------------------------------------------------- */

struct store_entry {
	struct image image; /* its id, name, form and size only */
	struct strv names;
	bool read_only; /* comes from GPURUN_STORE_RO */
	bool in_use;
	int64_t created; /* seconds since the epoch: when it was unpacked */
};
int store_list(struct store *s, struct arena *a, struct store_entry **ret, size_t *ret_n,
	       struct err *e);

/** store_find - the one image whose id begins with @id, in full; -ENOENT: none, or several */
int store_find(struct store *s, struct arena *a, const char *id, struct image *ret);

/** store_remove - by name or id prefix; ERR_TOPIC_BUSY while it runs, ERR_TOPIC_NOT_FOUND */
int store_remove(struct store *s, struct arena *a, const char *name, struct err *e);

/**
 * store_prune - remove what nothing refers to: half-built directories whose owner is gone,
 * layers and trees without a record, trash, stale scratch; with @all, every image not in use
 */
struct store_pruned {
	uint64_t images, layers, directories, bytes;
};
int store_prune(struct store *s, struct arena *a, bool all, struct store_pruned *ret,
		struct err *e);

/**
 * store_verify - compare every layer and tree with its list (path, type, mode, size, CRC-32)
 * @report: called once a damaged thing
 * Return: the number of damaged things, or -errno.
 */
int store_verify(struct store *s, struct arena *a,
		 void (*report)(void *arg, const char *what, const char *why), void *arg,
		 struct err *e);

enum {
	STORE_OVERLAY = 1 << 0, /* layers for an overlay, not a private copy */
	STORE_SHARE = 1 << 1,
};

/**
 * store_keep - the directory of --keep NAME, made for @image and locked for us alone
 * @flags: STORE_SHARE is for the container of a step: its ranks take turns, each until the lock is
 *	   closed; who makes the container then asks whether another one that lives has the
 *	   directory
 * @ret_dir: absolute path; below it u/ and w/ (overlay) or fs/ (private copy when !overlay)
 * Errors: ERR_TOPIC_BUSY; another image under that name.
 */
int store_keep(struct store *s, struct arena *a, const char *name, const struct image *image,
	       unsigned int flags, const char **ret_dir, int *lock_fd, struct err *e);

/**
 * store_scratch - a fresh directory for a writable layer below @dir (NULL: the store's own
 * scratch/), locked; store_scratch_remove deletes it, prune does when we were killed
 */
int store_scratch(struct store *s, struct arena *a, const char *dir, const char **ret_dir,
		  int *lock_fd, struct err *e);
int store_scratch_remove(const char *dir);

/** store_is_local_disk - is @dir on a disk of this machine: neither in memory nor on the network? */
bool store_is_local_disk(const char *dir);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_private.h - what the files of src/store/ share.
 */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include <gpurun/store.h>

#include <limits.h>
#include <sys/stat.h>

#include "record.h"
#include "remove.h"

#define STORE_VERSION "v1"

/* Directories below STORE/v1. */
#define STORE_LAYERS  "layers"
#define STORE_TREES   "trees"
#define STORE_IMAGES  "images"
#define STORE_NAMES   "names"
#define STORE_FILES   "files"
#define STORE_LOCK    "lock"
#define STORE_TMP     "tmp"
#define STORE_TRASH   "trash"
#define STORE_KEEP    "keep"
#define STORE_SCRATCH "scratch"
#define STORE_PROBE   "probe" /* a file */

/* The record of an image that was asked for in the flattened form. */
#define STORE_FLAT_SUFFIX ".flat"

/** struct place - one store on disk */
struct place {
	const char *path; /* absolute, of STORE */
	int fd;           /* STORE/v1, O_RDONLY | O_DIRECTORY */
	dev_t dev;
	bool read_only;
	const struct store_users *users;
};

/** place_user - who uses the image @id or the directory @dir without a lock, or NULL */
static inline const char *place_user(const struct place *p, const char *id, const char *dir)
{
	return p->users ? p->users->find(p->users->arg, id, dir) : NULL;
}

struct store {
	struct arena *arena;
	uid_t uid;
	struct place own;
	struct place *ro;
	size_t n_ro, cap_ro;
	int overlay; /* answer of the probe, -1: not asked yet */
	bool memory; /* the same, known with it */
};

/* ---- place.c: where stores are ---- */

int place_open(struct store *s, const struct store_options *o, struct err *e);
void place_open_read_only(struct store *s, const char *list);

/* ---- lock.c ---- */

/** lock_try - without waiting: 0, -EWOULDBLOCK, -errno; exclusive needs a descriptor to write by */
int lock_try(int fd, bool exclusive);
/** lock_take - the same, and wait: 0, -errno */
int lock_take(int fd, bool exclusive);

/**
 * lock_open - the lock file @name in STORE/v1/lock, locked
 * @what: who we are, for those who wait, or NULL
 * Return: descriptor that holds the lock, or -errno.
 */
enum lock_wait {
	LOCK_TRY,
	LOCK_WAIT,         /* and say for whom, when @what is given */
	LOCK_WAIT_QUIETLY, /* another process says it */
};
int lock_open(const struct place *p, const char *name, bool exclusive, enum lock_wait wait,
	      const char *what, struct err *e);

/* The lock of the whole store: shared while images are added, exclusive while parts go. */
#define LOCK_STORE  "store"
#define LOCK_SETTLE "settle" /* see settle.c */
#define LOCK_TRASH  "trash"  /* who empties it; others need not */

/* ---- stage.c: directories under construction ---- */

/** struct stage - a directory below tmp/ (or elsewhere) that belongs to whoever holds its lock */
struct stage {
	char name[64];
	int parent; /* not owned */
	int fd;
	int lock;
};
#define STAGE_LOCK "lock"

int stage_begin(int parent, const char *prefix, struct stage *ret);
/** stage_end - delete it and let go */
void stage_end(struct stage *st);
/** stage_leave - let go of the directory without deleting it */
void stage_leave(struct stage *st);
/**
 * stage_sweep - delete those below @parent whose owner is gone; how many
 * @p, @path: leave what somebody uses without a lock; @path is @parent's (both NULL: nobody does)
 * @n: counted; NULL: nobody waits until it is done (remove_soon)
 */
uint64_t stage_sweep(int parent, const char *prefix, const struct place *p, const char *path,
		     struct removed *n);

/* ---- images.c: records and names ---- */

/**
 * image_load - read the record @file of images/, take the shared lock (unless read-only)
 * @ret_fd: holds the lock
 * Return: 0; -ENOENT; -EBADMSG when it is damaged, -ESTALE when it was not written to its end
 * (both with @e filled); -errno
 */
int image_load(const struct place *p, struct arena *a, const char *file, struct image *ret,
	       struct record *ret_record, int *ret_fd, struct err *e);

/** image_by_name - a name, name:latest, or a unique prefix of an id: the file in images/ */
int image_by_name(const struct place *p, struct arena *a, const char *name, const char **ret,
		  struct err *e);

/** image_publish - write the record, unless there is one */
int image_publish(const struct place *p, struct arena *a, int stage_fd, const char *file,
		  const struct record *r, struct err *e);
/** image_set_name, image_set_key - point names/NAME or files/KEY to the record */
int image_set_name(const struct place *p, struct arena *a, const char *name, const char *file);
int image_set_key(const struct place *p, const char *key, const char *file);
/** link_read - the record that DIR/NAME points to; false: there is none */
bool link_read(const struct place *p, const char *dir, const char *name, char ret[NAME_MAX + 1]);

/** image_lowers - the absolute directories of a record */
void image_lowers(struct arena *a, const struct place *p, const struct record *r, struct strv *ret);

/** link_point - a symbolic link that replaces the old one atomically; before, it is LINK_NEW* */
#define LINK_NEW ".new."
int link_point(int dirfd, const char *name, const char *target);

/* ---- settle.c ---- */

/** image_unsettled - must the image be looked at, because its record is of another boot? */
bool image_unsettled(const struct place *p, const char *file, const struct record *r);

/**
 * image_settle - look at an unsettled image; under LOCK_SETTLE
 * Return: 0; -ESTALE: it is damaged, and the damaged parts are in the trash; -errno
 */
int image_settle(const struct place *p, const char *file, const struct record *r);

/**
 * stored_whole - a layer or tree that another image left in DIR/NAME: is it there, and whole?
 * Return: 1; 0: it is not, and what there was is in the trash; -errno
 */
int stored_whole(const struct place *p, const char *dir, const char *name, struct err *e);

/**
 * image_stored - is there a record @file in images/?  One that was not written to its end is
 * removed, with a warning, and was none.
 */
bool image_stored(const struct place *p, struct arena *a, const char *file);

/** boot_seconds - since the boot, whatever the clock is set to */
uint64_t boot_seconds(void);

/** boot_id - of the running kernel, or zeros where it is not told */
void boot_id(char ret[RECORD_BOOT + 1]);

/* ---- verify.c ---- */

/**
 * verify_quick - what a machine that went down did to a layer or tree: as store_verify, but without
 * the contents of files that have no holes
 */
int verify_quick(const struct place *p, const char *dir, const char *name);

/* ---- gc.c ---- */

/** image_drop - remove names, keys and record; -EWOULDBLOCK while somebody holds it */
int image_drop(const struct place *p, struct arena *a, const char *file);
/** move_to_trash - DIR/NAME, by rename; gone already is well */
int move_to_trash(const struct place *p, const char *dir, const char *name);
/** trash_sweep - see that the trash is emptied, without waiting for it */
void trash_sweep(const struct place *p);

/** name_encode, name_decode - image names as file names: '/' and others as %XX; NULL: too long */
const char *name_encode(struct arena *a, const char *name);
const char *name_decode(struct arena *a, const char *file);

#endif

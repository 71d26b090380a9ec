/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep.c - directories for what containers write: kept under a name, or for one run.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "copy.h"

#define KEEP_IMAGE "image" /* the id of the image, and the form of the directory */
#define KEEP_UPPER "u"
#define KEEP_WORK  "w"
#define KEEP_COPY  "fs"
#define KEEP_TURN  "keep." /* and the name: the lock of who is about to use the directory */

#define SCRATCH_PREFIX "gpurun-scratch."
#define KEEP_TEXT_MAX  256

/* The upper directory's mode is that of the container's root, whatever our umask is. */
static int make_overlay(int fd)
{
	if (mkdirat(fd, KEEP_UPPER, 0755) < 0 || fchmodat(fd, KEEP_UPPER, 0755, 0) < 0 ||
	    mkdirat(fd, KEEP_WORK, 0700) < 0)
		return -errno;
	return 0;
}

/* ---- --keep ----------------------------------------------------------------------------- */

/* struct keep - one directory, on its way */
struct keep {
	struct store *s;
	struct arena *a;
	const char *name, *path;
	const struct image *image;
	bool overlay;
	const char *file; /* its name in keep/ */
};

static const char *keep_text(const struct keep *k)
{
	const char *id = *k->image->id ? k->image->id : k->image->lowers.v[0];

	return arena_printf(k->a, "%s %s\n", k->overlay ? "overlay" : "copy", id);
}

static int copy_image(const struct keep *k, int fd, struct err *e)
{
	_cleanup_fd_ int from =
		open(k->image->lowers.v[0], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_fd_ int to = -1;

	if (k->image->lowers.n != 1)
		return err_set(e, EINVAL, "--keep %s: an image in layers cannot be copied",
			       k->name);
	if (from < 0)
		return err_sys(e, errno, "--keep %s: %s", k->name, k->image->lowers.v[0]);
	if (mkdirat(fd, KEEP_COPY, 0755) == 0)
		to = openat(fd, KEEP_COPY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return err_sys(e, errno, "--keep %s", k->name);
	return copy_tree(from, to, arena_printf(k->a, "--keep %s", k->name), e);
}

static int keep_fill(const struct keep *k, int fd, struct err *e)
{
	const char *text = keep_text(k);
	_cleanup_fd_ int file = -1;
	int r;

	if (k->overlay) {
		r = make_overlay(fd);
	} else {
		r = copy_image(k, fd, e);
		if (r < 0)
			return r;
	}
	file = openat(fd, KEEP_IMAGE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (r == 0)
		r = file < 0 ? -errno : fd_write_all(file, text, strlen(text));
	/* nobody can unpack it again, unlike an image; once for each name */
	if (r == 0 && fsync(file) < 0 && errno != EINVAL && errno != EROFS)
		r = -errno;
	return r < 0 ? err_sys(e, -r, "--keep %s", k->name) : 0;
}

/* Build it in tmp/, locked, and give it its name; somebody else may be faster. */
static int keep_make(const struct keep *k, struct err *e)
{
	const struct place *p = &k->s->own;
	_cleanup_fd_ int tmp =
		openat(p->fd, STORE_TMP, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stage st = { .fd = -1, .lock = -1 };
	int r = tmp < 0 ? -errno : stage_begin(tmp, "", &st);

	if (r < 0)
		return err_sys(e, -r, "--keep %s", k->name);
	r = keep_fill(k, st.fd, e);
	if (r == 0 &&
	    renameat(tmp, st.name, p->fd, arena_printf(k->a, STORE_KEEP "/%s", k->file)) == 0) {
		stage_leave(&st);
		return 0;
	}
	if (r == 0 && errno != EEXIST && errno != ENOTEMPTY)
		r = err_sys(e, errno, "--keep %s", k->name);
	stage_end(&st);
	return r;
}

static int keep_check(const struct keep *k, int fd, struct err *e)
{
	const char *want = keep_text(k), *id;
	char *text;
	int r = file_read_text(fd, KEEP_IMAGE, k->a, KEEP_TEXT_MAX + PATH_MAX, &text, NULL);

	if (r < 0)
		return err_sys(e, -r, "--keep %s: its record", k->name);
	if (str_eq(text, want))
		return 0;
	id = strchr(text, ' ');
	if (id && str_eq(id, strchr(want, ' ')))
		return err_set(e, EINVAL,
			       "--keep %s: it was made %s overlay, and now is the other way",
			       k->name, k->overlay ? "without" : "with");
	err_set(e, EEXIST, "--keep %s: the name belongs to another image", k->name);
	err_hint(e, "take another name, or delete %s/" STORE_VERSION "/" STORE_KEEP "/%s",
		 k->s->own.path, k->file);
	return -EEXIST;
}

static int keep_busy(const struct keep *k, const char *who, struct err *e)
{
	err_set(e, EBUSY, "--keep %s: %s is using it", k->name, who);
	err_hint(e, "gpurun ps shows which");
	if (e)
		e->topic = ERR_TOPIC_BUSY;
	return -EBUSY;
}

static int keep_open(const struct keep *k, int *ret_lock, struct err *e)
{
	_cleanup_fd_ int fd = open(k->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_fd_ int lock = -1;
	int r;

	if (fd < 0)
		return -errno;
	lock = openat(fd, STAGE_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = lock < 0 ? -errno : lock_try(lock, true);
	if (r == -EWOULDBLOCK)
		return keep_busy(k, "another container", e);
	if (r < 0)
		return err_sys(e, -r, "--keep %s", k->name);
	r = keep_check(k, fd, e);
	if (r == 0)
		*ret_lock = fd_take(&lock);
	return r;
}

/* Open it, or make it first. */
static int keep_take(const struct keep *k, int *ret_lock, struct err *e)
{
	int r = keep_open(k, ret_lock, e);

	if (r == -ENOENT && !err_is_set(e)) {
		r = keep_make(k, e);
		if (r == 0)
			r = keep_open(k, ret_lock, e);
	}
	return r < 0 && !err_is_set(e) ? err_sys(e, -r, "--keep %s", k->name) : r;
}

/*
 * Whoever comes, a launcher that stays or a rank of a step, holds the turn while it looks who has
 * the directory.  A launcher then holds the directory's lock as long as its container runs; a rank
 * cannot, but the next one that has the turn finds it among the users of the directory.
 */
int store_keep(struct store *s, struct arena *a, const char *name, const struct image *image,
	       unsigned int flags, const char **ret_dir, int *lock_fd, struct err *e)
{
	const bool overlay = flags & STORE_OVERLAY, share = flags & STORE_SHARE;
	struct keep k = { s, a, name, NULL, image, overlay, name_encode(a, name) };
	_cleanup_fd_ int turn = -1, lock = -1;
	const char *user;
	int r;

	if (!k.file || strlen(k.file) > NAME_MAX - strlen(KEEP_TURN))
		return err_set(e, EINVAL, "--keep \"%s\": the name is empty or too long", name);
	k.path = arena_printf(a, "%s/" STORE_VERSION "/" STORE_KEEP "/%s", s->own.path, k.file);
	turn = lock_open(&s->own, arena_printf(a, KEEP_TURN "%s", k.file), true, LOCK_WAIT, NULL,
			 e);
	if (turn < 0)
		return turn;
	r = keep_take(&k, &lock, e);
	if (r < 0)
		return r;
	user = share ? NULL : place_user(&s->own, NULL, k.path);
	if (user)
		return keep_busy(&k, user, e);
	*ret_dir = k.path;
	*lock_fd = share ? fd_take(&turn) : fd_take(&lock);
	return 0;
}

/* ---- --scratch -------------------------------------------------------------------------- */

/*
 * What we make there is deleted by its name at the end, and at the next start if we were killed: in
 * a directory in which somebody else can rename things, that name could be that of anything of the
 * user's.  A group that the owner himself lets in is his decision.
 */
static int scratch_parent_check(int fd, const char *dir, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "--scratch %s", dir);
	if (st.st_mode & S_ISVTX || !(st.st_mode & (S_IWGRP | S_IWOTH)) ||
	    (!(st.st_mode & S_IWOTH) && st.st_uid == geteuid()))
		return 0;
	err_set(e, EPERM, "--scratch %s: others may rename what is in it", dir);
	err_hint(e, "a directory of your own: mkdir -m 700 %s/NAME", dir);
	return -EPERM;
}

int store_scratch(struct store *s, struct arena *a, const char *dir, const char **ret_dir,
		  int *lock_fd, struct err *e)
{
	const char *parent =
		dir ? dir : arena_printf(a, "%s/" STORE_VERSION "/" STORE_SCRATCH, s->own.path);
	_cleanup_fd_ int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stage st;
	int r;

	if (fd < 0)
		return err_sys(e, errno, "%s%s", dir ? "--scratch " : "", parent);
	r = dir ? scratch_parent_check(fd, dir, e) : 0;
	if (r < 0)
		return r;
	(void)stage_sweep(fd, SCRATCH_PREFIX, &s->own, parent, NULL);
	r = stage_begin(fd, SCRATCH_PREFIX, &st);
	if (r == 0) {
		r = make_overlay(st.fd);
		if (r < 0)
			stage_end(&st);
	}
	if (r < 0)
		return err_sys(e, -r, "%s%s", dir ? "--scratch " : "", parent);
	*ret_dir = arena_printf(a, "%s/%s", parent, st.name);
	(void)fd_close(st.fd);
	*lock_fd = st.lock;
	return 0;
}

int store_scratch_remove(const char *dir)
{
	return remove_tree(AT_FDCWD, dir, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage.c - directories under construction.
 *
 * Each holds a file "lock" that its owner has locked; when the owner is gone, however it went,
 * the lock is free and anybody may delete the directory.  Making the directory and locking it
 * are two steps; a sweeper that comes between them gets the lock first, and the maker starts
 * again under another name.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#define STAGE_TRIES 16

/* Take the lock file of the directory @fd; -EWOULDBLOCK: somebody else has it. */
static int stage_lock(int fd)
{
	_cleanup_fd_ int lock =
		openat(fd, STAGE_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;
	int r;

	if (lock < 0)
		return -errno;
	r = lock_try(lock, true);
	if (r == 0 && (fstat(lock, &st) < 0 || st.st_nlink == 0))
		r = -EWOULDBLOCK;
	return r < 0 ? r : fd_take(&lock);
}

static int stage_try(int parent, const char *name)
{
	_cleanup_fd_ int fd = -1;
	int lock;

	if (mkdirat(parent, name, 0700) < 0)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	lock = stage_lock(fd);
	return lock;
}

int stage_begin(int parent, const char *prefix, struct stage *ret)
{
	for (int i = 0; i < STAGE_TRIES; i++) {
		struct stage st = { .parent = parent };
		uint64_t serial = 0;

		if (getrandom(&serial, sizeof(serial), GRND_NONBLOCK) < 0)
			serial = (uint64_t)i;
		(void)snprintf(st.name, sizeof(st.name), "%s%d.%016llx", prefix, (int)getpid(),
			       (unsigned long long)serial);
		st.lock = stage_try(parent, st.name);
		if (st.lock == -EEXIST || st.lock == -ENOENT || st.lock == -EWOULDBLOCK)
			continue;
		if (st.lock < 0)
			return st.lock;
		st.fd = openat(parent, st.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (st.fd < 0) {
			int r = -errno;

			(void)fd_close(st.lock);
			return r;
		}
		*ret = st;
		return 0;
	}
	return -EAGAIN;
}

void stage_leave(struct stage *st)
{
	st->fd = fd_close(st->fd);
	st->lock = fd_close(st->lock);
}

void stage_end(struct stage *st)
{
	if (st->lock >= 0)
		remove_soon(st->parent, st->name, st->lock);
	stage_leave(st);
}

static bool stage_used(const struct place *p, const char *path, const char *name)
{
	char full[PATH_MAX];

	(void)snprintf(full, sizeof(full), "%s/%s", path, name);
	return place_user(p, NULL, full) != NULL;
}

/* A directory whose lock is free has no owner; it is deleted while we hold the lock. */
static bool stage_sweep_one(int parent, const char *name, const struct place *p, const char *path,
			    struct removed *n)
{
	_cleanup_fd_ int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_fd_ int lock = -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid())
		return false; /* root does not tidy up for others: they may change it meanwhile */
	lock = stage_lock(fd);
	if (lock < 0 || (p && stage_used(p, path, name)))
		return false;
	if (n)
		return remove_tree(parent, name, n) == 0;
	remove_soon(parent, name, lock);
	return true;
}

uint64_t stage_sweep(int parent, const char *prefix, const struct place *p, const char *path,
		     struct removed *n)
{
	_cleanup_fd_ int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirents ents;
	const char *name;
	uint64_t swept = 0;

	if (fd < 0)
		return 0;
	dirents_begin(&ents, fd);
	while (dirents_next(&ents, &name, NULL) > 0) {
		if (str_after(name, prefix))
			swept += stage_sweep_one(parent, name, p, path, n);
	}
	return swept;
}

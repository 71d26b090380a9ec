/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settle.c - images and machines that go down.
 *
 * Nothing is synced when an image is unpacked: that would cost more than the unpacking.  The
 * kernel writes everything within a minute; if the machine goes down before that, files may be
 * empty or missing although the record is there.  So the record holds the id of the boot in
 * which it was made.  A start in the same boot that comes late enough marks it as settled; a
 * start in another boot looks at every file's type, mode and size once, and then does the same.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/log.h>
#include <gpurun/str.h>

/* The kernel's own limits are 30 s (dirty_expire_centisecs), and 10 minutes in laptop mode. */
#define SETTLE_SECONDS 900

void boot_id(char ret[RECORD_BOOT + 1])
{
	_cleanup_fd_ int fd =
		open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || fd_read_up_to(fd, ret, RECORD_BOOT) != RECORD_BOOT)
		memcpy(ret, RECORD_SETTLED, RECORD_BOOT);
	ret[RECORD_BOOT] = '\0';
}

uint64_t boot_seconds(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_MONOTONIC, &now) == 0 ? (uint64_t)now.tv_sec : 0;
}

static bool long_ago(const struct record *r)
{
	uint64_t now = boot_seconds();

	if (r->uptime > 0)
		return now >= r->uptime && now - r->uptime >= SETTLE_SECONDS;
	return (int64_t)time(NULL) - r->unpacked >= SETTLE_SECONDS;
}

/* Everybody writes the same bytes, in place: the record's lock hangs on its inode. */
static int mark_settled(const struct place *p, const char *file)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), STORE_IMAGES "/%s", file);
	fd = openat(p->fd, path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pwrite(fd, RECORD_SETTLED, RECORD_BOOT, (off_t)RECORD_BOOT_OFFSET) != RECORD_BOOT)
		return -EIO;
	return 0;
}

static const char *record_dir(const struct record *r)
{
	return r->image.form == IMAGE_FORM_LAYERS ? STORE_LAYERS : STORE_TREES;
}

/* 0; 1: it was damaged, and is out of the way of the next unpacking; -errno.  Under LOCK_SETTLE. */
static int inspect_one(const struct place *p, const char *dir, const char *name)
{
	int r = verify_quick(p, dir, name);

	if (r > 0)
		r = move_to_trash(p, dir, name);
	else
		return r;
	return r < 0 ? r : 1;
}

int stored_whole(const struct place *p, const char *dir, const char *name, struct err *e)
{
	_cleanup_fd_ int lock = -1;
	char path[PATH_MAX];
	struct stat st;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (fstatat(p->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	lock = lock_open(p, LOCK_SETTLE, true, LOCK_WAIT, NULL, e);
	if (lock < 0)
		return lock;
	r = inspect_one(p, dir, name);
	if (r < 0)
		return err_sys(e, -r, "%s/" STORE_VERSION "/%s", p->path, path);
	return r == 0;
}

static int inspect(const struct place *p, const struct record *r)
{
	int found = 0;

	for (size_t i = 0; i < r->lowers.n; i++) {
		int err = inspect_one(p, record_dir(r), r->lowers.v[i]);

		if (err < 0)
			return err;
		if (err > 0)
			found = -ESTALE;
	}
	return found;
}

bool image_unsettled(const struct place *p, const char *file, const struct record *r)
{
	char now[RECORD_BOOT + 1];

	if (str_eq(r->boot, RECORD_SETTLED))
		return false;
	boot_id(now);
	if (!str_eq(r->boot, now))
		return true;
	if (long_ago(r))
		(void)mark_settled(p, file); /* else the next start does it */
	return false;
}

int image_settle(const struct place *p, const char *file, const struct record *r)
{
	int err = image_unsettled(p, file, r) ? inspect(p, r) : 0;

	if (err == 0)
		(void)mark_settled(p, file);
	return err;
}

bool image_stored(const struct place *p, struct arena *a, const char *file)
{
	struct err e = { .code = 0 };
	struct image image;
	int fd = -1;
	int r = image_load(p, a, file, &image, NULL, &fd, &e);

	(void)fd_close(fd);
	if (r == -ESTALE && !p->read_only && image_drop(p, a, file) == 0) {
		log_warn("%s; it is removed", e.msg);
		return false;
	}
	return r != -ENOENT;
}

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

/* What is damaged goes out of the way of the next unpacking. */
static int inspect(const struct place *p, const struct record *r)
{
	int found = 0;

	for (size_t i = 0; i < r->lowers.n; i++) {
		int err = verify_quick(p, record_dir(r), r->lowers.v[i]);

		if (err > 0) {
			found = -ESTALE;
			err = move_to_trash(p, record_dir(r), r->lowers.v[i]);
		}
		if (err < 0)
			return err;
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
	if ((int64_t)time(NULL) - r->unpacked >= SETTLE_SECONDS)
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.c - locks on files below lock/ and on records, and who holds them.
 *
 * They are "open file description" locks (fcntl(2), F_OFD_SETLK): kept by whoever has the
 * descriptor, as with flock(2), but only who may write a file can lock it exclusively.  In a store
 * that a site lets others read (GPURUN_STORE_RO) a reader could otherwise stop its owner for ever.
 *
 * A lock file may be removed by prune while somebody opens it: whoever gets a lock looks
 * whether the file still has its name, and takes the new one if not.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/log.h>

#define LOCK_TEXT_MAX 512

static int lock_set(int fd, bool exclusive, int how)
{
	struct flock whole = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
	int r;

	do
		r = fcntl(fd, how, &whole);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == EACCES || errno == EAGAIN ? -EWOULDBLOCK : -errno;
	return 0;
}

int lock_try(int fd, bool exclusive)
{
	return lock_set(fd, exclusive, F_OFD_SETLK);
}

int lock_take(int fd, bool exclusive)
{
	return lock_set(fd, exclusive, F_OFD_SETLKW);
}

/* "PID WHAT" of the holder into the message; an empty file: a holder that is just starting. */
static void say_waiting(int fd)
{
	char text[LOCK_TEXT_MAX];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	char *what;

	if (n <= 0)
		return;
	text[n] = '\0';
	what = strchr(text, ' ');
	if (what) {
		*what = '\0';
		log_note("waiting for process %s, which is %s", text, what + 1);
	}
}

static void sign(int fd, const char *what)
{
	char text[LOCK_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%d %s", (int)getpid(), what);

	if (n >= (int)sizeof(text))
		n = (int)sizeof(text) - 1;
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)n, 0); /* for people only */
}

int lock_open(const struct place *p, const char *name, bool exclusive, enum lock_wait wait,
	      const char *what, struct err *e)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), STORE_LOCK "/%s", name);
	for (;;) {
		_cleanup_fd_ int fd =
			openat(p->fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat st;
		int r;

		if (fd < 0)
			return err_sys(e, errno, "%s/" STORE_VERSION "/%s", p->path, path);
		r = lock_try(fd, exclusive);
		if (r == -EWOULDBLOCK && wait != LOCK_TRY) {
			if (what && wait == LOCK_WAIT)
				say_waiting(fd);
			r = lock_take(fd, exclusive);
		}
		if (r == -EWOULDBLOCK)
			return r;
		if (r < 0 || fstat(fd, &st) < 0)
			return err_sys(e, r < 0 ? -r : errno, "%s/" STORE_VERSION "/%s", p->path,
				       path);
		if (st.st_nlink == 0)
			continue;
		if (st.st_mode & 077) /* "chmod -R go+rX" of a site's store */
			(void)fchmod(fd, 0600);
		if (what)
			sign(fd, what);
		return fd_take(&fd);
	}
}

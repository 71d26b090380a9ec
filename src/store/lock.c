/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.c - flock(2) on files below lock/, and who holds them.
 *
 * A lock file may be removed by prune while somebody opens it: whoever gets a lock looks
 * whether the file still has its name, and takes the new one if not.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/log.h>

#define LOCK_TEXT_MAX 512

int lock_try(int fd, bool exclusive)
{
	int r;

	do
		r = flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
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

static int lock_wait(int fd, bool exclusive, bool speak)
{
	int r;

	if (speak)
		say_waiting(fd);
	do
		r = flock(fd, exclusive ? LOCK_EX : LOCK_SH);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
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
		if (r == -EWOULDBLOCK && wait != LOCK_TRY)
			r = lock_wait(fd, exclusive, what && wait == LOCK_WAIT);
		if (r == -EWOULDBLOCK)
			return r;
		if (r < 0 || fstat(fd, &st) < 0)
			return err_sys(e, r < 0 ? -r : errno, "%s/" STORE_VERSION "/%s", p->path,
				       path);
		if (st.st_nlink == 0)
			continue;
		if (what)
			sign(fd, what);
		return fd_take(&fd);
	}
}

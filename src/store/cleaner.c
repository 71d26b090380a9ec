/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cleaner.c - deletions that nobody shall wait for.
 *
 * A tree of a hundred thousand files takes a second to delete, on a busy disk or over the
 * network a minute.  A small one goes at once; for a large one a process is left behind that has
 * a session of its own, no terminal, no descriptors but what it needs, and the lowest priority.
 * It may be killed: whoever unpacks the next image finds what it left.
 */
#include "remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/sys.h>

/* What takes about as long as starting a process. */
#define AT_ONCE 500

#define CLEANER "gpurun-cleaner"

#define IOPRIO_PROCESS 1
#define IOPRIO_IDLE    (3 << 13)

enum { FD_DIR = 3, FD_LOCK, FD_FREE };

static int remove_now(int dirfd, const char *name, struct removed *n)
{
	return name ? remove_tree(dirfd, name, n) : remove_contents(dirfd, n);
}

/* Let go of everything else: locks, pipes whose readers wait for their end, the terminal. */
static int keep_descriptors(int dirfd, int lock)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int dir = fcntl(dirfd, F_DUPFD_CLOEXEC, FD_FREE);
	int held = lock >= 0 ? fcntl(lock, F_DUPFD_CLOEXEC, FD_FREE) : null;

	if (null < 0 || dir < 0 || held < 0)
		return -errno;
	if (dup3(dir, FD_DIR, O_CLOEXEC) < 0 || dup3(held, FD_LOCK, O_CLOEXEC) < 0)
		return -errno;
	for (int fd = 0; fd < FD_DIR; fd++) {
		if (dup3(null, fd, 0) < 0)
			return -errno;
	}
	return sys_close_range(FD_FREE, ~0U, 0);
}

static __attribute__((noreturn)) void become_cleaner(int dirfd, const char *name, int lock)
{
	if (keep_descriptors(dirfd, lock) < 0 || chdir("/") < 0)
		_exit(EXIT_FAILURE);
	(void)prctl(PR_SET_NAME, CLEANER);
	sys_hide_arguments(CLEANER);
	(void)setpriority(PRIO_PROCESS, 0, PRIO_MAX - 1);
	(void)syscall(SYS_ioprio_set, IOPRIO_PROCESS, 0, IOPRIO_IDLE);
	_exit(remove_now(FD_DIR, name, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Forked twice, so that it is init's to wait for.  false: no process is to be had. */
static bool start_cleaner(int dirfd, const char *name, int lock)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		(void)setsid();
		pid = fork();
		if (pid == 0)
			become_cleaner(dirfd, name, lock);
		_exit(pid < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

void remove_soon(int dirfd, const char *name, int lock)
{
	struct removed some = { .limit = AT_ONCE };

	if (remove_now(dirfd, name, &some) == -EAGAIN && !start_cleaner(dirfd, name, lock))
		(void)remove_now(dirfd, name, NULL);
}

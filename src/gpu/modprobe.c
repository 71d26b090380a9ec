/* SPDX-License-Identifier: Apache-2.0 */
/*
 * modprobe.c - the driver's own set-uid helper, run on the host while there is no container yet.
 *
 * NVML and CUDA run it for every program that misses a module or a node; in a container it is
 * not there, and set-uid would do nothing.  Its arguments and environment are constants.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <gpurun/fd.h>
#include <gpurun/sys.h>

#include "look.h"

#define MODPROBE    "/usr/bin/nvidia-modprobe"
#define MODPROBE_MS 20000 /* loading a module may initialise every GPU */

/* Is it what root has put there, and can it do what we cannot? */
static int modprobe_check(void)
{
	struct stat st;

	if (lstat(MODPROBE, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	return st.st_mode & S_ISUID ? 0 : -EPERM;
}

/* "/", no terminal, nothing of ours open, no signal blocked or ignored. */
static int modprobe_attributes(posix_spawn_file_actions_t *files, posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r = posix_spawn_file_actions_addchdir_np(files, "/");

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && r == 0; fd++)
		r = posix_spawn_file_actions_addopen(files, fd, "/dev/null", O_RDWR, 0);
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
							   POSIX_SPAWN_SETSID);
	return -r;
}

static int modprobe_start(pid_t *ret_pid)
{
	char *const argv[] = { (char[]){ MODPROBE }, (char[]){ "-c" }, (char[]){ "0" },
			       (char[]){ "-u" }, NULL };
	char *const env[] = { (char[]){ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" },
			      (char[]){ "LC_ALL=C" }, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int r;

	if (posix_spawn_file_actions_init(&files) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		(void)posix_spawn_file_actions_destroy(&files);
		return -ENOMEM;
	}
	r = modprobe_attributes(&files, &attr);
	if (r == 0)
		r = -posix_spawn(ret_pid, MODPROBE, &files, &attr, argv, env);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&files);
	return r;
}

/* The end of the program, or of our patience; as it runs as root it may outlive the kill. */
static int modprobe_wait(pid_t pid)
{
	_cleanup_fd_ int pidfd = sys_pidfd_open(pid);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int status = 0, r;

	do
		r = poll(&p, 1, MODPROBE_MS);
	while (r < 0 && errno == EINTR);
	if (r == 0) {
		(void)sys_pidfd_send_signal(pidfd, SIGKILL);
		return -ETIMEDOUT;
	}
	do
		r = waitpid(pid, &status, 0);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int modprobe_uvm(void)
{
	pid_t pid = -1;
	int r = modprobe_check();

	if (r == 0)
		r = modprobe_start(&pid);
	return r < 0 ? r : modprobe_wait(pid);
}

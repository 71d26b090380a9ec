/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor_trial.c - whether the kernel gives us namespaces is known only to who tries: a sysctl,
 * an AppArmor policy, a seccomp filter of a surrounding container and a chroot each say no in a
 * different place.  A child does what a container's first process does, in the same order, and
 * writes down how far it came.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "doctor.h"

#define TRIAL_FLAGS (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)

/* What the child needs to know; it was found out before. */
struct trial_in {
	const char *mount_point;
	unsigned int uid, gid;
};

static int write_map(const char *file, unsigned int id)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%u %u 1\n", id, id);

	return file_write(AT_FDCWD, file, text, (size_t)n);
}

static int try_ids(const struct trial_in *in)
{
	int r = file_write(AT_FDCWD, "/proc/self/setgroups", "deny", 4);

	if (r == 0)
		r = write_map("/proc/self/uid_map", in->uid);
	return r == 0 ? write_map("/proc/self/gid_map", in->gid) : r;
}

static int try_mount(const struct trial_in *in)
{
	(void)in;
	return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ? -errno : 0;
}

static int try_tmpfs(const struct trial_in *in)
{
	return mount("gpurun", in->mount_point, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0
		       ? -errno
		       : 0;
}

static int try_proc(const struct trial_in *in)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	return mount("proc", in->mount_point, "proc", flags, NULL) < 0 ? -errno : 0;
}

static void try_all(const struct trial_in *in, struct trials *t)
{
	static int (*const trials[TRIALS])(const struct trial_in *in) = {
		[TRIAL_IDS] = try_ids,
		[TRIAL_MOUNT] = try_mount,
		[TRIAL_TMPFS] = try_tmpfs,
		[TRIAL_PROC] = try_proc,
	};

	t->error[TRIAL_NAMESPACES] = 0;
	for (size_t i = TRIAL_NAMESPACES + 1; i < TRIALS; i++) {
		t->error[i] = -trials[i](in);
		if (t->error[i])
			return;
	}
}

void doctor_try(const char *mount_point, struct trials *ret)
{
	struct clone_args args = { .flags = TRIAL_FLAGS, .exit_signal = SIGCHLD };
	const struct trial_in in = {
		.mount_point = mount_point,
		.uid = geteuid(),
		.gid = getegid(),
	};
	struct trials t;
	int fds[2];
	pid_t pid;

	for (size_t i = 0; i < TRIALS; i++)
		ret->error[i] = t.error[i] = TRIAL_NOT_REACHED;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		ret->error[TRIAL_NAMESPACES] = errno;
		return;
	}
	pid = sys_clone3(&args, sizeof(args));
	if (pid == 0) {
		try_all(&in, &t);
		(void)fd_write_all(fds[1], &t, sizeof(t));
		_exit(0);
	}
	(void)fd_close(fds[1]);
	if (pid < 0)
		ret->error[TRIAL_NAMESPACES] = -pid;
	else if (fd_read_up_to(fds[0], &t, sizeof(t)) == (ssize_t)sizeof(t))
		*ret = t;
	else
		ret->error[TRIAL_NAMESPACES] = ECHILD; /* killed: by a policy, or for memory */
	(void)fd_close(fds[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

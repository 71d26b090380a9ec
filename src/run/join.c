// SPDX-License-Identifier: Apache-2.0
/*
 * join.c - run_exec: one more process in a running container.
 *
 * We enter through the payload (pid 1 is undumpable, nobody enters through it), into exactly
 * those of its namespaces that are not ours.  setns(2) gives every capability of the user
 * namespace back; the process half of the plan drops them again.  The PID namespace holds for
 * children only, so the first process stays behind as forwarder and reaper of the second.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/run.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "child.h"

static const struct {
	const char *name;
	int flag;
} namespaces[] = {
	{ "user", CLONE_NEWUSER },     { "mnt", CLONE_NEWNS },  { "pid", CLONE_NEWPID },
	{ "ipc", CLONE_NEWIPC },       { "uts", CLONE_NEWUTS }, { "net", CLONE_NEWNET },
	{ "cgroup", CLONE_NEWCGROUP },
};

/* Flags of the namespaces of @target that differ from ours. */
static int namespaces_differ(pid_t target, int *ret_flags, struct err *e)
{
	int flags = 0;

	for (size_t i = 0; i < ELEMENTS(namespaces); i++) {
		char ours[64], theirs[64];
		struct stat a, b;

		(void)snprintf(ours, sizeof(ours), "/proc/self/ns/%s", namespaces[i].name);
		(void)snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", target,
			       namespaces[i].name);
		if (stat(ours, &a) < 0)
			continue; /* a kernel without this kind */
		if (stat(theirs, &b) < 0)
			return err_sys(e, errno, "%s", theirs);
		if (a.st_ino != b.st_ino || a.st_dev != b.st_dev)
			flags |= namespaces[i].flag;
	}
	*ret_flags = flags;
	return 0;
}

/* The failure of a process that has no step to name. */
static _Noreturn void join_failed(struct child *c, int code, const char *what)
{
	struct err e = { 0 };

	err_sys(&e, code, "step join: %s", what);
	child_failed(c, &e);
}

/* The first process: enter, leave a child inside, stay as its reaper. */
static _Noreturn void join_main(struct child *c, int target, int flags)
{
	struct err e = { 0 };
	long pid;

	/* from here on we can be seen inside, with every capability and the caller's descriptors */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		join_failed(c, errno, "PR_SET_DUMPABLE");
	/* what we read back is the kernel's word, not that of a /proc inside */
	c->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->proc < 0)
		join_failed(c, errno, "/proc");
	if (landlock_prepare(c, &e) < 0) {
		err_wrap(&e, "step landlock");
		child_failed(c, &e);
	}
	if (setns(target, flags) < 0)
		join_failed(c, errno, "enter the container");
	if (!(flags & CLONE_NEWPID))
		child_main(c);
	if (init_prepare(c, NULL) < 0)
		join_failed(c, errno, "signalfd");
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		join_failed(c, errno, "start the process");
	if (pid == 0)
		child_main(c);
	init_main(c, (pid_t)pid);
}

/* Hold the payload: the pidfd is opened first, then the start time proves whose it is. */
static int target_open(pid_t target, uint64_t start, struct err *e)
{
	int fd = sys_pidfd_open(target);

	if (fd >= 0 && run_pid_start(target) != start) {
		(void)fd_close(fd);
		fd = -ESRCH;
	}
	return fd < 0 ? err_sys(e, -fd, "the container's process %d", target) : fd;
}

int run_exec(const struct plan *p, pid_t target, uint64_t target_start, int *ret_status,
	     struct err *e)
{
	_cleanup_fd_ int fd = target_open(target, target_start, e);
	struct launch l;
	int flags = 0;
	pid_t pid;
	int r;

	if (fd < 0)
		return fd;
	r = namespaces_differ(target, &flags, e);
	if (r < 0)
		return r;
	r = launch_prepare(&l, p, DRIVER_JOIN, e);
	if (r == 0)
		r = leaf_enter(&l.leaf, &p->container.devices, e);
	if (r == 0) {
		l.sup.reaper = (flags & CLONE_NEWPID) != 0;
		pid = launch_clone(&l, 0, e);
		if (pid == 0)
			join_main(&l.child, fd, flags);
		r = pid < 0 ? pid : launch_finish(&l, pid, ret_status, e);
	}
	launch_release(&l);
	(void)sigprocmask(SIG_SETMASK, &l.old_mask, NULL);
	return r;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * launch.c - run_plan: one clone3 into the planned namespaces, then supervise.
 *
 * The launcher never starts a thread (PR_SET_PDEATHSIG and setns act on threads) and stays
 * outside: it holds no descriptor of the container but the sockets and the terminal.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/run.h>
#include <gpurun/sys.h>

#include "child.h"

void launch_release(struct launch *l)
{
	int *fds[] = { &l->sup.sync,         &l->sup.wait,        &l->sup.pidfd,  &l->sup.signals,
		       &l->sup.relay.master, &l->sup.relay.slave, &l->child.sync, &l->child.wait };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		*fds[i] = fd_close(*fds[i]);
	leaf_end(&l->leaf);
}

static int signals_take(struct launch *l, struct err *e)
{
	sigset_t set;

	signals_ignored(&l->child.ignored);
	signals_forwarded(&l->child.ignored, &set);
	if (l->sup.plan->process.tty)
		(void)sigaddset(&set, SIGTSTP); /* our terminal is raw: restore it before a stop */
	if (sigprocmask(SIG_BLOCK, &set, &l->old_mask) < 0)
		return err_sys(e, errno, "signals");
	l->sup.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->sup.signals < 0 ? err_sys(e, errno, "signalfd") : 0;
}

static void launch_init(struct launch *l, const struct plan *p, enum driver driver)
{
	memset(l, 0, sizeof(*l));
	l->sup = (struct supervisor){ .plan = p,
				      .sync = -1,
				      .wait = -1,
				      .pidfd = -1,
				      .signals = -1,
				      .lock = -1,
				      .relay = { .master = -1, .slave = -1 } };
	l->child = child_new(p, driver);
	l->leaf = LEAF_NONE;
}

static int sockets_open(struct launch *l, struct err *e)
{
	int sync[2], wait[2];
	int r = sync_pair(sync);

	if (r < 0)
		return err_sys(e, -r, "socketpair");
	l->sup.sync = sync[0];
	l->child.sync = sync[1];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wait) < 0)
		return err_sys(e, errno, "socketpair");
	l->sup.wait = wait[0];
	l->child.wait = wait[1];
	return 0;
}

int launch_open(struct launch *l, const struct plan *p, enum driver driver, struct err *e)
{
	launch_init(l, p, driver);
	return sockets_open(l, e);
}

int launch_prepare(struct launch *l, const struct plan *p, enum driver driver, struct err *e)
{
	int r;

	launch_init(l, p, driver);
	r = signals_take(l, e);
	return r < 0 ? r : sockets_open(l, e);
}

int launch_finish(struct launch *l, pid_t pid, int *ret_status, struct err *e)
{
	l->sup.child = pid;
	/*
	 * Our copies of the child's ends stay open: that it closes them would tell us nothing, and
	 * wake us.  Only a step's lock depends on it.
	 */
	if (l->sup.lock >= 0)
		l->child.sync = fd_close(l->child.sync);
	return supervise(&l->sup, ret_status, e);
}

/* What clone3 says when user namespaces are not to be had. */
static int clone_failed(int r, struct err *e)
{
	err_sys(e, -r, "step clone: new namespaces");
	if (r == -EPERM)
		err_hint(e, "unprivileged user namespaces are switched off: as root run "
			    "sysctl -w kernel.unprivileged_userns_clone=1 (Debian), or start "
			    "outside a chroot or a sandbox that forbids them");
	else if (r == -ENOSPC || r == -EUSERS)
		err_hint(e, "the limit is reached: as root run sysctl -w "
			    "user.max_user_namespaces=15000 (32 levels may be nested)");
	else if (r == -ENOSYS)
		err_hint(e, "clone3 is missing or filtered: Linux 5.12 or newer is needed, and a "
			    "surrounding container must allow it");
	else if (r == -EINVAL)
		err_hint(e, "the kernel was built without one of the namespaces");
	return r;
}

pid_t launch_clone(struct launch *l, uint64_t namespaces, struct err *e)
{
	struct clone_args args = { .flags = namespaces | CLONE_PIDFD,
				   .pidfd = (uint64_t)(uintptr_t)&l->sup.pidfd,
				   .exit_signal = SIGCHLD };
	pid_t pid;

	if (l->leaf.fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint32_t)l->leaf.fd;
	}
	pid = sys_clone3(&args, sizeof(args));
	if (pid == 0) /* or the launcher's end would not be seen; the others go with the exec */
		l->sup.wait = fd_close(l->sup.wait);
	if (pid < 0 && l->leaf.fd >= 0) { /* may be of the cgroup: it is tried without */
		err_sys(e, -pid, "start a process in the cgroup");
		e->topic = ERR_TOPIC_DEVICES;
		if (l->leaf.parent < 0)
			leaf_hint(e);
		return pid;
	}
	return pid < 0 ? clone_failed(pid, e) : pid;
}

int launch_map(struct launch *l, pid_t pid, struct err *e)
{
	const struct plan_container *c = &l->sup.plan->container;
	const char mapped = WAIT_MAPPED;
	int r;

	if (!c->n_uid_ranges)
		return 0;
	r = ids_map_ranges(c, pid, e);
	if (r == 0 && send(l->sup.wait, &mapped, 1, MSG_NOSIGNAL) == 1)
		return 0;
	if (r == 0)
		r = err_sys(e, EPIPE, "the container's first process");
	(void)sys_pidfd_send_signal(l->sup.pidfd, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return r;
}

int run_plan(const struct plan *p, const struct run_hooks *hooks, int *ret_status, struct err *e)
{
	struct launch l;
	pid_t pid;
	int r;

	r = launch_prepare(&l, p, DRIVER_CREATE, e);
	if (r == 0) {
		l.sup.reaper = p->process.init;
		l.sup.started = hooks ? hooks->started : NULL;
		l.sup.arg = hooks ? hooks->arg : NULL;
		r = leaf_make(&l.leaf, &p->container.devices, e);
	}
	if (r == 0) {
		pid = launch_clone(&l, p->container.namespaces, e);
		if (pid == 0)
			child_main(&l.child);
		r = pid < 0 ? pid : launch_map(&l, pid, e);
		if (r == 0 && hooks && hooks->meanwhile)
			hooks->meanwhile(hooks->arg);
		if (r == 0)
			r = launch_finish(&l, pid, ret_status, e);
	}
	launch_release(&l);
	(void)sigprocmask(SIG_SETMASK, &l.old_mask, NULL);
	return r;
}

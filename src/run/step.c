// SPDX-License-Identifier: Apache-2.0
/*
 * step.c - run_step: one container for the ranks of a step.
 *
 * Whoever finds no rank to enter through has the container made (make.c); then it enters as all
 * others do, so that nothing depends on who came first: every rank is a process of its launcher,
 * in the container by setns(2), and each of them may end at any time.
 *
 * setns by pidfd moves us into all namespaces or into none, which is why a failure can still be
 * followed by another try.  The kernel asks for the right to look into the rank that we enter
 * through: nobody has it on a rank that has just entered, because that one is undumpable until it
 * executes.  The step's lock keeps us from meeting one; should it be lost, we wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/run.h>
#include <gpurun/sys.h>

#include "child.h"

#define RETRY_NS 1000000L

/* What has to be at hand before the host's /proc is out of sight. */
static int rank_prepare(struct child *c, struct err *e)
{
	c->self.pid = getpid();
	c->self.start = run_pid_start(c->self.pid);
	if (!c->self.start)
		return err_sys(e, ESRCH, "/proc/self/stat");
	c->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	c->status = openat(c->proc, "self/status", O_RDONLY | O_CLOEXEC);
	if (c->status < 0)
		return err_sys(e, errno, "/proc/self/status");
	c->spaces = open("/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return c->spaces < 0 ? err_sys(e, errno, "/proc/self/ns") : landlock_prepare(c, e);
}

/* -errno of one attempt, after which we are where we were: ESRCH when this rank has ended */
static int enter(struct child *c, const struct sys_peer *rank)
{
	_cleanup_fd_ int fd = sys_pidfd_open(rank->pid);
	uint64_t user_ns, mnt_ns;
	int r;

	/* the pidfd is there first, then what the process is proves whose it is */
	if (fd < 0) /* the number may be a thread's now */
		return fd == -EINVAL || fd == -ENOENT ? -ESRCH : fd;
	if (run_pid_start(rank->pid) != rank->start)
		return -ESRCH;
	r = peer_spaces(rank->pid, &user_ns, &mnt_ns);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r; /* a zombie has no namespaces */
	if (user_ns != rank->user_ns || mnt_ns != rank->mnt_ns)
		return -ESRCH;
	r = run_peer_in(rank->pid, c->share->container);
	if (r <= 0)
		return r == 0 || r == -ENOENT ? -ESRCH : r;
	/* inside we are seen, with every capability and the caller's descriptors */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	if (setns(fd, (int)c->plan->container.namespaces) == 0) {
		c->self.user_ns = rank->user_ns;
		c->self.mnt_ns = rank->mnt_ns;
		c->inside = true;
		return 0;
	}
	r = -errno;
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return r;
}

/* The rank may have left for other namespaces in the last moment. */
static int enter_confirm(struct child *c, struct err *e)
{
	struct stat user, mnt;

	if (fstatat(c->spaces, "user", &user, 0) < 0 || fstatat(c->spaces, "mnt", &mnt, 0) < 0)
		return err_sys(e, errno, "step join: our namespaces");
	if (user.st_ino != c->self.user_ns || mnt.st_ino != c->self.mnt_ns)
		return err_set(e, ESRCH, "step join: the container's process left it");
	return 0;
}

static bool is_busy(int r)
{
	return r == -EPERM || r == -EACCES;
}

/* 0, -ESRCH: nobody is there; -EPERM: only such that cannot be entered through now; -errno */
static int enter_any(struct child *c, const struct sys_peer **ret_tried)
{
	int result = -ESRCH;

	for (size_t i = 0; i < c->share->n_ranks; i++) {
		int r = enter(c, &c->share->ranks[i]);

		if (r == 0)
			return 0;
		if (r == -ESRCH || is_busy(result))
			continue;
		result = is_busy(r) ? -EPERM : r;
		*ret_tried = &c->share->ranks[i];
	}
	return result;
}

/* The same, with patience; 1: nobody is there */
static int enter_wait(struct child *c, struct err *e)
{
	static const struct timespec pause = { .tv_nsec = RETRY_NS };
	const struct sys_peer *tried = NULL;
	struct timespec now, end;
	int r = enter_any(c, &tried);

	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += RUN_JOIN_SECONDS;
	while (is_busy(r)) {
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec)
			break;
		(void)nanosleep(&pause, NULL);
		r = enter_any(c, &tried);
	}
	if (r == -ESRCH)
		return 1;
	if (r < 0) {
		err_sys(e, -r, "step join: the container of process %d", tried->pid);
		err_hint(e, "end that process, or start with --share none");
	}
	return r;
}

/* Have the container made, and enter it through the process that made it. */
static int make_and_enter(struct child *c, struct err *e)
{
	struct sys_peer first;
	struct launch l;
	int r = make_start(&l, c, &first, e);

	if (r >= 0 && c->share->made)
		r = c->share->made(c->share->arg, &first, e);
	if (r >= 0) {
		r = enter(c, &first);
		if (r == -ESRCH) /* a bundle's own mounts */
			err_set(e, ESRCH,
				"step join: a container that others enter needs a tmpfs of its own "
				"on /dev");
		else if (r < 0)
			err_sys(e, -r, "step join: enter the new container");
	}
	/* it has all capabilities there and the host's tree: not while anything of the image runs */
	make_end(&l);
	c->made = r >= 0;
	return r;
}

/* In this process; does not return when all goes well. */
static int rank_run(struct child *c, struct err *e)
{
	int r = rank_prepare(c, e);

	if (r == 0)
		r = enter_wait(c, e);
	if (r > 0)
		r = make_and_enter(c, e);
	if (r == 0)
		r = enter_confirm(c, e);
	c->spaces = fd_close(c->spaces);
	return r < 0 ? r : steps_perform(c, e);
}

int step_slot(struct child *c, struct err *e)
{
	const struct run_share *s = c->share;

	return s->inside ? s->inside(s->arg, &c->self, c->made, e) : 0;
}

/* Something is to be done when the command has ended: it is a child. */
static int run_supervised(const struct plan *p, const struct run_share *share, int *ret_status,
			  int *ret_signal, struct err *e)
{
	struct launch l;
	pid_t pid = 0;
	int r = launch_prepare(&l, p, DRIVER_ENTER, e);

	if (r == 0) {
		l.child.share = share;
		l.sup.lock = share->lock;
		pid = launch_clone(&l, 0, e);
		if (pid == 0) {
			if (ids_bind(&l.child, e) < 0)
				err_wrap(e, "step ids");
			else
				(void)rank_run(&l.child, e);
			child_failed(&l.child, e);
		}
		r = pid < 0 ? pid : launch_finish(&l, pid, ret_status, e);
		*ret_signal = l.sup.signal;
	}
	launch_release(&l);
	(void)sigprocmask(SIG_SETMASK, &l.old_mask, NULL);
	return r;
}

int run_step(const struct plan *p, const struct run_share *share, int *ret_status, int *ret_signal,
	     bool *ret_inside, struct err *e)
{
	struct child c = child_new(p, DRIVER_ENTER);
	int r;

	*ret_status = *ret_signal = 0;
	*ret_inside = false;
	if (!p->process.exec)
		return run_supervised(p, share, ret_status, ret_signal, e);
	c.share = share;
	r = rank_run(&c, e);
	*ret_inside = c.inside;
	c.status = fd_close(c.status);
	c.dev = fd_close(c.dev);
	c.proc = fd_close(c.proc);
	c.null_dev = fd_close(c.null_dev);
	return r;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * make.c - a container that is entered after it was made, by its maker as by everybody else.
 *
 * A child in new namespaces performs the steps that make one, says so, and stays until it has been
 * entered through.  Our own process keeps the host's paths meanwhile: a failure is reported, and
 * another plan can be tried, as if nothing had happened.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/sys.h>

#include "child.h"

/* In the child: what was made read-only is, and the rank may enter; its end of the socket is ours. */
int step_made(struct child *c, struct err *e)
{
	int r = confirm_mounts(c, e);
	char byte;

	if (r < 0)
		return r;
	r = sync_send(c->sync, SYNC_MADE, NULL, c->plan->process.landlock_dev ? c->dev : -1);
	if (r < 0)
		return err_sys(e, -r, "announce the container");
	while (recv(c->wait, &byte, 1, 0) < 0 && errno == EINTR)
		;
	run_exit(0);
}

/* Wait for the child's word: it has made the container, or failed. */
static int made_await(struct launch *l, int *ret_dev, struct err *e)
{
	struct sync_record rec;
	pid_t pid;
	int fd = -1;
	int r = sync_receive(l->sup.sync, &rec, &fd, &pid);

	if (r > 0 && rec.type == SYNC_MADE) {
		*ret_dev = fd;
		return 0;
	}
	(void)fd_close(fd);
	if (r <= 0 || rec.type != SYNC_ERROR)
		return err_set(e, ECHILD, "the container's first process ended before it was made");
	*e = rec.err;
	return rec.err.code > 0 ? -rec.err.code : -EINVAL;
}

int make_start(struct launch *l, struct child *rank, struct sys_peer *ret_first, struct err *e)
{
	const struct run_share *s = rank->share;
	pid_t pid;
	int r = launch_open(l, rank->plan, DRIVER_MAKE, e);

	if (r < 0)
		return r;
	l->child.label = s->label(s->arg);
	pid = launch_clone(l, rank->plan->container.namespaces, e);
	if (pid == 0)
		child_main(&l->child);
	if (pid < 0)
		return pid;
	l->child.sync = fd_close(l->child.sync);
	l->child.wait = fd_close(l->child.wait);
	r = launch_map(l, pid, e);
	if (r < 0)
		return r; /* which has ended it */
	l->sup.child = pid;
	r = made_await(l, &rank->dev, e);
	if (r < 0)
		return r;
	r = run_peer(pid, ret_first);
	return r < 0 ? err_sys(e, -r, "the container's first process") : 0;
}

void make_end(struct launch *l)
{
	/* it waits for this, or has failed and ends by itself */
	l->sup.wait = fd_close(l->sup.wait);
	if (l->sup.child > 0)
		while (waitpid(l->sup.child, NULL, 0) < 0 && errno == EINTR)
			;
	launch_release(l);
}

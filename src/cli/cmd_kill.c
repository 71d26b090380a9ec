/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_kill.c - "gpurun kill [-s SIGNAL] [--time SECONDS] CONTAINER".
 *
 * The signal goes to the launcher, which hands it on to the command.  SIGKILL ends the launcher
 * itself, and the kernel then ends the container; what the launcher does not hand on (SIGSTOP,
 * SIGABRT) goes to the command.  In a step there is no launcher: it goes to every rank.  With --time
 * the end is waited for, and comes after so many seconds.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <gpurun/fd.h>
#include <gpurun/image.h>
#include <gpurun/json.h>
#include <gpurun/log.h>
#include <gpurun/run.h>
#include <gpurun/sys.h>

#include "cmd.h"
#include "record.h"

#define END_WAIT_MS 10000 /* from SIGKILL to the end of the launcher */

/* What the signal is for. */
struct target {
	const struct cmd_in *in;
	struct strv dirs;
	struct state state;
	const char *label; /* of a step's container, as it begins */
};

/* -s, else the stop signal of the container's plan, else SIGTERM. */
static int choose_signal(const struct cmd_in *in, const struct state *st, int *ret, struct err *e)
{
	const struct json *plan = NULL, *stop;
	int sig;

	*ret = SIGTERM;
	if (in->ask->signal) {
		sig = image_signal_parse(in->ask->signal);
		if (sig <= 0) {
			err_set(e, EINVAL, "%s: no such signal", in->ask->signal);
			err_hint(e, "kill -l lists them");
			return -EINVAL;
		}
		*ret = sig;
		return 0;
	}
	if (json_parse(in->a, st->plan, strlen(st->plan), "plan", &plan, NULL) >= 0) {
		stop = json_get(json_get(plan, "process"), "stop_signal");
		if (stop && stop->type == JSON_INT && stop->num > 0 && stop->num <= SIGRTMAX)
			*ret = (int)stop->num;
	}
	return 0;
}

/* 1: ended, 0: still there after @ms. */
static int wait_end(int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r;

	do {
		r = poll(&p, 1, ms);
	} while (r < 0 && errno == EINTR);
	return r > 0;
}

/* ---- a container that is supervised ---------------------------------------------------------- */

/*
 * Hold the process, then look whether the container still lives: so the number cannot have
 * gone to another process in between.
 */
static int hold(const struct target *t, pid_t pid, struct err *e)
{
	const struct state *st = &t->state;
	_cleanup_fd_ int fd = sys_pidfd_open(pid);
	struct state again = { 0 };
	int r;

	if (fd < 0)
		return err_sys(e, -fd, "%s: pid %d", st->id, pid);
	r = state_find(t->in->a, &t->dirs, st->id, &again, e);
	if (r < 0)
		return r;
	if (again.payload != st->payload || run_pid_start(st->payload) != st->payload_start)
		return err_set(e, ESRCH, "%s: the command has ended", st->id);
	return fd_take(&fd);
}

static int end_after(const struct target *t, int pidfd, struct err *e)
{
	const struct state *st = &t->state;

	if (wait_end(pidfd, (int)t->in->ask->time_s * 1000))
		return 0;
	log_note("%s: still there after %d s, killed", st->id, (int)t->in->ask->time_s);
	(void)sys_pidfd_send_signal(pidfd, SIGKILL);
	if (!wait_end(pidfd, END_WAIT_MS))
		return err_set(e, ETIMEDOUT, "%s: does not end after SIGKILL (pid %d)", st->id,
			       st->launcher);
	return 0;
}

static int kill_launcher(const struct target *t, int sig, struct err *e)
{
	const struct state *st = &t->state;
	_cleanup_fd_ int launcher = hold(t, st->launcher, e), payload = -1;
	int r;

	if (launcher < 0)
		return launcher;
	if (sig != SIGKILL && !run_hands_on(sig)) {
		payload = hold(t, st->payload, e);
		if (payload < 0)
			return payload;
	}
	r = sys_pidfd_send_signal(payload >= 0 ? payload : launcher, sig);
	if (r < 0)
		return err_sys(e, -r, "%s: signal %d", st->id, sig);
	if (t->in->ask->has_time)
		return end_after(t, launcher, e);
	if (sig == SIGKILL && !wait_end(launcher, END_WAIT_MS))
		return err_set(e, ETIMEDOUT, "%s: does not end (pid %d)", st->id, st->launcher);
	return 0;
}

/* ---- the container of a step: every rank is a command, and nobody hands anything on ----------- */

/*
 * Hold a rank: the pidfd is there first, then the start time proves whose it is, and the label of
 * its container that it is none of somebody's else; -ESRCH
 */
static int hold_rank(const struct target *t, const struct sys_peer *rank)
{
	int fd = sys_pidfd_open(rank->pid), r;

	if (fd < 0)
		return fd;
	r = run_pid_start(rank->pid) == rank->start ? run_peer_in(rank->pid, t->label) : -ESRCH;
	if (r > 0)
		return fd;
	(void)fd_close(fd);
	return r == 0 || r == -ENOENT ? -ESRCH : r;
}

/* One after the other, so that it takes one descriptor however many there are. */
static int signal_ranks(const struct target *t, const struct sys_peer *v, size_t n, int sig,
			struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_fd_ int fd = hold_rank(t, &v[i]);
		int r = fd < 0 ? fd : sys_pidfd_send_signal(fd, sig);

		if (r < 0 && r != -ESRCH)
			return err_sys(e, -r, "%s: signal %d to pid %d", t->state.id, sig,
				       v[i].pid);
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The pid of one that is still there after @ms; 0: all have ended. */
static pid_t wait_ranks(const struct target *t, const struct sys_peer *v, size_t n, int ms)
{
	const int64_t end = now_ms() + ms;

	for (size_t i = 0; i < n; i++) {
		_cleanup_fd_ int fd = hold_rank(t, &v[i]);
		int64_t left = end - now_ms();

		if (fd >= 0 && !wait_end(fd, left > 0 ? (int)left : 0))
			return v[i].pid;
	}
	return 0;
}

static int kill_ranks(const struct target *t, int sig, struct err *e)
{
	const bool timed = t->in->ask->has_time;
	const int seconds = (int)t->in->ask->time_s;
	struct sys_peer *v = NULL;
	pid_t left = 0;
	size_t n = 0;
	int r = state_step_peers(t->in->a, &t->state, &v, &n, e);

	if (r >= 0)
		r = signal_ranks(t, v, n, sig, e);
	if (r < 0 || (!timed && sig != SIGKILL))
		return r;
	if (timed && wait_ranks(t, v, n, seconds * 1000)) {
		log_note("%s: still there after %d s, killed", t->state.id, seconds);
		r = signal_ranks(t, v, n, SIGKILL, e);
	}
	if (r >= 0)
		left = wait_ranks(t, v, n, END_WAIT_MS);
	return left ? err_set(e, ETIMEDOUT, "%s: does not end after SIGKILL (pid %d)", t->state.id,
			      left)
		    : r;
}

/* ------------------------------------------------------------------------------------------------ */

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	struct target t = { .in = in };
	struct state *left = NULL;
	size_t n = 0;
	int sig = 0, r = place_states(in->a, &t.dirs, e);

	(void)ret_status;
	if (r >= 0)
		r = state_find(in->a, &t.dirs, in->ask->request.args.v[0], &t.state, e);
	if (r >= 0)
		r = choose_signal(in, &t.state, &sig, e);
	t.label = r >= 0 ? record_label(in->a, t.state.key, NULL) : "";
	if (r >= 0)
		r = t.state.step[0] ? kill_ranks(&t, sig, e) : kill_launcher(&t, sig, e);
	if (r >= 0) /* removes the record of what has ended */
		(void)state_list(in->a, &t.dirs, &left, &n, NULL);
	return r;
}

const struct cmd cmd_kill = {
	.name = "kill",
	.operands = "CONTAINER",
	.summary = "send a signal to a container",
	.verb = VERB_KILL,
	.min = 1,
	.max = 1,
	.complete = COMPLETE_CONTAINER,
	.run = run,
};

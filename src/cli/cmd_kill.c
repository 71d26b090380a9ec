/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_kill.c - "gpurun kill [-s SIGNAL] [--time SECONDS] CONTAINER".
 *
 * The signal goes to the launcher, which hands it on to the command.  SIGKILL ends the launcher
 * itself, and the kernel then ends the container; what the launcher does not hand on (SIGSTOP,
 * SIGABRT) goes to the command.  With --time the end is waited for, and comes after so many seconds.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include <gpurun/fd.h>
#include <gpurun/image.h>
#include <gpurun/json.h>
#include <gpurun/log.h>
#include <gpurun/run.h>
#include <gpurun/sys.h>

#include "cmd.h"

#define END_WAIT_MS 10000 /* from SIGKILL to the end of the launcher */

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

/*
 * Hold the process, then look whether the container still lives: so the number cannot have
 * gone to another process in between.
 */
static int hold(const struct cmd_in *in, const char *dir, const struct state *st, pid_t pid,
		struct err *e)
{
	_cleanup_fd_ int fd = sys_pidfd_open(pid);
	struct state again = { 0 };
	int r;

	if (fd < 0)
		return err_sys(e, -fd, "%s: pid %d", st->id, pid);
	r = state_find(in->a, dir, st->id, &again, e);
	if (r < 0)
		return r;
	if (again.payload != st->payload || run_pid_start(st->payload) != st->payload_start)
		return err_set(e, ESRCH, "%s: the command has ended", st->id);
	return fd_take(&fd);
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

static int end_after(const struct cmd_in *in, const struct state *st, int pidfd, struct err *e)
{
	if (wait_end(pidfd, (int)in->ask->time_s * 1000))
		return 0;
	log_note("%s: still there after %d s, killed", st->id, (int)in->ask->time_s);
	(void)sys_pidfd_send_signal(pidfd, SIGKILL);
	if (!wait_end(pidfd, END_WAIT_MS))
		return err_set(e, ETIMEDOUT, "%s: does not end after SIGKILL (pid %d)", st->id,
			       st->launcher);
	return 0;
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	const char *dir = NULL, *what = in->ask->request.args.v[0];
	_cleanup_fd_ int launcher = -1, payload = -1;
	struct state st = { 0 }, *left = NULL;
	size_t n = 0;
	int sig = 0, r;

	(void)ret_status;
	r = place_state(in->a, &dir, e);
	if (r >= 0)
		r = state_find(in->a, dir, what, &st, e);
	if (r >= 0)
		r = choose_signal(in, &st, &sig, e);
	if (r < 0)
		return r;
	launcher = hold(in, dir, &st, st.launcher, e);
	if (launcher < 0)
		return launcher;
	if (sig != SIGKILL && !run_hands_on(sig)) {
		payload = hold(in, dir, &st, st.payload, e);
		if (payload < 0)
			return payload;
	}
	r = sys_pidfd_send_signal(payload >= 0 ? payload : launcher, sig);
	if (r < 0)
		return err_sys(e, -r, "%s: signal %d", st.id, sig);
	if (in->ask->has_time)
		r = end_after(in, &st, launcher, e);
	else if (sig == SIGKILL && !wait_end(launcher, END_WAIT_MS))
		return err_set(e, ETIMEDOUT, "%s: does not end (pid %d)", st.id, st.launcher);
	if (r >= 0) /* removes the record of a killed launcher */
		(void)state_list(in->a, dir, &left, &n, NULL);
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

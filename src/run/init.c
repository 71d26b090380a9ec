// SPDX-License-Identifier: Apache-2.0
/*
 * init.c - step init: the reaper, pid 1 of the container.
 *
 * It holds the wait socket and a signalfd, nothing else of ours or the caller's, stays
 * undumpable, and lives under the payload's own seccomp filter.  It forwards the signals that
 * the launcher sends down the socket, reaps, and ends with the payload's status; when the
 * launcher is gone it ends, and the kernel kills what is left of the namespace.
 *
 * Signals that arrive by kill(2) from inside are handed to the payload (a command may signal
 * pid 1).  Those from the kernel are not: the terminal sent them to the payload as well.  Those
 * from outside are not either: outside, one talks to the launcher.  The reaper of gpurun exec is
 * outside itself, so it hands on what the launcher sends and nothing else.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gpurun/sys.h>

#include "child.h"

#define RETRY_MS  100
#define INIT_NAME "gpurun-init"

/* Tell the launcher that the payload stopped or goes on, so that it can do the same. */
static void report(int wait, char what)
{
	(void)send(wait, &what, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/*
 * Reap everything that changed; ends the process when the payload has ended.
 * Return: how long the loop may sleep, in milliseconds: for ever, unless waitid(2) failed.
 */
static int reap(int wait, pid_t payload)
{
	siginfo_t si;

	for (;;) {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WSTOPPED | WCONTINUED | WNOHANG) < 0)
			return RETRY_MS;
		if (si.si_pid == 0)
			return -1;
		if (si.si_pid != payload)
			continue;
		if (si.si_code == CLD_EXITED)
			run_exit(si.si_status);
		if (si.si_code == CLD_KILLED || si.si_code == CLD_DUMPED)
			run_exit(128 + si.si_status);
		/* terminal stops reach the launcher by themselves, being in one group */
		if (si.si_code == CLD_STOPPED && si.si_status == SIGSTOP)
			report(wait, WAIT_STOPPED);
		if (si.si_code == CLD_CONTINUED)
			report(wait, WAIT_CONTINUED);
	}
}

static void take_signal(const struct child *c, pid_t payload)
{
	struct signalfd_siginfo si;

	if (read(c->signals, &si, sizeof(si)) != (ssize_t)sizeof(si) || si.ssi_signo == SIGCHLD)
		return; /* the loop reaps anyway */
	if (c->driver == DRIVER_CREATE && si.ssi_code != SI_KERNEL && si.ssi_pid != 0)
		(void)kill(payload, (int)si.ssi_signo);
}

/* One message of the launcher: a signal number.  Its end is ours. */
static void take_message(int wait, pid_t payload)
{
	unsigned char sig = 0;
	ssize_t n = recv(wait, &sig, 1, MSG_DONTWAIT);

	if (n == 1)
		(void)kill(payload, sig);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		run_exit(128 + SIGKILL);
}

/* Close all but these two: also 0 to 2, so that pipes end when the payload ends them. */
static void close_others(int a, int b)
{
	unsigned int low = (unsigned int)(a < b ? a : b), high = (unsigned int)(a < b ? b : a);

	if (low > 0)
		(void)sys_close_range(0, low - 1, 0);
	if (high > low + 1)
		(void)sys_close_range(low + 1, high - 1, 0);
	(void)sys_close_range(high + 1, ~0U, 0);
}

int init_prepare(struct child *c, struct err *e)
{
	const uint64_t all = SIGNALS_ALL;

	signals_mask(all);
	c->signals = (int)syscall(SYS_signalfd4, -1, &all, sizeof(all), SFD_CLOEXEC | SFD_NONBLOCK);
	if (c->signals < 0)
		return err_sys(e, errno, "signalfd");
	sys_hide_arguments(INIT_NAME); /* /proc/1/cmdline is readable inside */
	return 0;
}

_Noreturn void init_main(struct child *c, pid_t payload)
{
	struct pollfd p[2] = { { .fd = c->wait, .events = POLLIN },
			       { .fd = c->signals, .events = POLLIN } };

	close_others(c->wait, c->signals);
	(void)prctl(PR_SET_NAME, INIT_NAME, 0, 0, 0);
	/* SIGCHLD is blocked since before the payload was there: its end is not missed */
	for (int timeout = -1;; timeout = reap(c->wait, payload)) {
		if (poll(p, 2, timeout) <= 0)
			continue;
		if (p[1].revents)
			take_signal(c, payload);
		if (p[0].revents)
			take_message(c->wait, payload);
	}
}

/*
 * The command's process stays on our memory until it executes or ends, and we wait so long: no page
 * tables are copied only to be dropped by the exec.  A launcher that ends kills us in that wait too,
 * and one that is told to end gives the command up (supervise.c).  Our descriptors are open in that
 * wait: what keeps the command's path, "#!/proc/1/fd/...", from them is that we are undumpable.
 */
int step_init(struct child *c, struct err *e)
{
	pid_t pid;
	int r;

	if (!c->plan->process.init)
		return 0;
	r = init_prepare(c, e);
	if (r < 0)
		return r;
	pid = vfork(); /* to execute, as it is meant; NOLINT(clang-analyzer-security.insecureAPI.vfork) */
	if (pid < 0) /* a profile of the user's may have clone(2) only */
		pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		child_main(c); /* never returns; NOLINT(clang-analyzer-unix.Vfork) */
	if (pid < 0)
		return err_sys(e, errno, "start the command's process");
	init_main(c, pid);
}

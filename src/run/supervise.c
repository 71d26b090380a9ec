// SPDX-License-Identifier: Apache-2.0
/*
 * supervise.c - the launcher while the container lives: one loop over the sync socket, the wait
 * socket, a signalfd, the child's pidfd and (with -t) the terminal.
 *
 * Signals.  Everything that can be caught is taken by signalfd and handed on, once: what the
 * terminal sends (SI_KERNEL) reaches the command directly, because without -t it shares our
 * session and process group; it is forwarded only with -t, where the command has a session of
 * its own.  Before the command runs, a signal that would end us ends the container.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/sys.h>

#include "child.h"

enum { POLL_SYNC, POLL_WAIT, POLL_SIGNALS, POLL_CHILD, POLL_RELAY, POLL_COUNT = POLL_RELAY + 3 };

/* How long a stop of the payload must last to become ours: a SIGCONT may be on its way. */
#define STOP_SETTLE_MS 20

/* How long the reaper has to read a signal before it is asked what it is waiting for. */
#define HEARD_MS 20

static void forward(struct supervisor *s, int sig)
{
	unsigned char byte = (unsigned char)sig;

	if (s->reaper)
		(void)send(s->wait, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	else
		(void)sys_pidfd_send_signal(s->pidfd, sig);
}

/*
 * Is the reaper still in its vfork(2), because the command's exec waits for a file system?  It
 * reads at once what it is sent, and who is merely slow to be scheduled has a command that runs.
 */
static bool is_held_up(const struct supervisor *s)
{
	int unread = 0;

	for (int ms = 0; ms < HEARD_MS; ms++) {
		if (ioctl(s->wait, SIOCOUTQ, &unread) < 0 || unread == 0)
			return false;
		(void)poll(NULL, 0, 1);
	}
	return s->command > 0 && sys_pid_is_forked(s->command);
}

/* A signal before the command runs: nothing is worth keeping. */
static void abandon(struct supervisor *s, int sig, int *ret_status)
{
	if (sig != SIGINT && sig != SIGTERM && sig != SIGHUP && sig != SIGQUIT)
		return;
	*ret_status = 128 + sig;
	(void)sys_pidfd_send_signal(s->pidfd, SIGKILL);
}

static void stop_ourselves(struct supervisor *s)
{
	relay_suspend(&s->relay);
	(void)kill(getpid(), SIGSTOP);
	relay_resume(&s->relay);
}

static void take_signal(struct supervisor *s, int *ret_status)
{
	bool tty = s->plan->process.tty;
	struct signalfd_siginfo si;
	int sig;

	if (read(s->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	sig = (int)si.ssi_signo;
	if (!s->executed)
		abandon(s, sig, ret_status);
	else if (sig == SIGWINCH && tty)
		relay_winsize(&s->relay);
	else if (sig == SIGTSTP)
		stop_ourselves(s);
	else if (si.ssi_code != SI_KERNEL || tty)
		forward(s, sig);
	if (s->executed && s->reaper && is_held_up(s))
		abandon(s, sig, ret_status);
}

/* One record of the child; 0 goes on, 1: the socket is closed, -errno: @e is the child's. */
static int take_record(struct supervisor *s, struct err *e)
{
	struct sync_record rec;
	pid_t pid;
	int fd;
	int r = sync_receive(s->sync, &rec, &fd, &pid);

	if (r <= 0) {
		s->sync = fd_close(s->sync);
		/* the command runs, and its step may go on: not before, as nobody could enter it */
		if (s->lock >= 0)
			(void)flock(s->lock, LOCK_UN);
		return 1;
	}
	switch (rec.type) {
	case SYNC_ERROR:
		(void)fd_close(fd);
		*e = rec.err;
		s->refused = true;
		return rec.err.code > 0 ? -rec.err.code : -EINVAL;
	case SYNC_TERMINAL:
		r = relay_start(&s->relay, fd);
		return r < 0 ? err_sys(e, -r, "terminal") : 0;
	case SYNC_EXEC:
		s->executed = true; /* as good as: what may still happen is a failure, or a wait */
		s->command = pid;
		if (s->started)
			s->started(s->arg, pid, s->child);
		return 0;
	case SYNC_MADE:
		break; /* of a process that is not supervised */
	}
	(void)fd_close(fd);
	return 0;
}

/*
 * The payload stopped itself (kill -STOP $$): stop as well, so that the shell in front of us
 * notices; continue it when we are continued.
 */
static void take_stop(struct supervisor *s)
{
	struct pollfd p = { .fd = s->wait, .events = POLLIN };
	char what = 0;
	ssize_t n = recv(s->wait, &what, 1, MSG_DONTWAIT);

	if (n != 1 || what != WAIT_STOPPED)
		return;
	if (poll(&p, 1, STOP_SETTLE_MS) > 0)
		return;
	stop_ourselves(s);
	forward(s, SIGCONT);
}

/* Wait for the child's end; its status in the shell's form. */
static int take_end(struct supervisor *s, struct err *e)
{
	siginfo_t si = { 0 };

	while (waitid(P_PIDFD, (id_t)s->pidfd, &si, WEXITED) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "wait for the container");
	if (si.si_code == CLD_EXITED)
		return si.si_status;
	s->signal = si.si_status;
	return 128 + si.si_status;
}

static void poll_fill(const struct supervisor *s, struct pollfd p[POLL_COUNT])
{
	p[POLL_SYNC] = (struct pollfd){ .fd = s->sync, .events = POLLIN };
	p[POLL_WAIT] = (struct pollfd){ .fd = s->reaper ? s->wait : -1, .events = POLLIN };
	p[POLL_SIGNALS] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	p[POLL_CHILD] = (struct pollfd){ .fd = s->pidfd, .events = POLLIN };
	relay_poll_set(&s->relay, p + POLL_RELAY);
}

/* The rest of what the child said before it ended: a failure record must not be lost. */
static int drain_records(struct supervisor *s, struct err *e)
{
	int r = 0;

	while (s->sync >= 0 && r == 0) {
		struct pollfd p = { .fd = s->sync, .events = POLLIN };

		if (poll(&p, 1, 0) <= 0)
			break;
		r = take_record(s, e);
	}
	return r < 0 ? r : 0;
}

/*
 * One round of the loop: 1 when the child has ended, 0 to go on, -errno when it failed.
 * @ret_status is set when a signal ended the start.
 */
static int turn(struct supervisor *s, int *ret_status, struct err *e)
{
	struct pollfd p[POLL_COUNT];
	int r = 0;

	poll_fill(s, p);
	if (poll(p, POLL_COUNT, -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, errno, "poll");
	if (p[POLL_SYNC].revents)
		r = take_record(s, e);
	if (r < 0)
		return r;
	if (p[POLL_SIGNALS].revents)
		take_signal(s, ret_status);
	if (p[POLL_WAIT].revents)
		take_stop(s);
	relay_move(&s->relay, p + POLL_RELAY);
	return p[POLL_CHILD].revents ? 1 : 0;
}

/**
 * supervise - until the child has ended
 * @ret_status: exit status for our caller
 * Return: 0, or -errno with @e when the command was not executed.
 */
int supervise(struct supervisor *s, int *ret_status, struct err *e)
{
	int early = 0, status, r;

	do
		r = turn(s, &early, e);
	while (r == 0);
	if (r > 0)
		r = drain_records(s, e);
	else if (!s->refused) /* the failure is ours: what was started must not go on alone */
		(void)sys_pidfd_send_signal(s->pidfd, SIGKILL);
	relay_finish(&s->relay);
	status = take_end(s, err_is_set(e) ? NULL : e);
	if (r < 0)
		return r;
	if (status < 0)
		return status;
	if (early) {
		*ret_status = early;
		s->signal = early - 128;
		return 0;
	}
	if (!s->executed)
		return err_set(e, ECHILD,
			       "the container ended before the command started "
			       "(status %d)",
			       status);
	*ret_status = status;
	return 0;
}

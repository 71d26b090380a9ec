/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forked.c - the limited child that loads a driver's library.
 *
 * fork() and not clone3: the library may use all of libc, also what caches a thread's id.  What
 * the library could be led by is taken away first: environment, descriptors, directory, terminal.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "forked.h"

#define DESCRIPTORS_MAX 1024 /* NVML opens a handful a GPU */
#define REAP_MS         2000 /* how long a killed child may take to end */

enum { FD_OUT = 3, FD_FREE };

/* ---- the child -------------------------------------------------------------------------- */

/* Only the answer's pipe goes along; the library's chatter goes nowhere. */
static int child_descriptors(int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int high = fcntl(out, F_DUPFD_CLOEXEC, FD_FREE);

	if (null < 0 || high < 0)
		return -errno;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup3(null, fd, 0) < 0)
			return -errno;
	if (dup3(high, FD_OUT, O_CLOEXEC) < 0)
		return -errno;
	return sys_close_range(FD_FREE, ~0U, 0);
}

/* Never above what we have ourselves. */
static int child_limit(int resource, rlim_t soft, rlim_t hard)
{
	struct rlimit l;

	if (getrlimit((__rlimit_resource_t)resource, &l) < 0)
		return -errno;
	if (l.rlim_max > hard)
		l.rlim_max = hard;
	if (l.rlim_cur > soft)
		l.rlim_cur = soft;
	if (l.rlim_cur > l.rlim_max)
		l.rlim_cur = l.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &l) < 0 ? -errno : 0;
}

/*
 * No limit of the address space: NVML and CUDA reserve more of it than the machine has memory.
 * Processor time ends what spins even where nobody waits for it any more; at the soft limit the
 * kernel sends SIGXCPU, which says so, at the hard one SIGKILL, which may be anybody's.
 */
static int child_limits(unsigned int seconds)
{
	int r = child_limit(RLIMIT_CORE, 0, 0);

	if (r == 0)
		r = child_limit(RLIMIT_CPU, seconds, seconds + 1);
	return r < 0 ? r : child_limit(RLIMIT_NOFILE, DESCRIPTORS_MAX, DESCRIPTORS_MAX);
}

/*
 * no_new_privs: libnvidia-ml runs the setuid nvidia-modprobe when it misses a node or a module.
 * Started by root it would make nodes by itself (mknod, chmod, chown below /dev) and load modules,
 * so what is needed for that is given up; no_new_privs keeps it from coming back in a program
 * that root executes.  Nodes are the business of gpu_look().
 */
static int child_privileges(uint64_t keep)
{
	uint64_t effective, permitted, inheritable;
	int r = sys_capget(&effective, &permitted, &inheritable);

	if (r == 0)
		r = sys_capset(effective & keep, permitted & keep, 0);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	return r;
}

static void child_signals(void)
{
	const struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL); /* not for SIGKILL and SIGSTOP */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static __attribute__((noreturn)) void child_main(const struct forked *f, int out, pid_t parent)
{
	int r = child_privileges(f->caps);

	if (r < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(EXIT_GPURUN);
	/* a session of its own: no terminal, and a group to be killed together */
	if (setsid() < 0 || chdir("/") < 0 || clearenv() != 0)
		_exit(EXIT_GPURUN);
	if (child_descriptors(out) < 0 || child_limits(f->seconds) < 0)
		_exit(EXIT_GPURUN);
	child_signals();
	f->run(f->arg, FD_OUT);
	_exit(0);
}

/* ---- the launcher ----------------------------------------------------------------------- */

/* struct watch - the child, and what came from it */
struct watch {
	pid_t pid;
	int pidfd, in;
	char *answer;
	size_t n, max;
	int64_t deadline; /* ms */
};

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* For poll(): not negative, which would mean for ever. */
static int ms_until(int64_t deadline)
{
	int64_t left = deadline - now_ms();

	return left > 0 ? (int)left : 0;
}

/* All that there is to read now.  1: the end of it, 0: more may come, -EMSGSIZE: too much */
static int watch_read(struct watch *w)
{
	for (;;) {
		const bool full = w->n == w->max;
		char extra;
		ssize_t n = full ? read(w->in, &extra, 1)
				 : read(w->in, w->answer + w->n, w->max - w->n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			return 1;
		if (full)
			return -EMSGSIZE;
		w->n += (size_t)n;
	}
}

/* Until the child has ended; the pipe's end alone is not it: a library may close what it likes. */
static int watch_child(struct watch *w)
{
	bool closed = false;

	for (;;) {
		struct pollfd p[] = { { .fd = w->pidfd, .events = POLLIN },
				      { .fd = closed ? -1 : w->in, .events = POLLIN } };
		int r = poll(p, ELEMENTS(p), ms_until(w->deadline));

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0)
			continue;
		if (p[1].revents) {
			r = watch_read(w);
			if (r < 0)
				return r;
			closed = r == 1;
		}
		if (p[0].revents) {
			r = watch_read(w);
			return r < 0 ? r : 0;
		}
	}
}

/*
 * The whole group, while the child's number is still its own.  A process inside of a driver's
 * system call dies when that returns, which it may never do: then it is nobody's, and the kernel
 * hands it to process 1 when we end.
 */
static int watch_reap(struct watch *w, int *ret_status)
{
	struct pollfd p = { .fd = w->pidfd, .events = POLLIN };
	int64_t deadline = now_ms() + REAP_MS;
	int r;

	(void)kill(-w->pid, SIGKILL);
	(void)kill(w->pid, SIGKILL);
	do
		r = poll(&p, 1, ms_until(deadline));
	while (r < 0 && errno == EINTR);
	do
		r = waitpid(w->pid, ret_status, p.revents ? 0 : WNOHANG);
	while (r < 0 && errno == EINTR);
	return r == w->pid ? 0 : -ETIMEDOUT;
}

/* Nothing of ours may run in the child: signals wait until it has default actions. */
static pid_t fork_child(const struct forked *f, int out)
{
	const pid_t parent = getpid();
	sigset_t all, old;
	pid_t pid;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		child_main(f, out, parent);
	if (pid < 0)
		pid = -errno;
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

ssize_t forked_run(const struct forked *f, void *answer, size_t max, int *ret_signal)
{
	struct watch w = { .answer = answer, .max = max };
	_cleanup_fd_ int in = -1, pidfd = -1;
	int pair[2], status = 0, r;

	*ret_signal = 0;
	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	in = pair[0];
	w.in = in;
	/* only our end does not block */
	r = fcntl(pair[1], F_SETFL, 0) < 0 ? -errno : 0;
	w.pid = r < 0 ? r : fork_child(f, pair[1]);
	(void)fd_close(pair[1]);
	if (w.pid < 0)
		return w.pid;
	w.deadline = now_ms() + (int64_t)f->seconds * 1000;
	pidfd = sys_pidfd_open(w.pid);
	w.pidfd = pidfd;
	r = pidfd < 0 ? pidfd : watch_child(&w);
	if (watch_reap(&w, &status) < 0 || r < 0)
		return r < 0 ? r : -ETIMEDOUT;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return -ETIMEDOUT;
	if (WIFSIGNALED(status)) {
		*ret_signal = WTERMSIG(status);
		return -ECONNABORTED;
	}
	return WEXITSTATUS(status) == 0 ? (ssize_t)w.n : -EPROTO;
}

int forked_say(struct err *e, const char *path, const struct forked *f, ssize_t error, int sig)
{
	switch (-error) {
	case ETIMEDOUT:
		err_set(e, ETIMEDOUT, "%s: no answer within %u seconds", path, f->seconds);
		err_hint(e, "a GPU that hangs is in the kernel's log: dmesg | grep -i nvrm");
		return -ETIMEDOUT;
	case ECONNABORTED:
		return err_set(e, ECONNABORTED, "%s: the library crashed (signal %d)", path, sig);
	case EPROTO:
		return err_set(e, EPROTO, "%s: the library ended the process that asked it", path);
	case EMSGSIZE:
		return err_set(e, EMSGSIZE, "%s: the answer is too long", path);
	default:
		return err_sys(e, (int)-error, "%s: no process to ask it", path);
	}
}

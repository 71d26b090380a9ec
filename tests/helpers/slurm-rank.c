// SPDX-License-Identifier: Apache-2.0
/*
 * slurm-rank.c - what a task of a job does in the tests, in a program that needs nothing of an
 * image and starts no other:
 *
 *	signals FILE	a line with the name of each signal that comes, until SIGUSR2; "ready" in FILE
 *	wait FILE	until FILE is there
 *	peers DIR N	read the memory of N-1 other ranks that do the same, compare us with them
 *	attach PID	stop that process as a debugger does, and let it go on
 *	orphan FILE	leave a process behind that nobody waits for; its pid in FILE
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 30

static int fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return 1;
}

static int write_file(const char *path, const char *text)
{
	char new[4096];
	FILE *f;

	snprintf(new, sizeof(new), "%s.new", path);
	f = fopen(new, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) || rename(new, path))
		return fail(path);
	return 0;
}

static int wait_file(const char *path)
{
	for (int i = 0; i < SECONDS * 100; i++) {
		if (!access(path, F_OK))
			return 0;
		usleep(10000);
	}
	errno = ETIMEDOUT;
	return fail(path);
}

static int signals(const char *file)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (write_file(file, "ready\n"))
		return 1;
	alarm(SECONDS);
	do {
		if (sigwait(&set, &sig))
			return fail("sigwait");
		printf("SIG%s\n", sigabbrev_np(sig));
	} while (sig != SIGUSR2);
	return 0;
}

/* ---- ranks that look at each other ------------------------------------------------------- */

static char secret[64];

static const char *file_of(const char *dir, const char *kind, int rank)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s.%d", dir, kind, rank);
	return path;
}

static int read_peer(const char *dir, int rank)
{
	char got[sizeof(secret)] = "", want[sizeof(secret)];
	struct iovec local = { got, sizeof(got) }, remote = { .iov_len = sizeof(got) };
	int pid = 0;
	FILE *f;

	if (wait_file(file_of(dir, "peer", rank)))
		return 1;
	f = fopen(file_of(dir, "peer", rank), "r");
	if (!f || fscanf(f, "%d %p", &pid, &remote.iov_base) != 2)
		return fail("peer");
	fclose(f);
	snprintf(want, sizeof(want), "rank %d", rank);
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != sizeof(got))
		return fail("process_vm_readv");
	if (strcmp(got, want)) {
		printf("rank %d has \"%s\"\n", rank, got);
		return 1;
	}
	if (syscall(SYS_kcmp, getpid(), pid, KCMP_VM, 0, 0) <= 0)
		return fail("kcmp");
	return 0;
}

static int peers(const char *dir, int n)
{
	int self = atoi(getenv("SLURM_PROCID"));
	char line[64];
	int failed = 0;

	snprintf(secret, sizeof(secret), "rank %d", self);
	snprintf(line, sizeof(line), "%d %p\n", getpid(), (void *)secret);
	if (write_file(file_of(dir, "peer", self), line))
		return 1;
	for (int i = 0; i < n; i++)
		if (i != self)
			failed |= read_peer(dir, i);
	if (write_file(file_of(dir, "done", self), ""))
		return 1;
	for (int i = 0; i < n; i++)
		failed |= wait_file(file_of(dir, "done", i));
	puts(failed ? "failed" : "all read");
	return failed;
}

/* ---- other ------------------------------------------------------------------------------- */

static int attach(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) || ptrace(PTRACE_INTERRUPT, pid, 0, 0))
		return fail("ptrace");
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return fail("waitpid");
	if (ptrace(PTRACE_DETACH, pid, 0, 0))
		return fail("detach");
	puts("attached");
	return 0;
}

static int orphan(const char *file)
{
	char line[32];
	pid_t pid = fork();

	if (pid < 0)
		return fail("fork");
	if (pid > 0)
		return waitpid(pid, NULL, 0) == pid ? 0 : fail("waitpid");
	pid = fork();
	if (pid < 0)
		return fail("fork");
	if (pid > 0) {
		snprintf(line, sizeof(line), "%d\n", pid);
		_exit(write_file(file, line));
	}
	setsid();
	/* whoever reads our output does not wait for this one */
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	sleep(10 * SECONDS);
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "signals"))
		return signals(argv[2]);
	if (!strcmp(what, "wait"))
		return wait_file(argv[2]);
	if (!strcmp(what, "peers") && argc > 3)
		return peers(argv[2], atoi(argv[3]));
	if (!strcmp(what, "attach"))
		return attach(atoi(argv[2]));
	if (!strcmp(what, "orphan"))
		return orphan(argv[2]);
	fputs("slurm-rank: see the head of its source\n", stderr);
	return 2;
}

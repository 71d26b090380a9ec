/* SPDX-License-Identifier: Apache-2.0 */
/* The limited child: what it has, what it has not, and that it is gone. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "../../src/gpu/forked.h"
#include "tap.h"

static ssize_t run(void (*f)(const void *, int), const void *arg, char *answer, size_t max,
		   int *sig)
{
	const struct forked job = { .run = f, .arg = arg, .seconds = 20 };

	return forked_run(&job, answer, max, sig);
}

static void say(int out, const char *text)
{
	(void)fd_write_all(out, text, strlen(text));
}

/* ---- what it has ------------------------------------------------------------------------ */

/* "fd0=/dev/null" for each descriptor but the one that lists them. */
static void list_descriptors(struct arena *a, int out)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		char target[256];
		ssize_t n = readlink(arena_printf(a, "/proc/self/fd/%s", e->d_name), target,
				     sizeof(target));

		if (n < 0 || atoi(e->d_name) == dirfd(d))
			continue;
		if (n > 5 && memcmp(target, "pipe:", 5) == 0)
			n = 4;
		say(out, arena_printf(a, "fd%s=%.*s\n", e->d_name, (int)n, target));
	}
	closedir(d);
}

/* The line of /proc/self/status that begins so. */
static void say_status(struct arena *a, int out, const char *key)
{
	char *text = NULL;
	const char *line;

	(void)file_read_text(AT_FDCWD, "/proc/self/status", a, 16384, &text, NULL);
	line = text ? strstr(text, key) : NULL;
	if (line)
		say(out, arena_printf(a, "%.*s\n", (int)strcspn(line, "\n"), line));
}

static void report(const void *arg, int out)
{
	struct arena *a = arena_new(0);
	struct rlimit core, cpu;
	char cwd[64] = "?";
	sigset_t blocked;

	if (!getcwd(cwd, sizeof(cwd)))
		cwd[0] = '\0';
	(void)getrlimit(RLIMIT_CORE, &core);
	(void)getrlimit(RLIMIT_CPU, &cpu);
	(void)sigprocmask(SIG_BLOCK, NULL, &blocked);
	say(out, arena_printf(a, "cwd=%s\nenviron=%d\nsession=%d\ncore=%d\ncpu=%d/%d\n", cwd,
			      environ && environ[0], getsid(0) == getpid(), (int)core.rlim_max,
			      (int)cpu.rlim_cur, (int)cpu.rlim_max));
	say(out, arena_printf(a, "blocked=%d\nint=%d\narg=%s\n", sigismember(&blocked, SIGUSR1),
			      signal(SIGINT, SIG_DFL) == SIG_DFL, (const char *)arg));
	say_status(a, out, "NoNewPrivs:");
	say_status(a, out, "CapPrm:");
	list_descriptors(a, out);
}

static void test_report(void)
{
	char answer[4096] = "";
	sigset_t usr1, old;
	int sig, secret = fcntl(STDIN_FILENO, F_DUPFD, 200);
	ssize_t n;

	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &usr1, &old);
	(void)signal(SIGINT, SIG_IGN);
	n = run(report, "hello", answer, sizeof(answer) - 1, &sig);
	(void)signal(SIGINT, SIG_DFL);
	(void)sigprocmask(SIG_BLOCK, NULL, &usr1);
	ok(sigismember(&usr1, SIGUSR1), "the caller's signal mask is what it was");
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	fd_close(secret);
	ok(n > 0, "an answer came (%zd)", n);
	for (const char *const *w =
		     (const char *const[]){ "NoNewPrivs:\t1\n", "CapPrm:\t0000000000000000\n",
					    "cwd=/\n", "environ=0\n", "session=1\n", "core=0\n",
					    "cpu=20/21\n", "blocked=0\n", "int=1\n", "arg=hello\n",
					    "fd0=/dev/null\n", "fd1=/dev/null\n", "fd2=/dev/null\n",
					    "fd3=pipe\n", NULL };
	     *w; w++) {
		if (!ok(strstr(answer, *w), "%.*s", (int)strlen(*w) - 1, *w))
			diag("%s", answer);
	}
	ok(!strstr(answer, "fd4=") && !strstr(answer, "fd200="), "no other descriptor");
}

static void caps(const void *arg, int out)
{
	(void)arg;
	say_status(arena_new(0), out, "CapEff:");
}

static void test_caps(void)
{
	const uint64_t sys_admin = 1ULL << 21;
	const struct forked job = { .run = caps, .seconds = 20, .caps = sys_admin };
	uint64_t effective = 0, permitted, inheritable;
	char answer[256] = "", want[64];
	int sig;

	(void)sys_capget(&effective, &permitted, &inheritable);
	(void)snprintf(want, sizeof(want), "CapEff:\t%016llx\n",
		       (unsigned long long)(effective & sys_admin));
	ok(forked_run(&job, answer, sizeof(answer) - 1, &sig) > 0, "an answer came");
	is_str(answer, want, "what is named is kept where we have it, and nothing else");
}

/* ---- how it ends ------------------------------------------------------------------------ */

static void flood(const void *arg, int out)
{
	char block[1024] = "";

	for (size_t left = *(const size_t *)arg; left;) {
		size_t n = left < sizeof(block) ? left : sizeof(block);

		(void)fd_write_all(out, block, n);
		left -= n;
	}
}

static void test_amounts(void)
{
	static char answer[1U << 20];
	size_t n = 0;
	int sig;

	is_int(run(flood, &n, answer, sizeof(answer), &sig), 0, "no bytes at all");
	n = sizeof(answer);
	is_int(run(flood, &n, answer, sizeof(answer), &sig), n, "as many as there is room for");
	n++;
	is_int(run(flood, &n, answer, sizeof(answer), &sig), -EMSGSIZE, "one more");
	n = SIZE_MAX;
	is_int(run(flood, &n, answer, sizeof(answer), &sig), -EMSGSIZE, "without end");
}

static void die(const void *arg, int out)
{
	say(out, "last words");
	raise(*(const int *)arg);
}

static void leave(const void *arg, int out)
{
	(void)arg;
	(void)out;
	_exit(3);
}

static void sleep_on(const void *arg, int out)
{
	if (arg)
		(void)fd_close(out);
	for (;;)
		pause();
}

static void spin(const void *arg, int out)
{
	(void)arg;
	(void)out;
	for (volatile int i = 0;; i++)
		;
}

static void *spin_thread(void *arg)
{
	spin(arg, -1);
	return NULL;
}

/* Uses up its processor time before our patience ends, where there are processors for it. */
static void spin_twice(const void *arg, int out)
{
	pthread_t thread;

	(void)pthread_create(&thread, NULL, spin_thread, NULL);
	spin(arg, out);
}

static bool is_alive(pid_t pid)
{
	char path[64], *text = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (file_read_text(AT_FDCWD, path, arena_new(0), 4096, &text, NULL) < 0)
		return false;
	return !strstr(text, ") Z ") && !strstr(text, ") X ");
}

/* SIGKILL is not waited for by who sends it. */
static bool is_gone(pid_t pid)
{
	const struct timespec moment = { .tv_nsec = 10000000 };

	for (int i = 0; i < 500 && is_alive(pid); i++)
		(void)nanosleep(&moment, NULL);
	return !is_alive(pid);
}

static void have_children(const void *arg, int out)
{
	pid_t child = fork();

	if (child == 0) {
		for (;;)
			pause();
	}
	(void)fd_write_all(out, &child, sizeof(child));
	if (arg)
		for (;;)
			pause();
}

static void test_ends(void)
{
	struct forked job = { .run = sleep_on, .seconds = 1 };
	struct err e = { 0 };
	char answer[64];
	pid_t orphan = 0;
	int sig = 0, segv = SIGSEGV, kill9 = SIGKILL;

	is_int(run(die, &segv, answer, sizeof(answer), &sig), -ECONNABORTED, "a crash");
	is_int(sig, SIGSEGV, "and its signal");
	is_int(run(die, &kill9, answer, sizeof(answer), &sig), -ECONNABORTED, "killed by others");
	is_int(run(leave, NULL, answer, sizeof(answer), &sig), -EPROTO, "ended by itself");
	is_int(forked_run(&job, answer, sizeof(answer), &sig), -ETIMEDOUT, "a hang");
	(void)forked_say(&e, "/lib", &job, -ETIMEDOUT, 0);
	is_str(e.msg, "/lib: no answer within 1 seconds", "in words");
	job.arg = "close";
	is_int(forked_run(&job, answer, sizeof(answer), &sig), -ETIMEDOUT,
	       "a hang behind a closed pipe");
	job.run = spin;
	is_int(forked_run(&job, answer, sizeof(answer), &sig), -ETIMEDOUT, "an endless loop");
	job.run = spin_twice;
	is_int(forked_run(&job, answer, sizeof(answer), &sig), -ETIMEDOUT,
	       "two: out of processor time is no crash");
	is_int(run(have_children, NULL, answer, sizeof(answer), &sig), sizeof(pid_t),
	       "a child that leaves one behind does not hold us up");
	memcpy(&orphan, answer, sizeof(orphan));
	ok(orphan > 0 && is_gone(orphan), "and what it left is gone");
	job = (struct forked){ .run = have_children, .arg = "wait", .seconds = 1 };
	memset(answer, 0, sizeof(answer));
	is_int(forked_run(&job, answer, sizeof(answer), &sig), -ETIMEDOUT, "two that hang");
	memcpy(&orphan, answer, sizeof(orphan));
	ok(orphan > 0 && is_gone(orphan), "both are gone");
}

int main(void)
{
	int before = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), after;

	fd_close(before);
	test_report();
	test_caps();
	test_amounts();
	test_ends();
	is_int(waitpid(-1, NULL, WNOHANG), -1, "no child is left to be waited for");
	after = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	is_int(after, before, "no descriptor is left open");
	return done_testing();
}

// SPDX-License-Identifier: Apache-2.0
/*
 * spend - what a command costs with everything that it starts.
 *
 *	spend [-t SECONDS] FILE COMMAND [ARGUMENT...]
 *
 * Adds a line to FILE: exit status, then wall, user and system time in milliseconds, the largest
 * resident set of one process in KiB, and the bytes and calls of read(2) and write(2) and their kin
 * (rchar wchar syscr syscw).  Wall is until the command itself ends; the rest is of all processes:
 * orphans come to us (child subreaper), and the kernel adds what each had waited for.  What still
 * runs SECONDS (5) later is killed and counts too.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double ms(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static void none(int sig)
{
	(void)sig;
}

/* Ends every child that we have got; what their deaths bring to us is found by the next call. */
static void kill_children(void)
{
	FILE *f = fopen("/proc/thread-self/children", "re");
	int pid;

	while (f && fscanf(f, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	if (f)
		fclose(f);
}

/* Bytes and calls of all that were waited for. */
static void print_io(FILE *out)
{
	FILE *f = fopen("/proc/self/io", "re");
	char key[32];
	long long v;

	for (int i = 0; f && i < 4 && fscanf(f, "%31s %lld", key, &v) == 2; i++)
		fprintf(out, " %lld", v);
	if (f)
		fclose(f);
	fputc('\n', out);
}

int main(int argc, char **argv)
{
	unsigned int grace = 5;
	int status, result = -1;
	double start, wall = 0;
	struct rusage ru;
	FILE *out;
	pid_t pid;

	if (argc > 2 && !strcmp(argv[1], "-t")) {
		grace = (unsigned int)strtoul(argv[2], NULL, 10);
		argv += 2;
		argc -= 2;
	}
	if (argc < 3 || !(out = fopen(argv[1], "ae"))) {
		fprintf(stderr, "usage: spend [-t SECONDS] FILE COMMAND [ARGUMENT...]\n");
		return 2;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = none }, NULL);
	start = now();
	if (posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ))
		return 127;
	for (pid_t p; (p = wait(&status)) > 0 || errno == EINTR;) {
		if (p < 0) {
			kill_children();
			alarm(1);
		} else if (p == pid) {
			wall = now() - start;
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			alarm(grace);
		}
	}
	getrusage(RUSAGE_CHILDREN, &ru);
	fprintf(out, "%d %.2f %.2f %.2f %ld", result, wall, ms(ru.ru_utime), ms(ru.ru_stime),
		ru.ru_maxrss);
	print_io(out);
	return fclose(out) ? 1 : result;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step-peer - what ranks of a step do to each other, and how they end; linked statically.
 *
 *	step-peer hold             print "PID ADDRESS" of some memory, then stay
 *	step-peer read PID ADDRESS read that memory, write to it, compare two of its descriptors
 *	step-peer trace PID ADDRESS
 *	                           attach to it as a debugger does, read and write a word there
 *	step-peer open             print the numbers of the open descriptors
 *	step-peer run COMMAND...   run it; print "exit N" or "signal N"
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY (1U << 20)

static char theirs[MEMORY], ours[MEMORY];

static int hold(void)
{
	memset(theirs, 'm', sizeof(theirs));
	printf("%d %p\n", getpid(), (void *)theirs);
	fflush(stdout);
	for (;;)
		pause();
}

static void say(const char *what, long result, long want)
{
	printf("%s: %s\n", what, result == want ? "ok" : strerror(errno));
}

static int read_peer(pid_t pid, void *address)
{
	struct iovec local = { ours, sizeof(ours) }, remote = { address, sizeof(ours) };

	say("process_vm_readv", process_vm_readv(pid, &local, 1, &remote, 1, 0), MEMORY);
	say("content", ours[0] == 'm' && ours[MEMORY - 1] == 'm', 1);
	say("process_vm_writev", process_vm_writev(pid, &local, 1, &remote, 1, 0), MEMORY);
	say("kcmp", syscall(SYS_kcmp, pid, pid, KCMP_FILE, 0, 0), 0);
	return 0;
}

static int trace(pid_t pid, void *address)
{
	long word = ptrace(PTRACE_ATTACH, pid, 0, 0);
	int status;

	say("attach", word, 0);
	if (word != 0 || waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return 1;
	word = ptrace(PTRACE_PEEKDATA, pid, address, 0);
	say("peek", (word & 0xff) == 'm', 1);
	say("poke", ptrace(PTRACE_POKEDATA, pid, address, word), 0);
	say("detach", ptrace(PTRACE_DETACH, pid, 0, 0), 0);
	return 0;
}

static int list_open(void)
{
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("%d ", fd);
	printf("\n");
	return 0;
}

static int run(char **argv)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status))
		printf("exit %d\n", WEXITSTATUS(status));
	else
		printf("signal %d\n", WTERMSIG(status));
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (!strcmp(mode, "hold"))
		return hold();
	if (!strcmp(mode, "read") && argc == 4)
		return read_peer((pid_t)strtol(argv[2], NULL, 10),
				 (void *)strtoul(argv[3], NULL, 16));
	if (!strcmp(mode, "trace") && argc == 4)
		return trace((pid_t)strtol(argv[2], NULL, 10), (void *)strtoul(argv[3], NULL, 16));
	if (!strcmp(mode, "open"))
		return list_open();
	if (!strcmp(mode, "run") && argc > 2)
		return run(argv + 2);
	return 2;
}

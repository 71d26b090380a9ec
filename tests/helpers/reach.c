/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reach - what a command gets at, by real calls; a static program for any image.
 *
 *	reach process PID	names of what can be had of that process: nothing is what we want to see
 *	reach calls		answers of the kernel, or of a filter before it: "NAME ERROR" a line
 *	reach terminal		who takes the terminal of standard input: "0 ERROR", by force "1 ERROR"
 *
 * The arguments of the calls are such that the kernel itself refuses them in another way than a
 * filter does, and does nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

static const char *answer(long r)
{
	return r >= 0 ? "ok" : strerrorname_np(errno);
}

/* ---- a process -------------------------------------------------------------------------------- */

static void got(long r, const char *name)
{
	if (r >= 0)
		puts(name);
}

static void reach_file(pid_t pid, const char *name)
{
	char path[64], page[4096];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	/* some open for everybody, and are empty then; memory is not there at address 0 */
	if (fd >= 0 && (strcmp(name, "mem") == 0 || read(fd, page, 1) > 0 || errno == EISDIR))
		puts(name);
	got(readlink(path, page, sizeof(page)), name);
	close(fd);
}

static int reach_process(char **v)
{
	static const char *const files[] = {
		"mem",     "environ", "maps",    "auxv",  "io",      "root",   "exe",   "root/etc",
		"cwd/etc", "cwd",     "syscall", "stack", "pagemap", "ns/mnt", "ns/pid"
	};
	static char byte;
	const pid_t pid = atoi(v[0]);
	const struct iovec here = { &byte, 1 }, zero = { NULL, 1 };
	const int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	char name[16];

	for (size_t i = 0; i < ELEMENTS(files); i++)
		reach_file(pid, files[i]);
	for (int fd = 0; fd < 16; fd++) {
		snprintf(name, sizeof(name), "fd/%d", fd);
		reach_file(pid, name);
		snprintf(name, sizeof(name), "fdinfo/%d", fd);
		reach_file(pid, name);
		got(syscall(SYS_pidfd_getfd, pidfd, fd, 0), "pidfd_getfd");
	}
	got(syscall(SYS_kcmp, getpid(), pid, 1 /* KCMP_VM */, 0, 0), "kcmp");
	/* EFAULT says that it was allowed to look */
	if (process_vm_readv(pid, &here, 1, &zero, 1, 0) >= 0 || errno == EFAULT)
		puts("process_vm_readv");
	if (process_vm_writev(pid, &here, 1, &zero, 1, 0) >= 0 || errno == EFAULT)
		puts("process_vm_writev");
	got(ptrace(PTRACE_SEIZE, pid, NULL, NULL), "ptrace");
	return 0;
}

/* ---- calls ------------------------------------------------------------------------------------- */

#ifdef __x86_64__
static long call_i386(long nr)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(-1L), "c"(0L), "d"(0L), "S"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	errno = r < 0 ? (int)-r : 0;
	return r < 0 ? -1 : r;
}

static void calls_foreign(void)
{
	/* getpid, ptrace, mount, socketcall, clone (no such flags), unshare, openat, bpf */
	static const int i386[] = { 20, 26, 21, 102, 310, 295, 357 };
	/* getpid, openat, ptrace of x32, and its own numbers */
	static const unsigned int x32[] = { 39, 257, 521, 512, 547 };

	for (size_t i = 0; i < ELEMENTS(i386); i++)
		printf("i386 %s\n", answer(call_i386(i386[i])));
	for (size_t i = 0; i < ELEMENTS(x32); i++) {
		printf("x32 %s\n", answer(syscall(0x40000000U | x32[i], -1, 0, 0)));
		printf("x32 %s\n", answer(syscall(512 + (long)i, -1, 0, 0)));
	}
}
#else
static void calls_foreign(void)
{
}
#endif

static const struct call {
	const char *name;
	long nr;
	unsigned long arg[5];
} calls[] = {
	{ "clone3", SYS_clone3, { 0, 0 } },
	/* SIGHAND without VM is EINVAL, whatever else is asked for */
	{ "clone", SYS_clone, { CLONE_SIGHAND | CLONE_NEWUSER } },
	{ "clone", SYS_clone, { CLONE_SIGHAND | CLONE_NEWNS } },
	{ "clone", SYS_clone, { CLONE_SIGHAND | CLONE_NEWPID } },
	{ "clone", SYS_clone, { CLONE_SIGHAND | CLONE_NEWNET } },
	{ "clone", SYS_clone, { CLONE_SIGHAND | CLONE_NEWIPC } },
	{ "clone", SYS_clone, { CLONE_SIGHAND | CLONE_NEWUTS } },
	{ "clone", SYS_clone, { CLONE_SIGHAND | CLONE_NEWCGROUP } },
	{ "clone", SYS_clone, { CLONE_SIGHAND | CLONE_NEWUSER | 1UL << 40 } },
	{ "fork", SYS_clone, { CLONE_SIGHAND } },
	/* as are flags that are none */
	{ "unshare", SYS_unshare, { CLONE_NEWUSER | 1 } },
	{ "unshare", SYS_unshare, { CLONE_NEWNS | 1 } },
	{ "unshare", SYS_unshare, { CLONE_NEWTIME | 1 } },
	{ "unshare", SYS_unshare, { CLONE_NEWCGROUP | 1 | 1UL << 40 } },
	{ "mount", SYS_mount, { 0, 0, 0, 0, 0 } },
	{ "mount", SYS_umount2, { 0, ~0U } },
	{ "mount", SYS_pivot_root, { 0, 0 } },
	{ "mount", SYS_fsopen, { 0, ~0U } },
	{ "mount", SYS_fsconfig, { ~0U, ~0U, 0, 0, 0 } },
	{ "mount", SYS_fsmount, { ~0U, ~0U, 0 } },
	{ "mount", SYS_fspick, { ~0U, 0, ~0U } },
	{ "mount", SYS_open_tree, { ~0U, 0, ~0U } },
	{ "mount", SYS_move_mount, { ~0U, 0, ~0U, 0, ~0U } },
	{ "mount", SYS_mount_setattr, { ~0U, 0, ~0U, 0, 0 } },
	{ "mount", SYS_setns, { ~0U, 0 } },
	{ "mount", SYS_chroot, { 0 } },
	{ "never", SYS_bpf, { ~0U, 0, 0 } },
	{ "never", SYS_io_uring_setup, { 0, 0 } },
	{ "never", SYS_keyctl, { ~0U } },
	{ "never", SYS_open_by_handle_at, { ~0U, 0, 0 } },
	{ "never", SYS_userfaultfd, { ~0U } },
	{ "unknown", 471 + 64, { 0 } },
	{ "unknown", 1023, { 0 } },
	{ "unknown", 0x3fffffff, { 0 } },
	{ "unknown", -1, { 0 } },
	{ "unknown", 0x7fffffff, { 0 } },
};

static int reach_calls(char **v)
{
	(void)v;
	/* where that is allowed, what comes next is the kernel's answer to somebody who may mount */
	(void)unshare(CLONE_NEWUSER | CLONE_NEWNS);
	for (size_t i = 0; i < ELEMENTS(calls); i++) {
		const unsigned long *a = calls[i].arg;

		printf("%s %s\n", calls[i].name,
		       answer(syscall(calls[i].nr, a[0], a[1], a[2], a[3], a[4])));
	}
	calls_foreign();
	return 0;
}

/* ---- a terminal -------------------------------------------------------------------------------- */

static int reach_terminal(char **v)
{
	(void)v;
	for (long force = 0; force < 2; force++) {
		if (fork() == 0) {
			setsid();
			printf("%ld %s\n", force, answer(ioctl(0, TIOCSCTTY, force)));
			return 0;
		}
		while (wait(NULL) < 0 && errno == EINTR)
			;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int words;
		int (*way)(char **v);
	} ways[] = {
		{ "process", 1, reach_process },
		{ "calls", 0, reach_calls },
		{ "terminal", 0, reach_terminal },
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < ELEMENTS(ways); i++)
		if (argc == 2 + ways[i].words && strcmp(argv[1], ways[i].name) == 0)
			return ways[i].way(argv + 2);
	fputs("reach: see the source\n", stderr);
	return 2;
}

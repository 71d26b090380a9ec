/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault - run a command and let one chosen system call of it fail, or be its last.
 *
 *	fault -l FILE COMMAND...                  write the calls of a run to FILE
 *	fault -i CALL -e ERRNO [-o FILE] COMMAND...   let CALL fail; "hit ..." goes to FILE;
 *						      0: it succeeds, but is not done
 *	fault -n FILE COMMAND...                  write how many calls each role makes to FILE
 *	fault -k ROLE:N [-o FILE] COMMAND...      SIGKILL in front of the N-th call of that role
 *
 * A CALL is ROLE:NAME:N, the N-th call of that name by the process of that role.  Roles count
 * the processes in the order of their birth: 0 is the command itself.  strace can inject
 * errors, too, but it counts for each process and has no way to spare one of them: a call that
 * the launcher makes as often as the child would always fail in the launcher first.
 *
 * Listed are the calls that change something (table below), not those that only look; -n and -k
 * count all of them.  A process is left alone after its execve, except for the command's own first
 * one: what the payload does is no concern of ours.  Exit status: the command's, 128+n by signal n.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROLES_MAX 32

/* How a call is told from one that only looks. */
enum filter {
	ALWAYS,
	OPEN_FLAGS_2,  /* flags in the third argument: only those that write or make */
	OPEN_HOW,      /* openat2 of the command itself: the same, flags in memory */
	NOT_STDIO,     /* first argument is a descriptor: not 0, 1, 2 */
	NOT_NAME,      /* prctl: not the name of the process, which is for people */
	LOCK_COMMANDS, /* fcntl: only locks */
	HAS_LIMIT,     /* prlimit64: only with a new limit */
};

#define CALL(name, filter)                                                                         \
	{                                                                                          \
		__NR_##name, #name, filter                                                         \
	}

static const struct call {
	long nr;
	const char *name;
	enum filter filter;
} calls[] = {
	CALL(mount, ALWAYS),
	CALL(umount2, ALWAYS),
	CALL(fsopen, ALWAYS),
	CALL(fsconfig, ALWAYS),
	CALL(fsmount, ALWAYS),
	CALL(move_mount, ALWAYS),
	CALL(open_tree, ALWAYS),
	CALL(mount_setattr, ALWAYS),
	CALL(pivot_root, ALWAYS),
	CALL(chroot, ALWAYS),
	CALL(openat, OPEN_FLAGS_2),
	CALL(openat2, OPEN_HOW),
	CALL(mkdirat, ALWAYS),
	CALL(mknodat, ALWAYS),
	CALL(symlinkat, ALWAYS),
	CALL(linkat, ALWAYS),
	CALL(renameat2, ALWAYS),
	CALL(unlinkat, ALWAYS),
	CALL(fchmod, ALWAYS),
	CALL(fchmodat, ALWAYS),
	CALL(fchown, ALWAYS),
	CALL(fchownat, ALWAYS),
	CALL(ftruncate, ALWAYS),
	CALL(write, NOT_STDIO),
	CALL(pwrite64, NOT_STDIO),
	CALL(sendmsg, ALWAYS),
	CALL(sendto, ALWAYS),
	CALL(recvmsg, ALWAYS),
	CALL(flock, ALWAYS),
	CALL(fcntl, LOCK_COMMANDS),
	CALL(fsetxattr, ALWAYS),
	CALL(setxattr, ALWAYS),
	CALL(clone, ALWAYS),
	CALL(clone3, ALWAYS),
	CALL(execve, ALWAYS),
	CALL(execveat, ALWAYS),
	CALL(setns, ALWAYS),
	CALL(unshare, ALWAYS),
	CALL(setresuid, ALWAYS),
	CALL(setresgid, ALWAYS),
	CALL(setgroups, ALWAYS),
	CALL(prctl, NOT_NAME),
	CALL(capset, ALWAYS),
	CALL(seccomp, ALWAYS),
	CALL(landlock_create_ruleset, ALWAYS),
	CALL(landlock_add_rule, ALWAYS),
	CALL(landlock_restrict_self, ALWAYS),
	CALL(prlimit64, HAS_LIMIT),
	CALL(sethostname, ALWAYS),
	CALL(setsid, ALWAYS),
	CALL(setpgid, ALWAYS),
	CALL(chdir, ALWAYS),
	CALL(fchdir, ALWAYS),
	CALL(keyctl, ALWAYS),
	CALL(close_range, ALWAYS),
	CALL(socket, ALWAYS),
	CALL(socketpair, ALWAYS),
	CALL(pipe2, ALWAYS),
	CALL(pidfd_open, ALWAYS),
	CALL(signalfd4, ALWAYS),
	CALL(eventfd2, ALWAYS),
	CALL(dup3, ALWAYS),
	CALL(ioctl, NOT_STDIO),
	CALL(waitid, ALWAYS),
	CALL(memfd_create, ALWAYS),
#ifdef __x86_64__
	CALL(open, ALWAYS),
	CALL(mkdir, ALWAYS),
	CALL(rmdir, ALWAYS),
	CALL(unlink, ALWAYS),
	CALL(rename, ALWAYS),
	CALL(symlink, ALWAYS),
	CALL(chmod, ALWAYS),
	CALL(dup2, ALWAYS),
	CALL(renameat, ALWAYS),
	CALL(fork, ALWAYS),
	CALL(vfork, ALWAYS),
#endif
};
#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

struct process {
	pid_t pid;
	bool ours;   /* the command has begun: what comes before its execve is this program */
	bool inject; /* between the entry and the exit of the chosen call */
	unsigned int count[N_CALLS];
	unsigned int total;
};

struct wanted {
	unsigned int role, n;
	char name[32];
	int error;
	bool list, kill;
};

static uint64_t peek(pid_t pid, uint64_t address)
{
	return (uint64_t)ptrace(PTRACE_PEEKDATA, pid, address, NULL);
}

/* " TEXT" of the process, at most 64 bytes; " -" for NULL */
static void print_string(FILE *out, pid_t pid, uint64_t address)
{
	char text[65] = "-";

	for (size_t i = 0; address && i + 8 < sizeof(text); i += 8) {
		uint64_t word = peek(pid, address + i);

		memcpy(text + i, &word, sizeof(word));
		if (memchr(&word, '\0', sizeof(word)))
			break;
	}
	fprintf(out, " %s", text);
}

/* "hit NAME" and what tells one such call from another */
static void print_hit(FILE *out, pid_t pid, const char *name, const uint64_t *a)
{
	fprintf(out, "hit %s", name);
	if (!strcmp(name, "mount")) {
		print_string(out, pid, a[1]);
		print_string(out, pid, a[2]);
		fprintf(out, " %#llx", (unsigned long long)a[3]);
	} else if (!strcmp(name, "mount_setattr")) {
		fprintf(out, " %#llx %#llx", (unsigned long long)peek(pid, a[3]),
			(unsigned long long)peek(pid, a[3] + 16));
	} else {
		fprintf(out, " %#llx %#llx", (unsigned long long)a[0], (unsigned long long)a[1]);
	}
	fputc('\n', out);
	fflush(out);
}

static const struct call *call_find(pid_t pid, unsigned int role,
				    const struct __ptrace_syscall_info *info)
{
	const uint64_t writing = O_WRONLY | O_RDWR | O_CREAT;
	const uint64_t *a = info->entry.args;

	for (size_t i = 0; i < N_CALLS; i++) {
		if ((long)info->entry.nr != calls[i].nr)
			continue;
		switch (calls[i].filter) {
		case OPEN_FLAGS_2:
			return a[2] & writing ? &calls[i] : NULL;
		case OPEN_HOW:
			/* the child opens what it mounts on: that is more than to look */
			return role > 0 || (peek(pid, a[2]) & writing) ? &calls[i] : NULL;
		case NOT_NAME:
			return a[0] == PR_SET_NAME ? NULL : &calls[i];
		case NOT_STDIO:
			return a[0] > 2 ? &calls[i] : NULL;
		case LOCK_COMMANDS:
			return a[1] == F_SETLK || a[1] == F_OFD_SETLK ? &calls[i] : NULL;
		case HAS_LIMIT:
			return a[2] ? &calls[i] : NULL;
		case ALWAYS:
			return &calls[i];
		}
	}
	return NULL;
}

/* A call number of -1 is no call at all: the kernel skips it. */
static void call_skip(pid_t pid)
{
#ifdef __x86_64__
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1L);
#elif defined(__aarch64__)
	int nr = -1;
	struct iovec v = { &nr, sizeof(nr) };

	ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &v);
#else
#error "no such architecture"
#endif
}

static void call_result(pid_t pid, int error)
{
#ifdef __x86_64__
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), (long)-error);
#elif defined(__aarch64__)
	struct user_regs_struct r;
	struct iovec v = { &r, sizeof(r) };

	ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v);
	r.regs[0] = (uint64_t)(long)-error;
	ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v);
#endif
}

/* A system call begins or ends: count it, write it down, or make it the one that fails. */
static void on_syscall(struct process *p, unsigned int role, const struct wanted *w, FILE *out)
{
	struct __ptrace_syscall_info info = { 0 };
	const struct call *c;
	unsigned int n;

	ptrace(PTRACE_GET_SYSCALL_INFO, p->pid, sizeof(info), &info);
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && p->inject) {
		call_result(p->pid, w->error);
		p->inject = false;
	}
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY || (role == 0 && !p->ours))
		return;
	p->total++;
	if (w->kill && w->role == role && w->n == p->total) {
		fprintf(out, "hit\n");
		fflush(out);
		kill(p->pid, SIGKILL);
	}
	c = w->list || w->name[0] ? call_find(p->pid, role, &info) : NULL;
	if (!c)
		return;
	n = ++p->count[c - calls];
	if (w->list) {
		fprintf(out, "%u:%s:%u\n", role, c->name, n);
	} else if (w->role == role && w->n == n && !strcmp(w->name, c->name)) {
		print_hit(out, p->pid, c->name, info.entry.args);
		call_skip(p->pid);
		p->inject = true;
	}
}

static int status_of(int wstatus)
{
	return WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 128 + WTERMSIG(wstatus);
}

static unsigned int role_find(struct process *p, unsigned int *n, pid_t pid)
{
	for (unsigned int i = 0; i < *n; i++)
		if (p[i].pid == pid)
			return i;
	if (*n == ROLES_MAX) {
		fprintf(stderr, "fault: more than %d processes\n", ROLES_MAX);
		exit(99);
	}
	p[*n] = (struct process){ .pid = pid };
	return (*n)++;
}

/* Does the process run from a sealed copy of our own file (src/run/sealed.c)? */
static bool is_sealed_copy(pid_t pid)
{
	char path[64], exe[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, exe, sizeof(exe));
	return n > 0 && strncmp(exe, "/memfd:gpurun", strlen("/memfd:gpurun")) == 0;
}

/* One stop of one process; says how it goes on. */
static void on_stop(struct process *p, unsigned int role, int wstatus, const struct wanted *w,
		    FILE *out)
{
	int sig = WSTOPSIG(wstatus), event = wstatus >> 16;

	if (sig == (SIGTRAP | 0x80)) {
		on_syscall(p, role, w, out);
		sig = 0;
	} else if (event == PTRACE_EVENT_EXEC &&
		   ((role == 0 && !p->ours) || is_sealed_copy(p->pid))) {
		p->ours = true;
		sig = 0;
	} else if (event == PTRACE_EVENT_EXEC) {
		ptrace(PTRACE_DETACH, p->pid, NULL, NULL);
		return;
	} else if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
		ptrace(PTRACE_LISTEN, p->pid, NULL, NULL);
		return;
	} else if (event) {
		sig = 0;
	}
	ptrace(PTRACE_SYSCALL, p->pid, NULL, (long)sig);
}

/* Follow everybody until the command itself has ended. */
static int follow(pid_t pid, const struct wanted *w, FILE *out)
{
	static struct process p[ROLES_MAX];
	unsigned int n = 0;
	int wstatus, status = -1;

	role_find(p, &n, pid);
	for (;;) {
		pid_t who = waitpid(-1, &wstatus, __WALL);

		if (who < 0)
			break; /* all have ended */
		if (WIFSTOPPED(wstatus)) {
			unsigned int role = role_find(p, &n, who);

			on_stop(&p[role], role, wstatus, w, out);
		} else if (who == pid) {
			status = status_of(wstatus);
		}
	}
	for (unsigned int role = 0; w->n == 0 && !w->list && role < n; role++)
		fprintf(out, "%u:%u\n", role, p[role].total);
	return status;
}

/* The command waits until it is followed; its execve is the first stop. */
static pid_t start(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	int gate[2];
	pid_t pid;
	char c;

	if (pipe2(gate, O_CLOEXEC) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		if (read(gate[0], &c, 1) == 0)
			execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || ptrace(PTRACE_SEIZE, pid, NULL, options) != 0) {
		perror("fault");
		exit(99);
	}
	close(gate[0]);
	close(gate[1]);
	return pid;
}

int main(int argc, char **argv)
{
	struct wanted w = { 0 };
	FILE *out = NULL;
	int opt;

	while ((opt = getopt(argc, argv, "+l:i:e:o:n:k:")) != -1) {
		bool understood = true;

		if (opt == 'l' || opt == 'o' || opt == 'n')
			out = fopen(optarg, "we");
		else if (opt == 'e')
			w.error = (int)strtol(optarg, NULL, 10);
		else if (opt == 'k')
			understood = sscanf(optarg, "%u:%u", &w.role, &w.n) == 2;
		else
			understood = opt == 'i' &&
				     sscanf(optarg, "%u:%31[^:]:%u", &w.role, w.name, &w.n) == 3;
		if (!understood)
			return 99;
		w.list |= opt == 'l';
		w.kill |= opt == 'k';
	}
	if (!out || optind >= argc)
		return 99;
	return follow(start(argv + optind), &w, out);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * floor.c - the least that a launcher must do to start a command the way gpurun does.
 *
 *	floor [-nL] [-b BASE] [-d NODE | -t DIR | -f FILE=PATH | -g DIR=PATH | -s TARGET=PATH |
 *	      -w TEXT=PATH]... ROOTFS PROGRAM [ARGUMENT]...
 *
 *	-n           own network namespace with lo up, a fresh sysfs
 *	-L           without Landlock
 *	-b BASE      the empty directory that everything is built on (/tmp)
 *	-d NODE      one more device node, at the same place inside
 *	-t DIR       a tmpfs; it and what is mounted below it ends up read-only
 *	-f, -g       a file or a directory of the host, read-only
 *	-s, -w       a link, a file of that text
 *
 * It is what times of starts are divided by, so it does for the same result as little as it can:
 * the namespaces, mounts, masks, losses and seccomp bytes of gpurun, its reaper, and nothing else.
 * It looks for nothing, plans nothing, checks nothing that it did, keeps no record, forwards no
 * signal, and of an error it says the place.
 *
 * Every mount is one mount(2) or two, and yet no link of the image leads out of it: the root is
 * changed first, so that a path that starts with "/" is the container's, and the working directory
 * is the old root, so that a path that does not is the host's.  What goes through the image's own
 * directories is done before there is a /proc inside, whose links lead anywhere.  A bind takes
 * over the flags of the mount it copies: masks are copies of one file and one directory that were
 * made read-only once.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#include "seccomp_x86_64.h"
#define FILTER seccomp_x86_64_default
#elif defined(__aarch64__)
#include "seccomp_aarch64.h"
#define FILTER seccomp_aarch64_default
#endif

#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
#define EXTRAS_MAX  4096

/* <sys/mount.h> and <linux/mount.h> do not go together in glibc 2.36 */
int mount(const char *src, const char *dst, const char *type, unsigned long flags,
	  const void *data);
int umount2(const char *dst, int flags);

#define DETACH     2      /* MNT_DETACH */
#define RECURSIVE  0x8000 /* AT_RECURSIVE */
#define INERT      (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define ATTR_INERT (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* newer than some <linux/landlock.h> */
#define ACCESS_REFER     (1ULL << 13)
#define ACCESS_IOCTL_DEV (1ULL << 15)

struct extra {
	int kind; /* the letter of the option */
	const char *src, *dst;
};

struct job {
	bool net, landlock;
	const char *base, *rootfs;
	char *const *argv;
	struct utsname host;
	uid_t uid;
	gid_t gid;
	size_t n_extras;
	struct extra extras[EXTRAS_MAX];
};

static _Noreturn void die(const char *what)
{
	dprintf(2, "floor: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static void must(long r, const char *what)
{
	if (r < 0)
		die(what);
}

/* A descriptor that nobody needs is left to close_range(2). */
static int put(const char *path, int flags, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);

	must(fd, path);
	must(write(fd, text, strlen(text)), path);
	return fd;
}

static void parents_make(const char *path)
{
	char dir[4096];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		(void)snprintf(dir, sizeof(dir), "%.*s", (int)(p - path), path);
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			die(dir);
	}
}

static int make(const char *path, bool directory)
{
	return directory ? mkdir(path, 0755) : mknod(path, S_IFREG | 0644, 0);
}

static void make_fresh(const char *path, bool directory)
{
	if (make(path, directory) == 0)
		return;
	parents_make(path);
	must(make(path, directory), path);
}

/* The mount point is made where there is none. */
static void mount_at(const char *src, const char *dst, const char *type, unsigned long flags,
		     const char *data, bool directory)
{
	if (mount(src, dst, type, flags, data) == 0)
		return;
	if (errno != ENOENT)
		die(dst);
	make_fresh(dst, directory);
	must(mount(src, dst, type, flags, data), dst);
}

static void attributes(const char *path, unsigned int flags, uint64_t set)
{
	struct mount_attr attr = { .attr_set = set };

	must(syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attr, sizeof(attr)), path);
}

static void ids(const struct job *j)
{
	char map[64];

	(void)put("/proc/self/setgroups", 0, "deny");
	(void)snprintf(map, sizeof(map), "%u %u 1", j->uid, j->uid);
	(void)put("/proc/self/uid_map", 0, map);
	(void)snprintf(map, sizeof(map), "%u %u 1", j->gid, j->gid);
	(void)put("/proc/self/gid_map", 0, map);
	must(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "PR_SET_PDEATHSIG");
	must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "PR_SET_DUMPABLE");
}

static void loopback(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(fd, "socket");
	must(ioctl(fd, SIOCSIFFLAGS, &lo), "lo");
}

/* An overlay whose upper is on a tmpfs that nobody else sees; both masks are made beside it. */
static void rootfs(const struct job *j)
{
	char data[4096];
	int old;

	must(mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL), "/");
	must(mount("floor", j->base, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"), j->base);
	must(chdir(j->base), j->base);
	must(mkdir("root", 0755), "root");
	must(mkdir("u", 0755), "u");
	must(mkdir("w", 0755), "w");
	must(mkdir("empty", 0755), "empty");
	must(mount("floor", "empty", "tmpfs", INERT | MS_RDONLY, "size=4k,mode=0555"), "empty");
	must(mknod("null", S_IFREG, 0), "null");
	must(mount("/dev/null", "null", NULL, MS_BIND, NULL), "/dev/null");
	attributes("null", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	(void)snprintf(data, sizeof(data), "lowerdir=%s,upperdir=u,workdir=w,userxattr", j->rootfs);
	must(mount("overlay", "root", "overlay", MS_NOSUID | MS_NODEV, data), "overlay");
	must(chdir("root"), "root");
	old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(old, "/");
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(fchdir(old), "the old root");
}

static void bind_file(const char *src, const char *dst, bool directory)
{
	mount_at(src, dst, NULL, MS_BIND | MS_REC, NULL, directory);
	attributes(dst, 0, MOUNT_ATTR_RDONLY | ATTR_INERT);
}

/* Who an ordinary user is inside. */
static void identity(const struct job *j)
{
	char line[128];

	(void)snprintf(line, sizeof(line), "user:x:%u:%u::/home/user:/bin/sh\n", j->uid, j->gid);
	(void)put("/etc/passwd", O_CREAT | O_TRUNC | O_NOFOLLOW, line);
	(void)snprintf(line, sizeof(line), "user:x:%u:\n", j->gid);
	(void)put("/etc/group", O_CREAT | O_TRUNC | O_NOFOLLOW, line);
	(void)mkdir("/home", 0755);
	(void)mkdir("/home/user", 0700);
}

static void files(const struct job *j)
{
	char name[sizeof(j->host.nodename) + 1];

	if (j->net) {
		(void)put("/etc/hosts", O_CREAT | O_TRUNC | O_NOFOLLOW, "127.0.0.1\tlocalhost\n");
	} else {
		bind_file("etc/resolv.conf", "/etc/resolv.conf", false);
		bind_file("etc/hosts", "/etc/hosts", false);
	}
	(void)snprintf(name, sizeof(name), "%s\n", j->host.nodename);
	(void)put("/etc/hostname", O_CREAT | O_TRUNC | O_NOFOLLOW, name);
	if (j->uid)
		identity(j);
	else
		(void)mkdir("/root", 0700);
}

static bool is_below_tmpfs(const struct job *j, const char *path)
{
	for (const struct extra *x = j->extras; x < j->extras + j->n_extras; x++)
		if (x->kind == 't' && strncmp(path, x->dst, strlen(x->dst)) == 0)
			return true;
	return false;
}

static void extra_bind(const struct job *j, const struct extra *x)
{
	const bool directory = x->kind == 'g';

	if (!is_below_tmpfs(j, x->dst)) {
		mount_at(x->src, x->dst, NULL, MS_BIND | MS_REC, NULL, directory);
		return;
	}
	make_fresh(x->dst, directory);
	must(mount(x->src, x->dst, NULL, MS_BIND | MS_REC, NULL), x->dst);
}

static void extra(const struct job *j, const struct extra *x)
{
	switch (x->kind) {
	case 't':
		mount_at("floor", x->dst, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755", true);
		break;
	case 'f':
	case 'g':
		extra_bind(j, x);
		break;
	case 's':
		if (symlink(x->src, x->dst) < 0) {
			parents_make(x->dst);
			must(symlink(x->src, x->dst), x->dst);
		}
		break;
	case 'w':
		if (access(x->dst, F_OK) < 0)
			make_fresh(x->dst, false);
		/* its mount becomes read-only, which it cannot while somebody writes */
		(void)close(put(x->dst, O_TRUNC | O_NOFOLLOW, x->src));
		break;
	default: /* device nodes: devices() */
		break;
	}
}

static bool is_in_proc(const char *path)
{
	return strncmp(path, "/proc/", 6) == 0;
}

/* Those in /proc need one that is there; the others go through the image's directories. */
static void extras(const struct job *j, bool in_proc)
{
	for (const struct extra *x = j->extras; x < j->extras + j->n_extras; x++)
		if (is_in_proc(x->dst) == in_proc)
			extra(j, x);
}

/* Read-only as a whole. */
static void extras_lock(const struct job *j)
{
	const uint64_t set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

	for (const struct extra *x = j->extras; x < j->extras + j->n_extras; x++)
		if (x->kind == 't' ||
		    ((x->kind == 'f' || x->kind == 'g') && !is_below_tmpfs(j, x->dst)))
			attributes(x->dst, RECURSIVE, set);
}

static void devices(const struct job *j)
{
	static const char *const nodes[] = { "null", "zero", "full", "random", "urandom", "tty" };
	static const struct {
		const char *target, *name;
	} links[] = {
		{ "/proc/self/fd", "/dev/fd" },       { "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
		{ "pts/ptmx", "/dev/ptmx" },
	};
	const unsigned long flags = MS_NOSUID | MS_NOEXEC;
	char path[64];

	mount_at("floor", "/dev", "tmpfs", flags, "mode=0755,size=64m", true);
	for (size_t i = 0; i < ELEMENTS(nodes); i++) {
		(void)snprintf(path, sizeof(path), "/dev/%s", nodes[i]);
		must(mknod(path, S_IFREG | 0644, 0), path);
		must(mount(path + 1, path, NULL, MS_BIND, NULL), path);
	}
	for (const struct extra *x = j->extras; x < j->extras + j->n_extras; x++) {
		if (x->kind != 'd')
			continue;
		must(mknod(x->dst, S_IFREG | 0644, 0), x->dst);
		must(mount(x->src, x->dst, NULL, MS_BIND, NULL), x->dst);
	}
	for (size_t i = 0; i < ELEMENTS(links); i++)
		must(symlink(links[i].target, links[i].name), links[i].name);
	must(mkdir("/dev/pts", 0755), "/dev/pts");
	must(mount("devpts", "/dev/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=0620"),
	     "/dev/pts");
	must(mkdir("/dev/shm", 0755), "/dev/shm");
	must(mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"), "/dev/shm");
	must(mkdir("/dev/mqueue", 0755), "/dev/mqueue");
	must(mount("mqueue", "/dev/mqueue", "mqueue", INERT, NULL), "/dev/mqueue");
}

static void proc_and_sys(const struct job *j)
{
	mount_at("proc", "/proc", "proc", INERT, NULL, true);
	if (j->net) {
		mount_at("sysfs", "/sys", "sysfs", INERT | MS_RDONLY, NULL, true);
		return;
	}
	mount_at("sys", "/sys", NULL, MS_BIND | MS_REC, NULL, true);
	attributes("/sys", RECURSIVE, MOUNT_ATTR_RDONLY | ATTR_INERT);
}

static void mask(const char *src, const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (mount(src, paths[i], NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
			die(paths[i]);
}

static void masks(const struct job *j)
{
	/* the last two are root's alone to look into */
	static const char *const directories[] = {
		"/proc/acpi",        "/proc/asound",
		"/proc/scsi",        "/sys/devices/virtual/powercap",
		"/sys/firmware",     "/sys/fs/selinux",
		"/sys/kernel/debug", "/sys/kernel/tracing",
	};
	static const char *const plain[] = {
		"/proc/interrupts",  "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
		"/proc/sched_debug", "/proc/timer_list", "/proc/timer_stats",
	};
	static const char *const readonly[] = {
		"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
	};
	char src[4096];

	(void)snprintf(src, sizeof(src), "%s/empty", j->base + 1);
	mask(src, directories, ELEMENTS(directories) - (j->uid ? 2 : 0));
	(void)snprintf(src, sizeof(src), "%s/null", j->base + 1);
	mask(src, plain, ELEMENTS(plain));
	for (size_t i = 0; i < ELEMENTS(readonly); i++) {
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0)
			attributes(readonly[i], RECURSIVE, MOUNT_ATTR_RDONLY);
		else if (errno != ENOENT)
			die(readonly[i]);
	}
}

static void capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient set");
	must(syscall(SYS_capset, &header, none), "capset");
}

static void landlock_rule(int ruleset, uint64_t access, const char *path)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = access,
		.parent_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC),
	};

	must(syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0), path);
}

static void landlock(void)
{
	const uint64_t refer = ACCESS_REFER | LANDLOCK_ACCESS_FS_EXECUTE;
	const uint64_t handled = refer | ACCESS_IOCTL_DEV;
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);

	must(ruleset, "Landlock");
	landlock_rule(ruleset, refer, "/");
	landlock_rule(ruleset, ACCESS_IOCTL_DEV, "/dev");
	must(syscall(SYS_landlock_restrict_self, ruleset, 0), "Landlock");
}

static void seccomp(void)
{
	/* it is only read */
	struct sock_fprog filter = { .len = ELEMENTS(FILTER),
				     .filter = (struct sock_filter *)(uintptr_t)FILTER };

	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), "seccomp");
}

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Pid 1 reaps until the command has ended; the kernel ends the rest. */
static _Noreturn void reap(pid_t command)
{
	int status;

	must(close_range(0, ~0U, 0), "close_range");
	while (wait4(-1, &status, 0, NULL) != command)
		;
	_exit(status_of(status));
}

static _Noreturn void inside(const struct job *j)
{
	pid_t command;

	ids(j);
	if (j->net)
		loopback();
	rootfs(j);
	files(j);
	extras(j, false);
	devices(j);
	proc_and_sys(j);
	extras(j, true);
	masks(j);
	extras_lock(j);
	must(umount2(".", DETACH), "the old root");
	must(chdir("/"), "/");
	capabilities();
	if (j->landlock)
		landlock();
	seccomp();
	command = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	must(command, "clone");
	if (command > 0)
		reap(command);
	must(close_range(3, ~0U, 0), "close_range");
	(void)execv(j->argv[0], j->argv);
	die(j->argv[0]);
}

static void extra_add(struct job *j, int kind, char *arg)
{
	char *dst = strrchr(arg, '=');

	if (j->n_extras == EXTRAS_MAX || ((kind == 'd' || kind == 't') == (dst != NULL)))
		_exit(2);
	if (dst)
		*dst++ = '\0';
	else
		dst = arg;
	/* what is the host's is relative to the old root */
	if (kind == 'd' || kind == 'f' || kind == 'g')
		arg++;
	j->extras[j->n_extras++] = (struct extra){ kind, arg, dst };
}

int main(int argc, char **argv)
{
	static struct job j = { .landlock = true, .base = "/tmp" };
	struct clone_args args = { .exit_signal = SIGCHLD };
	int opt, status;
	pid_t child;

	while ((opt = getopt(argc, argv, "+nLb:d:t:f:g:s:w:")) != -1) {
		if (opt == '?')
			return 2;
		else if (opt == 'n')
			j.net = true;
		else if (opt == 'L')
			j.landlock = false;
		else if (opt == 'b')
			j.base = optarg;
		else
			extra_add(&j, opt, optarg);
	}
	if (argc - optind < 2)
		return 2;
	j.rootfs = argv[optind];
	j.argv = argv + optind + 1;
	j.uid = geteuid();
	j.gid = getegid();
	must(uname(&j.host), "uname");
	args.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
		     (j.net ? CLONE_NEWNET : 0);
	child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	must(child, "clone3");
	if (child == 0)
		inside(&j);
	must(wait4(child, &status, 0, NULL), "wait");
	return status_of(status);
}

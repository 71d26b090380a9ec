/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys.c - raw system calls.  No errno for the caller, no allocation, no lock.
 */
#include <gpurun/sys.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Numbers that the kernel headers of our floor may lack.  From 424 on they are the same on all
 * architectures that gpurun knows.
 */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

/* linux/landlock.h (5.13), where it may be missing */
#define LANDLOCK_VERSION      (1U << 0)
#define LANDLOCK_PATH_BENEATH 1
#define LANDLOCK_NO_LOG       (1U << 0) /* 6.15: what we try ourselves is no line for the audit log */
struct landlock_path_beneath {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

static int sys_ret(long r)
{
	return r < 0 ? -errno : (int)r;
}

/* Without CLONE_VM and a stack of its own the child goes on here, as after fork. */
pid_t sys_clone3(struct clone_args *args, size_t size)
{
	return sys_ret(syscall(SYS_clone3, args, size));
}

int sys_openat2(int dirfd, const char *path, const struct open_how *how)
{
	return sys_ret(syscall(SYS_openat2, dirfd, path, how, sizeof(*how)));
}

int sys_open_tree(int dirfd, const char *path, unsigned int flags)
{
	return sys_ret(syscall(SYS_open_tree, dirfd, path, flags));
}

int sys_move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
	return sys_ret(syscall(SYS_move_mount, from_fd, from, to_fd, to, flags));
}

int sys_mount_setattr(int dirfd, const char *path, unsigned int flags,
		      const struct sys_mount_attr *attr)
{
	return sys_ret(syscall(SYS_mount_setattr, dirfd, path, flags, attr, sizeof(*attr)));
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return sys_ret(syscall(SYS_pivot_root, new_root, put_old));
}

int sys_pidfd_open(pid_t pid)
{
	return sys_ret(syscall(SYS_pidfd_open, pid, 0));
}

int sys_pidfd_send_signal(int pidfd, int sig)
{
	return sys_ret(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}

int sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return sys_ret(syscall(SYS_close_range, first, last, flags));
}

int sys_landlock_abi(void)
{
	long r = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_VERSION);

	return r < 0 ? 0 : (int)r;
}

int sys_landlock_create_ruleset(const void *attr, size_t size)
{
	return sys_ret(syscall(SYS_landlock_create_ruleset, attr, size, 0));
}

int sys_landlock_add_path(int ruleset, uint64_t access, int fd)
{
	struct landlock_path_beneath rule = { .allowed_access = access, .parent_fd = fd };

	return sys_ret(syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PATH_BENEATH, &rule, 0));
}

int sys_landlock_restrict_self(int ruleset)
{
	int r = sys_ret(syscall(SYS_landlock_restrict_self, ruleset, LANDLOCK_NO_LOG));

	return r == -EINVAL ? sys_ret(syscall(SYS_landlock_restrict_self, ruleset, 0)) : r;
}

int sys_seccomp_filter(const struct sock_filter *prog, unsigned short len)
{
	/* the kernel only reads the program; its struct has no const */
	struct sock_fprog fprog = {
		.len = len,
		.filter = (struct sock_filter *)(uintptr_t)prog,
	};

	return sys_ret(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog));
}

int sys_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	for (unsigned int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].effective = (uint32_t)(effective >> (32 * i));
		data[i].permitted = (uint32_t)(permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
	}
	return sys_ret(syscall(SYS_capset, &head, data));
}

int sys_capget(uint64_t *effective, uint64_t *permitted, uint64_t *inheritable)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	int r = sys_ret(syscall(SYS_capget, &head, data));

	if (r < 0)
		return r;
	*effective = data[0].effective | (uint64_t)data[1].effective << 32;
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	*inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

#define ARGUMENTS_MAX (6 << 20) /* the kernel takes no more from execve(2) */

/* The kernel lays the strings of argv out in one piece before those of the environment. */
void sys_hide_arguments(const char *name)
{
	char *start = program_invocation_name, *end = environ ? environ[0] : NULL;
	size_t n = strlen(name) + 1;

	if (!start || !end || end <= start || end - start > ARGUMENTS_MAX)
		return;
	memset(start, 0, (size_t)(end - start));
	if ((size_t)(end - start) >= n)
		memcpy(start, name, n);
}

/* The number at the start of @s. */
static uint64_t digits(const char *s)
{
	uint64_t n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (uint64_t)(*s - '0');
	return n;
}

#define STAT_MAX 1024

/* /proc/PID/stat from field 3, the state; NULL: no process */
static const char *stat_read(pid_t pid, char text[STAT_MAX])
{
	char path[32];
	const char *p;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	n = read(fd, text, STAT_MAX - 1);
	(void)close(fd);
	if (n <= 0)
		return NULL;
	text[n] = '\0';
	/* the name in parentheses may hold anything: ") S 1 2 3..." comes behind the last one */
	p = strrchr(text, ')');
	return p && p[1] == ' ' ? p + 2 : NULL;
}

static uint64_t stat_number(const char *p, int field)
{
	for (int at = 3; p && at < field; at++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return p ? digits(p) : 0;
}

uint64_t sys_pid_stat(pid_t pid, char *ret_state)
{
	char text[STAT_MAX];
	const char *p = stat_read(pid, text);

	if (p)
		*ret_state = *p;
	return stat_number(p, 22);
}

bool sys_pid_is_forked(pid_t pid)
{
	char text[STAT_MAX];

	return stat_number(stat_read(pid, text), 9) & 0x40; /* PF_FORKNOEXEC of <linux/sched.h> */
}

uint64_t sys_pid_start(pid_t pid)
{
	char state = 0;
	uint64_t start = sys_pid_stat(pid, &state);

	return state == 'Z' || state == 'X' ? 0 : start;
}

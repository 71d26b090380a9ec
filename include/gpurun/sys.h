/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys.h - system calls that the C libraries of our floor (glibc 2.31, musl 1.2) do not wrap,
 * with their constants where old headers lack them.  All return -errno; none allocates, none
 * takes a lock: they may be used between clone3 and exec.
 */
#ifndef GPURUN_SYS_H
#define GPURUN_SYS_H

#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0x00000001
#define MOUNT_ATTR_NOSUID 0x00000002
#define MOUNT_ATTR_NODEV  0x00000004
#define MOUNT_ATTR_NOEXEC 0x00000008
#endif
#ifndef MOUNT_ATTR_NOATIME
#define MOUNT_ATTR_NOATIME     0x00000010
#define MOUNT_ATTR_STRICTATIME 0x00000020
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#define MOVE_MOUNT_T_EMPTY_PATH 0x00000040
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

struct sys_mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};

struct sock_filter;

pid_t sys_clone3(struct clone_args *args, size_t size);
int sys_openat2(int dirfd, const char *path, const struct open_how *how);
int sys_open_tree(int dirfd, const char *path, unsigned int flags);
int sys_move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags);
int sys_mount_setattr(int dirfd, const char *path, unsigned int flags,
		      const struct sys_mount_attr *attr);
int sys_pivot_root(const char *new_root, const char *put_old);
int sys_pidfd_open(pid_t pid);
int sys_pidfd_send_signal(int pidfd, int sig);
int sys_close_range(unsigned int first, unsigned int last, unsigned int flags);
int sys_landlock_abi(void); /* 0 when the kernel has none */
int sys_landlock_create_ruleset(const void *attr, size_t size);
int sys_landlock_add_path(int ruleset, uint64_t access, int fd);
int sys_landlock_restrict_self(int ruleset);
int sys_seccomp_filter(const struct sock_filter *prog, unsigned short len);
/* all five sets at once are not one call: this sets effective, permitted and inheritable */
int sys_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable);
int sys_capget(uint64_t *effective, uint64_t *permitted, uint64_t *inheritable);

/**
 * sys_hide_arguments - overwrite what /proc/PID/cmdline shows: paths, values of -e
 * For a forked process that lives on under another name; nobody may use argv afterwards.
 */
void sys_hide_arguments(const char *name);

/** sys_pid_stat - of /proc/PID/stat field 22, when it was started, and field 3; 0: no process */
uint64_t sys_pid_stat(pid_t pid, char *ret_state);

/** sys_pid_is_forked - it has not executed anything since it was forked (a flag in field 9) */
bool sys_pid_is_forked(pid_t pid);

/**
 * sys_pid_start - field 22 of /proc/PID/stat: together with the number it is a process, whoever
 * gets the number later; 0: there is none, or only its parent has not noticed yet (a zombie)
 */
uint64_t sys_pid_start(pid_t pid);

/**
 * struct sys_peer - a process that is inside a container, and what it must be to count as that one
 * @start: field 22 of /proc/PID/stat: guards against pid reuse
 * @user_ns, @mnt_ns: inodes of its namespaces
 */
struct sys_peer {
	pid_t pid;
	uint64_t start, user_ns, mnt_ns;
};

#endif

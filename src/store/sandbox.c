/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.c - the walls around the unpack worker.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/profile.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "userns.h"

#define SANDBOX_MEMORY ((rlim_t)6 << 30) /* address space, most of it never touched */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANDBOX_ASAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANDBOX_ASAN 1
#endif

#define SANDBOX_FILES 256

/* ABI 2 lets files and directories move between directories of one rule (REFER). */
#define LANDLOCK_ABI_MIN 2

/* Rights that the headers of the floor do not know. */
#define FS_EXECUTE      (1ULL << 0)
#define FS_WRITE_FILE   (1ULL << 1)
#define FS_READ_FILE    (1ULL << 2)
#define FS_READ_DIR     (1ULL << 3)
#define FS_ALL_ABI_2    ((1ULL << 14) - 1) /* up to REFER */
#define FS_TRUNCATE     (1ULL << 14)       /* ABI 3 */
#define FS_IOCTL_DEV    (1ULL << 15)       /* ABI 5 */
#define NET_ALL_ABI_4   3ULL               /* bind and connect TCP */
#define SCOPE_ALL_ABI_6 3ULL               /* abstract sockets, and signals */

/* Lower a limit, hard and soft; the type of @resource differs between C libraries. */
#define LIMIT(resource, to)                                                                        \
	do {                                                                                       \
		struct rlimit now;                                                                 \
                                                                                                   \
		if (getrlimit((resource), &now) < 0)                                               \
			return -errno;                                                             \
		now = limit_to(now, (to));                                                         \
		if (setrlimit((resource), &now) < 0)                                               \
			return -errno;                                                             \
	} while (0)

static struct rlimit limit_to(struct rlimit now, rlim_t to)
{
	if (now.rlim_max > to)
		now.rlim_max = to;
	if (now.rlim_cur > now.rlim_max)
		now.rlim_cur = now.rlim_max;
	return now;
}

static int set_limits(void)
{
	LIMIT(RLIMIT_CORE, 0);
	LIMIT(RLIMIT_NOFILE, SANDBOX_FILES);
#ifndef SANDBOX_ASAN /* its shadow is larger than any limit */
	LIMIT(RLIMIT_DATA, SANDBOX_MEMORY);
#endif
	return 0;
}

/* Both structs grew at their end; the kernel takes the size that it knows. */
struct ruleset_attr {
	uint64_t fs, net, scoped;
};

static size_t ruleset_size(int abi)
{
	if (abi >= 6)
		return sizeof(struct ruleset_attr);
	return abi >= 4 ? offsetof(struct ruleset_attr, scoped)
			: offsetof(struct ruleset_attr, net);
}

static int landlock_rules(int ruleset, int stage, int source, uint64_t all)
{
	struct stat st;
	int r = sys_landlock_add_path(ruleset, all & ~(FS_EXECUTE | FS_IOCTL_DEV), stage);

	if (r < 0)
		return r;
	if (fstat(source, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode)
		       ? sys_landlock_add_path(ruleset, FS_READ_FILE | FS_READ_DIR, source)
		       : 0;
}

static int landlock_enter(int stage, int source)
{
	int abi = sys_landlock_abi();
	struct ruleset_attr attr = { .fs = FS_ALL_ABI_2 };
	_cleanup_fd_ int ruleset = -1;
	int r;

	if (abi < LANDLOCK_ABI_MIN)
		return 0;
	if (abi >= 3)
		attr.fs |= FS_TRUNCATE;
	if (abi >= 5)
		attr.fs |= FS_IOCTL_DEV;
	if (abi >= 4)
		attr.net = NET_ALL_ABI_4;
	if (abi >= 6)
		attr.scoped = SCOPE_ALL_ABI_6;
	ruleset = sys_landlock_create_ruleset(&attr, ruleset_size(abi));
	if (ruleset < 0)
		return ruleset;
	r = landlock_rules(ruleset, stage, source, attr.fs);
	return r < 0 ? r : sys_landlock_restrict_self(ruleset);
}

/*
 * A directory that is read is taken anew, too, as the root of a mount of its own that nobody may
 * write to: above it there is nothing.  Where the kernel refuses that (mounts below it that are
 * locked to each other) Landlock stands alone.
 */
static int detach_source(int source)
{
	const struct sys_mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
							 MOUNT_ATTR_NODEV };
	_cleanup_fd_ int tree = -1;
	struct stat st;

	if (fstat(source, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return 0;
	tree = sys_open_tree(source, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | O_CLOEXEC);
	if (tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
		return 0;
	return dup3(tree, source, O_CLOEXEC) < 0 ? -errno : 0;
}

/*
 * The stage becomes the root directory, and the descriptor of it is taken anew from there: from
 * the old one, ".." still led to the host.
 */
static int enter_namespaces(int stage, int source)
{
	_cleanup_fd_ int root = -1;
	int r = userns_enter(stage);

	if (r != 0)
		return r < 0 ? r : 0;
	r = detach_source(source);
	if (r < 0)
		return r;
	if (userns_root() < 0)
		return 0; /* an LSM forbids mounts; the other walls stand */
	root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || dup3(root, stage, O_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static int close_doors(int stage, int source)
{
	struct profile p = profile_builtin(PROFILE_UNPACK);
	int r;

	r = sys_capset(0, 0, 0);
	if (r == 0)
		r = landlock_enter(stage, source);
	if (r == 0)
		r = sys_seccomp_filter(p.prog, p.len);
	return r;
}

int sandbox_enter(int stage, int source, struct err *e)
{
	int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : set_limits();

	(void)umask(0); /* the modes of the archive are final */
	if (r == 0)
		r = enter_namespaces(stage, source);
	if (r == 0)
		r = close_doors(stage, source);
	return r < 0 ? err_sys(e, -r, "store: the unpack worker cannot be confined") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.c - the walls around the unpack worker.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
#define SANDBOX_FILES  256

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
	if (!SANDBOX_ASAN) /* its shadow is larger than any limit */
		LIMIT(RLIMIT_DATA, SANDBOX_MEMORY);
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

/* Return: 1; 0 where the kernel has none that will do; -errno */
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
	if (r == 0)
		r = sys_landlock_restrict_self(ruleset);
	return r < 0 ? r : 1;
}

/*
 * What is read is taken anew, through a mount of its own that nobody may write to: a directory's
 * ".." then ends there, and modes and times of what we read are out of reach.  By its path, since
 * a descriptor from outside is of no use for mounts; what is there must be the same still.
 * Return: 1; 0 when that is not to be had (another file by now, mounts below that are locked)
 */
static int source_anew(int source, const char *path)
{
	const struct sys_mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
							 MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };
	_cleanup_fd_ int tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC);
	_cleanup_fd_ int fd = -1;
	char self[sizeof("/proc/self/fd/") + 10];
	struct stat old, now;

	if (tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
		return 0;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", tree);
	fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(source, &old) < 0 || fstat(fd, &now) < 0)
		return 0;
	if (old.st_dev != now.st_dev || old.st_ino != now.st_ino)
		return 0;
	return dup3(fd, source, O_CLOEXEC) < 0 ? -errno : 1;
}

/*
 * The stage becomes the root directory, and the descriptor of it is taken anew from there: from
 * the old one, ".." still led to the host.
 */
static int stage_anew(int stage)
{
	_cleanup_fd_ int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return root < 0 || dup3(root, stage, O_CLOEXEC) < 0 ? -errno : 0;
}

/* Root needs no user namespace to have mounts of its own. */
static int enter_namespaces(int stage)
{
	int r = userns_enter(stage);

	return r == 1 && unshare(CLONE_NEWNS) == 0 ? 0 : r;
}

/* Return: 1 when no path leads out of the two directories any more; 0 when one may; -errno */
static int leave_host(int stage, int source, const char *path)
{
	struct stat st;
	int r, sealed;

	if (fstat(source, &st) < 0)
		return -errno;
	r = enter_namespaces(stage);
	if (r != 0)
		return r < 0 ? r : 0;
	sealed = source_anew(source, path);
	if (sealed < 0)
		return sealed;
	if (userns_root() < 0)
		return 0; /* an LSM forbids mounts */
	r = stage_anew(stage);
	return r < 0 ? r : sealed || !S_ISDIR(st.st_mode);
}

static int close_doors(int stage, int source)
{
	struct profile p = profile_builtin(PROFILE_UNPACK);
	int landlock, r;

	r = sys_capset(0, 0, 0);
	landlock = r < 0 ? r : landlock_enter(stage, source);
	if (landlock < 0)
		return landlock;
	r = sys_seccomp_filter(p.prog, p.len);
	return r < 0 ? r : landlock;
}

int sandbox_enter(int stage, int source, const char *path, struct err *e)
{
	int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : set_limits();
	int apart = r < 0 ? r : leave_host(stage, source, path);

	(void)umask(0); /* the modes of the archive are final */
	r = apart < 0 ? apart : close_doors(stage, source);
	if (r < 0)
		return err_sys(e, -r, "store: the unpack worker cannot be confined");
	if (apart || r > 0)
		return 0;
	/* nothing but the filter, which cannot tell one path from another */
	err_set(e, EPERM,
		"store: the unpack worker cannot be confined: neither namespaces nor Landlock are "
		"to be had");
	err_hint(e, "gpurun doctor");
	return -EPERM;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * peer.c - what a process is known by: its start time, since pids come again, the namespaces that
 * it is in, and the label of its container.
 *
 * A slot of a step is no more than a number that any process of the user's may have written, also
 * one in another container.  What it cannot do is mount: so the container of a step carries a
 * label, the name of the device of the tmpfs on /dev, by which all who enter it know that gpurun
 * made it, with the plan that the label is the digest of.  In a user namespace below that one
 * (--nested) anything can be mounted; hence the look at whose child it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/run.h>
#include <gpurun/sys.h>

#include "child.h"

uint64_t run_pid_start(pid_t pid)
{
	char state;

	return sys_pid_stat(pid, &state);
}

static int namespace_inode(pid_t pid, const char *name, uint64_t *ret)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	if (stat(path, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

int peer_spaces(pid_t pid, uint64_t *ret_user, uint64_t *ret_mnt)
{
	int r = namespace_inode(pid, "user", ret_user);

	return r < 0 ? r : namespace_inode(pid, "mnt", ret_mnt);
}

int run_peer(pid_t pid, struct sys_peer *ret)
{
	struct sys_peer p = { .pid = pid, .start = run_pid_start(pid) };
	int r = p.start ? peer_spaces(pid, &p.user_ns, &p.mnt_ns) : -ESRCH;

	if (r == 0)
		*ret = p;
	return r;
}

/* 1: the user namespace of @pid is a child of ours; a namespace that is no descendant is EPERM */
static int is_child_space(pid_t pid)
{
	_cleanup_fd_ int theirs = -1, parent = -1;
	struct stat above, ours;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (theirs < 0)
		return -errno;
	parent = ioctl(theirs, NS_GET_PARENT);
	if (parent < 0)
		return errno == EPERM ? 0 : -errno;
	if (fstat(parent, &above) < 0 || stat("/proc/self/ns/user", &ours) < 0)
		return -errno;
	return above.st_dev == ours.st_dev && above.st_ino == ours.st_ino;
}

#define MOUNTS_AT_ONCE 4096
#define LABEL_MAX      128

/*
 * Is @what somewhere in the file?  Blanks in names are written as \040, so what holds blanks of
 * its own is found where the kernel writes such, and in no path.
 */
static int file_contains(int fd, const char *what)
{
	char buf[LABEL_MAX + MOUNTS_AT_ONCE + 1];
	size_t n = strlen(what), have = 0;
	ssize_t got;

	if (n == 0 || n > LABEL_MAX)
		return -EINVAL;
	while ((got = fd_read_up_to(fd, buf + have, MOUNTS_AT_ONCE)) > 0) {
		have += (size_t)got;
		if (memmem(buf, have, what, n))
			return 1;
		if (have >= n) {
			memmove(buf, buf + have - (n - 1), n - 1);
			have = n - 1;
		}
	}
	return (int)got;
}

int run_peer_in(pid_t pid, const char *label)
{
	char path[64], what[LABEL_MAX];
	_cleanup_fd_ int fd = -1;
	int r = is_child_space(pid);

	if (r <= 0)
		return r;
	if ((size_t)snprintf(what, sizeof(what), " - tmpfs %s", label) >= sizeof(what))
		return -EINVAL;
	(void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : file_contains(fd, what);
}

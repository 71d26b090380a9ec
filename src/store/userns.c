/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userns.c - namespaces of helper processes.
 */
#include "userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/sys.h>

static int write_map(const char *file, unsigned int id)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%u %u 1\n", id, id);

	return file_write(AT_FDCWD, file, text, (size_t)n);
}

/* unshare(2) moves the current directory into the new mount namespace; descriptors stay. */
int userns_enter(int dir)
{
	unsigned int uid = geteuid(), gid = getegid();
	int r;

	if (fchdir(dir) < 0)
		return -errno;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return 1;
	r = file_write(AT_FDCWD, "/proc/self/setgroups", "deny", 4);
	if (r == 0)
		r = write_map("/proc/self/uid_map", uid);
	if (r == 0)
		r = write_map("/proc/self/gid_map", gid);
	return r;
}

static int make_private(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}

int userns_root(void)
{
	const struct sys_mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
	_cleanup_fd_ int tree = -1;
	int r = make_private();

	if (r < 0)
		return r;
	tree = sys_open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | O_CLOEXEC);
	if (tree < 0)
		return tree;
	r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
	if (r == 0)
		r = sys_move_mount(tree, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH);
	if (r == 0 && fchdir(tree) < 0)
		r = -errno;
	if (r == 0)
		r = sys_pivot_root(".", ".");
	if (r == 0 && (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0))
		r = -errno;
	return r;
}

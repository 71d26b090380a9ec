// SPDX-License-Identifier: Apache-2.0
/*
 * devices.c - operations that deal with device nodes: binding a chosen one into the fresh /dev,
 * and hiding a path behind /dev/null or an empty directory.
 *
 * A process in a user namespace cannot make nodes; binding the host's one by one onto empty
 * files is the device filter that needs no privilege.  What was opened is checked before it is
 * mounted: its type, its number against the plan, and that it is not on a nodev mount.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include <gpurun/fd.h>
#include <gpurun/sys.h>

#include "child.h"

/* -errno with @e filled unless @fd is the planned node and can be opened through a mount */
static int node_check(const struct op *op, int fd, struct err *e)
{
	struct statvfs vfs;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatvfs(fd, &vfs) < 0)
		return err_sys(e, errno, "%s (%s)", op->src, op->why);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, ENODEV, "%s (%s): not a device node", op->src, op->why);
	if (op->rdev && st.st_rdev != op->rdev)
		return err_set(e, ENODEV, "%s (%s): is device %u:%u, expected %u:%u", op->src,
			       op->why, major(st.st_rdev), minor(st.st_rdev), major(op->rdev),
			       minor(op->rdev));
	if (vfs.f_flag & ST_NODEV) {
		err_set(e, EACCES, "%s (%s): its file system is mounted nodev", op->src, op->why);
		err_hint(e, "name the node in /dev itself");
		return -EACCES;
	}
	return 0;
}

int op_bind_dev(struct child *c, const struct op *op, struct err *e)
{
	_cleanup_fd_ int tree = -1;
	int r;

	tree = sys_open_tree(AT_FDCWD, op->src, OPEN_TREE_CLONE | O_CLOEXEC);
	if (tree == -ENOENT && (op->flags & OPF_OPTIONAL))
		return 0;
	if (tree < 0)
		return err_sys(e, -tree, "%s (%s)", op->src, op->why);
	r = node_check(op, tree, e);
	return r < 0 ? r : op_attach(c, op, tree, false, e);
}

/* A detached mount of the host's /dev/null, or of our empty directory. */
static int mask_tree(struct child *c, bool directory)
{
	struct stat st;
	int tree;

	if (directory)
		return sys_open_tree(c->empty, "", OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH);
	tree = sys_open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | O_CLOEXEC);
	if (tree < 0)
		return tree;
	if (fstat(tree, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)) {
		(void)fd_close(tree);
		return -ENODEV;
	}
	return tree;
}

int op_mask(struct child *c, const struct op *op, struct err *e)
{
	static const struct sys_mount_attr attr = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	};
	_cleanup_fd_ int target = -1, tree = -1;
	struct stat st;
	int r;

	target = root_open(c->root, op->dst, O_PATH, 0);
	if (target == -ENOENT && (op->flags & OPF_OPTIONAL))
		return 0;
	if (target < 0)
		return op_error(op, -target, e);
	if (fstat(target, &st) < 0)
		return op_error(op, errno, e);
	tree = mask_tree(c, S_ISDIR(st.st_mode));
	if (tree < 0)
		return op_error(op, -tree, e);
	r = sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr);
	if (r == 0)
		r = sys_move_mount(tree, "", target, "",
				   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	return r < 0 ? op_error(op, -r, e) : 0;
}

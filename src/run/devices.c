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
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include <gpurun/fd.h>
#include <gpurun/sys.h>

#include "child.h"

/* -errno with @e filled unless it is the planned node */
static int node_check(const struct op *op, const struct stat *st, struct err *e)
{
	if (!S_ISCHR(st->st_mode) && !S_ISBLK(st->st_mode))
		return err_set(e, ENODEV, "%s (%s): not a device node", op->src, op->why);
	if (op->rdev && (st->st_rdev != op->rdev || S_ISBLK(st->st_mode) != S_ISBLK(op->mode)))
		return err_set(e, ENODEV, "%s (%s): is device %u:%u, expected %u:%u", op->src,
			       op->why, major(st->st_rdev), minor(st->st_rdev), major(op->rdev),
			       minor(op->rdev));
	return 0;
}

/* The same unless it can be opened through a mount */
static int nodev_check(const struct op *op, const struct statvfs *vfs, struct err *e)
{
	if (!(vfs->f_flag & ST_NODEV))
		return 0;
	err_set(e, EACCES, "%s (%s): its file system is mounted nodev", op->src, op->why);
	err_hint(e, "name the node in /dev itself");
	return -EACCES;
}

/* The long way: what was opened is checked, then mounted. */
static int node_attach(struct child *c, const struct op *op, struct err *e)
{
	_cleanup_fd_ int tree = -1;
	struct statvfs vfs;
	struct stat st;
	int r;

	tree = sys_open_tree(AT_FDCWD, op->src, OPEN_TREE_CLONE | O_CLOEXEC);
	if (tree == -ENOENT && (op->flags & OPF_OPTIONAL))
		return 0;
	if (tree < 0)
		return err_sys(e, -tree, "%s (%s)", op->src, op->why);
	if (fstat(tree, &st) < 0 || fstatvfs(tree, &vfs) < 0)
		return err_sys(e, errno, "%s (%s)", op->src, op->why);
	r = node_check(op, &st, e);
	if (r == 0)
		r = nodev_check(op, &vfs, e);
	return r < 0 ? r : op_attach(c, op, tree, false, e);
}

static bool in_dev(const char *src)
{
	return strncmp(src, "/dev/", 5) == 0 && !strchr(src + 5, '/');
}

/* What was mounted is checked: nothing runs in the container before all of it is there. */
int op_bind_dev(struct child *c, const struct op *op, struct err *e)
{
	char path[SPOT_PATH_MAX];
	struct statvfs vfs;
	struct spot s;
	struct stat st;
	int r = op_bind_new(c, op, &s, e);

	if (r == OP_LONG_WAY)
		return node_attach(c, op, e);
	if (r != OP_BOUND)
		return r < 0 ? r : 0;
	if (fstatat(s.dir, s.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return op_error(op, errno, e);
	r = node_check(op, &st, e);
	/* most come from /dev itself; others may be on another mount of the same */
	if (r < 0 || (in_dev(op->src) && st.st_dev == c->nodes))
		return r;
	spot_path(&s, path);
	if (statvfs(path, &vfs) < 0)
		return op_error(op, errno, e);
	r = nodev_check(op, &vfs, e);
	if (r == 0)
		c->nodes = st.st_dev;
	return r;
}

/* The host's /dev/null on a file of the base, to be bound from there as often as it is needed. */
static int null_mount(struct child *c)
{
	static const struct sys_mount_attr attr = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	};
	const struct spot s = { .dir = c->base, .name = "null" };
	struct stat st;
	int r;

	if (mknodat(s.dir, s.name, S_IFREG, 0) < 0)
		return -errno;
	r = spot_bind(&s, "/dev/null", false);
	if (r == 0)
		r = spot_attrs(&s, &attr);
	if (r < 0)
		return r == -ENOENT ? -ENODEV : r;
	if (fstatat(s.dir, s.name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISCHR(st.st_mode) ||
	    st.st_rdev != makedev(1, 3))
		return -ENODEV;
	spot_path(&s, c->null);
	return 0;
}

static int mask_file(struct child *c, const char *target)
{
	int r = c->null[0] ? 0 : null_mount(c);

	if (r < 0)
		return r;
	return mount(c->null, target, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

/* The cover of our directory of the host, read-only as it is. */
static int mask_directory(const struct child *c, const char *target)
{
	char empty[FD_PATH_MAX];

	fd_path(c->empty, empty);
	return mount(empty, target, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

/* Which one fits is known before: a mount that fails is slow, the kernel undoes its copy. */
static int mask(struct child *c, const struct stat *st, const char *target)
{
	return S_ISDIR(st->st_mode) ? mask_directory(c, target) : mask_file(c, target);
}

/* Nothing to be masked is no error where it need not be there: 1 */
static int mask_none(const struct op *op, int r, struct err *e)
{
	return r == -ENOENT && (op->flags & OPF_OPTIONAL) ? 1 : op_error(op, -r, e);
}

/* What is there, wherever links of the image lead. */
static int mask_long(struct child *c, const struct op *op, struct err *e)
{
	_cleanup_fd_ int target = place_target(c, op->dst);
	char path[FD_PATH_MAX];
	struct stat st;
	int r;

	if (target < 0)
		return mask_none(op, target, e);
	if (fstat(target, &st) < 0)
		return op_error(op, errno, e);
	fd_path(target, path);
	r = mask(c, &st, path);
	return r < 0 ? op_error(op, -r, e) : 0;
}

int op_mask(struct child *c, const struct op *op, struct err *e)
{
	char path[SPOT_PATH_MAX];
	struct stat st;
	struct spot s;
	int r = place_proc(c, op->dst, &s);

	if (r < 0)
		return op_error(op, -r, e);
	if (r > 0 && fstatat(s.dir, s.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return mask_none(op, -errno, e);
	if (r == 0 || S_ISLNK(st.st_mode))
		return mask_long(c, op, e);
	spot_path(&s, path);
	r = mask(c, &st, path);
	return r < 0 ? op_error(op, -r, e) : 0;
}

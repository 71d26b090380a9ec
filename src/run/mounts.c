// SPDX-License-Identifier: Apache-2.0
/*
 * mounts.c - step mounts: the plan's operations, one function per kind, one row per function.
 *
 * Destinations are opened below the new root's descriptor with RESOLVE_IN_ROOT; what is mounted
 * is a detached tree moved onto a descriptor, so no path of the image is ever resolved by
 * mount(2).  Fresh file systems are mounted on /proc/self/fd/N of such a descriptor (the host's
 * proc is still there: the pivot comes later).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/sys.h>

#include "child.h"

int op_error(const struct op *op, int code, struct err *e)
{
	if (code == EEXIST) /* of root_mkdirs */
		return err_set(e, code, "%s (%s): a link of the image on the way leads nowhere",
			       op->dst, op->why);
	if (code == EXDEV) /* likewise */
		return err_set(e, code,
			       "%s (%s): a link of the image on the way leads into another mount, "
			       "where nothing is made",
			       op->dst, op->why);
	return err_sys(e, code, "%s (%s)", op->dst, op->why);
}

static unsigned long mount_flags(uint64_t attrs)
{
	return ((attrs & MOUNT_ATTR_RDONLY) ? MS_RDONLY : 0UL) |
	       ((attrs & MOUNT_ATTR_NOSUID) ? MS_NOSUID : 0UL) |
	       ((attrs & MOUNT_ATTR_NODEV) ? MS_NODEV : 0UL) |
	       ((attrs & MOUNT_ATTR_NOEXEC) ? MS_NOEXEC : 0UL) |
	       ((attrs & MOUNT_ATTR_NOATIME) ? MS_NOATIME : 0UL) |
	       ((attrs & MOUNT_ATTR_STRICTATIME) ? MS_STRICTATIME : 0UL);
}

/*
 * A root that cannot be written there: it is read-only, or its directory belongs to an id that
 * is not mapped, which an overlay refuses to copy up (EOVERFLOW).
 */
static bool is_unwritable(int r)
{
	return r == -EROFS || r == -EACCES || r == -EPERM || r == -EOVERFLOW;
}

/*
 * What is optional is left out where the image has no place for it: nothing can be written there,
 * or something else is in the way, such as a file for a directory or a link that leads nowhere.
 */
static bool is_left_out(const struct op *op, int r)
{
	return op->flags & OPF_OPTIONAL && (is_unwritable(r) || r == -ENOTDIR || r == -EISDIR ||
					    r == -EEXIST || r == -ELOOP || r == -EXDEV);
}

/* Open the parent directory of the destination; @ret_name is its last component. */
static int parent_open(struct child *c, const struct op *op, const char **ret_name)
{
	const char *slash = strrchr(op->dst, '/');
	char dir[4096];
	size_t n;

	if (!slash || !slash[1])
		return -EINVAL;
	n = (size_t)(slash - op->dst);
	if (n >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, op->dst, n);
	dir[n] = '\0';
	*ret_name = slash + 1;
	return root_mkdirs(c->root, n ? dir : "/", 0755);
}

/* The same for a directory that must be where its name says, not where a link leads. */
static int directory_open(struct child *c, const struct op *op, struct err *e)
{
	_cleanup_fd_ int parent = -1;
	const char *name;
	int fd;

	parent = parent_open(c, op, &name);
	if (parent < 0)
		return op_error(op, -parent, e);
	if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
		return op_error(op, errno, e);
	fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "%s (%s): is not a directory inside the image", op->dst,
			       op->why);
	return fd;
}

/* The mount point of an operation; a missing one is made. */
static int target_open(struct child *c, const struct op *op, bool directory, struct err *e)
{
	struct stat st;
	int fd;

	fd = directory ? root_mkdirs(c->root, op->dst, 0755) : root_mkfile(c->root, op->dst, 0644);
	if (fd == -ENOTDIR) /* of a parent, or the file that the message below is about */
		fd = root_open(c->root, op->dst, O_PATH, 0);
	if (fd < 0) {
		op_error(op, -fd, e);
		if (is_unwritable(fd))
			err_hint(e, "the image has no such mount point and cannot be written here");
		return fd;
	}
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) != directory) {
		(void)fd_close(fd);
		return err_set(e, directory ? ENOTDIR : EISDIR,
			       "%s (%s): is %s inside the image, the source is %s", op->dst,
			       op->why, directory ? "a file" : "a directory",
			       directory ? "a directory" : "a file");
	}
	return fd;
}

int op_attach(struct child *c, const struct op *op, int tree, bool directory, struct err *e)
{
	const struct sys_mount_attr attr = { .attr_set = op->attrs,
					     .propagation = op->propagation };
	_cleanup_fd_ int target = -1;
	int r;

	if (op->attrs || op->propagation) {
		r = sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr);
		if (r < 0)
			return op_error(op, -r, e);
	}
	target = target_open(c, op, directory, e);
	if (is_left_out(op, target)) {
		*e = (struct err){ 0 };
		return 0;
	}
	if (target < 0)
		return target;
	r = sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	return r < 0 ? op_error(op, -r, e) : 0;
}

/* Clone the mount at a host path and put it on the destination. */
static int bind_host(struct child *c, const struct op *op, const char *src, unsigned int flags,
		     struct err *e)
{
	_cleanup_fd_ int tree = -1;
	struct stat st;

	tree = sys_open_tree(AT_FDCWD, src, OPEN_TREE_CLONE | O_CLOEXEC | flags);
	if (tree == -ENOENT && (op->flags & OPF_OPTIONAL))
		return 0;
	if (tree < 0) {
		err_sys(e, -tree, "%s (%s)", src, op->why);
		if (tree == -EINVAL)
			err_hint(e,
				 "mounts below %s cannot be left out in a user namespace: "
				 "bind it recursively",
				 src);
		return tree;
	}
	if (fstat(tree, &st) < 0)
		return err_sys(e, errno, "%s (%s)", src, op->why);
	return op_attach(c, op, tree, S_ISDIR(st.st_mode), e);
}

static int op_bind(struct child *c, const struct op *op, struct err *e)
{
	return bind_host(c, op, op->src, (op->flags & OPF_RECURSIVE) ? AT_RECURSIVE : 0, e);
}

/* Mount a fresh file system of @type on the destination. */
static int mount_fresh(struct child *c, const struct op *op, const char *type, const char *data,
		       struct err *e)
{
	_cleanup_fd_ int target = -1;
	char path[64];

	target = op->flags & OPF_NOFOLLOW ? directory_open(c, op, e) : target_open(c, op, true, e);
	if (target < 0)
		return target;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", target);
	if (mount(type, path, type, mount_flags(op->attrs), data) < 0)
		return op_error(op, errno, e);
	return 0;
}

static int op_tmpfs(struct child *c, const struct op *op, struct err *e)
{
	char data[64];
	int r;

	(void)snprintf(data, sizeof(data), "mode=%o,size=%llu", op->mode ? op->mode : 01777,
		       (unsigned long long)op->size);
	r = mount_fresh(c, op, "tmpfs", data, e);
	if (r < 0 || strcmp(op->dst, "/dev") != 0)
		return r;
	/* the device directory itself, whatever is mounted over it later */
	(void)fd_close(c->dev);
	c->dev = root_open(c->root, op->dst, O_PATH | O_DIRECTORY, 0);
	return c->dev < 0 ? op_error(op, -c->dev, e) : 0;
}

static int op_proc(struct child *c, const struct op *op, struct err *e)
{
	int r;

	if (op->flags & OPF_HOST)
		return bind_host(c, op, "/proc", AT_RECURSIVE, e);
	r = mount_fresh(c, op, "proc", NULL, e);
	/* refused where the surrounding sandbox masks parts of its own proc */
	if (r == -EPERM)
		e->topic = ERR_TOPIC_PROC;
	return r;
}

static int op_sysfs(struct child *c, const struct op *op, struct err *e)
{
	if (op->flags & OPF_HOST)
		return bind_host(c, op, "/sys", AT_RECURSIVE, e);
	return mount_fresh(c, op, "sysfs", NULL, e);
}

static int op_devpts(struct child *c, const struct op *op, struct err *e)
{
	/* no gid=5: with one mapped id the kernel refuses it */
	return mount_fresh(c, op, "devpts", "newinstance,ptmxmode=0666,mode=0620", e);
}

static int op_mqueue(struct child *c, const struct op *op, struct err *e)
{
	if (op->flags & OPF_HOST)
		return bind_host(c, op, "/dev/mqueue", AT_RECURSIVE, e);
	return mount_fresh(c, op, "mqueue", NULL, e);
}

static int op_dir(struct child *c, const struct op *op, struct err *e)
{
	int fd = root_mkdirs(c->root, op->dst, op->mode ? op->mode : 0755);

	if (fd < 0)
		return op_error(op, -fd, e);
	(void)fd_close(fd);
	return 0;
}

/* A new file of the text in @parent; what stood there before, unless a directory, is replaced. */
static int file_create(int parent, const char *name, const struct op *op)
{
	_cleanup_fd_ int fd = -1;
	int r;

	if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, op->data, op->data_len);
	if (r < 0)
		return r;
	return fchmod(fd, op->mode ? op->mode : 0644) < 0 ? -errno : 0;
}

/* The root cannot be written: the text goes to a file of the base, bound over the destination. */
static int file_bind(struct child *c, const struct op *op, struct err *e)
{
	_cleanup_fd_ int tree = -1;
	struct op bound = *op;
	int r;

	r = file_create(c->base, "file", op);
	if (r < 0)
		return op_error(op, -r, e);
	tree = base_clone(c, "file");
	if (tree < 0)
		return op_error(op, -tree, e);
	bound.attrs |= MOUNT_ATTR_RDONLY;
	r = op_attach(c, &bound, tree, false, e);
	if (r < 0)
		return r;
	/* the mount keeps the file; the next one gets its own */
	return unlinkat(c->base, "file", 0) < 0 ? op_error(op, errno, e) : 0;
}

static int op_file(struct child *c, const struct op *op, struct err *e)
{
	_cleanup_fd_ int parent = -1;
	const char *name;
	int r;

	if (op->flags & OPF_BIND_FILE)
		return file_bind(c, op, e);
	parent = parent_open(c, op, &name);
	r = parent < 0 ? parent : file_create(parent, name, op);
	if (is_left_out(op, r))
		return 0;
	return r < 0 ? op_error(op, -r, e) : 0;
}

/* A link in @parent, in the place of what stood there before, unless that is a directory. */
static int link_create(int parent, const char *name, const char *target)
{
	if (symlinkat(target, parent, name) == 0)
		return 0;
	if (errno != EEXIST || unlinkat(parent, name, 0) < 0)
		return -errno;
	return symlinkat(target, parent, name) < 0 ? -errno : 0;
}

static int op_symlink(struct child *c, const struct op *op, struct err *e)
{
	_cleanup_fd_ int parent = -1;
	const char *name;
	int r;

	parent = parent_open(c, op, &name);
	r = parent < 0 ? parent : link_create(parent, name, op->data);
	if (is_left_out(op, r))
		return 0;
	return r < 0 ? op_error(op, -r, e) : 0;
}

/* Bind what is there onto itself, read-only, with all that is mounted below it. */
static int op_readonly(struct child *c, const struct op *op, struct err *e)
{
	const struct sys_mount_attr attr = { .attr_set = op->attrs | MOUNT_ATTR_RDONLY };
	_cleanup_fd_ int target = -1, tree = -1;
	int r;

	target = root_open(c->root, op->dst, O_PATH, 0);
	if (target == -ENOENT && (op->flags & OPF_OPTIONAL))
		return 0;
	if (target < 0)
		return op_error(op, -target, e);
	tree = sys_open_tree(target, "",
			     OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (tree < 0)
		return op_error(op, -tree, e);
	r = sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr);
	if (r == 0)
		r = sys_move_mount(tree, "", target, "",
				   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	return r < 0 ? op_error(op, -r, e) : 0;
}

typedef int op_func(struct child *c, const struct op *op, struct err *e);

static op_func *const op_funcs[OP_KIND_COUNT] = {
	[OP_BIND] = op_bind,       [OP_BIND_DEV] = op_bind_dev, [OP_TMPFS] = op_tmpfs,
	[OP_PROC] = op_proc,       [OP_SYSFS] = op_sysfs,       [OP_DEVPTS] = op_devpts,
	[OP_MQUEUE] = op_mqueue,   [OP_DIR] = op_dir,           [OP_FILE] = op_file,
	[OP_SYMLINK] = op_symlink, [OP_MASK] = op_mask,         [OP_READONLY] = op_readonly,
};

int step_mounts(struct child *c, struct err *e)
{
	const struct op_list *ops = &c->plan->container.ops;

	for (size_t i = 0; i < ops->n; i++) {
		const struct op *op = &ops->v[i];
		int r;

		if ((unsigned int)op->kind >= OP_KIND_COUNT || !op_funcs[op->kind])
			return err_set(e, ENOSYS, "%s (%s): unknown operation", op->dst, op->why);
		r = op_funcs[op->kind](c, op, e);
		if (r < 0)
			return r;
	}
	return 0;
}

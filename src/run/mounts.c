// SPDX-License-Identifier: Apache-2.0
/*
 * mounts.c - step mounts: the plan's operations, one function per kind, one row per function.
 *
 * Destinations are opened below the new root's descriptor with RESOLVE_IN_ROOT; what is mounted
 * is a detached tree moved onto a descriptor, so no path of the image is ever resolved by
 * mount(2).  Fresh file systems are mounted on /proc/self/fd/N of such a descriptor (the host's
 * proc is still there: the pivot comes later).  That is the long way; a destination that is made in
 * a directory of our own takes a shorter one (place.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>
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

/*
 * The parent directory of the destination, made when it is missing.  Not every one can be held:
 * @ret_fd is the caller's to close.
 */
static int parent_open(struct child *c, const struct op *op, struct spot *ret, int *ret_fd)
{
	int r = place_find(c, op->dst, ret);
	char dir[4096];
	size_t n;

	if (r != 0)
		return r;
	ret->name = strrchr(op->dst, '/') + 1;
	n = (size_t)(ret->name - op->dst);
	if (n >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, op->dst, n);
	dir[n] = '\0';
	ret->dir = *ret_fd = root_mkdirs(c->root, dir, 0755);
	return ret->dir;
}

static int target_failed(const struct op *op, int r, struct err *e)
{
	op_error(op, -r, e);
	if (is_unwritable(r))
		err_hint(e, "the image has no such mount point and cannot be written here");
	return r;
}

/*
 * A mount point that must be where its name says, not where a link leads: what is hidden of /proc
 * and /sys is hidden below these names, and Landlock's list hangs on /dev.
 */
static int directory_open(struct child *c, const struct op *op, struct err *e)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	_cleanup_fd_ int parent = -1;
	struct spot s;
	int fd, r;

	r = parent_open(c, op, &s, &parent);
	if (r < 0)
		return op_error(op, -r, e);
	fd = openat(s.dir, s.name, flags);
	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(s.dir, s.name, 0755) < 0 && errno != EEXIST)
			return target_failed(op, -errno, e);
		fd = openat(s.dir, s.name, flags);
	}
	if (fd < 0)
		return err_set(e, errno, "%s (%s): is not a directory inside the image", op->dst,
			       op->why);
	return fd;
}

/* The name of an open directory or file; 0: it has none that fits */
static size_t fd_name(int fd, char name[PATH_MAX])
{
	char path[FD_PATH_MAX];
	ssize_t n;

	fd_path(fd, path);
	n = readlink(path, name, PATH_MAX - 1);
	name[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/*
 * What the user mounts by its name below /dev may be used as a device, and what is hidden of /proc
 * and /sys is hidden by its name: no link of the image leads a mount there.
 */
static int target_check(const struct child *c, const struct op *op, int target, struct err *e)
{
	static const char *const kernels[] = { "/dev", "/proc", "/sys" };
	char root[PATH_MAX], name[PATH_MAX];
	size_t n = fd_name(c->root, root);

	if (n == 0 || fd_name(target, name) < n || memcmp(root, name, n) != 0)
		return err_set(e, EXDEV, "%s (%s): is not inside the root", op->dst, op->why);
	for (size_t i = 0; i < ELEMENTS(kernels); i++) {
		if (!path_below(name + n, kernels[i]) || path_below(op->dst, kernels[i]))
			continue;
		err_set(e, EXDEV, "%s (%s): a link of the image leads to %s", op->dst, op->why,
			name + n);
		err_hint(e, "nothing is mounted there by way of a link: name that place itself");
		return -EXDEV;
	}
	return 0;
}

/* The mount point of an operation; a missing one is made. */
static int target_open(struct child *c, const struct op *op, bool directory, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r;

	if (op->flags & OPF_NOFOLLOW)
		return directory_open(c, op, e);
	fd = directory ? root_mkdirs(c->root, op->dst, 0755) : root_mkfile(c->root, op->dst, 0644);
	if (fd == -ENOTDIR) /* of a parent, or the file that the message below is about */
		fd = root_open(c->root, op->dst, O_PATH, 0);
	if (fd < 0)
		return target_failed(op, fd, e);
	r = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) != directory
		    ? err_set(e, directory ? ENOTDIR : EISDIR,
			      "%s (%s): is %s inside the image, the source is %s", op->dst, op->why,
			      directory ? "a file" : "a directory",
			      directory ? "a directory" : "a file")
		    : target_check(c, op, fd, e);
	return r < 0 ? r : fd_take(&fd);
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
		return op->kind == OP_BIND; /* what hides something is asked for all the same */
	}
	if (target < 0)
		return target;
	place_drop(c);
	r = sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	return r < 0 ? op_error(op, -r, e) : 0;
}

/* A source that cannot be bound: 1 when it need not be there. */
static int source_failed(const struct op *op, const char *src, int r, struct err *e)
{
	if (r == -ENOENT && (op->flags & OPF_OPTIONAL))
		return 1;
	err_sys(e, -r, "%s (%s)", src, op->why);
	if (r == -EINVAL)
		err_hint(e,
			 "mounts below %s cannot be left out in a user namespace: "
			 "bind it recursively",
			 src);
	return r;
}

int op_bind_new(struct child *c, const struct op *op, struct spot *ret, struct err *e)
{
	const struct sys_mount_attr attr = { .attr_set = op->attrs,
					     .propagation = op->propagation };
	int r = spot_make(c, op->dst, ret);

	if (r == 0)
		return OP_LONG_WAY;
	if (is_left_out(op, r))
		return OP_LEFT_OUT;
	if (r < 0)
		return target_failed(op, r, e);
	r = spot_bind(ret, op->src, (op->flags & OPF_RECURSIVE) != 0);
	if (r < 0) {
		/* nothing is left of what is optional */
		(void)unlinkat(ret->dir, ret->name, 0);
		r = source_failed(op, op->src, r, e);
		return r < 0 ? r : OP_LEFT_OUT;
	}
	if (op->attrs || op->propagation)
		r = spot_attrs(ret, &attr);
	return r < 0 ? op_error(op, -r, e) : OP_BOUND;
}

/* Clone the mount at a host path and put it on the destination. */
static int bind_long(struct child *c, const struct op *op, struct err *e)
{
	const unsigned int recursive = (op->flags & OPF_RECURSIVE) ? AT_RECURSIVE : 0;
	_cleanup_fd_ int tree = -1;
	struct stat st;

	tree = sys_open_tree(AT_FDCWD, op->src, OPEN_TREE_CLONE | O_CLOEXEC | recursive);
	if (tree < 0)
		return source_failed(op, op->src, tree, e);
	if (fstat(tree, &st) < 0)
		return err_sys(e, errno, "%s (%s)", op->src, op->why);
	return op_attach(c, op, tree, S_ISDIR(st.st_mode), e);
}

/* The same with a directory of the kernel, and what is mounted below it. */
static int bind_host(struct child *c, const struct op *op, const char *src, struct err *e)
{
	_cleanup_fd_ int tree = -1;
	int r;

	tree = sys_open_tree(AT_FDCWD, src, OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE);
	r = tree < 0 ? source_failed(op, src, tree, e) : op_attach(c, op, tree, true, e);
	return r < 0 ? r : 0;
}

static int op_bind(struct child *c, const struct op *op, struct err *e)
{
	struct spot s;
	int r = op_bind_new(c, op, &s, e);

	if (r == OP_LONG_WAY)
		return bind_long(c, op, e);
	return r < 0 ? r : r == OP_LEFT_OUT;
}

/* The name of the device, which the type serves for; that of a step's /dev is its label. */
static const char *source_name(const struct child *c, const struct op *op, const char *type)
{
	return c->label && op->kind == OP_TMPFS && strcmp(op->dst, "/dev") == 0 ? c->label : type;
}

/* The same on a mount point that was there, or cannot be held. */
static int mount_fresh_on(struct child *c, const struct op *op, const char *type, const char *data,
			  struct err *e)
{
	const char *src = source_name(c, op, type);
	_cleanup_fd_ int target = -1;
	char path[FD_PATH_MAX];

	target = target_open(c, op, true, e);
	if (target < 0)
		return target;
	place_drop(c);
	fd_path(target, path);
	return mount(src, path, type, mount_flags(op->attrs), data) < 0 ? op_error(op, errno, e)
									: 0;
}

/* Mount a fresh file system of @type on the destination. */
static int mount_fresh(struct child *c, const struct op *op, const char *type, const char *data,
		       struct err *e)
{
	struct spot s;
	int r = spot_make_dir(c, op->dst, &s);

	if (r == 0)
		return mount_fresh_on(c, op, type, data, e);
	if (r < 0)
		return target_failed(op, r, e);
	r = spot_mount(&s, source_name(c, op, type), type, mount_flags(op->attrs), data);
	return r < 0 ? op_error(op, -r, e) : 0;
}

static int op_tmpfs(struct child *c, const struct op *op, struct err *e)
{
	char data[TMPFS_DATA_MAX];
	int fd, r;

	tmpfs_data(data, op->mode ? op->mode : 01777, op->size);
	r = mount_fresh(c, op, "tmpfs", data, e);
	if (r < 0)
		return r;
	/* a directory of ours: what it is for comes next */
	fd = op->flags & OPF_NOFOLLOW ? place_fresh(c, op->dst) : 0;
	if (fd < 0)
		return op_error(op, -fd, e);
	/* the device directory itself, whatever is mounted over it later */
	if (op->flags & OPF_NOFOLLOW && strcmp(op->dst, "/dev") == 0)
		c->dev = fd;
	return 0;
}

static int op_proc(struct child *c, const struct op *op, struct err *e)
{
	int r;

	if (op->flags & OPF_HOST)
		return bind_host(c, op, "/proc", e);
	r = mount_fresh(c, op, "proc", NULL, e);
	/* refused where the surrounding sandbox masks parts of its own proc */
	if (r == -EPERM)
		e->topic = ERR_TOPIC_PROC;
	return r;
}

static int op_sysfs(struct child *c, const struct op *op, struct err *e)
{
	if (op->flags & OPF_HOST)
		return bind_host(c, op, "/sys", e);
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
		return bind_host(c, op, "/dev/mqueue", e);
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
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	const mode_t mode = op->mode ? op->mode : 0644; /* our umask is 0 */
	_cleanup_fd_ int fd = openat(parent, name, flags, mode);

	if (fd < 0 && errno == EEXIST) {
		if (unlinkat(parent, name, 0) < 0)
			return -errno;
		fd = openat(parent, name, flags, mode);
	}
	return fd < 0 ? -errno : fd_write_all(fd, op->data, op->data_len);
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
	struct spot s;
	int r;

	if (op->flags & OPF_BIND_FILE)
		return file_bind(c, op, e);
	r = parent_open(c, op, &s, &parent);
	r = r < 0 ? r : file_create(s.dir, s.name, op);
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
	struct spot s;
	int r;

	r = parent_open(c, op, &s, &parent);
	r = r < 0 ? r : link_create(s.dir, s.name, op->data);
	if (is_left_out(op, r))
		return 0;
	return r < 0 ? op_error(op, -r, e) : 0;
}

/* The same by its name in a procfs. */
static int readonly_proc(const struct op *op, const struct spot *s,
			 const struct sys_mount_attr *attr, struct err *e)
{
	char path[SPOT_PATH_MAX];
	int r;

	spot_path(s, path);
	r = spot_mount(s, path, NULL, MS_BIND | MS_REC, NULL);
	if (r == -ENOENT && (op->flags & OPF_OPTIONAL))
		return 0;
	if (r == 0)
		r = spot_attrs(s, attr);
	return r < 0 ? op_error(op, -r, e) : 0;
}

/* Bind what is there onto itself, read-only, with all that is mounted below it. */
static int op_readonly(struct child *c, const struct op *op, struct err *e)
{
	const struct sys_mount_attr attr = { .attr_set = op->attrs | MOUNT_ATTR_RDONLY,
					     .propagation = MS_PRIVATE };
	_cleanup_fd_ int target = -1, tree = -1;
	struct spot s;
	int r;

	r = place_proc(c, op->dst, &s);
	if (r != 0)
		return r < 0 ? op_error(op, -r, e) : readonly_proc(op, &s, &attr, e);
	target = place_target(c, op->dst);
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

/* 1: there is nothing at the destination, which need not be there; -errno with @e filled */
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
		if (r > 0 && i < CHILD_OPS_MAX)
			c->absent[i / 64] |= UINT64_C(1) << i % 64;
	}
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * rootfs.c - steps rootfs and pivot: put the root together, make it "/".
 *
 * Everything is built on a tmpfs over an empty directory of ours (plan.root.base), which only
 * this mount namespace sees:
 *	BASE/root    the new root
 *	BASE/u, w    overlay's upper and work directory, unless they are on disk
 *	BASE/file    for a moment, source of a file in a root that cannot be written
 * What the container mounts of the host may hold the directory that BASE is in: /dev/shm does, in
 * a job.  There the new root would be once more, as it is before the masks, and the records by
 * which ranks and "gpurun exec" enter containers.  So no bind takes BASE along, and our directory
 * is covered by an empty one, which every bind takes along and which the masks are made of.
 * The overlay is mounted by mount(2) with the layers named as /proc/self/fd/N: the short names
 * make 128 layers fit the one page that mount data may have, and the same call works on every
 * kernel since 5.11 (fsconfig's "lowerdir+" needs 6.8).  userxattr is always given: without it
 * an overlay in a user namespace mounts but ignores opaque marks, and deleted files reappear.
 * xino=auto, where the kernel can: a directory then names the inode numbers that stat(2) gives.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/sys.h>

#include "child.h"

#define LOWERS_MAX     128
#define BASE_SIZE      (24U << 20) /* when it holds no upper: files of OPF_BIND_FILE, ld.so.cache */
#define MOUNT_DATA_MAX 4096        /* one page, the kernel cuts the rest off silently */

static int make_dir(int at, const char *name, mode_t mode, struct err *e)
{
	if (mkdirat(at, name, mode) < 0)
		return err_sys(e, errno, "scratch directory %s", name);
	return 0;
}

/* An empty directory over one that is not the container's business. */
static int cover(const char *dir, struct err *e)
{
	const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount("gpurun", dir, "tmpfs", flags, "mode=0555,size=4k,nr_inodes=1") < 0)
		return err_sys(e, errno, "tmpfs on %s", dir);
	return 0;
}

/* The one that @base is in. */
static int cover_state(struct child *c, const char *base, struct err *e)
{
	const char *slash = strrchr(base, '/');
	char dir[4096];
	int r;

	if (!slash || slash == base || (size_t)(slash - base) >= sizeof(dir))
		return err_sys(e, EINVAL, "%s", base);
	memcpy(dir, base, (size_t)(slash - base));
	dir[slash - base] = '\0';
	r = cover(dir, e);
	if (r < 0)
		return r;
	c->empty = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return c->empty < 0 ? err_sys(e, errno, "%s", dir) : 0;
}

static int base_propagation(const struct child *c, uint64_t propagation)
{
	const struct sys_mount_attr attr = { .propagation = propagation };

	return sys_mount_setattr(c->base, "", AT_EMPTY_PATH, &attr);
}

int base_clone(struct child *c, const char *name)
{
	int tree, r = base_propagation(c, MS_PRIVATE);

	if (r < 0)
		return r;
	tree = sys_open_tree(c->base, name, OPEN_TREE_CLONE | O_CLOEXEC);
	r = base_propagation(c, MS_UNBINDABLE);
	if (r < 0)
		(void)fd_close(tree);
	return r < 0 ? r : tree;
}

/* The tmpfs that everything is built on; the old working directory is left for it. */
static int base_mount(struct child *c, struct err *e)
{
	const struct plan_root *root = &c->plan->container.root;
	bool holds_upper = root->kind == ROOT_OVERLAY && !root->upper;
	char data[TMPFS_DATA_MAX];
	int r;

	tmpfs_data(data, 0755, holds_upper ? root->size : BASE_SIZE);
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_sys(e, errno, "stop mounts from reaching the host");
	if (mount("gpurun", root->base, "tmpfs", MS_NOSUID | MS_NODEV, data) < 0)
		return err_sys(e, errno, "tmpfs on %s", root->base);
	c->base = open(root->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->base < 0)
		return err_sys(e, errno, "%s", root->base);
	r = make_dir(c->base, "root", 0755, e);
	return r < 0 ? r : cover_state(c, root->base, e);
}

/* Upper and work directory: below the base, or those prepared on disk. */
static int upper_open(struct child *c, int lower, struct err *e)
{
	const struct plan_root *root = &c->plan->container.root;
	struct stat st;
	int fd, r;

	if (root->upper) {
		fd = open(root->upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? err_sys(e, errno, "scratch %s", root->upper) : fd;
	}
	/* the merged root shows the upper's mode: give it the image's */
	if (fstat(lower, &st) < 0)
		return err_sys(e, errno, "image root");
	r = make_dir(c->base, "u", (st.st_mode & 01777) | 0700, e);
	if (r == 0)
		r = make_dir(c->base, "w", 0700, e);
	return r < 0 ? r : c->base;
}

static void data_add(struct text *data, const char *key, int fd, const char *sub)
{
	text_add(data, key);
	text_add_fd(data, fd);
	text_add(data, sub);
}

static int overlay_data(struct child *c, struct text *data, struct err *e)
{
	const struct plan_root *root = &c->plan->container.root;
	int fd, lower = -1, upper;

	if (root->lowers.n > LOWERS_MAX)
		return err_set(e, E2BIG, "%zu layers: more than %d", root->lowers.n, LOWERS_MAX);
	for (size_t i = 0; i < root->lowers.n; i++) {
		/*
		 * The descriptors stay open until exec: the mount data names them.  A link here is
		 * nothing that the store has made.
		 */
		fd = open(root->lowers.v[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0) {
			int r = err_sys(e, errno, "layer %s", root->lowers.v[i]);

			err_hint(e, "of the store? gpurun verify tells what is damaged there, "
				    "gpurun rm IMAGE removes it");
			return r;
		}
		if (i == 0)
			lower = fd;
		data_add(data, i == 0 ? "lowerdir=" : ":", fd, "");
	}
	upper = upper_open(c, lower, e);
	if (upper < 0)
		return upper;
	data_add(data, ",upperdir=", upper, "/u");
	data_add(data, ",workdir=", upper, "/w");
	text_add(data, ",userxattr,xino=auto");
	if (root->fresh)
		text_add(data, ",volatile");
	return data->cut ? err_sys(e, E2BIG, "overlay options") : 0;
}

static int overlay_mount(struct child *c, const char *target, struct err *e)
{
	char data[MOUNT_DATA_MAX];
	struct text text = text_into(data, sizeof(data));
	int r;

	r = overlay_data(c, &text, e);
	if (r < 0)
		return r;
	if (mount("overlay", target, "overlay", MS_NOSUID | MS_NODEV, data) < 0) {
		err_sys(e, errno, "overlay of %zu layer%s", c->plan->container.root.lowers.n,
			c->plan->container.root.lowers.n == 1 ? "" : "s");
		/* the errors of a kernel, or a sandbox around us, that has no rootless overlay */
		if (e->code == EPERM || e->code == EACCES || e->code == EINVAL || e->code == ENODEV)
			e->topic = ERR_TOPIC_OVERLAY;
		return -e->code;
	}
	/* "rm -r $TMPDIR" inside is not to take the root's own files away */
	return c->plan->container.root.upper ? cover(c->plan->container.root.upper, e) : 0;
}

/* With what is mounted below it: in a user namespace the kernel does not let us leave that out. */
static int bind_mount(struct child *c, struct err *e)
{
	const struct sys_mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
					     .propagation = c->plan->container.root.propagation };
	const char *src = c->plan->container.root.lowers.v[0];
	_cleanup_fd_ int tree = -1;
	int r;

	tree = sys_open_tree(AT_FDCWD, src, OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE);
	if (tree < 0)
		return err_sys(e, -tree, "root %s", src);
	r = sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr);
	if (r == 0)
		r = sys_move_mount(tree, "", c->base, "root", MOVE_MOUNT_F_EMPTY_PATH);
	return r < 0 ? err_sys(e, -r, "root %s", src) : 0;
}

int step_rootfs(struct child *c, struct err *e)
{
	const struct plan_root *root = &c->plan->container.root;
	char target[SPOT_PATH_MAX];
	int r;

	r = base_mount(c, e);
	if (r < 0)
		return r;
	spot_path(&(struct spot){ .dir = c->base, .name = "root" }, target);
	if (root->kind == ROOT_OVERLAY)
		r = overlay_mount(c, target, e);
	else if (root->kind == ROOT_BIND)
		r = bind_mount(c, e);
	else if (mount("gpurun", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
		r = err_sys(e, errno, "tmpfs root");
	if (r < 0)
		return r;
	/* not before: overlay clones the mount that its upper is in */
	r = base_propagation(c, MS_UNBINDABLE);
	if (r < 0)
		return err_sys(e, -r, "tmpfs on %s", root->base);
	c->root = openat(c->base, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return c->root < 0 ? err_sys(e, errno, "%s/root", root->base) : 0;
}

int workdir_make(const struct plan_process *p, int root, struct err *e)
{
	int fd;

	if (!p->cwd_create)
		return 0;
	fd = root_mkdirs(root, p->cwd, 0755);
	if (fd == -EEXIST)
		return err_set(e, EEXIST, "working directory %s: a link on the way leads nowhere",
			       p->cwd);
	if (fd == -EXDEV)
		return err_set(e, EXDEV,
			       "working directory %s: it is not there, and a link of the image on "
			       "the way leads into another mount, where nothing is made",
			       p->cwd);
	if (fd < 0)
		return err_sys(e, -fd, "working directory %s", p->cwd);
	(void)fd_close(fd);
	return 0;
}

int step_pivot(struct child *c, struct err *e)
{
	static const struct sys_mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	int r;

	/* before the root may become read-only */
	r = workdir_make(&c->plan->process, c->root, e);
	if (r < 0)
		return r;
	if (c->plan->container.root.read_only) {
		r = sys_mount_setattr(c->root, "", AT_EMPTY_PATH, &ro);
		if (r < 0)
			return err_sys(e, -r, "make the root read-only");
	}
	if (fchdir(c->root) < 0)
		return err_sys(e, errno, "enter the new root");
	/* old and new root on one place: no directory for the old one is needed */
	r = sys_pivot_root(".", ".");
	if (r < 0)
		return err_sys(e, -r, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(e, errno, "detach the host's tree");
	if (chdir("/") < 0)
		return err_sys(e, errno, "/");
	return cgroups_close(c, e);
}

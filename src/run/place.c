// SPDX-License-Identifier: Apache-2.0
/*
 * place.c - the directory in which destinations are made, held from one operation to the next.
 *
 * Operations come in runs below one directory: /etc, /dev, /.gpurun/lib64.  It is opened once, by a
 * name on which no link lies, and what they make in it they make by its last component.
 *
 * In some directories nobody but us makes anything while we do: those of a root whose changes are
 * in memory, and of a tmpfs that we have just mounted.  What was not there and was made is then
 * neither a link nor replaced by one, and mount(2) may be given its name behind the descriptor.
 * Everywhere else, and for whatever the image has there already, the long way is taken: openat2(2)
 * inside the root, and a mount on the descriptor (mounts.c).
 *
 * A held directory is what its name says until something is mounted on it or above.  That cannot
 * happen on a name that was just made; every other mount drops what is held.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/sys.h>

#include "child.h"

/* Nobody else sees, or writes to, what is made in the root. */
static bool root_is_own(const struct child *c)
{
	const struct plan_root *root = &c->plan->container.root;

	return root->kind == ROOT_TMPFS || (root->kind == ROOT_OVERLAY && !root->upper);
}

void place_drop(struct child *c)
{
	if (c->place.fd != c->dev)
		(void)fd_close(c->place.fd);
	c->place = (struct place){ .fd = -1 };
}

static void place_hold(struct child *c, struct place new)
{
	place_drop(c);
	c->place = new;
}

/* @n bytes of @path, without a link on the way; O_DIRECTORY or 0. */
static int open_plain(const struct child *c, const char *path, size_t n, int flags,
		      uint64_t resolve)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned int)(O_PATH | O_CLOEXEC | flags),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | resolve,
	};
	char copy[PATH_MAX];

	if (n >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, path, n);
	copy[n] = '\0';
	return sys_openat2(c->root, copy, &how);
}

/* A directory right below the held one, which is fresh: nothing can be in its way. */
static int open_below(const struct child *c, const char *name, size_t n)
{
	char copy[NAME_MAX + 1];
	int fd;

	if (n >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, name, n);
	copy[n] = '\0';
	if (mkdirat(c->place.fd, copy, 0755) < 0)
		return -errno;
	fd = openat(c->place.fd, copy, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool is_below(const struct place *p, const char *dst, size_t n)
{
	return p->fresh && n > p->len + 1 && strncmp(dst, p->path, p->len) == 0 &&
	       dst[p->len] == '/' && !memchr(dst + p->len + 1, '/', n - p->len - 1);
}

static int place_enter(struct child *c, const char *dst, size_t n)
{
	struct place new = { .path = dst, .len = n, .fd = -EEXIST };

	if (is_below(&c->place, dst, n)) {
		new.fd = open_below(c, dst + c->place.len + 1, n - c->place.len - 1);
		new.own = new.fresh = new.fd >= 0;
	}
	if (new.fd == -EEXIST && root_is_own(c)) {
		new.fd = open_plain(c, dst, n, O_DIRECTORY, RESOLVE_NO_XDEV);
		new.own = new.fd >= 0;
	}
	if (new.fd == -EEXIST || new.fd == -EXDEV)
		new.fd = open_plain(c, dst, n, O_DIRECTORY, 0);
	if (new.fd < 0)
		return new.fd;
	place_hold(c, new);
	return 0;
}

int place_fresh(struct child *c, const char *dst)
{
	struct place new = { .own = true, .fresh = true, .path = dst, .len = strlen(dst) };

	new.fd = open_plain(c, dst, new.len, O_DIRECTORY, 0);
	if (new.fd >= 0)
		place_hold(c, new);
	return new.fd;
}

static bool is_held(const struct child *c, const char *dst, size_t n)
{
	return c->place.fd >= 0 && c->place.len == n && strncmp(c->place.path, dst, n) == 0;
}

/* It is not there yet, or a link is on the way. */
static bool is_elsewhere(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -EXDEV || r == -EAGAIN;
}

int place_find(struct child *c, const char *dst, struct spot *ret)
{
	const char *slash = strrchr(dst, '/');
	size_t n;
	int r;

	if (!slash || !slash[1] || strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0)
		return -EINVAL;
	n = (size_t)(slash - dst);
	if (n == 0) {
		*ret = (struct spot){ c->root, slash + 1, root_is_own(c) };
		return 1;
	}
	r = is_held(c, dst, n) ? 0 : place_enter(c, dst, n);
	if (r < 0)
		return is_elsewhere(r) ? 0 : r;
	*ret = (struct spot){ c->place.fd, slash + 1, c->place.own };
	return 1;
}

int place_target(struct child *c, const char *dst)
{
	size_t n = strlen(dst);
	int fd = open_plain(c, dst, n, 0, 0);

	if (fd == -ELOOP)
		fd = root_open(c->root, dst, O_PATH, 0);
	else if (!c->place.path || n > c->place.len || strncmp(c->place.path, dst, n) != 0)
		return fd; /* neither what is held nor above it */
	place_drop(c);
	return fd;
}

int spot_make(struct child *c, const char *dst, struct spot *ret)
{
	int r = place_find(c, dst, ret);

	if (r <= 0 || !ret->own)
		return r < 0 ? r : 0;
	if (mknodat(ret->dir, ret->name, S_IFREG | 0644, 0) < 0)
		return errno == EEXIST ? 0 : -errno;
	return 1;
}

int spot_make_dir(struct child *c, const char *dst, struct spot *ret)
{
	int r = place_find(c, dst, ret);

	/* the image has most of those that are not in a directory of ours */
	if (r <= 0 || ret->dir != c->place.fd || !c->place.fresh)
		return r < 0 ? r : 0;
	if (mkdirat(ret->dir, ret->name, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	return 1;
}

void spot_path(const struct spot *s, char path[SPOT_PATH_MAX])
{
	struct text t = text_into(path, SPOT_PATH_MAX);

	text_add_fd(&t, s->dir);
	text_add(&t, "/");
	text_add(&t, s->name);
}

int spot_mount(const struct spot *s, const char *src, const char *type, unsigned long flags,
	       const char *data)
{
	char path[SPOT_PATH_MAX];

	spot_path(s, path);
	return mount(src, path, type, flags, data) < 0 ? -errno : 0;
}

int spot_bind(const struct spot *s, const char *src, bool recursive)
{
	const unsigned long flags = MS_BIND | (recursive ? MS_REC : 0UL);
	int r = spot_mount(s, src, NULL, flags, NULL);

	/* a directory after all */
	if (r == -ENOTDIR && unlinkat(s->dir, s->name, 0) == 0 &&
	    mkdirat(s->dir, s->name, 0755) == 0)
		r = spot_mount(s, src, NULL, flags, NULL);
	return r;
}

int spot_attrs(const struct spot *s, const struct sys_mount_attr *attr)
{
	return sys_mount_setattr(s->dir, s->name, AT_SYMLINK_NOFOLLOW | AT_RECURSIVE, attr);
}

int place_proc(struct child *c, const char *dst, struct spot *ret)
{
	static const size_t n = sizeof("/proc") - 1;
	struct statfs fs;
	int fd;

	if (strncmp(dst, "/proc/", n + 1) != 0 || strchr(dst + n + 1, '/'))
		return 0;
	if (!is_held(c, dst, n) || !c->place.proc) {
		fd = open_plain(c, dst, n, O_DIRECTORY, 0);
		if (fd < 0)
			return is_elsewhere(fd) ? 0 : fd;
		place_hold(c, (struct place){ .fd = fd, .path = dst, .len = n });
		c->place.proc = fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
	}
	if (!c->place.proc)
		return 0;
	*ret = (struct spot){ .dir = c->place.fd, .name = dst + n + 1 };
	return 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.c - copies within one file system: shared blocks where it can, else the bytes.
 */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <gpurun/arena.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "walk.h"

/* From where both stand up to @end. */
static int copy_bytes(int from, int to, off_t end)
{
	off_t left = end - lseek(from, 0, SEEK_CUR);
	char buf[8 << 10];
	ssize_t n = 1;

	while (left > 0 && n > 0) {
		n = read(from, buf, left < (off_t)sizeof(buf) ? (size_t)left : sizeof(buf));
		if (n > 0) {
			int r = fd_write_all(to, buf, (size_t)n);

			if (r < 0)
				return r;
			left -= n;
		}
	}
	return n < 0 ? -errno : 0;
}

/* copy_file_range shares or moves blocks in the kernel; old file systems refuse it. */
static int copy_piece(int from, int to, off_t at, off_t end)
{
	ssize_t n = 1;

	if (lseek(from, at, SEEK_SET) < 0 || lseek(to, at, SEEK_SET) < 0)
		return -errno;
	for (; at < end && n > 0; at += n)
		n = copy_file_range(from, NULL, to, NULL, (size_t)(end - at), 0);
	if (n >= 0)
		return 0;
	if (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
		return copy_bytes(from, to, end);
	return -errno;
}

/* Holes stay holes: a file may be a thousand times as long as what is in it. */
static int64_t copy_contents(int from, int to)
{
	int64_t copied = 0;
	off_t end = lseek(from, 0, SEEK_END), at = 0, hole;
	int r = end < 0 ? -errno : 0;

	while (r == 0 && at < end) {
		at = lseek(from, at, SEEK_DATA);
		if (at < 0 && errno == ENXIO)
			break;
		hole = at < 0 ? at : lseek(from, at, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		r = copy_piece(from, to, at, hole);
		copied += hole - at;
		at = hole;
	}
	if (r == 0 && ftruncate(to, end) < 0)
		r = -errno;
	return r < 0 ? r : copied;
}

static void copy_xattrs(int from, int to)
{
	_cleanup_arena_ struct arena *a = NULL;
	char *names, *value;
	ssize_t n = flistxattr(from, NULL, 0);

	if (n <= 0)
		return;
	a = arena_new(0);
	names = arena_alloc(a, XATTR_LIST_MAX);
	value = arena_alloc(a, XATTR_SIZE_MAX);
	n = flistxattr(from, names, XATTR_LIST_MAX);

	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
		ssize_t len;

		if (!str_after(names + i, "user.") || str_after(names + i, "user.overlay."))
			continue;
		len = fgetxattr(from, names + i, value, XATTR_SIZE_MAX);
		if (len >= 0)
			(void)fsetxattr(to, names + i, value, (size_t)len, 0);
	}
}

static int copy_attributes(int from, int to)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	if (fstat(from, &st) < 0)
		return -errno;
	copy_xattrs(from, to);
	times[1] = st.st_mtim;
	if (fchmod(to, st.st_mode & 07777) < 0 || futimens(to, times) < 0)
		return -errno;
	return 0;
}

int64_t copy_file(int from, int to)
{
	int64_t copied = copy_contents(from, to);
	int r = copied < 0 ? 0 : copy_attributes(from, to);

	return r < 0 ? r : copied;
}

/* ---- trees ------------------------------------------------------------------------------ */

/* struct copy - a tree being copied; the parent of the last entry stays open */
struct copy {
	int to, parent;
	char dir[PATH_MAX]; /* of @parent */
	struct err *e;
	const char *name;
};

/* The directory of the copy in which the entry belongs. */
static int copy_parent(struct copy *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (c->parent >= 0 && strncmp(c->dir, path, n) == 0 && c->dir[n] == '\0')
		return 0;
	memcpy(c->dir, path, n);
	c->dir[n] = '\0';
	c->parent = fd_close(c->parent);
	c->parent = root_open(c->to, n > 0 ? c->dir : ".", O_RDONLY | O_DIRECTORY, 0);
	return c->parent < 0 ? c->parent : 0;
}

static int copy_regular(struct copy *c, const struct walk_entry *w)
{
	_cleanup_fd_ int from = openat(w->dirfd, w->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_fd_ int to = -1;
	int64_t copied;

	if (from < 0)
		return -errno;
	to = openat(c->parent, w->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	copied = to < 0 ? -errno : copy_file(from, to);
	return copied < 0 ? (int)copied : 0;
}

static int copy_times(struct copy *c, const struct walk_entry *w)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, w->st.st_mtim };

	return utimensat(c->parent, w->name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_symlink(struct copy *c, const struct walk_entry *w)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(w->dirfd, w->name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	return symlinkat(target, c->parent, w->name) < 0 ? -errno : copy_times(c, w);
}

static int copy_fifo(struct copy *c, const struct walk_entry *w)
{
	if (mkfifoat(c->parent, w->name, 0600) < 0 ||
	    fchmodat(c->parent, w->name, w->st.st_mode & 0777, 0) < 0)
		return -errno;
	return copy_times(c, w);
}

static int copy_entry(struct copy *c, const struct walk_entry *w)
{
	int r = copy_parent(c, w->path);

	if (r < 0)
		return r;
	switch (w->st.st_mode & S_IFMT) {
	case S_IFREG:
		return copy_regular(c, w);
	case S_IFLNK:
		return copy_symlink(c, w);
	case S_IFDIR:
		return mkdirat(c->parent, w->name, 0700) < 0 ? -errno : 0;
	case S_IFIFO:
		return copy_fifo(c, w);
	default:
		return 0;
	}
}

static int visit_copy(void *arg, const struct walk_entry *w)
{
	struct copy *c = arg;
	int r = copy_entry(c, w);

	return r < 0 ? err_sys(c->e, -r, "%s: copying %s", c->name, w->path) : 0;
}

/* Attributes of directories come last: filling them had changed their times. */
static int visit_attributes(void *arg, const struct walk_entry *w)
{
	struct copy *c = arg;
	_cleanup_fd_ int from = -1;
	_cleanup_fd_ int to = -1;
	int r;

	if (!S_ISDIR(w->st.st_mode))
		return 0;
	from = openat(w->dirfd, w->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	to = root_open(c->to, w->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	r = from < 0 ? -errno : to < 0 ? to : copy_attributes(from, to);
	return r < 0 ? err_sys(c->e, -r, "%s: copying %s", c->name, w->path) : 0;
}

int copy_tree(int from, int to, const char *name, struct err *e)
{
	struct copy c = { .to = to, .parent = -1, .e = e, .name = name };
	int r = walk_tree(from, visit_copy, &c);

	(void)fd_close(c.parent);
	if (r == 0)
		r = walk_tree(from, visit_attributes, &c);
	if (r == 0)
		r = copy_attributes(from, to);
	if (r < 0 && !err_is_set(e))
		err_sys(e, -r, "%s: copying the image", name);
	return r;
}

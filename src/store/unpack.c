/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack.c - one layer into a directory, as the OCI image-spec's layer.md says, for a user
 * with a single id: owners are ignored, devices and sockets left out and counted, set-id bits
 * taken off, and everything stays readable and writable for its owner.
 *
 * For every entry, in this order: the name is cleaned; the root takes attributes only; a
 * whiteout is applied; the parent is looked up or made; the entry is made with O_EXCL and its
 * final mode, and only when something is in its place that is removed (a directory keeps its
 * contents under a directory) and the making repeated.  Times of directories come at the end
 * (tree_end).  A file in a directory that is open costs four calls: openat2, write, utimensat,
 * close.
 */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "copy.h"
#include "crc.h"
#include "whiteout.h"

#define UNPACK_XATTR_MAX  (64U << 10) /* one value: the kernel's limit */
#define UNPACK_XATTRS_MAX (1U << 20)  /* all values of one entry */

/* A name in a message: so much that the reason behind it has room, too. */
#define SHOWN "%.400s"

#define FILE_MODE_KEEP 0777
#define FILE_MODE_ADD  0600
#define DIR_MODE_KEEP  01777
#define DIR_MODE_ADD   0700

/* struct job - one layer being applied, and the entry at hand */
struct job {
	struct tree *tree;
	struct tar *tar;
	struct unpack_skipped *skipped;
	struct tar_entry entry;
	struct name name;
	const struct dir *dir; /* where the entry goes */
	const char *base;      /* under which name */
	char path[PATH_MAX];   /* its real path */
	unsigned int mode;     /* and its mode, as far as that is kept */
	char *xattr_names;     /* XATTR_LIST_MAX bytes */
};

int unpack_load(struct err *e)
{
	int r = tar_load(e);

	return r < 0 ? r : crc_load(e);
}

/* ---- attributes ------------------------------------------------------------------------- */

/* Only what a user may set on his files, and nothing that overlayfs or other tools believe. */
static bool xattr_wanted(const char *name)
{
	static const char *const refused[] = { "user.overlay.", "user.rootlesscontainers",
					       "user.containers.override_stat" };

	if (!str_after(name, "user.") || strlen(name) > XATTR_NAME_MAX)
		return false;
	for (size_t i = 0; i < ELEMENTS(refused); i++) {
		if (str_after(name, refused[i]))
			return false;
	}
	return true;
}

/* A file system without user attributes, or without room for them, is no reason to fail. */
static void put_xattrs(struct job *j, int fd)
{
	const char *name;
	const void *value;
	size_t len, sum = 0;

	while (tar_xattr(j->tar, &name, &value, &len)) {
		sum += len < UNPACK_XATTR_MAX ? len : UNPACK_XATTR_MAX;
		if (!xattr_wanted(name))
			continue;
		if (fd < 0 || len > UNPACK_XATTR_MAX || sum > UNPACK_XATTRS_MAX ||
		    fsetxattr(fd, name, value, len, 0) < 0)
			j->skipped->xattrs++;
	}
}

/* A directory that is described again has the new description only (but stays opaque). */
static int drop_xattrs(struct job *j, int fd)
{
	char *names = j->xattr_names;
	ssize_t n = flistxattr(fd, names, XATTR_LIST_MAX);

	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
		if (xattr_wanted(names + i) && fremovexattr(fd, names + i) < 0)
			return -errno;
	}
	return 0;
}

/* What was just made has its mode already, unless the directory has other ideas. */
static int put_mode(const struct job *j, int fd)
{
	return !j->tree->modes_stick && fchmod(fd, j->mode) < 0 ? -errno : 0;
}

static int put_times(const struct job *j, int fd)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, j->entry.mtime };

	return futimens(fd, times) < 0 ? -errno : 0;
}

/* ---- the kinds of entries --------------------------------------------------------------- */

/* Try to make the entry; what is in its place is removed once. */
static int make_or_replace(struct job *j, int (*make)(struct job *j))
{
	int r = make(j);

	if (r != -EEXIST)
		return r;
	r = tree_remove(j->tree, j->dir, j->base);
	return r < 0 ? r : make(j);
}

static int record(struct job *j, enum listing_type type, unsigned int mode, uint64_t size,
		  uint32_t crc)
{
	const struct listing_entry e = {
		.type = type, .mode = mode, .size = size, .crc = crc, .path = j->path
	};

	return tree_record(j->tree, &e);
}

/* struct contents - how far a file is written */
struct contents {
	int fd;
	uint64_t end;
	uint32_t crc;
};

static int write_piece(struct contents *c, const char *data, size_t len, uint64_t offset)
{
	if (offset < c->end || offset > UNPACK_FILE_MAX || len > UNPACK_FILE_MAX - offset)
		return -EINVAL;
	if (offset > c->end) {
		c->crc = crc_zeros(c->crc, offset - c->end);
		if (lseek(c->fd, (off_t)offset, SEEK_SET) < 0)
			return -errno;
	}
	c->crc = crc_update(c->crc, data, len);
	c->end = offset + len;
	return fd_write_all(c->fd, data, len);
}

/* Returns -errno; with @e filled when it was the archive that failed. */
static int write_contents(struct job *j, struct contents *c, struct err *e)
{
	uint64_t offset, size = j->entry.size;
	const void *data;
	size_t len;
	int r;

	if (size > UNPACK_FILE_MAX)
		return -EFBIG;
	while ((r = tar_data(j->tar, &data, &len, &offset, e)) > 0) {
		r = len > 0 ? write_piece(c, data, len, offset) : 0;
		if (r < 0)
			return r;
		j->tree->bytes += len;
	}
	if (r < 0 || c->end == size || j->entry.plain)
		return r;
	if (c->end > size)
		return -EINVAL;
	c->crc = crc_zeros(c->crc, size - c->end);
	c->end = size;
	return ftruncate(c->fd, (off_t)size) < 0 ? -errno : 0;
}

static int make_file(struct job *j)
{
	return tree_open(j->dir, j->base, O_WRONLY | O_CREAT | O_EXCL, j->mode);
}

static int put_file(struct job *j, struct err *e)
{
	_cleanup_fd_ int fd = make_or_replace(j, make_file);
	struct contents c = { .fd = fd };
	int r;

	if (fd < 0)
		return fd;
	r = write_contents(j, &c, e);
	if (r < 0)
		return r;
	put_xattrs(j, fd);
	r = put_mode(j, fd);
	if (r == 0)
		r = put_times(j, fd);
	return r < 0 ? r : record(j, LISTING_FILE, j->mode, c.end, c.crc);
}

static int make_dir(struct job *j)
{
	return mkdirat(j->dir->fd, j->base, j->mode) < 0 ? -errno : 0;
}

static int record_dir(struct job *j)
{
	const struct listing_entry e = {
		.type = LISTING_DIR, .mode = j->mode, .mtime = j->entry.mtime, .path = j->path
	};

	return tree_record(j->tree, &e);
}

/* Attributes of a directory that is there, open as @fd. */
static int describe_dir(struct job *j, int fd)
{
	put_xattrs(j, fd);
	if (fchmod(fd, j->mode) < 0)
		return -errno;
	return record_dir(j);
}

/*
 * A directory in the place of something else, within one layer for overlayfs, must not show
 * what the layers below have under this name: the other thing had hidden it.
 */
static int put_dir(struct job *j, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	bool replaced = false;
	int r = make_dir(j);

	(void)e;
	if (r < 0 && r != -EEXIST)
		return r;
	if (r == 0 && j->tree->modes_stick && !tar_has_xattrs(j->tar))
		return record_dir(j);
	fd = tree_open(j->dir, j->base, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0 && r == -EEXIST) {
		r = drop_xattrs(j, fd);
		if (r < 0)
			return r;
	}
	if (fd == -ENOTDIR || fd == -ELOOP) {
		replaced = true;
		r = tree_remove(j->tree, j->dir, j->base);
		if (r == 0)
			r = make_dir(j);
		if (r < 0)
			return r;
		fd = tree_open(j->dir, j->base, O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0)
		return fd;
	r = describe_dir(j, fd);
	return r == 0 && replaced && j->tree->overlay ? tree_set_opaque(j->tree, fd, j->path) : r;
}

static int make_symlink(struct job *j)
{
	return symlinkat(j->entry.link, j->dir->fd, j->base) < 0 ? -errno : 0;
}

static int put_link_times(struct job *j)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, j->entry.mtime };

	return utimensat(j->dir->fd, j->base, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int put_symlink(struct job *j, struct err *e)
{
	size_t len = strlen(j->entry.link);
	int r = make_or_replace(j, make_symlink);

	(void)e;
	put_xattrs(j, -1);
	if (r == 0)
		r = put_link_times(j);
	return r < 0 ? r : record(j, LISTING_LINK, 0777, len, crc_update(0, j->entry.link, len));
}

static int make_fifo(struct job *j)
{
	if (mkfifoat(j->dir->fd, j->base, j->mode) < 0)
		return -errno;
	return !j->tree->modes_stick && fchmodat(j->dir->fd, j->base, j->mode, 0) < 0 ? -errno : 0;
}

static int put_fifo(struct job *j, struct err *e)
{
	int r = make_or_replace(j, make_fifo);

	(void)e;
	put_xattrs(j, -1);
	if (r == 0)
		r = put_link_times(j);
	return r < 0 ? r : record(j, LISTING_FIFO, j->mode, 0, 0);
}

/* More links than the file system counts, or links that it does not have: a copy. */
static int link_by_copy(struct job *j, const struct dir *from, const char *name)
{
	_cleanup_fd_ int in = tree_open(from, name, O_RDONLY | O_NONBLOCK, 0);
	_cleanup_fd_ int out = -1;
	struct stat st;
	int64_t copied;

	if (in < 0)
		return in;
	if (fstat(in, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	out = make_file(j);
	if (out < 0)
		return out;
	copied = copy_file(in, out);
	if (copied < 0)
		return (int)copied;
	j->tree->bytes += (uint64_t)copied;
	j->tree->copies += (uint64_t)copied / UNPACK_COPY_UNIT;
	return 0;
}

static int link_from(struct job *j, const struct dir *from, const char *name)
{
	if (linkat(from->fd, name, j->dir->fd, j->base, 0) == 0)
		return 0;
	if (errno == EMLINK || errno == EXDEV || errno == EPERM)
		return link_by_copy(j, from, name);
	return -errno;
}

/* Replace what is at the entry's place by a link, unless it is the same file already. */
static int link_replace(struct job *j, const struct dir *from, const char *name,
			const struct stat *target)
{
	struct stat st;
	int r = link_from(j, from, name);

	if (r != -EEXIST)
		return r;
	if (fstatat(j->dir->fd, j->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (st.st_dev == target->st_dev && st.st_ino == target->st_ino)
		return 0;
	r = tree_remove(j->tree, j->dir, j->base);
	return r < 0 ? r : link_from(j, from, name);
}

/* A target that is not there may be in a layer below: then only the flat form can tell. */
static int link_missing(struct job *j, const char *target, struct err *e)
{
	if (j->tree->overlay) {
		j->tree->flags |= LAYER_NEEDS_LOWER;
		return 0;
	}
	return err_set(e, EINVAL, SHOWN ": a hard link to " SHOWN ", which is not there", j->path,
		       target);
}

/* linkat never follows a link, so that a hard link to a symbolic link is one. */
static int put_hardlink(struct job *j, struct err *e)
{
	_cleanup_dir_ struct dir from = { .fd = -1 };
	char target[PATH_MAX], real[PATH_MAX];
	const char *name;
	struct stat st = { .st_mode = 0 };
	int r = name_clean(j->entry.link, target);

	if (r < 0 || !*target)
		return err_set(e, EINVAL, SHOWN ": a hard link to a name that no layer may hold",
			       j->path);
	name = name_base(target);
	name_dir(target, real);
	r = tree_dir(j->tree, real, false, &from);
	if (r == 0 && fstatat(from.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r == -ENOENT || r == -ENOTDIR || (r == 0 && tree_is_whiteout(&st)))
		return link_missing(j, target, e);
	if (r == 0)
		r = tree_path(&from, name, real);
	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return err_set(e, EINVAL, SHOWN ": a hard link to " SHOWN ", a directory", j->path,
			       target);
	if (str_eq(real, j->path))
		return err_set(e, EINVAL, SHOWN ": a hard link to itself", j->path);
	r = link_replace(j, &from, name, &st);
	if (r < 0)
		return r;
	return tree_record(
		j->tree,
		&(struct listing_entry){ .type = LISTING_HARD, .path = j->path, .target = real });
}

static int skip_device(struct job *j, struct err *e)
{
	(void)e;
	j->skipped->devices++;
	return 0;
}

static int skip_socket(struct job *j, struct err *e)
{
	(void)e;
	j->skipped->sockets++;
	return 0;
}

static int (*const put_entry[])(struct job *j, struct err *e) = {
	[TAR_FILE] = put_file,         [TAR_DIR] = put_dir,   [TAR_SYMLINK] = put_symlink,
	[TAR_HARDLINK] = put_hardlink, [TAR_FIFO] = put_fifo, [TAR_DEVICE] = skip_device,
	[TAR_SOCKET] = skip_socket,
};

/* The root directory: only a directory may describe it (CVE-2021-29136). */
static int put_root(struct job *j, struct err *e)
{
	_cleanup_dir_ struct dir root = { .fd = -1 };
	int r;

	if (j->entry.type != TAR_DIR)
		return err_set(e, EINVAL, SHOWN ": the root must be a directory", j->entry.name);
	j->path[0] = '\0';
	r = tree_dir(j->tree, "", false, &root);
	if (r == 0)
		r = drop_xattrs(j, root.fd);
	return r < 0 ? r : describe_dir(j, root.fd);
}

static int put_plain(struct job *j, struct err *e)
{
	int r;

	if (j->entry.type == TAR_DEVICE || j->entry.type == TAR_SOCKET)
		return put_entry[j->entry.type](j, e);
	r = tree_parent(j->tree, j->name.path, true, &j->dir);
	if (r < 0)
		return r;
	j->base = name_base(j->name.path);
	r = tree_path(j->dir, j->base, j->path);
	return r < 0 ? r : put_entry[j->entry.type](j, e);
}

static int apply_name(struct job *j, struct err *e)
{
	switch (j->name.kind) {
	case NAME_ROOT:
		return put_root(j, e);
	case NAME_WHITEOUT:
		return tree_whiteout(j->tree, j->name.path);
	case NAME_OPAQUE:
		return tree_opaque(j->tree, j->name.path);
	case NAME_IGNORED:
		j->skipped->leftovers++;
		return 0;
	case NAME_PLAIN:
		return put_plain(j, e);
	}
	return -EINVAL;
}

/* Set-id bits go; what the image has belongs to us, and stays ours to change. */
static unsigned int final_mode(const struct tar_entry *e)
{
	return e->type == TAR_DIR ? (e->mode & DIR_MODE_KEEP) | DIR_MODE_ADD
				  : (e->mode & FILE_MODE_KEEP) | FILE_MODE_ADD;
}

static int apply(struct job *j, struct err *e)
{
	const char *why;
	int r = name_parse(j->entry.name, &j->name, &why);

	j->mode = final_mode(&j->entry);
	if (r < 0)
		return err_set(e, -r, SHOWN ": %s", j->entry.name, why);
	r = apply_name(j, e);
	if (r < 0 && !err_is_set(e))
		return err_sys(e, -r, SHOWN, j->entry.name);
	return r;
}

int unpack_layer(struct arena *a, struct tree *t, const struct tar_input *in,
		 _Atomic uint64_t *entries, struct unpack_skipped *skipped, struct err *e)
{
	_cleanup_tar_ struct tar *tar = NULL;
	struct job j = { .tree = t, .skipped = skipped };
	int r = tar_open(a, in, &tar, e);

	if (r < 0)
		return r;
	j.tar = tar;
	j.xattr_names = arena_alloc(a, XATTR_LIST_MAX);
	while ((r = tar_next(tar, &j.entry, e)) > 0) {
		uint64_t made = t->entries + t->copies;

		if (atomic_fetch_add(entries, 1) >= UNPACK_ENTRIES_MAX)
			return err_set(e, E2BIG, "the image has more than %u entries",
				       UNPACK_ENTRIES_MAX);
		r = apply(&j, e);
		made = t->entries + t->copies - made;
		if (made > 1) /* directories on the way, a thousand of them maybe, or a copy */
			(void)atomic_fetch_add(entries, made - 1);
		if (r < 0 || (t->flags & LAYER_NEEDS_LOWER))
			return r;
	}
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hide.c - what whiteouts and opaque markers do to a tree.
 *
 * A marker speaks of the layers below, wherever in the layer it stands: what this layer has
 * made, before or after, stays.  In a flat tree the rest is removed; a directory is searched
 * for it once in a layer, because afterwards everything in it is this layer's.  In a layer for
 * overlayfs the marker is kept, as the file system wants it.
 */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "whiteout.h"

/* Address space for the directories that are still to be searched. */
#define CLEAR_ARENA ((size_t)1 << 30)

int tree_set_opaque(struct tree *t, int fd, const char *path)
{
	const struct listing_entry e = { .type = LISTING_OPAQUE, .path = path };

	if (!*path) {
		t->flags |= LAYER_ROOT_OPAQUE; /* overlayfs does not look at the root's mark */
		return 0;
	}
	if (fsetxattr(fd, TREE_OPAQUE, "y", 1, 0) < 0)
		return -errno;
	t->opaque_used = true;
	return listing_add(&t->list, &e);
}

/* One directory: what this layer made stays, its directories come onto the list. */
static int clear_one(struct tree *t, struct arena *a, const char *path, struct strv *todo)
{
	_cleanup_dir_ struct dir d = { .fd = -1 };
	char child[PATH_MAX];
	struct dirents ents;
	unsigned char type;
	const char *name;
	struct stat st;
	int r;

	if (!seen_add(&t->seen, 'o', path, strlen(path)))
		return 0;
	r = tree_dir(t, path, false, &d);
	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR ? 0 : r;
	dirents_begin(&ents, d.fd);
	while ((r = dirents_next(&ents, &name, &type)) > 0) {
		r = tree_path(&d, name, child);
		if (r < 0)
			return r;
		if (!seen_has(&t->seen, 'c', child, strlen(child))) {
			r = tree_remove(t, &d, name);
			if (r < 0)
				return r;
			continue;
		}
		if (type == DT_UNKNOWN && fstatat(d.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			type = S_ISDIR(st.st_mode) ? DT_DIR : DT_REG;
		if (type == DT_DIR)
			strv_push(a, todo, arena_strdup(a, child));
	}
	return r;
}

/* Remove everything below @path that this layer has not made; every directory once. */
static int tree_clear(struct tree *t, const char *path)
{
	_cleanup_arena_ struct arena *a = NULL;
	struct strv todo = { 0 };
	int r;

	if (seen_has(&t->seen, 'o', path, strlen(path)))
		return 0;
	a = arena_new(CLEAR_ARENA);
	strv_push(a, &todo, path);
	r = 0;
	while (r == 0 && todo.n > 0)
		r = clear_one(t, a, todo.v[--todo.n], &todo);
	return r;
}

/* A marker in a directory that is not there: nothing to hide, or we cannot know. */
static int hide_without_parent(struct tree *t, int r)
{
	if (r != -ENOENT && r != -ENOTDIR && r != -ELOOP)
		return r;
	if (t->overlay && r != -ENOTDIR)
		t->flags |= LAYER_NEEDS_LOWER;
	return 0;
}

static int whiteout_flat(struct tree *t, const struct dir *d, const char *name, const char *path)
{
	struct stat st;

	if (!t->above)
		return 0;
	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!seen_has(&t->seen, 'c', path, strlen(path)))
		return tree_remove(t, d, name);
	return S_ISDIR(st.st_mode) ? tree_clear(t, path) : 0;
}

static int whiteout_overlay(struct tree *t, const struct dir *d, const char *name, const char *path)
{
	const struct listing_entry e = { .type = LISTING_WHITEOUT, .path = path };
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT || mknodat(d->fd, name, S_IFCHR, 0) < 0)
			return -errno;
		t->whiteout_used = true;
		return listing_add(&t->list, &e);
	}
	if (!S_ISDIR(st.st_mode))
		return 0; /* this layer's own file hides as well */
	fd = tree_open(d, name, O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 ? fd : tree_set_opaque(t, fd, path);
}

int tree_whiteout(struct tree *t, const char *path)
{
	const char *name = name_base(path);
	const struct dir *d;
	char real[PATH_MAX];
	int r = tree_parent(t, path, false, &d);

	if (r < 0)
		return hide_without_parent(t, r);
	r = tree_path(d, name, real);
	if (r < 0)
		return r;
	return t->overlay ? whiteout_overlay(t, d, name, real) : whiteout_flat(t, d, name, real);
}

int tree_opaque(struct tree *t, const char *path)
{
	_cleanup_dir_ struct dir d = { .fd = -1 };
	int r = tree_dir(t, path, false, &d);

	if (r < 0)
		return hide_without_parent(t, r);
	if (t->overlay)
		return tree_set_opaque(t, d.fd, d.path);
	return t->above ? tree_clear(t, d.path) : 0;
}

/* ---- the end of a layer --------------------------------------------------------------- */

/* The directory at a real path of the list; without a walk: where a link is now, it is not ours. */
static int open_listed(const struct tree *t, const char *path)
{
	const struct dir root = { .fd = t->root };

	return tree_open(&root, path, O_RDONLY | O_DIRECTORY, 0);
}

static bool dir_is_opaque(const struct tree *t, const char *path)
{
	_cleanup_fd_ int fd = open_listed(t, path);
	char value;

	return fd >= 0 && fgetxattr(fd, TREE_OPAQUE, &value, 1) == 1 && value == 'y';
}

/* The length of the path of the directory above. */
static size_t length_above(const char *path, size_t n)
{
	while (n > 0 && path[n - 1] != '/')
		n--;
	return n > 0 ? n - 1 : 0;
}

/*
 * Is the directory @path, or one above it, opaque?  Every directory is asked once: category 'y'
 * of @known holds those of which it is true, 'n' the others.
 */
static __attribute__((noinline)) bool below_opaque(const struct tree *t, struct seen *known,
						   const char *path)
{
	const size_t len = strlen(path);
	char dir[PATH_MAX];
	bool opaque = false;
	size_t n = len;

	if ((t->flags & LAYER_ROOT_OPAQUE) || !t->opaque_used)
		return t->flags & LAYER_ROOT_OPAQUE;
	memcpy(dir, path, len + 1);
	while (n > 0 && !seen_has(known, 'n', path, n)) {
		dir[n] = '\0';
		opaque = seen_has(known, 'y', path, n) || dir_is_opaque(t, dir);
		if (opaque)
			break;
		n = length_above(path, n);
	}
	for (size_t m = len; m > 0 && m >= n; m = length_above(path, m))
		(void)seen_add(known, opaque ? 'y' : 'n', path, m);
	return opaque;
}

/*
 * Where an opaque directory is above, there is nothing to hide, and overlayfs does not filter
 * the whiteout out of the directory's listing: it must go.
 */
static int end_whiteout(struct tree *t, struct seen *known, const char *path)
{
	_cleanup_dir_ struct dir d = { .fd = -1 };
	const char *name = name_base(path);
	struct stat st;

	name_dir(path, d.path);
	d.fd = open_listed(t, d.path);
	if (d.fd < 0 || fstatat(d.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !tree_is_whiteout(&st))
		return 0;
	if (below_opaque(t, known, d.path))
		return tree_remove(t, &d, name);
	t->flags |= LAYER_WHITEOUTS;
	return 0;
}

/* Only now is a directory's time final.  It may be something else by now: then it is not ours. */
static int end_dir(const struct tree *t, const struct listing_entry *e)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, e->mtime };
	_cleanup_fd_ int fd = open_listed(t, e->path);

	return fd >= 0 && futimens(fd, times) < 0 ? -errno : 0;
}

static int end_whiteouts(struct tree *t, struct arena *a)
{
	struct listing_reader reader;
	struct listing_entry e;
	struct seen known;
	int r = 0, end = 0;

	seen_begin(&known);
	listing_rewind(a, t->list.fd, &reader);
	while (end == 0 && (r = listing_next(&reader, &e)) > 0) {
		if (e.type == LISTING_WHITEOUT)
			end = end_whiteout(t, &known, e.path);
	}
	seen_end(&known);
	return end < 0 ? end : r;
}

static int end_dirs(struct tree *t, struct arena *a)
{
	struct listing_reader reader;
	struct listing_entry e;
	int r, end;

	listing_rewind(a, t->list.fd, &reader);
	while ((r = listing_next(&reader, &e)) > 0) {
		end = e.type == LISTING_DIR ? end_dir(t, &e) : 0;
		if (end < 0)
			return end;
	}
	return r;
}

int tree_end(struct tree *t, struct arena *a)
{
	struct listing_header h;
	int r = listing_flush(&t->list);

	if (r == 0 && t->whiteout_used)
		r = end_whiteouts(t, a);
	if (r == 0)
		r = listing_flush(&t->list);
	if (r == 0)
		r = end_dirs(t, a);
	if (r < 0)
		return r;
	h = (struct listing_header){ t->flags, t->entries, t->bytes };
	return listing_end(&t->list, &h);
}

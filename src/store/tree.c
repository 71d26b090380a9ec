/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.c - paths below the root of an unpacked layer.
 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "rename.h"
#include "whiteout.h"

/* As many links on the way as the kernel follows. */
#define TREE_LINKS_MAX 40
#define TREE_DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/*
 * Steps of walks: so many for nothing, and so many for each thing made.  An entry that goes through
 * forty links of two thousand components each would else cost more than ten thousand others.
 */
#define TREE_STEPS_FREE (1U << 20)
#define TREE_STEPS_EACH 64

/* The mode of directories that nobody described. */
#define TREE_IMPLIED_MODE 0755
/* All the bits that anything is made with. */
#define TREE_TRIAL_MODE 01777

static int tree_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_NOFOLLOW | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return sys_openat2(dirfd, *path ? path : ".", &how);
}

int tree_open(const struct dir *d, const char *name, int flags, mode_t mode)
{
	return tree_openat(d->fd, name, flags, mode);
}

/* Directories inherit more than files do, so one tells for both. */
static int try_modes(struct tree *t)
{
	static const char name[] = ".mode";
	struct stat st;

	if (fchmod(t->root, TREE_IMPLIED_MODE) < 0 || mkdirat(t->root, name, TREE_TRIAL_MODE) < 0)
		return -errno;
	if (fstatat(t->root, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    unlinkat(t->root, name, AT_REMOVEDIR) < 0)
		return -errno;
	t->modes_stick = (st.st_mode & 07777) == TREE_TRIAL_MODE;
	return 0;
}

int tree_begin(struct tree *t, struct arena *a, int root, int trash, int list_fd, bool overlay)
{
	const struct listing_entry top = { .type = LISTING_DIR,
					   .mode = TREE_IMPLIED_MODE,
					   .path = "" };
	int r;

	memset(t, 0, sizeof(*t));
	t->root = root;
	t->trash = trash;
	t->overlay = overlay;
	t->parent.fd = -1;
	r = try_modes(t);
	if (r == 0)
		r = listing_begin(a, list_fd, &t->list);
	if (r == 0)
		r = listing_add(&t->list, &top);
	return r;
}

void tree_layer(struct tree *t)
{
	if (t->above)
		seen_end(&t->seen);
	t->above = true;
	seen_begin(&t->seen);
}

void tree_close(struct tree *t)
{
	t->parent.fd = fd_close(t->parent.fd);
	if (t->above)
		seen_end(&t->seen);
	t->above = false;
}

int tree_path(const struct dir *d, const char *name, char ret[PATH_MAX])
{
	return name_join(d->path, name, ret);
}

/* This layer made @path, so whiteouts of this layer do not mean it, nor what is above it. */
static void tree_mark(struct tree *t, const char *path)
{
	size_t n = strlen(path);

	if (!t->above)
		return;
	while (n > 0 && seen_add(&t->seen, 'c', path, n)) {
		while (n > 0 && path[n - 1] != '/')
			n--;
		if (n > 0)
			n--;
	}
}

int tree_record(struct tree *t, const struct listing_entry *e)
{
	tree_mark(t, e->path);
	t->entries++;
	return listing_add(&t->list, e);
}

/* A directory with something in it is moved away whole, in one step. */
static int tree_trash(struct tree *t, int dirfd, const char *name)
{
	char number[32];

	int r;

	do {
		(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)t->n_trash++);
		r = rename_new(dirfd, name, t->trash, number);
	} while (r == -EEXIST); /* of another layer's tree */
	return r;
}

/*
 * The cached parent may be what is gone, or may have been reached by it: whoever holds it may go
 * on, a later look-up may not use it (the bug behind CVE-2025-47290).
 */
int tree_remove(struct tree *t, const struct dir *d, const char *name)
{
	struct listing_entry gone = { .type = LISTING_GONE };
	char path[PATH_MAX];
	int r = tree_path(d, name, path);

	if (r < 0)
		return r;
	t->cached = false;
	if (unlinkat(d->fd, name, 0) < 0) {
		if (errno != EISDIR)
			return -errno;
		if (unlinkat(d->fd, name, AT_REMOVEDIR) < 0)
			r = tree_trash(t, d->fd, name);
		if (r < 0)
			return r;
	}
	gone.path = path;
	return listing_add(&t->list, &gone);
}

/* ---- looking up directories ----------------------------------------------------------- */

/* struct walk - where a walk is, and what of its path is left */
struct walk {
	struct dir at;
	char rest[PATH_MAX];
	int links;
};

static int walk_restart(struct tree *t, struct walk *w)
{
	(void)fd_close(w->at.fd);
	w->at.path[0] = '\0';
	w->at.fd = tree_openat(t->root, "", TREE_DIR_FLAGS, 0);
	return w->at.fd < 0 ? w->at.fd : 0;
}

/* "..": the path is the real one, so its last component can be cut off */
static int walk_up(struct tree *t, struct walk *w)
{
	char *slash = strrchr(w->at.path, '/');

	if (slash)
		*slash = '\0';
	else
		w->at.path[0] = '\0';
	(void)fd_close(w->at.fd);
	w->at.fd = tree_openat(t->root, w->at.path, TREE_DIR_FLAGS, 0);
	return w->at.fd < 0 ? w->at.fd : 0;
}

static int walk_enter(struct walk *w, int fd, const char *name)
{
	char path[PATH_MAX];
	int r = tree_path(&w->at, name, path);

	(void)fd_close(w->at.fd);
	w->at.fd = fd;
	if (r == 0)
		memcpy(w->at.path, path, strlen(path) + 1);
	return r;
}

/* Put the target of the link @name in front of what is left. */
static int walk_link(struct tree *t, struct walk *w, const char *name)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(w->at.fd, name, text, sizeof(text) - 1);
	size_t left = strlen(w->rest);

	if (n < 0)
		return errno == EINVAL ? -ENOTDIR : -errno;
	if (++w->links > TREE_LINKS_MAX)
		return -ELOOP;
	if ((size_t)n + 1 + left >= sizeof(w->rest))
		return -ENAMETOOLONG;
	memmove(w->rest + n + 1, w->rest, left + 1);
	memcpy(w->rest, text, (size_t)n);
	w->rest[n] = '/';
	return text[0] == '/' ? walk_restart(t, w) : 0;
}

/* A directory that has no entry of its own; @replace: a file or whiteout is in its place. */
static int walk_make(struct tree *t, struct walk *w, const char *name, bool replace)
{
	const struct listing_entry made = { .type = LISTING_DIR,
					    .mode = TREE_IMPLIED_MODE,
					    .path = w->at.path };
	int fd, r = replace ? tree_remove(t, &w->at, name) : 0;

	if (r == 0 && mkdirat(w->at.fd, name, TREE_IMPLIED_MODE) < 0)
		r = -errno;
	if (r < 0)
		return r;
	fd = tree_openat(w->at.fd, name, TREE_DIR_FLAGS, 0);
	if (fd < 0)
		return fd;
	t->flags |= LAYER_IMPLIED;
	r = !t->modes_stick && fchmod(fd, TREE_IMPLIED_MODE) < 0 ? -errno : 0;
	if (r == 0)
		r = walk_enter(w, fd, name);
	else
		(void)fd_close(fd);
	if (r == 0)
		r = tree_record(t, &made);
	if (r == 0 && replace && t->overlay)
		r = tree_set_opaque(t, fd, w->at.path);
	return r;
}

static int walk_step(struct tree *t, struct walk *w, const char *name, bool create)
{
	int r, fd;

	if (++t->steps > TREE_STEPS_FREE + TREE_STEPS_EACH * t->entries)
		return -ELOOP;
	fd = tree_openat(w->at.fd, name, TREE_DIR_FLAGS, 0);
	if (fd >= 0)
		return walk_enter(w, fd, name);
	if (fd == -ENOENT)
		return create ? walk_make(t, w, name, false) : fd;
	if (fd != -ENOTDIR && fd != -ELOOP)
		return fd;
	r = walk_link(t, w, name);
	return r == -ENOTDIR && create ? walk_make(t, w, name, true) : r;
}

/* Take the first component off @rest. */
static int walk_component(char *rest, char name[NAME_MAX + 1])
{
	size_t n = strcspn(rest, "/");
	const char *next = rest + n + strspn(rest + n, "/");

	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, rest, n);
	name[n] = '\0';
	memmove(rest, next, strlen(next) + 1);
	return 0;
}

static __attribute__((noinline)) int tree_walk(struct tree *t, const char *path, bool create,
					       struct dir *ret)
{
	struct walk w = { .at.fd = -1 };
	char name[NAME_MAX + 1];
	int r = walk_restart(t, &w);

	memcpy(w.rest, path, strlen(path) + 1);
	while (r == 0 && *w.rest) {
		r = walk_component(w.rest, name);
		if (r < 0 || !*name || str_eq(name, "."))
			continue;
		r = str_eq(name, "..") ? walk_up(t, &w) : walk_step(t, &w, name, create);
	}
	if (r < 0)
		(void)fd_close(w.at.fd);
	else
		*ret = w.at;
	return r;
}

int tree_dir(struct tree *t, const char *path, bool create, struct dir *ret)
{
	int fd = tree_openat(t->root, path, TREE_DIR_FLAGS, 0);

	if (fd >= 0) {
		ret->fd = fd;
		memcpy(ret->path, path, strlen(path) + 1);
		return 0;
	}
	if (fd != -ENOENT && fd != -ENOTDIR && fd != -ELOOP)
		return fd;
	return tree_walk(t, path, create, ret);
}

/* Not inlined: whoever has the directory open already need not have room for a path. */
static __attribute__((noinline)) int tree_parent_open(struct tree *t, const char *path, bool create)
{
	char dir[PATH_MAX];
	int r;

	name_dir(path, dir);
	t->cached = false;
	t->parent.fd = fd_close(t->parent.fd);
	r = tree_dir(t, dir, create, &t->parent);
	if (r < 0)
		return r;
	memcpy(t->asked, dir, strlen(dir) + 1);
	t->cached = true;
	return 0;
}

int tree_parent(struct tree *t, const char *path, bool create, const struct dir **ret)
{
	const char *base = name_base(path);
	size_t n = base > path ? (size_t)(base - path) - 1 : 0;
	int r = 0;

	if (!t->cached || strncmp(t->asked, path, n) != 0 || t->asked[n] != '\0')
		r = tree_parent_open(t, path, create);
	*ret = &t->parent;
	return r;
}

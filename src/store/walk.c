/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.c - the directories that are still to be read wait as names, not as descriptors.
 *
 * A name waits with its place in the path: when its turn comes, only what is below its own directory
 * was visited since, so what is in front of that place is still the path of that directory.
 */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include <gpurun/arena.h>
#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/sys.h>

/* Address space for the names that wait: ten million of them in one directory. */
#define WALK_ROOM  ((size_t)256 << 20)
#define WALK_SLACK ((size_t)4 << 10)

/* struct pile - names, with a struct spot behind each */
struct pile {
	char *v;
	size_t n;
};

/* struct spot - where in the path a name is, and how long it is */
struct spot {
	uint16_t at, len;
};

static int pile_put(struct pile *p, const char *name, size_t at)
{
	const struct spot spot = { (uint16_t)at, (uint16_t)strlen(name) };

	if (spot.len + sizeof(spot) > WALK_ROOM - p->n)
		return -ENOMEM;
	memcpy(p->v + p->n, name, spot.len);
	memcpy(p->v + p->n + spot.len, &spot, sizeof(spot));
	p->n += spot.len + sizeof(spot);
	return 0;
}

static bool pile_take(struct pile *p, char path[PATH_MAX])
{
	struct spot spot;

	if (p->n == 0)
		return false;
	memcpy(&spot, p->v + p->n - sizeof(spot), sizeof(spot));
	p->n -= spot.len + sizeof(spot);
	if (spot.at > 0)
		path[spot.at - 1] = '/';
	memcpy(path + spot.at, p->v + p->n, spot.len);
	path[spot.at + spot.len] = '\0';
	return true;
}

static int walk_open(int root, const char *path)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	return sys_openat2(root, *path ? path : ".", &how);
}

/* struct walk - a tree being visited; @path is that of the entry at hand */
struct walk {
	int (*visit)(void *arg, const struct walk_entry *e);
	void *arg;
	struct pile todo;
	char path[PATH_MAX];
};

static int walk_entry(struct walk *w, int dirfd, const char *name, size_t at)
{
	struct walk_entry e = { .dirfd = dirfd, .name = name, .path = w->path };
	size_t len = strlen(name);
	int r;

	if (fstatat(dirfd, name, &e.st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (at + len >= sizeof(w->path))
		return -ENAMETOOLONG;
	memcpy(w->path + at, name, len + 1);
	r = w->visit(w->arg, &e);
	if (r != 0)
		return r;
	return S_ISDIR(e.st.st_mode) ? pile_put(&w->todo, name, at) : 0;
}

static int walk_directory(struct walk *w, int root)
{
	_cleanup_fd_ int fd = walk_open(root, w->path);
	size_t at = strlen(w->path);
	struct dirents ents;
	const char *name;
	int r;

	if (fd < 0)
		return fd;
	if (at > 0)
		w->path[at++] = '/';
	dirents_begin(&ents, fd);
	while ((r = dirents_next(&ents, &name, NULL)) > 0) {
		r = walk_entry(w, fd, name, at);
		if (r != 0)
			return r;
	}
	return r;
}

int walk_tree(int root, int (*visit)(void *arg, const struct walk_entry *e), void *arg)
{
	_cleanup_arena_ struct arena *a = arena_new(WALK_ROOM + WALK_SLACK);
	struct walk w = { .visit = visit, .arg = arg, .todo.v = arena_alloc(a, WALK_ROOM) };
	int r = walk_directory(&w, root);

	while (r == 0 && pile_take(&w.todo, w.path))
		r = walk_directory(&w, root);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.c - the directories that are still to be read wait as paths, not as descriptors.
 */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include <gpurun/arena.h>
#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/sys.h>

/* Address space for the paths that wait. */
#define WALK_ARENA ((size_t)1 << 30)

static int walk_open(int root, const char *path)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	return sys_openat2(root, *path ? path : ".", &how);
}

int walk_tree(int root, int (*visit)(void *arg, const struct walk_entry *e), void *arg)
{
	_cleanup_arena_ struct arena *a = arena_new(WALK_ARENA);
	struct strv todo = { 0 };

	strv_push(a, &todo, "");
	while (todo.n > 0) {
		const char *dir = todo.v[--todo.n];
		_cleanup_fd_ int fd = walk_open(root, dir);
		struct walk_entry e = { .dirfd = fd };
		struct dirents ents;
		char path[PATH_MAX];
		int r;

		if (fd < 0)
			return fd;
		e.path = path;
		dirents_begin(&ents, fd);
		while ((r = dirents_next(&ents, &e.name, NULL)) > 0) {
			if (fstatat(fd, e.name, &e.st, AT_SYMLINK_NOFOLLOW) < 0)
				return -errno;
			if (snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", e.name) >=
			    (int)sizeof(path))
				return -ENAMETOOLONG;
			r = visit(arg, &e);
			if (r != 0)
				return r;
			if (S_ISDIR(e.st.st_mode))
				strv_push(a, &todo, arena_strdup(a, path));
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topdir.c - read the entries of a tree's top directory in a stable order.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "topdir.h"

#define TOP_ENTRIES_MAX 4096

/* "l NAME\tTARGET", or NULL for a link that cannot be read */
static const char *link_entry(struct arena *a, int fd, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(fd, name, target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	return arena_printf(a, "l %s\t%.*s", name, (int)n, target);
}

static const char *entry(struct arena *a, int fd, const char *name)
{
	struct stat st;

	if (strchr(name, '\t'))
		return NULL;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	if (S_ISDIR(st.st_mode))
		return arena_printf(a, "d %s", name);
	if (S_ISREG(st.st_mode))
		return arena_printf(a, "f %s", name);
	return S_ISLNK(st.st_mode) ? link_entry(a, fd, name) : NULL;
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x + 2, *(const char *const *)y + 2);
}

int topdir_read(struct arena *a, const char *path, struct strv *ret)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strv found = { 0 };
	struct dirents ents;
	const char *name;
	int r;

	if (fd < 0)
		return -errno;
	dirents_begin(&ents, fd);
	while ((r = dirents_next(&ents, &name, NULL)) > 0) {
		const char *line = entry(a, fd, name);

		if (line && found.n >= TOP_ENTRIES_MAX)
			return -E2BIG;
		if (line)
			strv_push(a, &found, line);
	}
	if (r < 0)
		return r;
	if (found.n)
		qsort(found.v, found.n, sizeof(*found.v), by_name);
	*ret = found;
	return 0;
}

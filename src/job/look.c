/* SPDX-License-Identifier: Apache-2.0 */
/* look.c - what there is below the root directory, and what a pattern names. */
#include <errno.h>
#include <stdlib.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "build.h"

#define NAMES_MAX 65536U /* entries of one directory that are looked at */

int job_stat(const struct job_builder *b, const char *path, struct stat *ret)
{
	_cleanup_fd_ int fd = root_open(b->root->fd, path, O_PATH, 0);

	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

bool job_is_node(const struct job_builder *b, const struct stat *st)
{
	return S_ISCHR(st->st_mode) || (b->root->label[0] && S_ISREG(st->st_mode));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of the directory @dir that match @pattern, as paths. */
static int match_names(const struct job_builder *b, const char *dir, const char *pattern,
		       struct strv *ret)
{
	_cleanup_fd_ int fd = root_open(b->root->fd, dir, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);
	struct dirents ents;
	const char *name;
	size_t seen = 0;
	int r;

	if (fd < 0)
		return fd;
	dirents_begin(&ents, fd);
	while ((r = dirents_next(&ents, &name, NULL)) > 0) {
		if (ret->n >= JOB_GLOB_MAX || ++seen > NAMES_MAX)
			return -E2BIG;
		if ((name[0] != '.' || pattern[0] == '.') && str_glob(pattern, name))
			strv_push(b->a, ret, path_join(b->a, dir, name));
	}
	return r;
}

/* One component more of each path; what cannot be looked into has nothing that we could give. */
static int match_level(const struct job_builder *b, const struct strv *dirs, const char *pattern,
		       struct strv *ret)
{
	for (size_t i = 0; i < dirs->n; i++) {
		int r = 0;

		if (strpbrk(pattern, "*?"))
			r = match_names(b, dirs->v[i], pattern, ret);
		else
			strv_push(b->a, ret, path_join(b->a, dirs->v[i], pattern));
		if (r == -E2BIG)
			return r;
	}
	return 0;
}

int job_glob(const struct job_builder *b, const char *pattern, struct strv *ret)
{
	struct strv parts = { 0 }, found = { 0 };

	strv_push(b->a, &found, "/");
	str_split(b->a, path_clean(b->a, pattern) + 1, '/', &parts);
	for (size_t i = 0; i < parts.n; i++) {
		struct strv next = { 0 };
		int r = match_level(b, &found, parts.v[i], &next);

		if (r < 0)
			return r;
		found = next;
	}
	if (found.n)
		qsort(found.v, found.n, sizeof(*found.v), by_name);
	for (size_t i = 0; i < found.n; i++) {
		struct stat st;

		if (job_stat(b, found.v[i], &st) == 0)
			strv_push(b->a, ret, found.v[i]);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - a look-up in stacked layers.
 *
 * Overlayfs in one paragraph: a name is looked up from the top; the first layer that has it
 * decides; if that is a directory, the directories of this name further down are merged with
 * it, up to the first layer that has something else there, a whiteout, or an opaque directory.
 */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "tree.h"
#include "whiteout.h"

#define VIEW_LINKS_MAX 40

static int open_below(int root, const char *path, int flags)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return sys_openat2(root, *path ? path : ".", &how);
}

static bool is_opaque(int root, const char *path)
{
	_cleanup_fd_ int fd = open_below(root, path, O_RDONLY | O_DIRECTORY);
	char value;

	return fd >= 0 && fgetxattr(fd, TREE_OPAQUE, &value, 1) == 1 && value == 'y';
}

/* struct level - the layers that take part at one depth, and what they have there */
struct level {
	bool part[IMAGE_LAYERS_MAX];
	bool found;
	size_t top;
	struct stat st;
};

/* One layer's word about @path; false: it is the last that is asked. */
static bool level_ask(const struct view *v, size_t i, const char *path, struct level *l)
{
	_cleanup_fd_ int fd = open_below(v->fs[i], path, O_PATH);
	struct stat st;

	l->part[i] = false;
	if (fd < 0)
		return true;
	if (fstat(fd, &st) < 0 || tree_is_whiteout(&st))
		return false;
	if (!l->found) {
		l->found = true;
		l->top = i;
		l->st = st;
	}
	l->part[i] = S_ISDIR(st.st_mode);
	return l->part[i] && !is_opaque(v->fs[i], path);
}

static void level_enter(const struct view *v, const char *path, struct level *l)
{
	bool more = true;

	l->found = false;
	for (size_t i = 0; i < v->n; i++) {
		if (l->part[i] && more)
			more = level_ask(v, i, path, l);
		else
			l->part[i] = false;
	}
}

int view_stat(const struct view *v, const char *path, struct stat *ret, size_t *ret_layer)
{
	struct level l = { .found = false };
	char prefix[PATH_MAX];
	size_t n = 0;

	if (strlen(path) >= sizeof(prefix))
		return -ENAMETOOLONG;
	for (size_t i = 0; i < v->n; i++)
		l.part[i] = true;
	level_enter(v, "", &l);
	while (l.found && path[n]) {
		n += strcspn(path + n, "/");
		memcpy(prefix, path, n);
		prefix[n] = '\0';
		level_enter(v, prefix, &l);
		n += strspn(path + n, "/");
	}
	if (!l.found)
		return -ENOENT;
	*ret = l.st;
	*ret_layer = l.top;
	return 0;
}

/* struct resolve - a path being resolved: what is real so far, and the rest */
struct resolve {
	char real[PATH_MAX], rest[PATH_MAX];
	struct stat st;
	size_t layer;
	int links;
};

static int resolve_link(const struct view *v, struct resolve *s, const char *link)
{
	_cleanup_fd_ int fd = open_below(v->fs[s->layer], link, O_PATH);
	char target[PATH_MAX];
	size_t left = strlen(s->rest);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = readlinkat(fd, "", target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	if (++s->links > VIEW_LINKS_MAX)
		return -ELOOP;
	if ((size_t)n + 1 + left >= sizeof(s->rest))
		return -ENAMETOOLONG;
	memmove(s->rest + n + 1, s->rest, left + 1);
	memcpy(s->rest, target, (size_t)n);
	s->rest[n] = '/';
	if (target[0] == '/')
		s->real[0] = '\0';
	return 0;
}

static void resolve_up(struct resolve *s)
{
	char *slash = strrchr(s->real, '/');

	*(slash ? slash : s->real) = '\0';
}

static int resolve_component(const struct view *v, struct resolve *s, const char *name)
{
	char next[PATH_MAX];
	int r;

	r = name_join(s->real, name, next);
	if (r == 0)
		r = view_stat(v, next, &s->st, &s->layer);
	if (r < 0)
		return r;
	if (S_ISLNK(s->st.st_mode))
		return resolve_link(v, s, next);
	memcpy(s->real, next, strlen(next) + 1);
	return 0;
}

static int resolve(const struct view *v, const char *path, struct resolve *s)
{
	char name[NAME_MAX + 1];
	int r = 0;

	memset(s, 0, sizeof(*s));
	if (strlen(path) >= sizeof(s->rest))
		return -ENAMETOOLONG;
	memcpy(s->rest, path, strlen(path) + 1);
	while (r == 0 && *s->rest) {
		size_t n = strcspn(s->rest, "/");
		const char *next = s->rest + n + strspn(s->rest + n, "/");

		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, s->rest, n);
		name[n] = '\0';
		memmove(s->rest, next, strlen(next) + 1);
		if (str_eq(name, ".."))
			resolve_up(s);
		else if (*name && !str_eq(name, "."))
			r = resolve_component(v, s, name);
	}
	return r < 0 ? r : view_stat(v, s->real, &s->st, &s->layer);
}

int view_open(const struct view *v, const char *path)
{
	struct resolve s;
	int r = resolve(v, path, &s);

	return r < 0 ? r : open_below(v->fs[s.layer], s.real, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

bool view_is_dir(const struct view *v, const char *path)
{
	struct resolve s;

	return resolve(v, path, &s) == 0 && S_ISDIR(s.st.st_mode);
}

int view_text(const struct view *v, struct arena *a, const char *path, size_t max, const char **ret)
{
	_cleanup_fd_ int fd = view_open(v, path);
	struct stat st;
	char *text;
	int r;

	*ret = "";
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = fd_read_text(fd, a, max, &text, NULL);
	if (r == 0)
		*ret = text;
	return r == -EFBIG ? r : 0;
}

bool view_is_whiteout(int fs, const char *path)
{
	_cleanup_fd_ int fd = open_below(fs, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && tree_is_whiteout(&st);
}

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
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "tree.h"
#include "whiteout.h"

#define VIEW_LINKS_MAX 40

/*
 * Files and directories that one path may take to be opened, in all layers: an image decides how
 * deep and how often linked its paths are, and nobody but us does this look-up.
 */
#define VIEW_WORK_MAX 65536U

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
	unsigned int *work; /* opened so far, or NULL: nobody counts */
	size_t top;
	struct stat st;
};

/* One layer's word about @path; false: it is the last that is asked. */
static bool level_ask(const struct view *v, size_t i, const char *path, struct level *l)
{
	_cleanup_fd_ int fd = open_below(v->fs[i], path, O_PATH);
	struct stat st;

	l->part[i] = false;
	if (l->work)
		++*l->work;
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
	return l->part[i] && i + 1 < v->n && !is_opaque(v->fs[i], path);
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

/* The level of @path; a view of one has nothing to merge on the way there. */
static int level_of(const struct view *v, const char *path, struct level *l)
{
	char prefix[PATH_MAX];
	size_t n = v->n == 1 ? strlen(path) : 0;

	if (strlen(path) >= sizeof(prefix))
		return -ENAMETOOLONG;
	for (size_t i = 0; i < v->n; i++)
		l->part[i] = true;
	level_enter(v, n > 0 ? path : "", l);
	while (l->found && path[n]) {
		if (l->work && *l->work > VIEW_WORK_MAX)
			return -ELOOP;
		n += strcspn(path + n, "/");
		memcpy(prefix, path, n);
		prefix[n] = '\0';
		level_enter(v, prefix, l);
		n += strspn(path + n, "/");
	}
	return l->found ? 0 : -ENOENT;
}

static int stat_counted(const struct view *v, const char *path, struct stat *ret, size_t *ret_layer,
			unsigned int *work)
{
	struct level l = { .work = work };
	int r = level_of(v, path, &l);

	if (r < 0)
		return r;
	*ret = l.st;
	*ret_layer = l.top;
	return 0;
}

int view_stat(const struct view *v, const char *path, struct stat *ret, size_t *ret_layer)
{
	return stat_counted(v, path, ret, ret_layer, NULL);
}

/* struct resolve - a path being resolved: the place reached so far, and the rest */
struct resolve {
	struct view_place *at;
	char rest[PATH_MAX];
	int links;
	unsigned int work;
};

static int resolve_link(const struct view *v, struct resolve *s, const char *link)
{
	_cleanup_fd_ int fd = open_below(v->fs[s->at->layer], link, O_PATH);
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
		s->at->path[0] = '\0';
	return 0;
}

static void resolve_up(struct resolve *s)
{
	char *slash = strrchr(s->at->path, '/');

	*(slash ? slash : s->at->path) = '\0';
}

static int resolve_component(const struct view *v, struct resolve *s, const char *name)
{
	char next[PATH_MAX];
	int r;

	r = name_join(s->at->path, name, next);
	if (r == 0)
		r = stat_counted(v, next, &s->at->st, &s->at->layer, &s->work);
	if (r < 0)
		return r;
	if (S_ISLNK(s->at->st.st_mode))
		return resolve_link(v, s, next);
	memcpy(s->at->path, next, strlen(next) + 1);
	return 0;
}

int view_find(const struct view *v, const char *path, struct view_place *ret)
{
	struct resolve s = { .at = ret };
	char name[NAME_MAX + 1];
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	if (strlen(path) >= sizeof(s.rest))
		return -ENAMETOOLONG;
	memcpy(s.rest, path, strlen(path) + 1);
	while (r == 0 && *s.rest) {
		size_t n = strcspn(s.rest, "/");
		const char *next = s.rest + n + strspn(s.rest + n, "/");

		if (n > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, s.rest, n);
		name[n] = '\0';
		memmove(s.rest, next, strlen(next) + 1);
		if (str_eq(name, ".."))
			resolve_up(&s);
		else if (*name && !str_eq(name, "."))
			r = resolve_component(v, &s, name);
	}
	return r < 0 ? r : view_stat(v, ret->path, &ret->st, &ret->layer);
}

/* Nothing but a regular file is opened: to open a device can have effects. */
int view_open(const struct view *v, const struct view_place *p)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (!S_ISREG(p->st.st_mode))
		return -EINVAL;
	fd = open_below(v->fs[p->layer], p->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? fd_take(&fd) : -EINVAL;
}

bool view_is_dir(const struct view *v, const char *path)
{
	struct view_place p;

	return view_find(v, path, &p) == 0 && S_ISDIR(p.st.st_mode);
}

int view_text(const struct view *v, struct arena *a, const char *path, size_t max, const char **ret)
{
	_cleanup_fd_ int fd = -1;
	struct view_place p;
	char *text;
	int r;

	*ret = "";
	if (view_find(v, path, &p) < 0)
		return 0;
	fd = view_open(v, &p);
	if (fd < 0)
		return 0;
	r = fd_read_text(fd, a, max, &text, NULL);
	if (r == 0)
		*ret = text;
	return r == -EFBIG ? r : 0;
}

/* ---- directories ------------------------------------------------------------------------ */

static int list_layer(int fs, struct arena *a, const char *dir, size_t max, struct strv *ret)
{
	_cleanup_fd_ int fd = open_below(fs, dir, O_RDONLY | O_DIRECTORY);
	struct dirents ents;
	const char *name;
	int r;

	if (fd < 0)
		return fd;
	dirents_begin(&ents, fd);
	while ((r = dirents_next(&ents, &name, NULL)) > 0) {
		if (ret->n >= max)
			return -E2BIG;
		strv_push(a, ret, arena_strdup(a, name));
	}
	return r;
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* A name of several layers stays once, one that is hidden goes. */
static void list_merge(const struct view *v, const char *dir, struct strv *names)
{
	char path[PATH_MAX];
	struct stat st;
	size_t layer, n = 0;

	for (size_t i = 0; i < names->n; i++) {
		if (n > 0 && str_eq(names->v[i], names->v[n - 1]))
			continue;
		if (name_join(dir, names->v[i], path) == 0 && view_stat(v, path, &st, &layer) == 0)
			names->v[n++] = names->v[i];
	}
	if (names->n > n)
		names->v[n] = NULL;
	names->n = n;
}

int view_list(const struct view *v, struct arena *a, const char *dir, size_t max, struct strv *ret)
{
	struct strv names = { 0 };
	struct level l = { .work = NULL };
	int r = level_of(v, dir, &l);

	if (r == 0 && !S_ISDIR(l.st.st_mode))
		r = -ENOTDIR;
	for (size_t i = 0; r == 0 && i < v->n; i++)
		r = l.part[i] ? list_layer(v->fs[i], a, dir, max, &names) : 0;
	if (r < 0)
		return r;
	if (names.n > 1)
		qsort(names.v, names.n, sizeof(*names.v), by_name);
	list_merge(v, dir, &names);
	*ret = names;
	return 0;
}

bool view_is_whiteout(int fs, const char *path)
{
	_cleanup_fd_ int fd = open_below(fs, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && tree_is_whiteout(&st);
}

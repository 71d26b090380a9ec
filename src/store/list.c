/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c - what the stores hold.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/log.h>
#include <gpurun/str.h>

/* @id: those whose id begins so, with all that is known of them; NULL: all, as a line of a table */
struct entries {
	const char *id;
	struct store_entry *v;
	size_t n, cap;
};

static int open_dir(const struct place *p, const char *dir)
{
	int fd = openat(p->fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Does anybody hold the record?  Asked through a descriptor of its own. */
static bool in_use(const struct place *p, const char *file)
{
	char path[PATH_MAX], id[IMAGE_ID_HEX + 1];
	_cleanup_fd_ int fd = -1;

	if (p->read_only)
		return false; /* never locked */
	(void)snprintf(path, sizeof(path), STORE_IMAGES "/%s", file);
	fd = openat(p->fd, path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || lock_try(fd, true) == -EWOULDBLOCK)
		return fd >= 0;
	(void)snprintf(id, sizeof(id), "%s", file); /* without .flat */
	return place_user(p, id, NULL) != NULL;
}

static int names_of(struct arena *a, const struct place *p, const char *file, struct strv *ret)
{
	_cleanup_fd_ int fd = open_dir(p, STORE_NAMES);
	char target[NAME_MAX + 1];
	struct dirents ents;
	const char *name;
	int r;

	if (fd < 0)
		return fd;
	dirents_begin(&ents, fd);
	while ((r = dirents_next(&ents, &name, NULL)) > 0) {
		if (!str_after(name, LINK_NEW) && link_read(p, STORE_NAMES, name, target) &&
		    str_eq(target, file))
			strv_push(a, ret, name_decode(a, name));
	}
	return r;
}

/* What store_list() promises: a configuration may be megabytes, and the images many. */
static struct image in_short(struct arena *a, const struct image *i)
{
	struct image ret = { .form = i->form, .bytes = i->bytes, .entries = i->entries };

	memcpy(ret.id, i->id, sizeof(ret.id));
	ret.name = i->name ? arena_strdup(a, i->name) : NULL;
	return ret;
}

static int list_one(struct arena *a, const struct place *p, const char *file, struct entries *all)
{
	_cleanup_arena_ struct arena *scratch = all->id ? NULL : arena_new(0);
	struct store_entry e = { .read_only = p->read_only, .in_use = in_use(p, file) };
	struct err err = { .code = 0 };
	struct record rec;
	int fd;
	int r = image_load(p, scratch ? scratch : a, file, &e.image, &rec, &fd, &err);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		log_warn("%s", err.msg);
		return 0;
	}
	(void)fd_close(fd);
	if (scratch)
		e.image = in_short(a, &e.image);
	e.created = rec.unpacked;
	r = names_of(a, p, file, &e.names);
	if (r == 0)
		VEC_PUSH(a, all->v, all->n, all->cap, e);
	return r;
}

static int list_place(struct arena *a, const struct place *p, struct entries *all, struct err *e)
{
	_cleanup_fd_ int fd = open_dir(p, STORE_IMAGES);
	struct dirents ents;
	const char *file;
	int r = fd < 0 ? fd : 1;

	if (r > 0)
		dirents_begin(&ents, fd);
	while (r > 0) {
		r = dirents_next(&ents, &file, NULL);
		if (r > 0 && *file != '.' && (!all->id || str_after(file, all->id)))
			r = list_one(a, p, file, all) < 0 ? -EIO : 1;
	}
	return r < 0 ? err_sys(e, -r, "%s/" STORE_VERSION "/" STORE_IMAGES, p->path) : 0;
}

static int by_age(const void *x, const void *y)
{
	const struct store_entry *a = x, *b = y;

	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	return strcmp(a->image.id, b->image.id);
}

static int list_places(struct store *s, struct arena *a, struct entries *all, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n_ro; i++)
		r = list_place(a, &s->ro[i], all, e);
	return r < 0 ? r : list_place(a, &s->own, all, e);
}

int store_list(struct store *s, struct arena *a, struct store_entry **ret, size_t *ret_n,
	       struct err *e)
{
	struct entries all = { .n = 0 };
	int r = list_places(s, a, &all, e);

	if (r < 0)
		return r;
	if (all.n > 1)
		qsort(all.v, all.n, sizeof(*all.v), by_age);
	*ret = all.v;
	*ret_n = all.n;
	return 0;
}

int store_find(struct store *s, struct arena *a, const char *id, struct image *ret)
{
	struct entries all = { .id = id };

	if (list_places(s, a, &all, NULL) < 0 || all.n != 1)
		return -ENOENT;
	*ret = all.v[0].image;
	return 0;
}

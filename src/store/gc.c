/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc.c - rm and prune.
 *
 * An image goes when nobody holds its record: names and keys first, then the record; what it
 * referred to is then garbage, and collected under the exclusive lock of the store, so that
 * nobody builds upon a layer that is about to go.  Things go by rename to trash/ (at once) and
 * are deleted there: prune waits for that, rm does not when it is much.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/log.h>
#include <gpurun/str.h>

#include "seen.h"

static int open_dir(const struct place *p, const char *dir)
{
	int fd = openat(p->fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The names of a directory, read at once, because the directory is about to change. */
static int read_names(struct arena *a, const struct place *p, const char *dir, struct strv *ret)
{
	_cleanup_fd_ int fd = open_dir(p, dir);
	struct dirents ents;
	const char *name;
	int r;

	if (fd < 0)
		return fd;
	dirents_begin(&ents, fd);
	while ((r = dirents_next(&ents, &name, NULL)) > 0)
		strv_push(a, ret, arena_strdup(a, name));
	return r;
}

/* ---- links ------------------------------------------------------------------------------ */

/* Remove the links of @dir that point to @file, or, without one, to no record. */
static int drop_links(const struct place *p, const char *dir, const char *file)
{
	_cleanup_arena_ struct arena *a = arena_new(0); /* prune --all comes here for every image */
	_cleanup_fd_ int fd = open_dir(p, dir);
	struct strv names = { 0 };
	char target[NAME_MAX + 1];
	struct stat st;
	int r = fd < 0 ? fd : read_names(a, p, dir, &names);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		bool valid = link_read(p, dir, names.v[i], target);

		if (file ? !valid || !str_eq(target, file) : fstatat(fd, names.v[i], &st, 0) == 0)
			continue;
		if (unlinkat(fd, names.v[i], 0) < 0 && errno != ENOENT)
			r = -errno;
	}
	return r;
}

/* ---- garbage ---------------------------------------------------------------------------- */

int move_to_trash(const struct place *p, const char *dir, const char *name)
{
	char from[PATH_MAX], to[PATH_MAX];

	(void)snprintf(from, sizeof(from), "%s/%s", dir, name);
	for (int i = 0;; i++) {
		(void)snprintf(to, sizeof(to), STORE_TRASH "/%s.%d.%d", name, (int)getpid(), i);
		if (renameat(p->fd, from, p->fd, to) == 0)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			return errno == ENOENT ? 0 : -errno;
	}
}

static int empty_trash(const struct place *p, struct removed *n)
{
	_cleanup_fd_ int fd = open_dir(p, STORE_TRASH);

	return fd < 0 ? fd : remove_contents(fd, n);
}

void trash_sweep(const struct place *p)
{
	_cleanup_fd_ int lock = lock_open(p, LOCK_TRASH, true, LOCK_TRY, NULL, NULL);
	_cleanup_fd_ int fd = open_dir(p, STORE_TRASH);

	if (lock >= 0 && fd >= 0)
		remove_soon(fd, NULL, lock);
}

/* What the record refers to, as "d/ID" with d the first letter of layers or trees. */
static int mark_one(const struct place *p, const char *file, struct seen *marks)
{
	_cleanup_arena_ struct arena *a = arena_new(0); /* a record may have megabytes of labels */
	_cleanup_fd_ int fd = -1;
	struct record rec;
	struct image image;
	int r = image_load(p, a, file, &image, &rec, &fd, NULL);
	char kind;

	if (r == -ENOENT || (r == -ESTALE && !image_stored(p, a, file)))
		return 0;
	if (r < 0) /* torn, and somebody holds it: damaged */
		return r == -ESTALE ? -EBADMSG : r;
	kind = image.form == IMAGE_FORM_LAYERS ? 'l' : 't';
	for (size_t k = 0; k < rec.lowers.n; k++)
		(void)seen_add(marks, kind, rec.lowers.v[k], strlen(rec.lowers.v[k]));
	return 0;
}

static int mark(struct arena *a, const struct place *p, struct seen *marks)
{
	struct strv files = { 0 };
	int r = read_names(a, p, STORE_IMAGES, &files);

	for (size_t i = 0; r == 0 && i < files.n; i++)
		r = mark_one(p, files.v[i], marks);
	return r;
}

static int sweep(struct arena *a, const struct place *p, const struct seen *marks, const char *dir,
		 uint64_t *n)
{
	struct strv names = { 0 };
	int r = read_names(a, p, dir, &names);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		if (seen_has(marks, dir[0], names.v[i], strlen(names.v[i])))
			continue;
		r = move_to_trash(p, dir, names.v[i]);
		*n += r == 0;
	}
	return r;
}

/* Those of link_point() who was killed on the way. */
static int drop_new_links(struct arena *a, const struct place *p, const char *dir)
{
	_cleanup_fd_ int fd = open_dir(p, dir);
	struct strv names = { 0 };
	int r = fd < 0 ? fd : read_names(a, p, dir, &names);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		if (str_after(names.v[i], LINK_NEW) && unlinkat(fd, names.v[i], 0) < 0 &&
		    errno != ENOENT)
			r = -errno;
	}
	return r;
}

/* Under the exclusive lock of the store.  With a damaged record nothing is known: all stays. */
static int collect(struct arena *a, const struct place *p, uint64_t *n)
{
	static const char *const linked[] = { STORE_NAMES, STORE_FILES, "." };
	struct seen marks;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ELEMENTS(linked); i++)
		r = drop_new_links(a, p, linked[i]);
	if (r < 0)
		return r;
	seen_begin(&marks);
	r = mark(a, p, &marks);
	if (r == 0)
		r = sweep(a, p, &marks, STORE_LAYERS, n);
	if (r == 0)
		r = sweep(a, p, &marks, STORE_TREES, n);
	seen_end(&marks);
	return r;
}

/* The links of @file and the record itself; -EWOULDBLOCK while somebody runs it. */
int image_drop(const struct place *p, struct arena *a, const char *file)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), STORE_IMAGES "/%s", file);
	fd = openat(p->fd, path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = lock_try(fd, true);
	if (r == 0 && place_user(p, arena_strndup(a, file, IMAGE_ID_HEX), NULL))
		r = -EWOULDBLOCK;
	if (r == 0)
		r = drop_links(p, STORE_NAMES, file);
	if (r == 0)
		r = drop_links(p, STORE_FILES, file);
	if (r == 0 && unlinkat(p->fd, path, 0) < 0)
		r = -errno;
	return r;
}

/* ---- rm --------------------------------------------------------------------------------- */

static int say_busy(const char *name, struct err *e)
{
	err_set(e, EBUSY, "%s: the image is in use", name);
	err_hint(e, "gpurun ps shows by whom");
	if (e)
		e->topic = ERR_TOPIC_BUSY;
	return -EBUSY;
}

static int say_unknown(const struct store *s, struct arena *a, const char *name, struct err *e)
{
	const char *file;

	for (size_t i = 0; i < s->n_ro; i++) {
		if (image_by_name(&s->ro[i], a, name, &file, NULL) == 0)
			return err_set(e, EROFS, "%s: it is in %s, which is read-only", name,
				       s->ro[i].path);
	}
	err_set(e, ENOENT, "%s: no such image in the store", name);
	err_hint(e, "gpurun images lists the store");
	if (e)
		e->topic = ERR_TOPIC_NOT_FOUND;
	return -ENOENT;
}

/* What the image leaves behind; when others are adding images, the next prune does it. */
static int collect_if_quiet(struct arena *a, const struct place *p, struct err *e)
{
	_cleanup_fd_ int lock = lock_open(p, LOCK_STORE, true, LOCK_TRY, NULL, e);
	uint64_t n = 0;
	int r;

	if (lock == -EWOULDBLOCK) {
		log_note("an image is being unpacked: the space is given back by the next prune");
		return 0;
	}
	if (lock < 0)
		return lock;
	r = collect(a, p, &n);
	return r < 0 && r != -EBADMSG ? err_sys(e, -r, "%s", p->path) : 0;
}

int store_remove(struct store *s, struct arena *a, const char *name, struct err *e)
{
	const struct place *p = &s->own;
	const char *file, *flat;
	int r = image_by_name(p, a, name, &file, e);

	if (r == -ENOENT)
		return say_unknown(s, a, name, e);
	if (r < 0)
		return r;
	flat = arena_printf(a, "%s" STORE_FLAT_SUFFIX, file);
	r = image_drop(p, a, file);
	if (r == 0) {
		int also = image_drop(p, a, flat); /* its other form, if it has one */

		r = also == -ENOENT ? 0 : also;
	}
	if (r == -EWOULDBLOCK)
		return say_busy(name, e);
	if (r < 0 && r != -ENOENT)
		return err_sys(e, -r, "%s", name);
	r = collect_if_quiet(a, p, e);
	if (r == 0)
		trash_sweep(p);
	return r < 0 && !err_is_set(e) ? err_sys(e, -r, "%s/" STORE_VERSION, p->path) : r;
}

/* ---- prune ------------------------------------------------------------------------------ */

static int prune_images(struct arena *a, const struct place *p, uint64_t *n)
{
	struct strv files = { 0 };
	int r = read_names(a, p, STORE_IMAGES, &files);

	for (size_t i = 0; r == 0 && i < files.n; i++) {
		r = image_drop(p, a, files.v[i]);
		*n += r == 0;
		if (r == -EWOULDBLOCK || r == -ENOENT)
			r = 0;
	}
	return r;
}

/* Lock files that nobody holds; whoever is opening one looks whether it still has its name. */
static int prune_locks(struct arena *a, const struct place *p)
{
	_cleanup_fd_ int dir = open_dir(p, STORE_LOCK);
	struct strv names = { 0 };
	int r = dir < 0 ? dir : read_names(a, p, STORE_LOCK, &names);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		_cleanup_fd_ int fd = -1;

		if (str_eq(names.v[i], LOCK_STORE))
			continue;
		fd = openat(dir, names.v[i], O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && lock_try(fd, true) == 0)
			(void)unlinkat(dir, names.v[i], 0);
	}
	return r;
}

static uint64_t prune_stages(struct arena *a, const struct place *p, const char *dir,
			     struct removed *n)
{
	const char *path = arena_printf(a, "%s/" STORE_VERSION "/%s", p->path, dir);
	_cleanup_fd_ int fd = open_dir(p, dir);

	return fd < 0 ? 0 : stage_sweep(fd, "", p, path, n);
}

/* What nothing refers to, into the trash; with the store to ourselves, or not at all. */
static int prune_garbage(struct arena *a, const struct place *p, uint64_t *layers, struct err *e)
{
	_cleanup_fd_ int lock = lock_open(p, LOCK_STORE, true, LOCK_TRY, NULL, e);
	int r;

	if (lock == -EWOULDBLOCK) {
		log_note("an image is being unpacked: layers are left for the next prune");
		return 0;
	}
	if (lock < 0)
		return lock;
	r = collect(a, p, layers);
	if (r != -EBADMSG)
		return r;
	log_warn("%s: a damaged record: layers and trees are left as they are", p->path);
	return 0;
}

static int prune(struct arena *a, const struct place *p, bool all, struct store_pruned *ret,
		 struct removed *n, struct err *e)
{
	int r = 0;

	ret->directories = prune_stages(a, p, STORE_TMP, n) + prune_stages(a, p, STORE_SCRATCH, n);
	if (all)
		r = prune_images(a, p, &ret->images);
	if (r == 0)
		r = prune_garbage(a, p, &ret->layers, e);
	if (r == 0)
		r = drop_links(p, STORE_NAMES, NULL);
	if (r == 0)
		r = drop_links(p, STORE_FILES, NULL);
	if (r == 0)
		r = prune_locks(a, p);
	return r < 0 ? r : empty_trash(p, n);
}

int store_prune(struct store *s, struct arena *a, bool all, struct store_pruned *ret, struct err *e)
{
	struct store_pruned sum = { .images = 0 };
	struct removed n = { .entries = 0 };
	int r = prune(a, &s->own, all, &sum, &n, e);

	if (r < 0)
		return err_is_set(e) ? r : err_sys(e, -r, "%s", s->own.path);
	sum.bytes = n.bytes;
	*ret = sum;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ensure.c - the image that a reference names, ready to run.
 *
 * Warm: a stat of the file gives its key, files/KEY leads to the record, the record is read
 * and locked.  Everything else is cold.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/log.h>
#include <gpurun/str.h>

#include "abi.h"
#include "cold.h"
#include "source.h"
#include "view.h"

/* struct want - what store_ensure was asked, and where the answer goes */
struct want {
	struct store *s;
	struct arena *a;
	const struct image_ref *ref;
	const struct store_ensure_options *o;
	struct image *image;
	int lock;
};

/* ---- the C library and what belongs to it ----------------------------------------------- */

static void look_at_tree(struct want *w, const struct view *v)
{
	struct image_abi *abi = &w->image->abi;

	abi_look(v, w->a, w->o->arch, abi);
	abi->ld_cache = abi_locate(w->a, &w->image->lowers, abi->ld_cache);
}

/* For a record that does not tell. */
static void look_at_lowers(struct want *w)
{
	const struct strv *lowers = &w->image->lowers;
	struct view v = { .n = 0 };

	for (size_t i = 0; i < lowers->n && i < IMAGE_LAYERS_MAX; i++)
		v.fs[v.n++] = open(lowers->v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	look_at_tree(w, &v);
	for (size_t i = 0; i < v.n; i++)
		(void)fd_close(v.fs[i]);
}

/* ---- records ---------------------------------------------------------------------------- */

static void load_take(struct want *w, const struct record *rec, int *fd)
{
	if (!rec->abi && w->o->abi)
		look_at_lowers(w);
	w->lock = fd_take(fd);
}

/*
 * The record is of another boot: one process looks, the others wait, and nobody holds the
 * record meanwhile, so that it can be removed.
 */
static int load_after_boot(struct want *w, const struct place *p, const char *file, struct err *e)
{
	_cleanup_fd_ int lock = lock_open(p, LOCK_SETTLE, true, LOCK_WAIT, NULL, e);
	_cleanup_fd_ int fd = -1;
	struct record rec;
	int r;

	if (lock < 0)
		return lock;
	r = image_load(p, w->a, file, w->image, &rec, &fd, e);
	if (r < 0)
		return r;
	r = image_settle(p, file, &rec);
	if (r == 0)
		load_take(w, &rec, &fd);
	else if (r != -ESTALE)
		err_sys(e, -r, "%s: the store's copy", w->ref->text);
	if (r != -ESTALE)
		return r;
	log_warn("%s: the store's copy was damaged when the machine went down; it is removed",
		 w->ref->text);
	fd = fd_close(fd);
	(void)image_drop(p, w->a, file);
	return -ENOENT;
}

static int load(struct want *w, const struct place *p, const char *file, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	struct record rec;
	int r = image_load(p, w->a, file, w->image, &rec, &fd, e);

	if (r == -ESTALE && !image_stored(p, w->a, file)) {
		if (e)
			*e = (struct err){ .code = 0 };
		return -ENOENT;
	}
	if (r < 0)
		return r;
	if (p->read_only || !image_unsettled(p, file, &rec)) {
		load_take(w, &rec, &fd);
		return 0;
	}
	fd = fd_close(fd);
	return load_after_boot(w, p, file, e);
}

/* ---- warm: a file that is known --------------------------------------------------------- */

static int warm_in(struct want *w, const struct place *p, const char *key)
{
	char file[NAME_MAX + 1];
	struct err ignored = { .code = 0 };

	if (!link_read(p, STORE_FILES, key, file))
		return -ENOENT;
	/* a damaged record is found again, and spoken of, on the cold way */
	return load(w, p, file, &ignored);
}

static int warm(struct want *w, const struct source *src)
{
	char key[SOURCE_KEY_MAX];
	int r = -ENOENT;

	source_key(src, w->ref, w->o->arch, w->o->form_flat, key);
	for (size_t i = 0; r < 0 && i < w->s->n_ro; i++)
		r = warm_in(w, &w->s->ro[i], key);
	return r < 0 ? warm_in(w, &w->s->own, key) : r;
}

/* ---- cold ------------------------------------------------------------------------------- */

static int cold_locked(struct want *w, struct cold *c, const char *key, struct err *e)
{
	bool settled = source_settle(&c->source);
	const char *file;
	int r;

	r = cold_unpack(c, &file, e);
	if (r < 0)
		return r;
	r = load(w, &w->s->own, file, e);
	if (r == -ENOENT)
		return err_set(e, ENOENT, "%s: the image was removed as soon as it was unpacked",
			       w->ref->text);
	if (r == 0 && settled)
		r = image_set_key(&w->s->own, key, file);
	if (r < 0 && !err_is_set(e))
		return err_sys(e, -r, "%s/" STORE_VERSION "/" STORE_FILES, w->s->own.path);
	return r;
}

static int cold(struct want *w, const struct source *src, struct err *e)
{
	struct cold c = { .store = w->s, .arena = w->a, .ref = w->ref, .options = w->o };
	_cleanup_fd_ int source = -1;
	_cleanup_fd_ int lock = -1;
	_cleanup_fd_ int store = -1;
	char key[SOURCE_KEY_MAX];

	c.source = *src;
	source = source_open(&c.source, e);
	if (source < 0)
		return source;
	c.source_fd = source;
	source_key(&c.source, w->ref, w->o->arch, w->o->form_flat, key);
	lock = lock_open(&w->s->own, key, true, w->o->wait_quietly ? LOCK_WAIT_QUIETLY : LOCK_WAIT,
			 arena_printf(w->a, "unpacking %s", w->ref->text), e);
	if (lock == -EROFS)
		err_hint(e, "GPURUN_STORE_RO=%s reads what is there; --store DIR for the rest",
			 w->s->own.path);
	if (lock < 0)
		return lock;
	if (warm(w, &c.source) == 0) /* the one that we waited for did it */
		return 0;
	store = lock_open(&w->s->own, LOCK_STORE, false, LOCK_WAIT, NULL, e);
	if (store < 0)
		return store;
	return cold_locked(w, &c, key, e);
}

/* ---- names ------------------------------------------------------------------------------ */

/* With overlay out of the question, an image in layers may be there in its other form, too. */
static int load_in_form(struct want *w, const struct place *p, const char *file, struct err *e)
{
	int r = load(w, p, file, e);

	if (r < 0 || !w->o->form_flat || w->image->form != IMAGE_FORM_LAYERS)
		return r;
	w->lock = fd_close(w->lock);
	r = load(w, p, arena_printf(w->a, "%s" STORE_FLAT_SUFFIX, file), e);
	if (r != -ENOENT)
		return r;
	err_set(e, ENOTSUP, "%s: the store holds it in layers, which need overlay", w->ref->text);
	err_hint(e, "name the image's file once more; it is then unpacked in one piece");
	return -ENOTSUP;
}

static int by_name(struct want *w, struct err *e)
{
	const char *file;
	int r;

	for (size_t i = 0; i < w->s->n_ro; i++) {
		if (image_by_name(&w->s->ro[i], w->a, w->ref->text, &file, NULL) == 0 &&
		    load_in_form(w, &w->s->ro[i], file, e) == 0)
			return 0;
	}
	if (e)
		e->msg[0] = '\0';
	r = image_by_name(&w->s->own, w->a, w->ref->text, &file, e);
	return r < 0 ? r : load_in_form(w, &w->s->own, file, e);
}

static int not_found(struct want *w, struct err *e)
{
	if (w->ref->transport != IMAGE_AUTO || !w->ref->path)
		err_set(e, ENOENT, "%s: no such %s", w->ref->text,
			w->ref->path ? "file" : "image in the store");
	else
		err_set(e, ENOENT, "%s: neither a file nor an image in the store", w->ref->text);
	err_hint(e, "gpurun images lists the store");
	if (e) {
		e->topic = ERR_TOPIC_NOT_FOUND;
		e->status = EXIT_GPURUN;
	}
	return -ENOENT;
}

static int refuse_registry(struct want *w, struct err *e)
{
	const char *name = str_after(w->ref->text, "docker://");

	err_set(e, ENOTSUP, "%s: images are not fetched from registries yet", w->ref->text);
	err_hint(e, "skopeo copy docker://%s docker-archive:image.tar && gpurun image.tar",
		 name ? name : w->ref->text);
	return -ENOTSUP;
}

/* ---- a directory that is a root file system --------------------------------------------- */

/* Where an open directory is, without a link: a start follows none at the end of a lower's path. */
static const char *real_path(struct arena *a, int fd, const char *path)
{
	char real[PATH_MAX];
	ssize_t n = readlink(arena_printf(a, "/proc/self/fd/%d", fd), real, sizeof(real));

	return n > 0 && n < (ssize_t)sizeof(real) && *real == '/'
		       ? arena_strndup(a, real, (size_t)n)
		       : path;
}

static int root_directory(struct want *w, const struct source *src, struct err *e)
{
	struct image *image = w->image;
	struct view v = { .n = 1 };

	v.fs[0] = open(src->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v.fs[0] < 0)
		return err_sys(e, errno, "%s", w->ref->text);
	*image = (struct image){ .form = IMAGE_FORM_DIR };
	image->name = path_base(path_clean(w->a, src->path));
	strv_push(w->a, &image->lowers, real_path(w->a, v.fs[0], src->path));
	(void)view_text(&v, w->a, "etc/passwd", IMAGE_PASSWD_MAX, &image->passwd);
	(void)view_text(&v, w->a, "etc/group", IMAGE_PASSWD_MAX, &image->group);
	image->apt = view_is_dir(&v, "etc/apt/apt.conf.d");
	if (w->o->abi)
		look_at_tree(w, &v);
	(void)fd_close(v.fs[0]);
	return 0;
}

int store_directory(struct arena *a, const char *path, const struct store_ensure_options *o,
		    struct image *ret, struct err *e)
{
	const struct image_ref ref = { .transport = IMAGE_DIR, .path = path, .text = path };
	struct want w = { .a = a, .ref = &ref, .o = o, .image = ret, .lock = -1 };
	struct source src;
	int r = source_look(a, &ref, &src, e);

	if (r < 0)
		return r;
	if (src.kind == SOURCE_NONE)
		return err_sys(e, ENOENT, "%s", path);
	return root_directory(&w, &src, e);
}

static int ensure(struct want *w, struct err *e)
{
	struct source src;
	int r;

	if (w->ref->transport == IMAGE_REGISTRY)
		return refuse_registry(w, e);
	r = source_look(w->a, w->ref, &src, e);
	if (r < 0)
		return r;
	switch (src.kind) {
	case SOURCE_ROOT:
		return root_directory(w, &src, e);
	case SOURCE_FILE:
	case SOURCE_LAYOUT:
		r = warm(w, &src);
		return r == 0 ? 0 : cold(w, &src, e);
	case SOURCE_NONE:
		break;
	}
	r = w->ref->transport == IMAGE_AUTO ? by_name(w, e) : -ENOENT;
	return r == -ENOENT && !err_is_set(e) ? not_found(w, e) : r;
}

int store_ensure(struct store *s, struct arena *a, const struct image_ref *ref,
		 const struct store_ensure_options *o, struct image *ret, int *lock_fd,
		 struct err *e)
{
	struct image image = { .name = NULL };
	struct want w = { .s = s, .a = a, .ref = ref, .o = o, .image = &image, .lock = -1 };
	int r = ensure(&w, e);

	if (r < 0 && !err_is_set(e))
		err_sys(e, -r, "%s: the store's record", ref->text);
	if (r < 0) {
		(void)fd_close(w.lock);
		return r;
	}
	*ret = image;
	*lock_fd = w.lock;
	return 0;
}

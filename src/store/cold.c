/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cold.c - from an image to directories in the store and a record.
 *
 * The worker builds in a directory of the stage.  What it says and leaves there is a stranger's
 * word: it is ended before anything there is looked at (but for the manifest, which is read with
 * care), and what is complete is renamed into its place then.  Somebody else may have published
 * the same layer meanwhile (of another image): then his stays and ours goes.  The record comes
 * last, so that an image that has one is whole.
 */
#include "cold.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/log.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "abi.h"
#include "compose.h"
#include "conversation.h"
#include "rename.h"

#define WORK "work"

/* struct unpacking - cold_unpack's state */
struct unpacking {
	const struct cold *c;
	struct arena *arena;
	const struct place *place;
	struct stage stage;
	int work; /* WORK in the stage: the worker's, and all of the stage that it can reach */
	struct conversation talk;
	struct record record;
	struct layer layers[IMAGE_LAYERS_MAX];
	char ids[IMAGE_LAYERS_MAX][IMAGE_ID_HEX + 1]; /* diff_ids as computed or announced */
	bool fresh[IMAGE_LAYERS_MAX];                 /* in the stage, not in the store */
	bool heard[IMAGE_LAYERS_MAX];                 /* the worker says that it has unpacked it */
	uint32_t n;
	bool named_by_file;               /* not by what is in it */
	uint64_t free_bytes, free_inodes; /* before */
	struct unpack_skipped skipped;
};

static const char *label(const struct unpacking *u)
{
	return u->c->ref->text;
}

/* ---- what is there already -------------------------------------------------------------- */

/* Something of a type below @dirfd, with no link on the way. */
static int open_made(int dirfd, const char *dir, const char *name, mode_t type)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = sys_openat2(dirfd, path, &how);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return (st.st_mode & S_IFMT) == type ? fd_take(&fd) : -EBADMSG;
}

/* Open DIR/{fs,list}, which must be what it should be: the worker may have made it. */
static int layer_open(struct unpacking *u, int dirfd, const char *dir, struct layer *ret)
{
	_cleanup_fd_ int fs = open_made(dirfd, dir, "fs", S_IFDIR);
	_cleanup_fd_ int list = open_made(dirfd, dir, "list", S_IFREG);
	struct listing_reader reader;
	int r = fs < 0 ? fs : list;

	if (r >= 0)
		r = listing_open(u->arena, list, &reader, &ret->header);
	if (r < 0)
		return r;
	ret->fs = fd_take(&fs);
	ret->list = fd_take(&list);
	return 0;
}

static void layer_close(struct layer *l)
{
	l->fs = fd_close(l->fs);
	l->list = fd_close(l->list);
}

static void layers_close(struct unpacking *u)
{
	for (uint32_t i = 0; i < u->n; i++)
		layer_close(&u->layers[i]);
}

static const char *stored_path(struct unpacking *u, const char *dir, const char *id)
{
	return arena_printf(u->arena, "%s/%s", dir, id);
}

static bool seen_before(const struct unpacking *u, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++) {
		if (str_eq(u->ids[k], u->ids[i]))
			return true;
	}
	return false;
}

/* Which layers must be unpacked: those that are not there, or not whole any more. */
static int choose_layers(struct unpacking *u, struct msg *order, struct err *e)
{
	for (uint32_t i = 0; i < u->n; i++) {
		int r = 0;

		if (u->ids[i][0] && seen_before(u, i))
			continue;
		if (u->ids[i][0])
			r = stored_whole(u->place, STORE_LAYERS, u->ids[i], e);
		if (r < 0)
			return r;
		order->wanted[i] = r == 0;
		if (r > 0)
			r = layer_open(u, u->place->fd, stored_path(u, STORE_LAYERS, u->ids[i]),
				       &u->layers[i]);
		if (r < 0)
			return err_sys(e, -r, "%s: the stored layer %u", label(u), i + 1);
	}
	return 0;
}

/* ---- the worker's answers --------------------------------------------------------------- */

/* The worker could have put anything there, and still can. */
static int manifest_text(struct unpacking *u, char **ret, size_t *ret_len)
{
	_cleanup_fd_ int fd = open_made(u->work, ".", WORKER_MANIFEST, S_IFREG);

	return fd < 0 ? fd : fd_read_text(fd, u->arena, RECORD_MAX, ret, ret_len);
}

/* Of an image's record only what the image says of itself comes from the worker. */
static void forget_claims(struct record *rec)
{
	memset(&rec->lowers, 0, sizeof(rec->lowers));
	memset(&rec->image.abi, 0, sizeof(rec->image.abi));
	rec->image.bytes = rec->image.entries = 0;
	rec->image.passwd = rec->image.group = NULL;
	rec->image.apt = false;
	rec->abi = false;
}

static int read_manifest(struct unpacking *u, struct err *e)
{
	struct record *rec = &u->record;
	struct msg m;
	size_t len;
	char *text;
	int r = conversation_hear(&u->talk, &m, e);

	if (r < 0)
		return r;
	*rec = (struct record){ 0 };
	r = m.type == MSG_MANIFEST ? manifest_text(u, &text, &len) : -EPROTO;
	if (r == 0)
		r = record_parse(u->arena, text, len, rec);
	forget_claims(rec);
	if (r == 0 && rec->image.diff_ids.n != 0 && rec->image.diff_ids.n != m.layers)
		r = -EPROTO;
	if (r < 0)
		return err_set(e, -r, "%s: the unpack worker's manifest is damaged", label(u));
	u->n = m.layers;
	for (uint32_t i = 0; i < u->n; i++) {
		u->layers[i] = (struct layer){ .diff_id = u->ids[i], .fs = -1, .list = -1 };
		if (rec->image.diff_ids.n > 0)
			memcpy(u->ids[i], rec->image.diff_ids.v[i], IMAGE_ID_HEX + 1);
	}
	return 0;
}

static bool heard_all(const struct unpacking *u, const struct msg *order)
{
	for (uint32_t i = 0; i < u->n; i++) {
		if ((order->type == MSG_FLAT || order->wanted[i]) && !u->heard[i])
			return false;
	}
	return true;
}

/* Hear until the order is done.  Returns 1: a layer depends on others. */
static int hear_layers(struct unpacking *u, const struct msg *order, struct err *e)
{
	struct msg m;
	int r;

	memset(u->heard, 0, sizeof(u->heard));
	while ((r = conversation_hear(&u->talk, &m, e)) == 0) {
		if (m.type == MSG_LAYER && (order->type == MSG_FLAT || order->wanted[m.layer])) {
			if (u->ids[m.layer][0] && !str_eq(u->ids[m.layer], m.diff_id))
				return err_set(e, EBADMSG, "%s: layer %u is not what it says",
					       label(u), m.layer + 1);
			memcpy(u->ids[m.layer], m.diff_id, IMAGE_ID_HEX + 1);
			u->heard[m.layer] = true;
		} else if (m.type == MSG_DONE && heard_all(u, order)) {
			u->skipped = m.skipped;
			return 0;
		} else if (m.type == MSG_DEPENDENT) {
			return 1;
		} else {
			return err_set(e, EPROTO, "%s: the unpack worker speaks nonsense",
				       label(u));
		}
	}
	return r;
}

/* ---- layers ----------------------------------------------------------------------------- */

static int open_fresh(struct unpacking *u, const struct msg *order, struct err *e)
{
	char name[32];

	for (uint32_t i = 0; i < u->n; i++) {
		int r;

		if (!order->wanted[i])
			continue;
		(void)snprintf(name, sizeof(name), WORKER_LAYER, i);
		r = layer_open(u, u->work, name, &u->layers[i]);
		if (r < 0)
			return err_sys(e, -r, "%s: the unpacked layer %u", label(u), i + 1);
		u->layers[i].diff_id = u->ids[i];
		u->fresh[i] = true;
	}
	return 0;
}

/* A layer listed twice was opened once: give the other places descriptors of their own. */
static int open_repeated(struct unpacking *u, struct err *e)
{
	for (uint32_t i = 0; i < u->n; i++) {
		for (uint32_t k = 0; u->layers[i].fs < 0 && k < i; k++) {
			if (!str_eq(u->ids[k], u->ids[i]))
				continue;
			u->layers[i].header = u->layers[k].header;
			u->layers[i].fs = fcntl(u->layers[k].fs, F_DUPFD_CLOEXEC, 3);
			u->layers[i].list = fcntl(u->layers[k].list, F_DUPFD_CLOEXEC, 3);
		}
		u->layers[i].diff_id = u->ids[i];
		if (u->layers[i].fs < 0 || u->layers[i].list < 0)
			return err_sys(e, errno, "%s: layer %u", label(u), i + 1);
	}
	return 0;
}

/* Move @from of the stage to DIR/ID; somebody else's that is there already, and whole, is as good. */
static int publish_directory(struct unpacking *u, const char *from, const char *dir, const char *id,
			     struct err *e)
{
	const char *to = stored_path(u, dir, id);
	int r = rename_new(u->work, from, u->place->fd, to);

	if (r == -EEXIST) {
		r = stored_whole(u->place, dir, id, e);
		if (r != 0)
			return r < 0 ? r : 0;
		r = rename_new(u->work, from, u->place->fd, to);
	}
	if (r < 0 && r != -EEXIST)
		return err_sys(e, -r, "%s/" STORE_VERSION "/%s", u->place->path, to);
	return 0;
}

static int publish_layers(struct unpacking *u, struct err *e)
{
	char name[32];

	for (uint32_t i = 0; i < u->n; i++) {
		int r;

		if (!u->fresh[i])
			continue;
		(void)snprintf(name, sizeof(name), WORKER_LAYER, i);
		r = publish_directory(u, name, STORE_LAYERS, u->ids[i], e);
		if (r < 0)
			return r;
	}
	return 0;
}

static void fill_layers(struct unpacking *u, const size_t *chosen, size_t n, struct view *v)
{
	struct record *rec = &u->record;

	rec->image.form = IMAGE_FORM_LAYERS;
	v->n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct layer *l = &u->layers[chosen[i]];

		strv_push(u->arena, &rec->lowers, arena_strdup(u->arena, l->diff_id));
		rec->image.entries += l->header.entries;
		rec->image.bytes += l->header.bytes;
		v->fs[v->n++] = l->fs;
	}
}

/* ---- the record ------------------------------------------------------------------------- */

static void read_text(struct unpacking *u, const struct view *v, const char *path, const char **ret)
{
	if (view_text(v, u->arena, path, IMAGE_PASSWD_MAX, ret) == -EFBIG)
		log_warn("%s: /%s is larger than %u KiB and left aside", label(u), path,
			 IMAGE_PASSWD_MAX >> 10);
}

static void fill_from_view(struct unpacking *u, const struct view *v)
{
	struct image *image = &u->record.image;

	read_text(u, v, "etc/passwd", &image->passwd);
	read_text(u, v, "etc/group", &image->group);
	image->apt = view_is_dir(v, "etc/apt/apt.conf.d");
	abi_look(v, u->arena, u->c->options->arch, &image->abi);
	u->record.abi = true;
}

/* "images/debian.tar.zst" is called "debian". */
static const char *name_of_file(struct arena *a, const char *path)
{
	static const char *const endings[] = { ".gz",  ".tgz", ".zst", ".zstd", ".xz",
					       ".txz", ".bz2", ".tbz", ".tar",  ".oci" };
	char *name = arena_strdup(a, path_base(path_clean(a, path)));

	for (size_t i = 0; i < ELEMENTS(endings); i++) {
		size_t n = strlen(name), end = strlen(endings[i]);

		if (n > end && str_eq(name + n - end, endings[i]))
			name[n - end] = '\0';
	}
	return name;
}

static const char *image_file(struct unpacking *u)
{
	return arena_printf(u->arena, "%s%s", u->record.image.id,
			    u->c->options->form_flat ? STORE_FLAT_SUFFIX : "");
}

static int publish_record(struct unpacking *u, const char **ret_file, struct err *e)
{
	struct record *rec = &u->record;
	const char *file = image_file(u);
	int r;

	rec->unpacked = (int64_t)time(NULL);
	rec->uptime = boot_seconds();
	boot_id(rec->boot);
	memset(&rec->image.diff_ids, 0, sizeof(rec->image.diff_ids));
	for (uint32_t i = 0; i < u->n; i++)
		strv_push(u->arena, &rec->image.diff_ids, u->ids[i]);
	r = image_publish(u->place, u->arena, u->stage.fd, file, rec, e);
	if (r == 0)
		*ret_file = file;
	return r;
}

/* ---- the two forms ---------------------------------------------------------------------- */

static int make_flat(struct unpacking *u, const char **ret_file, struct err *e)
{
	const struct msg order = { .type = MSG_FLAT };
	struct image *image = &u->record.image;
	const char *dir = WORKER_TREE;
	int dirfd = u->work;
	int r = *image->id ? stored_whole(u->place, STORE_TREES, image->id, e) : 0;
	struct layer tree = { .fs = -1, .list = -1 };
	struct view v;

	image->form = IMAGE_FORM_FLAT;
	if (r > 0) {
		dirfd = u->place->fd;
		dir = stored_path(u, STORE_TREES, image->id);
	} else if (r == 0) {
		r = conversation_order(&u->talk, &order, e);
		if (r == 0)
			r = hear_layers(u, &order, e);
		if (r > 0)
			r = err_set(e, EPROTO, "%s: the unpack worker speaks nonsense", label(u));
	}
	conversation_end(&u->talk);
	if (r < 0)
		return r;
	if (!*image->id)
		memcpy(image->id, u->n > 0 ? u->ids[0] : "", u->n > 0 ? IMAGE_ID_HEX + 1 : 1);
	if (!*image->id)
		return err_set(e, EINVAL, "%s: an image without layers and without id", label(u));
	r = layer_open(u, dirfd, dir, &tree);
	if (r < 0)
		return err_sys(e, -r, "%s: the unpacked tree", label(u));
	strv_push(u->arena, &u->record.lowers, image->id);
	image->entries = tree.header.entries;
	image->bytes = tree.header.bytes;
	v.n = 1;
	v.fs[0] = tree.fs;
	fill_from_view(u, &v);
	layer_close(&tree);
	if (dirfd == u->work)
		r = publish_directory(u, dir, STORE_TREES, image->id, e);
	return r < 0 ? r : publish_record(u, ret_file, e);
}

/* Returns 1 when only the flat form will do. */
static int make_layers(struct unpacking *u, const char **ret_file, struct err *e)
{
	struct msg order = { .type = MSG_LAYERS };
	size_t chosen[IMAGE_LAYERS_MAX], n;
	struct view v;
	int r;

	r = choose_layers(u, &order, e);
	if (r == 0)
		r = conversation_order(&u->talk, &order, e);
	if (r == 0)
		r = hear_layers(u, &order, e);
	conversation_end(&u->talk);
	if (r == 0)
		r = open_fresh(u, &order, e);
	if (r == 0)
		r = open_repeated(u, e);
	if (r != 0)
		return r;
	r = compose(u->arena, u->layers, u->n, chosen, &n);
	if (r <= 0)
		return r < 0 ? err_sys(e, -r, "%s: comparing the layers", label(u)) : 1;
	fill_layers(u, chosen, n, &v);
	fill_from_view(u, &v);
	if (!*u->record.image.id)
		memcpy(u->record.image.id, u->ids[0], IMAGE_ID_HEX + 1);
	r = publish_layers(u, e);
	return r < 0 ? r : publish_record(u, ret_file, e);
}

/* ---- around it -------------------------------------------------------------------------- */

static void say_skipped(const struct unpacking *u)
{
	const struct unpack_skipped *s = &u->skipped;

	if (s->devices + s->sockets > 0)
		log_debug(1, "%s: %" PRIu64 " device nodes and sockets left out", label(u),
			  s->devices + s->sockets);
	if (s->xattrs > 0)
		log_warn("%s: %" PRIu64 " extended attributes could not be kept", label(u),
			 s->xattrs);
	if (s->leftovers > 0)
		log_warn("%s: %" PRIu64 " entries of aufs (.wh..wh.*) left out", label(u),
			 s->leftovers);
}

static void measure_space(struct unpacking *u)
{
	struct statvfs sv;

	if (fstatvfs(u->place->fd, &sv) < 0)
		return;
	u->free_bytes = (uint64_t)sv.f_bavail * sv.f_frsize;
	u->free_inodes = (uint64_t)sv.f_favail;
}

static void explain_space(const struct unpacking *u, struct err *e)
{
	if (!e || (e->code != ENOSPC && e->code != EDQUOT))
		return;
	err_set(e, e->code,
		"%s: no room for %s: it needs more than the %" PRIu64 " MiB and %" PRIu64
		" inodes that were free%s",
		u->place->path, label(u), u->free_bytes >> 20, u->free_inodes,
		e->code == EDQUOT ? ", or than your quota" : "");
	err_hint(e, "gpurun prune --all, or another directory: --store DIR");
}

static const char *existing_record(struct unpacking *u)
{
	const char *file;

	if (!*u->record.image.id)
		return NULL;
	file = image_file(u);
	return image_stored(u->place, u->arena, file) ? file : NULL;
}

/* A worker, and an empty directory for it. */
static int talk(struct unpacking *u, struct err *e)
{
	struct worker_input in = {
		.ref = u->c->ref,
		.arch = u->c->options->arch,
		.source_path = u->c->source.path,
		.source = u->c->source_fd,
	};
	int r = mkdirat(u->stage.fd, WORK, 0700) < 0 ? -errno : 0;

	if (r == 0)
		u->work =
			openat(u->stage.fd, WORK, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r < 0 || u->work < 0)
		return err_sys(e, r < 0 ? -r : errno, "%s/" STORE_VERSION "/" STORE_TMP,
			       u->place->path);
	in.stage = u->work;
	r = conversation_begin(&u->talk, &in, label(u), u->c->options->quiet, e);
	return r < 0 ? r : read_manifest(u, e);
}

/* Another worker, which has never seen what the first one left. */
static int begin_again(struct unpacking *u, struct err *e)
{
	const char *name = u->record.image.name;
	char id[IMAGE_ID_HEX + 1];
	int r;

	memcpy(id, u->record.image.id, sizeof(id));
	layers_close(u);
	u->work = fd_close(u->work);
	r = remove_tree(u->stage.fd, WORK, NULL);
	if (r < 0)
		return err_sys(e, -r, "%s: the unpacked layers", label(u));
	r = talk(u, e);
	if (r == 0 && !str_eq(u->record.image.id, id))
		r = err_set(e, ESTALE, "%s: the file was changed while it was read", label(u));
	u->record.image.name = name;
	return r;
}

static int unpack(struct unpacking *u, const char **ret_file, struct err *e)
{
	bool flat = u->c->options->form_flat || !store_overlay(u->c->store);
	const char *file;
	int r = talk(u, e);

	if (r < 0)
		return r;
	u->named_by_file = !u->record.image.name;
	if (u->named_by_file)
		u->record.image.name = name_of_file(u->arena, u->c->source.path);
	file = existing_record(u);
	if (file) {
		*ret_file = file;
		return 0;
	}
	if (!u->c->options->quiet)
		log_note("unpacking %s into %s", label(u), u->place->path);
	r = flat || u->n == 0 ? make_flat(u, ret_file, e) : make_layers(u, ret_file, e);
	if (r == 1) {
		r = begin_again(u, e);
		if (r == 0)
			r = make_flat(u, ret_file, e);
	}
	if (r == 0 && !u->c->options->quiet)
		log_note("%s: %.1f MiB in %" PRIu64 " entries", label(u),
			 (double)u->record.image.bytes / (1 << 20), u->record.image.entries);
	if (r == 0)
		say_skipped(u);
	return r;
}

/* An archive may call itself what it likes: a name that it takes from another image is told. */
static void say_taken(struct unpacking *u, const char *file)
{
	const char *name = u->record.image.name, *encoded = name_encode(u->arena, name);
	char old[NAME_MAX + 1];

	if (encoded && link_read(u->place, STORE_NAMES, encoded, old) &&
	    strncmp(old, file, IMAGE_ID_HEX) != 0)
		log_note("%s: from now on this is image %.12s; it was %.12s", name, file, old);
}

static int name_image(struct unpacking *u, const char *file, struct err *e)
{
	int r;

	if (!u->named_by_file)
		say_taken(u, file);
	r = image_set_name(u->place, u->arena, u->record.image.name, file);

	if (r < 0 && r != -ENAMETOOLONG)
		return err_sys(e, -r, "%s: the name %s", u->place->path, u->record.image.name);
	return 0;
}

static int unpack_staged(struct unpacking *u, const char **ret_file, struct err *e)
{
	int r = unpack(u, ret_file, e);

	if (r < 0)
		explain_space(u, e);
	layers_close(u);
	conversation_end(&u->talk);
	u->work = fd_close(u->work);
	if (r == 0 && source_changed(&u->c->source, u->c->source_fd))
		r = err_set(e, ESTALE, "%s: the file was changed while it was read", label(u));
	return r < 0 ? r : name_image(u, *ret_file, e);
}

int cold_unpack(const struct cold *c, const char **ret_file, struct err *e)
{
	struct unpacking *u = ARENA_NEW(c->arena, struct unpacking);
	_cleanup_fd_ int tmp = openat(c->store->own.fd, STORE_TMP,
				      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	u->c = c;
	u->work = -1;
	u->talk = (struct conversation){ .pid = -1, .sock = -1, .words = -1, .signals = -1 };
	u->arena = c->arena;
	u->place = &c->store->own;
	if (tmp < 0)
		return err_sys(e, errno, "%s/" STORE_VERSION "/" STORE_TMP, u->place->path);
	(void)stage_sweep(tmp, "", NULL, NULL, NULL);
	trash_sweep(u->place);
	measure_space(u);
	r = stage_begin(tmp, "", &u->stage);
	if (r < 0)
		return err_sys(e, -r, "%s/" STORE_VERSION "/" STORE_TMP, u->place->path);
	r = unpack_staged(u, ret_file, e);
	stage_end(&u->stage);
	return r;
}

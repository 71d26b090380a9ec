/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c - the worker's side: read the manifest, unpack what is wanted, report.
 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "record.h"
#include "sandbox.h"

#define WORKER_ARENA       ((size_t)256 << 20)
#define PROGRESS_PERIOD_MS 100

struct worker {
	const struct worker_input *in;
	struct arena *arena;
	int sock, stage, trash;
	struct image_source *source;
	struct image_manifest manifest;
	uint64_t entries;
	struct unpack_skipped skipped;
};

/* struct feed - a layer's bytes on their way to the tar reader, reported as they pass */
struct feed {
	struct worker *w;
	struct image_stream *stream;
	const struct tree *tree;
	uint32_t layer;
	int64_t reported; /* ms */
};

static int worker_send(int sock, const struct msg *m, int flags)
{
	ssize_t n;

	do
		n = send(sock, m, sizeof(*m), MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int worker_receive(int sock, struct msg *m)
{
	ssize_t n;

	do
		n = recv(sock, m, sizeof(*m), 0);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*m) ? 0 : -EPIPE;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static ssize_t feed_read(void *arg, const void **ret_block, struct err *e)
{
	struct feed *f = arg;
	int64_t now = now_ms();

	if (now - f->reported >= PROGRESS_PERIOD_MS) {
		struct msg m = { .type = MSG_PROGRESS, .layer = f->layer };

		f->reported = now;
		m.bytes = f->tree->bytes;
		image_layer_progress(f->stream, &m.done, &m.total);
		(void)worker_send(f->w->sock, &m, MSG_DONTWAIT); /* nobody listens: no matter */
	}
	return image_layer_read(f->stream, ret_block, e);
}

/* ---- the manifest ----------------------------------------------------------------------- */

static int write_manifest(struct worker *w, struct err *e)
{
	const struct image_manifest *m = &w->manifest;
	struct record rec = { .boot = RECORD_SETTLED };
	const char *text;
	_cleanup_fd_ int fd = -1;
	size_t len;
	int r;

	memcpy(rec.image.id, m->config_id, sizeof(rec.image.id));
	rec.image.form = IMAGE_FORM_FLAT;
	rec.image.name = m->name;
	rec.image.config = m->config;
	for (size_t i = 0; i < m->n_layers; i++) {
		if (m->layers[i].diff_id)
			strv_push(w->arena, &rec.image.diff_ids, m->layers[i].diff_id);
	}
	text = record_format(w->arena, &rec, &len);
	fd = root_open(w->stage, WORKER_MANIFEST, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	r = fd < 0 ? fd : fd_write_all(fd, text, len);
	return r < 0 ? err_sys(e, -r, "store: the manifest cannot be written") : 0;
}

static int read_manifest(struct worker *w, struct err *e)
{
	struct msg m = { .type = MSG_MANIFEST };
	int r = image_open(w->arena, w->in->source, w->in->ref, w->stage, w->in->arch, &w->source,
			   &w->manifest, e);

	if (r < 0)
		return r;
	if (w->manifest.n_layers > IMAGE_LAYERS_MAX)
		return err_set(e, EINVAL, "%s: more than %d layers", w->in->ref->text,
			       IMAGE_LAYERS_MAX);
	r = write_manifest(w, e);
	m.layers = (uint32_t)w->manifest.n_layers;
	return r < 0 ? r : worker_send(w->sock, &m, 0);
}

/* ---- layers ----------------------------------------------------------------------------- */

/* struct target - DIR/{fs,list} of the stage, opened */
struct target {
	int fs, list;
};

static void target_close(struct target *t)
{
	(void)fd_close(t->fs);
	(void)fd_close(t->list);
}

static int target_make(struct worker *w, const char *name, struct target *ret)
{
	char path[64];
	int r;

	ret->fs = ret->list = -1;
	(void)snprintf(path, sizeof(path), "%s/fs", name);
	if (mkdirat(w->stage, name, 0700) < 0 || mkdirat(w->stage, path, 0755) < 0)
		return -errno;
	ret->fs = root_open(w->stage, path, O_RDONLY | O_DIRECTORY, 0);
	(void)snprintf(path, sizeof(path), "%s/list", name);
	ret->list = root_open(w->stage, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	r = ret->fs < 0 ? ret->fs : ret->list;
	if (r < 0)
		target_close(ret);
	return r < 0 ? r : 0;
}

/* One layer onto @t.  When it turns out to depend on others, its rest is not read. */
static int unpack_one(struct worker *w, struct tree *t, size_t i, struct err *e)
{
	struct feed f = { .w = w, .tree = t, .layer = (uint32_t)i };
	const struct tar_input in = { .read = feed_read, .arg = &f };
	_cleanup_arena_ struct arena *scratch = arena_new(0);
	struct msg m = { .type = MSG_LAYER, .layer = (uint32_t)i };
	int r = image_layer_open(w->source, &w->manifest.layers[i], &f.stream, e);

	if (r < 0)
		return r;
	f.reported = now_ms();
	r = unpack_layer(scratch, t, &in, &w->entries, &w->skipped, e);
	if (r == 0 && !(t->flags & LAYER_NEEDS_LOWER))
		r = image_layer_finish(f.stream, m.diff_id, e);
	image_layer_progress(f.stream, &m.done, &m.total);
	image_layer_close(f.stream);
	m.bytes = t->bytes;
	if (r < 0) {
		err_wrap(e, "layer %zu of %zu", i + 1, w->manifest.n_layers);
		return r;
	}
	return t->flags & LAYER_NEEDS_LOWER ? 0 : worker_send(w->sock, &m, 0);
}

static int end_tree(struct tree *t, struct err *e)
{
	_cleanup_arena_ struct arena *scratch = arena_new(0);
	int r = tree_end(t, scratch);

	return r < 0 ? err_sys(e, -r, "store: finishing the tree") : 0;
}

/* Returns 1 when the layer depends on others. */
static int unpack_layer_alone(struct worker *w, size_t i, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct target to;
	struct tree t;
	char name[32];
	int r;

	(void)snprintf(name, sizeof(name), WORKER_LAYER, (unsigned int)i);
	r = target_make(w, name, &to);
	if (r < 0)
		return err_sys(e, -r, "store: %s", name);
	r = tree_begin(&t, a, to.fs, w->trash, to.list, true);
	if (r == 0) {
		r = unpack_one(w, &t, i, e);
		if (r == 0 && !(t.flags & LAYER_NEEDS_LOWER))
			r = end_tree(&t, e);
		else if (r == 0)
			r = 1;
	}
	tree_close(&t);
	target_close(&to);
	return r;
}

static int unpack_layers(struct worker *w, const struct msg *order, struct err *e)
{
	for (size_t i = 0; i < w->manifest.n_layers; i++) {
		int r = order->wanted[i] ? unpack_layer_alone(w, i, e) : 0;

		if (r != 0)
			return r;
	}
	return 0;
}

static int unpack_flat(struct worker *w, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct target to;
	struct tree t;
	int r = target_make(w, WORKER_TREE, &to);

	if (r < 0)
		return err_sys(e, -r, "store: " WORKER_TREE);
	w->entries = 0;
	memset(&w->skipped, 0, sizeof(w->skipped));
	r = tree_begin(&t, a, to.fs, w->trash, to.list, false);
	for (size_t i = 0; r == 0 && i < w->manifest.n_layers; i++) {
		if (i > 0)
			tree_layer(&t);
		r = unpack_one(w, &t, i, e);
	}
	if (r == 0)
		r = end_tree(&t, e);
	tree_close(&t);
	target_close(&to);
	return r;
}

/* ---- the conversation ------------------------------------------------------------------- */

static int obey(struct worker *w, const struct msg *order, struct err *e)
{
	struct msg m = { .type = MSG_DONE };
	int r = order->type == MSG_LAYERS ? unpack_layers(w, order, e) : unpack_flat(w, e);

	if (r < 0)
		return r;
	if (r > 0)
		m.type = MSG_DEPENDENT;
	m.skipped = w->skipped;
	return worker_send(w->sock, &m, 0);
}

static int worker_talk(struct worker *w, struct err *e)
{
	struct msg order;
	int r;

	r = read_manifest(w, e);
	while (r == 0) {
		r = worker_receive(w->sock, &order);
		if (r < 0 || order.type == MSG_END)
			return 0; /* also when nobody is there any more */
		r = obey(w, &order, e);
	}
	return r;
}

static int worker_start(struct worker *w, struct err *e)
{
	int r = unpack_load(e);

	if (r == 0)
		r = image_libs_load(e);
	if (r == 0)
		r = sandbox_enter(w->in->stage, w->in->source, e);
	if (r < 0)
		return r;
	w->stage = w->in->stage;
	if (mkdirat(w->stage, WORKER_TRASH, 0700) < 0)
		return err_sys(e, errno, "store: " WORKER_TRASH);
	w->trash = root_open(w->stage, WORKER_TRASH, O_RDONLY | O_DIRECTORY, 0);
	return w->trash < 0 ? err_sys(e, -w->trash, "store: " WORKER_TRASH) : 0;
}

void worker_run(const struct worker_input *in, int sock)
{
	struct worker w = { .in = in, .sock = sock, .stage = -1, .trash = -1 };
	struct msg failed = { .type = MSG_FAILED };
	int r;

	w.arena = arena_new(WORKER_ARENA);
	r = worker_start(&w, &failed.err);
	if (r == 0)
		r = worker_talk(&w, &failed.err);
	if (r < 0) {
		if (!err_is_set(&failed.err))
			err_sys(&failed.err, -r, "%s", in->ref->text);
		(void)worker_send(sock, &failed, 0);
	}
	_exit(r < 0 ? EXIT_GPURUN : 0);
}

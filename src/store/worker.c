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

#include "layers.h"
#include "record.h"
#include "sandbox.h"

#define WORKER_ARENA ((size_t)256 << 20)

struct worker {
	const struct worker_input *in;
	struct arena *arena;
	int sock, stage;
	struct image_manifest manifest;
	struct layers layers;
};

static int worker_send(int sock, const struct msg *m)
{
	ssize_t n;

	do
		n = send(sock, m, sizeof(*m), MSG_NOSIGNAL);
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
	int r = image_open(w->arena, w->in->source, w->in->ref, w->stage, w->in->arch,
			   &w->layers.source, &w->manifest, e);

	if (r < 0)
		return r;
	if (w->manifest.n_layers > IMAGE_LAYERS_MAX)
		return err_set(e, EINVAL, "%s: more than %d layers", w->in->ref->text,
			       IMAGE_LAYERS_MAX);
	r = write_manifest(w, e);
	m.layers = (uint32_t)w->manifest.n_layers;
	return r < 0 ? r : worker_send(w->sock, &m);
}

/* ---- the conversation ------------------------------------------------------------------- */

static int obey(struct worker *w, const struct msg *order, struct err *e)
{
	struct msg m = { .type = MSG_DONE };
	int r = order->type == MSG_LAYERS ? layers_apart(&w->layers, order->wanted, e)
					  : layers_flat(&w->layers, e);

	if (r < 0)
		return r;
	if (r > 0)
		m.type = MSG_DEPENDENT;
	m.skipped = w->layers.skipped;
	return worker_send(w->sock, &m);
}

static int worker_talk(struct worker *w, struct err *e)
{
	struct msg order;
	int r;

	r = read_manifest(w, e);
	while (r == 0) {
		if (worker_receive(w->sock, &order) < 0)
			return 0; /* nobody is there any more */
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
		r = sandbox_enter(w->in->stage, w->in->source, w->in->source_path, e);
	if (r < 0)
		return r;
	w->stage = w->in->stage;
	w->layers.sock = w->sock;
	w->layers.stage = w->stage;
	w->layers.manifest = &w->manifest;
	w->layers.at_once = layers_at_once();
	if (mkdirat(w->stage, WORKER_TRASH, 0700) < 0)
		return err_sys(e, errno, "store: " WORKER_TRASH);
	w->layers.trash = root_open(w->stage, WORKER_TRASH, O_RDONLY | O_DIRECTORY, 0);
	return w->layers.trash < 0 ? err_sys(e, -w->layers.trash, "store: " WORKER_TRASH) : 0;
}

void worker_run(const struct worker_input *in, int sock)
{
	struct worker w = { .in = in, .sock = sock, .stage = -1 };
	struct msg failed = { .type = MSG_FAILED };
	int r;

	w.arena = arena_new(WORKER_ARENA);
	r = worker_start(&w, &failed.err);
	if (r == 0)
		r = worker_talk(&w, &failed.err);
	if (r < 0) {
		if (!err_is_set(&failed.err))
			err_sys(&failed.err, -r, "%s", in->ref->text);
		(void)worker_send(sock, &failed);
	}
	_exit(r < 0 ? EXIT_GPURUN : 0);
}

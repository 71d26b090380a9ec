/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layers.c - threads that take one layer after the other.
 *
 * The threads share what struct layers says and the image's source; reader, tree, memory and
 * descriptors are each layer's own.  Layers are begun from the bottom.  When one fails, those
 * above it stop and those below it go on, because one of them may fail, too: so the message is
 * the same every time.
 */
#include "layers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "worker.h"

#define PROGRESS_PERIOD_MS 100
#define LANE_STACK         (256U << 10)
/* Addresses that a layer on its way may take: its arenas, the heaps of two threads, a window. */
#define LANE_SPACE ((uint64_t)512 << 20)

/* struct feed - a layer's bytes on their way to the tar reader, counted as they pass */
struct feed {
	struct layers *ls;
	struct image_stream *stream;
	const struct tree *tree;
	const _Atomic uint32_t *stop; /* layers above this one need not go on */
	uint32_t layer;
	uint64_t done, total, bytes; /* as they are in @ls */
};

/* ---- progress --------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int send_msg(const struct layers *ls, const struct msg *m, int flags)
{
	ssize_t n;

	do
		n = send(ls->sock, m, sizeof(*m), MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Whoever comes first after the period reports for all. */
static void say_progress(struct layers *ls)
{
	int64_t now = now_ms(), said = atomic_load(&ls->said);
	struct msg m = { .type = MSG_PROGRESS, .layers = ls->ordered };

	if (now - said < PROGRESS_PERIOD_MS ||
	    !atomic_compare_exchange_strong(&ls->said, &said, now))
		return;
	m.layer = atomic_load(&ls->finished);
	m.done = atomic_load(&ls->done);
	m.total = atomic_load(&ls->total);
	m.bytes = atomic_load(&ls->bytes);
	(void)send_msg(ls, &m, MSG_DONTWAIT); /* nobody listens: no matter */
}

/* Bring the sums up to date; unsigned differences may also be negative. */
static void feed_count(struct feed *f)
{
	uint64_t done, total;

	image_layer_progress(f->stream, &done, &total);
	(void)atomic_fetch_add(&f->ls->done, done - f->done);
	(void)atomic_fetch_add(&f->ls->total, total - f->total);
	(void)atomic_fetch_add(&f->ls->bytes, f->tree->bytes - f->bytes);
	f->done = done;
	f->total = total;
	f->bytes = f->tree->bytes;
}

static ssize_t feed_read(void *arg, const void **ret_block, struct err *e)
{
	struct feed *f = arg;

	if (f->layer > atomic_load(f->stop))
		return err_set(e, ECANCELED, "a layer below has failed");
	feed_count(f);
	say_progress(f->ls);
	return image_layer_read(f->stream, ret_block, e);
}

static void begin_order(struct layers *ls, const uint8_t *wanted)
{
	uint64_t total = 0;

	ls->ordered = 0;
	for (size_t i = 0; i < ls->manifest->n_layers; i++) {
		int64_t size = ls->manifest->layers[i].size;

		if (wanted && !wanted[i])
			continue;
		ls->ordered++;
		total += size > 0 ? (uint64_t)size : 0;
	}
	ls->total = total;
	ls->entries = ls->done = ls->bytes = 0;
	ls->finished = 0;
	ls->said = now_ms();
	ls->skipped = (struct unpack_skipped){ 0 };
}

/* ---- one layer -------------------------------------------------------------------------- */

/* struct target - DIR/{fs,list} of the stage, opened */
struct target {
	int fs, list;
};

static void target_close(struct target *t)
{
	(void)fd_close(t->fs);
	(void)fd_close(t->list);
}

static int target_make(const struct layers *ls, const char *name, struct target *ret)
{
	char path[64];
	int r;

	ret->fs = ret->list = -1;
	(void)snprintf(path, sizeof(path), "%s/fs", name);
	if (mkdirat(ls->stage, name, 0700) < 0 || mkdirat(ls->stage, path, 0755) < 0)
		return -errno;
	ret->fs = root_open(ls->stage, path, O_RDONLY | O_DIRECTORY, 0);
	(void)snprintf(path, sizeof(path), "%s/list", name);
	ret->list = root_open(ls->stage, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	r = ret->fs < 0 ? ret->fs : ret->list;
	if (r < 0)
		target_close(ret);
	return r < 0 ? r : 0;
}

static int read_layer(struct feed *f, struct tree *t, struct unpack_skipped *skipped, struct msg *m,
		      struct err *e)
{
	_cleanup_arena_ struct arena *scratch = arena_new(0);
	const struct tar_input in = { .read = feed_read, .arg = f };
	const struct image_layer *layer = &f->ls->manifest->layers[f->layer];
	int r = image_layer_open(f->ls->source, layer, &f->stream, e);

	if (r < 0)
		return r;
	f->total = layer->size > 0 ? (uint64_t)layer->size : 0; /* counted by begin_order */
	r = unpack_layer(scratch, t, &in, &f->ls->entries, skipped, e);
	if (r == 0 && !(t->flags & LAYER_NEEDS_LOWER))
		r = image_layer_finish(f->stream, m->diff_id, e);
	feed_count(f);
	image_layer_close(f->stream);
	return r;
}

/* One layer onto @t.  When it turns out to depend on others, its rest is not read. */
static int unpack_one(struct layers *ls, struct tree *t, uint32_t i, const _Atomic uint32_t *stop,
		      struct unpack_skipped *skipped, struct err *e)
{
	struct feed f = { .ls = ls, .tree = t, .stop = stop, .layer = i, .bytes = t->bytes };
	struct msg m = { .type = MSG_LAYER, .layer = i };
	int r = read_layer(&f, t, skipped, &m, e);

	if (r == -E2BIG) /* of all layers together, whichever it was */
		return r;
	if (r < 0) {
		err_wrap(e, "layer %u of %zu", i + 1, ls->manifest->n_layers);
		return r;
	}
	if (t->flags & LAYER_NEEDS_LOWER)
		return 0;
	(void)atomic_fetch_add(&ls->finished, 1);
	m.bytes = t->bytes;
	return send_msg(ls, &m, 0);
}

static int end_tree(struct tree *t, struct err *e)
{
	_cleanup_arena_ struct arena *scratch = arena_new(0);
	int r = tree_end(t, scratch);

	return r < 0 ? err_sys(e, -r, "store: finishing the tree") : 0;
}

/* ---- layers by themselves --------------------------------------------------------------- */

/* struct lanes - the threads' list of work: layers below @next are taken */
struct lanes {
	struct layers *ls;
	const uint8_t *wanted;
	pthread_mutex_t lock;
	uint32_t next;
	_Atomic uint32_t stop;
};

/* struct lane - one thread, and how the last of its layers ended */
struct lane {
	struct lanes *all;
	pthread_t thread;
	uint32_t layer;
	int r;
	struct err err;
	struct unpack_skipped skipped;
};

/* Returns 1 when the layer depends on others. */
static int unpack_alone(struct lane *l)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct layers *ls = l->all->ls;
	struct target to;
	struct tree t;
	char name[32];
	int r;

	(void)snprintf(name, sizeof(name), WORKER_LAYER, l->layer);
	r = target_make(ls, name, &to);
	if (r < 0)
		return err_sys(&l->err, -r, "store: %s", name);
	r = tree_begin(&t, a, to.fs, ls->trash, to.list, true);
	if (r == 0) {
		r = unpack_one(ls, &t, l->layer, &l->all->stop, &l->skipped, &l->err);
		if (r == 0 && !(t.flags & LAYER_NEEDS_LOWER))
			r = end_tree(&t, &l->err);
		else if (r == 0)
			r = 1;
	}
	tree_close(&t);
	target_close(&to);
	return r;
}

/* The next layer that is wanted, from the bottom; false: there is none that matters. */
static bool lane_next(struct lane *l)
{
	struct lanes *all = l->all;
	const uint32_t n = (uint32_t)all->ls->manifest->n_layers;
	bool found = false;

	(void)pthread_mutex_lock(&all->lock);
	while (all->next < n && !all->wanted[all->next])
		all->next++;
	if (all->next < n && all->next < atomic_load(&all->stop)) {
		l->layer = all->next++;
		found = true;
	}
	(void)pthread_mutex_unlock(&all->lock);
	return found;
}

static void lane_stop(struct lane *l)
{
	(void)pthread_mutex_lock(&l->all->lock);
	if (l->layer < atomic_load(&l->all->stop))
		atomic_store(&l->all->stop, l->layer);
	(void)pthread_mutex_unlock(&l->all->lock);
}

static void *lane_run(void *arg)
{
	struct lane *l = arg;

	while (l->r == 0 && lane_next(l))
		l->r = unpack_alone(l);
	if (l->r != 0)
		lane_stop(l);
	return NULL;
}

/* How many could be started: it is no failure when the system has no thread for us. */
static unsigned int lanes_start(struct lane *lanes, unsigned int n)
{
	pthread_attr_t attr;
	unsigned int i = 1; /* the first is ours */

	if (n < 2 || pthread_attr_init(&attr) != 0)
		return i;
	if (pthread_attr_setstacksize(&attr, LANE_STACK) == 0) {
		while (i < n && pthread_create(&lanes[i].thread, &attr, lane_run, &lanes[i]) == 0)
			i++;
	}
	(void)pthread_attr_destroy(&attr);
	return i;
}

/* The lowest layer that did not end well decides; one that was stopped is above that one. */
static const struct lane *lanes_verdict(const struct lane *lanes, unsigned int n)
{
	const struct lane *low = NULL;

	for (unsigned int i = 0; i < n; i++) {
		if (lanes[i].r != 0 && (!low || lanes[i].layer < low->layer))
			low = &lanes[i];
	}
	return low;
}

static void add_skipped(struct unpack_skipped *sum, const struct unpack_skipped *s)
{
	sum->devices += s->devices;
	sum->sockets += s->sockets;
	sum->xattrs += s->xattrs;
	sum->leftovers += s->leftovers;
}

unsigned int layers_that_fit(unsigned int cpus, uint64_t space)
{
	uint64_t n = space / LANE_SPACE;

	n = n < (cpus + 1) / 2 ? n : (cpus + 1) / 2;
	n = n < LAYERS_AT_ONCE_MAX ? n : LAYERS_AT_ONCE_MAX;
	return n > 0 ? (unsigned int)n : 1;
}

static uint64_t limit_of(int resource)
{
	struct rlimit limit;

	/* glibc and musl do not agree on the type of a resource */
	if (syscall(SYS_prlimit64, 0, resource, NULL, &limit) < 0)
		return UINT64_MAX;
	return limit.rlim_cur;
}

unsigned int layers_at_once(void)
{
	uint64_t all = limit_of(RLIMIT_AS), data = limit_of(RLIMIT_DATA);
	unsigned int cpus = 2 * LAYERS_AT_ONCE_MAX; /* more than fit into a set */
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		cpus = (unsigned int)CPU_COUNT(&set);
	return layers_that_fit(cpus, all < data ? all : data);
}

int layers_apart(struct layers *ls, const uint8_t wanted[IMAGE_LAYERS_MAX], struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct lanes all = { .ls = ls, .wanted = wanted, .stop = IMAGE_LAYERS_MAX };
	unsigned int n = ls->at_once;
	struct lane *lanes = ARENA_ARRAY(a, struct lane, n);
	const struct lane *low;

	begin_order(ls, wanted);
	(void)pthread_mutex_init(&all.lock, NULL);
	for (unsigned int i = 0; i < n; i++)
		lanes[i].all = &all;
	n = lanes_start(lanes, n < ls->ordered ? n : ls->ordered);
	(void)lane_run(&lanes[0]);
	for (unsigned int i = 1; i < n; i++)
		(void)pthread_join(lanes[i].thread, NULL);
	(void)pthread_mutex_destroy(&all.lock);
	for (unsigned int i = 0; i < n; i++)
		add_skipped(&ls->skipped, &lanes[i].skipped);
	low = lanes_verdict(lanes, n);
	if (low && low->r < 0 && e)
		*e = low->err;
	return low ? low->r : 0;
}

/* ---- one tree --------------------------------------------------------------------------- */

int layers_flat(struct layers *ls, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	const _Atomic uint32_t never = IMAGE_LAYERS_MAX;
	struct target to;
	struct tree t;
	int r = target_make(ls, WORKER_TREE, &to);

	if (r < 0)
		return err_sys(e, -r, "store: " WORKER_TREE);
	begin_order(ls, NULL);
	r = tree_begin(&t, a, to.fs, ls->trash, to.list, false);
	for (uint32_t i = 0; r == 0 && i < ls->manifest->n_layers; i++) {
		if (i > 0)
			tree_layer(&t);
		r = unpack_one(ls, &t, i, &never, &ls->skipped, e);
	}
	if (r == 0)
		r = end_tree(&t, e);
	tree_close(&t);
	target_close(&to);
	return r;
}

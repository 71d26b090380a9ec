/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of an image, several at once: what comes out and what is said is what one after
 * the other gives, every time.
 */
#include <errno.h>
#include <sys/socket.h>

#include <gpurun/str.h>

#include "../../src/store/layers.h"
#include "../../src/store/worker.h"
#include "stores.h"

#define N_LAYERS 9
#define ENTRIES  120
#define TIMES    12

/* struct try - an image in memory, and how its layers went */
struct
try {
	char *path;
	int top, source, sock[2];
	struct arena *a;
	struct image_manifest manifest;
	struct layers ls;
	uint8_t wanted[IMAGE_LAYERS_MAX];
	int r;
	struct err e;
};

/* A layer with files, a directory that a file replaces, and a device that is left out. */
static const char *good_layer(int i)
{
	struct bytes b = { 0 };
	const char *text;

	for (int k = 0; k < ENTRIES; k++) {
		text = text_of("d d%d; f d%d/f%d %d-%d; ", k % 7, k % 7, k, i, k);
		bytes_add(&b, text, strlen(text));
	}
	text = text_of("f d1 instead; c dev%d 1 3; f .wh.gone 0", i);
	bytes_add(&b, text, strlen(text));
	return (const char *)b.p;
}

static void try_open(struct try *t, const char *const *specs, size_t n, unsigned int at_once)
{
	struct image_ref ref = { .path = "i.tar", .text = "i.tar" };

	*t = (struct try){ .path = quick_dir(), .a = arena_new(1U << 30) };
	t->top = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->source = bytes_fd(docker_archive("i:1", "{}", specs, n));
	if (mkdirat(t->top, "trash", 0700) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, t->sock) < 0)
		die(t->path);
	if (image_open(t->a, t->source, &ref, t->top, "amd64", &t->ls.source, &t->manifest, &t->e) <
	    0)
		die(t->e.msg);
	t->ls.sock = t->sock[1];
	t->ls.stage = t->top;
	t->ls.trash = openat(t->top, "trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->ls.manifest = &t->manifest;
	t->ls.at_once = at_once;
	memset(t->wanted, 1, n);
}

static void try_apart(struct try *t)
{
	t->r = layers_apart(&t->ls, t->wanted, &t->e);
}

static void try_close(struct try *t)
{
	image_close(t->ls.source);
	close(t->ls.trash);
	close(t->top);
	close(t->source);
	close(t->sock[0]);
	close(t->sock[1]);
	arena_free(t->a);
	temp_remove(t->path);
}

/* The layers that were reported, as "0123" in order of their numbers; '!' for a wrong digest. */
static const char *reported(struct try *t)
{
	char seen[N_LAYERS + 1] = "---------";
	struct msg m;

	while (recv(t->sock[0], &m, sizeof(m), MSG_DONTWAIT) == (ssize_t)sizeof(m)) {
		if (m.type != MSG_LAYER || m.layer >= N_LAYERS)
			continue;
		seen[m.layer] = strcmp(m.diff_id, t->manifest.layers[m.layer].diff_id) == 0
					? (char)('0' + m.layer)
					: '!';
	}
	return text_of("%s", seen);
}

static const char *list_of(struct try *t, int i)
{
	int fd = openat(t->top, text_of("layer-%d/list", i), O_RDONLY | O_CLOEXEC);
	struct bytes b = { 0 };
	char buf[4096];
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t k = 0; k < n; k++)
			buf[k] = buf[k] ? buf[k] : '\n';
		bytes_add(&b, buf, (size_t)n);
	}
	close(fd);
	return b.n ? (const char *)b.p : "none";
}

static const char *layer_text(struct try *t, int i)
{
	int fd = openat(t->top, text_of("layer-%d/fs", i), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *text = fd < 0 ? "none" : tree_text(fd, false);

	close(fd);
	return text;
}

static void test_same(void)
{
	const char *specs[N_LAYERS];
	struct try one, many;

	for (int i = 0; i < N_LAYERS; i++)
		specs[i] = good_layer(i);
	try_open(&one, specs, N_LAYERS, 1);
	try_apart(&one);
	is_int(one.r, 0, "one after the other: %s", one.e.msg);
	is_str(reported(&one), "012345678", "every layer is reported");
	for (unsigned int at_once = 2; at_once <= LAYERS_AT_ONCE_MAX; at_once += 3) {
		try_open(&many, specs, N_LAYERS, at_once);
		try_apart(&many);
		is_int(many.r, 0, "%u at once: %s", at_once, many.e.msg);
		is_str(reported(&many), "012345678", "the same reports, with the right digests");
		for (int i = 0; i < N_LAYERS; i++) {
			is_str(list_of(&many, i), list_of(&one, i), "the same list %d", i);
			is_str(layer_text(&many, i), layer_text(&one, i), "the same tree %d", i);
		}
		is_int((int)many.ls.skipped.devices, N_LAYERS, "devices counted");
		ok(many.ls.entries == one.ls.entries && many.ls.bytes == one.ls.bytes &&
			   many.ls.done == many.ls.total && many.ls.finished == N_LAYERS,
		   "sums: %llu of %llu", (unsigned long long)many.ls.done,
		   (unsigned long long)many.ls.total);
		try_close(&many);
	}
	try_close(&one);
}

static void test_wanted(void)
{
	const char *specs[N_LAYERS];
	struct try t;

	for (int i = 0; i < N_LAYERS; i++)
		specs[i] = good_layer(i);
	try_open(&t, specs, N_LAYERS, 3);
	t.wanted[0] = t.wanted[4] = t.wanted[8] = 0;
	try_apart(&t);
	is_int(t.r, 0, "some are wanted");
	is_str(reported(&t), "-123-567-", "only these are unpacked");
	is_str(layer_text(&t, 4), "none", "nothing of the others");
	is_int((int)t.ls.ordered, 6, "counted");
	try_close(&t);
}

/* Layers 3 to 7 by these letters: good, bad (its own number in the message), dependent. */
static void judge(const char *kinds, int want, const char *text)
{
	static const char letters[] = "gbd";
	const char *specs[N_LAYERS];
	int differ = 0;
	struct try t;

	for (int i = 0; i < N_LAYERS; i++) {
		const char kind = i >= 3 && i < 8 ? kinds[i - 3] : 'g';

		specs[i] = good_layer(i);
		if (kind == letters[1])
			specs[i] = text_of("%s; f ../bad%d x", i % 2 ? specs[i] : "f a 1", i);
		if (kind == letters[2])
			specs[i] =
				text_of("%s; h link%d missing%d", i % 2 ? "f a 1" : specs[i], i, i);
	}
	for (int k = 0; k < TIMES; k++) {
		try_open(&t, specs, N_LAYERS, 1 + (unsigned int)k % LAYERS_AT_ONCE_MAX);
		try_apart(&t);
		if (t.r != want || !str_eq(t.e.msg, text)) {
			diag("%s: %d %s", kinds, t.r, t.e.msg);
			differ++;
		}
		try_close(&t);
	}
	is_int(differ, 0, "%s: the lowest layer decides, however many at once", kinds);
}

static void test_flat(void)
{
	const char *specs[N_LAYERS];
	struct try t;
	int fd;

	for (int i = 0; i < N_LAYERS; i++)
		specs[i] = good_layer(i);
	try_open(&t, specs, N_LAYERS, 4);
	t.r = layers_flat(&t.ls, &t.e);
	is_int(t.r, 0, "flat: %s", t.e.msg);
	is_str(reported(&t), "012345678", "every layer is reported");
	fd = openat(t.top, "tree/fs/d2/f2", O_RDONLY | O_CLOEXEC);
	ok(fd >= 0, "there");
	close(fd);
	is_int((int)t.ls.finished, N_LAYERS, "all are finished");
	try_close(&t);
}

static void test_fit(void)
{
	const uint64_t gib = (uint64_t)1 << 30;

	is_int((int)layers_that_fit(1, UINT64_MAX), 1, "one CPU");
	is_int((int)layers_that_fit(7, UINT64_MAX), 4, "half of the CPUs, rounded up");
	is_int((int)layers_that_fit(256, UINT64_MAX), LAYERS_AT_ONCE_MAX, "never more than that");
	is_int((int)layers_that_fit(256, 6 * gib), LAYERS_AT_ONCE_MAX, "the worker's own limit");
	is_int((int)layers_that_fit(256, gib), 2, "ulimit -v: as many as there is room for");
	is_int((int)layers_that_fit(256, gib / 4), 1, "at least one");
}

int main(void)
{
	struct err e = { 0 };

	test_fit();
	if (unpack_load(&e) < 0 || image_libs_load(&e) < 0)
		die(e.msg);
	test_same();
	test_wanted();
	judge("ggbgg", -EINVAL, "layer 6 of 9: ../bad5: a name that no layer may hold");
	judge("gbbbb", -EINVAL, "layer 5 of 9: ../bad4: a name that no layer may hold");
	judge("bbggd", -EINVAL, "layer 4 of 9: ../bad3: a name that no layer may hold");
	judge("gdbbg", 1, "");
	judge("ddddd", 1, "");
	judge("gggbd", -EINVAL, "layer 7 of 9: ../bad6: a name that no layer may hold");
	test_flat();
	return done_testing();
}

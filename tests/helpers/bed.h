/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bed.h - one layer after the other into a flat tree, for what a list of names does not show;
 * and archives that are bent byte by byte.
 */
#ifndef GPURUN_TEST_BED_H
#define GPURUN_TEST_BED_H

#include <errno.h>

#include "../../src/store/unpack.h"
#include "layers.h"

/** struct bed - a directory to unpack into, and how the last archive went */
struct bed {
	char *path;
	int top, root, trash, list;
	struct arena *a;
	int r;
	struct err e;
	struct tree t;
	struct unpack_skipped skipped;
};

static UNUSED int sub(struct bed *b, const char *name)
{
	if (mkdirat(b->top, name, 0755) < 0)
		die(name);
	return openat(b->top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static UNUSED void bed_begin(struct bed *b)
{
	*b = (struct bed){ .path = quick_dir(), .a = arena_new(1U << 30) };
	b->top = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->root = sub(b, "fs");
	b->trash = sub(b, "trash");
	b->list = openat(b->top, "list", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	b->r = tree_begin(&b->t, b->a, b->root, b->trash, b->list, false);
}

static UNUSED void bed_add(struct bed *b, struct bytes layer, bool above)
{
	struct memory m = { .b = layer, .step = 10240 };
	const struct tar_input in = { memory_read, &m };
	_Atomic uint64_t entries = 0;

	if (above)
		tree_layer(&b->t);
	b->r = unpack_layer(b->a, &b->t, &in, &entries, &b->skipped, &b->e);
}

static UNUSED void bed_finish(struct bed *b)
{
	if (b->r == 0)
		b->r = tree_end(&b->t, b->a);
	tree_close(&b->t);
}

static UNUSED void bed_end(struct bed *b)
{
	close(b->top);
	close(b->root);
	close(b->trash);
	close(b->list);
	arena_free(b->a);
	temp_remove(b->path);
}

static UNUSED void bed_one(struct bed *b, struct bytes layer)
{
	bed_begin(b);
	bed_add(b, layer, false);
	bed_finish(b);
}

static UNUSED const char *repeat(const char *s, int n)
{
	struct bytes b = { 0 };

	for (int i = 0; i < n; i++)
		bytes_add(&b, s, strlen(s));
	return (char *)b.p;
}

static UNUSED struct bytes cut(struct bytes b, size_t n)
{
	b.n = n;
	return b;
}

static UNUSED struct bytes changed(struct bytes b, size_t at, const char *with, size_t n)
{
	memcpy(b.p + at, with, n);
	return b;
}

/* The header's checksum made right again. */
static UNUSED struct bytes summed(struct bytes b)
{
	unsigned int sum = 0;

	memset(b.p + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += b.p[i];
	snprintf((char *)b.p + 148, 8, "%06o", sum & 0777777);
	return b;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a layer.  The first byte chooses: bit 0 a layer for overlayfs or a flat tree,
 * bit 1 the layer once more on top of itself.  Whatever comes of it, nothing may appear beside
 * the tree, what is in the tree must be what its list says, and nothing in it may be of a kind
 * or mode that is never kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gpurun/fd.h>
#include <gpurun/store.h>

#include "../../src/store/remove.h"
#include "../../src/store/unpack.h"
#include "../../src/store/walk.h"
#include "tar-fix.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct input {
	const uint8_t *p;
	size_t n;
};

static ssize_t input_read(void *arg, const void **ret, struct err *e)
{
	struct input *in = arg;
	size_t n = in->n < 512 ? in->n : 512;

	(void)e;
	*ret = in->p;
	in->p += n;
	in->n -= n;
	return (ssize_t)n;
}

static void damaged(void *arg, const char *what, const char *why)
{
	(void)arg;
	fprintf(stderr, "%s: %s\n", what, why);
}

/* What may be in a tree: @arg says whether whiteouts may. */
static int visit(void *arg, const struct walk_entry *w)
{
	const bool *overlay = arg;
	bool known = S_ISREG(w->st.st_mode) || S_ISDIR(w->st.st_mode) || S_ISLNK(w->st.st_mode) ||
		     S_ISFIFO(w->st.st_mode) || (*overlay && tree_is_whiteout(&w->st));

	return !known || (w->st.st_mode & 06000) ? -EPERM : 0;
}

static int visit_count(void *arg, const struct walk_entry *w)
{
	size_t *n = arg;

	(void)w;
	return ++*n > 1 ? -EPERM : 0;
}

static int unpack(int root, int trash, int list, bool overlay, int times, struct input in)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)64 << 20);
	struct unpack_skipped skipped = { 0 };
	struct err e = { 0 };
	_Atomic uint64_t entries = 0;
	struct tree t;
	int r = tree_begin(&t, a, root, trash, list, overlay);

	for (int i = 0; r == 0 && i < times; i++) {
		struct input now = in;
		const struct tar_input tar = { input_read, &now };

		if (i > 0)
			tree_layer(&t);
		r = unpack_layer(a, &t, &tar, &entries, &skipped, &e);
		if (r < 0 && !err_is_set(&e))
			abort();
	}
	if (r == 0)
		r = tree_end(&t, a);
	tree_close(&t);
	return r;
}

/* A place for the tree in a store, so that store_verify can judge it. */
static void one(struct store *s, struct arena *a, int top, const uint8_t *data, size_t size)
{
	bool overlay = size > 0 && (data[0] & 1);
	int times = !overlay && size > 0 && (data[0] & 2) ? 2 : 1;
	_cleanup_fd_ int trees = openat(top, "v1/trees", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_fd_ int root = -1, trash = -1, list = -1;
	struct err e = { 0 };
	size_t beside = 0;
	int r;

	if (mkdirat(trees, ID, 0700) < 0 || mkdirat(trees, ID "/fs", 0755) < 0)
		abort();
	root = openat(trees, ID "/fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	trash = openat(top, "v1/trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list = openat(trees, ID "/list", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	r = unpack(root, trash, list, overlay, times,
		   (struct input){ data + (size > 0), size - (size > 0) });
	if (walk_tree(root, visit, &overlay) < 0)
		abort();
	if (r == 0 && store_verify(s, a, damaged, NULL, &e) != 0)
		abort();
	if (remove_contents(trash, NULL) < 0 || remove_tree(trees, ID, NULL) < 0 ||
	    walk_tree(trees, visit_count, &beside) < 0 || beside != 0)
		abort();
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return tar_mutate(data, size, max, seed, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool loaded;
	char dir[] = "/dev/shm/gpurun-fuzz.XXXXXX";
	_cleanup_arena_ struct arena *a = arena_new((size_t)64 << 20);
	struct store_options o = { .uid = getuid() };
	_cleanup_fd_ int top = -1;
	struct err e = { 0 };
	struct store *s;
	size_t beside = 0;

	if (!loaded && unpack_load(&e) < 0)
		abort();
	loaded = true;
	umask(0);
	o.dir = mkdtemp(dir);
	top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0 || store_open(a, &o, &s, &e) < 0)
		abort();
	one(s, a, top, data, size);
	store_close(s);
	/* nothing but v1/ in the store's directory, nothing of ours left in it */
	if (remove_tree(top, "v1", NULL) < 0 || walk_tree(top, visit_count, &beside) < 0 ||
	    beside != 0 || rmdir(dir) < 0)
		abort();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers from a text (tests/helpers/layers.h; a line for an entry, "-" between layers), unpacked
 * one on top of the other, and each by itself.  Where the second form is taken, overlayfs shows the
 * same tree as the first, down to modes, times and attributes; so does our own view of the layers.
 * A layer that is refused alone is refused on top of others, too.
 */
#include "fuzz.h"
#include "layers.h"

#include <errno.h>
#include <sys/mount.h>

#include <gpurun/fd.h>

#include "../../src/store/compose.h"
#include "../../src/store/remove.h"
#include "../../src/store/unpack.h"
#include "../../src/store/userns.h"

#define LAYERS_MAX 5
#define TEXT_MAX   4096
#define PIECE      700 /* no header arrives whole */

struct outcome {
	int r;
	uint32_t flags;
	struct err e;
};

static bool overlay; /* may we mount it? */
static int home;     /* the current directory, which is the fuzzer's business */

static int make_dir(int at, const char *name)
{
	int fd;

	must(mkdirat(at, name, 0755) == 0 || errno == EEXIST);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fd >= 0);
	return fd;
}

static struct outcome unpack(int top, const char *name, struct bytes *tars, size_t n, bool alone)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)64 << 20);
	int root = make_dir(top, name), trash = make_dir(top, "trash");
	int list = openat(top, text_of("%s.list", name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct unpack_skipped skipped = { 0 };
	struct outcome o = { 0 };
	_Atomic uint64_t entries = 0;
	struct tree t;

	o.r = tree_begin(&t, a, root, trash, list, alone);
	for (size_t i = 0; o.r == 0 && i < n; i++) {
		struct memory m = { .b = tars[i], .step = PIECE };
		const struct tar_input in = { memory_read, &m };

		if (i > 0)
			tree_layer(&t);
		o.r = unpack_layer(a, &t, &in, &entries, &skipped, &o.e);
		must(o.r == 0 || err_is_set(&o.e));
	}
	if (o.r == 0 && !(t.flags & LAYER_NEEDS_LOWER))
		o.r = tree_end(&t, a);
	o.flags = t.flags;
	tree_close(&t);
	close(root);
	close(trash);
	close(list);
	return o;
}

/* ---- stacked ---------------------------------------------------------------------------- */

/* What the kernel shows of the layers, topmost first, must be what is in flat/. */
static void compare_overlay(int top, const size_t *chosen, size_t n, const char *want)
{
	const char *lowers = "", *seen;
	int merged;

	for (size_t i = 0; i < n; i++)
		lowers = text_of("%s%sl%zu", lowers, i ? ":" : "", chosen[i]);
	close(make_dir(top, "m"));
	close(make_dir(top, "u"));
	close(make_dir(top, "w"));
	must(fchdir(top) == 0);
	must(mount("overlay", "m", "overlay", 0,
		   text_of("lowerdir=%s,upperdir=u,workdir=w,userxattr", lowers)) == 0);
	merged = open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(merged >= 0);
	seen = tree_text(merged, true);
	close(merged);
	must(umount2("m", MNT_DETACH) == 0 && fchdir(home) == 0);
	if (strcmp(seen, want) != 0)
		fprintf(stderr, "overlayfs:\n%sflat:\n%s", seen, want);
	must(strcmp(seen, want) == 0);
}

/* struct compared - everything of the flat tree is in the view, and nothing more */
struct compared {
	const struct view *v;
	size_t there, listed;
};

static void count_names(struct compared *c, const char *dir)
{
	struct strv names = { 0 };

	must(view_list(c->v, images_arena(), dir, LINES_MAX, &names) == 0);
	c->listed += names.n;
}

static int compare_one(void *arg, const struct walk_entry *w)
{
	struct compared *c = arg;
	struct stat st;
	size_t layer;

	must(view_stat(c->v, w->path, &st, &layer) == 0 && layer < c->v->n);
	must(st.st_mode == w->st.st_mode && (S_ISDIR(st.st_mode) || st.st_size == w->st.st_size));
	c->there++;
	if (S_ISDIR(st.st_mode))
		count_names(c, w->path);
	return 0;
}

static void compare_view(const struct layer *layers, const size_t *chosen, size_t n, int flat)
{
	struct view v = { .n = n };
	struct compared c = { .v = &v };

	for (size_t i = 0; i < n; i++)
		v.fs[i] = layers[chosen[i]].fs;
	count_names(&c, "");
	must(walk_tree(flat, compare_one, &c) == 0 && c.listed == c.there);
}

/* Each layer by itself: 1 when all can be told so, 0, or -errno of the first one that is refused */
static int unpack_alone(int top, struct bytes *tars, size_t n, struct layer *layers)
{
	for (size_t i = 0; i < n; i++) {
		struct outcome o = unpack(top, text_of("l%zu", i), &tars[i], 1, true);
		struct listing_reader reader;

		if (o.flags & LAYER_NEEDS_LOWER)
			return 0;
		if (o.r < 0)
			return o.r;
		layers[i].fs = make_dir(top, text_of("l%zu", i));
		layers[i].list = openat(top, text_of("l%zu.list", i), O_RDONLY | O_CLOEXEC);
		must(listing_open(images_arena(), layers[i].list, &reader, &layers[i].header) == 0);
	}
	return 1;
}

static void both_forms(int top, struct bytes *tars, size_t n, struct layer *layers)
{
	struct outcome flat = unpack(top, "flat", tars, n, false);
	size_t chosen[IMAGE_LAYERS_MAX], n_chosen = 0;
	int r = unpack_alone(top, tars, n, layers), fd;

	must(r >= 0 || flat.r < 0);
	if (r == 1)
		r = compose(images_arena(), layers, n, chosen, &n_chosen);
	if (r <= 0)
		return;
	must(flat.r == 0);
	fd = make_dir(top, "flat");
	compare_view(layers, chosen, n_chosen, fd);
	if (overlay)
		compare_overlay(top, chosen, n_chosen, tree_text(fd, true));
	close(fd);
}

/* ---- the input -------------------------------------------------------------------------- */

/* Is this a line that layer_of() takes? */
static bool is_entry(const char *line)
{
	return *line && strchr("dflhpcxDFLH", *line) && (line[1] == ' ' || line[1] == ':') &&
	       !strchr(line, ';');
}

/* The text as layers; equal ones are one layer, as equal digests make them. */
static size_t layers_from(const uint8_t *data, size_t size, const char *specs[LAYERS_MAX])
{
	struct strv lines = { 0 };
	size_t n = 0;

	str_split(images_arena(), arena_strndup(images_arena(), (const char *)data, size), '\n',
		  &lines);
	specs[0] = "";
	for (size_t i = 0; i < lines.n; i++) {
		if (strcmp(lines.v[i], "-") == 0 && n + 1 < LAYERS_MAX)
			specs[++n] = "";
		else if (is_entry(lines.v[i]))
			specs[n] = text_of("%s%s;", specs[n], lines.v[i]);
	}
	return n + 1;
}

/* As root, or in a user namespace of our own, before there is a second thread. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e = { 0 };

	(void)argc;
	(void)argv;
	must(cwd >= 0);
	overlay = userns_enter(cwd) == 0;
	close(cwd);
	home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(home >= 0);
	must(unpack_load(&e) == 0);
	(void)umask(0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct layer layers[LAYERS_MAX];
	struct bytes tars[LAYERS_MAX];
	const char *specs[LAYERS_MAX];
	char *path;
	size_t n;
	int top;

	if (size > TEXT_MAX)
		return 0;
	n = layers_from(data, size, specs);
	path = quick_dir();
	top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(top >= 0);
	for (size_t i = 0; i < n; i++) {
		layers[i] = (struct layer){ .diff_id = specs[i], .fs = -1, .list = -1 };
		tars[i] = layer_of(specs[i]);
	}
	both_forms(top, tars, n, layers);
	for (size_t i = 0; i < n; i++) {
		(void)fd_close(layers[i].fs);
		(void)fd_close(layers[i].list);
	}
	must(remove_contents(top, NULL) == 0 && rmdir(path) == 0);
	close(top);
	images_forget();
	return 0;
}

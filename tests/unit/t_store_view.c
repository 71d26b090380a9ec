/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking into stacked layers without mounting them: where a path really is, what a directory
 * holds; whiteouts, opaque directories and links across layers.
 */
#include "../../src/store/view.h"
#include "stores.h"

/* The topmost first, as views have them */
static const char *const layers[] = {
	"d a; f a/top 3; f a/.wh.gone; d b; f b/.wh..wh..opq; f b/new 3; d c; l c/up ../../a;"
	"l abs /d/file; l loop loop; l out ../../../../../../../../etc/passwd; d e;"
	"f f 3; l dangling nowhere",
	"d a; f a/mid 2; f a/both 2; d c; f c/one 2; d d; l d/file ../a/mid; f e 2; d f; f f/x 2",
	"d a; f a/low 1; f a/both 1; f a/gone 1; d b; f b/old 1; d c; d c/one; f c/one/x 1; p pipe;"
	"d e; f e/x 1; f e/y 1; d g; f g/z 1",
};

#define N_LAYERS (sizeof(layers) / sizeof(layers[0]))

static void view_begin(struct bench *b, struct view *v)
{
	const char *specs[N_LAYERS];

	for (size_t i = 0; i < N_LAYERS; i++)
		specs[i] = layers[N_LAYERS - 1 - i];
	bench_ensure(b, bench_file(b, "v.tar", docker_archive("v", "{}", specs, N_LAYERS)));
	v->n = b->image.lowers.n;
	for (size_t i = 0; i < v->n; i++) {
		v->fs[i] = open(b->image.lowers.v[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (v->fs[i] < 0)
			die(b->image.lowers.v[i]);
	}
}

static void view_end(struct view *v)
{
	for (size_t i = 0; i < v->n; i++)
		close(v->fs[i]);
}

/* ---- one path --------------------------------------------------------------------------- */

static const struct {
	const char *path, *real; /* NULL: not there */
	size_t layer;
	const char *text; /* NULL: no regular file */
} places[] = {
	{ "a/top", "a/top", 0, "3" },
	{ "/a/mid", "a/mid", 1, "2" },
	{ "a//./both", "a/both", 1, "2" },
	{ "a/low", "a/low", 2, "1" },
	{ "a/gone", NULL, 0, NULL },
	{ "a", "a", 0, NULL },
	{ "", "", 0, NULL },
	{ "/..", "", 0, NULL },
	{ "b/new", "b/new", 0, "3" },
	{ "b/old", NULL, 0, NULL },
	{ "c/one", "c/one", 1, "2" },
	{ "c/one/x", NULL, 0, NULL }, /* a file above a directory */
	{ "c/up/low", "a/low", 2, "1" },
	{ "abs", "a/mid", 1, "2" },
	{ "d/file", "a/mid", 1, "2" },
	{ "d/../../../a/low", "a/low", 2, "1" },
	{ "loop", NULL, 0, NULL },
	{ "out", NULL, 0, NULL },
	{ "dangling", NULL, 0, NULL },
	{ "e", "e", 0, NULL },
	{ "e/y", NULL, 0, NULL }, /* the file between hides what is below it */
	{ "f", "f", 0, "3" },
	{ "f/x", NULL, 0, NULL },
	{ "pipe", "pipe", 2, NULL },
	{ "g/z", "g/z", 2, "1" },
};

static void test_places(const struct view *v, bool flat)
{
	struct view_place p;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int r = view_find(v, places[i].path, &p);
		const char *text = "";
		int fd;

		is_str(r < 0 ? NULL : p.path, places[i].real, "\"%s\"", places[i].path);
		if (r < 0)
			continue;
		is_int((int)p.layer, flat ? 0 : (int)places[i].layer, "its layer");
		fd = view_open(v, &p);
		if (fd >= 0)
			close(fd);
		ok(fd >= 0 ? places[i].text != NULL : fd == -EINVAL && !places[i].text,
		   "regular files are opened, nothing else: %d", fd);
		is_int(view_text(v, images_arena(), places[i].path, 1, &text), 0, "as text");
		is_str(text, places[i].text ? places[i].text : "", "what is in it");
	}
	is_int(view_find(v, "loop", &p), -ELOOP, "a loop is told");
}

/* ---- directories ------------------------------------------------------------------------ */

static const struct {
	const char *dir, *names;
} dirs[] = {
	{ "a", "both low mid top" }, { "b", "new" }, { "c", "one up" }, { "e", "" }, { "g", "z" },
};

static void test_directories(const struct view *v)
{
	struct strv names;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		const char *text = "";

		names = (struct strv){ 0 };
		is_int(view_list(v, images_arena(), dirs[i].dir, 99, &names), 0, "list \"%s\"",
		       dirs[i].dir);
		for (size_t k = 0; k < names.n; k++)
			text = text_of("%s%s%s", text, k ? " " : "", names.v[k]);
		is_str(text, dirs[i].names, "what it holds");
	}
	is_int(view_list(v, images_arena(), "f", 99, &names), -ENOTDIR, "a file");
	is_int(view_list(v, images_arena(), "nowhere", 99, &names), -ENOENT, "nothing");
	is_int(view_list(v, images_arena(), "a", 3, &names), -E2BIG, "too many names");
	ok(view_is_dir(v, "c/up") && !view_is_dir(v, "f") && !view_is_dir(v, "loop"),
	   "what is a directory");
}

int main(void)
{
	const struct log_config quiet = { .quiet = true };
	struct view v;
	struct bench b;

	log_setup(&quiet);
	bench_begin(&b);
	view_begin(&b, &v);
	if (b.image.form == IMAGE_FORM_LAYERS) {
		test_places(&v, false);
		test_directories(&v);
	} else {
		skip("no layers without overlay");
	}
	view_end(&v);
	bench_ensure_form(&b, text_of("%s/v.tar", b.dir), true);
	v.n = 1;
	v.fs[0] = open(b.image.lowers.v[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_places(&v, true);
	test_directories(&v);
	view_end(&v);
	bench_end(&b);
	return done_testing();
}

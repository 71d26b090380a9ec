/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forms.h - one image unpacked in both forms, and everything about it compared.
 *
 * A case is a list of layers and the tree, or the error, that must come of them.  It is unpacked
 * flattened, compared with what is written down, unpacked in layers, stacked by overlayfs, and
 * compared with the flattened tree down to modes, times and attributes.  Beside the trees lies a
 * directory that no archive may touch.  forms_try() judges, and says nothing, so that a test can
 * also show that it finds fault.
 *
 * Of layers ($OUT) and what is expected of them: $OUT is the absolute path of that directory,
 * $IN the same without the slash in front, $DIRS all directories that lead to $IN, each with its
 * slash behind it.
 */
#ifndef GPURUN_TEST_FORMS_H
#define GPURUN_TEST_FORMS_H

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <gpurun/str.h>

#include "../../src/store/compose.h"
#include "../../src/store/unpack.h"
#include "../../src/store/userns.h"
#include "layers.h"

#define FORM_LAYERS_MAX 6
#define FORM_OUTSIDE    "outside"

/*
 * struct form_case
 * @form: 'L' the layers can be stacked, 'F' only the flattened tree will do
 * @want: the flattened tree, "!text": refused, with this in the message, "?": whatever comes
 */
struct form_case {
	const char *what;
	char form;
	const char *want;
	const char *layers[FORM_LAYERS_MAX];
};

/* struct form_verdict - what was found, and whether it was as it should be */
struct form_verdict {
	const char *tree, *want;    /* flattened: what is there or the error, and the expected */
	const char *stacked, *flat; /* in full, or NULL where nothing was stacked */
	const char *outside, *untouched;
	bool tree_ok, form_ok, same_ok, outside_ok;
};

/*
 * struct forms_run - all cases of a program
 * @bottom: the next case's lowest layer, when text will not do
 * @spoil: breaks something before it is judged
 */
struct forms_run {
	struct bytes bottom;
	bool overlay;
	int archives;
	void (*spoil)(int top);
};

/* ---- unpacking -------------------------------------------------------------------------- */

struct form_result {
	int r;
	struct err e;
	uint32_t flags;
	struct unpack_skipped skipped;
};

static UNUSED int form_dir(int at, const char *name)
{
	int fd;

	if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
		die(name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(name);
	return fd;
}

static UNUSED int form_file(int at, const char *name)
{
	int fd = openat(at, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		die(name);
	return fd;
}

/*
 * @n layers into the directory @name; piece by piece, so that no header arrives whole.  The
 * worker's umask is 0, but the modes must be right with any.
 */
static UNUSED struct form_result form_unpack(int top, const char *name, const struct bytes *layers,
					     size_t n, bool overlay)
{
	struct arena *a = arena_new(0);
	int root = form_dir(top, name), trash = form_dir(top, "trash");
	int list = form_file(top, text_of("%s.list", name));
	struct form_result res = { 0 };
	_Atomic uint64_t entries = 0;
	struct tree t;
	mode_t mask = umask(overlay ? 0 : 027);

	res.r = tree_begin(&t, a, root, trash, list, overlay);
	for (size_t i = 0; res.r == 0 && i < n; i++) {
		struct memory m = { .b = layers[i], .step = 700 };
		const struct tar_input in = { memory_read, &m };

		if (i > 0)
			tree_layer(&t);
		res.r = unpack_layer(a, &t, &in, &entries, &res.skipped, &res.e);
	}
	if (res.r == 0 && !(t.flags & LAYER_NEEDS_LOWER))
		res.r = tree_end(&t, a);
	res.flags = t.flags;
	tree_close(&t);
	(void)umask(mask);
	close(root);
	close(trash);
	close(list);
	arena_free(a);
	return res;
}

static UNUSED const char *form_text(int top, const char *name, bool full)
{
	int fd = form_dir(top, name);
	const char *text = tree_text(fd, full);

	close(fd);
	return text;
}

/* ---- the overlay form ------------------------------------------------------------------- */

/* In a child: mount and write down what is seen. */
static UNUSED void form_mount(int top, const char *lowers)
{
	const char *text;
	int out = form_file(top, "dump"), merged;

	form_dir(top, "m");
	form_dir(top, "u");
	form_dir(top, "w");
	if (userns_enter(top) != 0)
		_exit(2);
	if (mount("overlay", "m", "overlay", 0,
		  text_of("lowerdir=%s,upperdir=u,workdir=w,userxattr", lowers)) < 0)
		_exit(3);
	merged = open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	text = tree_text(merged, true);
	if (write(out, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(4);
	_exit(0);
}

static UNUSED const char *form_stacked(int top, const char *lowers)
{
	struct stat st = { .st_size = 0 };
	int status, fd;
	char *buf;
	pid_t pid = fork();

	if (pid == 0)
		form_mount(top, lowers);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die("fork");
	if (status)
		return text_of("mount failed: %d", WEXITSTATUS(status));
	fd = openat(top, "dump", O_RDONLY | O_CLOEXEC);
	(void)fstat(fd, &st);
	buf = arena_alloc(images_arena(), (size_t)st.st_size + 1);
	if (read(fd, buf, (size_t)st.st_size) != st.st_size)
		die("dump");
	close(fd);
	return buf;
}

/* Each layer by itself; the directories to stack, or NULL: flat only. */
static UNUSED const char *form_layers(int top, const struct bytes *from, size_t n,
				      struct form_result *res)
{
	struct arena *a = arena_new(0);
	struct layer layers[FORM_LAYERS_MAX];
	struct listing_reader reader;
	size_t chosen[IMAGE_LAYERS_MAX], n_chosen;
	const char *lowers = NULL;
	int r = 1;

	for (size_t i = 0; i < n; i++) {
		*res = form_unpack(top, text_of("l%zu", i), &from[i], 1, true);
		if (res->r < 0 || (res->flags & LAYER_NEEDS_LOWER))
			return NULL;
		/* equal layers are one layer, as equal digests make them */
		layers[i].diff_id = digest_of(from[i]);
		layers[i].fs = form_dir(top, text_of("l%zu", i));
		layers[i].list = openat(top, text_of("l%zu.list", i), O_RDONLY | O_CLOEXEC);
		r = listing_open(a, layers[i].list, &reader, &layers[i].header);
		if (r < 0)
			die("listing_open");
	}
	r = compose(a, layers, n, chosen, &n_chosen);
	for (size_t i = 0; r == 1 && i < n_chosen; i++)
		lowers = text_of("%s%sl%zu", lowers ? lowers : "", lowers ? ":" : "", chosen[i]);
	for (size_t i = 0; i < n; i++) {
		close(layers[i].fs);
		close(layers[i].list);
	}
	arena_free(a);
	return lowers;
}

/* ---- the directory outside, and words for it -------------------------------------------- */

/* The directory beside the trees as text, with its own mode and time. */
static UNUSED const char *form_outside(int top)
{
	struct stat st;

	if (fstatat(top, FORM_OUTSIDE, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return "gone";
	return text_of("%o %lld.%09ld\n%s", st.st_mode, (long long)st.st_mtim.tv_sec,
		       st.st_mtim.tv_nsec, form_text(top, FORM_OUTSIDE, true));
}

static UNUSED const char *form_dirs(const char *path)
{
	const char *out = "";

	for (const char *p = path; *p; p += *p == '/') {
		p += strcspn(p, "/");
		out = text_of("%s%s%.*s/", out, *out ? " " : "", (int)(p - path), path);
	}
	return out;
}

static UNUSED const char *form_expand(const char *text, const char *outside)
{
	const struct {
		const char *name, *value;
	} words[] = { { "$OUT", outside },
		      { "$IN", outside + 1 },
		      { "$DIRS", strstr(text, "$DIRS") ? form_dirs(outside + 1) : "" } };
	struct bytes out = { 0 };

	while (*text) {
		size_t i = 0, n = sizeof(words) / sizeof(words[0]);

		while (i < n && strncmp(text, words[i].name, strlen(words[i].name)) != 0)
			i++;
		if (i == n) {
			bytes_add(&out, text++, 1);
			continue;
		}
		bytes_add(&out, words[i].value, strlen(words[i].value));
		text += strlen(words[i].name);
	}
	return out.n ? (const char *)out.p : "";
}

/* What is expected is sorted and unescaped here, so that tables may be written for people. */
static UNUSED const char *form_sorted(const char *text)
{
	const char *words[128];
	char *copy = text_of("%s", text), *w;
	struct bytes out = { 0 };
	size_t n = 0;

	while (*(w = word(&copy))) {
		unescape(w);
		words[n++] = w;
	}
	qsort(words, n, sizeof(*words), by_text);
	for (size_t i = 0; i < n; i++) {
		bytes_add(&out, words[i], strlen(words[i]));
		if (i + 1 < n)
			bytes_add(&out, " ", 1);
	}
	return out.n ? (const char *)out.p : "";
}

/* ---- cases ------------------------------------------------------------------------------ */

static UNUSED void form_try_refused(const struct form_case *c, int top, const struct bytes *layers,
				    size_t n, struct form_verdict *v)
{
	struct form_result flat = form_unpack(top, "flat", layers, n, false), alone = { 0 };

	v->tree = flat.r < 0 ? text_of("%s", flat.e.msg) : "unpacked without a word";
	v->want = c->want + 1;
	v->tree_ok = flat.r < 0 && strstr(flat.e.msg, v->want);
	form_layers(top, layers, n, &alone);
	v->form_ok = c->form == 'F' ? (alone.flags & LAYER_NEEDS_LOWER) != 0
				    : alone.r < 0 && strstr(alone.e.msg, v->want);
	v->same_ok = true;
}

static UNUSED void form_try_tree(const struct form_case *c, int top, const struct bytes *layers,
				 size_t n, const struct forms_run *run, struct form_verdict *v)
{
	struct form_result res = form_unpack(top, "flat", layers, n, false);
	const char *lowers;

	v->tree = res.r < 0 ? text_of("%s", res.e.msg) : form_text(top, "flat", false);
	v->tree_ok = str_eq(c->want, "?") ? res.r == 0 : str_eq(v->tree, v->want);
	lowers = form_layers(top, layers, n, &res);
	v->form_ok = (lowers != NULL) == (c->form == 'L');
	v->same_ok = true;
	if (run->spoil)
		run->spoil(top);
	if (!lowers || !run->overlay)
		return;
	v->flat = form_text(top, "flat", true);
	v->stacked = form_stacked(top, lowers);
	v->same_ok = str_eq(v->stacked, v->flat);
}

static UNUSED struct form_verdict form_try(const struct form_case *c, struct forms_run *run)
{
	char *path = quick_dir(), *outside = text_of("%s/" FORM_OUTSIDE, path);
	int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct form_verdict v = { .want = form_sorted(form_expand(c->want, outside)) };
	struct bytes layers[FORM_LAYERS_MAX];
	size_t n = 0;

	if (run->bottom.p)
		layers[n++] = run->bottom;
	run->bottom = (struct bytes){ 0 };
	for (size_t i = 0; n < FORM_LAYERS_MAX && c->layers[i]; i++)
		layers[n++] = layer_of(form_expand(c->layers[i], outside));
	run->archives++;
	close(form_dir(top, FORM_OUTSIDE));
	close(form_file(top, FORM_OUTSIDE "/canary"));
	v.untouched = form_outside(top);
	if (*c->want == '!')
		form_try_refused(c, top, layers, n, &v);
	else
		form_try_tree(c, top, layers, n, run, &v);
	v.outside = form_outside(top);
	v.outside_ok = str_eq(v.outside, v.untouched);
	close(top);
	temp_remove(path);
	return v;
}

static UNUSED void form_check(const struct form_case *c, struct forms_run *run)
{
	struct form_verdict v = form_try(c, run);
	const char *form = c->form == 'L' ? "layers" : "flat only";

	if (*c->want == '!') {
		ok(v.tree_ok, "%s: refused: %s", c->what, v.tree);
		ok(v.form_ok, "%s: as a layer, too%s", c->what,
		   c->form == 'F' ? ", or left to the flat form" : "");
	} else {
		ok(v.tree_ok, "%s", c->what);
		ok(v.form_ok, "%s: %s", c->what, form);
	}
	if (!v.tree_ok)
		diag("is \"%s\", not \"%s\"", v.tree, v.want);
	if (v.stacked)
		ok(v.same_ok, "%s: the same under overlayfs", c->what);
	else if (c->form == 'L' && *c->want != '!')
		skip("%s: no overlay in user namespaces here", c->what);
	if (!v.same_ok)
		diag("stacked: %s flattened: %s", v.stacked, v.flat);
	if (!v.outside_ok)
		ok(false, "%s: nothing outside: %s", c->what, v.outside);
}

/* Can this place have overlays at all? */
static UNUSED bool form_overlay_works(void)
{
	const struct bytes one = layer_of("f a 1");
	char *path = quick_dir();
	int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool works;

	form_unpack(top, "l0", &one, 1, true);
	works = strstr(form_stacked(top, "l0"), "a=1") != NULL;
	close(top);
	temp_remove(path);
	return works;
}

static UNUSED void forms_begin(struct forms_run *run)
{
	struct err e = { 0 };

	umask(0);
	*run = (struct forms_run){ 0 };
	if (unpack_load(&e) < 0)
		die(e.msg);
	run->overlay = form_overlay_works();
}

static UNUSED void forms_check(const struct form_case *cases, size_t n, struct forms_run *run)
{
	for (size_t i = 0; i < n; i++)
		form_check(&cases[i], run);
}

/* ---- all that the list of cases names ---------------------------------------------------- */

/* "W8b ..." is a case of W8; W8 and W80 are two. */
static UNUSED bool form_has_id(const struct form_case *cases, size_t n, const char *id)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < n; i++) {
		if (strncmp(cases[i].what, id, len) == 0 &&
		    !isdigit((unsigned char)cases[i].what[len]))
			return true;
	}
	return false;
}

/* Every id from @letter@first to @letter@last but those of @elsewhere (" S2 S4 ") is there. */
static UNUSED void forms_complete(const struct form_case *cases, size_t n, char letter, int first,
				  int last, const char *elsewhere)
{
	const char *missing = "";

	for (int i = first; i <= last; i++) {
		const char *id = text_of("%c%d", letter, i);

		if (!form_has_id(cases, n, id) && !strstr(elsewhere, text_of(" %s ", id)))
			missing = text_of("%s %s", missing, id);
	}
	is_str(missing, "", "cases %c%d to %c%d are there, or elsewhere:%s", letter, first, letter,
	       last, elsewhere);
}

#endif

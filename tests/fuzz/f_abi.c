/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image's tree from a text (tests/helpers/layers.h, a line for an entry), and what driver
 * libraries will meet in it: what is found has a name that can be put into messages, and is there.
 * ELF says that a file's contents are those behind the last line, so that they may be a library.
 */
#include "fuzz.h"
#include "layers.h"

#include <gpurun/fd.h>

#include "../../src/store/abi.h"
#include "../../src/store/remove.h"
#include "../../src/store/unpack.h"

#define TEXT_MAX 16384
#define BODY     "\nELF\n" /* what is behind it is the contents of files called ELF */

/* The entries of the text as a flat tree; 0 when that is none. */
static int make_tree(int top, const char *spec)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)64 << 20);
	_cleanup_fd_ int root = -1, trash = -1, list = -1;
	struct unpack_skipped skipped = { 0 };
	struct memory m = { .b = layer_of(spec) };
	const struct tar_input in = { memory_read, &m };
	_Atomic uint64_t entries = 0;
	struct err e = { 0 };
	struct tree t;
	int r;

	must(mkdirat(top, "fs", 0755) == 0 && mkdirat(top, "trash", 0755) == 0);
	root = openat(top, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	trash = openat(top, "trash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list = openat(top, "list", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	r = tree_begin(&t, a, root, trash, list, false);
	if (r == 0)
		r = unpack_layer(a, &t, &in, &entries, &skipped, &e);
	tree_close(&t);
	return r < 0 ? -1 : fd_take(&root);
}

/* A file whose text is "ELF" gets the body. */
static int put_body(void *arg, const struct walk_entry *w)
{
	const struct bytes *body = arg;
	_cleanup_fd_ int fd = -1;

	if (!S_ISREG(w->st.st_mode) || w->st.st_size != 3)
		return 0;
	fd = openat(w->dirfd, w->name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	must(fd >= 0 && ftruncate(fd, 0) == 0 && fd_write_all(fd, body->p, body->n) == 0);
	return 0;
}

static void check(struct arena *a, const struct view *v, const struct image_abi *abi)
{
	struct view_place p;

	must(!abi->libdir || (abi->libdir[0] == '/' && abi->glibc));
	must(!abi->ld_cache || strchr(abi->ld_cache, ':'));
	for (size_t i = 0; i < abi->drivers.n; i++)
		must(view_find(v, abi->drivers.v[i], &p) == 0 && S_ISREG(p.st.st_mode));
	for (size_t i = 0; i < abi->compat.n; i++) {
		must(view_find(v, abi->compat.v[i], &p) == 0);
		must(!strpbrk(path_base(abi->compat.v[i]), " \t\n$'\"\\;&|"));
	}
	if (abi->ld_cache) {
		struct strv lowers = { 0 };
		const char *path;

		strv_push(a, &lowers, "/l");
		path = abi_locate(a, &lowers, abi->ld_cache);
		must(path && str_after(path, "/l/"));
	}
}

static void look(int root)
{
	static const char *const arches[] = { "amd64", "arm64", "riscv64" };
	const struct view v = { .fs = { root }, .n = 1 };

	for (size_t i = 0; i < ELEMENTS(arches); i++) {
		_cleanup_arena_ struct arena *a = arena_new((size_t)16 << 20);
		struct image_abi abi;

		abi_look(&v, a, arches[i], &abi);
		check(a, &v, &abi);
	}
}

static const char *spec_of(const uint8_t *data, size_t size, struct bytes *body)
{
	const uint8_t *end = size ? memmem(data, size, BODY, strlen(BODY)) : NULL;
	struct strv lines = { 0 };
	const char *spec = "";

	if (end) {
		body->p = (uint8_t *)(uintptr_t)end + strlen(BODY);
		body->n = size - (size_t)(body->p - data);
		size = (size_t)(end - data);
	}
	str_split(images_arena(), arena_strndup(images_arena(), (const char *)data, size), '\n',
		  &lines);
	for (size_t i = 0; i < lines.n; i++)
		if (*lines.v[i] && strchr("dflhp", *lines.v[i]) && lines.v[i][1] == ' ' &&
		    !strchr(lines.v[i], ';'))
			spec = text_of("%s%s;", spec, lines.v[i]);
	return spec;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err e = { 0 };

	(void)argc;
	(void)argv;
	(void)umask(0);
	must(unpack_load(&e) == 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes body = { 0 };
	const char *spec;
	char *path;
	int top, root;

	if (size > TEXT_MAX)
		return 0;
	spec = spec_of(data, size, &body);
	path = quick_dir();
	top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(top >= 0);
	root = make_tree(top, spec);
	if (root >= 0) {
		must(walk_tree(root, put_body, &body) == 0);
		look(root);
	}
	(void)fd_close(root);
	must(remove_contents(top, NULL) == 0 && rmdir(path) == 0);
	close(top);
	images_forget();
	return 0;
}

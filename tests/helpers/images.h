/* SPDX-License-Identifier: Apache-2.0 */
/*
 * images.h - images made in memory, for the unit tests of image/.
 *
 * A "struct files" is a list of names and contents; it becomes a tar in a memfd, or a directory.
 * Everything lives in one arena until the test ends.
 */
#ifndef GPURUN_TEST_IMAGES_H
#define GPURUN_TEST_IMAGES_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/image.h>

#include "tap.h"

#define UNUSED __attribute__((unused))

struct bytes {
	uint8_t *p;
	size_t n, cap;
};

static UNUSED void die(const char *what)
{
	perror(what);
	exit(99);
}

static UNUSED struct arena *images_all;

static UNUSED struct arena *images_arena(void)
{
	if (!images_all)
		images_all = arena_new(1U << 30);
	return images_all;
}

/* Everything that was made so far goes: for fuzzers, whose tests are many. */
static UNUSED void images_forget(void)
{
	if (images_all)
		arena_free(images_all);
	images_all = NULL;
}

static UNUSED void bytes_add(struct bytes *b, const void *p, size_t n)
{
	if (b->n + n + 1 > b->cap) {
		b->cap = 2 * (b->n + n + 1);
		b->p = arena_grow(images_arena(), b->p, b->n, b->cap, 1);
	}
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = 0;
}

static UNUSED struct bytes bytes_join(struct bytes a, struct bytes b)
{
	struct bytes r = { 0 };

	bytes_add(&r, a.p, a.n);
	bytes_add(&r, b.p, b.n);
	return r;
}

static UNUSED struct bytes bytes_cut(struct bytes b, size_t from, size_t to)
{
	struct bytes r = { 0 };

	bytes_add(&r, b.p + from, to - from);
	return r;
}

/* @n bytes of zero */
static UNUSED struct bytes bytes_zero(size_t n)
{
	return (struct bytes){ .p = arena_alloc(images_arena(), n + 1), .n = n };
}

static UNUSED struct bytes bytes_of(const char *text)
{
	struct bytes b = { 0 };

	bytes_add(&b, text, strlen(text));
	return b;
}

static UNUSED __attribute__((format(printf, 1, 2))) char *text_of(const char *fmt, ...)
{
	va_list ap, again;
	char *text;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	text = arena_alloc(images_arena(), (size_t)n + 1);
	vsnprintf(text, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return text;
}

static UNUSED const char *digest_of(struct bytes b)
{
	struct err e = { 0 };
	struct sha256 *h = sha256_new(&e);
	char *hex = arena_alloc(images_arena(), IMAGE_ID_HEX + 1);

	if (!h)
		die(e.msg);
	sha256_update(h, b.p, b.n);
	sha256_hex(h, hex);
	sha256_free(h);
	return hex;
}

/* ---- tar ------------------------------------------------------------------------------- */

/* One ustar member; @type as in the header. */
static UNUSED void tar_add(struct bytes *t, const char *name, char type, const char *link,
			   struct bytes data)
{
	static const uint8_t zeros[512];
	char h[513] = { 0 };
	unsigned int sum = 0;

	snprintf(h, 101, "%s", name);
	memcpy(h + 100, "0000644", 8);
	memcpy(h + 108, "0000000", 8);
	memcpy(h + 116, "0000000", 8);
	snprintf(h + 124, 12, "%011o", (unsigned int)data.n & 07777777777);
	memcpy(h + 136, "00000000000", 12);
	memset(h + 148, ' ', 8);
	h[156] = type;
	snprintf(h + 157, 100, "%s", link ? link : "");
	memcpy(h + 257,
	       "ustar\0"
	       "00",
	       8);
	for (int i = 0; i < 512; i++)
		sum += (uint8_t)h[i];
	snprintf(h + 148, 8, "%06o", sum & 0777777);
	bytes_add(t, h, 512);
	bytes_add(t, data.p, data.n);
	if (data.n % 512)
		bytes_add(t, zeros, 512 - data.n % 512);
}

static UNUSED void tar_end(struct bytes *t)
{
	static const uint8_t zeros[1024];

	bytes_add(t, zeros, sizeof(zeros));
}

/* A layer: a tar with one file. */
static UNUSED struct bytes tar_layer(const char *name, const char *contents)
{
	struct bytes t = { 0 };

	tar_add(&t, name, '0', NULL, bytes_of(contents));
	tar_end(&t);
	return t;
}

/* ---- files ----------------------------------------------------------------------------- */

#define FILES_MAX 2048

struct files {
	struct {
		const char *name, *link;
		struct bytes data;
	} f[FILES_MAX];
	size_t n;
};

static UNUSED void files_add(struct files *fs, const char *name, struct bytes data)
{
	if (fs->n >= FILES_MAX)
		die("files_add");
	fs->f[fs->n].name = name;
	fs->f[fs->n].link = NULL;
	fs->f[fs->n++].data = data;
}

static UNUSED void files_link(struct files *fs, const char *name, const char *target)
{
	files_add(fs, name, (struct bytes){ 0 });
	fs->f[fs->n - 1].link = target;
}

/* Replace (or, without @data, remove) a file. */
static UNUSED void files_set(struct files *fs, const char *name, struct bytes data)
{
	for (size_t i = 0; i < fs->n; i++)
		if (strcmp(fs->f[i].name, name) == 0) {
			if (data.p)
				fs->f[i].data = data;
			else
				fs->f[i] = fs->f[--fs->n];
			return;
		}
	files_add(fs, name, data);
}

/* A blob of an OCI layout; its digest. */
static UNUSED const char *files_blob(struct files *fs, struct bytes data)
{
	const char *hex = digest_of(data);

	files_set(fs, text_of("blobs/sha256/%s", hex), data);
	return hex;
}

static UNUSED struct bytes files_tar(const struct files *fs, const char *prefix)
{
	struct bytes t = { 0 };

	if (*prefix)
		tar_add(&t, prefix, '5', NULL, (struct bytes){ 0 });
	for (size_t i = 0; i < fs->n; i++)
		tar_add(&t, text_of("%s%s", prefix, fs->f[i].name), fs->f[i].link ? '2' : '0',
			fs->f[i].link, fs->f[i].data);
	tar_end(&t);
	return t;
}

/* ---- descriptors ----------------------------------------------------------------------- */

static UNUSED int bytes_fd(struct bytes b)
{
	int fd = memfd_create("image", 0);

	if (fd < 0 || (b.n && write(fd, b.p, b.n) != (ssize_t)b.n))
		die("memfd");
	return fd;
}

static UNUSED char *temp_dir(void)
{
	char *dir = text_of("%s/gpurun-test.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");

	if (!mkdtemp(dir))
		die(dir);
	return dir;
}

/* Remove a directory made by temp_dir(). */
static UNUSED void temp_remove(const char *dir)
{
	if (system(text_of("rm -rf '%s'", dir)))
		die(dir);
}

/* Write the files below a directory, with the folders that a layout has. */
static UNUSED void files_write(const struct files *fs, const char *dir)
{
	if (system(text_of("mkdir -p '%s/blobs/sha256'", dir)))
		die(dir);
	for (size_t i = 0; i < fs->n; i++) {
		char *path = text_of("%s/%s", dir, fs->f[i].name);
		int fd;

		unlink(path);
		if (fs->f[i].link) {
			if (symlink(fs->f[i].link, path))
				die(path);
			continue;
		}
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0 ||
		    write(fd, fs->f[i].data.p, fs->f[i].data.n) != (ssize_t)fs->f[i].data.n)
			die(path);
		close(fd);
	}
}

/* Run bytes through a program such as "xz -c". */
static UNUSED struct bytes filter(const char *command, struct bytes in)
{
	int from = bytes_fd(in), to = memfd_create("out", 0);
	struct bytes out;
	struct stat st;

	if (system(text_of("%s </proc/self/fd/%d >/proc/self/fd/%d", command, from, to)) != 0)
		diag("%s failed", command);
	if (fstat(to, &st) < 0)
		die("fstat");
	out = bytes_zero((size_t)st.st_size);
	if (pread(to, out.p, out.n, 0) != (ssize_t)out.n)
		die("pread");
	close(from);
	close(to);
	return out;
}

/* ---- opening --------------------------------------------------------------------------- */

/* An image that was tried: how it went, and what came of it. */
struct opened {
	struct arena *a;
	struct image_ref ref;
	struct image_source *s;
	struct image_manifest m;
	struct err e;
	int fd, r;
};

/* @ref: "" for the plain name, else as typed, with "x" for the path ("docker-archive:x:tag") */
static UNUSED void image_try_fd(struct opened *o, int fd, const char *ref, const char *spool)
{
	int dir = open(spool ? spool : "/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*o = (struct opened){ .fd = fd };
	o->a = arena_new(1U << 30);
	o->r = image_ref_parse(o->a, *ref ? ref : "x", &o->ref, &o->e);
	if (o->r == 0)
		o->r = image_open(o->a, fd, &o->ref, dir, "amd64", &o->s, &o->m, &o->e);
	close(dir);
}

static UNUSED void image_try(struct opened *o, struct bytes b, const char *ref)
{
	image_try_fd(o, bytes_fd(b), ref, NULL);
}

static UNUSED void image_done(struct opened *o)
{
	image_close(o->s);
	arena_free(o->a);
	close(o->fd);
}

/* Read one layer whole; 0 or -errno.  @ret may be NULL. */
static UNUSED int layer_read(struct opened *o, size_t i, struct bytes *ret, char *ret_diff_id)
{
	struct image_stream *st;
	const void *block;
	ssize_t n;
	int r;

	o->e = (struct err){ 0 };
	r = image_layer_open(o->s, &o->m.layers[i], &st, &o->e);
	if (r < 0)
		return r;
	while ((n = image_layer_read(st, &block, &o->e)) > 0)
		if (ret)
			bytes_add(ret, block, (size_t)n);
	r = n < 0 ? (int)n : image_layer_finish(st, ret_diff_id, &o->e);
	image_layer_close(st);
	return r;
}

/* Does the layer hold exactly these bytes? */
static UNUSED bool layer_is(struct opened *o, size_t i, struct bytes want)
{
	struct bytes have = { 0 };
	int r = layer_read(o, i, &have, NULL);

	if (r < 0)
		diag("%s", o->e.msg);
	return r == 0 && have.n == want.n && memcmp(have.p, want.p, want.n) == 0;
}

/* It must fail, with this in the message and this code. */
static UNUSED void refused(struct bytes b, const char *ref, int code, const char *text,
			   const char *what)
{
	struct opened o;

	image_try(&o, b, ref);
	ok(o.r == -code && strstr(o.e.msg, text), "%s: %s", what, o.e.msg);
	if (o.r != -code || !strstr(o.e.msg, text))
		diag("got %d, wanted %d with \"%s\"", o.r, -code, text);
	image_done(&o);
}

#endif

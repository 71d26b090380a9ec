/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stores.h - a store in a temporary directory, and images for it.
 */
#ifndef GPURUN_TEST_STORES_H
#define GPURUN_TEST_STORES_H

#include <errno.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <gpurun/log.h>
#include <gpurun/store.h>

#include "layers.h"

/** struct bench - a directory with a store in it, and the last answer */
struct bench {
	char *dir;
	const char *path; /* of the store */
	struct arena *a;
	struct store *s;
	struct image image;
	int lock, r;
	struct err e;
};

static UNUSED void bench_open(struct bench *b, const char *ro)
{
	const struct store_options o = { .dir = b->path, .ro_list = ro, .uid = getuid() };

	b->e = (struct err){ 0 };
	b->a = arena_new(1U << 30);
	b->r = store_open(b->a, &o, &b->s, &b->e);
}

static UNUSED void bench_begin(struct bench *b)
{
	*b = (struct bench){ .dir = quick_dir(), .lock = -1 };
	b->path = text_of("%s/store", b->dir);
	bench_open(b, NULL);
	if (b->r < 0)
		die(b->e.msg);
}

static UNUSED void bench_close(struct bench *b)
{
	if (b->lock >= 0)
		close(b->lock);
	b->lock = -1;
	store_close(b->s);
	arena_free(b->a);
	b->s = NULL;
	b->a = NULL;
}

static UNUSED void bench_end(struct bench *b)
{
	bench_close(b);
	temp_remove(b->dir);
}

/* Write a file of the bench; its path. */
static UNUSED const char *bench_file(struct bench *b, const char *name, struct bytes data)
{
	const char *path = text_of("%s/%s", b->dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, data.p, data.n) != (ssize_t)data.n)
		die(path);
	close(fd);
	return path;
}

static UNUSED int bench_ensure_form(struct bench *b, const char *what, bool flat)
{
	const struct store_ensure_options o = {
		.arch = "amd64", .form_flat = flat, .abi = true, .quiet = true
	};
	struct image_ref ref;

	if (b->lock >= 0)
		close(b->lock);
	b->lock = -1;
	b->e = (struct err){ 0 };
	b->r = image_ref_parse(b->a, what, &ref, &b->e);
	if (b->r == 0)
		b->r = store_ensure(b->s, b->a, &ref, &o, &b->image, &b->lock, &b->e);
	if (b->r < 0)
		diag("%s: %s", what, b->e.msg);
	return b->r;
}

static UNUSED int bench_ensure(struct bench *b, const char *what)
{
	return bench_ensure_form(b, what, false);
}

/* How many entries a directory of the store has. */
static UNUSED int bench_count(struct bench *b, const char *dir)
{
	char buf[64];
	FILE *f = popen(text_of("ls -A '%s/v1/%s' | wc -l", b->path, dir), "r");
	int n = f && fgets(buf, sizeof(buf), f) ? atoi(buf) : -1;

	if (f)
		pclose(f);
	return n;
}

/* A docker archive with these layers (compressed by nobody), called @tag. */
static UNUSED struct bytes docker_archive(const char *tag, const char *config,
					  const char *const *specs, size_t n)
{
	struct bytes t = { 0 }, layer;
	const char *ids = "", *files = "", *text;

	for (size_t i = 0; i < n; i++) {
		const char *hex;

		layer = layer_of(specs[i]);
		hex = digest_of(layer);
		ids = text_of("%s%s\"sha256:%s\"", ids, i ? "," : "", hex);
		files = text_of("%s%s\"%s.tar\"", files, i ? "," : "", hex);
		tar_add(&t, text_of("%s.tar", hex), '0', NULL, layer);
	}
	text = text_of("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":%s,"
		       "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}",
		       config, ids);
	tar_add(&t, text_of("%s.json", digest_of(bytes_of(text))), '0', NULL, bytes_of(text));
	text = text_of("[{\"Config\":\"%s.json\",\"RepoTags\":[\"%s\"],\"Layers\":[%s]}]",
		       digest_of(bytes_of(text)), tag, files);
	tar_add(&t, "manifest.json", '0', NULL, bytes_of(text));
	tar_end(&t);
	return t;
}

/* An OCI layout of one layer in a directory of the bench; its path. */
static UNUSED const char *layout_directory(struct bench *b, const char *name, struct bytes layer)
{
	static const char config[] = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":"
				     "{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}";
	struct files *fs = arena_alloc(images_arena(), sizeof(*fs));
	const char *hex = files_blob(fs, layer), *doc = text_of(config, hex);
	const char *dir = text_of("%s/%s", b->dir, name), *manifest;

	manifest = text_of(
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image."
		"config.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[{"
		"\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":"
		"\"sha256:%s\",\"size\":%zu}]}",
		files_blob(fs, bytes_of(doc)), strlen(doc), hex, layer.n);
	files_set(fs, "oci-layout", bytes_of("{\"imageLayoutVersion\":\"1.0.0\"}"));
	files_set(
		fs, "index.json",
		bytes_of(text_of("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
				 "vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\","
				 "\"size\":%zu}]}",
				 files_blob(fs, bytes_of(manifest)), strlen(manifest))));
	files_write(fs, dir);
	return dir;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver-tree.h - a directory that looks like the root of a machine with NVIDIA's driver, file by
 * file, for unit tests.
 */
#ifndef GPURUN_DRIVER_TREE_H
#define GPURUN_DRIVER_TREE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gpurun/driver.h>
#include <gpurun/elf.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "../../src/gpu/ldcache.h"
#include "elf-stub.h"
#include "tap.h"

#if defined(__aarch64__)
#define TRIPLET "aarch64-linux-gnu"
#define LD_SO   "/lib/ld-linux-aarch64.so.1"
#else
#define TRIPLET "x86_64-linux-gnu"
#define LD_SO   "/lib64/ld-linux-x86-64.so.2"
#endif

struct tree {
	struct arena *a;
	char path[64]; /* without links in it */
	struct ld_cache cache;
};

/* A path inside the tree as the machine that runs the test sees it; its parents are made. */
static const char *tree_path(struct tree *t, const char *path)
{
	char *full = arena_printf(t->a, "%s%s", t->path, path);

	for (char *p = full + strlen(t->path) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		if (mkdir(full, 0755) < 0 && errno != EEXIST)
			diag("%s: %s", full, strerror(errno));
	}
	return full;
}

static void tree_new(struct tree *t, struct arena *a)
{
	*t = (struct tree){ .a = a, .path = "/tmp/gpurun-t-driver.XXXXXX" };
	if (!mkdtemp(t->path))
		diag("%s: %s", t->path, strerror(errno));
}

static int tree_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void tree_free(struct tree *t)
{
	(void)nftw(t->path, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static TAP_UNUSED void tree_elf(struct tree *t, const char *path, struct elf_stub stub)
{
	if (elf_stub_write(tree_path(t, path), &stub) < 0)
		diag("%s%s: not written", t->path, path);
}

/* A library of this machine. */
static TAP_UNUSED void tree_lib(struct tree *t, const char *path, const char *soname)
{
	tree_elf(t, path, (struct elf_stub){ 64, STUB_MACHINE, soname, NULL, "GLIBC_2.4" });
}

static TAP_UNUSED void tree_lib32(struct tree *t, const char *path, const char *soname)
{
	tree_elf(t, path, (struct elf_stub){ 32, EM_386, soname, NULL, "GLIBC_2.1" });
}

static TAP_UNUSED void tree_program(struct tree *t, const char *path, const char *interp)
{
	tree_elf(t, path, (struct elf_stub){ 64, STUB_MACHINE, NULL, interp, "GLIBC_2.7" });
}

static TAP_UNUSED void tree_link(struct tree *t, const char *path, const char *target)
{
	if (symlink(target, tree_path(t, path)) < 0)
		diag("%s%s: %s", t->path, path, strerror(errno));
}

static TAP_UNUSED void tree_text(struct tree *t, const char *path, const char *text)
{
	FILE *f = fopen(tree_path(t, path), "we");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		diag("%s%s: not written", t->path, path);
}

static TAP_UNUSED void tree_socket(struct tree *t, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", tree_path(t, path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		diag("%s%s: %s", t->path, path, strerror(errno));
	fd_close(fd);
}

/* An entry of /etc/ld.so.cache, which tree_look() writes. */
static TAP_UNUSED void tree_cache(struct tree *t, unsigned int machine, const char *path)
{
	ldcache_put(t->a, &t->cache,
		    &(struct ld_entry){ .flags = ldcache_flags((uint16_t)machine),
					.name = path_base(path),
					.path = path },
		    1);
}

static void tree_write_cache(struct tree *t)
{
	size_t len = 0;
	const char *data = ldcache_format(t->a, &t->cache, &len);
	FILE *f = fopen(tree_path(t, "/etc/ld.so.cache"), "we");

	if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0)
		diag("%s/etc/ld.so.cache: not written", t->path);
}

/* What gpu_driver_look() finds in the tree. */
static TAP_UNUSED struct gpu_driver tree_look(struct tree *t, const char *want, uint32_t caps)
{
	struct sysroot root = { open(t->path, O_PATH | O_DIRECTORY | O_CLOEXEC), t->path };
	struct gpu_driver d = { 0 };
	struct err e = { 0 };

	if (t->cache.n)
		tree_write_cache(t);
	if (gpu_driver_look(t->a, &root, want, caps, &d, &e) < 0)
		diag("%s", e.msg);
	fd_close(root.fd);
	return d;
}

static TAP_UNUSED const struct gpu_file *driver_file(const struct gpu_driver *d, unsigned int bits,
						     const char *dst)
{
	for (size_t i = 0; i < d->n_files; i++)
		if (str_eq(d->files[i].dst, dst) && d->files[i].bits == bits)
			return &d->files[i];
	return NULL;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.c - the files of the user-space driver below a driver root: everything in the driver's
 * directories that carries its version, sorted into capabilities by driver_tables.c.  Nothing is
 * loaded or executed; of every library and program the ELF headers are read.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <gpurun/elf.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "driver_scan.h"
#include "driver_tables.h"
#include "names.h"

/* ---- libraries ------------------------------------------------------------------------ */

void driver_add_link(struct arena *a, struct gpu_file *f, const char *name)
{
	if (name && *name && !strchr(name, '/') && !str_eq(name, f->dst) &&
	    !strv_has(&f->links, name))
		strv_push(a, &f->links, name);
}

struct gpu_file *driver_library(const struct gpu_driver *d, unsigned int bits, const char *name)
{
	for (size_t i = 0; name && i < d->n_files; i++) {
		struct gpu_file *f = &d->files[i];

		if (f->kind == GPU_FILE_LIB && (!bits || f->bits == bits) &&
		    (str_eq(f->dst, name) || strv_has(&f->links, name)))
			return f;
	}
	return NULL;
}

/* The length of "libcuda" in "libcuda.so.550.163.01". */
static size_t stem_len(const char *name)
{
	const char *so = strstr(name, ".so");

	return so ? (size_t)(so - name) : strlen(name);
}

/* The capabilities that want @name; 0: not of this version, or not for a container. */
static uint32_t lib_caps(const char *name, const char *version)
{
	size_t len = stem_len(name);
	const char *end = str_after(name + len, ".so.");

	if (end && str_eq(end, version))
		return driver_lib_caps(name, len);
	return driver_lib_unversioned(name);
}

/* A file that is wanted. */
struct candidate {
	const char *name;
	uint32_t caps;
};

/* By version, the newest first, in an order that does not depend on the file system. */
static int candidate_order(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;

	return strverscmp(b->name, a->name);
}

/*
 * struct taker - the libraries that were taken
 * @names: theirs and of their links, of 64 bits and of 32: the first that has a name keeps it
 */
struct taker {
	struct driver_scan *s;
	struct gpu_driver *d;
	struct names names[2];
};

static void take_lib(struct taker *t, struct gpu_file f, int fd)
{
	struct driver_scan *s = t->s;
	struct elf_info elf = { 0 };
	struct names *names;

	if (elf_read(s->a, fd, &elf) < 0 || elf.machine != driver_machine(elf.bits))
		return;
	names = &t->names[elf.bits == 32];
	if ((elf.soname && names_have(names, elf.soname)) || !names_add(s->a, names, f.dst))
		return;
	f.bits = elf.bits;
	f.glibc_needed = elf.glibc_needed;
	driver_add_link(s->a, &f, elf.soname);
	driver_add_link(s->a, &f, driver_lib_link(f.dst, stem_len(f.dst)));
	for (size_t i = 0; i < f.links.n; i++)
		(void)names_add(s->a, names, f.links.v[i]);
	VEC_PUSH(s->a, t->d->files, t->d->n_files, t->d->cap_files, f);
}

static void take_dir(struct taker *t, const struct driver_dir *dir)
{
	struct driver_scan *s = t->s;
	struct candidate *v = ARENA_ARRAY(s->a, struct candidate, dir->names.n);
	_cleanup_fd_ int top = -1;
	const char *host;
	size_t n = 0;

	for (size_t i = 0; i < dir->names.n; i++) {
		v[n].name = dir->names.v[i];
		v[n].caps = lib_caps(v[n].name, t->d->version);
		n += (v[n].caps & s->caps) != 0;
	}
	if (n)
		top = driver_open_dir(s, dir, &host);
	if (top < 0)
		return;
	qsort(v, n, sizeof(*v), candidate_order);
	for (size_t i = 0; i < n; i++) {
		struct gpu_file f = { .kind = GPU_FILE_LIB, .dst = v[i].name, .caps = v[i].caps };
		_cleanup_fd_ int fd = driver_open_lib(s, dir, top, host, v[i].name, &f.src);

		if (fd >= 0)
			take_lib(t, f, fd);
	}
}

/* The name "libnvidia-ml.so" where the host has it: what a linker or a careless dlopen() asks for. */
static void take_dev_link(struct driver_scan *s, struct gpu_driver *d, const char *name)
{
	size_t len = stem_len(name);

	if (!str_eq(name + len, ".so"))
		return;
	for (size_t i = 0; i < d->n_files; i++) {
		struct gpu_file *f = &d->files[i];

		if (stem_len(f->dst) == len && strncmp(f->dst, name, len) == 0)
			driver_add_link(s->a, f, name);
	}
}

static void take_libs(struct driver_scan *s, struct gpu_driver *d)
{
	struct taker t = { .s = s, .d = d };

	for (size_t i = 0; i < s->n; i++)
		take_dir(&t, &s->v[i]);
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->v[i].names.n; k++)
			take_dev_link(s, d, s->v[i].names.v[k]);
}

/* ---- programs, data, sockets ---------------------------------------------------------- */

/*
 * A program that an image can run: no script, and its dynamic linker is where every distribution
 * has it (that of NixOS is in the host's store).
 */
static bool take_program(struct driver_scan *s, struct gpu_driver *d, const char *dir,
			 const struct driver_program *p)
{
	struct gpu_file f = { .kind = GPU_FILE_BIN, .caps = p->caps };
	struct elf_info elf = { 0 };
	_cleanup_fd_ int fd = driver_open(s, path_join(s->a, dir, p->name), S_IFREG, &f.src);

	if (fd < 0 || elf_read(s->a, fd, &elf) < 0 || elf.machine != driver_machine(elf.bits) ||
	    (elf.interp && !str_after(elf.interp, "/lib")))
		return false;
	f.dst = path_join(s->a, "/usr/bin", p->name);
	f.bits = elf.bits;
	f.glibc_needed = elf.glibc_needed;
	VEC_PUSH(s->a, d->files, d->n_files, d->cap_files, f);
	return true;
}

static void take_programs(struct driver_scan *s, struct gpu_driver *d)
{
	struct strv dirs = s->programs;

	for (size_t i = 0; i < driver_n_program_dirs; i++)
		strv_push(s->a, &dirs, driver_program_dirs[i]);
	for (size_t i = 0; i < driver_n_programs; i++)
		for (size_t k = 0; driver_programs[i].caps & s->caps && k < dirs.n; k++)
			if (take_program(s, d, dirs.v[k], &driver_programs[i]))
				break;
}

/* A file or socket at @path.  Return: is it there? */
static bool take_plain(struct driver_scan *s, struct gpu_driver *d, struct gpu_file f,
		       const char *path)
{
	mode_t type = f.kind == GPU_FILE_SOCKET ? S_IFSOCK : S_IFREG;
	_cleanup_fd_ int fd = driver_open(s, path, type, &f.src);

	if (fd >= 0)
		VEC_PUSH(s->a, d->files, d->n_files, d->cap_files, f);
	return fd >= 0;
}

static void take_data(struct driver_scan *s, struct gpu_driver *d)
{
	for (size_t i = 0; i < driver_n_data; i++) {
		const struct driver_data *row = &driver_data[i];

		for (size_t k = 0; row->caps & s->caps && row->dirs[k]; k++) {
			const char *path = path_join(s->a, row->dirs[k], row->name);
			struct gpu_file f = { .kind = GPU_FILE_DATA, .caps = row->caps };

			f.dst = row->dst ? path_join(s->a, row->dst, row->name) : path;
			if (take_plain(s, d, f, path))
				break;
		}
	}
}

static void take_sockets(struct driver_scan *s, struct gpu_driver *d)
{
	for (size_t i = 0; i < driver_n_sockets; i++) {
		const struct driver_socket *row = &driver_sockets[i];
		struct gpu_file f = { .kind = GPU_FILE_SOCKET,
				      .caps = row->caps,
				      .dst = row->path };

		if (row->caps & s->caps)
			(void)take_plain(s, d, f, row->path);
	}
}

/* ---- the whole ------------------------------------------------------------------------ */

/* By kind, then 64 bits before 32, then by name. */
static int file_order(const void *a, const void *b)
{
	const struct gpu_file *x = a, *y = b;

	if (x->kind != y->kind)
		return (int)x->kind - (int)y->kind;
	if (x->bits != y->bits)
		return (int)y->bits - (int)x->bits;
	return strcmp(x->dst, y->dst);
}

/* The host path of the 64-bit library "@prefix@version", or NULL. */
static const char *lib_path(const struct gpu_driver *d, const char *prefix)
{
	for (size_t i = 0; i < d->n_files; i++) {
		const struct gpu_file *f = &d->files[i];
		const char *version = str_after(f->dst, prefix);

		if (f->kind == GPU_FILE_LIB && f->bits == 64 && version &&
		    str_eq(version, d->version))
			return f->src;
	}
	return NULL;
}

/* The version of the kernel module where it is installed, else the newest. */
static void choose_version(struct driver_scan *s, struct gpu_driver *d)
{
	d->version = s->versions.v[0];
	for (size_t i = 0; s->want && i < s->versions.n; i++)
		if (str_eq(s->versions.v[i], s->want))
			d->version = s->versions.v[i];
	for (size_t i = 0; i < s->versions.n; i++)
		if (!str_eq(s->versions.v[i], d->version))
			strv_push(s->a, &d->others, s->versions.v[i]);
}

int gpu_driver_look(struct arena *a, const struct sysroot *root, const char *module, uint32_t caps,
		    struct gpu_driver *ret, struct err *e)
{
	struct driver_scan s = {
		.a = a,
		.root = root,
		.want = module,
		.caps = caps | GPU_CAP_DEFAULT, /* libcuda and libnvidia-ml are always told */
	};
	struct gpu_driver d = { .root = root->label, .module = module };
	int r = driver_scan(&s, e);

	if (r < 0)
		return r;
	if (!s.versions.n) {
		d.searched = s.searched;
		*ret = d;
		return 0;
	}
	choose_version(&s, &d);
	d.machine = (uint16_t)driver_machine(64);
	take_libs(&s, &d);
	take_programs(&s, &d);
	take_data(&s, &d);
	take_sockets(&s, &d);
	if (d.n_files)
		qsort(d.files, d.n_files, sizeof(*d.files), file_order);
	d.libcuda = lib_path(&d, "libcuda.so.");
	d.libnvidia_ml = lib_path(&d, "libnvidia-ml.so.");
	*ret = d;
	return 0;
}

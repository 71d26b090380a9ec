/* SPDX-License-Identifier: Apache-2.0 */
/*
 * abi.c - find the C library, ld.so.cache and driver libraries of an image.
 *
 * The dynamic linker stands where the ABI of the architecture wants it, or no program that asks
 * for it would start; libc.so.6 stands beside it or in one of a few directories, and its newest
 * symbol version is the version of the library.
 *
 * The launcher does this, not the worker that unpacks: the layers of an image may be of several
 * unpackings, and a worker sees its own.  What is parsed here is read in bounds.
 */
#include "abi.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>

#include <gpurun/elf.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "whiteout.h"

#define ABI_CACHE_MAX  (16U << 20) /* a larger ld.so.cache counts as none */
#define ABI_COMPAT_MAX 256U /* so do directories of compatibility libraries with more names */

#define ABI_CACHE  "etc/ld.so.cache"
#define ABI_COMPAT "usr/local/cuda/compat"
#define ABI_NOTE   ".note.cuda.fwd_compatibility"

/* struct machine - where the ABI of an architecture has its dynamic linkers */
struct machine {
	const char *arch;
	uint16_t machine;
	const char *glibc, *musl, *glibc32;
};

static const struct machine machines[] = {
	{ "amd64", EM_X86_64, "lib64/ld-linux-x86-64.so.2", "lib/ld-musl-x86_64.so.1",
	  "lib/ld-linux.so.2" },
	{ "arm64", EM_AARCH64, "lib/ld-linux-aarch64.so.1", "lib/ld-musl-aarch64.so.1",
	  "lib/ld-linux-armhf.so.3" },
};

/* Where distributions have libraries; those for other machines are told by their ELF header. */
static const char *const library_dirs[] = {
	"lib/x86_64-linux-gnu",
	"usr/lib/x86_64-linux-gnu",
	"lib/aarch64-linux-gnu",
	"usr/lib/aarch64-linux-gnu",
	"lib64",
	"usr/lib64",
	"lib",
	"usr/lib",
	/* where images have had driver libraries mounted, or copied, by other tools */
	"usr/local/nvidia/lib64",
	"usr/local/nvidia/lib",
	"usr/local/lib",
};

/* By these names programs ask for the driver. */
static const char *const driver_names[] = {
	"libcuda.so.1",          "libcudadebugger.so.1",          "libnvidia-ml.so.1",
	"libnvidia-opencl.so.1", "libnvidia-ptxjitcompiler.so.1",
};

/* struct look - abi_look's state; @dirs: which of library_dirs there are, real and once each */
struct look {
	const struct view *v;
	struct arena *a;
	const struct machine *machine;
	struct strv dirs;
	struct image_abi *ret;
};

static bool find_file(const struct look *l, const char *path, struct view_place *ret)
{
	return view_find(l->v, path, ret) == 0 && S_ISREG(ret->st.st_mode);
}

/* A file by its directory, which is known to be real, and its name, which may be a link. */
static bool find_in(const struct look *l, const char *dir, const char *name, struct view_place *ret)
{
	char path[PATH_MAX];

	return name_join(dir, name, path) == 0 && find_file(l, path, ret);
}

static void look_dirs(struct look *l)
{
	struct view_place dir;

	for (size_t i = 0; i < ELEMENTS(library_dirs); i++) {
		if (view_find(l->v, library_dirs[i], &dir) == 0 && S_ISDIR(dir.st.st_mode) &&
		    !strv_has(&l->dirs, dir.path))
			strv_push(l->a, &l->dirs, arena_strdup(l->a, dir.path));
	}
}

/* ---- the C library ---------------------------------------------------------------------- */

/* The version of libc.so.6 in @dir, 0 when there is none for this machine. */
static uint32_t libc_version(const struct look *l, const char *dir)
{
	_cleanup_arena_ struct arena *scratch = NULL;
	_cleanup_fd_ int fd = -1;
	struct view_place p;
	struct elf_info info;

	if (!find_in(l, dir, "libc.so.6", &p))
		return 0;
	fd = view_open(l->v, &p);
	if (fd < 0)
		return 0;
	scratch = arena_new(0);
	if (elf_read(scratch, fd, &info) < 0 || info.bits != 64 ||
	    info.machine != l->machine->machine)
		return 0;
	return info.glibc_defined;
}

static bool libc_in(const struct look *l, const char *dir)
{
	l->ret->glibc = libc_version(l, dir);
	if (l->ret->glibc)
		l->ret->libdir = arena_printf(l->a, "/%s", dir);
	return l->ret->glibc != 0;
}

/* libc.so.6 is of one package with the linker: beside it, or where distributions have it. */
static void look_libdir(const struct look *l, const struct view_place *linker)
{
	char beside[PATH_MAX];
	bool found;

	name_dir(linker->path, beside);
	found = libc_in(l, beside);
	for (size_t i = 0; !found && i < l->dirs.n; i++)
		found = libc_in(l, l->dirs.v[i]);
}

/*
 * Images with musl may have a stand-in for glibc's linker, which cannot load the driver: there
 * glibc counts only when its library is there, too.
 */
static void look_libc(const struct look *l)
{
	struct view_place linker, other;
	bool musl = find_file(l, l->machine->musl, &other);

	if (find_file(l, l->machine->glibc, &linker)) {
		look_libdir(l, &linker);
		if (l->ret->glibc || !musl)
			l->ret->libc = IMAGE_LIBC_GLIBC;
	}
	if (musl && l->ret->libc == IMAGE_LIBC_NONE)
		l->ret->libc = IMAGE_LIBC_MUSL;
	l->ret->glibc32 = find_file(l, l->machine->glibc32, &other);
}

/* ---- what else the linker finds --------------------------------------------------------- */

static void look_cache(const struct look *l)
{
	struct view_place p;

	if (find_file(l, ABI_CACHE, &p) && p.st.st_size > 0 && p.st.st_size <= ABI_CACHE_MAX)
		l->ret->ld_cache = arena_printf(l->a, "%zu:%s", p.layer, p.path);
}

/* Empty files count: images saved from other tools' containers have them, and ld.so finds them. */
static void look_drivers(const struct look *l)
{
	struct view_place file;

	for (size_t i = 0; i < l->dirs.n; i++) {
		for (size_t k = 0; k < ELEMENTS(driver_names); k++) {
			if (find_in(l, l->dirs.v[i], driver_names[k], &file))
				strv_push(l->a, &l->ret->drivers,
					  arena_printf(l->a, "/%s/%s", l->dirs.v[i],
						       driver_names[k]));
		}
	}
}

/* ---- forward compatibility -------------------------------------------------------------- */

/* Nothing that a person or a shell could read in two ways. */
static bool is_library(const char *name)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789._+-";

	return str_glob("lib*.so*", name) && !name[strspn(name, plain)];
}

/* libcuda.so.X.Y[.Z] */
static bool is_libcuda(const char *name)
{
	const char *version = str_after(name, "libcuda.so.");

	return version && strchr(version, '.') && !version[strspn(version, "0123456789.")];
}

static void look_note(const struct look *l, const char *path)
{
	_cleanup_fd_ int fd = -1;
	struct view_place p;

	if (!find_file(l, path, &p))
		return;
	fd = view_open(l->v, &p);
	if (fd >= 0)
		(void)elf_note(l->a, fd, ABI_NOTE, "NVIDIA Corporation", &l->ret->compat_note);
}

/* Links to files are left out: the soname of a library is in the library, too. */
static void look_compat(const struct look *l)
{
	const char *cuda = NULL;
	struct strv names = { 0 };
	size_t layer, n_cuda = 0;
	struct view_place dir;
	char path[PATH_MAX];
	struct stat st;

	if (view_find(l->v, ABI_COMPAT, &dir) < 0 ||
	    view_list(l->v, l->a, dir.path, ABI_COMPAT_MAX, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		if (!is_library(names.v[i]) || name_join(dir.path, names.v[i], path) < 0 ||
		    view_stat(l->v, path, &st, &layer) < 0 || !S_ISREG(st.st_mode))
			continue;
		strv_push(l->a, &l->ret->compat, arena_printf(l->a, "/%s", path));
		if (is_libcuda(names.v[i])) {
			cuda = arena_strdup(l->a, path);
			n_cuda++;
		}
	}
	if (n_cuda == 1)
		look_note(l, cuda);
}

/* ------------------------------------------------------------------------------------------ */

void abi_look(const struct view *v, struct arena *a, const char *arch, struct image_abi *ret)
{
	struct look l = { .v = v, .a = a, .ret = ret };

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < ELEMENTS(machines); i++) {
		if (str_eq(machines[i].arch, arch))
			l.machine = &machines[i];
	}
	look_dirs(&l);
	if (l.machine)
		look_libc(&l);
	look_cache(&l);
	look_drivers(&l);
	look_compat(&l);
}

const char *abi_locate(struct arena *a, const struct strv *lowers, const char *place)
{
	const char *path = place ? strchr(place, ':') : NULL;
	uint64_t layer = 0;

	if (!path || lowers->n == 0 ||
	    num_u64(arena_strndup(a, place, (size_t)(path - place)), lowers->n - 1, &layer) < 0)
		return NULL;
	return arena_printf(a, "%s%s", lowers->v[layer], path_clean(a, path + 1));
}

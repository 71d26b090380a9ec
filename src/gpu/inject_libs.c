/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's libraries in a directory of our own, and an ld.so.cache that leads there.
 *
 * Nothing is bound into the image's library directories: a libcuda that the image brings stays
 * where it is, and no link of the image is on the way.  Programs find our directory because the
 * image's cache is merged with our names, as data; no ldconfig runs, of the host or of the image.
 */
#include <elf.h>

#include <gpurun/elf.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "inject.h"
#include "ldcache.h"
#include "names.h"

#define LIB_ATTRS    (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define GPU_DIR_SIZE (UINT64_C(1) << 20) /* mount points and links, all of them empty */

/* More than most have: a file, its soname, a name for linkers.  What is not used costs nothing. */
#define OPS_PER_FILE 3

#define LD_CACHE "/etc/ld.so.cache"
#define LD_CONF  "/etc/ld.so.conf.d/00-gpurun.conf"

/*
 * struct libs - what is known while libraries are added
 * @names: in our directories, of 64 bits and of 32; @entries: the same for @cache
 * @cache: the image's
 * @compat: version of the image's libcuda that takes the place of the host's, or NULL
 * @newer: those left out because the image's glibc is too old
 */
struct libs {
	struct injector *in;
	struct names names[2];
	struct ld_entry *entries;
	size_t n_entries, cap_entries;
	struct ld_cache cache;
	const char *compat;
	struct strv newer;
};

/* Without these there is no CUDA: their absence is worth a line each. */
static const char *const essential[] = { "libcuda.so.", "libnvidia-ml.so." };

bool inject_fits(const struct injector *in, const struct gpu_file *f)
{
	const struct image_abi *abi = in->t->abi;

	if (abi->libc != IMAGE_LIBC_GLIBC || (f->bits == 32 && !abi->glibc32))
		return false;
	return !abi->glibc || f->glibc_needed <= abi->glibc;
}

static const char *lib_dir(unsigned int bits)
{
	return bits == 32 ? GPU_LIB32_DIR : GPU_LIB_DIR;
}

/* Something has the name @name in our directory; false: it is taken. */
static bool lib_name(struct libs *l, unsigned int bits, const char *name)
{
	struct ld_entry entry = {
		.flags = ldcache_flags(bits == 32 ? EM_386 : l->in->sight->driver->machine),
		.name = name,
	};

	if (!names_add(l->in->a, &l->names[bits == 32], name))
		return false;
	entry.path = path_join(l->in->a, lib_dir(bits), name);
	VEC_PUSH(l->in->a, l->entries, l->n_entries, l->cap_entries, entry);
	return true;
}

/* The name @name for @target in our directory, unless something has that name already. */
static void lib_link(struct libs *l, unsigned int bits, const char *name, const char *target)
{
	if (!target || !lib_name(l, bits, name))
		return;
	inject_file(l->in, (struct op){
				   .kind = OP_SYMLINK,
				   .dst = l->entries[l->n_entries - 1].path,
				   .data = target,
				   .data_len = strlen(target),
				   .why = l->in->why,
			   });
}

/* The image's file in the place of the host's @name ("libcuda.so.550.163.01"), or NULL. */
static const char *lib_compat(struct libs *l, const char *name)
{
	const struct strv *files = &l->in->t->abi->compat;
	const char *soname = l->compat ? compat_soname(name) : NULL;

	for (size_t i = 0; soname && i < files->n; i++) {
		const char *base = path_base(files->v[i]);
		const char *s = compat_soname(base);

		if (s && str_eq(s, soname) && strstr(base, l->compat))
			return files->v[i];
	}
	return NULL;
}

/* Links to the image's own files: they are never mounted. */
static void libs_compat(struct libs *l)
{
	const struct image_abi *abi = l->in->t->abi;

	if (!compat_applies(l->in->a, l->in->o->compat, abi, l->in->sight->driver->version,
			    l->in->chosen)) {
		if (l->in->o->compat == GPU_COMPAT_ALWAYS)
			strv_push(l->in->a, l->in->warn,
				  "--cuda-compat always: the image has no /usr/local/cuda/compat/"
				  "libcuda.so.VERSION, or several");
		return;
	}
	l->compat = compat_version(l->in->a, &abi->compat);
	l->in->why = arena_printf(l->in->a, "%s, the image's libcuda %s", l->in->why, l->compat);
	for (size_t i = 0; i < abi->compat.n; i++) {
		const char *base = path_base(abi->compat.v[i]);
		const char *target = lib_compat(l, base);

		lib_link(l, 64, base, abi->compat.v[i]);
		if (target)
			lib_link(l, 64, compat_soname(base), target);
	}
}

/* One library of the host, and its names. */
static void lib_add(struct libs *l, const struct gpu_file *f)
{
	struct injector *in = l->in;
	const char *compat = f->bits == 64 ? lib_compat(l, f->dst) : NULL;

	if (!lib_name(l, f->bits, f->dst)) /* --cuda-compat always, of the same version */
		return;
	inject_file(in, (struct op){
				.kind = OP_BIND,
				.src = f->src,
				.dst = l->entries[l->n_entries - 1].path,
				.attrs = LIB_ATTRS,
				.why = in->why,
			});
	for (size_t i = 0; i < f->links.n; i++)
		lib_link(l, f->bits, f->links.v[i], compat ? compat : f->dst);
}

static bool lib_is_wanted(const struct injector *in, const struct gpu_file *f)
{
	if (f->kind != GPU_FILE_LIB || !(f->caps & in->o->caps))
		return false;
	return f->bits != 32 || (in->o->caps & GPU_CAP_COMPAT32 && in->t->abi->glibc32);
}

/* ---- what is left out ------------------------------------------------------------------------ */

static const char *glibc_text(struct arena *a, uint32_t v)
{
	return arena_printf(a, "%u.%u", ELF_VERSION_MAJOR(v), ELF_VERSION_MINOR(v));
}

static void lib_leave_out(struct libs *l, const struct gpu_file *f)
{
	struct arena *a = l->in->a;

	for (size_t i = 0; i < ELEMENTS(essential); i++) {
		if (!str_after(f->dst, essential[i]))
			continue;
		strv_push(a, l->in->warn,
			  arena_printf(a,
				       "%s: needs glibc %s, the image has %s: left out, CUDA "
				       "will not work",
				       f->dst, glibc_text(a, f->glibc_needed),
				       glibc_text(a, l->in->t->abi->glibc)));
		return;
	}
	strv_push(a, &l->newer, f->dst);
}

/* One line for all those that most programs do without. */
static void say_left_out(struct libs *l)
{
	struct arena *a = l->in->a;

	if (!l->newer.n)
		return;
	strv_push(a, l->in->warn,
		  arena_printf(a,
			       "%zu of the driver's libraries (%s%s) left out: built for a newer "
			       "glibc than the image's %s",
			       l->newer.n, l->newer.v[0], l->newer.n > 1 ? ", ..." : "",
			       glibc_text(a, l->in->t->abi->glibc)));
}

/* ---- ld.so.cache ------------------------------------------------------------------------------ */

/* What a start before this one left in a container that is kept; its driver may be gone. */
static void cache_forget(struct ld_cache *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (!path_below(c->v[i].path, GPU_DIR))
			c->v[n++] = c->v[i];
	c->n = n;
}

static void cache_read(struct libs *l)
{
	const struct gpu_target *t = l->in->t;

	if (t->ld_cache && ldcache_parse(l->in->a, t->ld_cache, t->ld_cache_len, &l->cache) < 0) {
		l->cache = (struct ld_cache){ 0 };
		strv_push(l->in->a, l->in->warn, "image: " LD_CACHE " is damaged, it is replaced");
	}
	cache_forget(&l->cache);
}

/*
 * Written into the scratch layer, so that an ldconfig inside (every "apt install") can replace
 * it; it finds our directory again by a file of ld.so.conf.d.  In a root that cannot be written
 * it is bound over the image's.
 */
static void cache_write(struct libs *l)
{
	struct injector *in = l->in;
	size_t len = 0;
	const char *data;

	ldcache_put(in->a, &l->cache, l->entries, l->n_entries);
	data = ldcache_format(in->a, &l->cache, &len);
	inject_file(in, (struct op){
				.kind = OP_FILE,
				.dst = LD_CACHE,
				.mode = 0644,
				.data = data,
				.data_len = len,
				.flags = in->t->frozen ? OPF_BIND_FILE | OPF_OPTIONAL : 0,
				.why = in->why,
			});
	if (in->t->ld_cache && !in->t->frozen)
		inject_file(in, (struct op){
					.kind = OP_FILE,
					.dst = LD_CONF,
					.mode = 0644,
					.data = GPU_LIB_DIR "\n" GPU_LIB32_DIR "\n",
					.data_len = strlen(GPU_LIB_DIR "\n" GPU_LIB32_DIR "\n"),
					.flags = OPF_OPTIONAL,
					.why = in->why,
				});
}

/*
 * The last resort is LD_LIBRARY_PATH, which programs drop, and which hides libraries that the
 * image means to find first: only where there is no cache to bind over and none can be made, or
 * on a machine whose entries we do not know.
 */
static void libs_publish(struct libs *l)
{
	struct injector *in = l->in;

	if ((in->t->frozen && !in->t->ld_cache) || !ldcache_flags(in->sight->driver->machine))
		strv_push(in->a, &in->ed.env, "LD_LIBRARY_PATH=" GPU_LIB_DIR);
	else
		cache_write(l);
	strv_push(in->a, &in->ed.env, "NVIDIA_CTK_LIBCUDA_DIR=" GPU_LIB_DIR);
}

/* ------------------------------------------------------------------------------------------- */

static bool libs_have_a_place(struct injector *in)
{
	if (!in->sight->driver || !in->sight->driver->n_files)
		return false;
	if (in->t->abi->libc == IMAGE_LIBC_MUSL)
		strv_push(in->a, in->warn,
			  "image: its C library is musl, the driver's libraries need glibc: none "
			  "are given, CUDA will not work");
	return in->t->abi->libc == IMAGE_LIBC_GLIBC;
}

void inject_libs(struct injector *in)
{
	const struct gpu_driver *driver = in->sight->driver;
	struct libs l = { .in = in };

	if (!libs_have_a_place(in))
		return;
	in->ed.files.cap = OPS_PER_FILE * driver->n_files;
	in->ed.files.v = ARENA_ARRAY(in->a, struct op, in->ed.files.cap);
	inject_file(in, (struct op){
				.kind = OP_TMPFS,
				.dst = GPU_DIR,
				.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
				.size = GPU_DIR_SIZE,
				.mode = 0755,
				.flags = OPF_NOFOLLOW,
				.why = in->why,
			});
	cache_read(&l);
	libs_compat(&l);
	for (size_t i = 0; i < driver->n_files; i++) {
		const struct gpu_file *f = &driver->files[i];

		if (!lib_is_wanted(in, f))
			continue;
		if (inject_fits(in, f))
			lib_add(&l, f);
		else
			lib_leave_out(&l, f);
	}
	say_left_out(&l);
	libs_publish(&l);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor_image.c - layer "image": will this image get on with the host's driver?
 */
#include <gpurun/elf.h>
#include <gpurun/str.h>

#include "answer.h"
#include "doctor.h"

#define ID_SHOWN 12

static struct finding check_unpacked(struct doctor *d)
{
	const struct image *i = &d->image;

	if (err_is_set(&d->image_failed))
		return doctor_error(d, FINDING_FAIL, &d->image_failed);
	if (!i->id[0])
		return doctor_ok(d, "%s: a directory", i->name);
	return doctor_ok(d, "%s: %.*s, %s in %llu entries", i->name, ID_SHOWN, i->id,
			 answer_size(d->a, i->bytes), (unsigned long long)i->entries);
}

/* Without GPUs nobody needs a C library of any kind. */
static struct finding not_glibc(struct doctor *d, const char *what)
{
	const char *fix = "an image with glibc (debian, ubuntu, rockylinux, nvidia/cuda)";

	if (!d->chosen.n)
		return doctor_ok(d, "%s (NVIDIA's libraries would not work in it)", what);
	return doctor_fail(d, fix, "%s: NVIDIA's libraries need glibc", what);
}

static struct finding check_libc(struct doctor *d)
{
	const struct image_abi *abi = &d->image.abi;

	if (abi->libc == IMAGE_LIBC_MUSL)
		return not_glibc(d, "musl");
	if (abi->libc == IMAGE_LIBC_NONE)
		return not_glibc(d, "no dynamic linker");
	if (!abi->glibc)
		return doctor_ok(d, "glibc of an unknown version");
	return doctor_ok(d, "glibc %u.%u%s", ELF_VERSION_MAJOR(abi->glibc),
			 ELF_VERSION_MINOR(abi->glibc), abi->glibc32 ? ", also for 32 bits" : "");
}

static struct finding check_ld_cache(struct doctor *d)
{
	if (d->image.abi.libc != IMAGE_LIBC_GLIBC)
		return doctor_skip(d, "no glibc");
	if (!d->image.abi.ld_cache)
		return doctor_ok(d, "none: a container with GPUs gets one");
	return doctor_ok(d, "there: a container with GPUs gets a copy with the driver's libraries");
}

/* What of the driver was built for a newer glibc than the image has stays outside. */
static struct finding check_fit(struct doctor *d)
{
	uint32_t glibc = d->image.abi.glibc;
	const char *names = "";
	size_t n = 0;

	if (!glibc)
		return doctor_skip(d, "no glibc of a known version");
	for (size_t i = 0; i < d->driver.n_files; i++) {
		const struct gpu_file *f = &d->driver.files[i];

		if (f->glibc_needed <= glibc || !(f->caps & GPU_CAP_DEFAULT))
			continue;
		names = arena_printf(d->a, "%s%s%s", names, n ? ", " : "", path_base(f->src));
		n++;
	}
	if (!n)
		return doctor_ok(d, "the driver's libraries and programs fit");
	return doctor_warn(d, "an image with a newer glibc, if they are needed",
			   "built for a newer glibc than the image's, and left out: %s", names);
}

static struct finding check_own_driver(struct doctor *d)
{
	const struct strv *own = &d->image.abi.drivers;

	if (!own->n)
		return doctor_ok(d, "the image brings none of its own");
	return doctor_warn(d, "remove NVIDIA's driver packages when the image is built",
			   "the image brings %zu of its own (%s%s): the host's are used instead",
			   own->n, own->v[0], own->n > 1 ? ", ..." : "");
}

static const char *cuda_version(const struct doctor *d)
{
	const struct strv *env = &d->image.config.env;

	for (size_t i = 0; i < env->n; i++) {
		const char *v = str_after(env->v[i], "CUDA_VERSION=");

		if (v && *v)
			return v;
	}
	return NULL;
}

static struct finding check_requirement(struct doctor *d)
{
	struct gpu_facts f = { .driver = d->driver.version, .chosen = &d->chosen };
	const char *image = cuda_version(d);
	struct strv warnings = { 0 };
	struct err e = { 0 };

	if (!gpu_cuda_version(f.driver, &f.cuda_major, &f.cuda_minor) && d->driver.libcuda &&
	    gpu_cuda_ask(d->driver.libcuda, &f.cuda_major, &f.cuda_minor, &e) < 0)
		return doctor_error(d, FINDING_WARN, &e);
	if (gpu_require_check(d->a, &d->image.config.env, &f, &warnings, &e) < 0)
		return doctor_error(d, FINDING_FAIL, &e);
	if (warnings.n)
		return doctor_warn(d, NULL, "%s", warnings.v[0]);
	if (!image)
		return doctor_ok(d, "the image says nothing of CUDA; the driver knows %d.%d",
				 f.cuda_major, f.cuda_minor);
	return doctor_ok(d, "the image has %s, the driver knows %d.%d", image, f.cuda_major,
			 f.cuda_minor);
}

static struct finding check_compat(struct doctor *d)
{
	if (!d->image.abi.compat.n)
		return doctor_skip(d, "no files in /usr/local/cuda/compat");
	return doctor_ok(d, "%zu files for older drivers; --cuda-compat says when they are used",
			 d->image.abi.compat.n);
}

static const struct check rows[] = {
	{ "unpacked", NEED_STORE, check_unpacked },
	{ "C library", NEED_IMAGE, check_libc },
	{ "library cache", NEED_IMAGE, check_ld_cache },
	{ "driver libraries", NEED_IMAGE, check_own_driver },
	{ "glibc of the driver", NEED_IMAGE | NEED_DRIVER, check_fit },
	{ "CUDA", NEED_IMAGE | NEED_DRIVER, check_requirement },
	{ "compatibility", NEED_IMAGE | NEED_DRIVER, check_compat },
};
const struct check_layer doctor_layer_image = { "image", rows, ELEMENTS(rows), doctor_with_image };

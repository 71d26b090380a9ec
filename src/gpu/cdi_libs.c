/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdi_libs.c - libraries that CDI files mount are the driver's: they go into our own directory,
 * with their names in the merged ld.so.cache, in the place of the image's directories and of
 * the hook that would run ldconfig there.
 */
#include <elf.h>
#include <errno.h>

#include <gpurun/elf.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "cdi.h"
#include "driver_scan.h"
#include "driver_tables.h"
#include "look.h"
#include "nvidia.h"

#define LIBCUDA "libcuda.so."
#define LIBML   "libnvidia-ml.so."

bool cdi_is_library_place(const struct cdi_merger *m, const char *path)
{
	const char *dir = path_dir(m->a, path);

	if (strv_has(&m->folders, dir))
		return true;
	for (size_t i = 0; !m->folders.n && i < driver_n_places; i++)
		if (str_eq(driver_places[i].dir, dir))
			return true;
	return false;
}

/* "libx.so", "libx.so.1" */
static bool is_library_name(const char *name)
{
	const char *so = strstr(name, ".so");

	return so && (so[3] == '\0' || so[3] == '.');
}

/* The two libraries that say of which driver all of them are. */
static void note_driver(struct gpu_driver *d, const struct gpu_file *f)
{
	const char *cuda = str_after(f->dst, LIBCUDA), *ml = str_after(f->dst, LIBML);

	if (f->bits != 64)
		return;
	if (cuda && driver_is_version(cuda) && !d->libcuda)
		d->libcuda = f->src;
	if (ml && driver_is_version(ml) && !d->libnvidia_ml)
		d->libnvidia_ml = f->src;
	if (!d->version && cuda && driver_is_version(cuda))
		d->version = cuda;
}

bool cdi_take_library(struct cdi_merger *m, const struct cdi_mount *mount, const char *host)
{
	struct gpu_file f = {
		.kind = GPU_FILE_LIB,
		.caps = GPU_CAP_ALL,
		.src = host,
		.dst = path_base(mount->path),
	};
	struct gpu_driver *d = m->driver;
	struct elf_info elf = { 0 };
	_cleanup_fd_ int fd = -1;

	if (!is_library_name(f.dst) || !cdi_is_library_place(m, mount->path))
		return false;
	fd = root_open(m->root->fd, mount->host, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0 || elf_read(m->a, fd, &elf) < 0 || elf.machine != driver_machine(elf.bits))
		return false;
	if (driver_library(d, elf.bits, f.dst) || driver_library(d, elf.bits, elf.soname))
		return true; /* the native one stays, or that of a folder named before */
	f.bits = elf.bits;
	f.glibc_needed = elf.glibc_needed;
	driver_add_link(m->a, &f, elf.soname);
	note_driver(d, &f);
	VEC_PUSH(m->a, d->files, d->n_files, d->cap_files, f);
	return true;
}

int cdi_check_version(struct cdi_merger *m, const struct cdi_edits *ed, struct err *e)
{
	char *text = gpu_read(m->a, m->root, NVIDIA_PROC "/version");
	const char *module = text ? nvidia_version_parse(m->a, text) : NULL;

	for (size_t i = 0; module && i < ed->n_mounts; i++) {
		const char *libs = str_after(path_base(ed->mounts[i].path), LIBCUDA);

		if (!libs || !driver_is_version(libs) || str_eq(libs, module))
			continue;
		err_set(e, ENOENT, "%s: %s is of driver %s, the kernel module is of %s",
			m->found->name, m->found->spec->file, libs, module);
		return cdi_stale(m, e, -ENOENT);
	}
	return 0;
}

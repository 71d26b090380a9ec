/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdi.h - the parts of cdi_look(); private to src/gpu/.
 *
 *	cdi_find()	the files, and in them the devices of these names
 *	cdi_merge()	what they bring, into a sight
 */
#ifndef GPURUN_GPU_CDI_H
#define GPURUN_GPU_CDI_H

#include <gpurun/driver.h>

#include "cdi_spec.h"

/* One of the devices that were asked for, in that order. */
struct cdi_found {
	const char *name; /* "nvidia.com/gpu=0" */
	const struct cdi_spec *spec;
	const struct cdi_device *device;
};
struct cdi_founds {
	struct cdi_found *v;
	size_t n, cap;
};

/**
 * cdi_find - look the @names up in the CDI directories below @root
 * @home: the caller's, or NULL
 * Errors: a name that is not there (with those that are, and the files that are not accepted), or
 * there twice
 */
int cdi_find(struct arena *a, const struct sysroot *root, const char *home,
	     const struct strv *names, struct cdi_founds *ret, struct err *e);

/**
 * struct cdi_merger - what the devices bring, while it is gathered
 * @found:   the device whose edits these are, for messages
 * @folders: inside, with libraries, as the hooks of the file say; none: the usual ones
 * @driver:  the libraries, those of gpu_look() among them; becomes sight->driver
 * @mounts:  all but libraries
 */
struct cdi_merger {
	struct arena *a;
	const struct sysroot *root;
	const struct gpu_options *o;
	struct gpu_sight *sight;
	struct strv *warn;
	const struct cdi_found *found;
	struct strv folders;
	struct gpu_driver *driver;
	struct cdi_binds {
		struct cdi_bind {
			struct op op;
			bool directory;
			size_t order;
		} * v;
		size_t n, cap;
	} binds;
	const char *why;  /* "CDI nvidia.com/gpu=0" */
	const char *host; /* the root's path on the host, "" for the real one */
};

/** cdi_merge - add what the devices bring to @sight, hooks as what they stand for */
int cdi_merge(struct arena *a, const struct sysroot *root, const struct gpu_options *o,
	      const struct cdi_founds *found, struct gpu_sight *sight, struct strv *warn,
	      struct err *e);

/* cdi_libs.c: libraries go where the driver's go, and are found as those are */
/** cdi_is_library_place - is @path inside a place for libraries? */
bool cdi_is_library_place(const struct cdi_merger *m, const char *path);
/** cdi_take_library - the source of @mount, @host, as a library; false: it is none */
bool cdi_take_library(struct cdi_merger *m, const struct cdi_mount *mount, const char *host);
/** cdi_check_version - is the driver of these mounts that of the kernel module? */
int cdi_check_version(struct cdi_merger *m, const struct cdi_edits *ed, struct err *e);

/* cdi_hooks.c */
/** cdi_hook_folders - the folders that NVIDIA's hooks of @ed would have the linker look into */
void cdi_hook_folders(struct cdi_merger *m, const struct cdi_edits *ed);
/** cdi_merge_hooks - the effect of the hooks, without them; those of others are refused */
int cdi_merge_hooks(struct cdi_merger *m, const struct cdi_edits *ed, struct err *e);

/** cdi_stale - the hint for a file that does not fit to the machine any more; returns @r */
int cdi_stale(const struct cdi_merger *m, struct err *e, int r);

#endif

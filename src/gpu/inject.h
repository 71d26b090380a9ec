/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject.h - the parts of gpu_edits(), all of them pure; private to src/gpu/.
 */
#ifndef GPURUN_GPU_INJECT_H
#define GPURUN_GPU_INJECT_H

#include <gpurun/driver.h>
#include <gpurun/image.h>

/**
 * struct injector - what the parts share
 * @why: of what belongs to no single GPU: "nvidia driver 550.163.01 (--gpus 0)"
 */
struct injector {
	struct arena *a;
	const struct gpu_choices *chosen;
	const struct gpu_sight *sight;
	const struct gpu_options *o;
	const struct gpu_target *t;
	const char *why;
	struct strv *warn;
	struct edits ed;
};

/* inject.c: one operation, into the root's own directories or elsewhere */
void inject_file(struct injector *in, struct op op);
void inject_op(struct injector *in, struct op op);

/** inject_why - for whom a part of this GPU is there: of this rank, or of others of the step */
const char *inject_why(struct injector *in, const struct gpu_choice *c);

/* inject_libs.c: the driver's libraries, and how the image's dynamic linker finds them */
void inject_libs(struct injector *in);
/* inject_files.c: its programs, data files and sockets */
void inject_files(struct injector *in);
/* inject_proc.c: /proc/driver/nvidia with the chosen GPUs only */
void inject_proc(struct injector *in);

/**
 * inject_fits - can the image's dynamic linker load @f?
 * No: of another libc, of another size, or built for a newer glibc than the image's.
 */
bool inject_fits(const struct injector *in, const struct gpu_file *f);

/* Forward compatibility, compat.c: the libcuda that the image brings for older drivers. */
/** compat_version - "575.57.08" of the one libcuda.so.X.Y among the names, or NULL */
const char *compat_version(struct arena *a, const struct strv *files);

/** compat_note_lists - is the branch @major in the list "driver" of the note? */
bool compat_note_lists(const char *note, unsigned int major);

/**
 * compat_applies - shall the image's libcuda be used in the place of the host's?
 * @driver: version of the host's
 */
bool compat_applies(struct arena *a, enum gpu_compat mode, const struct image_abi *abi,
		    const char *driver, const struct gpu_choices *chosen);

/** compat_soname - the name under which programs look for the file @name, or NULL */
const char *compat_soname(const char *name);

#endif

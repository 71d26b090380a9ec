/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.h - what "gpurun run" knows between the question and the plan.
 */
#ifndef GPURUN_CLI_LAUNCH_H
#define GPURUN_CLI_LAUNCH_H

#include <gpurun/driver.h>
#include <gpurun/host.h>
#include <gpurun/image.h>
#include <gpurun/plan.h>

#include "cmd.h"

/**
 * struct launch - the parts of a plan_input, and what has to be given back at the end
 * Descriptors are -1 when they are not held.
 */
struct launch {
	const struct cmd_in *in;
	struct arena *a;
	const struct request *q;
	struct sysroot root;
	struct host host;
	struct gpu_sel sel;
	struct gpu_choices chosen;
	struct gpu_options gpu_options;
	struct gpu_driver driver;
	struct gpu_sight sight;
	struct strv cdi; /* names, of --gpus and --device */
	struct edits gpu;
	struct strv gpu_names;
	struct image_ref ref;
	struct store *store;
	struct image image;
	int image_lock;
	struct plan_seccomp seccomp;
	const char *keep_dir;
	int keep_lock;
	const char *scratch_dir;
	int scratch_lock;
	struct strv top_entries;
	struct state state;
	int state_fd;
	struct strv said; /* notes and warnings that were printed: a second plan repeats none */
};

/* The stages, in their order; each speaks. */
int launch_look(struct launch *l, struct err *e);        /* the host */
int launch_choose_gpus(struct launch *l, struct err *e); /* and what comes with them */
int launch_get_image(struct launch *l, struct err *e);   /* form by host.overlay; may be repeated */
int launch_make_places(struct launch *l, struct err *e); /* --keep, --scratch; may be repeated */
int launch_fit_gpus(struct launch *l, struct err *e);    /* is the image's CUDA too new? */
int launch_inject_gpus(struct launch *l, struct err *e); /* l->gpu; may be repeated */
int launch_choose_seccomp(struct launch *l, struct err *e);

/** launch_was_said - remember @text; was it said before? (a second plan repeats nothing) */
bool launch_was_said(struct launch *l, const char *text);

/** launch_missing_word - for the hint "-C": see hint.c; NULL when there is none */
const char *launch_missing_word(const struct launch *l);

/** launch_end - give everything back */
void launch_end(struct launch *l);

/** seccomp_choose - "default", "root", ..., "unconfined" or a file's absolute path */
int seccomp_choose(struct arena *a, const char *name, struct plan_seccomp *ret, struct err *e);

#endif

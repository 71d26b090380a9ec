/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.h - what "gpurun run" knows between the question and the plan.
 */
#ifndef GPURUN_CLI_LAUNCH_H
#define GPURUN_CLI_LAUNCH_H

#include <gpurun/audit.h>
#include <gpurun/driver.h>
#include <gpurun/host.h>
#include <gpurun/image.h>
#include <gpurun/job.h>
#include <gpurun/oci.h>
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
	const struct oci_bundle *bundle; /* of oci-run; NULL: an image is started */
	const char *const *environ;      /* in which the host is looked at */
	struct sysroot root;
	struct host host;
	struct gpu_sel sel;
	struct gpu_choices chosen;
	struct gpu_choices held; /* what the container holds: of all ranks, where they share it */
	const char *gpu_list;    /* which of them are ours, or NULL: as they are counted */
	struct gpu_options gpu_options;
	struct gpu_driver driver;
	struct gpu_sight sight;
	struct strv cdi;           /* names, of --gpus and --device */
	struct device_rule *nodes; /* of each --device that is a path */
	struct edits gpu, job;
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
	bool scratch_refused; /* TMPDIR is no place for an overlay */
	struct strv top_entries;
	struct state_home home;
	struct state state;
	int state_fd;
	struct arena *plan_arena; /* of the last plan; lives until the end is recorded */
	struct strv said; /* notes and warnings that were printed: a second plan repeats none */
	bool share;       /* one container for all ranks of the step */
	bool mute;        /* another rank of the node says what holds for all */
	struct audit *audit;
	struct audit_facts facts;
	const struct gpu_set *energy; /* what NVML said at the start, or NULL */
	bool audited;                 /* the start is recorded, the end is owed */
	bool inside;                  /* host paths do not lead to the host any more */
	int signal;                   /* that the command of a step died of, 0: none */
};

/**
 * launch_seal - where Landlock will not keep a command from the file of this program
 * May start the process anew: before anything is done, and anything said.
 */
void launch_seal(const struct cmd_in *in);

/**
 * launch_run - all of "gpurun run", from the look at the host to the report
 * @bundle: what oci-run starts in the place of an image, or NULL
 * @env:    in which the host is looked at
 */
int launch_run(const struct cmd_in *in, const struct oci_bundle *bundle, const char *const *env,
	       int *ret_status, struct err *e);

/* The stages, in their order; each speaks. */
int launch_look(struct launch *l, struct err *e);        /* the host */
int launch_look_job(struct launch *l, struct err *e);    /* what a job needs inside */
int launch_choose_gpus(struct launch *l, struct err *e); /* and what comes with them */
int launch_get_image(struct launch *l, struct err *e);   /* form by host.overlay; may be repeated */
int launch_take_bundle(struct launch *l, struct err *e); /* instead of an image, for oci-run */
int launch_make_places(struct launch *l, struct err *e); /* --keep, --scratch; may be repeated */
int launch_fit_gpus(struct launch *l, struct err *e);    /* is the image's CUDA too new? */
int launch_inject_gpus(struct launch *l, struct err *e); /* l->gpu; may be repeated */
int launch_choose_seccomp(struct launch *l, struct err *e);

/** launch_step - run the command as a rank of a step; see run_step() for what it returns */
int launch_step(struct launch *l, const struct plan *p, int *ret_status, struct err *e);

/** launch_audit_open - open what --audit names, before an image is unpacked for nothing */
int launch_audit_open(struct launch *l, struct err *e);

/** launch_audit_look - what has to be known before the start for the line at the end */
void launch_audit_look(struct launch *l);

/** launch_audit_start - the line of --audit, once; nothing without the option */
int launch_audit_start(struct launch *l, const struct plan *p, const char *container,
		       struct err *e);

/** launch_audit_end - the line at the end, when there was one at the start */
void launch_audit_end(struct launch *l, int status);

/** launch_was_said - remember @text; was it said before? (a second plan repeats nothing) */
bool launch_was_said(struct launch *l, const char *text);

/** launch_missing_word - for the hint "-C": see hint.c; NULL when there is none */
const char *launch_missing_word(const struct launch *l);

/**
 * launch_drop_scratch - the overlay was refused on the job's disk: try without
 * Return: false when there was no such disk.
 */
bool launch_drop_scratch(struct launch *l);

/** launch_end - give everything back */
void launch_end(struct launch *l);

/** seccomp_digest - of what was compiled, whatever becomes of the file */
const char *seccomp_digest(struct arena *a, const struct plan_seccomp *p);

/** seccomp_choose - "default", "root", ..., "unconfined" or a file's absolute path */
int seccomp_choose(struct arena *a, const char *name, struct plan_seccomp *ret, struct err *e);

#endif

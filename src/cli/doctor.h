/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.h - "gpurun doctor": checks, layer by layer.  A check is a row of a layer's table; it
 * looks at what was gathered in struct doctor and says one line, with the remedy.
 */
#ifndef GPURUN_CLI_DOCTOR_H
#define GPURUN_CLI_DOCTOR_H

#include <gpurun/driver.h>
#include <gpurun/host.h>
#include <gpurun/image.h>

#include "allotment.h"
#include "cmd.h"

enum finding_status { FINDING_OK, FINDING_WARN, FINDING_FAIL, FINDING_SKIP, FINDING_STATUSES };

/**
 * struct finding - what one check found
 * @why: one line
 * @fix: the command or the sentence that helps, or NULL
 */
struct finding {
	enum finding_status status;
	const char *why, *fix;
};

struct doctor;

/* What a check is about; where that is not there, it is skipped (cmd_doctor.c, needs[]). */
enum {
	NEED_GPU = 1 << 0,
	NEED_MODULE = 1 << 1, /* the NVIDIA kernel module */
	NEED_DRIVER = 1 << 2, /* its libraries */
	NEED_STORE = 1 << 3,
	NEED_IMAGE = 1 << 4,
	NEED_CHOICE = 1 << 5, /* a GPU that "gpurun run" would take */
	NEED_START = 1 << 6,  /* the probe was started in the container */
};

struct check {
	const char *name;
	unsigned int needs;
	struct finding (*run)(struct doctor *d);
};

struct check_layer {
	const char *name;
	const struct check *rows;
	size_t n;
	/* only where there is one; NULL: always */
	bool (*there)(const struct doctor *d);
};

extern const struct check_layer doctor_layer_host, doctor_layer_gpu, doctor_layer_job,
	doctor_layer_image, doctor_layer_container;

/* ---- doctor_trial.c: what the kernel lets us do, found out by doing it --------------------- */

enum trial {
	TRIAL_NAMESPACES, /* clone3 with those that a container has */
	TRIAL_IDS,        /* one id mapped */
	TRIAL_MOUNT,      /* mounts of our own */
	TRIAL_TMPFS,
	TRIAL_PROC, /* a fresh /proc */
	TRIALS,
};

/* Of each trial: 0 it works, an errno value, or TRIAL_NOT_REACHED. */
#define TRIAL_NOT_REACHED (-1)
struct trials {
	int error[TRIALS];
};

/** doctor_try - make namespaces in a child and use them; nothing is left of it */
void doctor_try(const char *mount_point, struct trials *ret);

/* ---- doctor_probe.c: CUDA in the container --------------------------------------------------- */

#define PROBE_NODES_MAX   64
#define PROBE_DEVICES_MAX 64

/* One CUDA device; results are CUresult values, -1: not reached. */
struct probe_device {
	const char *pci, *name;
	int alloc, kernel;
	const char *alloc_text, *kernel_text;
};

/**
 * struct probe - what the probe printed
 * @started: a container was made and came to the point where the probe is executed
 * @ran: libcuda was loaded, and it ran
 * @status: of "gpurun run", -1: it did not end in time
 * @error: its message, @hint: and hint; @warning: the first one; or NULL
 * @linker: what the container's dynamic linker said, or NULL
 * @layers: what keeps its command in: "NAME: on: TEXT" (plan_layers)
 */
struct probe {
	bool started, ran;
	int status;
	const char *error, *hint, *warning, *warning_hint, *linker;
	struct {
		const char *path;
		int error;
	} nodes[PROBE_NODES_MAX];
	size_t n_nodes;
	struct strv libraries, layers;
	int driver; /* 12040 is CUDA 12.4; 0: unknown */
	int init;   /* CUresult of cuInit, -1: not reached */
	const char *init_text;
	int count; /* of devices, -1: not reached */
	struct probe_device devices[PROBE_DEVICES_MAX];
	size_t n_devices;
};

/** doctor_probe - run the probe in a container as "gpurun run" would start a command */
void doctor_probe(struct doctor *d, struct probe *ret);

/** probe_parse - the probe's lines (of any length and content) into @ret (pure) */
void probe_parse(struct arena *a, const char *text, struct probe *ret);

/* ---- cmd_doctor.c --------------------------------------------------------------------------- */

/**
 * struct doctor - what was gathered; a struct err is set where that failed
 */
struct doctor {
	const struct cmd_in *in;
	struct arena *a;
	const struct request *q;
	struct sysroot root;
	struct host host;
	struct allotment job; /* host.gpus are the job's, job.all those of the machine */
	struct err job_failed;
	const char *state_dir;
	struct err state_failed;
	struct trials trials;
	struct store *store;
	struct err store_failed;
	struct gpu_driver driver;
	struct err driver_failed;
	struct gpu_sel sel;
	struct err nvml_failed;
	/* with an IMAGE */
	struct gpu_choices chosen;
	struct err choice_failed;
	struct image image;
	struct err image_failed;
	struct probe probe;
};

/** doctor_has - is there anything at @path on the host? */
bool doctor_has(const struct doctor *d, const char *path);
/** doctor_line - the first line of a small file of the host, or NULL */
const char *doctor_line(const struct doctor *d, const char *path);

/** doctor_with_image - was an IMAGE named? */
bool doctor_with_image(const struct doctor *d);

/** doctor_found - a finding; @fix may be NULL */
struct finding doctor_found(const struct doctor *d, enum finding_status status, const char *fix,
			    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
#define doctor_ok(d, ...)        doctor_found(d, FINDING_OK, NULL, __VA_ARGS__)
#define doctor_skip(d, ...)      doctor_found(d, FINDING_SKIP, NULL, __VA_ARGS__)
#define doctor_warn(d, fix, ...) doctor_found(d, FINDING_WARN, fix, __VA_ARGS__)
#define doctor_fail(d, fix, ...) doctor_found(d, FINDING_FAIL, fix, __VA_ARGS__)

/** doctor_error - a failure record as a finding */
struct finding doctor_error(const struct doctor *d, enum finding_status status,
			    const struct err *e);

/** doctor_no_gpu - is there none on this machine? Then what is asked about them is skipped. */
bool doctor_no_gpu(const struct doctor *d);

#endif

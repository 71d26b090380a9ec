/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h - one line of JSON when a container starts, and one when it ends, for those who account
 * for the GPUs of a machine.  Written by the user's own process: a record, not a proof.
 */
#ifndef GPURUN_AUDIT_H
#define GPURUN_AUDIT_H

#include <sys/resource.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>
#include <gpurun/gpu.h>
#include <gpurun/host.h>
#include <gpurun/image.h>
#include <gpurun/plan.h>

struct audit;

/**
 * audit_open - open the target while the host's paths still mean what they say
 * @target: an absolute path (appended to, 0600 when made; one write a line), "journal", "syslog"
 *	    or "fd:N" (inherited; close-on-exec from now on, unless it is a standard one)
 * What is opened stays so until the process ends or executes the command.
 * Errors: what cannot be opened; a start that is to be recorded and cannot be is refused.
 */
int audit_open(struct arena *a, const char *target, struct audit **ret, struct err *e);

/* What both lines tell of. */
struct audit_facts {
	const struct host *host;
	const struct image *image;
	const struct plan *plan;        /* audit_end() does not look at it */
	const struct gpu_choices *gpus; /* of this process, not of the step */
	const char *driver_version;     /* or NULL */
	const char *gpu_source;         /* text of --gpus, or "auto" */
	const char *mode;               /* "own", or "share": that of a step */
	const char *container;          /* id or share key */
};

/** audit_start - the line at the start; a child of ours that ends later counts to the command */
int audit_start(struct audit *w, const struct audit_facts *f, struct err *e);

/**
 * struct audit_result - how it ended
 * @status, @signal: exit status; signal that it died of, or 0
 * @usage: RUSAGE_CHILDREN; what they had used before audit_start() is taken off
 * @before, @after: with what NVML said then (gpu_nvml_look()), for energy and memory; or NULL
 */
struct audit_result {
	int status, signal;
	struct rusage usage;
	const struct gpu_set *before, *after;
};

/** audit_end - the line at the end */
int audit_end(struct audit *w, const struct audit_facts *f, const struct audit_result *r,
	      struct err *e);

#endif

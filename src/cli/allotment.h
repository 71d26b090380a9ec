/* SPDX-License-Identifier: Apache-2.0 */
/*
 * allotment.h - the GPUs of the job, for run, gpus and doctor, which must not differ in this.
 */
#ifndef GPURUN_CLI_ALLOTMENT_H
#define GPURUN_CLI_ALLOTMENT_H

#include <gpurun/allot.h>
#include <gpurun/host.h>

/**
 * struct allotment - what a job means for its GPUs
 * @visible: what the host's environment says
 * @all:     the GPUs of the machine, as they were before host.gpus became the job's
 * @note:    to be said where GPUs are used, or NULL
 */
struct allotment {
	struct gpu_visible visible;
	struct gpu_set all;
	const char *note;
};

/** allotment_visible - what the host's environment says of GPUs */
struct gpu_visible allotment_visible(const struct host *h);

/** allotment_make - leave in @h->gpus what is the job's; see gpu_allot() for the errors */
int allotment_make(struct arena *a, struct host *h, struct allotment *ret, struct err *e);

/**
 * allotment_describe - what this task may use and who says so, one line; NULL outside of jobs
 * @h: after allotment_make()
 */
const char *allotment_describe(struct arena *a, const struct host *h);

/** allotment_usable - GPUs of the set that can be used */
size_t allotment_usable(const struct gpu_set *set);

#endif

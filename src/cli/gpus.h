/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpus.h - the answer of "gpurun gpus": what was found, and its two forms.
 */
#ifndef GPURUN_CLI_GPUS_H
#define GPURUN_CLI_GPUS_H

#include "allotment.h"
#include "answer.h"

/**
 * struct gpus - the GPUs of this host
 * @set:       host->gpus, those of the job
 * @automatic: what --gpus auto takes
 * @nvml:      NVML answered
 */
struct gpus {
	const struct host *host;
	const struct gpu_set *set;
	struct allotment job;
	struct gpu_choices automatic;
	bool nvml;
};

/** gpus_is_automatic - would --gpus auto take it?  @m NULL: the GPU or any part of it */
bool gpus_is_automatic(const struct gpus *v, const struct gpu *g, const struct gpu_mig *m);

/** gpus_user - the name of the user whose process @pid is, or NULL */
const char *gpus_user(struct arena *a, pid_t pid);

void gpus_table(struct answer *w, const struct gpus *v);
void gpus_json(struct answer *w, const struct gpus *v);

#endif

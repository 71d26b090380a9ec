/* SPDX-License-Identifier: Apache-2.0 */
/*
 * allot.h - in a job: which GPUs are ours, which a shared container holds, and how they are
 * numbered there.  All pure.
 */
#ifndef GPURUN_ALLOT_H
#define GPURUN_ALLOT_H

#include <gpurun/arena.h>
#include <gpurun/err.h>
#include <gpurun/gpu.h>

/**
 * gpu_allot - what the job was not given is denied, also where the site filters nothing (pure)
 * With a device filter (a node that answers EPERM) the filter is the truth and nothing is done.
 * Without one CUDA_VISIBLE_DEVICES says it, in the numbers of the whole machine; the GPUs that
 * stay are numbered anew.  Outside of jobs nothing is done.
 * @ret_note: to be said, or NULL
 */
int gpu_allot(struct arena *a, struct gpu_set *set, const struct gpu_visible *visible,
	      const char **ret_note, struct err *e);

/**
 * gpu_step_union - the GPUs that the shared container of a step holds (pure)
 * Those of this task where they are all that the job has on the node, else every GPU whose node
 * is there: which of them a rank opens is the job's filter's to say.
 * @all: the set before gpu_allot()
 */
int gpu_step_union(struct arena *a, const struct gpu_set *all, const struct gpu_set *ours,
		   const struct gpu_visible *visible, struct gpu_choices *ret);

/**
 * gpu_list_inside - CUDA_VISIBLE_DEVICES of a rank in a container that holds @held (pure)
 * The positions of @chosen among those of @held that this task can open; the order, and UUIDs, of
 * the caller's own list stay.  NULL: the variable need not be set.
 */
const char *gpu_list_inside(struct arena *a, const struct gpu_choices *chosen,
			    const struct gpu_choices *held, const struct gpu_visible *visible);

/**
 * gpu_step_warning - per-task binding that breaks peer-to-peer: the text of one warning, or NULL
 * (pure); to be said by one rank of the node
 */
const char *gpu_step_warning(struct arena *a, const struct gpu_set *ours,
			     const struct gpu_visible *visible);

#endif

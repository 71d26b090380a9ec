/* SPDX-License-Identifier: Apache-2.0 */
/*
 * allot.h - in a job: which GPUs are ours, which a shared container holds, and how they are
 * numbered there.  All pure.
 *
 *	gpu_allot()		right after probing: everything else sees the job's GPUs only
 *	gpu_step_union()	what one container for all ranks of the step has to hold
 *	gpu_list_inside()	which of them are this rank's
 */
#ifndef GPURUN_ALLOT_H
#define GPURUN_ALLOT_H

#include <gpurun/arena.h>
#include <gpurun/err.h>
#include <gpurun/gpu.h>

/**
 * gpu_allot_needs_nvml - does CUDA_VISIBLE_DEVICES decide, and name what only NVML knows? (pure)
 */
bool gpu_allot_needs_nvml(const struct gpu_set *set, const struct gpu_visible *visible);

/**
 * gpu_allot - what the job was not given is denied, also where the site filters nothing (pure)
 * With a device filter (a node that answers EPERM) the filter is the truth and nothing is done:
 * all that opens is ours, and a list that is shorter only picks (gpu_list_inside).
 * Without one CUDA_VISIBLE_DEVICES says it, in the numbers of the whole machine; the GPUs that
 * stay are numbered anew.  A Slurm job without the variable was given none: nothing, not even a
 * UUID, reaches a GPU, until the user says himself which are his by setting the variable (a site
 * whose Slurm does not manage GPUs).  Outside of jobs nothing is done; nor the second time.
 * A job that has all GPUs of a machine looks as if there were no filter, and means the same.
 * @ret_note: to be said where GPUs are used, or NULL
 * Errors: -ENODEV: what the list names is known to NVML only, which did not answer
 */
int gpu_allot(struct arena *a, struct gpu_set *set, const struct gpu_visible *visible,
	      const char **ret_note, struct err *e);

/** gpu_set_copy - with GPUs of its own: what gpu_allot() does to one, it does not do to the other */
struct gpu_set gpu_set_copy(struct arena *a, const struct gpu_set *set);

/**
 * gpu_step_union - the GPUs that the shared container of a step holds (pure)
 * Those of this task where they are all that the job has on the node, else every GPU whose node
 * is there: which of them a rank opens is the job's filter's to say.
 * @all: the set before gpu_allot()
 * @ret: copies.  What a rank cannot open has no index, and no MIG device is denied whose nodes
 *	 are there: they can be bound all the same, which asks no device cgroup.
 */
int gpu_step_union(struct arena *a, const struct gpu_set *all, const struct gpu_set *ours,
		   const struct gpu_visible *visible, struct gpu_choices *ret);

/**
 * gpu_list_inside - CUDA_VISIBLE_DEVICES of a rank in a container that holds @held (pure)
 * The positions of @chosen among those of @held that this task can open; the order, and UUIDs, of
 * the caller's own list stay.  NULL: the variable need not be set.
 * @visible: with devices NULL where the choice was made without the list (--gpus 0)
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

/* SPDX-License-Identifier: Apache-2.0 */
/* allotment.c - from the snapshot of the host to the GPUs of the job. */
#include <gpurun/str.h>

#include "allotment.h"

struct gpu_visible allotment_visible(const struct host *h)
{
	return (struct gpu_visible){
		.devices = host_getenv(h, "CUDA_VISIBLE_DEVICES"),
		.order = host_getenv(h, "CUDA_DEVICE_ORDER"),
		.job = h->job.kind != JOB_NONE,
		.slurm = h->job.kind != JOB_NONE && h->job.id,
		.node_gpus = h->job.node_gpus,
		.local_size = h->job.local_size,
	};
}

int allotment_make(struct arena *a, struct host *h, struct allotment *ret, struct err *e)
{
	*ret = (struct allotment){
		.visible = allotment_visible(h),
		.all = gpu_set_copy(a, &h->gpus),
	};
	return gpu_allot(a, &h->gpus, &ret->visible, &ret->note, e);
}

size_t allotment_usable(const struct gpu_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += !set->v[i].denied;
	return n;
}

/* "rank 1 of step 7.0", "job 7" */
static const char *who(struct arena *a, const struct host_job *j)
{
	if (j->kind == JOB_STEP && j->rank >= 0)
		return arena_printf(a, "rank %d of step %s", j->rank, j->step);
	if (j->kind == JOB_STEP)
		return arena_printf(a, "step %s", j->step);
	return arena_printf(a, "job %s", j->id);
}

const char *allotment_describe(struct arena *a, const struct host *h)
{
	static const char *const reasons[] = {
		[GPU_ALLOTTED_ALL] = "nothing keeps it from a GPU of this machine",
		[GPU_ALLOTTED_FILTER] = "a device cgroup denies it the others",
		[GPU_ALLOTTED_LIST] = "CUDA_VISIBLE_DEVICES says which, no device cgroup does",
		[GPU_ALLOTTED_NONE] = "CUDA_VISIBLE_DEVICES is not set, and no device cgroup tells",
	};
	size_t usable = allotment_usable(&h->gpus);
	const char *of = "";

	if (h->job.kind == JOB_NONE)
		return NULL;
	if (h->job.node_gpus >= 0)
		of = arena_printf(a, " of the %d that the job has on this node", h->job.node_gpus);
	return arena_printf(a, "%s may use %zu GPU%s%s: %s", who(a, &h->job), usable,
			    usable == 1 ? "" : "s", of, reasons[h->gpus.allotted]);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* allotment.c - from the snapshot of the host to the GPUs of the job. */
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

const char *allotment_text(const struct host *h)
{
	static const char *const texts[] = {
		[GPU_ALLOTTED_ALL] = "nothing keeps it from a GPU of this machine",
		[GPU_ALLOTTED_FILTER] = "a device cgroup denies it the others",
		[GPU_ALLOTTED_LIST] = "CUDA_VISIBLE_DEVICES says which, no device cgroup does",
		[GPU_ALLOTTED_NONE] = "CUDA_VISIBLE_DEVICES is not set, no device cgroup is there",
	};

	return h->job.kind == JOB_NONE ? NULL : texts[h->gpus.allotted];
}

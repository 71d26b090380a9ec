/* SPDX-License-Identifier: Apache-2.0 */
/* allot.c - in a job: which GPUs are ours. */
#include <gpurun/allot.h>

int gpu_allot(struct arena *a, struct gpu_set *set, const struct gpu_visible *visible,
	      const char **ret_note, struct err *e)
{
	(void)a, (void)set, (void)visible, (void)e;
	*ret_note = NULL;
	return 0;
}

int gpu_step_union(struct arena *a, const struct gpu_set *all, const struct gpu_set *ours,
		   const struct gpu_visible *visible, struct gpu_choices *ret)
{
	(void)a, (void)all, (void)ours, (void)visible, (void)ret;
	return 0;
}

const char *gpu_list_inside(struct arena *a, const struct gpu_choices *chosen,
			    const struct gpu_choices *held, const struct gpu_visible *visible)
{
	(void)a, (void)chosen, (void)held, (void)visible;
	return NULL;
}

const char *gpu_step_warning(struct arena *a, const struct gpu_set *ours,
			     const struct gpu_visible *visible)
{
	(void)a, (void)ours, (void)visible;
	return NULL;
}

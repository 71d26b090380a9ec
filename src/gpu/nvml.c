/* SPDX-License-Identifier: Apache-2.0 */
/* What only NVML tells, asked in a forked, limited child. */
#include <errno.h>

#include <gpurun/gpu.h>

int gpu_nvml_look(struct arena *a, const char *libnvidia_ml, struct gpu_set *set, struct err *e)
{
	(void)a;
	(void)set;
	return err_set(e, ENOTSUP, "%s: not asked", libnvidia_ml);
}

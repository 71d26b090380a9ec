/* SPDX-License-Identifier: Apache-2.0 */
/* The image's NVIDIA_REQUIRE_* against the driver (pure). */
#include <gpurun/driver.h>

bool gpu_require_needs_nvml(struct arena *a, const struct strv *env)
{
	(void)a;
	(void)env;
	return false;
}

int gpu_require_check(struct arena *a, const struct strv *env, const struct gpu_facts *f,
		      struct strv *ret_warn, struct err *e)
{
	(void)a;
	(void)env;
	(void)f;
	(void)ret_warn;
	(void)e;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA version of a driver. */
#include <gpurun/driver.h>

bool gpu_cuda_version(const char *driver, int *ret_major, int *ret_minor)
{
	(void)driver;
	*ret_major = *ret_minor = 0;
	return false;
}

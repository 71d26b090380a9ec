/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA version of a driver. */
#include <errno.h>

#include <gpurun/driver.h>

bool gpu_cuda_version(const char *driver, int *ret_major, int *ret_minor)
{
	(void)driver;
	*ret_major = *ret_minor = 0;
	return false;
}

int gpu_cuda_ask(const char *libcuda, int *ret_major, int *ret_minor, struct err *e)
{
	*ret_major = *ret_minor = 0;
	return err_set(e, ENOTSUP, "%s: not asked", libcuda);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-cuda.c - a libcuda.so.1 that computes without a GPU, as far as doctor's probe asks: it has
 * a device for each /dev/nvidiaN that is there.  Defined when it is compiled:
 *	FAKE_INIT   what cuInit says (0)
 *	FAKE_ALLOC  what cuMemAlloc_v2 says (0)
 *	FAKE_ADDEND what is added too much (0)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef FAKE_INIT
#define FAKE_INIT 0
#endif
#ifndef FAKE_ALLOC
#define FAKE_ALLOC 0
#endif
#ifndef FAKE_ADDEND
#define FAKE_ADDEND 0
#endif

#define API __attribute__((visibility("default"))) int

static int count_nodes(void)
{
	int n = 0;

	for (int i = 0; i < 64; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/dev/nvidia%d", i);
		n += access(path, F_OK) == 0;
	}
	return n;
}

API cuDriverGetVersion(int *version)
{
	*version = 12040;
	return 0;
}

API cuInit(unsigned int flags)
{
	(void)flags;
	return FAKE_INIT;
}

API cuGetErrorName(int error, const char **name)
{
	*name = error == 100 ? "CUDA_ERROR_NO_DEVICE"
		: error == 2 ? "CUDA_ERROR_OUT_OF_MEMORY"
			     : "CUDA_ERROR_FAKE";
	return 0;
}

API cuDeviceGetCount(int *count)
{
	*count = count_nodes();
	return 0;
}

API cuDeviceGet(int *device, int ordinal)
{
	*device = ordinal;
	return 0;
}

API cuDeviceGetName(char *name, int size, int device)
{
	(void)snprintf(name, (size_t)size, "Fake GPU %d", device);
	return 0;
}

API cuDeviceGetPCIBusId(char *id, int size, int device)
{
	(void)snprintf(id, (size_t)size, "0000:%02x:00.0", 0x3b + device);
	return 0;
}

API cuDevicePrimaryCtxRetain(void **context, int device)
{
	(void)device;
	*context = context;
	return 0;
}

API cuCtxSetCurrent(void *context)
{
	(void)context;
	return 0;
}

API cuMemAlloc_v2(unsigned long long *memory, size_t size)
{
	*memory = (unsigned long long)(unsigned long)malloc(size);
	return FAKE_ALLOC;
}

API cuMemcpyHtoD_v2(unsigned long long to, const void *from, size_t size)
{
	memcpy((void *)(unsigned long)to, from, size);
	return 0;
}

API cuMemcpyDtoH_v2(void *to, unsigned long long from, size_t size)
{
	memcpy(to, (void *)(unsigned long)from, size);
	return 0;
}

API cuModuleLoadData(void **module, const void *image)
{
	*module = module;
	return strncmp(image, ".version", 8) == 0 ? 0 : 200;
}

API cuModuleGetFunction(void **function, void *module, const char *name)
{
	(void)module;
	*function = function;
	return strcmp(name, "add") == 0 ? 0 : 500;
}

API cuLaunchKernel(void *function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
		   unsigned int block_x, unsigned int block_y, unsigned int block_z,
		   unsigned int shared, void *stream, void **parameters, void **extra)
{
	unsigned int *v = (unsigned int *)(unsigned long)*(unsigned long long *)parameters[0];
	unsigned int addend = *(unsigned int *)parameters[1] + FAKE_ADDEND;

	(void)function, (void)grid_y, (void)grid_z, (void)block_y, (void)block_z;
	(void)shared, (void)stream, (void)extra;
	for (unsigned int i = 0; i < grid_x * block_x; i++)
		v[i] += addend;
	return 0;
}

API cuCtxSynchronize(void)
{
	return 0;
}

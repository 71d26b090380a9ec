// SPDX-License-Identifier: Apache-2.0
/*
 * gpu-probe.c - what a program in the container gets of the driver's libraries, one line a word:
 *
 *	cuda	libcuda's cuInit() and cuDriverGetVersion()
 *	cudart	the same question as CUDA programs ask it, through libcudart
 *	nvml	nvmlInit_v2()
 *	NAME	any other: the file that dlopen(NAME) maps
 *
 * Made by cc-any-glibc.sh: only functions that are named there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *load(const char *name)
{
	void *h = dlopen(name, RTLD_NOW);

	if (!h)
		printf("%s: %s\n", name, strstr(dlerror(), "cannot open") ? "missing" : "damaged");
	return h;
}

static int call(void *h, const char *name)
{
	int (*f)(void) = (int (*)(void))dlsym(h, name);

	return f ? f() : -1;
}

static int ask(void *h, const char *name)
{
	int (*f)(int *) = (int (*)(int *))dlsym(h, name);
	int value = -1;

	if (f)
		f(&value);
	return value;
}

static void probe_cuda(void)
{
	int (*init)(unsigned int);
	void *h = load("libcuda.so.1");

	if (!h)
		return;
	init = (int (*)(unsigned int))dlsym(h, "cuInit");
	printf("cuInit %d, driver %d\n", init ? init(0) : -1, ask(h, "cuDriverGetVersion"));
}

static void probe_cudart(void)
{
	int (*count)(int *);
	int n = -1;
	void *h = dlopen("libcudart.so.12", RTLD_NOW);

	if (!h)
		h = load("libcudart.so.11.0");
	if (!h)
		return;
	count = (int (*)(int *))dlsym(h, "cudaGetDeviceCount");
	printf("cudaGetDeviceCount %d, driver %d\n", count ? count(&n) : -1,
	       ask(h, "cudaDriverGetVersion"));
}

static void probe_nvml(void)
{
	void *h = load("libnvidia-ml.so.1");

	if (h)
		printf("nvmlInit %d\n", call(h, "nvmlInit_v2"));
}

/* The file behind a name: the first mapping of a library begins at its load address. */
static void probe_file(const char *name)
{
	struct link_map *map = load(name);
	char line[4096];
	FILE *f = map ? fopen("/proc/self/maps", "r") : NULL;

	while (f && fgets(line, sizeof(line), f))
		if (strtoul(line, NULL, 16) == map->l_addr) {
			char *path = strstr(line, "/");

			printf("%s %s", name, path ? path : line);
			break;
		}
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "cuda"))
			probe_cuda();
		else if (!strcmp(argv[i], "cudart"))
			probe_cudart();
		else if (!strcmp(argv[i], "nvml"))
			probe_nvml();
		else
			probe_file(argv[i]);
	return 0;
}

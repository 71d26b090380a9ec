/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu-host.h - the root of a machine with GPUs, made of text files one by one, for unit tests;
 * see tests/fixtures/README.md for the form of device nodes.
 */
#ifndef GPURUN_TEST_GPU_HOST_H
#define GPURUN_TEST_GPU_HOST_H

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/gpu.h>
#include <gpurun/str.h>

#include "tap.h"

struct gpu_host {
	struct arena *a;
	char path[64];
	int fd;
};

static TAP_UNUSED void gpu_host_new(struct gpu_host *h, struct arena *a)
{
	*h = (struct gpu_host){ .a = a, .path = "/tmp/gpurun-t-gpu.XXXXXX" };
	if (!mkdtemp(h->path))
		abort();
	h->fd = open(h->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int gpu_host_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static TAP_UNUSED void gpu_host_free(struct gpu_host *h)
{
	fd_close(h->fd);
	(void)nftw(h->path, gpu_host_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* Write the @n bytes at @text to @path, whose parents are made. */
static TAP_UNUSED void gpu_host_write(struct gpu_host *h, const char *path, const char *text,
				      size_t n)
{
	const char *slash = strrchr(path, '/');
	int dir = root_mkdirs(h->fd, arena_strndup(h->a, path, (size_t)(slash - path)), 0755);
	int fd = root_open(h->fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (dir < 0 || fd < 0 || write(fd, text, n) != (ssize_t)n)
		abort();
	fd_close(dir);
	fd_close(fd);
}

static TAP_UNUSED void gpu_host_put(struct gpu_host *h, const char *path, const char *text)
{
	gpu_host_write(h, path, text, strlen(text));
}

/* A module that is loaded, and its control node. */
static TAP_UNUSED void gpu_host_driver(struct gpu_host *h)
{
	gpu_host_put(h, "/proc/driver/nvidia/version",
		     "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.163.01  Tue\n");
	gpu_host_put(h, "/proc/devices", "Character devices:\n195 nvidia\n236 nvidia-caps\n\n");
	gpu_host_put(h, "/dev/nvidiactl", "c 195 255 rw\n");
}

/* A GPU; @node: text of its device node, or NULL. */
static TAP_UNUSED void gpu_host_gpu(struct gpu_host *h, const char *pci, int minor,
				    const char *node)
{
	gpu_host_put(h, arena_printf(h->a, "/proc/driver/nvidia/gpus/%s/information", pci),
		     arena_printf(h->a,
				  "Model: \t\t NVIDIA A100\nGPU UUID: \t GPU-%04d\n"
				  "Device Minor: \t %d\nGPU Excluded:\t No\n",
				  minor, minor));
	if (node)
		gpu_host_put(h, arena_printf(h->a, "/dev/nvidia%d", minor), node);
}

/* The directory of a compute instance; its capability nodes get the text @node. */
static TAP_UNUSED void gpu_host_mig(struct gpu_host *h, int minor, int gi, int ci, const char *node)
{
	const char *dir =
		arena_printf(h->a, "/proc/driver/nvidia/capabilities/gpu%d/mig/gi%d", minor, gi);
	const int n[2] = { 3 + minor * 135 + gi * 9, 3 + minor * 135 + gi * 9 + 1 + ci };
	const char *const files[2] = { arena_printf(h->a, "%s/access", dir),
				       arena_printf(h->a, "%s/ci%d/access", dir, ci) };

	for (int i = 0; i < 2; i++) {
		gpu_host_put(h, files[i],
			     arena_printf(h->a,
					  "DeviceFileMinor: %d\nDeviceFileMode: 292\n"
					  "DeviceFileModify: 1\n",
					  n[i]));
		if (node)
			gpu_host_put(h, arena_printf(h->a, "/dev/nvidia-caps/nvidia-cap%d", n[i]),
				     arena_printf(h->a, "c 236 %d %s\n", n[i], node));
	}
}

static TAP_UNUSED struct gpu_set gpu_host_probe(struct gpu_host *h)
{
	struct sysroot root = { .fd = h->fd, .label = h->path };
	struct gpu_set set = { 0 };
	struct err e = { 0 };

	if (gpu_probe_all(h->a, &root, &set, &e) < 0)
		diag("%s: %s", h->path, e.msg);
	return set;
}

#endif

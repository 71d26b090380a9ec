/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.h - what a GPU back end is, and the helpers that back ends share; private to src/gpu/.
 */
#ifndef GPURUN_GPU_BACKEND_H
#define GPURUN_GPU_BACKEND_H

#include <stdint.h>

#include <gpurun/gpu.h>

#define GPU_TEXT_MAX (64U << 10) /* one procfs or sysfs file */
#define GPU_MAX      256U        /* GPUs of one back end */

/**
 * struct gpu_backend - one vendor
 * @probe: add the GPUs, on_bus and the driver's version to @set
 */
struct gpu_backend {
	const char *name;
	int (*probe)(struct arena *a, const struct sysroot *root, struct gpu_set *set,
		     struct err *e);
};

extern const struct gpu_backend gpu_backend_nvidia;

/** struct pci_address - domain:bus:slot.function */
struct pci_address {
	uint32_t domain, bus, slot, function;
};

/** pci_parse - "[dddd:]bb:dd.f", hexadecimal in either case, the whole string; -EINVAL */
int pci_parse(const char *s, struct pci_address *ret);

/** pci_compare - order of the addresses, as strcmp() */
int pci_compare(const struct pci_address *a, const struct pci_address *b);

/** pci_has_display - is a display controller of @vendor (0x10de) on the PCI bus? */
bool pci_has_display(struct arena *a, const struct sysroot *root, uint32_t vendor);

/**
 * node_look - what is at the device node @path, and may we open it to read and write?
 * No device is opened: faccessat() asks the device cgroup as well (-EPERM), so the answer costs
 * nothing and wakes no GPU.  Under a test's directory a text file describes the node.
 * @rdev: set when there is a node, whatever is returned
 * Return: 0, or -ENOENT (nothing there), -ENODEV (no character device), -EPERM, -EACCES, ...
 */
int node_look(struct arena *a, const struct sysroot *root, const char *path, dev_t *rdev);

/** node_look_access - the same for @access, R_OK and W_OK of access(2) */
int node_look_access(struct arena *a, const struct sysroot *root, const char *path, int access,
		     dev_t *rdev);

/** node_reason - why the node @path cannot be used, for people, from the error of node_look() */
const char *node_reason(struct arena *a, const char *path, int error);

/**
 * node_check - look at @node->path, set @node->rdev, and say why it cannot be used
 * @major, @minor: what it has to be; -1: anything
 * @ret_error: 0, or what node_look() said, or ENODEV: it is another device
 * Return: NULL when it can be used
 */
const char *node_check(struct arena *a, const struct sysroot *root, int access, int major,
		       int minor, struct gpu_node *node, int *ret_error);

/** node_hint - what to do about a node that node_look() said -EPERM or -EACCES of */
void node_hint(struct err *e, const char *path, int r);

/** gpu_read - a small text file below @root; NULL when there is none or it is too large */
char *gpu_read(struct arena *a, const struct sysroot *root, const char *path);

/** gpu_list_dir - the names in the directory @path below @root; -errno */
int gpu_list_dir(struct arena *a, const struct sysroot *root, const char *path, struct strv *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvidia.h - the formats of NVIDIA's procfs, as pure functions (also for the fuzzers), and the
 * parts of the back end; private to src/gpu/.
 */
#ifndef GPURUN_GPU_NVIDIA_H
#define GPURUN_GPU_NVIDIA_H

#include <stdbool.h>

#include <gpurun/gpu.h>

#define NVIDIA_MAJOR     195 /* fixed since ever; nv-chardev-numbers.h */
#define NVIDIA_MINOR_MAX 247 /* above: modeset 254, ctl 255 */
#define NVIDIA_MINOR_CTL 255

#define NVIDIA_PROC          "/proc/driver/nvidia"
#define NVIDIA_CAP_MINOR_MAX 8191 /* /dev/nvidia-caps/nvidia-capN */

/** struct nvidia_info - /proc/driver/nvidia/gpus/ADDRESS/information */
struct nvidia_info {
	const char *model; /* or NULL */
	const char *uuid;  /* NULL: absent, or not known until the GPU was used ("GPU-????...") */
	int minor;         /* -1: absent or out of range */
	bool excluded;
};

/** nvidia_info_parse - lines "Key: \t value"; unknown keys are passed over, never fails */
void nvidia_info_parse(struct arena *a, const char *text, struct nvidia_info *ret);

/** nvidia_version_parse - "550.163.01" out of /proc/driver/nvidia/version, or NULL */
const char *nvidia_version_parse(struct arena *a, const char *text);

/** nvidia_cap_parse - the minor of "DeviceFileMinor: 21", a capability's text; -1: none */
int nvidia_cap_parse(struct arena *a, const char *text);

/** nvidia_major_parse - the major of the character device @name in /proc/devices; -1: none */
int nvidia_major_parse(struct arena *a, const char *devices, const char *name);

/** nvidia_look_migs - the MIG devices of the @n GPUs at @v, with their capability nodes */
void nvidia_look_migs(struct arena *a, const struct sysroot *root, struct gpu *v, size_t n);

#endif

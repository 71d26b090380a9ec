/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvidia.h - the formats of NVIDIA's procfs, as pure functions (also for the fuzzer); private to
 * src/gpu/.
 */
#ifndef GPURUN_GPU_NVIDIA_H
#define GPURUN_GPU_NVIDIA_H

#include <stdbool.h>

#include <gpurun/arena.h>

#define NVIDIA_MAJOR     195 /* fixed since ever; nv-chardev-numbers.h */
#define NVIDIA_MINOR_MAX 247 /* above: modeset 254, ctl 255 */

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

#endif

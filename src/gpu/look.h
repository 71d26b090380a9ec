/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look.h - the parts of gpu_look(); private to src/gpu/.
 */
#ifndef GPURUN_GPU_LOOK_H
#define GPURUN_GPU_LOOK_H

#include <gpurun/driver.h>

#include "backend.h"

#define LOOK_UVM "/dev/nvidia-uvm"

/** struct looker - what the parts share */
struct looker {
	struct arena *a;
	const struct sysroot *root;
	const struct gpu_choices *chosen;
	const struct gpu_driver *driver;
	const struct gpu_options *o;
	struct gpu_sight sight;
	struct strv *warn;
};

/* look_nodes.c: nodes that come with the capabilities, and those on request */
int look_nodes(struct looker *l, struct err *e);
int look_requests(struct looker *l, struct err *e);
/* look_dri.c: /dev/dri of the chosen GPUs */
void look_dri(struct looker *l);

/** look_add_node - @why: the option that asked for it, or "" */
void look_add_node(struct looker *l, const char *path, dev_t rdev, const char *why);

/** look_proc - the texts of /proc/driver/nvidia as they are to be inside */
void look_proc(struct arena *a, const struct sysroot *root, struct gpu_sight *sight);

/** look_uvm - node_look() at LOOK_UVM, which nvidia-modprobe makes where it is missing */
int look_uvm(struct arena *a, const struct sysroot *root, bool look_only, dev_t *rdev);

/** look_exists - is there anything at @path? */
bool look_exists(const struct looker *l, const char *path);

/**
 * modprobe_uvm - have the host's set-uid nvidia-modprobe load the module and make its nodes
 * With a fixed environment, "/" as directory and nothing of the image in sight.
 * Return: 0 when it ran and said that it worked; -ENOENT, -EPERM (not one that root has put
 * there), -ETIMEDOUT, -errno
 */
int modprobe_uvm(void);

#endif

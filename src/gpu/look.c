/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked at on the host once it is known that a GPU is used. */
#include <gpurun/driver.h>

#include "backend.h"

int gpu_look(struct arena *a, const struct sysroot *root, const struct gpu_set *set,
	     const struct gpu_choices *chosen, const struct gpu_driver *driver,
	     const struct gpu_options *o, struct gpu_sight *ret, struct strv *ret_warn,
	     struct err *e)
{
	static const char *const common[] = { "/dev/nvidiactl", "/dev/nvidia-uvm",
					      "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset" };
	struct gpu_sight s = { .driver = driver };

	(void)set;
	(void)chosen;
	(void)o;
	(void)ret_warn;
	(void)e;
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		struct gpu_node node = { .path = common[i], .why = "" };

		if (node_look(a, root, node.path, &node.rdev) == 0)
			VEC_PUSH(a, s.nodes.v, s.nodes.n, s.nodes.cap, node);
	}
	*ret = s;
	return 0;
}

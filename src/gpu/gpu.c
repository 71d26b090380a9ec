/* SPDX-License-Identifier: Apache-2.0 */
/* The table of back ends, and the walk over it. */
#include <gpurun/str.h>

#include "backend.h"

static const struct gpu_backend *const gpu_backends[] = {
	&gpu_backend_nvidia,
};

int gpu_probe_all(struct arena *a, const struct sysroot *root, struct gpu_set *ret, struct err *e)
{
	struct gpu_set set = { 0 };

	for (size_t i = 0; i < ELEMENTS(gpu_backends); i++) {
		int r = gpu_backends[i]->probe(a, root, &set, e);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < set.n; i++)
		set.v[i].number = set.v[i].index;
	*ret = set;
	return 0;
}

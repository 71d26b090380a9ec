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
	*ret = set;
	return 0;
}

/* Those of @chosen that belong to @backend, in their order. */
static const struct gpu **gpu_of_backend(struct arena *a, const struct gpu *const *chosen, size_t n,
					 const char *backend, size_t *ret_n)
{
	const struct gpu **own = ARENA_ARRAY(a, const struct gpu *, n);

	*ret_n = 0;
	for (size_t i = 0; i < n; i++)
		if (str_eq(chosen[i]->backend, backend))
			own[(*ret_n)++] = chosen[i];
	return own;
}

int gpu_edits(struct arena *a, const struct gpu_set *set, const struct gpu *const *chosen, size_t n,
	      const struct gpu_sel *sel, struct edits *ret, struct err *e)
{
	const char *ask = arena_printf(a, "--gpus %s", sel->text ? sel->text : "auto");
	struct edits ed = { .source = "gpu" };

	for (size_t i = 0; n && i < ELEMENTS(gpu_backends); i++) {
		const struct gpu_backend *b = gpu_backends[i];
		size_t n_own;
		const struct gpu **own = gpu_of_backend(a, chosen, n, b->name, &n_own);
		int r = n_own ? b->edits(a, set, own, n_own, ask, &ed, e) : 0;

		if (r < 0)
			return r;
	}
	*ret = ed;
	return 0;
}

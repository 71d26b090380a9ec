/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the answer of the child that asks NVML: what is taken of it is sane. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/gpu/nvml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s)
{
	for (; s && *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			abort();
}

static void check_gpu(const struct gpu_set *set, const struct gpu *g)
{
	const struct gpu_nvml *n = &g->nvml;

	check_text(g->uuid);
	if (n->memory_used > n->memory_total || n->utilization > 100 || n->links >> set->n ||
	    n->energy > INT64_MAX)
		abort();
	for (size_t i = 0; i < n->n_users; i++)
		if (n->users[i].pid <= 0 || (i && n->users[i].pid <= n->users[i - 1].pid))
			abort();
	for (size_t i = 0; i < g->n_migs; i++) {
		check_text(g->migs[i].uuid);
		check_text(g->migs[i].profile);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct gpu_mig mig = { .gi = 1, .index = -1 };
	struct gpu v[] = {
		{ .index = 0,
		  .pci = "0000:3b:00.0",
		  .minor = 1,
		  .migs = &mig,
		  .n_migs = 1,
		  .cap_migs = 1 },
		{ .index = 1, .pci = "0000:5b:00.0", .minor = 0 },
		{ .index = -1, .pci = "nonsense", .minor = -1 },
	};
	struct gpu_set set = { .v = v, .n = 3, .cap = 3 };
	struct nvml_record failed;

	if (nvml_take(a, data, size, &set, &failed) == -EREMOTEIO)
		check_text(failed.u.failed.text);
	for (size_t i = 0; i < set.n; i++)
		check_gpu(&set, &v[i]);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as CUDA_VISIBLE_DEVICES of a job: what is left can be used and has indexes without a
 * gap, what auto takes is held by the step's container, and no number inside is too large.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gpurun/allot.h>
#include <gpurun/str.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define GPUS 4

static void check_set(const struct gpu_set *set)
{
	int index = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct gpu *g = &set->v[i];

		if (g->denied ? g->index != -1 : g->index != index++)
			abort();
	}
}

static void check_list(struct arena *a, const char *list, size_t openable)
{
	struct strv words = { 0 };

	str_split(a, list, ',', &words);
	for (size_t i = 0; i < words.n; i++) {
		uint64_t n;

		if (num_u64(words.v[i], INT32_MAX, &n) == 0 && n >= openable)
			abort();
	}
}

static bool holds(const struct gpu_choices *held, const struct gpu *g)
{
	for (size_t i = 0; i < held->n; i++)
		if (str_eq(held->v[i].gpu->pci, g->pci))
			return true;
	return false;
}

static void check_step(struct arena *a, const struct gpu_set *all, const struct gpu_set *ours,
		       const struct gpu_visible *v, const struct gpu_choices *chosen)
{
	struct gpu_choices held = { 0 };
	size_t openable = 0;
	const char *list;

	if (gpu_step_union(a, all, ours, v, &held) < 0)
		abort();
	for (size_t i = 0; i < held.n; i++)
		openable += held.v[i].gpu->index >= 0;
	for (size_t i = 0; i < chosen->n; i++)
		if (!holds(&held, chosen->v[i].gpu))
			abort();
	list = gpu_list_inside(a, chosen, &held, v);
	if (list && (!v->devices || !str_eq(list, v->devices)))
		check_list(a, list, openable);
	list = gpu_list_inside(a, chosen, chosen, v);
	if (list && (!v->devices || !str_eq(list, v->devices)))
		check_list(a, list, chosen->n);
	(void)gpu_step_warning(a, ours, v);
}

/* @bits: which GPUs a filter denies, and what else is known of the job */
static void allot(struct arena *a, unsigned int bits, const char *devices)
{
	struct gpu_mig migs[] = {
		{ .gi = 1, .uuid = bits & 64 ? "MIG-ab01" : NULL },
		{ .gi = 2, .uuid = "MIG-ab02", .denied = "node missing", .denied_errno = ENOENT },
	};
	struct gpu gpus[GPUS] = { { 0 } };
	const struct gpu_visible v = { .devices = bits & 128 ? NULL : devices,
				       .job = true,
				       .slurm = bits & 16,
				       .node_gpus = (int)(bits >> 8 & 7) - 1,
				       .local_size = (int)(bits >> 11 & 3) - 1 };
	struct gpu_set set = { .v = gpus, .n = GPUS, .on_bus = true };
	const struct gpu_sel sel = { .kind = GPU_SEL_AUTO, .text = "auto" };
	struct gpu_choices chosen = { 0 };
	struct gpu_set all;
	struct strv warn = { 0 };
	struct err e = { 0 };
	const char *note;
	int index = 0;

	for (int i = 0; i < GPUS; i++) {
		gpus[i] = (struct gpu){ .minor = i,
					.index = bits >> i & 1 ? -1 : index++,
					.uuid = arena_printf(a, "GPU-%d%d%d%d", i, i, i, i),
					.pci = arena_printf(a, "0000:%d0:00.0", i + 1),
					.node = { .path = "/dev/nvidia", .rdev = 1 } };
		gpus[i].number = gpus[i].index;
		gpus[i].denied = gpus[i].index < 0 ? "denied" : NULL;
		gpus[i].denied_errno = gpus[i].index >= 0 ? 0 : bits & 32 ? EPERM : ENOENT;
	}
	gpus[2].migs = migs;
	gpus[2].n_migs = 2;
	all = gpu_set_copy(a, &set);
	if (gpu_allot(a, &set, &v, &note, &e) < 0) {
		if (!e.msg[0] || !gpu_allot_needs_nvml(&all, &v))
			abort();
		return;
	}
	check_set(&set);
	if (gpu_select(a, &set, &sel, &v, &chosen, &warn, &note, &e) == 0)
		check_step(a, &all, &set, &v, &chosen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	if (size < 2)
		return 0;
	allot(a, data[0] | (unsigned int)data[1] << 8,
	      arena_strndup(a, (const char *)data + 2, size - 2));
	return 0;
}

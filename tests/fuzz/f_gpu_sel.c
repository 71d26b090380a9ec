/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as --gpus and as CUDA_VISIBLE_DEVICES, on a host with MIG and with GPUs that cannot
 * be used: what is chosen is in order, different, not twice the same slice, and usable.
 */
#include <stdlib.h>

#include <gpurun/gpu.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct gpu_choices *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct gpu_choice *x = &c->v[i], *before = i ? x - 1 : NULL;

		if (x->gpu->index < 0 || x->gpu->denied || (x->mig && x->mig->denied))
			abort();
		if (before && before->gpu > x->gpu)
			abort();
		if (before && before->gpu == x->gpu && (!before->mig || before->mig >= x->mig))
			abort();
	}
}

static void choose(struct arena *a, const struct gpu_sel *sel, const struct gpu_visible *visible)
{
	struct gpu_mig migs[] = {
		{ .gi = 1, .index = 0, .uuid = "MIG-ab01" },
		{ .gi = 2, .index = 1, .uuid = "MIG-ab02", .denied = "node missing" },
		{ .gi = 2, .ci = 1, .index = -1 },
	};
	struct gpu gpus[] = {
		{ .index = 0, .uuid = "GPU-ab01", .pci = "0000:3b:00.0", .model = "A" },
		{ .index = -1, .uuid = "GPU-ab02", .pci = "0000:5b:00.0", .denied = "excluded" },
		{ .index = 1, .uuid = "GPU-cd03", .pci = "0000:9b:00.0", .model = "B" },
		{ .index = 2, .pci = "0001:01:00.0", .nvml = { .known = true, .links = 1 } },
	};
	const struct gpu_set set = { .v = gpus, .n = 4, .on_bus = true };
	struct gpu_choices chosen = { 0 };
	struct strv warn = { 0 };
	struct err e = { 0 };
	const char *note;
	bool required;

	gpus[2].migs = migs;
	gpus[2].n_migs = 3;
	if (!gpu_select_needs_nvml(&set, sel, visible, &required) && required)
		abort();
	if (gpu_select(a, &set, sel, visible, &chosen, &warn, &note, &e) < 0) {
		if (!e.msg[0])
			abort();
		return;
	}
	if (sel->kind == GPU_SEL_COUNT && chosen.n != sel->count)
		abort();
	if (sel->kind == GPU_SEL_LIST && (chosen.n != sel->items.n || required))
		abort();
	check(&chosen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)64 << 20);
	struct gpu_sel sel = { .kind = GPU_SEL_AUTO, .text = "auto" };
	struct gpu_visible visible = { .devices = arena_strndup(a, (const char *)data, size) };
	struct err e = { 0 };

	choose(a, &sel, &visible);
	visible.job = true;
	choose(a, &sel, &visible);
	if (gpu_sel_parse(a, visible.devices, &sel, &e) == 0)
		choose(a, &sel, NULL);
	else if (!e.msg[0])
		abort();
	return 0;
}

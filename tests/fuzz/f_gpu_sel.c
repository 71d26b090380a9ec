/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as --gpus and as CUDA_VISIBLE_DEVICES, on a host with three GPUs. */
#include <stdlib.h>

#include <gpurun/gpu.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void choose(struct arena *a, const struct gpu_sel *sel, const char *devices)
{
	const struct gpu_visible visible = { .devices = devices };
	struct gpu gpus[] = {
		{ .backend = "nvidia", .index = 0, .uuid = "GPU-ab01", .pci = "0000:3b:00.0" },
		{ .backend = "nvidia",
		  .index = -1,
		  .uuid = "GPU-ab02",
		  .pci = "0000:5b:00.0",
		  .denied = "excluded" },
		{ .backend = "nvidia", .index = 1, .pci = "0001:01:00.0" },
	};
	const struct gpu_set set = { .v = gpus, .n = 3, .on_bus = true };
	struct gpu_choices chosen = { 0 };
	const char *note;
	struct strv warn = { 0 };
	struct err e = { 0 };

	if (gpu_select(a, &set, sel, &visible, &chosen, &warn, &note, &e) < 0) {
		if (!e.msg[0])
			abort();
		return;
	}
	for (size_t i = 0; i < chosen.n; i++)
		if (chosen.v[i].gpu->index < 0 || (i && chosen.v[i].gpu <= chosen.v[i - 1].gpu))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)64 << 20);
	struct gpu_sel sel = { .kind = GPU_SEL_AUTO, .text = "auto" };
	const char *text = arena_strndup(a, (const char *)data, size);
	struct err e = { 0 };

	choose(a, &sel, text);
	if (gpu_sel_parse(a, text, &sel, &e) == 0)
		choose(a, &sel, NULL);
	else if (!e.msg[0])
		abort();
	return 0;
}

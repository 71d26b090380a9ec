/* SPDX-License-Identifier: Apache-2.0 */
/* Any lines as an image's environment; what is refused has one line that says why. */
#include <stdlib.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	struct gpu gpus[2] = { { .nvml = { .known = true, .brand = "Tesla", .cc_major = 8 } } };
	struct gpu_choice choices[2] = { { .gpu = &gpus[0] }, { .gpu = &gpus[1] } };
	struct gpu_choices chosen = { .v = choices, .n = 2 };
	struct gpu_facts facts = { "535.261.03", 12, 2, &chosen };
	struct strv env = { 0 }, warnings = { 0 };
	struct err e = { 0 };
	int r;

	str_split(a, arena_strndup(a, (const char *)data, size), '\n', &env);
	(void)gpu_require_needs_nvml(&env, &facts);
	r = gpu_require_check(a, &env, &facts, &warnings, &e);
	if ((r < 0) != (e.msg[0] != '\0') || warnings.n > 64 || strlen(e.msg) > 600)
		abort();
	(void)gpu_cuda_version(env.v[0], &facts.cuda_major, &facts.cuda_minor);
	return 0;
}

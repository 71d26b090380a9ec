/* SPDX-License-Identifier: Apache-2.0 */
/* A user's seccomp profile: whatever it holds, it is refused with a message or gives a filter. */
#include <gpurun/profile.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(0);
	struct profile p = { 0 };
	struct err e = { 0 };
	int r = profile_compile(a, (const char *)data, size, "fuzz", &p, &e);

	if (r < 0 ? !err_is_set(&e) : !p.prog || !p.len)
		abort();
	arena_free(a);
	return 0;
}

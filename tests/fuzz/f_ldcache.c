/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as ld.so.cache: what is accepted can be changed, written and read again. */
#include <stdlib.h>

#include "../../src/gpu/ldcache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	const struct ld_entry entry = { 0x0303, "libcuda.so.1", "/.gpurun/lib64/libcuda.so.1", 0 };
	struct ld_cache c = { 0 }, again = { 0 };
	const char *out;
	size_t len;

	if (ldcache_parse(a, data, size, &c) < 0)
		return 0;
	ldcache_put(a, &c, &entry, 1);
	out = ldcache_format(a, &c, &len);
	if (ldcache_parse(a, out, len, &again) < 0 || again.n != c.n)
		abort();
	(void)ldcache_find(&again, entry.flags, entry.name);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the config of an image. */
#include <stdlib.h>

#include <gpurun/image.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	struct image_config c = { 0 };
	struct strv ids = { 0 };
	struct err e = { 0 };

	if (image_config_parse(a, (const char *)data, size, &c, &ids, &e) < 0) {
		if (!err_is_set(&e))
			abort();
		return 0;
	}
	if ((c.workdir && c.workdir[0] != '/') || c.stop_signal < 0 || c.stop_signal > 64)
		abort();
	return 0;
}

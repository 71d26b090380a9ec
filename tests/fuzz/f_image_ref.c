/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the name of an image. */
#include <stdlib.h>
#include <string.h>

#include <gpurun/image.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)16 << 20);
	const char *text = arena_strndup(a, (const char *)data, size);
	struct image_ref ref = { 0 };
	struct err e = { 0 };

	if (image_ref_parse(a, text, &ref, &e) < 0) {
		if (!err_is_set(&e))
			abort();
		return 0;
	}
	if (strcmp(ref.text, text) || (ref.path && !ref.path[0]) ||
	    (ref.tag && !strstr(text, ref.tag)))
		abort();
	return image_signal_parse(text) > 64 ? abort(), 0 : 0;
}

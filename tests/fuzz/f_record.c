/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an image's record: what is accepted is exactly what would be written for it. */
#include <stdlib.h>
#include <string.h>

#include "../../src/store/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	const char *text;
	struct record r;
	size_t len;

	if (record_parse(a, (const char *)data, size, &r) < 0)
		return 0;
	text = record_format(a, &r, &len);
	if (len != size || memcmp(text, data, len) != 0)
		abort();
	return 0;
}

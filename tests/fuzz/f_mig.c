/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a capability's file and as /proc/devices: no minor or major out of range. */
#include <stdlib.h>

#include "../../src/gpu/nvidia.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	const char *text = arena_strndup(a, (const char *)data, size);
	int minor = nvidia_cap_parse(a, text), major = nvidia_major_parse(a, text, "nvidia-caps");

	if (minor < -1 || minor > NVIDIA_CAP_MINOR_MAX || major < -1 || major > 4095)
		abort();
	/* a name that nobody has typed is not there */
	if (nvidia_major_parse(a, text, "") != -1 || nvidia_major_parse(a, text, "a\nb") != -1)
		abort();
	return 0;
}

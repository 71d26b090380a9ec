/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as NVIDIA's procfs files. */
#include <stdlib.h>
#include <string.h>

#include "../../src/gpu/nvidia.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	const char *text = arena_strndup(a, (const char *)data, size);
	struct nvidia_info info;
	const char *version;

	nvidia_info_parse(a, text, &info);
	if (info.minor < -1 || info.minor > NVIDIA_MINOR_MAX)
		abort();
	for (const char *s = info.model; s && *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			abort();
	if (info.uuid && strncmp(info.uuid, "GPU-", 4) != 0)
		abort();
	version = nvidia_version_parse(a, text);
	if (version && (!*version || version[strspn(version, "0123456789.")]))
		abort();
	return 0;
}

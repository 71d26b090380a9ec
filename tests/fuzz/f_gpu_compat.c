/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the note of an image's libcuda, and as names beside it. */
#include <stdlib.h>

#include <gpurun/str.h>

#include "../../src/gpu/inject.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	const char *text = arena_strndup(a, (const char *)data, size);
	struct strv files = { 0 };
	const char *version;

	/* a branch is only in the list when its digits are in the text */
	if (compat_note_lists(text, 550) && !strstr(text, "550"))
		abort();
	str_split(a, text, '\n', &files);
	version = compat_version(a, &files);
	if (version && (!strchr(version, '.') || version[strspn(version, "0123456789.")]))
		abort();
	return 0;
}

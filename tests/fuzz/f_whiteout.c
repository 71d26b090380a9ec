/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the name of an entry: what comes out is safe to look up, and stays the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/store/whiteout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *path)
{
	char again[PATH_MAX];

	if (*path == '/' || strlen(path) >= PATH_MAX || (*path && name_clean(path, again) < 0) ||
	    (*path && strcmp(path, again) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char raw[2 * PATH_MAX];
	const char *why = NULL;
	struct name n;

	if (size >= sizeof(raw))
		return 0;
	memcpy(raw, data, size);
	raw[size] = '\0';
	if (name_parse(raw, &n, &why) < 0) {
		if (!why)
			abort();
		return 0;
	}
	check(n.path);
	if (n.kind == NAME_ROOT && *n.path)
		abort();
	if ((n.kind == NAME_PLAIN || n.kind == NAME_OPAQUE) &&
	    strncmp(name_base(n.path), ".wh.", 4) == 0)
		abort();
	return 0;
}

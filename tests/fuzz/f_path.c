/* SPDX-License-Identifier: Apache-2.0 */
/* A cleaned path is absolute, clean, stable, and below what it was joined to unless it climbed. */
#include <gpurun/str.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct arena *a, const char *clean)
{
	if (clean[0] != '/' || strstr(clean, "//") || strstr(clean, "/./") || strstr(clean, "/../"))
		abort();
	if (clean[1] && clean[strlen(clean) - 1] == '/')
		abort();
	if (!str_eq(path_clean(a, clean), clean) || !path_below(clean, "/"))
		abort();
	if (str_eq(path_base(clean), ".") || str_eq(path_base(clean), ".."))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	char *path = arena_strndup(a, (const char *)data, size < 8192 ? size : 8192);
	char *joined = path_join(a, "/root", path);
	struct strv parts = { 0 };

	check(a, path_clean(a, path));
	check(a, joined);
	if (path[0] != '/' && !strstr(path, "..") && !path_below(joined, "/root"))
		abort();
	str_split(a, path, '/', &parts);
	if (parts.n == 0 || parts.v[parts.n])
		abort();
	if (!str_glob("*", path) || !str_glob(path, path))
		abort();
	return 0;
}

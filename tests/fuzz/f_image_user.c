/* SPDX-License-Identifier: Apache-2.0 */
/* A user, a passwd and a group file: any three texts with a NUL between them. */
#include <stdlib.h>
#include <string.h>

#include <gpurun/image.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)16 << 20);
	char *text = arena_alloc(a, size + 3), *passwd, *group;
	struct image_user u = { 0 };
	struct err e = { 0 };

	if (size)
		memcpy(text, data, size);
	passwd = text + strlen(text) + 1;
	group = passwd < text + size ? passwd + strlen(passwd) + 1 : passwd;
	if (group > text + size)
		group = text + size;
	if (image_user_lookup(a, text, passwd, group, &u, &e) < 0) {
		if (!err_is_set(&e))
			abort();
		return 0;
	}
	if (u.uid > INT32_MAX || u.gid > INT32_MAX)
		abort();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as YAML: a tree within the limits, or a message. */
#include <stdlib.h>

#include "../../src/gpu/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t check(const struct json *v, int depth)
{
	size_t n = 0, all = 1;

	if (depth > YAML_DEPTH_MAX || (v->type == JSON_STRING) != (v->str != NULL))
		abort();
	for (const struct json *c = v->child; c; c = c->next, n++) {
		if ((v->type == JSON_OBJECT) != (c->key != NULL))
			abort();
		all += check(c, depth + 1);
	}
	if (n != v->count)
		abort();
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)64 << 20);
	const struct json *tree = NULL;
	struct err e = { 0 };

	if (yaml_parse(a, (const char *)data, size, "x", &tree, &e) < 0) {
		if (!err_is_set(&e) || tree)
			abort();
		return 0;
	}
	if (check(tree, 0) > YAML_COUNT_MAX)
		abort();
	return 0;
}

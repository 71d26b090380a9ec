/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes through the reader; any string through the writer and back. */
#include <gpurun/json.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct json *v, int depth)
{
	size_t n = 0;

	if (depth > JSON_DEPTH_MAX || (v->type == JSON_STRING && !v->str))
		abort();
	for (const struct json *c = v->child; c; c = c->next, n++) {
		if ((v->type == JSON_OBJECT) != (c->key != NULL))
			abort();
		check(c, depth + 1);
	}
	if (n != v->count)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	struct jsonw w = { .a = a, .compact = size & 1 };
	const struct json *tree;
	const char *text;
	struct err e;
	size_t len;

	if (json_parse(a, (const char *)data, size, "x", &tree, &e) == 0)
		check(tree, 0);
	jsonw_begin_object(&w, NULL);
	jsonw_str(&w, "k", arena_strndup(a, (const char *)data, size));
	jsonw_end_object(&w);
	text = jsonw_text(&w, &len);
	if (len <= JSON_SIZE_MAX && json_parse(a, text, len, "w", &tree, &e) < 0)
		abort();
	return 0;
}

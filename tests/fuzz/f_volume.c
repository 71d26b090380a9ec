/* SPDX-License-Identifier: Apache-2.0 */
/* The grammars of mounts: what is accepted has absolute, clean paths, and never the root as target. */
#include <stdlib.h>

#include <gpurun/str.h>

#include "../../src/cli/opt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct arena *a, const struct req_mount *m)
{
	if (!str_eq(m->dst, path_clean(a, m->dst)) || str_eq(m->dst, "/") || !m->why)
		abort();
	if ((m->type == REQ_BIND) != (m->src != NULL) || (m->src && m->src[0] != '/'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static opt_set_fn *const setters[] = { opt_set_volume, opt_set_bind, opt_set_mount,
					       opt_set_tmpfs };
	static const struct opt o = { .name = "x" };

	for (size_t i = 0; i < ELEMENTS(setters); i++) {
		_cleanup_arena_ struct arena *a = arena_new(0);
		struct ask asked = { 0 };
		const struct opt_in in = { .a = a, .ask = &asked, .cwd = "/d", .home = "/h" };
		struct err e = { 0 };
		int r = setters[i](&in, &o, arena_strndup(a, (const char *)data, size), &e);

		if ((r < 0) != (e.msg[0] != '\0'))
			abort();
		for (size_t k = 0; k < asked.request.n_mounts; k++)
			check(a, &asked.request.mounts[k]);
	}
	return 0;
}

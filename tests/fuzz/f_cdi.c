/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any JSON as a CDI file, and all its devices on a host where nothing is: what comes of it stays
 * out of the places that are ours, and a refusal says why.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <gpurun/str.h>

#include "../../src/gpu/cdi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_spec(const struct cdi_spec *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct cdi_edits *ed = &s->v[i].edits;

		if (!cdi_is_device(s->v[i].name))
			abort();
		for (size_t k = 0; k < ed->n_nodes; k++)
			if (ed->nodes[k].path[0] != '/' || ed->nodes[k].host[0] != '/')
				abort();
		for (size_t k = 0; k < ed->n_mounts; k++)
			if (ed->mounts[k].path[0] != '/' || ed->mounts[k].host[0] != '/')
				abort();
	}
}

static void check_ops(const struct op_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *dst = l->v[i].dst;

		if (path_below(dst, "/proc") || path_below(dst, "/sys") ||
		    path_below(dst, "/dev") || path_below(dst, GPU_DIR) || str_eq(dst, "/"))
			abort();
	}
}

static void check_sight(const struct gpu_sight *s)
{
	for (size_t i = 0; i < s->links.n; i++)
		if (!str_after(s->links.v[i], "/dev/"))
			abort();
	check_ops(&s->files);
	check_ops(&s->dirs);
	for (size_t i = 0; i < s->env.n; i++)
		if (!strchr(s->env.v[i], '='))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	const struct sysroot root = { open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC),
				      "/proc/self/fdinfo" };
	const struct gpu_options o = { .ask = "--gpus x", .caps = GPU_CAP_ALL, .look_only = true };
	struct gpu_sight sight = { 0 };
	struct cdi_founds found = { 0 };
	const struct json *doc = NULL;
	struct cdi_spec spec = { 0 };
	struct strv warn = { 0 };
	struct err e = { 0 };
	int r = json_parse(a, (const char *)data, size, "x.json", &doc, &e);

	if (r == 0)
		r = cdi_spec_read(a, doc, "x.json", &spec, &e);
	if (r == 0) {
		check_spec(&spec);
		for (size_t i = 0; i < spec.n; i++) {
			struct cdi_found f = { "v/c=x", &spec, &spec.v[i] };

			VEC_PUSH(a, found.v, found.n, found.cap, f);
		}
		r = cdi_merge(a, &root, &o, &found, &sight, &warn, &e);
		check_sight(&sight);
	}
	(void)close(root.fd);
	if ((r < 0) != (err_is_set(&e) != 0))
		abort();
	return 0;
}

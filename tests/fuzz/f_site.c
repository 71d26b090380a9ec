/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any JSON as a file of site.d, applied to a job on a host where nothing is but what it may ask
 * for below /proc/self/fdinfo: what comes of it stays out of the places that are ours, and a
 * refusal says why.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "../../src/job/site.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_op(const struct op *op)
{
	bool ours = path_below(op->dst, GPU_DIR);

	if (op->dst[0] != '/' || str_eq(op->dst, "/") || !op->why)
		abort();
	if (path_below(op->dst, "/proc") || path_below(op->dst, "/sys"))
		abort();
	if (op->kind == OP_BIND && path_below(op->dst, "/dev"))
		abort();
	if (op->kind == OP_BIND && ours && !(op->attrs & MOUNT_ATTR_RDONLY))
		abort();
	if (op->kind == OP_BIND && (op->attrs & (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)) !=
					   (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV))
		abort();
	if (op->kind == OP_BIND_DEV && !str_after(op->dst, "/dev/"))
		abort();
}

static void check(const struct edits *ed)
{
	for (size_t i = 0; i < ed->files.n; i++)
		check_op(&ed->files.v[i]);
	for (size_t i = 0; i < ed->ops.n; i++)
		check_op(&ed->ops.v[i]);
	for (size_t i = 0; i < ed->env.n; i++)
		if (!strchr(ed->env.v[i], '=') || ed->env.v[i][0] == '=')
			abort();
	for (size_t i = 0; i < ed->env_prepend.n; i++)
		if (!strchr(ed->env_prepend.v[i], '=') || ed->env_prepend.v[i][0] == '=')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	const struct sysroot root = { open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC),
				      "/proc/self/fdinfo" };
	const struct host host = { .job = { .kind = JOB_STEP } };
	const struct job_options o = { .contain = false };
	struct strv warn = { 0 };
	struct job_builder b = { .a = a, .root = &root, .host = &host, .o = &o, .warn = &warn };
	struct site_file f = { 0 };
	const struct json *doc = NULL;
	struct err e = { 0 };
	int r = json_parse(a, (const char *)data, size, SITE_DIR "/x.json", &doc, &e);

	if (r == 0)
		r = site_read(a, doc, SITE_DIR "/x.json", "x", &f, &e);
	if (r == 0)
		r = site_apply(&b, &f, &e);
	check(&b.ed);
	(void)close(root.fd);
	if ((r < 0) != (err_is_set(&e) != 0))
		abort();
	return 0;
}

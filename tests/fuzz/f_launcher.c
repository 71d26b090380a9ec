/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The variables of launchers from the bytes, one a line: a step has a key and a name that can be
 * a file's, and nothing else has; the numbers are in their range.
 */
#include <stdlib.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "../../src/host/look.h"
#include "../../src/plan/build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_step(const struct host_job *j)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-";

	if (!j->key || !j->launcher || !j->step[0] || j->step[0] == '.' ||
	    j->step[strspn(j->step, plain)] || strlen(j->step) > 64)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)64 << 20);
	_cleanup_fd_ int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct sysroot root = { .fd = fd, .label = "" };
	struct strv env = { 0 };
	struct host h = { .hostname = "node7" };
	const struct host_job *j = &h.job;

	str_split(a, arena_strndup(a, (const char *)data, size), '\n', &env);
	h.environ = env.v;
	job_look(a, &root, &h);
	if (j->kind == JOB_STEP)
		check_step(j);
	else if (j->key || j->step)
		abort();
	if (j->rank < -1 || j->size < -1 || j->local_rank < -1 || j->local_size < -1 ||
	    j->node_gpus < -1)
		abort();
	for (size_t i = 0; i < env.n; i++) {
		const char *host = torch_first_host(a, env.v[i]);

		if (host && (!host[0] || strchr(host, ',')))
			abort();
	}
	return 0;
}

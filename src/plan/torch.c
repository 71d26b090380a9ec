/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --torch-env: the variables by which torch.distributed finds its peers ("env://"), from what the
 * launcher says.  Ranks on other nodes must come to the same address and port.
 */
#include <gpurun/str.h>

#include "build.h"

#define PORT_BASE  61000
#define PORT_COUNT 4536 /* up to 65535 */

const char *torch_first_host(struct arena *a, const char *list)
{
	const char *host = "";

	while (*list && *list != ',') {
		size_t n = strcspn(list, "[,");

		host = arena_printf(a, "%s%.*s", host, (int)n, list);
		list += n;
		if (*list != '[')
			continue;
		n = strcspn(++list, "-,]");
		host = arena_printf(a, "%s%.*s", host, (int)n, list);
		list += strcspn(list, "]");
		list += *list == ']';
	}
	return *host ? host : NULL;
}

static const char *first_value(const struct host *h, const char *const *names)
{
	const char *value = NULL;

	for (; *names && !(value && *value); names++)
		value = host_getenv(h, *names);
	return value && *value ? value : NULL;
}

/* The first host of the step; with all ranks on this node that is the node. */
static const char *torch_address(struct builder *b)
{
	static const char *const lists[] = { "SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST",
					     "SLURM_NODELIST", NULL };
	const struct host_job *j = &b->host->job;
	const char *list = first_value(b->host, lists);

	if (list)
		return torch_first_host(b->a, list);
	return j->size > 0 && j->size == j->local_size ? "127.0.0.1" : NULL;
}

/* A port by the number of the job; a launch without one is known by its name. */
static const char *torch_port(struct builder *b)
{
	const struct host_job *j = &b->host->job;
	uint64_t n = 0;

	if (!j->id || num_u64(j->id, UINT64_MAX, &n) < 0)
		for (const char *s = j->step; *s; s++)
			n = (n * 31 + (unsigned char)*s) % PORT_COUNT;
	return arena_printf(b->a, "%d", PORT_BASE + (int)(n % PORT_COUNT));
}

/* Are there more ranks than nodes, so that some share their processors? */
static bool torch_is_crowded(const struct host *h)
{
	static const char *const names[] = { "SLURM_STEP_NUM_NODES", "SLURM_NNODES", NULL };
	const char *text = first_value(h, names);
	uint64_t nodes;

	if (text && num_u64(text, INT32_MAX, &nodes) == 0)
		return h->job.size > (int64_t)nodes;
	return h->job.local_size > 1;
}

static void torch_put(struct builder *b, struct strv *env, const char *name, const char *value)
{
	if (value && !env_get(env, name))
		env_put(b->a, env, arena_printf(b->a, "%s=%s", name, value));
}

static void torch_put_number(struct builder *b, struct strv *env, const char *name, int value)
{
	if (value >= 0)
		torch_put(b, env, name, arena_printf(b->a, "%d", value));
}

void torch_environment(struct builder *b, struct strv *env)
{
	const struct host_job *j = &b->host->job;

	if (j->kind != JOB_STEP) {
		plan_note(b, "--torch-env: no launcher has started this process (srun, mpirun): "
			     "nothing is set");
		return;
	}
	torch_put(b, env, "MASTER_ADDR", torch_address(b));
	torch_put(b, env, "MASTER_PORT", torch_port(b));
	torch_put_number(b, env, "WORLD_SIZE", j->size);
	torch_put_number(b, env, "RANK", j->rank);
	torch_put_number(b, env, "LOCAL_RANK", j->local_rank);
	torch_put_number(b, env, "LOCAL_WORLD_SIZE", j->local_size);
	if (torch_is_crowded(b->host))
		torch_put(b, env, "OMP_NUM_THREADS", "1");
	if (!env_get(env, "MASTER_ADDR"))
		plan_warn(b, "--torch-env: the first node of this launch is not known: "
			     "-e MASTER_ADDR=HOST");
}

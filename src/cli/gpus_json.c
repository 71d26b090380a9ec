/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpus_json.c - "gpurun gpus --json".  All members are always there; what is not known is null.
 */
#include <gpurun/json.h>
#include <gpurun/str.h>

#include "gpus.h"

/* A number, or null when it is negative. */
static void add_number(struct jsonw *j, const char *key, int64_t n)
{
	if (n < 0)
		jsonw_str(j, key, NULL);
	else
		jsonw_int(j, key, n);
}

static void add_flag(struct jsonw *j, const char *key, bool known, bool value)
{
	if (known)
		jsonw_bool(j, key, value);
	else
		jsonw_str(j, key, NULL);
}

static void add_users(struct jsonw *j, const struct gpu_nvml *n)
{
	if (!n->known) {
		jsonw_str(j, "users", NULL);
		return;
	}
	jsonw_begin_array(j, "users");
	for (size_t i = 0; i < n->n_users; i++) {
		jsonw_begin_object(j, NULL);
		jsonw_int(j, "pid", n->users[i].pid);
		jsonw_str(j, "user", gpus_user(j->a, n->users[i].pid));
		add_number(j, "memory", n->users[i].memory ? (int64_t)n->users[i].memory : -1);
		jsonw_end_object(j);
	}
	jsonw_end_array(j);
}

/* The indexes of the GPUs that NVLinks lead to. */
static void add_links(struct jsonw *j, const struct gpu_nvml *n)
{
	if (!n->known) {
		jsonw_str(j, "nvlinks", NULL);
		return;
	}
	jsonw_begin_array(j, "nvlinks");
	for (int i = 0; i < 64; i++)
		if (n->links >> i & 1)
			jsonw_int(j, NULL, i);
	jsonw_end_array(j);
}

static void add_nvml(struct jsonw *j, const struct gpu_nvml *n)
{
	const bool has_memory = n->known && n->memory_total;

	jsonw_str(j, "brand", n->brand);
	jsonw_str(j, "compute_capability",
		  n->cc_major ? arena_printf(j->a, "%d.%d", n->cc_major, n->cc_minor) : NULL);
	add_number(j, "memory_total", has_memory ? (int64_t)n->memory_total : -1);
	add_number(j, "memory_used", has_memory ? (int64_t)n->memory_used : -1);
	add_number(j, "utilization", n->known ? n->utilization : -1);
	add_users(j, n);
	add_links(j, n);
}

static void add_mig(struct jsonw *j, const struct gpus *v, const struct gpu *g,
		    const struct gpu_mig *m)
{
	jsonw_begin_object(j, NULL);
	add_number(j, "index", m->index);
	add_number(j, "gpu_instance", m->gi);
	add_number(j, "compute_instance", m->ci);
	jsonw_str(j, "uuid", m->uuid);
	jsonw_str(j, "profile", m->profile);
	jsonw_bool(j, "accessible", !m->denied);
	jsonw_str(j, "reason", m->denied);
	jsonw_bool(j, "auto", gpus_is_automatic(v, g, m));
	jsonw_end_object(j);
}

static void add_gpu(struct jsonw *j, const struct gpus *v, const struct gpu *g)
{
	jsonw_begin_object(j, NULL);
	jsonw_str(j, "backend", g->backend);
	add_number(j, "index", g->index);
	add_number(j, "minor", g->minor);
	jsonw_str(j, "pci", g->pci);
	jsonw_str(j, "uuid", g->uuid);
	jsonw_str(j, "model", g->model);
	jsonw_str(j, "node", g->node.path && *g->node.path ? g->node.path : NULL);
	jsonw_bool(j, "accessible", !g->denied);
	jsonw_str(j, "reason", g->denied);
	jsonw_bool(j, "auto", gpus_is_automatic(v, g, NULL));
	add_nvml(j, &g->nvml);
	add_flag(j, "mig_mode", g->nvml.known || g->n_migs, g->nvml.mig_mode || g->n_migs);
	jsonw_begin_array(j, "mig");
	for (size_t i = 0; i < g->n_migs; i++)
		add_mig(j, v, g, &g->migs[i]);
	jsonw_end_array(j);
	jsonw_end_object(j);
}

/* Who says which GPUs are the job's; see enum gpu_allotted. */
static const char *const deciders[] = {
	[GPU_ALLOTTED_ALL] = "nothing",
	[GPU_ALLOTTED_FILTER] = "device cgroup",
	[GPU_ALLOTTED_LIST] = "CUDA_VISIBLE_DEVICES",
	[GPU_ALLOTTED_NONE] = "no CUDA_VISIBLE_DEVICES",
};

static void add_job(struct jsonw *j, const struct gpus *v)
{
	const struct host_job *job = &v->host->job;

	if (job->kind == JOB_NONE) {
		jsonw_str(j, "job", NULL);
		return;
	}
	jsonw_begin_object(j, "job");
	jsonw_str(j, "launcher", job->launcher);
	jsonw_str(j, "id", job->id);
	jsonw_str(j, "step", job->step);
	add_number(j, "rank", job->rank);
	add_number(j, "local_rank", job->local_rank);
	add_number(j, "local_size", job->local_size);
	add_number(j, "gpus_on_node", job->node_gpus);
	jsonw_int(j, "gpus_usable", (int64_t)allotment_usable(v->set));
	jsonw_str(j, "decided_by", deciders[v->set->allotted]);
	jsonw_str(j, "warning", gpu_step_warning(j->a, v->set, &v->job.visible));
	jsonw_end_object(j);
}

void gpus_json(struct answer *w, const struct gpus *v)
{
	struct jsonw j = { .a = w->a };

	jsonw_begin_object(&j, NULL);
	jsonw_str(&j, "driver", v->set->driver_version);
	jsonw_bool(&j, "on_bus", v->set->on_bus);
	jsonw_bool(&j, "nvml", v->nvml);
	add_job(&j, v);
	jsonw_begin_array(&j, "gpus");
	for (size_t i = 0; i < v->set->n; i++)
		add_gpu(&j, v, &v->set->v[i]);
	jsonw_end_array(&j);
	jsonw_end_object(&j);
	answer_add(w, jsonw_text(&j, NULL));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor_job.c - layer "job": what the job that we run in means for containers.  In a step each
 * rank may get another answer: srun gpurun doctor.
 */
#include <gpurun/fd.h>
#include <gpurun/plan.h>
#include <gpurun/str.h>

#include "doctor.h"

#define CGROUP_MAX (64U << 10)

static bool is_in_job(const struct doctor *d)
{
	return d->host.job.kind != JOB_NONE;
}

static struct finding check_job(struct doctor *d)
{
	const struct host_job *j = &d->host.job;

	if (j->kind == JOB_BATCH)
		return doctor_ok(d,
				 "%s: a batch script or an interactive shell; each container is "
				 "its own",
				 j->id);
	if (j->local_rank < 0 || j->local_size < 0)
		return doctor_ok(d, "step %s of %s", j->step, j->launcher);
	return doctor_ok(d, "step %s of %s, local rank %d of %d", j->step, j->launcher,
			 j->local_rank, j->local_size);
}

static struct finding check_gpus(struct doctor *d)
{
	if (err_is_set(&d->job_failed))
		return doctor_error(d, FINDING_FAIL, &d->job_failed);
	if (d->job.note)
		return doctor_warn(d, NULL, "%s", d->job.note);
	if (d->host.gpus.allotted == GPU_ALLOTTED_NONE)
		return doctor_warn(d,
				   "ask Slurm for GPUs: --gres=gpu:1; where it manages none, say "
				   "which are yours: export CUDA_VISIBLE_DEVICES=0",
				   "%s", allotment_describe(d->a, &d->host));
	return doctor_ok(d, "%s", allotment_describe(d->a, &d->host));
}

/* ---- the device filter -------------------------------------------------------------------- */

/* Where we are in the hierarchy of version 1 that has @controller: "4:devices:/slurm/job_7" */
static const char *v1_path(const struct doctor *d, const char *controller)
{
	_cleanup_fd_ int fd = root_open(d->root.fd, "/proc/self/cgroup", O_RDONLY, 0);
	struct strv lines = { 0 };
	char *text = NULL;

	if (fd < 0 || fd_read_text(fd, d->a, CGROUP_MAX, &text, NULL) < 0)
		return NULL;
	str_split(d->a, text, '\n', &lines);
	for (size_t i = 0; i < lines.n; i++) {
		struct strv fields = { 0 }, names = { 0 };

		str_split(d->a, lines.v[i], ':', &fields);
		if (fields.n < 3)
			continue;
		str_split(d->a, fields.v[1], ',', &names);
		if (strv_has(&names, controller))
			return fields.v[2];
	}
	return NULL;
}

/*
 * Nobody but root may ask which BPF programs there are.  Version 1 is what denies where we are in
 * a group of its own: Slurm does not mix the two.
 */
static const char *filter_name(const struct doctor *d)
{
	const char *path = v1_path(d, "devices");

	if (path && !str_eq(path, "/"))
		return arena_printf(d->a, "cgroup version 1, devices:%s", path);
	return "cgroup version 2, a BPF program";
}

static struct finding check_filter(struct doctor *d)
{
	size_t open = allotment_usable(&d->job.all);

	if (d->host.gpus.allotted == GPU_ALLOTTED_FILTER)
		return doctor_ok(d, "%s: %zu of %zu GPUs open", filter_name(d), open, d->job.all.n);
	if (allotment_usable(&d->host.gpus) == open)
		return doctor_ok(d, "none is seen, and the job may use all GPUs that open");
	return doctor_warn(d, "the site's to change: ConstrainDevices=yes in Slurm's cgroup.conf",
			   "none: nothing but CUDA_VISIBLE_DEVICES keeps jobs from each other's "
			   "GPUs");
}

/* ---- the ranks of a node ------------------------------------------------------------------ */

static struct finding check_peers(struct doctor *d)
{
	const struct gpu_visible *v = &d->job.visible;
	const char *warning = gpu_step_warning(d->a, &d->host.gpus, v);

	if (warning)
		return doctor_warn(d, NULL, "%s", warning);
	if (d->host.job.kind != JOB_STEP || v->local_size == 1)
		return doctor_skip(d, "no other rank on this node");
	if (v->node_gpus < 0)
		return doctor_skip(d, "the launcher does not tell how many GPUs the job has");
	return doctor_ok(d, "no device filter parts the ranks of this node");
}

static struct finding check_sharing(struct doctor *d)
{
	if (d->host.job.kind != JOB_STEP)
		return doctor_skip(d, "only the ranks of a step share a container");
	if (!plan_will_share(d->q, &d->host))
		return doctor_ok(d, "off%s: each rank has a container of its own",
				 d->host.uid == 0 ? ", because we are root" : "");
	return doctor_ok(d, "the ranks of this node share one container");
}

static struct finding check_landlock(struct doctor *d)
{
	if (!plan_will_share(d->q, &d->host))
		return doctor_ok(d, "as outside of jobs");
	return doctor_ok(d, "off: ranks in two Landlock domains could not read each other's memory "
			    "(CMA, CUDA IPC); the job's device filter and the container's own /dev "
			    "stand");
}

static const struct check rows[] = {
	{ "job", 0, check_job },
	{ "GPUs of this task", NEED_GPU, check_gpus },
	{ "device filter", NEED_GPU, check_filter },
	{ "peer-to-peer", NEED_GPU, check_peers },
	{ "sharing", 0, check_sharing },
	{ "landlock in a step", 0, check_landlock },
};
const struct check_layer doctor_layer_job = { "job", rows, ELEMENTS(rows), is_in_job };

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job-host.h - job_edits() on a host that is a directory of ours, in a job of which a test
 * changes the variables; and look-ups in the result.
 */
#ifndef GPURUN_TEST_JOB_HOST_H
#define GPURUN_TEST_JOB_HOST_H

#include <sys/stat.h>

#include <gpurun/job.h>

#include "gpu-host.h"

struct job_case {
	struct gpu_host dir;
	struct strv environ;
	struct host host;
	struct job_options o;
	struct edits ed;
	struct strv warn;
	struct err e;
};

static TAP_UNUSED void job_case_new(struct job_case *c, struct arena *a)
{
	*c = (struct job_case){ 0 };
	gpu_host_new(&c->dir, a);
	c->host.job = (struct host_job){ .kind = JOB_STEP, .launcher = "slurm", .id = "7" };
	c->host.rlimits[RLIMIT_MEMLOCK].rlim_max = RLIM_INFINITY;
}

static TAP_UNUSED void job_case_free(struct job_case *c)
{
	gpu_host_free(&c->dir);
}

/* A variable "K=V" of the host. */
static TAP_UNUSED void job_var(struct job_case *c, const char *entry)
{
	strv_push(c->dir.a, &c->environ, entry);
}

static TAP_UNUSED void job_put(struct job_case *c, const char *path, const char *text)
{
	gpu_host_put(&c->dir, path, text);
}

static TAP_UNUSED void job_mkdir(struct job_case *c, const char *path)
{
	fd_close(root_mkdirs(c->dir.fd, path, 0755));
}

static TAP_UNUSED void job_link(struct job_case *c, const char *path, const char *target)
{
	if (symlinkat(target, c->dir.fd, path) < 0)
		abort();
}

static TAP_UNUSED void job_mode(struct job_case *c, const char *path, mode_t mode)
{
	if (fchmodat(c->dir.fd, path, mode, 0) < 0)
		abort();
}

/* A character device, as a test's directory has it. */
static TAP_UNUSED void job_node(struct job_case *c, const char *path)
{
	job_put(c, path, "c 231 192 rw\n");
}

static TAP_UNUSED int job_look(struct job_case *c)
{
	const struct sysroot root = { .fd = c->dir.fd, .label = c->dir.path };

	c->host.environ = c->environ.v;
	c->ed = (struct edits){ 0 };
	c->warn = (struct strv){ 0 };
	c->e = (struct err){ 0 };
	return job_edits(c->dir.a, &root, &c->host, &c->o, &c->ed, &c->warn, &c->e);
}

static TAP_UNUSED const struct op *job_find(const struct op_list *l, const char *dst)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].dst, dst))
			return &l->v[i];
	return NULL;
}

/* The operation on @dst, wherever it is, or NULL. */
static TAP_UNUSED const struct op *job_op(const struct job_case *c, const char *dst)
{
	const struct op *op = job_find(&c->ed.files, dst);

	return op ? op : job_find(&c->ed.ops, dst);
}

#endif

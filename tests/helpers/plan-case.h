/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan-case.h - an ordinary host, image and request, which a test changes before it builds the
 * plan; and look-ups in the result.
 */
#ifndef GPURUN_TEST_PLAN_CASE_H
#define GPURUN_TEST_PLAN_CASE_H

#include <gpurun/host.h>
#include <gpurun/image.h>
#include <gpurun/plan.h>
#include <gpurun/request.h>
#include <gpurun/str.h>

struct plan_case {
	struct arena *a;
	struct request req;
	struct host host;
	struct image image;
	struct edits gpu;
	struct strv gpu_names, top_entries;
	struct plan_input in;
	const struct plan *p;
	struct err e;
};

static __attribute__((unused)) void case_init(struct plan_case *c, struct arena *a)
{
	static const char *const environ[] = { "TERM=xterm-256color",
					       "LANG=de_DE.UTF-8",
					       "PATH=/host/bin",
					       "HOME=/host/home",
					       "NCCL_DEBUG=INFO",
					       "https_proxy=http://p:1",
					       NULL };

	*c = (struct plan_case){ .a = a };
	c->req.image = "image.tar";
	strv_push(a, &c->req.args, "true");
	c->host = (struct host){
		.uid = 1000,
		.gid = 1000,
		.user = "alice",
		.group = "alice",
		.home = "/home/alice",
		.hostname = "node7",
		.cwd = "/home/alice/project",
		.arch = "amd64",
		.environ = environ,
		.mem_total = UINT64_C(64) << 30,
		.mem_limit = UINT64_C(16) << 30,
		.landlock_abi = 7,
		.overlay = true,
		.proc_fresh = true,
		.files = { .sys = true, .mqueue = true },
		.etc_hosts = "127.0.0.1 localhost\n",
		.state_dir = "/run/user/1000/gpurun",
	};
	for (int i = 0; i < RLIM_NLIMITS; i++)
		c->host.rlimits[i] = (struct rlimit){ 1024, 8192 };
	c->image.name = "image.tar";
	c->image.passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
	c->image.group = "root:x:0:\nvideo:x:44:\n";
	strv_push(a, &c->image.lowers, "/store/layers/top");
	strv_push(a, &c->image.lowers, "/store/layers/bottom");
	c->gpu.source = "gpu";
}

/* Build with what the case holds now; the return value of plan_build(). */
static __attribute__((unused)) int case_build(struct plan_case *c)
{
	c->e = (struct err){ 0 };
	c->p = NULL;
	c->in.request = &c->req;
	c->in.host = &c->host;
	c->in.image = &c->image;
	c->in.gpu = &c->gpu;
	c->in.gpu_names = &c->gpu_names;
	c->in.n_gpus = c->gpu_names.n;
	c->in.top_entries = &c->top_entries;
	return plan_build(c->a, &c->in, &c->p, &c->e);
}

/* The last operation on @dst, or NULL; its position. */
static __attribute__((unused)) const struct op *case_op(const struct plan_case *c, const char *dst)
{
	const struct op_list *l = &c->p->container.ops;

	for (size_t i = l->n; i-- > 0;)
		if (str_eq(l->v[i].dst, dst))
			return &l->v[i];
	return NULL;
}

static __attribute__((unused)) size_t case_at(const struct plan_case *c, const char *dst)
{
	const struct op *op = case_op(c, dst);

	return op ? (size_t)(op - c->p->container.ops.v) : SIZE_MAX;
}

static __attribute__((unused)) const char *case_env(const struct plan_case *c, const char *name)
{
	const struct strv *env = &c->p->process.env;
	size_t n = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
			return env->v[i] + n + 1;
	return NULL;
}

/* Is @word part of one of the lines? */
static __attribute__((unused)) bool case_says(const struct strv *lines, const char *word)
{
	for (size_t i = 0; i < lines->n; i++)
		if (strstr(lines->v[i], word))
			return true;
	return false;
}

#endif

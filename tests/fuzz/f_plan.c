/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request, a host and an image from the bytes: a plan that is built passes plan_check(), and
 * no request gets around it ("plan check:" is our own mistake); its dump is JSON.
 */
#include <stdlib.h>
#include <string.h>

#include <gpurun/json.h>

#include "../helpers/plan-case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	struct arena *a;
	const uint8_t *p;
	size_t n;
};

static unsigned int pick(struct bytes *b, unsigned int below)
{
	if (b->n == 0)
		return 0;
	b->n--;
	return *b->p++ % below;
}

/* A string: up to the next byte 0xff, or a common one. */
static const char *text(struct bytes *b)
{
	static const char *const common[] = { "/",    "/proc", "/dev/../etc",   "0:0",
					      "ALL",  "A=b",   "CAP_SYS_ADMIN", "/home/alice",
					      "root", "",      "/.gpurun" };
	unsigned int i = pick(b, 32);
	size_t n = 0;
	const char *s;

	if (i < ELEMENTS(common))
		return common[i];
	while (n < b->n && b->p[n] != 0xff)
		n++;
	s = arena_strndup(b->a, (const char *)b->p, n);
	b->p += n;
	b->n -= n;
	if (b->n)
		pick(b, 1);
	return s;
}

static const char *maybe(struct bytes *b)
{
	return pick(b, 4) ? NULL : text(b);
}

static void list(struct bytes *b, struct strv *v)
{
	for (unsigned int n = pick(b, 4); n > 0; n--)
		strv_push(b->a, v, text(b));
}

static void fill_request(struct bytes *b, struct request *q)
{
	list(b, &q->args);
	for (unsigned int n = pick(b, 4); n > 0; n--) {
		struct req_mount m = { .type = pick(b, 2) ? REQ_BIND : REQ_TMPFS,
				       .src = text(b),
				       .dst = text(b),
				       .read_only = pick(b, 2),
				       .nodev = pick(b, 2),
				       .why = "--volume" };

		VEC_PUSH(b->a, q->mounts, q->n_mounts, q->cap_mounts, m);
	}
	for (unsigned int n = pick(b, 3); n > 0; n--) {
		struct req_ulimit u = { (int)pick(b, 20), "x", pick(b, 255), pick(b, 255) };

		VEC_PUSH(b->a, q->ulimits, q->n_ulimits, q->cap_ulimits, u);
	}
	list(b, &q->devices);
	q->workdir = maybe(b);
	q->cwd = pick(b, 3);
	q->home = pick(b, 3);
	q->user = maybe(b);
	q->root = pick(b, 2);
	q->read_only = pick(b, 2);
	q->hostname = maybe(b);
	list(b, &q->env_file);
	list(b, &q->env);
	q->env_host = maybe(b);
	q->entrypoint = maybe(b);
	q->pid = pick(b, 3);
	q->ipc = pick(b, 3);
	q->uts = pick(b, 3);
	q->net = pick(b, 2);
	list(b, &q->dns);
	list(b, &q->add_host);
	q->landlock = pick(b, 3);
	list(b, &q->mask);
	list(b, &q->unmask);
	list(b, &q->cap_add);
	list(b, &q->cap_drop);
	q->nested = pick(b, 2);
	q->no_init = pick(b, 2);
	q->share = pick(b, 3) ? NULL : pick(b, 2) ? "step" : "none";
	q->tty = pick(b, 3);
	q->contain = pick(b, 2);
	q->torch_env = pick(b, 2);
	q->audit_end = pick(b, 2);
	q->userns = pick(b, 8) ? USERNS_SINGLE : USERNS_SUBID;
}

static void fill_image(struct bytes *b, struct image *i)
{
	i->passwd = text(b);
	i->group = text(b);
	list(b, &i->config.env);
	list(b, &i->config.entrypoint);
	list(b, &i->config.cmd);
	i->config.workdir = maybe(b);
	i->config.user = maybe(b);
	i->apt = pick(b, 2);
}

static void fill_host(struct bytes *b, struct host *h)
{
	h->uid = pick(b, 3) ? 1000 : 0;
	h->user = text(b);
	h->home = pick(b, 2) ? "/home/alice" : "/";
	h->cwd = maybe(b);
	if (h->cwd && h->cwd[0] != '/')
		h->cwd = "/srv";
	h->overlay = pick(b, 4);
	h->proc_fresh = pick(b, 4);
	h->landlock_abi = (int)pick(b, 8);
	h->files.sys = pick(b, 2);
	h->files.mqueue = pick(b, 2);
}

/* A job, and what comes with it. */
static void fill_job(struct bytes *b, struct host *h, struct edits *ed)
{
	static const enum job_kind kinds[] = { JOB_NONE, JOB_BATCH, JOB_STEP };
	struct strv env = { 0 };

	h->job.kind = kinds[pick(b, 3)];
	if (h->job.kind == JOB_STEP) {
		h->job.step = "7.0";
		h->job.key = text(b);
	}
	h->job.rank = (int)pick(b, 9) - 1;
	h->job.size = (int)pick(b, 9) - 1;
	h->stdin_tty = h->stdout_tty = pick(b, 2);
	strv_push(b->a, &env, arena_printf(b->a, "SLURM_STEP_NODELIST=%s", text(b)));
	strv_push(b->a, &env, arena_printf(b->a, "SLURM_SUBMIT_DIR=%s", text(b)));
	list(b, &env);
	h->environ = env.v;
	for (unsigned int n = pick(b, 4); n > 0; n--) {
		struct op op = { .kind = pick(b, 2) ? OP_BIND : OP_BIND_DEV,
				 .src = path_clean(b->a, text(b)),
				 .flags = OPF_OPTIONAL,
				 .why = "job" };

		op.dst = pick(b, 2) ? op.src : path_join(b->a, "/dev", text(b));
		if (str_eq(op.dst, "/") || path_below(op.dst, "/.gpurun"))
			continue;
		VEC_PUSH(b->a, ed->ops.v, ed->ops.n, ed->ops.cap, op);
	}
	list(b, &ed->env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	struct bytes b = { a, data, size };
	const struct json *tree;
	const char *dump;
	struct edits job = { .source = "job" };
	struct plan_case c;

	case_init(&c, a);
	c.req.args.n = 0;
	fill_request(&b, &c.req);
	fill_image(&b, &c.image);
	fill_host(&b, &c.host);
	list(&b, &c.top_entries);
	c.in.scratch_dir = pick(&b, 3) ? NULL : "/scratch";
	c.in.keep_dir = pick(&b, 3) ? NULL : "/keep";
	c.req.keep = c.in.keep_dir;
	fill_job(&b, &c.host, &job);
	c.in.job = &job;
	if (case_build(&c) < 0) {
		if (!c.e.msg[0] || str_after(c.e.msg, "plan check:"))
			abort();
		return 0;
	}
	if (plan_check(c.p, &c.e) < 0)
		abort();
	dump = plan_dump(a, c.p);
	if (json_parse(a, dump, strlen(dump), "plan", &tree, &c.e) < 0)
		abort();
	return 0;
}

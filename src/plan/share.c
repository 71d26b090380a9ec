/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container for the ranks of a step: when, and how they find each other.
 *
 * Ranks share when they would make the same container: the key is a number of all that a
 * container is made of.  Two things are left out, for they may differ from rank to rank where
 * the container need not: the GPUs that a rank may open (the container holds those of the whole
 * step), and its terminal.
 */
#include <errno.h>

#include <gpurun/str.h>

#include "build.h"

bool plan_will_share(const struct request *req, const struct host *h)
{
	return h->job.kind == JOB_STEP && h->uid != 0 &&
	       !(req->share && str_eq(req->share, "none"));
}

static int share_refuse(struct err *e, int code, const char *what, const char *hint)
{
	err_set(e, code, "%s", what);
	if (hint)
		err_hint(e, "%s", hint);
	return -code;
}

int plan_share(struct builder *b, struct err *e)
{
	const struct request *q = b->req;
	bool asked = q->share && str_eq(q->share, "step");

	b->shared = plan_will_share(q, b->host);
	if (asked && b->host->job.kind != JOB_STEP)
		return share_refuse(e, EINVAL,
				    "--share step: not in a step (a task of srun, or a rank of "
				    "mpirun)",
				    "srun gpurun ...");
	if (asked && !b->shared)
		return share_refuse(
			e, EPERM,
			"--share step: not as root: only Landlock keeps root's container "
			"from the programs of the host, and ranks that share cannot "
			"have it",
			NULL);
	if (!b->shared) {
		if (b->host->job.kind == JOB_STEP && b->real_root && !q->share && q->verbose)
			plan_note(b, "started by root: the ranks of this step do not share a "
				     "container");
		return 0;
	}
	if (q->pid == NS_PRIVATE)
		return share_refuse(e, EINVAL,
				    "--pid private: not in a container that the ranks of a step "
				    "share (its pid 1 would have to outlive every rank)",
				    "a container for each rank: --share none");
	if (q->userns == USERNS_SUBID)
		return share_refuse(e, EINVAL,
				    "--userns subid: not in a container that the ranks of a step "
				    "share",
				    "a container for each rank: --share none");
	if (q->landlock == TRI_ON)
		return share_refuse(e, EINVAL,
				    "--security-opt landlock=on: not in a container that the ranks "
				    "of a step share (they could not read each other's memory)",
				    "a container for each rank: --share none");
	return 0;
}

/* ---- the key ---------------------------------------------------------------------------- */

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* A 64-bit FNV-1a over fields that cannot run into each other. */
static void hash_bytes(uint64_t *h, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		*h = (*h ^ p[i]) * FNV_PRIME;
}

static void hash_number(uint64_t *h, uint64_t v)
{
	hash_bytes(h, &v, sizeof(v));
}

static void hash_text(uint64_t *h, const char *s)
{
	hash_number(h, s ? strlen(s) + 1 : 0);
	if (s)
		hash_bytes(h, s, strlen(s));
}

static void hash_list(uint64_t *h, const struct strv *list)
{
	hash_number(h, list->n);
	for (size_t i = 0; i < list->n; i++)
		hash_text(h, list->v[i]);
}

/* Sizes that follow from the machine's memory are left out: a rank may have a limit of its own. */
static void hash_size(uint64_t *h, const struct builder *b, uint64_t size)
{
	hash_number(h, size == plan_half_memory(b->host) ? 0 : size);
}

static void hash_op(uint64_t *h, const struct builder *b, const struct op *op)
{
	hash_number(h, op->kind);
	hash_text(h, op->src);
	hash_text(h, op->dst);
	hash_number(h, op->attrs);
	hash_number(h, op->propagation);
	hash_size(h, b, op->size);
	hash_number(h, op->rdev);
	hash_number(h, op->mode);
	hash_number(h, op->flags);
	hash_number(h, op->data_len);
	if (op->data)
		hash_bytes(h, op->data, op->data_len);
}

/* Is this operation one of the list's?  (They are taken over as they are.) */
static bool op_is_of(const struct op_list *l, const struct op *op)
{
	for (size_t i = 0; i < l->n; i++)
		if (op->dst == l->v[i].dst && op->why == l->v[i].why && op->kind == l->v[i].kind)
			return true;
	return false;
}

static void hash_ops(uint64_t *h, const struct builder *b)
{
	const struct op_list *l = &b->p->container.ops;
	const struct edits *gpu = b->in->gpu;

	for (size_t i = 0; i < l->n; i++)
		if (!bundle_is_of_rank(b, &l->v[i]) && !op_is_of(&gpu->files, &l->v[i]) &&
		    !op_is_of(&gpu->ops, &l->v[i]) && !str_eq(l->v[i].dst, PLAN_CONSOLE))
			hash_op(h, b, &l->v[i]);
}

static void hash_root(uint64_t *h, const struct builder *b)
{
	const struct plan_root *r = &b->p->container.root;

	hash_number(h, r->kind);
	hash_list(h, &r->lowers);
	hash_text(h, r->fresh ? b->req->scratch : r->upper); /* a fresh one has a name of its own */
	hash_size(h, b, r->size);
	hash_number(h, r->read_only);
	hash_text(h, r->base);
}

static void hash_gpu_request(uint64_t *h, const struct request *q)
{
	hash_text(h, q->gpus);
	hash_text(h, q->gpu_caps);
	hash_text(h, q->cuda_compat);
	hash_text(h, q->driver_root);
	hash_text(h, q->mps);
	hash_text(h, q->imex);
	hash_number(h, (uint64_t)q->gds << 3 | (uint64_t)q->gdrcopy << 2 | (uint64_t)q->mofed << 1 |
			       (uint64_t)q->nvswitch);
	hash_list(h, &q->cdi);
}

/* Ranks read each other's memory: only with the same capabilities, and behind the same filter. */
static void hash_rights(uint64_t *h, const struct plan_process *p)
{
	const struct plan_caps *caps = &p->caps;

	hash_text(h, p->seccomp_name);
	hash_text(h, p->seccomp_digest); /* the file may change between two ranks */
	hash_number(h, caps->bounding);
	hash_number(h, caps->keep);
	hash_number(h, caps->ambient);
}

int plan_share_key(struct builder *b, struct err *e)
{
	struct plan_container *c = &b->p->container;
	uint64_t h = FNV_BASIS;

	(void)e;
	if (!b->shared)
		return 0;
	hash_text(&h, b->host->job.key);
	hash_text(&h, b->image->id);
	hash_number(&h, c->namespaces);
	hash_number(&h, (uint64_t)c->uid_outside << 32 | c->uid_inside);
	hash_number(&h, (uint64_t)c->gid_outside << 32 | c->gid_inside);
	hash_text(&h, c->hostname);
	hash_root(&h, b);
	hash_ops(&h, b);
	hash_gpu_request(&h, b->req);
	hash_rights(&h, &b->p->process);
	c->share_key = arena_printf(b->a, "%s-%016llx", b->host->job.step, (unsigned long long)h);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count=N: which N of more GPUs.  Idle ones first, as far as NVML told; among them those that
 * NVLink joins; else the first in PCI order.  Two starts at the same moment may take the same.
 */
#include <stdlib.h>

#include <gpurun/str.h>

#include "choose.h"

/* A GPU that nobody uses still has this much of the driver's own in its memory. */
#define IDLE_MEMORY      ((uint64_t)1 << 30)
#define IDLE_UTILIZATION 5  /* per cent */
#define LINKS_INDEX_MAX  64 /* bits of gpu_nvml.links */

/* How busy a GPU is; not knowing is between idle and in use. */
enum pick_load { LOAD_IDLE, LOAD_UNKNOWN, LOAD_USED };

struct pick {
	const struct gpu *gpu;
	size_t at;     /* in the set */
	size_t degree; /* links to those that are taken */
	bool taken;
};
struct picks {
	struct pick *v;
	size_t n, cap;
};

static enum pick_load pick_load(const struct gpu *g)
{
	const struct gpu_nvml *x = &g->nvml;

	if (!x->known)
		return LOAD_UNKNOWN;
	return x->n_users || x->memory_used > IDLE_MEMORY || x->utilization > IDLE_UTILIZATION
		       ? LOAD_USED
		       : LOAD_IDLE;
}

/* The idle before the unknown before the used; the used by memory; else PCI order. */
static int pick_compare(const void *x, const void *y)
{
	const struct pick *a = x, *b = y;
	enum pick_load la = pick_load(a->gpu), lb = pick_load(b->gpu);
	uint64_t ma = a->gpu->nvml.memory_used, mb = b->gpu->nvml.memory_used;

	if (la != lb)
		return la < lb ? -1 : 1;
	if (la == LOAD_USED && ma != mb)
		return ma < mb ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

static bool pick_linked(const struct gpu *a, const struct gpu *b)
{
	return (b->index < LINKS_INDEX_MAX && a->nvml.links >> b->index & 1) ||
	       (a->index < LINKS_INDEX_MAX && b->nvml.links >> a->index & 1);
}

static void pick_take(struct picks *p, struct pick *taken)
{
	taken->taken = true;
	for (size_t i = 0; i < p->n; i++)
		p->v[i].degree += pick_linked(p->v[i].gpu, taken->gpu);
}

/* Take @want of the first @pool, from @start on, each the best linked; returns how many links. */
static size_t pick_grow(struct picks *p, size_t pool, size_t start, size_t want)
{
	size_t links = 0;

	for (size_t i = 0; i < p->n; i++) {
		p->v[i].taken = false;
		p->v[i].degree = 0;
	}
	pick_take(p, &p->v[start]);
	for (size_t n = 1; n < want; n++) {
		struct pick *best = NULL;

		for (size_t i = 0; i < pool; i++)
			if (!p->v[i].taken && (!best || p->v[i].degree > best->degree))
				best = &p->v[i];
		if (!best)
			break;
		links += best->degree;
		pick_take(p, best);
	}
	return links;
}

/* The idle when there are enough of them, else the first @want of all: how many to choose from. */
static size_t pick_pool(const struct picks *p, size_t want)
{
	size_t idle = 0;

	while (idle < p->n && pick_load(p->v[idle].gpu) == LOAD_IDLE)
		idle++;
	return idle >= want ? idle : want;
}

/* "idle, linked", "not idle: 2", "NVML did not say which are idle" */
static const char *pick_why(struct arena *a, const struct picks *p, size_t want, size_t links)
{
	const char *used = NULL;
	size_t unknown = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct gpu *g = p->v[i].gpu;

		if (!p->v[i].taken)
			continue;
		unknown += pick_load(g) == LOAD_UNKNOWN;
		if (pick_load(g) == LOAD_USED)
			used = arena_printf(a, "%s%d", used ? arena_printf(a, "%s, ", used) : "",
					    g->index);
	}
	if (used)
		return arena_printf(a, "too few are idle; in use: %s", used);
	if (unknown)
		return "NVML did not say which are idle";
	return want > 1 && links == want * (want - 1) / 2 ? "idle, linked by NVLink" : "idle";
}

const char *gpu_pick(struct arena *a, const struct gpu_set *set, const struct gpu_sel *sel,
		     bool *marks)
{
	struct picks p = { 0 };
	size_t pool, best = 0, best_links = 0;
	const char *list = "";

	for (size_t i = 0; i < set->n; i++)
		if (gpu_usable(&set->v[i]))
			VEC_PUSH(a, p.v, p.n, p.cap, ((struct pick){ .gpu = &set->v[i], .at = i }));
	if (!p.n)
		return NULL;
	qsort(p.v, p.n, sizeof(*p.v), pick_compare);
	pool = pick_pool(&p, sel->count);
	for (size_t i = 0; i < pool; i++) {
		size_t links = pick_grow(&p, pool, i, sel->count);

		if (links > best_links) {
			best = i;
			best_links = links;
		}
	}
	(void)pick_grow(&p, pool, best, sel->count);
	for (size_t i = 0; i < p.n; i++)
		if (p.v[i].taken)
			marks[p.v[i].at] = true;
	for (size_t i = 0; i < set->n; i++)
		if (marks[i])
			list = arena_printf(a, "%s%s%d", list, *list ? ", " : "", set->v[i].index);
	return arena_printf(a, "--gpus %s: took %s (%s)", sel->text, list,
			    pick_why(a, &p, sel->count, best_links));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container for all ranks of a step: which GPUs it holds, and which of them are this rank's
 * (pure).
 *
 * With --gpus-per-task each task opens another GPU, and the first of them makes the container:
 * it binds the nodes of all, which no device cgroup is asked about.  Inside, CUDA counts those
 * that the rank can open.
 */
#include <errno.h>

#include <gpurun/allot.h>
#include <gpurun/str.h>

#include "choose.h"

/* ---- what the container holds ---------------------------------------------------------------- */

/* SLURM_GPUS_ON_NODE is the step's number also where a task has fewer. */
static bool is_all_of_node(const struct gpu_set *ours, const struct gpu_visible *visible)
{
	size_t mine = gpu_count_usable(ours);

	if (visible->local_size == 1)
		return true;
	if (visible->node_gpus >= 0)
		return mine >= (size_t)visible->node_gpus;
	return visible->slurm && mine == 0; /* nobody was given any */
}

/* Another rank may open what a device cgroup keeps from us; what is broken is so for all. */
static bool may_be_opened(const char *denied, int error)
{
	return !denied || error == EPERM;
}

static bool gpu_may_be_opened(const struct gpu *g)
{
	return g->node.path && *g->node.path && g->node.rdev &&
	       may_be_opened(g->denied, g->denied_errno);
}

static bool mig_may_be_opened(const struct gpu_mig *m)
{
	return may_be_opened(m->denied, m->denied_errno) && m->access[0].rdev && m->access[1].rdev;
}

/* A copy in which nothing is denied that another rank may be able to open. */
static const struct gpu *gpu_for_all(struct arena *a, const struct gpu *g)
{
	struct gpu *copy = ARENA_NEW(a, struct gpu);

	*copy = *g;
	copy->migs = arena_grow(a, g->migs, g->n_migs, g->n_migs + 1, sizeof(*g->migs));
	for (size_t i = 0; i < copy->n_migs; i++)
		if (mig_may_be_opened(&copy->migs[i]))
			copy->migs[i].denied = NULL;
	return copy;
}

int gpu_step_union(struct arena *a, const struct gpu_set *all, const struct gpu_set *ours,
		   const struct gpu_visible *visible, struct gpu_choices *ret)
{
	bool mine_only = is_all_of_node(ours, visible);
	const struct gpu_set *set = mine_only ? ours : all;
	struct gpu_choices held = { 0 };

	for (size_t i = 0; i < set->n; i++) {
		const struct gpu *g = &set->v[i];
		struct gpu_choice c = { .gpu = g };

		if (mine_only ? !gpu_usable(g) : !gpu_may_be_opened(g))
			continue;
		if (!mine_only)
			c.gpu = gpu_for_all(a, g);
		VEC_PUSH(a, held.v, held.n, held.cap, c);
	}
	*ret = held;
	return 0;
}

/* ---- which are this rank's ------------------------------------------------------------------- */

struct inside {
	struct arena *a;
	const struct gpu_choices *chosen, *held;
	const char *text; /* what is put together */
};

static bool is_same_gpu(const struct gpu *x, const struct gpu *y)
{
	return x == y || str_eq(x->pci, y->pci);
}

/* Is the choice at @i the first of its GPU?  MIG devices stand behind each other. */
static bool is_first(const struct gpu_choices *v, size_t i)
{
	return i == 0 || !is_same_gpu(v->v[i - 1].gpu, v->v[i].gpu);
}

/* How many GPUs before @g, or with NULL at all, can this rank open in the container? */
static size_t count_openable(const struct gpu_choices *held, const struct gpu *g)
{
	size_t n = 0;

	for (size_t i = 0; i < held->n; i++) {
		if (g && is_same_gpu(held->v[i].gpu, g))
			break;
		n += is_first(held, i) && gpu_usable(held->v[i].gpu);
	}
	return n;
}

static void add_word(struct inside *in, const char *word)
{
	in->text = in->text ? arena_printf(in->a, "%s,%s", in->text, word) : word;
}

static void add_position(struct inside *in, const struct gpu *g)
{
	add_word(in, arena_printf(in->a, "%zu", count_openable(in->held, g)));
}

/* All that were chosen, in PCI order; a MIG device by the only name that CUDA has for it. */
static void add_chosen(struct inside *in)
{
	for (size_t i = 0; i < in->chosen->n; i++) {
		const struct gpu_choice *c = &in->chosen->v[i];

		if (c->mig && c->mig->uuid)
			add_word(in, c->mig->uuid);
		else if (is_first(in->chosen, i))
			add_position(in, c->gpu);
	}
}

/* The numbers of the list, if it has nothing else and none twice, as many as there are GPUs. */
static bool read_numbers(struct inside *in, const char *list, uint64_t *numbers)
{
	char word[VISIBLE_WORD_MAX];
	size_t n = 0;

	while (visible_next(&list, word)) {
		if (n == in->chosen->n || num_u64(word, INT32_MAX, &numbers[n]) < 0)
			return false;
		for (size_t i = 0; i < n; i++)
			if (numbers[i] == numbers[n])
				return false;
		n++;
	}
	return n == in->chosen->n;
}

/*
 * As many numbers as GPUs, of whatever machine they are: only their order counts.  This is what
 * schedulers leave that filter devices and number the whole machine all the same.
 */
static bool add_in_order(struct inside *in, const char *list)
{
	uint64_t *numbers = ARENA_ARRAY(in->a, uint64_t, in->chosen->n);

	if (!read_numbers(in, list, numbers))
		return false;
	for (size_t i = 0; i < in->chosen->n; i++) {
		size_t rank = 0;

		for (size_t k = 0; k < in->chosen->n; k++)
			rank += numbers[k] < numbers[i];
		add_position(in, in->chosen->v[rank].gpu);
	}
	return true;
}

static const struct gpu *find_number(const struct inside *in, uint64_t number)
{
	for (size_t i = 0; i < in->chosen->n; i++)
		if ((uint64_t)in->chosen->v[i].gpu->number == number)
			return in->chosen->v[i].gpu;
	return NULL;
}

/* Word by word; the first that means nothing ends the list, as for CUDA. */
static void add_listed(struct inside *in, const char *list)
{
	char word[VISIBLE_WORD_MAX];

	while (visible_next(&list, word)) {
		const struct gpu *g;
		struct sel_item item;

		if (!visible_item(word, &item))
			return;
		if (item.kind != SEL_INDEX) {
			add_word(in, arena_strdup(in->a, word));
			continue;
		}
		g = find_number(in, item.gpu);
		if (!g)
			return;
		add_position(in, g);
	}
}

static bool holds_only_chosen(const struct inside *in)
{
	size_t n = 0;

	for (size_t i = 0; i < in->chosen->n; i++) {
		n += is_first(in->chosen, i);
		if (in->chosen->v[i].mig)
			return in->held->v == in->chosen->v;
	}
	return n == count_openable(in->held, NULL);
}

const char *gpu_list_inside(struct arena *a, const struct gpu_choices *chosen,
			    const struct gpu_choices *held, const struct gpu_visible *visible)
{
	struct inside in = { .a = a, .chosen = chosen, .held = held };
	const char *list = visible ? visible->devices : NULL;

	if (!held->n)
		return NULL;
	if (!chosen->n)
		return "";
	if (!list && holds_only_chosen(&in))
		return NULL;
	if (list && !visible_gives(list))
		return list; /* hidden from CUDA, who may open them */
	if (list && !add_in_order(&in, list))
		add_listed(&in, list);
	if (!in.text)
		add_chosen(&in);
	return in.text;
}

/* ---- what breaks ------------------------------------------------------------------------- */

const char *gpu_step_warning(struct arena *a, const struct gpu_set *ours,
			     const struct gpu_visible *visible)
{
	size_t mine = gpu_count_usable(ours);

	for (size_t i = 0; i < ours->n; i++)
		if (gpu_usable(&ours->v[i]) && ours->v[i].n_migs)
			return NULL; /* MIG devices never reach each other */
	/* without a device cgroup CUDA reaches its peers, whatever the list says */
	if (!visible->slurm || ours->allotted != GPU_ALLOTTED_FILTER || mine == 0 ||
	    visible->local_size <= 1 || visible->node_gpus <= (int)mine)
		return NULL;
	return arena_printf(
		a,
		"a task can open %zu of the step's %d GPUs on this node: no GPU peer-to-peer and "
		"no CUDA IPC between ranks; instead of --gpus-per-task or --gpu-bind use "
		"srun --gpus-per-node=%d and let LOCAL_RANK (SLURM_LOCALID) choose, or "
		"--gres-flags=allow-task-sharing (Slurm 23.11)",
		mine, visible->node_gpus, visible->node_gpus);
}

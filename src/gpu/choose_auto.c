/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --gpus auto: all that can be used, narrowed by CUDA_VISIBLE_DEVICES outside of jobs (pure); in
 * a job gpu_allot() has narrowed already.  It is silent only where no GPU is on the PCI bus.
 */
#include <errno.h>

#include <gpurun/str.h>

#include "choose.h"

static bool set_is_mixed(const struct gpu_set *set)
{
	const char *model = NULL;

	for (size_t i = 0; i < set->n; i++) {
		const char *m = set->v[i].model ? set->v[i].model : "";

		if (!gpu_usable(&set->v[i]))
			continue;
		if (model && !str_eq(m, model))
			return true;
		model = m;
	}
	return false;
}

/* CUDA numbers the fastest first; we, as nvidia-smi does, by PCI address. */
static void visible_warn_order(struct chooser *c, const struct gpu_visible *v)
{
	if (v->order && str_eq(v->order, "PCI_BUS_ID"))
		return;
	if (!set_is_mixed(c->set) || c->chosen.n == gpu_count_usable(c->set))
		return;
	strv_push(c->a, c->warn,
		  arena_printf(c->a,
			       "CUDA_VISIBLE_DEVICES=%s: taken in nvidia-smi's order; CUDA's own, "
			       "the fastest first, may differ on GPUs of several models (set "
			       "CUDA_DEVICE_ORDER=PCI_BUS_ID)",
			       v->devices));
}

/* As CUDA reads it: the first word that means no device ends the list. */
static void choose_visible(struct chooser *c, const struct gpu_visible *v)
{
	struct visible_list list;

	visible_read(c->a, c->set, v->devices, &list);
	for (size_t i = 0; i < list.named.n; i++)
		(void)choose_add(c, &list.named.v[i]);
	if (list.bad)
		strv_push(c->a, c->warn, visible_complaint(c->a, v->devices, list.bad));
	if (list.indexes)
		visible_warn_order(c, v);
}

static bool all_forbidden(const struct gpu_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->v[i].denied_errno != EPERM)
			return false;
	return set->n > 0;
}

/* Is it said that the job was given GPUs? */
static bool job_has_some(const struct gpu_visible *v)
{
	return v->job && (visible_gives(v->devices) || v->node_gpus > 0);
}

static int auto_refuse(struct chooser *c, const struct gpu_visible *v, const char *inventory)
{
	if (v->devices)
		err_set(c->e, ENODEV,
			"CUDA_VISIBLE_DEVICES=%s: the job was given GPUs, but none can be used "
			"(%s)",
			v->devices, inventory);
	else
		err_set(c->e, ENODEV,
			"the job has %d GPU%s on this node, but none can be used (%s)",
			v->node_gpus, v->node_gpus == 1 ? "" : "s", inventory);
	err_hint(c->e, "start without GPUs: --gpus none");
	return -ENODEV;
}

/* No GPU can be used: an error in a job that was given some, else it is said. */
static int auto_without(struct chooser *c, const struct gpu_visible *v)
{
	const char *inventory = gpu_inventory(c->a, c->set);

	if (job_has_some(v))
		return auto_refuse(c, v, inventory);
	/* the ordinary state of a job that asked for none, on a machine that has some */
	if (v->job && c->set->allotted == GPU_ALLOTTED_NONE)
		c->note = arena_printf(c->a,
				       "no GPU is used: Slurm gave this job none (ask for them, "
				       "--gres=gpu:1; from the shell of salloc, by srun; where "
				       "Slurm manages no GPUs, "
				       "CUDA_VISIBLE_DEVICES says which are yours)");
	else if (v->job && all_forbidden(c->set))
		c->note = arena_printf(c->a, "no GPU is used: the job has none (%s)", inventory);
	else
		strv_push(c->a, c->warn, arena_printf(c->a, "no GPU is used: %s", inventory));
	return 0;
}

int choose_auto(struct chooser *c, const struct gpu_visible *v)
{
	if (!c->set->on_bus && !c->set->n)
		return 0;
	if (gpu_count_usable(c->set) == 0)
		return auto_without(c, v);
	choose_warn_broken(c);
	if (v->devices && !v->job)
		choose_visible(c, v);
	else
		choose_marked(c, NULL);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a job: which GPUs are ours (pure).
 *
 * Slurm's variables do not tell: SLURM_STEP_GPUS names the first task's GPU to all of them, or
 * counts in the order of gres.conf.  What holds is the device cgroup where there is one, and
 * where there is none CUDA_VISIBLE_DEVICES, which then counts the GPUs of the machine.
 */
#include <errno.h>

#include <gpurun/allot.h>
#include <gpurun/str.h>

#include "choose.h"

#define NOT_LISTED "not in the job's CUDA_VISIBLE_DEVICES"
#define NOT_GIVEN  "not known to be the job's: CUDA_VISIBLE_DEVICES is not set"

/* Does a device cgroup deny anything? */
static bool is_filtered(const struct gpu_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct gpu *g = &set->v[i];

		if (g->denied_errno == EPERM)
			return true;
		for (size_t k = 0; k < g->n_migs; k++)
			if (g->migs[k].denied_errno == EPERM)
				return true;
	}
	return false;
}

/* Does the list decide? */
static bool is_listed(const struct gpu_set *set, const struct gpu_visible *visible)
{
	return visible->job && visible->devices && set->allotted == GPU_ALLOTTED_ALL &&
	       !is_filtered(set);
}

bool gpu_allot_needs_nvml(const struct gpu_set *set, const struct gpu_visible *visible)
{
	return is_listed(set, visible) && visible_gives(visible->devices) &&
	       visible_needs_nvml(set, visible->devices);
}

/* Is it, or all of its GPU, or with @m NULL a part of it, among the named? */
static bool is_named(const struct gpu_choices *named, const struct gpu *g, const struct gpu_mig *m)
{
	for (size_t i = 0; i < named->n; i++)
		if (named->v[i].gpu == g && (!m || !named->v[i].mig || named->v[i].mig == m))
			return true;
	return false;
}

static void deny_migs(struct gpu *g, const struct gpu_choices *named, const char *why)
{
	for (size_t i = 0; i < g->n_migs; i++) {
		struct gpu_mig *m = &g->migs[i];

		if (m->denied || is_named(named, g, m))
			continue;
		m->denied = why;
		m->denied_errno = EPERM;
	}
}

/* What cannot be used for another reason keeps that. */
static void deny_others(struct gpu_set *set, const struct gpu_choices *named, const char *why)
{
	for (size_t i = 0; i < set->n; i++) {
		struct gpu *g = &set->v[i];

		deny_migs(g, named, why);
		if (!gpu_usable(g) || is_named(named, g, NULL))
			continue;
		g->denied = why;
		g->denied_errno = EPERM;
	}
}

/* Of NVLinks, by the GPUs' new indexes. */
static uint64_t renumber_links(const struct gpu_set *set, uint64_t links)
{
	uint64_t renumbered = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct gpu *g = &set->v[i];

		if (g->number >= 0 && g->number < 64 && g->index >= 0 && links >> g->number & 1)
			renumbered |= 1ULL << g->index;
	}
	return renumbered;
}

static void renumber(struct gpu_set *set)
{
	int index = 0;

	for (size_t i = 0; i < set->n; i++)
		if (gpu_usable(&set->v[i]))
			set->v[i].index = set->v[i].denied ? -1 : index++;
	for (size_t i = 0; i < set->n; i++)
		set->v[i].nvml.links = renumber_links(set, set->v[i].nvml.links);
}

int gpu_allot(struct arena *a, struct gpu_set *set, const struct gpu_visible *visible,
	      const char **ret_note, struct err *e)
{
	struct visible_list list = { 0 };

	*ret_note = NULL;
	if (!visible->job || set->allotted != GPU_ALLOTTED_ALL)
		return 0;
	if (is_filtered(set)) {
		set->allotted = GPU_ALLOTTED_FILTER;
		return 0;
	}
	if (!visible->devices && !visible->slurm)
		return 0;
	if (visible->devices)
		visible_read(a, set, visible->devices, &list);
	if (list.unknown)
		return err_set(e, ENODEV,
			       "CUDA_VISIBLE_DEVICES=%s: %s is known to NVML only, which did not "
			       "answer",
			       visible->devices, list.bad);
	if (list.bad)
		*ret_note = visible_complaint(a, visible->devices, list.bad);
	deny_others(set, &list.named, visible->devices ? NOT_LISTED : NOT_GIVEN);
	renumber(set);
	set->allotted = visible->devices ? GPU_ALLOTTED_LIST : GPU_ALLOTTED_NONE;
	return 0;
}

struct gpu_set gpu_set_copy(struct arena *a, const struct gpu_set *set)
{
	struct gpu_set copy = *set;

	copy.v = arena_grow(a, set->v, set->n, set->n + 1, sizeof(*set->v));
	copy.cap = set->n + 1;
	for (size_t i = 0; i < copy.n; i++) {
		struct gpu *g = &copy.v[i];

		g->migs = arena_grow(a, g->migs, g->n_migs, g->n_migs + 1, sizeof(*g->migs));
		g->cap_migs = g->n_migs + 1;
	}
	return copy;
}

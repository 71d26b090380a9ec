/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which GPUs a choice means on this host (pure).  The result is in the order of the set (PCI
 * order, MIG devices behind each other), whatever was typed.
 */
#include <errno.h>
#include <stdlib.h>

#include <gpurun/str.h>

#include "choose.h"

#define BROKEN_MAX 2 /* GPUs that the warning about broken ones lists */

int choose_add(struct chooser *c, const struct gpu_choice *new)
{
	for (size_t i = 0; i < c->chosen.n; i++) {
		const struct gpu_choice *old = &c->chosen.v[i];

		if (old->gpu == new->gpu && (!old->mig || !new->mig || old->mig == new->mig))
			return -EEXIST;
	}
	VEC_PUSH(c->a, c->chosen.v, c->chosen.n, c->chosen.cap, *new);
	return 0;
}

static int choose_compare(const void *x, const void *y)
{
	const struct gpu_choice *a = x, *b = y;

	if (a->gpu != b->gpu)
		return a->gpu < b->gpu ? -1 : 1;
	return a->mig < b->mig ? -1 : a->mig > b->mig;
}

/* ---- what is broken ---- */

/* Somebody forbade it (a device cgroup, a file mode, the administrator); else it is broken. */
static bool is_broken(const char *denied, int error)
{
	return denied && error != 0 && error != EPERM && error != EACCES;
}

void choose_warn_broken(struct chooser *c)
{
	const char *list = "";
	size_t n = 0;

	for (size_t i = 0; i < c->set->n; i++) {
		const struct gpu *g = &c->set->v[i];

		if (is_broken(g->denied, g->denied_errno) && n++ < BROKEN_MAX)
			list = arena_printf(c->a, "%s%s%s (%s)", list, *list ? ", " : "", g->pci,
					    g->denied);
		for (size_t k = 0; k < g->n_migs; k++)
			if (!g->denied && is_broken(g->migs[k].denied, g->migs[k].denied_errno) &&
			    n++ < BROKEN_MAX)
				list = arena_printf(c->a, "%s%sMIG gi%d/ci%d of %s (%s)", list,
						    *list ? ", " : "", g->migs[k].gi, g->migs[k].ci,
						    g->pci, g->migs[k].denied);
	}
	if (n > BROKEN_MAX)
		list = arena_printf(c->a, "%s and %zu more", list, n - BROKEN_MAX);
	if (n)
		strv_push(c->a, c->warn, arena_printf(c->a, "not used: GPU %s", list));
}

/* ---- a list ---- */

static const char *item_noun(const struct sel_item *it)
{
	return it->kind == SEL_MIG_PAIR || it->kind == SEL_MIG_UUID || it->kind == SEL_MIG_LEGACY
		       ? "MIG device"
		       : "GPU";
}

/* A Slurm job that was given none: how it comes to some. */
static bool hint_not_given(struct chooser *c)
{
	if (c->set->allotted != GPU_ALLOTTED_NONE)
		return false;
	err_hint(c->e, "ask Slurm for GPUs: --gres=gpu:1; where it manages none, say which are "
		       "yours: CUDA_VISIBLE_DEVICES=0 gpurun ...");
	return true;
}

/* Nothing of that name: what there is. */
static int choose_missing(struct chooser *c, const struct sel_item *it, int r)
{
	const char *text = c->sel->text;

	if (r == -ENOTUNIQ)
		return err_set(c->e, ENOTUNIQ, "--gpus %s: %s is the start of several UUIDs (%s)",
			       text, it->text, gpu_candidates(c->a, c->set, it));
	if (r == -EAGAIN)
		err_set(c->e, ENODEV,
			"--gpus %s: %s %s is known to NVML only, which did not answer", text,
			item_noun(it), it->text);
	else
		err_set(c->e, ENODEV, "--gpus %s: no %s %s (%s)", text, item_noun(it), it->text,
			gpu_inventory(c->a, c->set));
	if (!hint_not_given(c) && c->set->n)
		err_hint(c->e, "gpurun gpus");
	return -ENODEV;
}

static int choose_item(struct chooser *c, const char *text)
{
	struct gpu_choice found;
	struct sel_item item;
	const char *why;
	int error, r;

	if (sel_item_parse(text, &item) < 0)
		return err_set(c->e, EINVAL, "--gpus %s: %s: not understood", c->sel->text, text);
	r = gpu_find(c->set, &item, &found);
	if (r < 0)
		return choose_missing(c, &item, r);
	why = gpu_why_not(&found, &error);
	if (why) {
		err_set(c->e, error, "--gpus %s: %s %s cannot be used: %s", c->sel->text,
			item_noun(&item), text, why);
		(void)hint_not_given(c);
		return -error;
	}
	if (choose_add(c, &found) < 0)
		return err_set(c->e, EINVAL, "--gpus %s: %s is named twice%s", c->sel->text, text,
			       found.gpu->n_migs ? ", or it is a part of a GPU that is named" : "");
	return 0;
}

static int choose_list(struct chooser *c)
{
	int r = 0;

	for (size_t i = 0; i < c->sel->items.n && r == 0; i++)
		r = choose_item(c, c->sel->items.v[i]);
	return r;
}

/* ---- a number ---- */

void choose_marked(struct chooser *c, const bool *marks)
{
	for (size_t i = 0; i < c->set->n; i++) {
		const struct gpu_choice whole = { .gpu = &c->set->v[i] };

		if (gpu_usable(whole.gpu) && (!marks || marks[i]))
			(void)choose_add(c, &whole);
	}
}

static int choose_number(struct chooser *c)
{
	size_t usable = gpu_count_usable(c->set);
	size_t want = c->sel->kind == GPU_SEL_COUNT ? c->sel->count : usable;
	bool *marks;

	if (usable == 0 || usable < want) {
		err_set(c->e, ENODEV, "--gpus %s: %s (%s)", c->sel->text,
			usable ? "not so many GPUs" : "no GPU can be used",
			gpu_inventory(c->a, c->set));
		if (!usable && !hint_not_given(c))
			err_hint(c->e, "start without GPUs: --gpus none");
		return -ENODEV;
	}
	if (c->sel->kind == GPU_SEL_ALL)
		choose_warn_broken(c);
	if (want == usable) {
		choose_marked(c, NULL);
		return 0;
	}
	marks = ARENA_ARRAY(c->a, bool, c->set->n);
	c->note = gpu_pick(c->a, c->set, c->sel, marks);
	choose_marked(c, marks);
	return 0;
}

/* ---- the whole ---- */

static bool list_needs_nvml(const struct gpu_set *set, const struct gpu_sel *sel)
{
	struct gpu_choice found;
	struct sel_item item;

	for (size_t i = 0; i < sel->items.n; i++)
		if (sel_item_parse(sel->items.v[i], &item) == 0 &&
		    gpu_find(set, &item, &found) == -EAGAIN)
			return true;
	return false;
}

static bool count_wants_nvml(const struct gpu_set *set, size_t count)
{
	bool unknown = false;

	for (size_t i = 0; i < set->n; i++)
		unknown |= gpu_usable(&set->v[i]) && !set->v[i].nvml.known;
	return unknown && count < gpu_count_usable(set);
}

bool gpu_select_needs_nvml(const struct gpu_set *set, const struct gpu_sel *sel,
			   const struct gpu_visible *visible, bool *ret_required)
{
	*ret_required = false;
	if (sel->kind == GPU_SEL_COUNT)
		return count_wants_nvml(set, sel->count);
	if (sel->kind == GPU_SEL_LIST)
		*ret_required = list_needs_nvml(set, sel);
	else if (sel->kind == GPU_SEL_AUTO && visible && visible->devices && !visible->job)
		*ret_required = visible_needs_nvml(set, visible->devices);
	return *ret_required;
}

int gpu_select(struct arena *a, const struct gpu_set *set, const struct gpu_sel *sel,
	       const struct gpu_visible *visible, struct gpu_choices *ret, struct strv *ret_warn,
	       const char **ret_note, struct err *e)
{
	static const struct gpu_visible nothing;
	struct chooser c = { .a = a, .set = set, .sel = sel, .warn = ret_warn, .e = e };
	int r = 0;

	switch (sel->kind) {
	case GPU_SEL_NONE:
	case GPU_SEL_CDI:
		break;
	case GPU_SEL_AUTO:
		r = choose_auto(&c, visible ? visible : &nothing);
		break;
	case GPU_SEL_ALL:
	case GPU_SEL_COUNT:
		r = choose_number(&c);
		break;
	case GPU_SEL_LIST:
		r = choose_list(&c);
		break;
	}
	if (r < 0)
		return r;
	if (c.chosen.n > 1)
		qsort(c.chosen.v, c.chosen.n, sizeof(*c.chosen.v), choose_compare);
	*ret = c.chosen;
	*ret_note = c.note;
	return 0;
}

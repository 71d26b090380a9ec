/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --gpus auto: all that can be used, narrowed by CUDA_VISIBLE_DEVICES outside of jobs (pure).
 * It is silent only where no GPU is on the PCI bus.
 */
#include <errno.h>

#include <gpurun/str.h>

#include "choose.h"

#define ITEM_MAX 128 /* a word of CUDA_VISIBLE_DEVICES; UUIDs have 40 */

/* Does CUDA_VISIBLE_DEVICES say that there are GPUs? */
static bool visible_gives(const char *devices)
{
	return devices && *devices && !str_eq(devices, "-1") && !str_eq(devices, "NoDevFiles");
}

/* The next word of the list at *@list, without the blanks around it; false at the end. */
static bool visible_next(const char **list, char word[ITEM_MAX])
{
	const char *s = *list;
	size_t n;

	if (!s)
		return false;
	n = strcspn(s, ",");
	*list = s[n] ? s + n + 1 : NULL;
	while (n && *s == ' ') {
		s++;
		n--;
	}
	while (n && s[n - 1] == ' ')
		n--;
	if (n >= ITEM_MAX)
		n = ITEM_MAX - 1; /* no such word is known */
	memcpy(word, s, n);
	word[n] = '\0';
	return true;
}

/* Only what CUDA knows, too. */
static bool visible_item(const char *word, struct sel_item *ret)
{
	return sel_item_parse(word, ret) == 0 && ret->kind != SEL_PCI &&
	       ret->kind != SEL_MIG_PAIR && ret->kind != SEL_CDI;
}

bool visible_needs_nvml(const struct gpu_set *set, const char *devices)
{
	struct gpu_choice found;
	struct sel_item item;
	char word[ITEM_MAX];

	while (visible_next(&devices, word))
		if (visible_item(word, &item) && gpu_find(set, &item, &found) == -EAGAIN)
			return true;
	return false;
}

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

/* A word of the list: false when it means no GPU that can be used. */
static bool choose_visible_item(struct chooser *c, const char *word, bool *ret_index)
{
	struct gpu_choice found;
	struct sel_item item;
	int error;

	if (!visible_item(word, &item) || gpu_find(c->set, &item, &found) < 0 ||
	    gpu_why_not(&found, &error))
		return false;
	*ret_index |= item.kind == SEL_INDEX;
	(void)choose_add(c, &found);
	return true;
}

/* As CUDA reads it: the first word that means no device ends the list. */
static void choose_visible(struct chooser *c, const struct gpu_visible *v)
{
	const char *list = visible_gives(v->devices) ? v->devices : NULL;
	bool indexes = false;
	char word[ITEM_MAX];

	while (visible_next(&list, word)) {
		if (choose_visible_item(c, word, &indexes))
			continue;
		if (!str_eq(word, "-1"))
			strv_push(
				c->a, c->warn,
				arena_printf(c->a,
					     "CUDA_VISIBLE_DEVICES=%s: '%s' is no GPU that can be "
					     "used, and ends the list",
					     v->devices, word));
		break;
	}
	if (indexes)
		visible_warn_order(c, v);
}

static bool all_forbidden(const struct gpu_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->v[i].denied_errno != EPERM)
			return false;
	return set->n > 0;
}

/* No GPU can be used: an error in a job that was given some, else it is said. */
static int auto_without(struct chooser *c, const struct gpu_visible *v)
{
	const char *inventory = gpu_inventory(c->a, c->set);

	if (v->job && visible_gives(v->devices)) {
		err_set(c->e, ENODEV,
			"CUDA_VISIBLE_DEVICES=%s: the job was given GPUs, but none can be used "
			"(%s)",
			v->devices, inventory);
		err_hint(c->e, "start without GPUs: --gpus none");
		return -ENODEV;
	}
	/* the ordinary state of a job that asked for none, on a machine that has some */
	if (v->job && all_forbidden(c->set))
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which GPUs a choice means on this host (pure).  A mark a GPU, in the order of the set (PCI
 * order), so the result is in that order whatever was typed.
 */
#include <ctype.h>
#include <errno.h>

#include <gpurun/str.h>

#include "backend.h"

#define SHOWN_MAX 8 /* GPUs that a message lists */

static bool gpu_usable(const struct gpu *g)
{
	return g->index >= 0;
}

static size_t gpu_count_usable(const struct gpu_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += gpu_usable(&set->v[i]);
	return n;
}

/* Is @prefix a prefix of @s in any case? */
static bool uuid_starts(const char *s, const char *prefix)
{
	for (; *prefix; s++, prefix++)
		if (tolower((unsigned char)*s) != tolower((unsigned char)*prefix))
			return false;
	return true;
}

/* "usable: 0, 1; not usable: 0000:5b:00.0 (/dev/nvidia2: node missing)", for messages. */
static const char *gpu_inventory(struct arena *a, const struct gpu_set *set)
{
	const char *usable = "", *denied = "";
	size_t n_usable = 0, n_denied = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct gpu *g = &set->v[i];

		if (gpu_usable(g) && n_usable++ < SHOWN_MAX)
			usable = arena_printf(a, "%s%s%d", usable, *usable ? ", " : "", g->index);
		else if (!gpu_usable(g) && n_denied++ < SHOWN_MAX)
			denied = arena_printf(a, "%s%s%s (%s)", denied, *denied ? ", " : "", g->pci,
					      g->denied);
	}
	if (n_usable > SHOWN_MAX)
		usable = arena_printf(a, "%s and %zu more", usable, n_usable - SHOWN_MAX);
	if (n_denied > SHOWN_MAX)
		denied = arena_printf(a, "%s and %zu more", denied, n_denied - SHOWN_MAX);
	if (!set->n)
		return set->on_bus ? "a GPU is on the PCI bus, but its driver is not loaded"
				   : "there is no GPU on this host";
	if (!n_denied)
		return arena_printf(a, "usable: %s", usable);
	return arena_printf(a, "%s%s%snot usable: %s", n_usable ? "usable: " : "", usable,
			    n_usable ? "; " : "", denied);
}

/* Where in the set the item is; -ENOENT, -ENOTUNIQ (a UUID prefix of several). */
static int gpu_find(const struct gpu_set *set, const char *item)
{
	struct pci_address want, have;
	bool is_pci = pci_parse(item, &want) == 0;
	bool is_uuid = uuid_starts(item, "GPU-");
	uint64_t index = UINT64_MAX;
	int found = -ENOENT;

	if (!is_pci && !is_uuid && num_u64(item, INT32_MAX, &index) < 0)
		return -ENOENT;
	for (size_t i = 0; i < set->n; i++) {
		const struct gpu *g = &set->v[i];
		bool same;

		if (is_uuid)
			same = g->uuid && uuid_starts(g->uuid, item);
		else if (is_pci)
			same = pci_parse(g->pci, &have) == 0 && pci_compare(&want, &have) == 0;
		else
			same = gpu_usable(g) && (uint64_t)g->index == index;
		if (same && found >= 0)
			return -ENOTUNIQ;
		if (same)
			found = (int)i;
	}
	return found;
}

static int choose_list(struct arena *a, const struct gpu_set *set, const struct gpu_sel *sel,
		       bool *marks, struct err *e)
{
	for (size_t i = 0; i < sel->items.n; i++) {
		const char *item = sel->items.v[i];
		int at = gpu_find(set, item);

		if (at == -ENOTUNIQ)
			return err_set(e, ENOTUNIQ, "--gpus %s: %s is the start of several UUIDs",
				       sel->text, item);
		if (at < 0) {
			err_set(e, ENODEV, "--gpus %s: no GPU %s (%s)", sel->text, item,
				gpu_inventory(a, set));
			return -ENODEV;
		}
		if (!gpu_usable(&set->v[at]))
			return err_set(e,
				       set->v[at].denied_errno ? set->v[at].denied_errno : ENODEV,
				       "--gpus %s: GPU %s cannot be used: %s", sel->text, item,
				       set->v[at].denied);
		if (marks[at])
			return err_set(e, EINVAL, "--gpus %s: %s is named twice", sel->text, item);
		marks[at] = true;
	}
	return 0;
}

/* The first @n usable GPUs. */
static void choose_first(const struct gpu_set *set, size_t n, bool *marks)
{
	for (size_t i = 0; i < set->n && n; i++) {
		if (gpu_usable(&set->v[i])) {
			marks[i] = true;
			n--;
		}
	}
}

static int choose_number(struct arena *a, const struct gpu_set *set, const struct gpu_sel *sel,
			 bool *marks, struct err *e)
{
	size_t usable = gpu_count_usable(set);
	size_t want = sel->kind == GPU_SEL_COUNT ? sel->count : usable;

	if (usable == 0 || usable < want) {
		err_set(e, ENODEV, "--gpus %s: %s (%s)", sel->text,
			usable ? "not so many GPUs" : "no GPU can be used", gpu_inventory(a, set));
		if (!usable)
			err_hint(e, "start without GPUs: --gpus none");
		return -ENODEV;
	}
	choose_first(set, want, marks);
	return 0;
}

/*
 * CUDA_VISIBLE_DEVICES as CUDA reads it: indexes or UUID prefixes; the first item that means no
 * device ends the list, so "", "-1" and "NoDevFiles" mean none.
 */
static void choose_visible(struct arena *a, const struct gpu_set *set, const char *visible,
			   bool *marks, struct strv *warn)
{
	struct strv items = { 0 };

	str_split(a, visible, ',', &items);
	for (size_t i = 0; i < items.n; i++) {
		const char *item = items.v[i];
		int at;

		item += strspn(item, " ");
		item = arena_strndup(a, item, strcspn(item, " "));
		if (uuid_starts(item, "MIG-"))
			strv_push(a, warn,
				  arena_printf(a,
					       "CUDA_VISIBLE_DEVICES names %s: MIG devices are "
					       "not supported yet",
					       item));
		at = gpu_find(set, item);
		if (at < 0 || !gpu_usable(&set->v[at]))
			return;
		marks[at] = true;
	}
}

/* What "auto" says aloud: silence is for hosts without a GPU, and for the user's own "none". */
static void choose_warn(struct arena *a, const struct gpu_set *set, struct strv *warn)
{
	if (set->on_bus && gpu_count_usable(set) == 0) {
		strv_push(a, warn, arena_printf(a, "no GPU is used: %s", gpu_inventory(a, set)));
		return;
	}
	for (size_t i = 0; i < set->n; i++)
		if (!gpu_usable(&set->v[i]) && set->v[i].denied_errno == ENOENT)
			strv_push(a, warn,
				  arena_printf(a, "GPU %s is not used: %s", set->v[i].pci,
					       set->v[i].denied));
}

bool gpu_select_needs_nvml(const struct gpu_set *set, const struct gpu_sel *sel,
			   const struct gpu_visible *visible, bool *ret_required)
{
	(void)set;
	(void)sel;
	(void)visible;
	*ret_required = false;
	return false;
}

int gpu_select(struct arena *a, const struct gpu_set *set, const struct gpu_sel *sel,
	       const struct gpu_visible *visible, struct gpu_choices *ret, struct strv *ret_warn,
	       const char **ret_note, struct err *e)
{
	bool *marks = ARENA_ARRAY(a, bool, set->n + 1);
	struct gpu_choices chosen = { 0 };
	int r = 0;

	switch (sel->kind) {
	case GPU_SEL_NONE:
	case GPU_SEL_CDI:
		break;
	case GPU_SEL_AUTO:
		choose_warn(a, set, ret_warn);
		if (visible && visible->devices && !visible->job)
			choose_visible(a, set, visible->devices, marks, ret_warn);
		else
			choose_first(set, set->n, marks);
		break;
	case GPU_SEL_ALL:
	case GPU_SEL_COUNT:
		r = choose_number(a, set, sel, marks, e);
		break;
	case GPU_SEL_LIST:
		r = choose_list(a, set, sel, marks, e);
		break;
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < set->n; i++) {
		const struct gpu_choice c = { .gpu = &set->v[i] };

		if (marks[i])
			VEC_PUSH(a, chosen.v, chosen.n, chosen.cap, c);
	}
	*ret = chosen;
	*ret_note = NULL;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a word means on this host, and what there is to be named (pure). */
#include <ctype.h>
#include <errno.h>

#include <gpurun/str.h>

#include "choose.h"

#define SHOWN_MAX 8 /* GPUs, and MIG devices of each, that a message lists */

bool gpu_usable(const struct gpu *g)
{
	return g->index >= 0;
}

size_t gpu_count_usable(const struct gpu_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += gpu_usable(&set->v[i]);
	return n;
}

const char *gpu_why_not(const struct gpu_choice *c, int *ret_error)
{
	const char *why = NULL;
	int error = 0;

	if (!gpu_usable(c->gpu)) {
		why = c->gpu->denied ? c->gpu->denied : "not usable";
		error = c->gpu->denied_errno;
	} else if (c->mig && c->mig->denied) {
		why = c->mig->denied;
		error = c->mig->denied_errno;
	}
	*ret_error = error ? error : ENODEV;
	return why;
}

/* ---- finding ---- */

/* Does @s start with the @n characters at @prefix, in any case? */
static bool uuid_starts(const char *s, const char *prefix, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (tolower((unsigned char)s[i]) != tolower((unsigned char)prefix[i]))
			return false;
	return true;
}

static bool gpu_matches(const struct gpu *g, const struct sel_item *it)
{
	struct pci_address pci;

	if (it->kind == SEL_INDEX)
		return gpu_usable(g) && (uint64_t)g->index == it->gpu;
	if (it->kind == SEL_UUID)
		return g->uuid && uuid_starts(g->uuid, it->uuid, it->uuid_len);
	return it->kind == SEL_PCI && pci_parse(g->pci, &pci) == 0 &&
	       pci_compare(&it->pci, &pci) == 0;
}

static bool mig_matches(const struct gpu *g, const struct gpu_mig *m, const struct sel_item *it)
{
	if (it->kind == SEL_MIG_PAIR)
		return gpu_usable(g) && (uint64_t)g->index == it->gpu && m->index >= 0 &&
		       (uint64_t)m->index == it->mig;
	if (it->kind == SEL_MIG_UUID)
		return m->uuid && uuid_starts(m->uuid, it->uuid, it->uuid_len);
	return it->kind == SEL_MIG_LEGACY && g->uuid && strlen(g->uuid) == it->uuid_len &&
	       uuid_starts(g->uuid, it->uuid, it->uuid_len) && (uint64_t)m->gi == it->gpu &&
	       (uint64_t)m->ci == it->mig;
}

/* Would the item perhaps match if NVML had been asked about @g? */
static bool gpu_unknown(const struct gpu *g, const struct sel_item *it)
{
	if (it->kind == SEL_UUID || it->kind == SEL_MIG_LEGACY)
		return gpu_usable(g) && !g->uuid;
	for (size_t i = 0; i < g->n_migs; i++)
		if ((it->kind == SEL_MIG_PAIR && g->migs[i].index < 0) ||
		    (it->kind == SEL_MIG_UUID && !g->migs[i].uuid))
			return gpu_usable(g);
	return false;
}

int gpu_find(const struct gpu_set *set, const struct sel_item *item, struct gpu_choice *ret)
{
	struct gpu_choice found = { 0 };
	bool unknown = false;

	for (size_t i = 0; i < set->n; i++) {
		const struct gpu *g = &set->v[i];

		unknown |= gpu_unknown(g, item);
		if (gpu_matches(g, item)) {
			if (found.gpu)
				return -ENOTUNIQ;
			found.gpu = g;
		}
		for (size_t k = 0; k < g->n_migs; k++) {
			if (!mig_matches(g, &g->migs[k], item))
				continue;
			if (found.gpu)
				return -ENOTUNIQ;
			found = (struct gpu_choice){ g, &g->migs[k] };
		}
	}
	if (!found.gpu)
		return unknown ? -EAGAIN : -ENOENT;
	*ret = found;
	return 0;
}

/* ---- what there is ---- */

const char *gpu_candidates(struct arena *a, const struct gpu_set *set, const struct sel_item *item)
{
	const char *list = "";
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct gpu *g = &set->v[i];

		if (gpu_matches(g, item) && n++ < SHOWN_MAX)
			list = arena_printf(a, "%s%s%s", list, *list ? ", " : "",
					    g->uuid ? g->uuid : g->pci);
		for (size_t k = 0; k < g->n_migs; k++)
			if (mig_matches(g, &g->migs[k], item) && n++ < SHOWN_MAX)
				list = arena_printf(a, "%s%s%s", list, *list ? ", " : "",
						    g->migs[k].uuid ? g->migs[k].uuid : g->pci);
	}
	return n > SHOWN_MAX ? arena_printf(a, "%s and %zu more", list, n - SHOWN_MAX) : list;
}

/* As it can be named in --gpus, as far as that is known. */
static const char *mig_name(struct arena *a, const struct gpu *g, const struct gpu_mig *m)
{
	if (gpu_usable(g) && m->index >= 0)
		return arena_printf(a, "%d:%d%s%s", g->index, m->index, m->uuid ? " " : "",
				    m->uuid ? m->uuid : "");
	if (m->uuid)
		return m->uuid;
	if (g->uuid)
		return arena_printf(a, "MIG-%s/%d/%d", g->uuid, m->gi, m->ci);
	return arena_printf(a, "MIG gi%d/ci%d", m->gi, m->ci);
}

/* " (with MIG-..., MIG-... (node missing))", or "" */
static const char *mig_list(struct arena *a, const struct gpu *g)
{
	const char *list = "";

	for (size_t i = 0; i < g->n_migs && i < SHOWN_MAX; i++) {
		const struct gpu_mig *m = &g->migs[i];
		const char *name = mig_name(a, g, m);

		if (m->denied)
			name = arena_printf(a, "%s not usable: %s", name, m->denied);
		list = arena_printf(a, "%s%s%s", list, *list ? ", " : "", name);
	}
	if (g->n_migs > SHOWN_MAX)
		list = arena_printf(a, "%s and %zu more", list, g->n_migs - SHOWN_MAX);
	return g->n_migs ? arena_printf(a, " (with %s)", list) : "";
}

/* "0, 1 (with 1:0 MIG-...)", or NULL */
static const char *list_usable(struct arena *a, const struct gpu_set *set)
{
	const char *list = NULL;
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct gpu *g = &set->v[i];

		if (gpu_usable(g) && n++ < SHOWN_MAX)
			list = arena_printf(a, "%s%s%d%s", list ? list : "", list ? ", " : "",
					    g->index, mig_list(a, g));
	}
	return n > SHOWN_MAX ? arena_printf(a, "%s and %zu more", list, n - SHOWN_MAX) : list;
}

/* "0000:3b:00.0, 0000:5b:00.0 (/dev/nvidiactl: node missing)": a reason once, or NULL */
static const char *list_denied(struct arena *a, const struct gpu_set *set)
{
	const char *list = NULL;
	const struct gpu *last = NULL;
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct gpu *g = &set->v[i];

		if (gpu_usable(g) || n++ >= SHOWN_MAX)
			continue;
		if (last)
			list = str_eq(last->denied, g->denied)
				       ? arena_printf(a, "%s, ", list)
				       : arena_printf(a, "%s (%s), ", list, last->denied);
		list = arena_printf(a, "%s%s", list ? list : "", g->pci);
		last = g;
	}
	if (!last)
		return NULL;
	list = arena_printf(a, "%s (%s)", list, last->denied);
	return n > SHOWN_MAX ? arena_printf(a, "%s and %zu more", list, n - SHOWN_MAX) : list;
}

const char *gpu_inventory(struct arena *a, const struct gpu_set *set)
{
	const char *usable = list_usable(a, set);
	const char *denied = list_denied(a, set);

	if (!set->n && !set->on_bus)
		return "there is no GPU on this host";
	if (!set->n && set->driver_version)
		return arena_printf(a,
				    "a GPU is on the PCI bus, but the driver %s does not drive it",
				    set->driver_version);
	if (!set->n)
		return "a GPU is on the PCI bus, but its driver is not loaded";
	if (!denied)
		return arena_printf(a, "usable: %s", usable);
	if (!usable)
		return arena_printf(a, "not usable: %s", denied);
	return arena_printf(a, "usable: %s; not usable: %s", usable, denied);
}

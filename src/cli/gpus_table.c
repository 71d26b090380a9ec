/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpus_table.c - "gpurun gpus" for people: a row a GPU, and below it one a MIG device.
 */
#include <gpurun/str.h>

#include "gpus.h"

#define USERS_SHOWN 3

/* struct rows - a table that is being filled; the columns behind NVML's are there with it only */
struct rows {
	struct arena *a;
	const struct gpus *v;
	struct strv cells;
};

static void add_cell(struct rows *t, const char *text)
{
	strv_push(t->a, &t->cells, text ? text : "-");
}

static void add_number(struct rows *t, int n)
{
	add_cell(t, n < 0 ? NULL : arena_printf(t->a, "%d", n));
}

static void add_memory(struct rows *t, const struct gpu_nvml *n)
{
	add_cell(t, n->memory_total
			    ? arena_printf(t->a, "%s / %s", answer_size(t->a, n->memory_used),
					   answer_size(t->a, n->memory_total))
			    : NULL);
}

/* "4711 (anna), 4712 (anna), 4713 (bert) and 5 more" */
static void add_users(struct rows *t, const struct gpu_nvml *n)
{
	const char *text = "";

	for (size_t i = 0; i < n->n_users && i < USERS_SHOWN; i++) {
		const char *user = gpus_user(t->a, n->users[i].pid);

		text = arena_printf(t->a, "%s%s%d%s%s%s", text, i ? ", " : "", n->users[i].pid,
				    user ? " (" : "", user ? user : "", user ? ")" : "");
	}
	if (n->n_users > USERS_SHOWN)
		text = arena_printf(t->a, "%s and %zu more", text, n->n_users - USERS_SHOWN);
	add_cell(t, *text ? text : NULL);
}

static void add_gpu(struct rows *t, const struct gpu *g)
{
	add_number(t, g->index);
	add_cell(t, gpus_is_automatic(t->v, g, NULL) ? "*" : "");
	add_number(t, g->minor);
	add_cell(t, g->pci);
	add_cell(t, g->uuid);
	add_cell(t, g->model);
	add_cell(t, g->n_migs || g->nvml.mig_mode ? "on" : NULL);
	if (t->v->nvml) {
		add_memory(t, &g->nvml);
		add_users(t, &g->nvml);
	}
	add_cell(t, g->denied ? g->denied : "yes");
}

/* The name that --gpus takes: "0:1"; without NVML it has none. */
static const char *mig_name(struct arena *a, const struct gpu *g, const struct gpu_mig *m)
{
	if (g->index < 0 || m->index < 0)
		return "  -";
	return arena_printf(a, "  %d:%d", g->index, m->index);
}

static void add_mig(struct rows *t, const struct gpu *g, const struct gpu_mig *m)
{
	add_cell(t, mig_name(t->a, g, m));
	add_cell(t, gpus_is_automatic(t->v, g, m) ? "*" : "");
	add_cell(t, NULL);
	add_cell(t, NULL);
	add_cell(t, m->uuid);
	add_cell(t, m->profile);
	add_cell(t, arena_printf(t->a, "gi%d/ci%d", m->gi, m->ci));
	if (t->v->nvml) {
		add_cell(t, NULL);
		add_cell(t, NULL);
	}
	add_cell(t, m->denied ? m->denied : "yes");
}

void gpus_table(struct answer *w, const struct gpus *v)
{
	static const char *const head[] = {
		"INDEX", "AUTO", "MINOR", "PCI", "UUID", "MODEL", "MIG"
	};
	struct rows t = { .a = w->a, .v = v };
	size_t columns;

	for (size_t i = 0; i < ELEMENTS(head); i++)
		add_cell(&t, head[i]);
	if (v->nvml) {
		add_cell(&t, "MEMORY");
		add_cell(&t, "USED BY");
	}
	add_cell(&t, "ACCESS");
	columns = t.cells.n;
	for (size_t i = 0; i < v->set->n; i++) {
		const struct gpu *g = &v->set->v[i];

		add_gpu(&t, g);
		for (size_t m = 0; m < g->n_migs; m++)
			add_mig(&t, g, &g->migs[m]);
	}
	answer_table(w, t.cells.v, t.cells.n, columns);
}

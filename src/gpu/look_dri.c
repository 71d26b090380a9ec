/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev/dri of the chosen GPUs: which nodes are theirs says the PCI device.
 *
 *	/sys/bus/pci/devices/0000:3b:00.0/drm/{card1,renderD129}
 *	/dev/dri/by-path/pci-0000:3b:00.0-{card,render} -> ../{card1,renderD129}
 */
#include <errno.h>
#include <stdlib.h>

#include <gpurun/str.h>

#include "look.h"

static const struct dri_row {
	const char *prefix, *link;
} dri_rows[] = {
	{ "card", "card" },
	{ "renderD", "render" },
};

static const struct dri_row *dri_find(const char *name)
{
	for (size_t i = 0; i < ELEMENTS(dri_rows); i++) {
		const char *number = str_after(name, dri_rows[i].prefix);

		if (number && *number && !number[strspn(number, "0123456789")])
			return &dri_rows[i];
	}
	return NULL;
}

/*
 * A node that its mode keeps from us would be of no use inside, either: the groups are the same
 * there.  Programs that draw through the driver's own nodes do not need it.
 */
static void dri_node(struct looker *l, const struct gpu *g, const char *name)
{
	const struct dri_row *row = dri_find(name);
	const char *path = arena_printf(l->a, "/dev/dri/%s", name);
	dev_t rdev;
	int r = row ? node_look(l->a, l->root, path, &rdev) : -ENOENT;

	if (r == -EACCES && str_eq(row->link, "render"))
		strv_push(l->a, l->warn,
			  arena_printf(l->a, "%s: %s, left out (its group would do: ls -l %s)",
				       path, err_text(-r), path));
	if (r < 0)
		return;
	look_add_node(l, path, rdev, "");
	strv_push(l->a, &l->sight.links,
		  arena_printf(l->a, "/dev/dri/by-path/pci-%s-%s\t../%s", g->pci, row->link, name));
}

/* "card3" before "card10", whatever the file system's order is. */
static int name_order(const void *a, const void *b)
{
	return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

static void dri_gpu(struct looker *l, const struct gpu *g)
{
	const char *dir = arena_printf(l->a, "/sys/bus/pci/devices/%s/drm", g->pci);
	struct strv names = { 0 };

	if (gpu_list_dir(l->a, l->root, dir, &names) < 0)
		return; /* nvidia-drm is not loaded */
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), name_order);
	for (size_t i = 0; i < names.n; i++)
		dri_node(l, g, names.v[i]);
}

/* Only MIG devices of a profile with "gfx" can draw. */
static bool can_draw(const struct gpu_choice *c)
{
	return !c->mig || (c->mig->profile && strstr(c->mig->profile, "gfx"));
}

/* MIG devices of one GPU share what it has. */
static bool was_drawn(const struct looker *l, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (l->chosen->v[i].gpu == l->chosen->v[at].gpu && can_draw(&l->chosen->v[i]))
			return true;
	return false;
}

void look_dri(struct looker *l)
{
	if (!(l->o->caps & (GPU_CAP_GRAPHICS | GPU_CAP_DISPLAY)))
		return;
	for (size_t i = 0; i < l->chosen->n; i++)
		if (can_draw(&l->chosen->v[i]) && !was_drawn(l, i))
			dri_gpu(l, l->chosen->v[i].gpu);
}

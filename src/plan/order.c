/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of the operations, said out loud:
 *
 *  1. PHASE_ROOT.  The entries of a root that is put together from a tree, and what must be
 *     writable in it.
 *  2. PHASE_FILES.  Files that are written into the root or bound in it: /etc/passwd, HOME, a
 *     driver's libraries, ...  Only the root itself is there, so a link of the image (/etc ->
 *     /proc/sys/kernel, /etc -> /data) can lead a write nowhere but into our scratch layer: never
 *     into a kernel file system, and never into a directory of the host that the user mounts
 *     later.
 *  3. PHASE_BASE.  /proc, /sys, /dev with its nodes, the chosen devices.
 *  4. PHASE_USER.  What the user mounts, shallow destinations first, so that "-v /b:/x/y -v
 *     /a:/x" shows both; equal depths in the order given, so the later one wins.  They come
 *     after our files: "-v hosts:/etc/hosts" is what the user gets.
 *  5. PHASE_MASK.  Masks and read-only paths, over all that was mounted before.
 */
#include <errno.h>

#include "build.h"

/* Components of a cleaned absolute path. */
static size_t path_depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += path[0] == '/' && path[1] != '\0';
	return n;
}

/* Stable insertion sort by depth (a handful of mounts; at most PLAN_OPS_MAX). */
static void order_by_depth(struct op_list *l)
{
	for (size_t i = 1; i < l->n; i++) {
		struct op op = l->v[i];
		size_t depth = path_depth(op.dst), at = i;

		for (; at > 0 && path_depth(l->v[at - 1].dst) > depth; at--)
			l->v[at] = l->v[at - 1];
		l->v[at] = op;
	}
}

int plan_order(struct builder *b, struct err *e)
{
	struct op_list *ops = &b->p->container.ops;
	size_t n = 0;

	for (size_t i = 0; i < PHASE_COUNT; i++)
		n += b->phases[i].n;
	if (n > PLAN_OPS_MAX)
		return err_set(e, E2BIG, "more than %u mounts and files", PLAN_OPS_MAX);
	order_by_depth(&b->phases[PHASE_USER]);
	*ops = (struct op_list){ .v = ARENA_ARRAY(b->a, struct op, n), .cap = n };
	for (size_t i = 0; i < PHASE_COUNT; i++)
		for (size_t j = 0; j < b->phases[i].n; j++)
			ops->v[ops->n++] = b->phases[i].v[j];
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compose.c - which layers overlayfs gets, if it gets them at all.
 *
 * A layer that is listed twice is needed only at the top: what it has there hides all that it
 * has further down (and overlayfs refuses one directory twice).  Below a layer whose root is
 * opaque nothing shows (and overlayfs does not look at the mark on a root).
 *
 * Stacked layers differ from applied ones where
 * - a directory of a layer above the bottom was only implied by a path: the layer's directory
 *   would cover a link, or other modes, of the layers below, also where its root is opaque;
 * - a whiteout stands in a directory that is merged with none below: overlayfs shows its name
 *   in the listing of such a directory, though not the file.
 */
#include "compose.h"

#include <errno.h>

#include <gpurun/str.h>

#include "tree.h"
#include "whiteout.h"

static bool chosen_already(const struct layer *layers, const size_t *chosen, size_t n,
			   const char *diff_id)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(layers[chosen[i]].diff_id, diff_id))
			return true;
	}
	return false;
}

static size_t choose(const struct layer *layers, size_t n, size_t *ret)
{
	size_t chosen = 0;

	for (size_t i = n; i > 0; i--) {
		const struct layer *l = &layers[i - 1];

		if (chosen_already(layers, ret, chosen, l->diff_id))
			continue;
		ret[chosen++] = i - 1;
		if (l->header.flags & LAYER_ROOT_OPAQUE)
			break;
	}
	return chosen;
}

/*
 * Components that may be looked up for whiteouts, of all layers together.  A look-up opens every
 * directory on the way to a path in every layer; where that would be more, the flat form is quicker.
 */
#define COMPOSE_WORK_MAX (16U << 20)

/* struct below - the directory of the last whiteout, and whether there is one below */
struct below {
	const struct view *view;
	char dir[PATH_MAX];
	bool known, merged;
	uint64_t work;
};

/* Each of the paths to a directory of @n components, looked up. */
static uint64_t work_of(const char *path)
{
	uint64_t n = 1;

	for (; *path; path++)
		n += *path == '/';
	return n * (n + 1) / 2;
}

/* Does the whiteout at @path stand in a directory that the layers below have, too? */
static bool merged_below(struct below *b, const char *path)
{
	char dir[PATH_MAX];
	struct stat st;
	size_t layer;

	name_dir(path, dir);
	if (!b->known || !str_eq(b->dir, dir)) {
		b->known = true;
		memcpy(b->dir, dir, strlen(dir) + 1);
		b->work += work_of(dir) * b->view->n;
		if (b->work > COMPOSE_WORK_MAX)
			return false;
		b->merged = view_stat(b->view, dir, &st, &layer) == 0 && S_ISDIR(st.st_mode);
	}
	return b->merged;
}

/* Do all whiteouts of a layer stand where they can hide something? */
static int whiteouts_fit(struct arena *a, const struct layer *l, const struct view *view,
			 uint64_t *work)
{
	struct below b = { .view = view, .work = *work };
	struct listing_reader reader;
	struct listing_entry e;
	int r;

	listing_rewind(a, l->list, &reader);
	while ((r = listing_next(&reader, &e)) > 0) {
		if (e.type == LISTING_WHITEOUT && view_is_whiteout(l->fs, e.path) &&
		    !merged_below(&b, e.path))
			return 0;
	}
	*work = b.work;
	return r < 0 ? r : 1;
}

int compose(struct arena *a, const struct layer *layers, size_t n, size_t ret[IMAGE_LAYERS_MAX],
	    size_t *ret_n)
{
	size_t chosen = choose(layers, n, ret);
	struct view below;
	uint64_t work = 0;

	for (size_t i = 0; i < n; i++) {
		if (layers[i].header.flags & LAYER_NEEDS_LOWER)
			return 0;
	}
	if (chosen == 0)
		return 0;
	for (size_t i = 0; i < chosen; i++) {
		const struct layer *l = &layers[ret[i]];
		int r;

		if ((l->header.flags & LAYER_IMPLIED) && ret[i] > 0)
			return 0;
		if (!(l->header.flags & LAYER_WHITEOUTS))
			continue;
		below.n = 0;
		for (size_t k = i + 1; k < chosen; k++)
			below.fs[below.n++] = layers[ret[k]].fs;
		r = whiteouts_fit(a, l, &below, &work);
		if (r <= 0)
			return r;
	}
	*ret_n = chosen;
	return 1;
}

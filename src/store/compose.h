/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compose.h - can layers, each unpacked by itself, be stacked so that the result is that of
 * applying them one after the other?
 */
#ifndef STORE_COMPOSE_H
#define STORE_COMPOSE_H

#include <stdbool.h>
#include <stddef.h>

#include <gpurun/arena.h>

#include "listing.h"
#include "view.h"

/** struct layer - an unpacked layer: its fs/, its list, and the list's header */
struct layer {
	const char *diff_id;
	int fs, list;
	struct listing_header header;
};

/**
 * compose - choose the layers to stack
 * @layers: the bottom first, @n of them
 * @ret: indexes into @layers, the topmost first; at least one
 * Return: 1; 0 when only the flat form is right; -errno
 */
int compose(struct arena *a, const struct layer *layers, size_t n, size_t ret[IMAGE_LAYERS_MAX],
	    size_t *ret_n);

#endif

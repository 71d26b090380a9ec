/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h - a set of names: a driver has a hundred, each of which is looked for among the others.
 * Private to src/gpu/.
 */
#ifndef GPURUN_GPU_NAMES_H
#define GPURUN_GPU_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include <gpurun/arena.h>

/* @v: @room (a power of two, or 0) slots, of which half are empty at least */
struct names {
	const char **v;
	size_t n, room;
};

/** names_have - is @name one of them? */
bool names_have(const struct names *s, const char *name);

/** names_add - add @name, which is not copied; false: it was there */
bool names_add(struct arena *a, struct names *s, const char *name);

#endif

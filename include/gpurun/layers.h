/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layers.h - what keeps a command in, row by row: what is in force and what that means, or why it
 * is not.  For --verbose, doctor and the plan's JSON; it claims no more than the plan does, and what
 * the plan does is read back before the command runs.
 */
#ifndef GPURUN_LAYERS_H
#define GPURUN_LAYERS_H

#include <stdbool.h>
#include <stddef.h>

#include <gpurun/arena.h>

struct plan;

struct plan_layer {
	const char *name;
	bool on;
	const char *text;
};

#define PLAN_LAYERS_MAX 16

/** plan_layers - the rows of a finished plan (pure); returns how many there are */
size_t plan_layers(struct arena *a, const struct plan *p, struct plan_layer ret[PLAN_LAYERS_MAX]);

#endif

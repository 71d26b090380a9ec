/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_prune.c - "gpurun prune [--all]": remove what nothing refers to, in the store and among
 * the records of containers, and cgroups of killed launchers.
 */
#include <inttypes.h>

#include <gpurun/run.h>

#include "answer.h"
#include "cmd.h"

/* Listing the records removes those of dead launchers and of steps that have ended. */
static int prune_state(const struct cmd_in *in, struct err *e)
{
	struct strv dirs = { 0 };
	struct state *v = NULL;
	size_t n = 0;
	int r = place_states(in->a, &dirs, e);

	return r < 0 ? r : state_list(in->a, &dirs, &v, &n, e);
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	struct answer w = { .a = in->a };
	struct store_pruned gone = { 0 };
	struct store *s = NULL;
	int r = prune_state(in, e);

	run_leaf_prune();
	(void)ret_status;
	if (r >= 0)
		r = place_store_open(in, &s, e);
	if (r < 0)
		return r;
	r = store_prune(s, in->a, in->ask->all, &gone, e);
	store_close(s);
	if (r < 0)
		return r;
	answer_printf(&w,
		      "%" PRIu64 " images, %" PRIu64 " layers, %" PRIu64 " directories, %s freed\n",
		      gone.images, gone.layers, gone.directories, answer_size(in->a, gone.bytes));
	return answer_write(&w, e);
}

const struct cmd cmd_prune = {
	.name = "prune",
	.operands = "",
	.summary = "remove what nothing refers to",
	.verb = VERB_PRUNE,
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_rm.c - "gpurun rm NAME...": take images out of the store.
 */
#include <gpurun/log.h>

#include "cmd.h"

/* Every name is tried; the last failure is the verb's, those before it are said at once. */
static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	const struct strv *names = &in->ask->request.args;
	struct err failed = { 0 };
	struct store *s = NULL;
	int r = place_store_open(in, &s, e);

	(void)ret_status;
	if (r < 0)
		return r;
	for (size_t i = 0; i < names->n; i++) {
		struct err here = { 0 };
		int one = store_remove(s, in->a, names->v[i], &here);

		if (one >= 0)
			continue;
		if (r < 0)
			log_error(&failed);
		failed = here;
		r = one;
	}
	store_close(s);
	if (r < 0)
		*e = failed;
	return r;
}

const struct cmd cmd_rm = {
	.name = "rm",
	.operands = "NAME...",
	.summary = "remove images from the store",
	.verb = VERB_RM,
	.min = 1,
	.max = -1,
	.complete = COMPLETE_IMAGE,
	.run = run,
};

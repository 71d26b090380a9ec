/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_verify.c - "gpurun verify": compare what the store holds with what was unpacked.
 */
#include "answer.h"
#include "cmd.h"

#define STATUS_DAMAGED 1

static void report(void *arg, const char *what, const char *why)
{
	struct answer *w = arg;

	answer_printf(w, "%s: %s\n", answer_plain(w->a, what), answer_plain(w->a, why));
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	struct answer w = { .a = in->a };
	struct store *s = NULL;
	int damaged = place_store_open(in, &s, e), r;

	if (damaged < 0)
		return damaged;
	damaged = store_verify(s, in->a, report, &w, e);
	store_close(s);
	if (damaged < 0)
		return damaged;
	if (damaged == 0)
		answer_add(&w, "everything is as it was unpacked\n");
	r = answer_write(&w, e);
	*ret_status = damaged ? STATUS_DAMAGED : 0;
	return r;
}

const struct cmd cmd_verify = {
	.name = "verify",
	.operands = "",
	.summary = "check the store for damage (status 1 when there is some)",
	.verb = VERB_VERIFY,
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_version.c - "gpurun version".
 */
#include "answer.h"
#include "cmd.h"

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	struct answer w = { .a = in->a };

	(void)ret_status;
	answer_printf(&w, "gpurun %s\n", GPURUN_VERSION);
	return answer_write(&w, e);
}

const struct cmd cmd_version = {
	.name = "version",
	.operands = "",
	.summary = "print the version",
	.verb = VERB_OTHER,
	.run = run,
};

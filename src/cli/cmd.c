/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd.c - the table of verbs.
 */
#include <gpurun/str.h>

#include "cmd.h"

/* Verbs of the contract that are not built: known, so that they are no image names either. */
#define NOT_BUILT(verb)                                                                            \
	(&(const struct cmd){ .name = verb, .operands = "", .summary = "", .hidden = true })

const struct cmd *const cmds[] = {
	&cmd_run,
	&cmd_gpus,
	&cmd_doctor,
	&cmd_images,
	&cmd_rm,
	&cmd_prune,
	&cmd_verify,
	&cmd_inspect,
	&cmd_ps,
	&cmd_exec,
	&cmd_kill,
	&cmd_oci_run,
	&cmd_devd,
	&cmd_version,
	&cmd_help,
	&cmd_complete,
	NOT_BUILT("pull"),
	NOT_BUILT("import"),
	NOT_BUILT("cdi"),
	NOT_BUILT("export"),
	NULL,
};

const struct cmd *cmd_find(const char *name)
{
	for (const struct cmd *const *c = cmds; *c; c++)
		if (str_eq((*c)->name, name))
			return *c;
	return NULL;
}

const char *cmd_nearest(const char *name)
{
	const char *names[ELEMENTS(cmds)] = { NULL };
	size_t n = 0;

	for (const struct cmd *const *c = cmds; *c; c++)
		if (!(*c)->hidden)
			names[n++] = (*c)->name;
	return str_nearest(name, names);
}

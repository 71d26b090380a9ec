/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_help.c - "gpurun help [VERB]" and --help, from the tables of verbs and options.
 */
#include <errno.h>

#include <gpurun/str.h>

#include "answer.h"
#include "cmd.h"

#define HELP_COLUMN 34 /* where the text of an option starts */

static void print_option(struct answer *w, const struct opt *o)
{
	const char *head = o->short_name ? arena_printf(w->a, "  -%c, --%s", o->short_name, o->name)
					 : arena_printf(w->a, "      --%s", o->name);

	for (size_t i = 0; i < OPT_ALIASES && o->alias[i]; i++)
		head = arena_printf(w->a, "%s, --%s", head, o->alias[i]);
	if (o->metavar)
		head = arena_printf(w->a, "%s %s", head, o->metavar);
	if (strlen(head) + 2 > HELP_COLUMN)
		answer_printf(w, "%s\n%*s%s\n", head, HELP_COLUMN, "", o->help);
	else
		answer_printf(w, "%-*s%s\n", HELP_COLUMN, head, o->help);
}

static void print_group(struct answer *w, const struct opt_group *g, unsigned int verb)
{
	bool titled = false;

	for (size_t i = 0; i < g->n; i++) {
		if (!g->rows[i].help || !(g->rows[i].verbs & verb))
			continue;
		if (!titled)
			answer_printf(w, "\n%s:\n", g->title);
		titled = true;
		print_option(w, &g->rows[i]);
	}
}

/* The page that a newcomer sees. */
static void print_overview(struct answer *w)
{
	answer_add(w,
		   "gpurun starts a command in a container image, with GPUs, as an ordinary user.\n"
		   "\n"
		   "usage: gpurun [run] [OPTIONS] IMAGE [COMMAND [ARG...]]\n"
		   "       gpurun VERB [OPTIONS] ...\n"
		   "\n"
		   "  gpurun image.tar                    the image's own command\n"
		   "  gpurun --gpus 0,1 -C image.tar python3 train.py\n"
		   "\n"
		   "verbs:\n");
	for (const struct cmd *const *c = cmds; *c; c++)
		if (!(*c)->hidden)
			answer_printf(w, "  %-10s%s\n", (*c)->name, (*c)->summary);
	answer_add(
		w,
		"\n"
		"IMAGE is a tar (docker save, OCI archive or plain, in any compression), an OCI\n"
		"layout or root file system directory, or a name in the store (gpurun images).\n"
		"Options end at IMAGE.  'gpurun help VERB' lists a verb's options.\n");
}

int cmd_help_print(struct arena *a, const struct cmd *c, struct err *e)
{
	struct answer w = { .a = a };

	if (c == &cmd_help) {
		print_overview(&w);
		return answer_write(&w, e);
	}
	answer_printf(&w, "gpurun %s - %s\n\nusage: gpurun %s [OPTIONS] %s\n", c->name, c->summary,
		      c == &cmd_run ? "[run]" : c->name, c->operands);
	for (const struct opt_group *const *g = opt_groups; *g; g++)
		print_group(&w, *g, c->verb);
	return answer_write(&w, e);
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	const struct strv *names = &in->ask->request.args;
	const struct cmd *c = names->n ? cmd_find(names->v[0]) : &cmd_help;
	const char *near;

	(void)ret_status;
	if (c && (!c->hidden || c == &cmd_help))
		return cmd_help_print(in->a, c, e);
	if (c)
		return err_set(e, ENOTSUP, "%s: not supported by this version", names->v[0]);
	near = cmd_nearest(names->v[0]);
	err_set(e, EINVAL, "%s: no such verb", names->v[0]);
	if (near)
		err_hint(e, "did you mean %s?", near);
	else
		err_hint(e, "gpurun help lists them");
	return -EINVAL;
}

const struct cmd cmd_help = {
	.name = "help",
	.operands = "[VERB]",
	.summary = "this text, or the options of a verb",
	.verb = VERB_OTHER,
	.max = 1,
	.run = run,
};

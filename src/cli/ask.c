/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask.c - what is wanted: the verb, and its request from configuration and command line.
 */
#include <errno.h>
#include <stdlib.h>

#include <gpurun/str.h>

#include "cmd.h"

static int check_operands(const struct cmd *c, const struct strv *operands, struct err *e)
{
	if (operands->n < (size_t)c->min)
		err_set(e, EINVAL, "%s: wants %s", c->name, c->operands);
	else if (c->max >= 0 && operands->n > (size_t)c->max)
		err_set(e, EINVAL, "%s: '%s' is one word too many", c->name, operands->v[c->max]);
	else
		return 0;
	err_hint(e, "gpurun %s --help", c->name);
	return -EINVAL;
}

/* "-u 0" is another spelling of --root. */
static void settle_request(struct request *q)
{
	size_t zeros = q->user ? strspn(q->user, "0") : 0;
	const char *rest = q->user ? str_after(q->user, "root") : NULL;

	if (zeros)
		rest = q->user + zeros;
	if (rest && (*rest == '\0' || *rest == ':'))
		q->root = true;
}

/* A verb that is not built yet is refused: it is no file either, a verb wins over a file. */
static int check_built(const struct cmd *c, struct err *e)
{
	if (c->run)
		return 0;
	err_set(e, ENOTSUP, "%s: not supported by this version", c->name);
	err_hint(e, "an image of that name is written ./%s", c->name);
	return -ENOTSUP;
}

int cmd_ask(const struct cmd_in *in, struct err *e)
{
	const struct opt_in oi = {
		.a = in->a, .ask = in->ask, .cwd = place_cwd(in->a), .home = getenv("HOME")
	};
	struct request *q = &in->ask->request;
	struct opt_line line = { 0 };
	int r;

	r = check_built(in->cmd, e);
	if (r < 0 || in->cmd->raw)
		return r;
	r = opt_scan(in->a, in->words, in->cmd->verb, in->cmd->stop, &line, e);
	if (r < 0) {
		(void)opt_apply(&oi, &line, OPTF_EARLY, NULL);
		return r;
	}
	for (size_t i = 0; i < line.n_items; i++)
		if (str_eq(line.items[i].opt->name, "help"))
			in->ask->help = true;
	if (in->ask->help)
		return 0;
	r = config_load(&oi, in->cmd->verb, e);
	if (r >= 0)
		r = opt_apply(&oi, &line, 0, e);
	if (r >= 0)
		r = check_operands(in->cmd, &line.operands, e);
	if (r < 0)
		return r;
	q->args = line.operands;
	if (in->cmd->verb == VERB_RUN) {
		q->image = line.operands.v[0];
		q->args.v++;
		q->args.n--;
		q->args.cap = q->args.n;
	}
	settle_request(q);
	return 0;
}

const struct cmd *cmd_choose(const char *const *argv, const char *const **ret_words,
			     bool *ret_left_out)
{
	const struct cmd *c = argv[0] && argv[1] ? cmd_find(argv[1]) : NULL;

	*ret_left_out = !c;
	if (!c && argv[0] && argv[1] && str_eq(argv[1], "--version"))
		c = &cmd_version;
	if (!c && argv[0] && argv[1] && str_eq(argv[1], "--help"))
		c = &cmd_help;
	*ret_words = argv + (c ? 2 : argv[0] ? 1 : 0);
	return c ? c : &cmd_run;
}

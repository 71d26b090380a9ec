/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - find the verb, ask what is wanted, do it, say what went wrong.
 *
 * The only place that ends the program.  Descriptors above 2 are left as they were inherited:
 * which of them reach the command is for run/ to say (--preserve-fd).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <gpurun/log.h>
#include <gpurun/str.h>

#include "cmd.h"

/*
 * A program with privileges of its own would be a way to root for whoever starts it: gpurun
 * follows the caller's environment and opens the caller's files.
 */
static int check_privilege(struct err *e)
{
	if (!getauxval(AT_SECURE))
		return 0;
	err_set(e, EPERM, "refused: installed setuid, setgid or with file capabilities");
	err_hint(e, "chmod ug-s and setcap -r on the program: it needs no privilege");
	return -EPERM;
}

/* With 0, 1 or 2 closed, the next file opened would become the command's stdin or stderr. */
static int check_standard_fds(struct err *e)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
			return err_sys(e, errno, "/dev/null");
	}
	return 0;
}

static void setup_log(const struct request *q)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	const struct log_config c = {
		.verbose = q->verbose,
		.quiet = q->quiet,
		.json = q->log_json,
		.color = (enum log_color)q->color,
		.no_color = no_color && no_color[0],
		.dumb = !term || !term[0] || str_eq(term, "dumb"),
	};

	log_setup(&c);
}

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

/* Fill in->ask from the configuration and the words behind the verb. */
static int ask(const struct cmd_in *in, struct err *e)
{
	const struct opt_in oi = {
		.a = in->a, .ask = in->ask, .cwd = place_cwd(in->a), .home = getenv("HOME")
	};
	struct request *q = &in->ask->request;
	struct opt_line line = { 0 };
	int r;

	if (in->cmd->raw)
		return 0;
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
		q->args.cap = 0;
	}
	settle_request(q);
	return 0;
}

/* The verb of the command line; @ret_words: what is behind it. */
static const struct cmd *choose(const char *const *argv, const char *const **ret_words,
				bool *ret_left_out)
{
	const struct cmd *c = argv[0] && argv[1] ? cmd_find(argv[1]) : NULL;

	*ret_left_out = !c;
	*ret_words = argv + (c ? 2 : argv[0] ? 1 : 0);
	if (c)
		return c;
	if (argv[0] && argv[1] && str_eq(argv[1], "--help"))
		return &cmd_help;
	if (argv[0] && argv[1] && str_eq(argv[1], "--version"))
		return &cmd_version;
	return &cmd_run;
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

static int perform(struct arena *a, const char *const *argv, int *ret_status, struct err *e)
{
	struct ask asked = { 0 };
	struct cmd_in in = { .a = a, .ask = &asked };
	int r;

	in.cmd = choose(argv, &in.words, &in.verb_left_out);
	r = check_built(in.cmd, e);
	if (r >= 0)
		r = ask(&in, e);
	setup_log(&asked.request);
	if (r < 0)
		return r;
	if (asked.help)
		return cmd_help_print(a, in.verb_left_out ? &cmd_help : in.cmd, e);
	return in.cmd->run(&in, ret_status, e);
}

int main(int argc, char **argv)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct err e = { 0 };
	int status = 0, r;

	(void)argc;
	r = check_privilege(&e);
	if (r >= 0)
		r = check_standard_fds(&e);
	if (r >= 0)
		r = perform(a, (const char *const *)argv, &status, &e);
	if (r >= 0)
		return status;
	log_error(&e);
	return e.status ? e.status : EXIT_GPURUN;
}

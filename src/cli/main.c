/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - ask what is wanted, do it, say what went wrong.
 *
 * The only place that ends the program.  Descriptors above 2 are left as they were inherited:
 * which of them reach the command is for run/ to say (--preserve-fd).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
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
	struct pollfd p[] = { { .fd = 0 }, { .fd = 1 }, { .fd = 2 } };

	if (poll(p, ELEMENTS(p), 0) == 0) /* one call tells of none that is closed */
		return 0;
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
			return err_sys(e, errno, "/dev/null");
	}
	return 0;
}

/* An ignored SIGCHLD comes through exec: the end of a child could not be waited for. */
static void reset_sigchld(void)
{
	const struct sigaction sa = { .sa_handler = SIG_DFL };

	(void)sigaction(SIGCHLD, &sa, NULL);
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

static int perform(struct arena *a, const char *const *argv, int *ret_status, struct err *e)
{
	struct ask asked = { 0 };
	struct cmd_in in = { .a = a, .ask = &asked, .argv = spank_argv(a, argv) };
	int r;

	in.cmd = cmd_choose(in.argv, &in.words, &in.verb_left_out);
	r = cmd_ask(&in, e);
	setup_log(&asked.request);
	if (r < 0)
		return r;
	if (asked.help)
		return cmd_help_print(a, in.verb_left_out ? &cmd_help : in.cmd, e);
	return in.cmd->run(&in, ret_status, e);
}

/*
 * Nothing waits for the end: no output is held back, and memory, files and libraries are the
 * kernel's to take.  What watches over a test has its say there.
 */
static _Noreturn void finish(int status)
{
#ifdef __SANITIZE_ADDRESS__
	exit(status);
#else
	_exit(status);
#endif
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new(0); /* of this process: it ends with it */
	struct err e = { 0 };
	int status = 0, r;

	(void)argc;
	reset_sigchld();
	r = check_privilege(&e);
	if (r >= 0)
		r = check_standard_fds(&e);
	if (r >= 0)
		r = perform(a, (const char *const *)argv, &status, &e);
	if (r >= 0)
		finish(status);
	log_error(&e);
	finish(e.status ? e.status : EXIT_GPURUN);
}

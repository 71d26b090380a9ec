/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files and GPURUN_* variables: grammar, order, messages.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/cli/cmd.h"
#include "tap.h"

static struct arena *arena;
static struct ask asked;
static struct err err;

static int parse(const char *text, unsigned int verbs)
{
	const struct opt_in in = { .a = arena, .ask = &asked, .cwd = "/work", .home = "/home/me" };

	memset(&asked, 0, sizeof(asked));
	memset(&err, 0, sizeof(err));
	return config_parse(&in, "x.conf", text, strlen(text), verbs, &err);
}

static void test_grammar(void)
{
	const struct request *q = &asked.request;

	is_int(parse("# comment\n\n gpus = 0,1  # both\nread-only=yes\nvolume = /a:/b\nvolume=/c\n"
		     "network = none\nworkdir = /x#y\nverbose = 2\r\n",
		     VERB_RUN),
	       0, "a file: %s", err.msg);
	is_str(q->gpus, "0,1", "a value without its comment");
	ok(q->read_only, "a flag");
	is_int((int)q->n_mounts, 2, "a list");
	is_int(q->net, NET_NONE, "an alias");
	is_str(q->workdir, "/x#y", "'#' inside of a word");
	is_int(q->verbose, 2, "a count");
	is_int(parse("gpus = 0\nstore = /s", VERB_RM), 0, "another verb");
	ok(!q->gpus && q->store, "takes only what is for it");
	is_int(parse("", VERB_RUN), 0, "an empty file");
}

static void test_wrong(void)
{
	static const char *const cases[][3] = {
		{ "\ngpu = 0", "x.conf:2: gpu: no such key", "did you mean gpus?" },
		{ "read-only", "x.conf:1: 'read-only': not of the form key = value", "" },
		{ "read-only = maybe", "x.conf:1: read-only: maybe: neither true nor false", "" },
		{ "gpus =", "x.conf:1: gpus: the value is empty", "" },
		{ "pid = mine", "x.conf:1: pid: mine: not one of private, host", "" },
		{ "memory = 1g", "x.conf:1: memory: not supported by this version", "" },
		{ "help = true", "x.conf:1: help: no such key", NULL },
		{ "sysroot = /x", "x.conf:1: sysroot: no such key", NULL },
		{ "volume = data:/x", "x.conf:1: volume: data:/x: named volumes are not supported",
		  "a directory is written with a slash: ./data:/x" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ok(parse(cases[i][0], VERB_RUN) < 0, "wrong: %s", cases[i][0]);
		is_str(err.msg, cases[i][1], "its message");
		if (cases[i][2])
			is_str(err.hint, cases[i][2], "its hint");
	}
}

static int ask_words(const char *const *words)
{
	const struct cmd_in in = { .a = arena, .cmd = &cmd_run, .ask = &asked, .words = words };

	memset(&asked, 0, sizeof(asked));
	memset(&err, 0, sizeof(err));
	return cmd_ask(&in, &err);
}

#define ASK(...) ask_words((const char *const[]){ __VA_ARGS__, "image", NULL })

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

/* built in < file < variable < option */
static void test_order(void)
{
	char dir[] = "/tmp/t_cli_config.XXXXXX";
	const char *file;

	if (!mkdtemp(dir)) {
		ok(false, "a temporary directory");
		return;
	}
	file = arena_printf(arena, "%s/gpurun/gpurun.conf", dir);
	mkdir(arena_printf(arena, "%s/gpurun", dir), 0700);
	setenv("XDG_CONFIG_HOME", dir, 1);
	is_int(ASK("-q"), 0, "no file: %s", err.msg);
	ok(!asked.request.gpus, "says nothing");
	write_file(file, "gpus = 1\nenv = FROM=file\nname = file\n");
	is_int(ASK("-q"), 0, "a file: %s", err.msg);
	is_str(asked.request.gpus, "1", "the file's value");
	setenv("GPURUN_GPUS", "2", 1);
	setenv("GPURUN_READ_ONLY", "1", 1);
	setenv("GPURUN_NAME", "", 1);
	is_int(ASK("-e", "FROM=option"), 0, "and variables: %s", err.msg);
	is_str(asked.request.gpus, "2", "the variable wins over the file");
	ok(asked.request.read_only, "a flag as a variable");
	is_str(asked.request.name, "file", "an empty variable says nothing");
	is_int((int)asked.request.env.n, 2, "lists add up");
	is_str(asked.request.env.v[1], "FROM=option", "the option comes last");
	is_int(ASK("--gpus", "3"), 0, "and options");
	is_str(asked.request.gpus, "3", "the option wins");
	setenv("GPURUN_READ_ONLY", "perhaps", 1);
	ok(ASK("-q") < 0, "a wrong variable");
	is_str(err.msg, "GPURUN_READ_ONLY: perhaps: neither true nor false", "its message");
	unsetenv("GPURUN_READ_ONLY");
	write_file(file, "gpu = 1\n");
	ok(ASK("-q") < 0, "a wrong file");
	is_str(err.msg, arena_printf(arena, "%s:1: gpu: no such key", file), "names file and line");
	is_int(ASK("--help"), 0, "--help works beside a wrong file");
	unlink(file);
	rmdir(arena_printf(arena, "%s/gpurun", dir));
	rmdir(dir);
}

int main(void)
{
	arena = arena_new(0);
	test_grammar();
	test_wrong();
	test_order();
	arena_free(arena);
	return done_testing();
}

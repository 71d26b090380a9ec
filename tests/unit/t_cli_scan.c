/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines cut into options and operands, and verbs chosen.
 */
#include "../../src/cli/cmd.h"
#include "tap.h"

static struct arena *arena;
static struct opt_line line;
static struct err err;

/* Scan the words of @text (blanks between, '_' is an empty word) as options of @verb. */
static int scan(const char *text, unsigned int verb, bool stop)
{
	const char *words[32] = { NULL };
	char *p = arena_strdup(arena, text);
	size_t n = 0;

	while (*p && n < 31) {
		size_t len = strcspn(p, " ");

		words[n++] = len == 1 && *p == '_' ? "" : arena_strndup(arena, p, len);
		p += len + (p[len] == ' ');
	}
	memset(&line, 0, sizeof(line));
	memset(&err, 0, sizeof(err));
	return opt_scan(arena, words, verb, stop, &line, &err);
}

/* "name=value name=value | operand operand" */
static const char *scanned(const char *text)
{
	const char *s = "";

	if (scan(text, VERB_RUN, true) < 0)
		return "error";
	for (size_t i = 0; i < line.n_items; i++)
		s = arena_printf(arena, "%s%s=%s ", s, line.items[i].opt->name,
				 line.items[i].value);
	s = arena_printf(arena, "%s|", s);
	for (size_t i = 0; i < line.operands.n; i++)
		s = arena_printf(arena, "%s %s", s, line.operands.v[i]);
	return s;
}

static void test_spellings(void)
{
	static const char *const cases[][2] = {
		{ "image", "| image" },
		{ "image -v x", "| image -v x" },
		{ "-- image --rm", "| image --rm" },
		{ "-- --rm", "| --rm" },
		{ "--rm image", "rm=true | image" },
		{ "--rm=false image", "rm=false | image" },
		{ "-it image", "interactive=true tty=true | image" },
		{ "-ti image", "tty=true interactive=true | image" },
		{ "-itv /a image", "interactive=true tty=true volume=/a | image" },
		{ "-itv/a image", "interactive=true tty=true volume=/a | image" },
		{ "-v /a:/b image", "volume=/a:/b | image" },
		{ "-v=/a:/b image", "volume=/a:/b | image" },
		{ "-v/a:/b image", "volume=/a:/b | image" },
		{ "--volume /a:/b image", "volume=/a:/b | image" },
		{ "--volume=/a:/b image", "volume=/a:/b | image" },
		{ "-t=false image", "tty=false | image" },
		{ "-eA=b image", "env=A=b | image" },
		{ "-e=A=b image", "env=A=b | image" },
		{ "-e A=b -e C image", "env=A=b env=C | image" },
		{ "--env=A=b image", "env=A=b | image" },
		{ "--network host image", "net=host | image" },
		{ "--net=none image", "net=none | image" },
		{ "-B /a,/b image", "bind=/a,/b | image" },
		{ "-u 0 -w /x -h n image sh -c -i",
		  "user=0 workdir=/x hostname=n | image sh -c -i" },
		{ "--entrypoint _ image", "entrypoint= | image" },
		{ "--mps image", "mps= | image" },
		{ "--mps=/x image", "mps=/x | image" },
		{ "-CH image", "cwd=true home=true | image" },
		{ "-q --verbose --verbose image", "quiet=true verbose=true verbose=true | image" },
		{ "- image", "| - image" },
		{ "-e -v image", "env=-v | image" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_str(scanned(cases[i][0]), cases[i][1], "%s", cases[i][0]);
}

static void test_mixed_operands(void)
{
	is_int(scan("a --store /x b", VERB_RM, false), 0, "options between operands");
	is_int((int)line.operands.n, 2, "both operands");
	is_int((int)line.n_items, 1, "and the option");
	is_int(scan("a -- --store", VERB_RM, false), 0, "options end at --");
	is_str(line.operands.v[1], "--store", "what follows is an operand");
}

static void test_wrong(void)
{
	ok(scan("--volum /a image", VERB_RUN, true) < 0, "a mistyped option");
	is_str(err.msg, "--volum: no such option", "its message");
	is_str(err.hint, "did you mean --volume?", "its hint");
	ok(scan("--read_only=true image", VERB_RUN, true) < 0, "with a value");
	is_str(err.msg, "--read_only: no such option", "the value is not in the message");
	ok(scan("-v", VERB_RUN, true) < 0, "a value is missing");
	is_str(err.msg, "--volume: wants a value (SRC[:DST[:OPTS]])", "its message");
	ok(scan("--gpus", VERB_RUN, true) < 0, "a value is missing behind a long option");
	ok(scan("-iZ image", VERB_RUN, true) < 0, "a wrong letter in a cluster");
	is_str(err.msg, "-Z: no such option", "only the letter is named");
	ok(scan("--json", VERB_RUN, true) < 0, "another verb's option");
	is_int(scan("--json", VERB_PS, false), 0, "is that verb's option");
	ok(scan("-q --bogus", VERB_PS, false) < 0 && line.n_items == 1,
	   "what came before the wrong word is there");
}

static const char *chosen(const char *a1, const char *a2)
{
	const char *const argv[] = { "gpurun", a1, a2, NULL };
	const char *const *words = NULL;
	bool left_out = false;
	const struct cmd *c = cmd_choose(argv, &words, &left_out);

	return arena_printf(arena, "%s %s%s", c->name, words[0] ? words[0] : "-",
			    left_out ? " (left out)" : "");
}

static void test_verbs(void)
{
	is_str(chosen("run", "x"), "run x", "run");
	is_str(chosen("x", "run"), "run x (left out)", "the verb may be left out");
	is_str(chosen("images", NULL), "images -", "a verb wins over a file");
	is_str(chosen("./images", NULL), "run ./images (left out)", "with a slash it is a file");
	is_str(chosen("--rm", "x"), "run --rm (left out)", "options of run");
	is_str(chosen("--help", NULL), "help - (left out)", "--help");
	is_str(chosen("--version", NULL), "version - (left out)", "--version");
	is_str(chosen(NULL, NULL), "run - (left out)", "nothing");
	is_str(cmd_nearest("imags"), "images", "the nearest verb");
	ok(cmd_nearest("debian.tar") == NULL, "no verb is near a file's name");
}

/* What every row of the table must have. */
static void test_table(void)
{
	size_t rows = 0;

	for (const struct opt_group *const *g = opt_groups; *g; g++) {
		for (size_t i = 0; i < (*g)->n; i++, rows++) {
			const struct opt *o = &(*g)->rows[i];
			bool has_value = o->arg == OPT_FLAG || o->metavar || o->arg == OPT_OPTIONAL;

			ok(o->set && o->verbs && has_value, "--%s is whole", o->name);
			ok(opt_find(o->name, strlen(o->name), o->verbs) == o, "--%s is found once",
			   o->name);
			ok(!o->short_name || opt_find_short(o->short_name, o->verbs) == o,
			   "-%c is one option", o->short_name ? o->short_name : '-');
			ok(!o->help || o->set != opt_set_refused,
			   "--%s: what is refused is not shown", o->name);
		}
	}
	ok(rows > 60, "%zu options", rows);
}

int main(void)
{
	arena = arena_new(0);
	test_spellings();
	test_mixed_operands();
	test_wrong();
	test_verbs();
	test_table();
	arena_free(arena);
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entrypoint x Cmd x words of the command line x --entrypoint: docker's 36 cases (each of
 * Entrypoint and Cmd absent, in exec form or in shell form), and the cleared entrypoint.
 */
#include <gpurun/str.h>

#include "../../src/plan/build.h"
#include "tap.h"

#define SHELL_E "/bin/sh|-c|echo e"
#define SHELL_C "/bin/sh|-c|echo c"

/* Words are joined by '|'; "" is none. */
static const struct {
	const char *entrypoint, *cmd, *args, *override, *want;
} rows[] = {
	{ "", "", "", NULL, "" },
	{ "", "", "a|b", NULL, "a|b" },
	{ "", "c|d", "", NULL, "c|d" },
	{ "", "c|d", "a|b", NULL, "a|b" },
	{ "", SHELL_C, "", NULL, SHELL_C },
	{ "", SHELL_C, "a|b", NULL, "a|b" },
	{ "e|f", "", "", NULL, "e|f" },
	{ "e|f", "", "a|b", NULL, "e|f|a|b" },
	{ "e|f", "c|d", "", NULL, "e|f|c|d" },
	{ "e|f", "c|d", "a|b", NULL, "e|f|a|b" },
	{ "e|f", SHELL_C, "", NULL, "e|f|" SHELL_C },
	{ "e|f", SHELL_C, "a|b", NULL, "e|f|a|b" },
	{ SHELL_E, "", "", NULL, SHELL_E },
	{ SHELL_E, "", "a|b", NULL, SHELL_E "|a|b" },
	{ SHELL_E, "c|d", "", NULL, SHELL_E "|c|d" },
	{ SHELL_E, "c|d", "a|b", NULL, SHELL_E "|a|b" },
	{ SHELL_E, SHELL_C, "", NULL, SHELL_E "|" SHELL_C },
	{ SHELL_E, SHELL_C, "a|b", NULL, SHELL_E "|a|b" },
	{ "", "", "", "x", "x" },
	{ "", "", "a|b", "x", "x|a|b" },
	{ "", "c|d", "", "x", "x" },
	{ "", "c|d", "a|b", "x", "x|a|b" },
	{ "", SHELL_C, "", "x", "x" },
	{ "", SHELL_C, "a|b", "x", "x|a|b" },
	{ "e|f", "", "", "x", "x" },
	{ "e|f", "", "a|b", "x", "x|a|b" },
	{ "e|f", "c|d", "", "x", "x" },
	{ "e|f", "c|d", "a|b", "x", "x|a|b" },
	{ "e|f", SHELL_C, "", "x", "x" },
	{ "e|f", SHELL_C, "a|b", "x", "x|a|b" },
	{ SHELL_E, "", "", "x", "x" },
	{ SHELL_E, "", "a|b", "x", "x|a|b" },
	{ SHELL_E, "c|d", "", "x", "x" },
	{ SHELL_E, "c|d", "a|b", "x", "x|a|b" },
	{ SHELL_E, SHELL_C, "", "x", "x" },
	{ SHELL_E, SHELL_C, "a|b", "x", "x|a|b" },
	/* --entrypoint "": docker takes Cmd away, too */
	{ "e|f", "c|d", "", "", "" },
	{ "e|f", "c|d", "a|b", "", "a|b" },
	{ "", "c|d", "", "", "" },
	/* an empty word is a word */
	{ "e", "c", "|", NULL, "e||" },
};

static struct strv words(struct arena *a, const char *s)
{
	struct strv v = { 0 };

	if (*s)
		str_split(a, s, '|', &v);
	return v;
}

static const char *joined(struct arena *a, const struct strv *v)
{
	const char *s = "";

	for (size_t i = 0; i < v->n; i++)
		s = arena_printf(a, "%s%s%s", s, i ? "|" : "", v->v[i]);
	return s;
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct image_config c = { .entrypoint = words(a, rows[i].entrypoint),
					  .cmd = words(a, rows[i].cmd) };
		struct strv args = words(a, rows[i].args), got = { 0 };

		argv_combine(a, &c, rows[i].override, &args, &got);
		is_str(joined(a, &got), rows[i].want, "[%s] [%s] %s --entrypoint %s",
		       rows[i].entrypoint, rows[i].cmd, rows[i].args,
		       rows[i].override ? rows[i].override : "-");
		ok(got.n == 0 || got.v[got.n] == NULL, "ends with NULL");
	}
	return done_testing();
}

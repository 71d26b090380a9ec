/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line that Slurm's plugin leaves in the environment.
 */
#include "../../src/cli/cmd.h"
#include "tap.h"

static struct arena *arena;

static void set_all(const char *image, const char *gpus, const char *options, const char *command)
{
	const char *const names[] = { "IMAGE", "GPUS", "OPTIONS", "COMMAND" };
	const char *const values[] = { image, gpus, options, command };

	for (size_t i = 0; i < 4; i++) {
		const char *name = arena_printf(arena, "GPURUN_SPANK_%s", names[i]);

		if (values[i])
			setenv(name, values[i], 1);
		else
			unsetenv(name);
	}
}

/* The words, each in brackets. */
static const char *words_of(const char *const *argv)
{
	const char *s = "";

	for (; *argv; argv++)
		s = arena_printf(arena, "%s[%s]", s, *argv);
	return s;
}

static void test_words(void)
{
	static const char *const argv[] = { "gpurun", "a b", "", "--gpus", NULL };
	static const char *const rows[][5] = {
		{ "x.tar", NULL, NULL, "sh", "[gpurun][run][--][x.tar][sh][a b][][--gpus]" },
		{ "-x", "0,1", NULL, "-c", "[gpurun][run][--gpus=0,1][--][-x][-c][a b][][--gpus]" },
		{ "x", NULL, "  -e A=1  -q ", "sh",
		  "[gpurun][run][-e][A=1][-q][--][x][sh][a b][][--gpus]" },
		{ "", "", "", "", "[gpurun][run][--gpus=][--][][][a b][][--gpus]" },
		{ NULL, "all", "-q", "sh", "[gpurun][a b][][--gpus]" },
		{ "x", "all", "-q", NULL, "[gpurun][a b][][--gpus]" },
		{ NULL, NULL, NULL, NULL, "[gpurun][a b][][--gpus]" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_all(rows[i][0], rows[i][1], rows[i][2], rows[i][3]);
		is_str(words_of(spank_argv(arena, argv)), rows[i][4], "row %zu", i);
		ok(!getenv("GPURUN_SPANK_IMAGE") && !getenv("GPURUN_SPANK_GPUS") &&
			   !getenv("GPURUN_SPANK_OPTIONS") && !getenv("GPURUN_SPANK_COMMAND"),
		   "row %zu: nothing is left in the environment", i);
	}
}

static void test_no_words(void)
{
	static const char *const argv[] = { NULL };

	set_all("x", NULL, NULL, "sh");
	ok(spank_argv(arena, argv) == argv, "without a name of our own nothing is made up");
}

int main(void)
{
	arena = arena_new(0);
	test_words();
	test_no_words();
	arena_free(arena);
	return done_testing();
}

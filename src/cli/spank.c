/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spank.c - a command line that Slurm's plugin (contrib/spank) could not write itself: it can put
 * gpurun in the place of a command's name, and variables into the environment.
 */
#include <stdlib.h>

#include <gpurun/str.h>

#include "cmd.h"

/* What a variable says, once: nothing that is started from here finds it again. */
static const char *take(struct arena *a, const char *name)
{
	const char *value = getenv(name);

	if (!value)
		return NULL;
	value = arena_strdup(a, value);
	(void)unsetenv(name);
	return value;
}

static void add_words(struct arena *a, struct strv *v, const char *text)
{
	struct strv words = { 0 };

	str_split(a, text, ' ', &words);
	for (size_t i = 0; i < words.n; i++)
		if (words.v[i][0])
			strv_push(a, v, words.v[i]);
}

/* Copies: what the kernel gave is overwritten in a container's first process (run/init.c). */
static void add_rest(struct arena *a, struct strv *v, const char *const *argv)
{
	for (size_t i = 1; argv[i]; i++)
		strv_push(a, v, arena_strdup(a, argv[i]));
}

const char *const *spank_argv(struct arena *a, const char *const *argv)
{
	const char *image = take(a, "GPURUN_SPANK_IMAGE");
	const char *gpus = take(a, "GPURUN_SPANK_GPUS");
	const char *options = take(a, "GPURUN_SPANK_OPTIONS");
	const char *command = take(a, "GPURUN_SPANK_COMMAND");
	struct strv v = { 0 };

	if (!argv[0])
		return argv;
	strv_push(a, &v, arena_strdup(a, argv[0]));
	if (!image || !command) {
		add_rest(a, &v, argv);
		return v.v;
	}
	strv_push(a, &v, "run");
	if (gpus)
		strv_push(a, &v, arena_printf(a, "--gpus=%s", gpus));
	if (options)
		add_words(a, &v, options);
	strv_push(a, &v, "--");
	strv_push(a, &v, image);
	strv_push(a, &v, command);
	add_rest(a, &v, argv);
	return v.v;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpurun.c - a SPANK plugin: srun --gpurun-image=IMAGE [--gpurun-gpus=LIST]
 * [--gpurun-options=WORDS] COMMAND... runs the tasks in containers, as srun gpurun ... would.
 *
 * Built by "make spank", for one version of Slurm; plugstack.conf gets the line
 *
 *	optional gpurun.so [gpurun=/path/of/gpurun]
 *
 * The plugin does nothing itself.  Before a task is executed it puts gpurun in the place of the
 * command's name and the rest into variables, from which gpurun makes its command line
 * (src/cli/spank.c): a task that cannot have its container fails, it never runs without one.
 * Steps that do not use the options are left alone.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <slurm/spank.h>

#ifndef GPURUN
#define GPURUN "/usr/local/bin/gpurun"
#endif

SPANK_PLUGIN(gpurun, 1)

/* What a task ends with when it cannot be started as asked: gpurun's own status for that. */
#define STATUS_FAILED 125

/* One variable an option, and the option's argument as it was given. */
enum { IMAGE, GPUS, OPTIONS, N_OPTIONS };

static const char *const variables[N_OPTIONS] = {
	[IMAGE] = "GPURUN_SPANK_IMAGE",
	[GPUS] = "GPURUN_SPANK_GPUS",
	[OPTIONS] = "GPURUN_SPANK_OPTIONS",
};

#define COMMAND "GPURUN_SPANK_COMMAND"
#define REFUSED "GPURUN_SPANK_REFUSED"

static char *given[N_OPTIONS];
static char program[PATH_MAX] = GPURUN;

static int take_option(int which, const char *arg, int remote)
{
	(void)remote;
	if (!arg || !arg[0]) {
		slurm_error("gpurun: an option of --gpurun has no argument");
		return -1;
	}
	free(given[which]);
	given[which] = strdup(arg);
	return given[which] ? 0 : -1;
}

static struct spank_option options[] = {
	{ "gpurun-image", "IMAGE", "[gpurun] run the tasks in containers of IMAGE", 1, IMAGE,
	  take_option },
	{ "gpurun-gpus", "LIST", "[gpurun] which of the step's GPUs: gpurun's --gpus", 1, GPUS,
	  take_option },
	{ "gpurun-options", "WORDS", "[gpurun] more options of gpurun, divided by blanks", 1,
	  OPTIONS, take_option },
	SPANK_OPTIONS_TABLE_END,
};

/* gpurun=PATH, from plugstack.conf.  What is wrong there is said, and nobody's job fails of it. */
static void read_arguments(int ac, char **av)
{
	static const char key[] = "gpurun=";

	for (int i = 0; i < ac; i++) {
		const char *path = av[i] + sizeof(key) - 1;

		if (strncmp(av[i], key, sizeof(key) - 1) || path[0] != '/' ||
		    strlen(path) >= sizeof(program))
			slurm_error("gpurun: plugstack.conf: %s: not gpurun=/PATH", av[i]);
		else
			memcpy(program, path, strlen(path) + 1);
	}
}

/*
 * Only srun has the options, and slurmstepd, which is told of them: a batch script is no task that
 * could be put into a container.
 */
int slurm_spank_init(spank_t sp, int ac, char **av)
{
	spank_context_t context = spank_context();

	if (context != S_CTX_LOCAL && context != S_CTX_REMOTE)
		return 0;
	read_arguments(ac, av);
	for (int i = 0; options[i].name; i++)
		if (spank_option_register(sp, &options[i]) != ESPANK_SUCCESS)
			slurm_error("gpurun: --%s: cannot be registered", options[i].name);
	return 0;
}

/* ---- in srun ----------------------------------------------------------------------------- */

/* Is --multi-prog one of srun's options?  They are in front of the word that getopt stopped at. */
static int asks_multi_prog(void)
{
	static const char option[] = "--multi-prog";
	FILE *f = fopen("/proc/self/cmdline", "re");
	char *word = NULL;
	size_t size = 0;
	int found = 0;

	for (int i = 0; f && i < optind && getdelim(&word, &size, 0, f) > 0; i++)
		/* any beginning of it that is no other option's */
		found |= strlen(word) > 3 && !strncmp(word, option, strlen(word));
	if (f)
		fclose(f);
	free(word);
	return found;
}

/*
 * The words of a --multi-prog file become the tasks' behind our back: they would run outside.  They
 * are told to refuse; to fail here would not stop srun where the plugin is optional.
 */
int slurm_spank_init_post_opt(spank_t sp, int ac, char **av)
{
	(void)sp, (void)ac, (void)av;
	if (spank_context() == S_CTX_LOCAL && given[IMAGE] && asks_multi_prog())
		setenv(REFUSED, "--multi-prog", 1);
	return 0;
}

/* ---- in a task --------------------------------------------------------------------------- */

/* The task ends here; as root's plugin we are asked after the fork, and only the task is us. */
static void fail(const char *what, const char *why)
{
	slurm_error("gpurun: %s: %s", what, why);
	_exit(STATUS_FAILED);
}

static void set(spank_t sp, const char *name, const char *value)
{
	spank_err_t r = spank_setenv(sp, name, value, 1);

	if (r != ESPANK_SUCCESS)
		fail(name, spank_strerror(r));
}

int slurm_spank_task_init(spank_t sp, int ac, char **av)
{
	char refused[64];
	char **argv;
	int argc;
	spank_err_t r;

	(void)ac, (void)av;
	if (!given[IMAGE]) {
		if (given[GPUS] || given[OPTIONS])
			fail("--gpurun-gpus, --gpurun-options", "want --gpurun-image");
		return 0;
	}
	if (spank_getenv(sp, REFUSED, refused, sizeof(refused)) == ESPANK_SUCCESS)
		fail("--gpurun-image", "not with --multi-prog: name gpurun in its file");
	r = spank_get_item(sp, S_JOB_ARGV, &argc, &argv);
	if (r != ESPANK_SUCCESS || argc < 1)
		fail("--gpurun-image", r != ESPANK_SUCCESS ? spank_strerror(r) : "no command");
	if (access(program, X_OK))
		fail(program, "cannot be executed on this node");
	set(sp, COMMAND, argv[0]);
	for (int i = 0; i < N_OPTIONS; i++)
		if (given[i])
			set(sp, variables[i], given[i]);
	argv[0] = strdup(program);
	if (!argv[0])
		fail(program, "no memory");
	return 0;
}

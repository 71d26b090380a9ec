/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd.h - the verbs: one row each in cmds[], one file each (cmd_run.c, cmd_ps.c, ...).
 */
#ifndef GPURUN_CLI_CMD_H
#define GPURUN_CLI_CMD_H

#include <gpurun/arena.h>
#include <gpurun/err.h>
#include <gpurun/state.h>
#include <gpurun/store.h>

#include "opt.h"

struct cmd;
struct gpu_driver;
struct host;
struct sysroot;

/* What a verb works with; everything ends with the program. */
struct cmd_in {
	struct arena *a;
	const struct cmd *cmd;
	struct ask *ask;
	bool verb_left_out;       /* "gpurun IMAGE" */
	const char *const *words; /* everything behind the verb, as typed (for __complete) */
	const char *const *argv;  /* what starts this process anew */
};

/**
 * struct cmd - one verb
 * @verb:     its bit in struct opt.verbs; 0: known, but not built
 * @operands: what follows the options, for --help: "NAME..."
 * @min, @max: how many of them (-1: no limit)
 * @stop:     the first operand ends the options
 * @raw:      words are not scanned at all
 * @complete: what an operand is
 * @run:      does it; @ret_status is set when the verb ends with a status of its own
 */
struct cmd {
	const char *name, *operands, *summary;
	unsigned int verb;
	int min, max;
	bool stop, raw, hidden;
	enum opt_complete complete;
	int (*run)(const struct cmd_in *in, int *ret_status, struct err *e);
};

extern const struct cmd *const cmds[]; /* NULL-terminated, in the order of help */

extern const struct cmd cmd_run, cmd_images, cmd_rm, cmd_prune, cmd_verify, cmd_inspect, cmd_ps,
	cmd_exec, cmd_kill, cmd_oci_run, cmd_gpus, cmd_doctor, cmd_devd, cmd_version, cmd_help,
	cmd_complete;

/** cmd_find - the verb of that name, or NULL */
const struct cmd *cmd_find(const char *name);

/** cmd_nearest - the verb that @name was probably meant to be, or NULL */
const char *cmd_nearest(const char *name);

/** cmd_help_print - --help of one verb on stdout */
int cmd_help_print(struct arena *a, const struct cmd *c, struct err *e);

/* ---- ask.c ------------------------------------------------------------------------------ */

/** cmd_choose - the verb of a command line; @ret_words: what is behind it */
const struct cmd *cmd_choose(const char *const *argv, const char *const **ret_words,
			     bool *ret_left_out);

/**
 * spank_argv - the command line: a copy of @argv, or what Slurm's plugin left in the environment
 * (spank.c).  Its variables are gone afterwards.
 */
const char *const *spank_argv(struct arena *a, const char *const *argv);

/**
 * cmd_ask - fill in->ask from the configuration and the words behind the verb
 * On failure the members that shape our own messages (--quiet, --log-format) are there.
 */
int cmd_ask(const struct cmd_in *in, struct err *e);

/* ---- places.c --------------------------------------------------------------------------- */

/** place_cwd - the caller's directory, or NULL when it is gone */
const char *place_cwd(struct arena *a);

/** place_store_open - the store that options and environment name */
int place_store_open(const struct cmd_in *in, struct store **ret, struct err *e);

/** place_state - the directory of the records of running containers */
int place_state(struct arena *a, const char **ret, struct err *e);

/** place_states - the same, and the others in which there may be some: see state_dirs() */
int place_states(struct arena *a, struct strv *ret, struct err *e);

/**
 * place_driver - the driver's files below @dir (--driver-root), or below @root when that is NULL
 * @module, @caps: as for gpu_driver_look()
 */
int place_driver(struct arena *a, const char *dir, const struct sysroot *root, const char *module,
		 uint32_t caps, struct gpu_driver *ret, struct err *e);

/** place_host - the snapshot of the real host, for verbs other than run */
int place_host(struct arena *a, struct host *ret, struct err *e);

#endif

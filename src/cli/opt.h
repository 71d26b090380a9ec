/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt.h - options as data.
 *
 * One table (opt_groups[]) has many readers: the parser of the command line, the configuration
 * files, the GPURUN_* variables, --help and the hidden __complete.  Nothing else in the program
 * knows the name of an option.
 *
 * A command line is first scanned into a list of (row, value) and only then applied, after the
 * configuration: so an option wins over a file, wherever it stands, and --help works beside a
 * broken file.
 */
#ifndef GPURUN_CLI_OPT_H
#define GPURUN_CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>
#include <gpurun/request.h>

#define OPT_LIST_MAX  4096         /* entries of one list: volumes, variables, ... */
#define OPT_VALUE_MAX (128U << 10) /* bytes of one value: the kernel's own limit for an argument */

/* Verbs that take a row; the members of struct opt.verbs. */
enum {
	VERB_RUN = 1 << 0,
	VERB_EXEC = 1 << 1,
	VERB_IMAGES = 1 << 2,
	VERB_RM = 1 << 3,
	VERB_PRUNE = 1 << 4,
	VERB_VERIFY = 1 << 5,
	VERB_INSPECT = 1 << 6,
	VERB_PS = 1 << 7,
	VERB_KILL = 1 << 8,
	VERB_OTHER = 1 << 9, /* help, version */
	VERB_GPUS = 1 << 10,
	VERB_DOCTOR = 1 << 11,
	VERB_OCI_RUN = 1 << 12,
	VERB_STORE = VERB_RUN | VERB_IMAGES | VERB_RM | VERB_PRUNE | VERB_VERIFY | VERB_INSPECT |
		     VERB_DOCTOR,
	VERB_ANY = (1 << 13) - 1,
};

/* Everything that a command line and the configuration can say: the request, and verbs' own. */
struct ask {
	struct request request; /* .args also holds the operands of other verbs */
	bool help;
	bool json;          /* --json */
	bool all;           /* prune --all */
	const char *signal; /* kill --signal */
	bool has_time;
	uint64_t time_s;    /* kill --time */
	const char *bundle; /* oci-run --bundle */
};

enum opt_arg {
	OPT_FLAG,     /* none; "=true" and "=false" are understood, as docker does */
	OPT_VALUE,    /* required */
	OPT_OPTIONAL, /* only as "=value" */
};

/* What stands behind an option when a shell completes it. */
enum opt_complete {
	COMPLETE_NONE,
	COMPLETE_WORDS, /* struct opt.words */
	COMPLETE_FILE,
	COMPLETE_DIR,
	COMPLETE_CONTAINER,
	COMPLETE_IMAGE,
	COMPLETE_SIGNAL,
	COMPLETE_CAP,
	COMPLETE_ULIMIT,
};

struct opt;

/* What a setter works with. */
struct opt_in {
	struct arena *a;
	struct ask *ask;
	const char *cwd;  /* of the caller, or NULL when it is gone */
	const char *home; /* $HOME or NULL: "~/" in values that no shell expanded */
};

/*
 * A setter takes one value (of a flag: "true" or "false").  Its messages are "object: reason"
 * without the option's name, which the feeder puts in front ("--volume: ", "FILE:3: volume: ").
 */
typedef int opt_set_fn(const struct opt_in *in, const struct opt *o, const char *value,
		       struct err *e);

#define OPT_ALIASES 2

enum {
	OPTF_EMPTY = 1 << 0, /* an empty value has a meaning */
	OPTF_CLI = 1 << 1,   /* only on the command line: no key, no variable */
	OPTF_EARLY = 1 << 2, /* shapes our own messages: taken even from a wrong command line */
};

/**
 * struct opt - one option
 * @offset: where in struct ask the generic setters write
 * @number: what opt_set_number_of writes there (an enum member)
 * @help:   one line for --help; NULL hides the row
 * @reason: of a refusal (opt_set_refused), or NULL: "not supported by this version"
 * @hint:   of a refusal
 */
struct opt {
	const char *name;
	const char *alias[OPT_ALIASES];
	char short_name;
	enum opt_arg arg;
	unsigned int verbs;
	unsigned int flags;
	const char *metavar;
	const char *help;
	enum opt_complete complete;
	const char *const
		*words; /* NULL-terminated: values there are, for completion and setters */
	opt_set_fn *set;
	size_t offset;
	int number;
	const char *reason, *hint;
};

struct opt_group {
	const char *title;
	const struct opt *rows;
	size_t n;
};

/* The groups in the order of --help; NULL-terminated. */
extern const struct opt_group *const opt_groups[];

extern const struct opt_group opt_group_gpus, opt_group_files, opt_group_identity,
	opt_group_environment, opt_group_process, opt_group_network, opt_group_limits,
	opt_group_security, opt_group_output, opt_group_verbs, opt_group_foreign;

/* ---- opt.c: finding and scanning ----------------------------------------------------- */

struct opt_item {
	const struct opt *opt;
	const char *typed; /* "--network"; "--volume" also for "-v" */
	const char *value;
};

/* A scanned command line. */
struct opt_line {
	struct opt_item *items;
	size_t n_items, cap_items;
	struct strv operands;
};

/** opt_find - the row of a long name (or alias) that one of @verbs takes, or NULL */
const struct opt *opt_find(const char *name, size_t len, unsigned int verbs);
const struct opt *opt_find_short(char c, unsigned int verbs);

/** opt_nearest - the option that @name was probably meant to be (without dashes), or NULL */
const char *opt_nearest(struct arena *a, const char *name, unsigned int verbs);

/**
 * opt_scan - cut a command line into options and operands
 * @args: NULL-terminated words behind the verb
 * @stop: the first operand ends the options (run, exec); else they may be mixed
 * On failure @ret holds what came before the wrong word.
 */
int opt_scan(struct arena *a, const char *const *args, unsigned int verbs, bool stop,
	     struct opt_line *ret, struct err *e);

/** opt_apply - call the setters of a scanned line in order; @flags: only rows that have them all */
int opt_apply(const struct opt_in *in, const struct opt_line *line, unsigned int flags,
	      struct err *e);

/** opt_apply_value - one value from anywhere, checked for emptiness and size */
int opt_apply_value(const struct opt_in *in, const struct opt *o, const char *value, struct err *e);

/** opt_bool_parse - true/false/yes/no/on/off/1/0; -EINVAL */
int opt_bool_parse(const char *text, bool *ret);

/* ---- opt_set.c: setters that many rows share ------------------------------------------ */

opt_set_fn opt_set_flag;      /* bool at @offset */
opt_set_fn opt_set_tri_on;    /* enum tri at @offset: ON, or OFF for "false" */
opt_set_fn opt_set_tri_off;   /* the opposite: --no-tty */
opt_set_fn opt_set_text;      /* const char * at @offset, as it is */
opt_set_fn opt_set_word;      /* const char * at @offset, one of @words */
opt_set_fn opt_set_path;      /* const char * at @offset, made absolute */
opt_set_fn opt_set_container; /* const char * at @offset, absolute path inside */
opt_set_fn opt_set_label;     /* const char * at @offset: [A-Za-z0-9][A-Za-z0-9_.-]* */
opt_set_fn opt_set_size;      /* uint64_t at @offset, "64m" */
opt_set_fn opt_set_accepted;  /* says what is so anyway; @reason against "=false" */
opt_set_fn opt_set_refused;   /* @reason and @hint, or not supported by this version */

/** opt_put - write @size bytes to the member of @o in struct ask */
void opt_put(const struct opt_in *in, const struct opt *o, const void *p, size_t size);

/** opt_member - pointer to the member of @o in struct ask */
void *opt_member(const struct opt_in *in, const struct opt *o);

/** opt_list_add - append to a list of the request, with its limit */
int opt_list_add(const struct opt_in *in, struct strv *list, const char *value, struct err *e);

/** opt_path_abs - @path against the caller's directory, "~/" against its home */
int opt_path_abs(const struct opt_in *in, const char *path, const char **ret, struct err *e);

/** opt_fd_inherited - was this descriptor open when we were started? */
bool opt_fd_inherited(int fd);

/** opt_unknown - "word: reason" with the nearest of @words as hint */
int opt_unknown(struct err *e, const char *word, const char *const *words);

/** opt_words_join - "a, b, c" for messages and --help */
const char *opt_words_join(struct arena *a, const char *const *words, const char *between);

#define OPT_AT(member)  .offset = offsetof(struct ask, member)
#define OPT_REQ(member) .offset = offsetof(struct ask, request.member)
#define OPT_WORDS(...)  ((const char *const[]){ __VA_ARGS__, NULL })

/* ---- the grammars (opt_mount.c, opt_env.c, opt_process.c) ------------------------------ */

opt_set_fn opt_set_volume;   /* SRC[:DST[:OPTS]] */
opt_set_fn opt_set_bind;     /* the same, a comma list of them */
opt_set_fn opt_set_mount;    /* type=bind|tmpfs,key=value,... */
opt_set_fn opt_set_tmpfs;    /* DST[:OPTS] */
opt_set_fn opt_set_env;      /* K[=V] */
opt_set_fn opt_set_env_file; /* a file of such lines */

/** opt_ulimit_name - the names that --ulimit takes, by number; NULL behind the last */
const char *opt_ulimit_name(size_t i);

/** opt_env_file_parse - the lines of an env-file (docker's grammar) into @ret */
int opt_env_file_parse(struct arena *a, const char *text, size_t len, struct strv *ret,
		       struct err *e);

/* ---- config.c --------------------------------------------------------------------------- */

#define CONFIG_FILE_MAX (256U << 10) /* bytes of a configuration file */

/** config_load - both files and the GPURUN_* variables; rows that @verbs do not take are only checked */
int config_load(const struct opt_in *in, unsigned int verbs, struct err *e);

/** config_parse - the text of one file; @name for messages */
int config_parse(const struct opt_in *in, const char *name, const char *text, size_t len,
		 unsigned int verbs, struct err *e);

#endif

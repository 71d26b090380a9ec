/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt_output.c - the group "output", the options of single verbs, and options of other tools
 * that are refused with what to use instead.
 */
#include <errno.h>

#include <gpurun/log.h>
#include <gpurun/str.h>

#include "opt.h"

#define VERBOSE_MAX   9
#define KILL_TIME_MAX 86400

/* A flag that counts; a file and a variable may also give the number. */
static int set_verbose(const struct opt_in *in, const struct opt *o, const char *value,
		       struct err *e)
{
	struct request *q = &in->ask->request;
	uint64_t n = 0;
	bool on = false;

	(void)o;
	if (num_u64(value, VERBOSE_MAX, &n) >= 0) {
		q->verbose = (int)n;
		return 0;
	}
	if (opt_bool_parse(value, &on) < 0)
		return err_set(e, EINVAL, "%s: neither a number up to %d nor true or false", value,
			       VERBOSE_MAX);
	if (!on)
		q->verbose = 0;
	else if (q->verbose < VERBOSE_MAX)
		q->verbose++;
	return 0;
}

static int set_log_format(const struct opt_in *in, const struct opt *o, const char *value,
			  struct err *e)
{
	if (!str_eq(value, "text") && !str_eq(value, "json"))
		return opt_unknown(e, value, o->words);
	in->ask->request.log_json = str_eq(value, "json");
	return 0;
}

static int set_color(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	static const enum log_color colors[] = { LOG_COLOR_AUTO, LOG_COLOR_ALWAYS,
						 LOG_COLOR_NEVER };

	for (size_t i = 0; i < ELEMENTS(colors) && o->words[i]; i++) {
		if (str_eq(value, o->words[i])) {
			in->ask->request.color = (int)colors[i];
			return 0;
		}
	}
	return opt_unknown(e, value, o->words);
}

/* Words, or a file; audit.h checks the number of a descriptor. */
static int set_audit(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	struct request *q = &in->ask->request;

	(void)o;
	if (str_eq(value, "none")) {
		q->audit = NULL;
		return 0;
	}
	if (!str_eq(value, "journal") && !str_eq(value, "syslog") && !str_after(value, "fd:"))
		return opt_path_abs(in, value, &q->audit, e);
	q->audit = value;
	return 0;
}

static const struct opt output_rows[] = {
	{ .name = "dry-run",
	  .verbs = VERB_RUN | VERB_OCI_RUN,
	  .help = "print the plan as JSON and do nothing",
	  .set = opt_set_flag,
	  OPT_REQ(dry_run) },
	{ .name = "verbose",
	  .verbs = VERB_ANY,
	  .flags = OPTF_EARLY,
	  .help = "say what is done and why; repeat for more",
	  .set = set_verbose },
	{ .name = "quiet",
	  .short_name = 'q',
	  .verbs = VERB_ANY,
	  .flags = OPTF_EARLY,
	  .help = "say nothing but errors",
	  .set = opt_set_flag,
	  OPT_REQ(quiet) },
	{ .name = "log-format",
	  .arg = OPT_VALUE,
	  .verbs = VERB_ANY,
	  .flags = OPTF_EARLY,
	  .metavar = "text|json",
	  .help = "how messages are written to stderr",
	  .complete = COMPLETE_WORDS,
	  .words = OPT_WORDS("text", "json"),
	  .set = set_log_format },
	{ .name = "color",
	  .arg = OPT_VALUE,
	  .verbs = VERB_ANY,
	  .flags = OPTF_EARLY,
	  .metavar = "auto|always|never",
	  .help = "colour in messages (NO_COLOR is honoured)",
	  .complete = COMPLETE_WORDS,
	  .words = OPT_WORDS("auto", "always", "never"),
	  .set = set_color },
	{ .name = "audit",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "FILE|journal|syslog|fd:N|none",
	  .help = "write a line of JSON about this start there, see gpurun-audit(5)",
	  .complete = COMPLETE_FILE,
	  .set = set_audit },
	{ .name = "audit-end",
	  .verbs = VERB_RUN,
	  .help = "and one at the end, also in a step, where gpurun then stays for it",
	  .set = opt_set_flag,
	  OPT_REQ(audit_end) },
	{ .name = "sysroot",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN | VERB_GPUS,
	  .flags = OPTF_CLI,
	  .metavar = "DIR",
	  .complete = COMPLETE_DIR,
	  .set = opt_set_path,
	  OPT_REQ(sysroot) },
	{ .name = "help",
	  .verbs = VERB_ANY,
	  .flags = OPTF_CLI,
	  .help = "this text",
	  .set = opt_set_flag,
	  OPT_AT(help) },
};
const struct opt_group opt_group_output = { "output", output_rows, ELEMENTS(output_rows) };

/* ---- options of single verbs ---------------------------------------------------------- */

static int set_time(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	uint64_t n = 0;

	(void)o;
	if (num_u64(value, KILL_TIME_MAX, &n) < 0)
		return err_set(e, EINVAL, "%s: not a number of seconds up to %d", value,
			       KILL_TIME_MAX);
	in->ask->time_s = n;
	in->ask->has_time = true;
	return 0;
}

static const struct opt verbs_rows[] = {
	{ .name = "bundle",
	  .short_name = 'b',
	  .arg = OPT_VALUE,
	  .verbs = VERB_OCI_RUN,
	  .flags = OPTF_CLI,
	  .metavar = "DIR",
	  .help = "where config.json is",
	  .complete = COMPLETE_DIR,
	  .set = opt_set_path,
	  OPT_AT(bundle) },
	{ .name = "json",
	  .verbs = VERB_IMAGES | VERB_PS | VERB_INSPECT | VERB_GPUS | VERB_DOCTOR,
	  .flags = OPTF_CLI,
	  .help = "the answer as JSON",
	  .set = opt_set_flag,
	  OPT_AT(json) },
	{ .name = "all",
	  .short_name = 'a',
	  .verbs = VERB_PRUNE,
	  .flags = OPTF_CLI,
	  .help = "also every image that is not in use",
	  .set = opt_set_flag,
	  OPT_AT(all) },
	{ .name = "signal",
	  .short_name = 's',
	  .arg = OPT_VALUE,
	  .verbs = VERB_KILL,
	  .flags = OPTF_CLI,
	  .metavar = "SIGNAL",
	  .help = "which one (default: the image's stop signal)",
	  .complete = COMPLETE_SIGNAL,
	  .set = opt_set_text,
	  OPT_AT(signal) },
	{ .name = "time",
	  .arg = OPT_VALUE,
	  .verbs = VERB_KILL,
	  .flags = OPTF_CLI,
	  .metavar = "SECONDS",
	  .help = "wait for the end, and kill for good after so many seconds",
	  .set = set_time },
	{ .name = "user",
	  .short_name = 'u',
	  .arg = OPT_VALUE,
	  .verbs = VERB_EXEC,
	  .flags = OPTF_CLI,
	  .metavar = "USER",
	  .help = "accepted where it is the container's own id",
	  .set = opt_set_text,
	  OPT_REQ(user) },
};
const struct opt_group opt_group_verbs = { "this verb", verbs_rows, ELEMENTS(verbs_rows) };

/* ---- what fingers know from other tools ------------------------------------------------- */

#define FOREIGN(option, argument, why, instead)                                                    \
	{                                                                                          \
		.name = option, .arg = argument, .verbs = VERB_RUN, .flags = OPTF_CLI,             \
		.metavar = "VALUE", .set = opt_set_refused, .reason = why, .hint = instead         \
	}

static const struct opt foreign_rows[] = {
	{ .name = "detach",
	  .short_name = 'd',
	  .verbs = VERB_RUN | VERB_EXEC,
	  .flags = OPTF_CLI,
	  .set = opt_set_refused,
	  .reason = "containers do not outlive gpurun",
	  .hint = "let the shell do it: nohup gpurun ... & (or systemd-run --user, tmux)" },
	FOREIGN("privileged", OPT_FLAG, "there is no privileged mode",
		"name what is needed: --device PATH, --root, --cap-add CAP or --nested"),
	FOREIGN("restart", OPT_VALUE, "nothing restarts containers",
		"let a service manager do it: systemd-run --user -p Restart=always gpurun ..."),
	FOREIGN("runtime", OPT_VALUE, "there are no other runtimes", "GPUs are chosen with --gpus"),
	FOREIGN("nv", OPT_FLAG, "GPUs need no option", "GPUs are chosen with --gpus"),
	FOREIGN("fakeroot", OPT_FLAG, "no such option", "--root"),
	FOREIGN("cleanenv", OPT_FLAG, "no such option", "--env-host none"),
	FOREIGN("group-add", OPT_VALUE, "groups cannot be added",
		"the groups that you have on the host stay yours inside"),
	FOREIGN("volumes-from", OPT_VALUE, "there are no volumes to share", "-v SRC:DST"),
	FOREIGN("pull", OPT_VALUE, "nothing is pulled", "import an archive: gpurun FILE.tar"),
};
const struct opt_group opt_group_foreign = { "other tools", foreign_rows, ELEMENTS(foreign_rows) };

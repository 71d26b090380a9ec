/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt_process.c - options of the groups "identity", "environment" and "process".
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>

#include <gpurun/str.h>

#include "opt.h"

#define HOSTNAME_MAX     64
#define PRESERVE_FDS_MAX 256
#define FD_NUMBER_MAX    65535

static int set_hostname(const struct opt_in *in, const struct opt *o, const char *value,
			struct err *e)
{
	size_t n = strlen(value);

	if (n > HOSTNAME_MAX)
		return err_set(e, EINVAL, "%.16s...: longer than %d characters", value,
			       HOSTNAME_MAX);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)value[i]) && (i == 0 || !strchr(".-", value[i])))
			return err_set(e, EINVAL, "%s: not a host name", value);
	return opt_set_text(in, o, value, e);
}

static int set_userns(const struct opt_in *in, const struct opt *o, const char *value,
		      struct err *e)
{
	if (str_eq(value, "subid")) {
		in->ask->request.userns = USERNS_SUBID;
		return 0;
	}
	if (str_eq(value, "host") || str_eq(value, "keep-id") || str_after(value, "keep-id:")) {
		err_set(e, ENOTSUP, "%s: not one of single, subid", value);
		err_hint(e, "you are yourself inside by default; -u N maps you to another id");
		return -ENOTSUP;
	}
	if (!str_eq(value, "single"))
		return opt_unknown(e, value, o->words);
	in->ask->request.userns = USERNS_SINGLE;
	return 0;
}

static const struct opt identity_rows[] = {
	{ .name = "user",
	  .short_name = 'u',
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "USER[:GROUP]",
	  .help = "who you are inside, by number or by a name of the image",
	  .set = opt_set_text,
	  OPT_REQ(user) },
	{ .name = "root",
	  .verbs = VERB_RUN,
	  .help = "be root inside: apt and dpkg work",
	  .set = opt_set_flag,
	  OPT_REQ(root) },
	{ .name = "userns",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "single",
	  .help = "how ids are mapped: one id",
	  .complete = COMPLETE_WORDS,
	  .words = OPT_WORDS("single"),
	  .set = set_userns },
	{ .name = "hostname",
	  .short_name = 'h',
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "NAME",
	  .help = "host name inside (default: the host's)",
	  .set = set_hostname,
	  OPT_REQ(hostname) },
	{ .name = "name",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "NAME",
	  .help = "a label for ps, exec, kill and inspect",
	  .set = opt_set_label,
	  OPT_REQ(name) },
};
const struct opt_group opt_group_identity = { "identity", identity_rows, ELEMENTS(identity_rows) };

static const struct opt environment_rows[] = {
	{ .name = "env",
	  .short_name = 'e',
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN | VERB_EXEC,
	  .metavar = "NAME[=VALUE]",
	  .help = "set a variable, or pass the host's on",
	  .set = opt_set_env },
	{ .name = "env-file",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN | VERB_EXEC,
	  .metavar = "FILE",
	  .help = "a file of such lines",
	  .complete = COMPLETE_FILE,
	  .set = opt_set_env_file },
	{ .name = "env-host",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "auto|all|none|GLOB",
	  .help = "which variables of the host are passed on",
	  .complete = COMPLETE_WORDS,
	  .words = OPT_WORDS("auto", "all", "none"),
	  .set = opt_set_text,
	  OPT_REQ(env_host) },
	{ .name = "torch-env",
	  .verbs = VERB_RUN,
	  .help = "in a step: MASTER_ADDR, RANK and their kin for torch.distributed",
	  .set = opt_set_flag,
	  OPT_REQ(torch_env) },
};
const struct opt_group opt_group_environment = { "environment", environment_rows,
						 ELEMENTS(environment_rows) };

/* --pid, --ipc, --uts: private or host. */
static int set_ns(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	enum ns_mode mode = str_eq(value, "host") ? NS_HOST : NS_PRIVATE;

	if (str_after(value, "container:"))
		return err_set(e, ENOTSUP, "%s: another container's namespace cannot be joined",
			       value);
	if (!str_eq(value, "host") && !str_eq(value, "private"))
		return opt_unknown(e, value, o->words);
	opt_put(in, o, &mode, sizeof(mode));
	return 0;
}

/* ---- --ulimit NAME=SOFT[:HARD] ------------------------------------------------------- */

static const struct ulimit_name {
	const char *name;
	int resource;
} ulimit_names[] = {
	{ "as", RLIMIT_AS },
	{ "core", RLIMIT_CORE },
	{ "cpu", RLIMIT_CPU },
	{ "data", RLIMIT_DATA },
	{ "fsize", RLIMIT_FSIZE },
	{ "locks", RLIMIT_LOCKS },
	{ "memlock", RLIMIT_MEMLOCK },
	{ "msgqueue", RLIMIT_MSGQUEUE },
	{ "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE },
	{ "nproc", RLIMIT_NPROC },
	{ "rss", RLIMIT_RSS },
	{ "rtprio", RLIMIT_RTPRIO },
	{ "rttime", RLIMIT_RTTIME },
	{ "sigpending", RLIMIT_SIGPENDING },
	{ "stack", RLIMIT_STACK },
};

const char *opt_ulimit_name(size_t i)
{
	return i < ELEMENTS(ulimit_names) ? ulimit_names[i].name : NULL;
}

static int limit_parse(const char *text, rlim_t *ret)
{
	uint64_t n = 0;
	int r;

	if (str_eq(text, "-1") || str_eq(text, "unlimited")) {
		*ret = RLIM_INFINITY;
		return 0;
	}
	r = num_u64(text, INT64_MAX, &n);
	if (r >= 0)
		*ret = n;
	return r;
}

static int ulimit_unknown(const char *name, struct err *e)
{
	const char *names[ELEMENTS(ulimit_names) + 1] = { NULL };

	for (size_t i = 0; i < ELEMENTS(ulimit_names); i++)
		names[i] = ulimit_names[i].name;
	return opt_unknown(e, name, names);
}

/* A later --ulimit of the same name takes the place of an earlier one. */
static int ulimit_add(const struct opt_in *in, struct req_ulimit u)
{
	struct request *q = &in->ask->request;

	for (size_t i = 0; i < q->n_ulimits; i++) {
		if (q->ulimits[i].resource == u.resource) {
			q->ulimits[i] = u;
			return 0;
		}
	}
	VEC_PUSH(in->a, q->ulimits, q->n_ulimits, q->cap_ulimits, u);
	return 0;
}

static int set_ulimit(const struct opt_in *in, const struct opt *o, const char *value,
		      struct err *e)
{
	const char *eq = strchr(value, '='), *name;
	struct req_ulimit u = { .resource = -1 };
	struct strv f = { 0 };

	(void)o;
	if (!eq)
		return err_set(e, EINVAL, "%s: not of the form NAME=SOFT[:HARD]", value);
	name = arena_strndup(in->a, value, (size_t)(eq - value));
	for (size_t i = 0; i < ELEMENTS(ulimit_names); i++) {
		if (str_eq(ulimit_names[i].name, name)) {
			u.resource = ulimit_names[i].resource;
			u.name = ulimit_names[i].name;
		}
	}
	if (u.resource < 0)
		return ulimit_unknown(name, e);
	str_split(in->a, eq + 1, ':', &f);
	if (f.n > 2 || limit_parse(f.v[0], &u.soft) < 0 ||
	    limit_parse(f.n > 1 ? f.v[1] : f.v[0], &u.hard) < 0)
		return err_set(e, EINVAL, "%s: a limit is a number, -1 or unlimited", value);
	if (u.soft > u.hard)
		return err_set(e, EINVAL, "%s: the soft limit is above the hard limit", value);
	return ulimit_add(in, u);
}

/*
 * Inherited descriptors are not close-on-exec, all of our own are: so a number that was not
 * handed to us cannot turn out to be one of ours later.
 */
bool opt_fd_inherited(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

static int set_preserve_fd(const struct opt_in *in, const struct opt *o, const char *value,
			   struct err *e)
{
	struct request *q = &in->ask->request;
	struct strv f = { 0 };

	(void)o;
	str_split(in->a, value, ',', &f);
	for (size_t i = 0; i < f.n; i++) {
		uint64_t n = 0;

		if (num_u64(f.v[i], FD_NUMBER_MAX, &n) < 0)
			return err_set(e, EINVAL, "%s: not the number of a descriptor", f.v[i]);
		if (!opt_fd_inherited((int)n))
			return err_set(e, EBADF, "%s: no descriptor of that number is open",
				       f.v[i]);
		if (q->n_preserve_fds >= PRESERVE_FDS_MAX)
			return err_set(e, E2BIG, "more than %d descriptors", PRESERVE_FDS_MAX);
		VEC_PUSH(in->a, q->preserve_fds, q->n_preserve_fds, q->cap_preserve_fds, (int)n);
	}
	return 0;
}

#define NS_WORDS .complete = COMPLETE_WORDS, .words = OPT_WORDS("private", "host")

static const struct opt process_rows[] = {
	{ .name = "entrypoint",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .flags = OPTF_EMPTY,
	  .metavar = "PROGRAM",
	  .help = "instead of the image's; '' for none",
	  .set = opt_set_text,
	  OPT_REQ(entrypoint) },
	{ .name = "tty",
	  .short_name = 't',
	  .verbs = VERB_RUN | VERB_EXEC,
	  .help = "a terminal of its own (default where stdin and stdout are terminals)",
	  .set = opt_set_tri_on,
	  OPT_REQ(tty) },
	{ .name = "no-tty",
	  .verbs = VERB_RUN | VERB_EXEC,
	  .help = "never",
	  .set = opt_set_tri_off,
	  OPT_REQ(tty) },
	{ .name = "interactive",
	  .short_name = 'i',
	  .verbs = VERB_RUN | VERB_EXEC,
	  .help = "accepted: stdin is always inherited",
	  .set = opt_set_flag,
	  OPT_REQ(interactive) },
	{ .name = "init",
	  .verbs = VERB_RUN,
	  .help = "accepted: a reaper as pid 1 is the default",
	  .set = opt_set_accepted,
	  .reason = "the opposite has a name of its own",
	  .hint = "--no-init" },
	{ .name = "no-init",
	  .verbs = VERB_RUN,
	  .help = "the command itself is pid 1",
	  .set = opt_set_flag,
	  OPT_REQ(no_init) },
	{ .name = "pid",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "private|host",
	  .help = "process ids (default: private)",
	  NS_WORDS,
	  .set = set_ns,
	  OPT_REQ(pid) },
	{ .name = "ipc",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "private|host",
	  .help = "System V IPC and /dev/shm (default: private)",
	  NS_WORDS,
	  .set = set_ns,
	  OPT_REQ(ipc) },
	{ .name = "uts",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "private|host",
	  .help = "host name (default: private with --hostname)",
	  NS_WORDS,
	  .set = set_ns,
	  OPT_REQ(uts) },
	{ .name = "share",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "step|none",
	  .help = "in a step: one container for its ranks (default), or one each",
	  .complete = COMPLETE_WORDS,
	  .words = OPT_WORDS("step", "none"),
	  .set = opt_set_word,
	  OPT_REQ(share) },
	{ .name = "ulimit",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "NAME=SOFT[:HARD]",
	  .help = "a resource limit, -1 for none; clamped to what the host allows",
	  .complete = COMPLETE_ULIMIT,
	  .set = set_ulimit },
	{ .name = "preserve-fd",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "N",
	  .help = "hand an open descriptor on",
	  .set = set_preserve_fd },
	{ .name = "rm",
	  .verbs = VERB_RUN,
	  .help = "accepted: nothing is left behind by default",
	  .set = opt_set_accepted,
	  .reason = "containers are not kept",
	  .hint = "--keep NAME keeps what the container writes" },
};
const struct opt_group opt_group_process = { "process", process_rows, ELEMENTS(process_rows) };

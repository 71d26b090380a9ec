/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c - config.json: process.
 */
#include <errno.h>

#include <gpurun/profile.h>

#include "bundle.h"

#define ENV_MAX  8192U  /* variables */
#define ARGS_MAX 65536U /* words */

/* 2^64-1 is more than the reader's integers hold. */
#define UINT64_AS_DOUBLE 18446744073709551615.0

/* ---- arguments and environment ---------------------------------------------------------------- */

static int read_args(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	struct json_at element = { .up = at };
	struct oci_bundle *b = to;

	if (v->type != JSON_ARRAY || v->count == 0 || v->count > ARGS_MAX)
		return json_read_refuse(r, at, "not a list of the command and its arguments");
	for (const struct json *m = v->child; m; m = m->next, element.index++) {
		const char *word = NULL;
		int err = oci_read_text(r, m, &element, &word);

		if (err < 0)
			return err;
		strv_push(r->a, &b->args, word);
	}
	return *b->args.v[0] ? 0 : json_read_refuse(r, at, "the command is an empty word");
}

/* The last of two variables with one name holds. */
static void env_set(struct arena *a, struct strv *env, const char *entry)
{
	size_t n = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < env->n; i++) {
		if (strncmp(env->v[i], entry, n) == 0) {
			env->v[i] = entry;
			return;
		}
	}
	strv_push(a, env, entry);
}

static int read_env(struct json_reader *r, const struct json *v, const struct json_at *at, void *to)
{
	struct json_at element = { .up = at };
	struct oci_bundle *b = to;

	if (v->type != JSON_ARRAY || v->count > ENV_MAX)
		return json_read_refuse(r, at, "not a list of variables");
	for (const struct json *m = v->child; m; m = m->next, element.index++) {
		const char *entry = NULL;
		int err = oci_read_text(r, m, &element, &entry);

		if (err < 0)
			return err;
		if (*entry == '=' || !strchr(entry, '='))
			return json_read_refuse(r, &element, "not NAME=VALUE");
		env_set(r->a, &b->env, entry);
	}
	return 0;
}

/* ---- user ------------------------------------------------------------------------------------- */

static int read_group(struct json_reader *r, const struct json *v, const struct json_at *at,
		      void *to)
{
	const struct oci_bundle *b = to;
	uint32_t gid = 0;
	int err = oci_read_id(r, v, at, &gid);

	if (err == 0 && gid != b->gid)
		return json_read_refuse(r, at, "groups cannot be added: a single id is mapped");
	return err;
}

static int read_groups(struct json_reader *r, const struct json *v, const struct json_at *at,
		       void *to)
{
	return json_read_list(r, v, at, read_group, to);
}

static int read_nothing(struct json_reader *r, const struct json *v, const struct json_at *at,
			void *to)
{
	(void)r, (void)v, (void)at, (void)to;
	return 0;
}

/* In two passes: additionalGids may stand in front of the gid. */
static int read_user(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	static const struct json_member ids[] = {
		{ "uid", oci_read_id, offsetof(struct oci_bundle, uid), true },
		{ "gid", oci_read_id, offsetof(struct oci_bundle, gid), true },
		{ "additionalGids", read_nothing, 0, false },
		{ "umask", oci_read_unsupported, 0, false },
		{ "username", oci_read_unsupported, 0, false },
	};
	const struct json_at groups = { .up = at, .name = "additionalGids" };
	int err = json_read_object(r, v, at, ids, ELEMENTS(ids), to);
	const struct json *list = json_get(v, groups.name);

	return err < 0 || !list ? err : read_groups(r, list, &groups, to);
}

/* ---- capabilities ------------------------------------------------------------------------------- */

struct caps {
	uint64_t bounding, permitted, inheritable, ambient;
};

static int read_cap(struct json_reader *r, const struct json *v, const struct json_at *at, void *to)
{
	const char *name = NULL;
	int err = json_read_string(r, v, at, &name);
	int cap = err < 0 ? -1 : profile_cap(name);

	if (err < 0)
		return err;
	if (cap < 0 || cap > 63 || !str_after(name, "CAP_"))
		return oci_refuse(r, at, name, "no such capability");
	*(uint64_t *)to |= UINT64_C(1) << cap;
	return 0;
}

static int read_caps(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	return json_read_list(r, v, at, read_cap, to);
}

/*
 * The kernel lets a capability be ambient that is permitted and inheritable; a list that names
 * others has no effect, whoever runs it.  Inheritable alone are ours never (CVE-2022-27650): no
 * file in a container gives capabilities, but root inside would get them.
 */
static int read_capabilities(struct json_reader *r, const struct json *v, const struct json_at *at,
			     void *to)
{
	static const struct json_member members[] = {
		{ "bounding", read_caps, offsetof(struct caps, bounding), false },
		{ "effective", read_caps, offsetof(struct caps, permitted), false },
		{ "permitted", read_caps, offsetof(struct caps, permitted), false },
		{ "inheritable", read_caps, offsetof(struct caps, inheritable), false },
		{ "ambient", read_caps, offsetof(struct caps, ambient), false },
	};
	struct oci_bundle *b = to;
	struct caps c = { 0 };
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &c);

	if (err < 0)
		return err;
	c.ambient &= c.permitted & c.inheritable;
	if (c.permitted & ~c.bounding)
		return json_read_refuse(r, at, "permitted, and not in the bounding set");
	if (c.inheritable & ~c.ambient)
		return json_read_refuse(r, at, "inheritable, and not ambient: not supported");
	b->bounding = c.bounding;
	b->permitted = c.permitted;
	b->ambient = c.ambient;
	return 0;
}

/* ---- limits ------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int resource;
} limit_rows[] = {
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_STACK", RLIMIT_STACK },
};

static int read_limit_value(struct json_reader *r, const struct json *v, const struct json_at *at,
			    void *to)
{
	rlim_t *limit = to;

	if (v->type == JSON_INT && v->num >= 0)
		*limit = (rlim_t)v->num;
	else if (v->type == JSON_DOUBLE && v->dbl >= UINT64_AS_DOUBLE)
		*limit = RLIM_INFINITY;
	else
		return json_read_refuse(r, at, "not a limit");
	return 0;
}

static int read_limit(struct json_reader *r, const struct json *v, const struct json_at *at,
		      void *to)
{
	static const struct json_member members[] = {
		{ "type", json_read_string, offsetof(struct oci_rlimit, name), true },
		{ "soft", read_limit_value, offsetof(struct oci_rlimit, limit.rlim_cur), true },
		{ "hard", read_limit_value, offsetof(struct oci_rlimit, limit.rlim_max), true },
	};
	struct oci_rlimits *list = to;
	struct oci_rlimit l = { .resource = -1 };
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &l);

	if (err < 0)
		return err;
	for (size_t i = 0; i < ELEMENTS(limit_rows); i++)
		if (str_eq(l.name, limit_rows[i].name))
			l.resource = limit_rows[i].resource;
	if (l.resource < 0)
		return oci_refuse(r, at, l.name, "no such limit");
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].resource == l.resource)
			return oci_refuse(r, at, l.name, "named twice");
	if (l.limit.rlim_cur > l.limit.rlim_max)
		return oci_refuse(r, at, l.name, "the soft limit is above the hard one");
	VEC_PUSH(r->a, list->v, list->n, list->cap, l);
	return 0;
}

static int read_limits(struct json_reader *r, const struct json *v, const struct json_at *at,
		       void *to)
{
	return json_read_list(r, v, at, read_limit, to);
}

/* ---- the rest ----------------------------------------------------------------------------------- */

/* 0 is what a process has unless somebody changed it. */
static int read_oom_score(struct json_reader *r, const struct json *v, const struct json_at *at,
			  void *to)
{
	int64_t n = 0;
	int err = oci_read_int(r, v, at, &n);

	(void)to;
	return err == 0 && n ? json_read_refuse(r, at, "not supported") : err;
}

/* Only with a terminal has its size a meaning: see oci_read_process(). */
static const struct json_member members[] = {
	{ "terminal", oci_read_bool, offsetof(struct oci_bundle, terminal), false },
	{ "consoleSize", read_nothing, 0, false },
	{ "user", read_user, 0, true },
	{ "args", read_args, 0, true },
	{ "env", read_env, 0, false },
	{ "cwd", json_read_path, offsetof(struct oci_bundle, cwd), true },
	{ "capabilities", read_capabilities, 0, false },
	{ "rlimits", read_limits, offsetof(struct oci_bundle, rlimits), false },
	/* always so: see oci.h */
	{ "noNewPrivileges", json_read_flag, 0, false },
	{ "oomScoreAdj", read_oom_score, 0, false },
	{ "apparmorProfile", oci_read_unsupported, 0, false },
	{ "selinuxLabel", oci_read_unsupported, 0, false },
	{ "scheduler", oci_read_unsupported, 0, false },
	{ "ioPriority", oci_read_unsupported, 0, false },
	{ "execCPUAffinity", oci_read_unsupported, 0, false },
	{ "commandLine", oci_read_unsupported, 0, false },
};

int oci_read_process(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	const struct json_at size = { .up = at, .name = "consoleSize" };
	const struct oci_bundle *b = to;
	int err = json_read_object(r, v, at, members, ELEMENTS(members), to);

	if (err == 0 && b->terminal && json_get(v, size.name))
		return json_read_refuse(r, &size, "not supported: it is the caller's terminal's");
	return err;
}

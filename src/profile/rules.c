/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.c - reads a seccomp profile.
 *
 * Docker's form (moby/profiles, also podman's) has conditions on rules and a map of
 * architectures; the OCI runtime-spec's is what is left when those are resolved.  Members that
 * neither form knows are ignored, as docker does; what a profile can ask and we do not do
 * (tracing, a supervisor that is notified) is refused by name.
 */
#include "rules.h"

#include <ctype.h>
#include <errno.h>

#include <gpurun/str.h>

struct parser {
	struct arena *a;
	const char *file;
	const struct rule_host *host;
	struct err *e;
	size_t at; /* index in "syscalls", for messages */
};

struct word {
	const char *name;
	int value;
};

static const struct word action_words[] = {
	{ "SCMP_ACT_ALLOW", RULE_ALLOW },
	{ "SCMP_ACT_LOG", RULE_LOG },
	{ "SCMP_ACT_ERRNO", RULE_ERRNO },
	{ "SCMP_ACT_TRAP", RULE_TRAP },
	{ "SCMP_ACT_KILL", RULE_KILL_THREAD },
	{ "SCMP_ACT_KILL_THREAD", RULE_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", RULE_KILL_PROCESS },
};

static const struct word op_words[] = {
	{ "SCMP_CMP_NE", RULE_NE },
	{ "SCMP_CMP_LT", RULE_LT },
	{ "SCMP_CMP_LE", RULE_LE },
	{ "SCMP_CMP_EQ", RULE_EQ },
	{ "SCMP_CMP_GE", RULE_GE },
	{ "SCMP_CMP_GT", RULE_GT },
	{ "SCMP_CMP_MASKED_EQ", RULE_MASKED_EQ },
};

/* podman writes the error by name beside the number; these are the ones that profiles use */
static const struct word errno_words[] = {
	{ "EPERM", EPERM },   { "ENOSYS", ENOSYS }, { "EINVAL", EINVAL },
	{ "EACCES", EACCES }, { "ENOENT", ENOENT }, { "ENOTSUP", ENOTSUP },
};

/*
 * What a profile may ask of the installation.  TSYNC concerns threads, of which we have none;
 * SPEC_ALLOW would switch a mitigation off, which stays on; WAIT_KILLABLE_RECV belongs to
 * notifications.  They change nothing here.  LOG would, and is not there.
 */
static const char *const harmless_flags[] = {
	"SECCOMP_FILTER_FLAG_TSYNC",
	"SECCOMP_FILTER_FLAG_SPEC_ALLOW",
	"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
};

/* The row of a table, or -1. */
static int word_find(const struct word *words, size_t n, const char *name)
{
	for (size_t i = 0; name && i < n; i++) {
		if (str_eq(words[i].name, name))
			return words[i].value;
	}
	return -1;
}

static int parse_action(const struct parser *p, const char *where, const char *name,
			enum rule_act *ret)
{
	int act = word_find(action_words, ELEMENTS(action_words), name);

	if (!name)
		return err_set(p->e, EINVAL, "%s: %s: no action", p->file, where);
	if (str_eq(name, "SCMP_ACT_NOTIFY") || str_eq(name, "SCMP_ACT_TRACE"))
		return err_set(p->e, ENOTSUP, "%s: %s: %s needs a supervisor, which gpurun has not",
			       p->file, where, name);
	if (act < 0)
		return err_set(p->e, EINVAL, "%s: %s: %s: no such action", p->file, where, name);
	*ret = (enum rule_act)act;
	return 0;
}

/* The error number of @obj: member @number, or by name in @word, or EPERM. */
static int parse_errno(const struct parser *p, const char *where, const struct json *obj,
		       const char *number, const char *word, uint16_t *ret)
{
	const struct json *n = json_get(obj, number);
	const char *name = json_str(obj, word);
	int value;

	*ret = EPERM;
	if (n) {
		if (n->type != JSON_INT || n->num < 0 || n->num > RULE_ERRNO_MAX)
			return err_set(p->e, EINVAL, "%s: %s: %s: not an error number", p->file,
				       where, number);
		*ret = (uint16_t)n->num;
	} else if (name) {
		value = word_find(errno_words, ELEMENTS(errno_words), name);
		if (value < 0)
			return err_set(p->e, EINVAL, "%s: %s: %s: unknown error name, write %s",
				       p->file, where, name, number);
		*ret = (uint16_t)value;
	}
	return 0;
}

/* A 64-bit argument value; JSON integers beyond 63 bits do not come through the reader. */
static int parse_value(const struct parser *p, const char *where, const struct json *arg,
		       const char *key, uint64_t *ret)
{
	const struct json *v = json_get(arg, key);

	if (v && (v->type != JSON_INT || v->num < 0))
		return err_set(p->e, EINVAL, "%s: %s: args: %s: not a number", p->file, where, key);
	*ret = v ? (uint64_t)v->num : 0;
	return 0;
}

static int parse_arg(const struct parser *p, const char *where, const struct json *arg,
		     struct rule_arg *ret)
{
	const struct json *index = json_get(arg, "index");
	const char *op = json_str(arg, "op");
	int n = word_find(op_words, ELEMENTS(op_words), op), r;

	if (!index || index->type != JSON_INT || index->num < 0 || index->num > 5)
		return err_set(p->e, EINVAL, "%s: %s: args: index: not 0 to 5", p->file, where);
	if (n < 0)
		return err_set(p->e, EINVAL, "%s: %s: args: op: %s: no such comparison", p->file,
			       where, op ? op : "missing");
	ret->index = (unsigned int)index->num;
	ret->op = (enum rule_op)n;
	r = parse_value(p, where, arg, "value", &ret->value);
	return r < 0 ? r : parse_value(p, where, arg, "valueTwo", &ret->value_two);
}

static int parse_args(const struct parser *p, const char *where, const struct json *call,
		      struct rule *rule)
{
	const struct json *args = json_get(call, "args");
	int r;

	if (args && args->type != JSON_ARRAY)
		return err_set(p->e, EINVAL, "%s: %s: args: not a list", p->file, where);
	for (const struct json *arg = args ? args->child : NULL; arg; arg = arg->next) {
		if (rule->n_args == RULE_ARGS_MAX)
			return err_set(p->e, E2BIG, "%s: %s: more than %d args", p->file, where,
				       RULE_ARGS_MAX);
		r = parse_arg(p, where, arg, &rule->args[rule->n_args]);
		if (r < 0)
			return r;
		rule->n_args++;
	}
	return 0;
}

static int parse_names(const struct parser *p, const char *where, const struct json *call,
		       struct strv *ret)
{
	const char *name = json_str(call, "name");

	if (json_strv(p->a, call, "names", ret) < 0)
		return err_set(p->e, EINVAL, "%s: %s: names: not a list of strings", p->file,
			       where);
	if (name && *name && ret->n)
		return err_set(p->e, EINVAL, "%s: %s: both name and names", p->file, where);
	if (name && *name)
		strv_push(p->a, ret, name);
	if (!ret->n)
		return err_set(p->e, EINVAL, "%s: %s: no names", p->file, where);
	return 0;
}

/* "X.Y", exactly two numbers: is this kernel at least that? */
static int kernel_reached(const struct parser *p, const char *where, const char *version, bool *ret)
{
	struct strv part = { 0 };
	uint64_t v[2];

	str_split(p->a, version, '.', &part);
	if (part.n != 2 || num_u64(part.v[0], UINT16_MAX, &v[0]) < 0 ||
	    num_u64(part.v[1], UINT16_MAX, &v[1]) < 0)
		return err_set(p->e, EINVAL, "%s: %s: minKernel: %s: not of the form X.Y", p->file,
			       where, version);
	*ret = p->host->kernel[0] > v[0] ||
	       (p->host->kernel[0] == v[0] && p->host->kernel[1] >= v[1]);
	return 0;
}

/* What an "includes" or "excludes" object says about us. */
struct condition {
	bool caps;         /* it names capabilities (we hold none) */
	bool arches, arch; /* it names architectures, ours among them */
	bool kernels, kernel;
};

static int parse_condition(const struct parser *p, const char *where, const struct json *obj,
			   struct condition *ret)
{
	struct strv caps = { 0 }, arches = { 0 };
	const char *version = json_str(obj, "minKernel");

	if (json_strv(p->a, obj, "caps", &caps) < 0 || json_strv(p->a, obj, "arches", &arches) < 0)
		return err_set(p->e, EINVAL, "%s: %s: caps, arches: not lists of strings", p->file,
			       where);
	ret->caps = caps.n > 0;
	ret->arches = arches.n > 0;
	for (size_t i = 0; i < arches.n; i++)
		ret->arch |= str_eq(arches.v[i], p->host->go_arch);
	ret->kernels = version && *version;
	return ret->kernels ? kernel_reached(p, where, version, &ret->kernel) : 0;
}

/* Does the rule @call count here?  An include must hold, an exclude must not. */
static int rule_applies(const struct parser *p, const char *where, const struct json *call,
			bool *ret)
{
	struct condition in = { 0 }, out = { 0 };
	int r = parse_condition(p, where, json_get(call, "includes"), &in);

	if (r == 0)
		r = parse_condition(p, where, json_get(call, "excludes"), &out);
	*ret = !in.caps && (!in.arches || in.arch) && (!in.kernels || in.kernel) && !out.arch &&
	       !out.kernel;
	return r;
}

static int parse_rule(const struct parser *p, const struct json *call, struct ruleset *ret)
{
	const char *where = arena_printf(p->a, "syscalls[%zu]", p->at);
	struct rule rule = { 0 };
	bool applies = false;
	int r;

	if (call->type != JSON_OBJECT)
		return err_set(p->e, EINVAL, "%s: %s: not an object", p->file, where);
	r = parse_names(p, where, call, &rule.names);
	if (r == 0)
		r = parse_action(p, where, json_str(call, "action"), &rule.action.act);
	if (r == 0 && rule.action.act == RULE_ERRNO)
		r = parse_errno(p, where, call, "errnoRet", "errno", &rule.action.err);
	if (r == 0)
		r = parse_args(p, where, call, &rule);
	if (r == 0)
		r = rule_applies(p, where, call, &applies);
	if (r < 0)
		return r;
	if (applies)
		VEC_PUSH(p->a, ret->v, ret->n, ret->cap, rule);
	return 0;
}

/* "SCMP_ARCH_X86" as libseccomp's "x86"; an architecture that is not ours is checked there */
static void add_arch(const struct parser *p, const char *name, struct ruleset *ret)
{
	const char *rest = str_after(name, "SCMP_ARCH_");
	char *lower = arena_strdup(p->a, rest ? rest : name);

	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	strv_push(p->a, &ret->arches, lower);
}

/* "architectures" as a list, or "archMap": the sub-architectures of ours. */
static int parse_arches(const struct parser *p, const struct json *doc, struct ruleset *ret)
{
	const struct json *map = json_get(doc, "archMap");
	struct strv names = { 0 };
	const char *main_arch;

	if (json_strv(p->a, doc, "architectures", &names) < 0)
		return err_set(p->e, EINVAL, "%s: architectures: not a list of strings", p->file);
	if (names.n && map && map->count)
		return err_set(p->e, EINVAL, "%s: both architectures and archMap", p->file);
	if (map && map->type != JSON_ARRAY)
		return err_set(p->e, EINVAL, "%s: archMap: not a list", p->file);
	for (const struct json *m = map ? map->child : NULL; m; m = m->next) {
		main_arch = json_str(m, "architecture");
		if (!main_arch || !str_eq(main_arch, p->host->scmp_arch))
			continue;
		if (json_strv(p->a, m, "subArchitectures", &names) < 0)
			return err_set(p->e, EINVAL,
				       "%s: archMap: subArchitectures: not a list of strings",
				       p->file);
	}
	for (size_t i = 0; i < names.n; i++)
		add_arch(p, names.v[i], ret);
	return 0;
}

static int parse_flags(const struct parser *p, const struct json *doc)
{
	struct strv flags = { 0 };

	if (json_strv(p->a, doc, "flags", &flags) < 0)
		return err_set(p->e, EINVAL, "%s: flags: not a list of strings", p->file);
	for (size_t i = 0; i < flags.n; i++) {
		bool known = false;

		for (size_t k = 0; k < ELEMENTS(harmless_flags); k++)
			known |= str_eq(flags.v[i], harmless_flags[k]);
		if (!known)
			return err_set(p->e, ENOTSUP, "%s: flags: %s is not supported", p->file,
				       flags.v[i]);
	}
	if (json_get(doc, "listenerPath"))
		return err_set(p->e, ENOTSUP,
			       "%s: listenerPath needs a supervisor, which gpurun has not",
			       p->file);
	return 0;
}

/* Everything of the document but its rules. */
static int parse_top(const struct parser *p, const struct json *doc, struct ruleset *ret)
{
	const char *action = json_str(doc, "defaultAction");
	int r;

	if (doc->type != JSON_OBJECT)
		return err_set(p->e, EINVAL, "%s: not an object", p->file);
	if ((!action || !*action) && !json_get(doc, "syscalls")) {
		err_set(p->e, EINVAL, "%s: neither defaultAction nor syscalls", p->file);
		err_hint(p->e, "to run without a filter: --security-opt seccomp=unconfined");
		return -EINVAL;
	}
	r = parse_action(p, "defaultAction", action, &ret->fallback.act);
	if (r == 0 && ret->fallback.act == RULE_ERRNO)
		r = parse_errno(p, "top level", doc, "defaultErrnoRet", "defaultErrno",
				&ret->fallback.err);
	if (r == 0)
		r = parse_arches(p, doc, ret);
	return r < 0 ? r : parse_flags(p, doc);
}

int rules_read(struct arena *a, const struct json *doc, const char *file,
	       const struct rule_host *host, struct ruleset *ret, struct err *e)
{
	struct parser p = { .a = a, .file = file, .host = host, .e = e };
	const struct json *calls;
	int r;

	*ret = (struct ruleset){ 0 };
	r = parse_top(&p, doc, ret);
	if (r < 0)
		return r;
	calls = json_get(doc, "syscalls");
	if (calls && calls->type != JSON_ARRAY)
		return err_set(e, EINVAL, "%s: syscalls: not a list", file);
	for (const struct json *c = calls ? calls->child : NULL; c; c = c->next, p.at++) {
		if (p.at == RULES_MAX)
			return err_set(e, E2BIG, "%s: more than %d rules", file, RULES_MAX);
		r = parse_rule(&p, c, ret);
		if (r < 0)
			return r;
	}
	return 0;
}

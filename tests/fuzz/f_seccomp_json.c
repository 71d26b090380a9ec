/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's seccomp profile: whatever it holds, it is refused with a message or gives a filter.
 * The filter is run, for the calls that the profile names and for others, and must answer what the
 * rules say as they stand there; but where rules for one call name several actions, which of them
 * counts is libseccomp's business.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <sys/utsname.h>

#include <gpurun/json.h>
#include <gpurun/profile.h>

#include "../../src/profile/rules.h"
#include "bpf.h"
#include "fuzz.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
static struct rule_host native = { .go_arch = "amd64", .scmp_arch = "SCMP_ARCH_X86_64" };
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
static struct rule_host native = { .go_arch = "arm64", .scmp_arch = "SCMP_ARCH_AARCH64" };
#endif

#define X32_BIT   0x40000000
#define FOREIGN   0x12345678U
#define NAMES_MAX 64
#define ARGS_MAX  6

struct model {
	const struct ruleset *rules;
	const struct profile *p;
	int newest;
};

static uint32_t answer_of(const struct rule_action *a)
{
	static const uint32_t answers[] = { [RULE_ALLOW] = SECCOMP_RET_ALLOW,
					    [RULE_LOG] = SECCOMP_RET_LOG,
					    [RULE_TRAP] = SECCOMP_RET_TRAP,
					    [RULE_KILL_THREAD] = SECCOMP_RET_KILL_THREAD,
					    [RULE_KILL_PROCESS] = SECCOMP_RET_KILL_PROCESS };

	return a->act == RULE_ERRNO ? SECCOMP_RET_ERRNO | a->err : answers[a->act];
}

static bool arg_holds(const struct rule_arg *c, uint64_t v)
{
	switch (c->op) {
	case RULE_NE:
		return v != c->value;
	case RULE_LT:
		return v < c->value;
	case RULE_LE:
		return v <= c->value;
	case RULE_EQ:
		return v == c->value;
	case RULE_GE:
		return v >= c->value;
	case RULE_GT:
		return v > c->value;
	case RULE_MASKED_EQ:
		break;
	}
	/* libseccomp looks at no bit outside of the mask, also where the rule names one */
	return (v & c->value) == (c->value_two & c->value);
}

/* All conditions; but where two are about one argument each stands for itself. */
static bool rule_holds(const struct rule *r, const uint64_t *args)
{
	unsigned int seen = 0;
	bool twice = false, any = false, all = true;

	for (size_t i = 0; i < r->n_args; i++) {
		bool holds = arg_holds(&r->args[i], args[r->args[i].index]);

		twice |= (seen >> r->args[i].index) & 1;
		seen |= 1U << r->args[i].index;
		any |= holds;
		all &= holds;
	}
	return twice ? any : all;
}

/* The answer to call @nr, if it is one that can be foretold: a single action for it. */
static bool foretell(const struct model *m, int nr, const uint64_t *args, uint32_t *ret)
{
	const uint32_t fallback = answer_of(&m->rules->fallback);
	uint32_t action = fallback;
	bool holds = false;

	for (size_t i = 0; i < m->rules->n; i++) {
		const struct rule *r = &m->rules->v[i];
		bool named = false;

		for (size_t k = 0; k < r->names.n; k++)
			named |= seccomp_syscall_resolve_name(r->names.v[k]) == nr;
		if (!named || answer_of(&r->action) == fallback)
			continue;
		if (action != fallback && action != answer_of(&r->action))
			return false;
		action = answer_of(&r->action);
		holds |= rule_holds(r, args);
	}
	*ret = holds ? action : fallback;
	if (m->rules->fallback.act == RULE_ERRNO && m->newest >= 0 && nr > m->newest)
		*ret = SECCOMP_RET_ERRNO | ENOSYS;
	return true;
}

static void check(const struct model *m, int nr, const uint64_t *args)
{
	struct seccomp_data d = { .nr = nr, .arch = NATIVE };
	uint32_t want;

	memcpy(d.args, args, sizeof(d.args));
	if (foretell(m, nr, args, &want))
		must(bpf_run(m->p->prog, m->p->len, &d) == want);
	d.arch = FOREIGN;
	must(bpf_run(m->p->prog, m->p->len, &d) == (SECCOMP_RET_ERRNO | ENOSYS));
}

/* Values around those that a rule names, one argument at a time and all at once. */
static void check_rule(const struct model *m, int nr, const struct rule *r)
{
	static const uint64_t off[] = { 0, 1, UINT64_MAX, (uint64_t)1 << 32 };
	uint64_t args[ARGS_MAX] = { 0 };

	check(m, nr, args);
	for (size_t i = 0; i < r->n_args; i++)
		args[r->args[i].index] =
			r->args[i].op == RULE_MASKED_EQ ? r->args[i].value_two : r->args[i].value;
	check(m, nr, args);
	for (size_t i = 0; i < r->n_args; i++)
		for (size_t k = 0; k < ELEMENTS(off); k++) {
			uint64_t was = args[r->args[i].index];

			args[r->args[i].index] += off[k];
			check(m, nr, args);
			args[r->args[i].index] = was;
		}
}

static void check_all(struct model *m)
{
	static const int others[] = { 0, 1, 59, 101, 435, 900, 1000000 };
	static const uint64_t none[ARGS_MAX];
	size_t n = 0;

	m->newest = -1;
	for (size_t i = 0; i < m->rules->n; i++) {
		const struct rule *r = &m->rules->v[i];

		if (answer_of(&r->action) == answer_of(&m->rules->fallback))
			continue;
		for (size_t k = 0; k < r->names.n; k++) {
			int nr = seccomp_syscall_resolve_name(r->names.v[k]);

			m->newest = nr > m->newest ? nr : m->newest;
		}
	}
	for (size_t i = 0; i < ELEMENTS(others); i++)
		check(m, others[i], none);
	for (size_t i = 0; i < m->rules->n; i++) {
		const struct rule *r = &m->rules->v[i];

		for (size_t k = 0; k < r->names.n && n < NAMES_MAX; k++) {
			int nr = seccomp_syscall_resolve_name(r->names.v[k]);

			if (nr >= 0 && nr < X32_BIT && ++n)
				check_rule(m, nr, r);
		}
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct utsname u;

	(void)argc;
	(void)argv;
	must(uname(&u) == 0 &&
	     sscanf(u.release, "%u.%u", &native.kernel[0], &native.kernel[1]) == 2);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	const struct json *doc = NULL;
	struct ruleset rules;
	struct profile p = { 0 };
	struct err e = { 0 };
	int r = profile_compile(a, (const char *)data, size, "fuzz", &p, &e);

	must(r < 0 ? err_is_set(&e) : p.prog && p.len);
	if (r < 0)
		return 0;
	must(json_parse(a, (const char *)data, size, "fuzz", &doc, &e) == 0);
	must(rules_read(a, doc, "fuzz", &native, &rules, &e) == 0);
	check_all(&(struct model){ .rules = &rules, .p = &p });
	return 0;
}

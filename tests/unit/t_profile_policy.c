/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in filters of both architectures against the policies themselves, read here by other
 * means than the compiler's: every line, every variant, and for every condition the values on both
 * sides of where it changes its mind.  Of what the compiler wrote only the numbers of the calls are
 * taken; t_profile_builtin.c has those that matter once more.
 */
#include <gpurun/profile.h>

#include <errno.h>
#include <linux/audit.h>
#include <regex.h>

#include <bpf.h>
#include <seccomp_aarch64.h>
#include <seccomp_x86_64.h>
#include <tap.h>

#include <gpurun/str.h>

#define VARIANTS_MAX 4
#define VALUES_MAX   8
#define RULES_MAX    512
#define HIGH         (1ULL << 32)

struct cond {
	uint32_t act, mask;
	unsigned int arg, n;
	bool set, any, equal;
	uint32_t value[VALUES_MAX];
};

struct rule {
	char name[128], arch[128];
	uint32_t act[VARIANTS_MAX];
	struct cond cond[VARIANTS_MAX];
};

static const struct policy {
	const char *file;
	unsigned int n_variants;
	const char *variant[VARIANTS_MAX];
	uint32_t unlisted;
} policies[] = {
	{ "seccomp/default.policy", 4, { "default", "root", "nested", "nested-root" }, 0 },
	{ "seccomp/unpack.policy", 1, { "unpack" }, SECCOMP_RET_ERRNO | EPERM },
};

struct program {
	const struct sock_filter *insns;
	size_t n;
};

static const struct arch {
	const char *name;
	uint32_t audit;
	struct program program[ELEMENTS(policies)][VARIANTS_MAX];
} arches[] = {
#define P(arch, v)                                                                                 \
	{                                                                                          \
		seccomp_##arch##_##v, ELEMENTS(seccomp_##arch##_##v)                               \
	}
#define PROGRAMS(arch)                                                                             \
	{                                                                                          \
		{ P(arch, default), P(arch, root), P(arch, nested), P(arch, nested_root) },        \
		{                                                                                  \
			P(arch, unpack)                                                            \
		}                                                                                  \
	}
	{ "x86_64", AUDIT_ARCH_X86_64, PROGRAMS(x86_64) },
	{ "aarch64", AUDIT_ARCH_AARCH64, PROGRAMS(aarch64) },
};

static struct rule rules[RULES_MAX];
static size_t n_rules;

/* ---- reading ------------------------------------------------------------------------------------- */

#define LIST "([a-z,-]+)"
static const char heading_re[] = "^\\[.*\\] ([a-z]+)( " LIST "=([a-z]+))?$";
static const char call_re[] =
	"^\t([a-z0-9_]+)(=[0-9]+)?(@([a-z0-9_]+))?"
	"(\t([a-z]+) if arg([0-9])( & ([0-9a-fx]+))?( (==|!=)(( [0-9a-fx]+)+))?( in " LIST ")?)?$";
enum { CALL_NAME = 1, CALL_ARCH = 4, CALL_COND, CALL_ACT, CALL_ARG, CALL_MASK = 9, CALL_OP = 11 };
enum { CALL_VALUES = 12, CALL_IN = 15, GROUPS };

static const char *part(char buf[128], const char *line, const regmatch_t *m)
{
	const int n = m->rm_so < 0 ? 0 : (int)(m->rm_eo - m->rm_so);

	snprintf(buf, 128, "%.*s", n, n ? line + m->rm_so : "");
	return buf;
}

static uint32_t action(const char *name)
{
	static const struct {
		const char *name;
		uint32_t value;
	} rows[] = { { "allow", SECCOMP_RET_ALLOW },
		     { "eperm", SECCOMP_RET_ERRNO | EPERM },
		     { "enosys", SECCOMP_RET_ERRNO | ENOSYS },
		     { "ok", SECCOMP_RET_ERRNO } };

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		if (str_eq(rows[i].name, name))
			return rows[i].value;
	printf("Bail out! no action %s\n", name);
	exit(1);
}

/* Is @name one of "a,b"?  No list: it is. */
static bool listed(const char *list, const char *name)
{
	const size_t n = strlen(name);

	for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == n && strncmp(p, name, n) == 0)
			return true;
	return !*list;
}

static struct cond read_cond(const char *line, const regmatch_t *m)
{
	struct cond c = { .set = true, .mask = UINT32_MAX };
	char buf[128], *end;

	c.act = action(part(buf, line, &m[CALL_ACT]));
	c.arg = (unsigned int)atoi(part(buf, line, &m[CALL_ARG]));
	if (*part(buf, line, &m[CALL_MASK]))
		c.mask = (uint32_t)strtoul(buf, NULL, 0);
	c.any = !*part(buf, line, &m[CALL_OP]);
	c.equal = str_eq(buf, "==");
	part(buf, line, &m[CALL_VALUES]);
	for (char *p = buf; *p && c.n < VALUES_MAX; p = end)
		c.value[c.n++] = (uint32_t)strtoul(p, &end, 0);
	return c;
}

/* The rule of that call; its second line adds to it. */
static struct rule *rule_of(const char *name, const char *arch, const uint32_t *act)
{
	struct rule *r = n_rules ? &rules[n_rules - 1] : NULL;

	if (r && str_eq(r->name, name))
		return r;
	r = &rules[n_rules++];
	*r = (struct rule){ 0 };
	snprintf(r->name, sizeof(r->name), "%s", name);
	snprintf(r->arch, sizeof(r->arch), "%s", arch);
	memcpy(r->act, act, sizeof(r->act));
	return r;
}

static void read_call(const struct policy *p, const char *line, const regmatch_t *m,
		      const uint32_t *act)
{
	char name[128], arch[128], in[128];
	struct rule *r;

	r = rule_of(part(name, line, &m[CALL_NAME]), part(arch, line, &m[CALL_ARCH]), act);
	part(in, line, &m[CALL_IN]);
	for (unsigned int v = 0; m[CALL_COND].rm_so >= 0 && v < p->n_variants; v++)
		if (listed(in, p->variant[v]))
			r->cond[v] = read_cond(line, m);
}

static void read_heading(const struct policy *p, const char *line, const regmatch_t *m,
			 uint32_t *act)
{
	char word[128], in[128];

	for (unsigned int v = 0; v < p->n_variants; v++) {
		act[v] = action(part(word, line, &m[1]));
		if (*part(in, line, &m[3]) && listed(in, p->variant[v]))
			act[v] = action(part(word, line, &m[4]));
	}
}

/* Without the comment and the blanks before it */
static void strip(char *line)
{
	size_t n = strcspn(line, "#\n");

	while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	line[n] = '\0';
}

static void read_policy(const struct policy *p)
{
	uint32_t act[VARIANTS_MAX] = { 0 };
	regex_t heading, call;
	regmatch_t m[GROUPS];
	char line[256];
	FILE *f = fopen(p->file, "re");

	n_rules = 0;
	if (!f || regcomp(&heading, heading_re, REG_EXTENDED) ||
	    regcomp(&call, call_re, REG_EXTENDED)) {
		printf("Bail out! %s\n", p->file);
		exit(1);
	}
	while (fgets(line, sizeof(line), f)) {
		strip(line);
		if (regexec(&heading, line, GROUPS, m, 0) == 0)
			read_heading(p, line, m, act);
		else if (regexec(&call, line, GROUPS, m, 0) == 0)
			read_call(p, line, m, act);
		else if (*line && strncmp(line, "variants ", 9) && strncmp(line, "known ", 6) &&
			 strncmp(line, "unlisted ", 9))
			ok(false, "%s: not understood: %s", p->file, line);
	}
	regfree(&heading);
	regfree(&call);
	fclose(f);
}

/* ---- asking -------------------------------------------------------------------------------------- */

struct ask {
	const struct arch *arch;
	const struct program *program;
	const struct rule *rule;
	const struct cond *cond;
	uint32_t act, nr;
	unsigned int asked, bad;
};

static bool holds(const struct cond *c, uint32_t low)
{
	bool found = false;

	low &= c->mask;
	if (c->any)
		return low != 0;
	for (unsigned int i = 0; i < c->n; i++)
		found |= low == c->value[i];
	return found == c->equal;
}

/* All arguments but one are @rest. */
static void ask_one(struct ask *a, unsigned int arg, uint64_t value, uint64_t rest)
{
	struct seccomp_data d = { .nr = (int)a->nr, .arch = a->arch->audit };
	uint32_t want = a->act, got;

	for (size_t i = 0; i < ELEMENTS(d.args); i++)
		d.args[i] = i == arg ? value : rest;
	if (a->cond->set && holds(a->cond, (uint32_t)d.args[a->cond->arg]))
		want = a->cond->act;
	got = bpf_run(a->program->insns, a->program->n, &d);
	a->asked++;
	if (got != want && !a->bad++)
		diag("%s %s(arg%u = %#llx, others %#llx): %#x, want %#x", a->arch->name,
		     a->rule->name, arg, (unsigned long long)value, (unsigned long long)rest, got,
		     want);
}

static void ask_about(struct ask *a, uint32_t value)
{
	for (unsigned int arg = 0; arg < 6; arg++) {
		ask_one(a, arg, value, 0);
		ask_one(a, arg, value | HIGH, 0);
		ask_one(a, arg, value | ~0ULL << 32, ~0ULL);
	}
}

/* Around each value and each bit that the condition knows */
static void ask_all(struct ask *a)
{
	static const uint32_t always[] = { 0, 1, UINT32_MAX, INT32_MAX, 1U << 31 };
	const struct cond *c = a->cond;

	for (size_t i = 0; i < ELEMENTS(always); i++)
		ask_about(a, always[i]);
	for (unsigned int bit = 0; c->set && bit < 32; bit++) {
		ask_about(a, 1U << bit);
		ask_about(a, c->mask ^ 1U << bit);
		for (unsigned int i = 0; i < c->n; i++)
			ask_about(a, c->value[i] ^ 1U << bit);
	}
	for (unsigned int i = 0; i < c->n; i++)
		for (uint32_t by = 0; by < 3; by++) {
			ask_about(a, c->value[i] + by - 1);
			ask_about(a, (c->value[i] + by - 1) | ~c->mask);
		}
}

/* ---- both ---------------------------------------------------------------------------------------- */

/* A line "NUMBER NAME ..." of what the compiler wrote about the first policy, which has all. */
static bool number_line(FILE *f, char name[32], uint32_t *ret_nr)
{
	char line[512];

	while (fgets(line, sizeof(line), f) && strncmp(line, "# seccomp/unpack", 16) != 0)
		if (sscanf(line, "%u %31s", ret_nr, name) == 2)
			return true;
	return false;
}

static const struct rule *rule_find(const char *name)
{
	for (size_t i = 0; i < n_rules; i++)
		if (str_eq(rules[i].name, name))
			return &rules[i];
	return NULL;
}

static void ask_call(const struct arch *arch, size_t policy, const char *name, uint32_t nr,
		     struct ask *sum)
{
	static const struct cond none = { 0 };
	const struct policy *p = &policies[policy];
	struct rule other = { 0 };
	const struct rule *r = rule_find(name);

	snprintf(other.name, sizeof(other.name), "%s", name);
	for (unsigned int v = 0; v < p->n_variants; v++) {
		struct ask a = { .arch = arch,
				 .program = &arch->program[policy][v],
				 .rule = r ? r : &other,
				 .cond = r ? &r->cond[v] : &none,
				 .act = r ? r->act[v] : p->unlisted,
				 .nr = nr };

		ask_all(&a);
		sum->asked += a.asked;
		sum->bad += a.bad;
	}
}

static void test_policy(const struct arch *arch, size_t policy)
{
	char path[64], name[32];
	struct ask sum = { 0 };
	unsigned int found = 0, want = 0;
	uint32_t nr;
	FILE *f;

	snprintf(path, sizeof(path), "tests/golden/seccomp-%s.txt", arch->name);
	f = fopen(path, "re");
	while (f && number_line(f, name, &nr)) {
		if (str_eq(name, "and") || str_eq(name, "-"))
			continue; /* "and above", and numbers without a call */
		found += rule_find(name) != NULL;
		ask_call(arch, policy, name, nr, &sum);
	}
	if (f)
		fclose(f);
	for (size_t i = 0; i < n_rules; i++)
		want += !*rules[i].arch || str_eq(rules[i].arch, arch->name);
	is_int(sum.bad, 0, "%s, %s: %u calls, %u answers", policies[policy].file, arch->name, found,
	       sum.asked);
	/* aarch64 has no names for what only old architectures have */
	ok(found <= want && found > want / 2, "%u of %u lines are calls there", found, want);
	if (str_eq(arch->name, "x86_64"))
		is_int(found, want, "all of them");
}

int main(void)
{
	for (size_t i = 0; i < ELEMENTS(policies); i++) {
		unsigned int conds = 0;

		read_policy(&policies[i]);
		for (size_t k = 0; k < n_rules; k++)
			for (unsigned int v = 0; v < policies[i].n_variants; v++)
				conds += rules[k].cond[v].set;
		is_int(conds, i == 0 ? 20 : 7, "%s: %zu calls, conditions", policies[i].file,
		       n_rules);
		for (size_t k = 0; k < ELEMENTS(arches); k++)
			test_policy(&arches[k], i);
	}
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gen.c - the build-time compiler of the seccomp policies.
 *
 *	seccomp-gen ARCH POLICY... HEADER DUMP
 *
 * reads the policies, writes one array of BPF instructions per variant into HEADER, and into
 * DUMP one line per system call with what each variant does, which is what people review.
 * It runs on the machine that builds, once per architecture, and is not part of the program.
 *
 * A policy is made of lines; "#" starts a comment:
 *
 *	variants NAME...        the filters that the file describes
 *	known NUMBER            system calls with a higher number do not exist yet: enosys
 *	unlisted ACTION         for calls that exist and are not named; "refuse": each must be
 *	[TITLE] ACTION [VARIANT,...=ACTION]...
 *	NAME[=NUMBER][@ARCH] [ACTION if argN [& MASK] [==|!= VALUE...] [in VARIANT,...]]
 *
 * ACTION is allow, eperm, enosys or ok (return 0, do nothing).  A condition replaces the
 * group's action where it holds.  Arguments are compared by their low 32 bits, because the
 * kernel reads no more of those that are named here (int, unsigned int, umode_t, and clone
 * cuts its flags off by itself).  A name that two conditions need stands on two lines.
 * =NUMBER is for calls that are younger than the libseccomp we build with.
 *
 * The filter: a foreign architecture is answered with enosys (i386 has another seccomp_data.arch,
 * x32 numbers lie above every known one); then a balanced tree over ranges of numbers with
 * equal treatment; then the conditions.  The program is written from its end to its start, so
 * that the target of every jump is known when the jump is written.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_MAX     1024
#define VARIANTS   8
#define VALUES_MAX 8
#define LINE_LEN   512
#define INSNS_MAX  4096 /* BPF_MAXINSNS */
#define POLICY_MAX 4

enum action { ALLOW, EPERM_, ENOSYS_, OK, ACTIONS };

static const struct {
	const char *name;
	uint32_t ret;
} actions[ACTIONS] = {
	[ALLOW] = { "allow", SECCOMP_RET_ALLOW },
	[EPERM_] = { "eperm", SECCOMP_RET_ERRNO | EPERM },
	[ENOSYS_] = { "enosys", SECCOMP_RET_ERRNO | ENOSYS },
	[OK] = { "ok", SECCOMP_RET_ERRNO },
};

static const struct arch {
	const char *name;
	uint32_t scmp, audit;
} arches[] = {
	{ "x86_64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64 },
	{ "aarch64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64 },
};

enum op { OP_ANY_BIT, OP_EQUAL, OP_NOT_EQUAL };

/* "act if arg & mask == value..." */
struct cond {
	unsigned int set; /* 0 or 1; no padding: decisions are compared as memory */
	enum action act;
	unsigned int arg;
	uint32_t mask;
	enum op op;
	uint32_t value[VALUES_MAX];
	unsigned int n;
};

/* What one variant does with one call. */
struct decision {
	enum action act;
	struct cond cond;
};

struct call {
	char name[48];
	bool listed;
	struct decision by[VARIANTS];
};

struct policy {
	const char *file;
	unsigned int line;
	char variant[VARIANTS][32];
	unsigned int n_variants;
	unsigned int known;
	bool refuse; /* a call that is not named is an error */
	enum action unlisted;
	enum action group[VARIANTS];
	struct call call[NR_MAX];
};

/* A program that grows towards lower addresses: insn[INSNS_MAX - 1] is its last instruction. */
struct prog {
	struct sock_filter insn[INSNS_MAX];
	unsigned int n;
};

static void __attribute__((noreturn, format(printf, 2, 3)))
fail(const struct policy *p, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: ", p->file, p->line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* ---- reading ---------------------------------------------------------------------------- */

static uint32_t parse_u32(const struct policy *p, const char *s)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(s, &end, 0);
	if (errno || *end || end == s || v > UINT32_MAX)
		fail(p, "%s: not a number", s);
	return (uint32_t)v;
}

static enum action parse_action(const struct policy *p, const char *s)
{
	for (unsigned int i = 0; i < ACTIONS; i++) {
		if (!strcmp(s, actions[i].name))
			return (enum action)i;
	}
	fail(p, "%s: no such action", s);
}

/* "nested,nested-root" as a bit mask */
static unsigned int parse_variants(const struct policy *p, char *list)
{
	unsigned int mask = 0;
	char *save = NULL;

	for (char *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		unsigned int i = 0;

		while (i < p->n_variants && strcmp(w, p->variant[i]) != 0)
			i++;
		if (i == p->n_variants)
			fail(p, "%s: no such variant", w);
		mask |= 1U << i;
	}
	return mask;
}

static void parse_heading(struct policy *p, char *rest)
{
	char *save = NULL, *w = strtok_r(rest, " \t", &save);

	if (!w)
		fail(p, "a group needs an action");
	for (unsigned int i = 0; i < p->n_variants; i++)
		p->group[i] = parse_action(p, w);
	while ((w = strtok_r(NULL, " \t", &save))) {
		char *eq = strchr(w, '=');
		unsigned int mask;

		if (!eq)
			fail(p, "%s: expected VARIANT=ACTION", w);
		*eq = '\0';
		mask = parse_variants(p, w);
		for (unsigned int i = 0; i < p->n_variants; i++) {
			if (mask & (1U << i))
				p->group[i] = parse_action(p, eq + 1);
		}
	}
}

/* "ACTION if argN [& MASK] [==|!= VALUE...] [in VARIANT,...]" */
static struct cond parse_cond(const struct policy *p, char *act, char **save,
			      unsigned int *variants)
{
	struct cond c = { .set = true, .act = parse_action(p, act), .mask = UINT32_MAX };
	char *w = strtok_r(NULL, " \t", save);

	*variants = (1U << p->n_variants) - 1;
	if (!w || strcmp(w, "if") != 0)
		fail(p, "expected \"if\"");
	w = strtok_r(NULL, " \t", save);
	if (!w || strncmp(w, "arg", 3) != 0 || w[3] < '0' || w[3] > '5' || w[4])
		fail(p, "expected arg0 to arg5");
	c.arg = (unsigned int)(w[3] - '0');
	w = strtok_r(NULL, " \t", save);
	if (w && !strcmp(w, "&")) {
		w = strtok_r(NULL, " \t", save);
		c.mask = parse_u32(p, w ? w : "");
		w = strtok_r(NULL, " \t", save);
	}
	if (w && (!strcmp(w, "==") || !strcmp(w, "!="))) {
		c.op = *w == '=' ? OP_EQUAL : OP_NOT_EQUAL;
		while ((w = strtok_r(NULL, " \t", save)) && strcmp(w, "in") != 0) {
			if (c.n == VALUES_MAX)
				fail(p, "too many values");
			c.value[c.n++] = parse_u32(p, w);
		}
	}
	if ((c.op == OP_ANY_BIT) != (c.n == 0) || (c.op == OP_ANY_BIT && c.mask == UINT32_MAX))
		fail(p, "a comparison needs values, a mask alone needs none");
	if (w) {
		w = strcmp(w, "in") != 0 ? NULL : strtok_r(NULL, " \t", save);
		if (!w)
			fail(p, "expected \"in VARIANT,...\"");
		*variants = parse_variants(p, w);
	}
	return c;
}

/*
 * The number of @name on @arch: -1 when this architecture has no such call.  A name that no
 * architecture has is a mistake in the policy.
 */
static int call_number(const struct policy *p, const struct arch *arch, char *name)
{
	char *only = strchr(name, '@'), *eq = strchr(name, '=');
	long given = -1;
	bool exists = false;
	int nr;

	if (only)
		*only++ = '\0';
	if (eq) {
		*eq++ = '\0';
		given = (long)parse_u32(p, eq);
	}
	if (only && strcmp(only, arch->name) != 0)
		return -1;
	nr = seccomp_syscall_resolve_name_arch(arch->scmp, name);
	if (given >= 0 && nr >= 0 && nr != given)
		fail(p, "%s: libseccomp says %d", name, nr);
	if (given >= 0)
		return (int)given;
	for (unsigned int i = 0; i < sizeof(arches) / sizeof(arches[0]); i++)
		exists |= seccomp_syscall_resolve_name_arch(arches[i].scmp, name) >= 0;
	if (!exists)
		fail(p, "%s: unknown to libseccomp (write %s=NUMBER)", name, name);
	return nr < 0 ? -1 : nr;
}

static void parse_call(struct policy *p, const struct arch *arch, char *name, char **save)
{
	char *act = strtok_r(NULL, " \t", save);
	unsigned int variants = 0;
	struct cond c = { 0 };
	struct call *call;
	int nr;

	if (act)
		c = parse_cond(p, act, save, &variants);
	nr = call_number(p, arch, name);
	if (nr < 0)
		return;
	if ((unsigned int)nr > p->known)
		fail(p, "%s: number %d lies above \"known %u\"", name, nr, p->known);
	call = &p->call[nr];
	if (call->listed && (!c.set || strcmp(call->name, name) != 0))
		fail(p, "%s: number %d is listed already (%s)", name, nr, call->name);
	snprintf(call->name, sizeof(call->name), "%s", name);
	for (unsigned int i = 0; i < p->n_variants; i++) {
		if (!call->listed)
			call->by[i].act = p->group[i];
		if (!(variants & (1U << i)))
			continue;
		if (call->by[i].cond.set)
			fail(p, "%s: two conditions in one variant", name);
		call->by[i].cond = c;
	}
	call->listed = true;
}

static void parse_line(struct policy *p, const struct arch *arch, char *line)
{
	char *save = NULL, *w;

	line[strcspn(line, "#\n")] = '\0';
	if (line[0] == '[') {
		char *end = strrchr(line, ']');

		if (!end)
			fail(p, "no \"]\"");
		parse_heading(p, end + 1);
		return;
	}
	w = strtok_r(line, " \t", &save);
	if (!w)
		return;
	if (!strcmp(w, "variants")) {
		while ((w = strtok_r(NULL, " \t", &save)) && p->n_variants < VARIANTS)
			snprintf(p->variant[p->n_variants++], sizeof(p->variant[0]), "%s", w);
	} else if (!strcmp(w, "known")) {
		w = strtok_r(NULL, " \t", &save);
		p->known = parse_u32(p, w ? w : "");
		if (p->known >= NR_MAX)
			fail(p, "known: %u is too high", p->known);
	} else if (!strcmp(w, "unlisted")) {
		w = strtok_r(NULL, " \t", &save);
		p->refuse = w && !strcmp(w, "refuse");
		p->unlisted = p->refuse ? EPERM_ : parse_action(p, w ? w : "");
	} else {
		parse_call(p, arch, w, &save);
	}
}

/*
 * Give every call that exists and was not named its decision; a number without a call: enosys.
 * Which calls exist is what @first, a complete policy, names, and not what the libseccomp that
 * happens to be here knows.
 */
static void policy_complete(struct policy *p, const struct policy *first, const struct arch *arch)
{
	for (unsigned int nr = 0; nr <= p->known; nr++) {
		struct call *call = &p->call[nr];
		char *name;

		if (call->listed)
			continue;
		name = seccomp_syscall_resolve_num_arch(arch->scmp, (int)nr);
		if (name && p->refuse)
			fail(p, "%s (%u on %s) is not listed", name, nr, arch->name);
		free(name);
		snprintf(call->name, sizeof(call->name), "%s", first->call[nr].name);
		for (unsigned int i = 0; i < p->n_variants; i++)
			call->by[i].act = call->name[0] ? p->unlisted : ENOSYS_;
	}
}

static void policy_read(struct policy *p, const struct policy *first, const struct arch *arch,
			const char *file)
{
	char line[LINE_LEN];
	FILE *f = fopen(file, "re");

	p->file = file;
	if (!f)
		fail(p, "%s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		p->line++;
		if (!strchr(line, '\n'))
			fail(p, "line too long");
		parse_line(p, arch, line);
	}
	fclose(f);
	policy_complete(p, first, arch);
}

/* ---- writing BPF ------------------------------------------------------------------------- */

/*
 * Positions count instructions from the end of the program: the last one is 1.  emit() puts an
 * instruction in front of all others and returns its position.
 */
static unsigned int emit(struct prog *g, unsigned int code, unsigned int jt, unsigned int jf,
			 uint32_t k)
{
	if (g->n == INSNS_MAX) {
		fprintf(stderr, "seccomp-gen: the program is too long\n");
		exit(1);
	}
	g->n++;
	g->insn[INSNS_MAX - g->n] =
		(struct sock_filter){ (uint16_t)code, (uint8_t)jt, (uint8_t)jf, k };
	return g->n;
}

/* A conditional jump to two positions; one that is out of reach gets an unconditional jump. */
static unsigned int emit_jump(struct prog *g, unsigned int op, uint32_t k, unsigned int yes,
			      unsigned int no)
{
	if (g->n + 1 - yes > UINT8_MAX)
		yes = emit(g, BPF_JMP | BPF_JA, 0, 0, g->n - yes);
	if (g->n - no > UINT8_MAX)
		no = emit(g, BPF_JMP | BPF_JA, 0, 0, g->n - no);
	return emit(g, BPF_JMP | op | BPF_K, g->n - yes, g->n - no, k);
}

/* The code of one condition; what follows depends on the low half of the argument. */
static unsigned int emit_cond(struct prog *g, const struct decision *d, const unsigned int *ret)
{
	const struct cond *c = &d->cond;
	unsigned int yes = ret[c->act], no = ret[d->act], next;
	size_t lo = offsetof(struct seccomp_data, args) + c->arg * sizeof(uint64_t);

	if (c->op == OP_NOT_EQUAL) {
		yes = ret[d->act];
		no = ret[c->act];
	}
	if (c->op == OP_ANY_BIT)
		next = emit_jump(g, BPF_JSET, c->mask, yes, no);
	else
		next = no;
	for (unsigned int i = c->n; i-- > 0;)
		next = emit_jump(g, BPF_JEQ, c->value[i], yes, next);
	if (c->op != OP_ANY_BIT && c->mask != UINT32_MAX)
		emit(g, BPF_ALU | BPF_AND | BPF_K, 0, 0, c->mask);
	return emit(g, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)lo);
}

/* Numbers from @first on (to the next range's first) are answered at position @target. */
struct range {
	uint32_t first;
	unsigned int target;
};

static unsigned int emit_tree(struct prog *g, const struct range *r, unsigned int n)
{
	unsigned int left, right;

	if (n == 1)
		return r[0].target;
	right = emit_tree(g, r + n / 2, n - n / 2);
	left = emit_tree(g, r, n / 2);
	return emit_jump(g, BPF_JGE, r[n / 2].first, right, left);
}

/* Where call @nr continues: calls that are treated alike share the code of their condition. */
static unsigned int decision_target(struct prog *g, const struct policy *p, unsigned int variant,
				    unsigned int nr, const unsigned int *ret, unsigned int *target)
{
	const struct decision *d = &p->call[nr].by[variant];

	for (unsigned int i = 0; i < nr; i++) {
		if (!memcmp(&p->call[i].by[variant], d, sizeof(*d)))
			return target[nr] = target[i];
	}
	target[nr] = d->cond.set ? emit_cond(g, d, ret) : ret[d->act];
	return target[nr];
}

static void compile(struct prog *g, const struct policy *p, const struct arch *arch,
		    unsigned int variant)
{
	unsigned int ret[ACTIONS], target[NR_MAX], n = 0, tree, load;
	struct range range[NR_MAX + 1] = { 0 };

	g->n = 0;
	for (unsigned int i = ACTIONS; i-- > 0;)
		ret[i] = emit(g, BPF_RET | BPF_K, 0, 0, actions[i].ret);
	for (unsigned int nr = 0; nr <= p->known; nr++) {
		unsigned int t = decision_target(g, p, variant, nr, ret, target);

		if (n == 0 || range[n - 1].target != t)
			range[n++] = (struct range){ nr, t };
	}
	if (range[n - 1].target != ret[ENOSYS_])
		range[n++] = (struct range){ p->known + 1, ret[ENOSYS_] };
	tree = emit_tree(g, range, n);
	if (tree != g->n)
		emit(g, BPF_JMP | BPF_JA, 0, 0, g->n - tree);
	load = emit(g, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	emit_jump(g, BPF_JEQ, arch->audit, load, ret[ENOSYS_]);
	emit(g, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
}

/* ---- writing files ----------------------------------------------------------------------- */

static void write_array(FILE *out, const struct prog *g, const struct arch *arch,
			const char *variant)
{
	fprintf(out, "\nstatic const struct sock_filter seccomp_%s_", arch->name);
	for (const char *c = variant; *c; c++)
		fputc(*c == '-' ? '_' : *c, out);
	fprintf(out, "[] = {\n");
	for (const struct sock_filter *i = g->insn + INSNS_MAX - g->n; i < g->insn + INSNS_MAX; i++)
		fprintf(out, "\t{ 0x%02x, %3u, %3u, 0x%08x },\n", i->code, i->jt, i->jf, i->k);
	fprintf(out, "};\n");
}

static void print_decision(FILE *out, const struct decision *d)
{
	const struct cond *c = &d->cond;

	if (c->set) {
		fprintf(out, "%s if arg%u", actions[c->act].name, c->arg);
		if (c->mask != UINT32_MAX)
			fprintf(out, " & 0x%x", c->mask);
		if (c->n)
			fprintf(out, c->op == OP_EQUAL ? " ==" : " !=");
		for (unsigned int i = 0; i < c->n; i++)
			fprintf(out, " 0x%x", c->value[i]);
		fprintf(out, ", else ");
	}
	fprintf(out, "%s", actions[d->act].name);
}

/* One line per number: what all variants do, or what each does where they differ. */
static void write_calls(FILE *out, const struct policy *p)
{
	for (unsigned int nr = 0; nr <= p->known; nr++) {
		const struct call *c = &p->call[nr];
		bool same = true;

		for (unsigned int i = 1; i < p->n_variants; i++)
			same &= !memcmp(&c->by[0], &c->by[i], sizeof(c->by[0]));
		fprintf(out, "%3u %-24s ", nr, c->name[0] ? c->name : "-");
		for (unsigned int i = 0; i < (same ? 1 : p->n_variants); i++) {
			fprintf(out, "%s", i ? "; " : "");
			if (!same)
				fprintf(out, "%s: ", p->variant[i]);
			print_decision(out, &c->by[i]);
		}
		fputc('\n', out);
	}
	fprintf(out, "%3u and above                enosys\n", p->known + 1);
}

static FILE *open_output(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f) {
		fprintf(stderr, "seccomp-gen: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return f;
}

static void close_output(FILE *f, const char *path)
{
	if (fclose(f) != 0) {
		fprintf(stderr, "seccomp-gen: %s: %s\n", path, strerror(errno));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static struct policy policies[POLICY_MAX];
	static struct prog prog;
	const struct arch *arch = NULL;
	FILE *header, *dump;

	for (unsigned int i = 0; argc > 4 && i < sizeof(arches) / sizeof(arches[0]); i++) {
		if (!strcmp(argv[1], arches[i].name))
			arch = &arches[i];
	}
	if (!arch || argc - 4 > POLICY_MAX) {
		fprintf(stderr, "usage: seccomp-gen x86_64|aarch64 POLICY... HEADER DUMP\n");
		return 2;
	}
	header = open_output(argv[argc - 2]);
	dump = open_output(argv[argc - 1]);
	fprintf(header, "/* Made by seccomp/gen.c from the policies; do not edit. */\n");
	for (int i = 2; i < argc - 2; i++) {
		struct policy *p = &policies[i - 2];

		policy_read(p, &policies[0], arch, argv[i]);
		fprintf(dump, "%s# %s on %s\n", i > 2 ? "\n" : "", p->file, arch->name);
		for (unsigned int v = 0; v < p->n_variants; v++) {
			compile(&prog, p, arch, v);
			write_array(header, &prog, arch, p->variant[v]);
			fprintf(dump, "# %s: %u instructions\n", p->variant[v], prog.n);
		}
		write_calls(dump, p);
	}
	close_output(header, argv[argc - 2]);
	close_output(dump, argv[argc - 1]);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile.c - a user's seccomp profile to BPF, by libseccomp.
 *
 * Off the warm path: libseccomp needs 2 to 20 ms for what the built-in filters have done at
 * build time.  Two things are decided here and not by the profile: an architecture that it does
 * not name is answered with ENOSYS instead of a signal, and so is a system call younger than
 * everything that the profile mentions when its default is another error: a profile that was
 * written before a call existed cannot have meant to break libraries that probe for it.
 */
#include <gpurun/profile.h>

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include <gpurun/fd.h>
#include <gpurun/lib.h>
#include <gpurun/str.h>

#include "rules.h"

#if defined(__x86_64__)
#define NATIVE_AUDIT AUDIT_ARCH_X86_64
static const struct rule_host native = { .go_arch = "amd64", .scmp_arch = "SCMP_ARCH_X86_64" };
static const char *const sub_arches[] = { "x86", "x32" };
#elif defined(__aarch64__)
#define NATIVE_AUDIT AUDIT_ARCH_AARCH64
static const struct rule_host native = { .go_arch = "arm64", .scmp_arch = "SCMP_ARCH_AARCH64" };
static const char *const sub_arches[] = { "arm" };
#endif

#define X32_BIT 0x40000000U

#define SECCOMP_FUNCS(X)                                                                           \
	X(seccomp_init)                                                                            \
	X(seccomp_release)                                                                         \
	X(seccomp_attr_set)                                                                        \
	X(seccomp_arch_add)                                                                        \
	X(seccomp_arch_resolve_name)                                                               \
	X(seccomp_syscall_resolve_name)                                                            \
	X(seccomp_rule_add_array)                                                                  \
	X(seccomp_export_bpf)

struct seccomp_api {
	SECCOMP_FUNCS(LIB_POINTER)
};

#define ENTRY(f) LIB_ENTRY(seccomp_api, f)
static const struct lib_func seccomp_funcs[] = { SECCOMP_FUNCS(ENTRY) };
static struct seccomp_api api;

/* One compilation. */
struct compiler {
	scmp_filter_ctx ctx;
	const char *file;
	const struct ruleset *rules;
	int newest; /* the highest number of this architecture that a rule names, or -1 */
	struct err *e;
};

static const enum scmp_compare ops[] = {
	[RULE_NE] = SCMP_CMP_NE,
	[RULE_LT] = SCMP_CMP_LT,
	[RULE_LE] = SCMP_CMP_LE,
	[RULE_EQ] = SCMP_CMP_EQ,
	[RULE_GE] = SCMP_CMP_GE,
	[RULE_GT] = SCMP_CMP_GT,
	[RULE_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
};

static void compiler_release(struct compiler *c)
{
	if (c->ctx)
		api.seccomp_release(c->ctx);
}

static uint32_t action_value(const struct rule_action *a)
{
	switch (a->act) {
	case RULE_ALLOW:
		return SCMP_ACT_ALLOW;
	case RULE_LOG:
		return SCMP_ACT_LOG;
	case RULE_ERRNO:
		return SCMP_ACT_ERRNO(a->err);
	case RULE_TRAP:
		return SCMP_ACT_TRAP;
	case RULE_KILL_THREAD:
		return SCMP_ACT_KILL_THREAD;
	case RULE_KILL_PROCESS:
		break;
	}
	return SCMP_ACT_KILL_PROCESS;
}

static bool action_permits(const struct rule_action *a)
{
	return a->act == RULE_ALLOW || a->act == RULE_LOG;
}

/* The filter's frame: default action, ENOSYS for foreign architectures, those that it names. */
static int compiler_begin(struct compiler *c)
{
	int r;

	c->ctx = api.seccomp_init(action_value(&c->rules->fallback));
	if (!c->ctx)
		return err_set(c->e, ENOMEM, "%s: libseccomp cannot start", c->file);
	r = api.seccomp_attr_set(c->ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (r < 0)
		return err_sys(c->e, -r, "%s: libseccomp", c->file);
	for (size_t i = 0; i < c->rules->arches.n; i++) {
		for (size_t k = 0; k < ELEMENTS(sub_arches); k++) {
			if (!str_eq(c->rules->arches.v[i], sub_arches[k]))
				continue;
			r = api.seccomp_arch_add(c->ctx,
						 api.seccomp_arch_resolve_name(sub_arches[k]));
			if (r < 0 && r != -EEXIST)
				return err_sys(c->e, -r, "%s: architecture %s", c->file,
					       sub_arches[k]);
		}
	}
	return 0;
}

/* Add one call with @n conditions, or one rule per condition where two look at one argument. */
static int add_call(const struct compiler *c, int nr, const struct rule *rule)
{
	struct scmp_arg_cmp cmp[RULE_ARGS_MAX];
	unsigned int seen = 0;
	bool twice = false;
	int r = 0;

	for (size_t i = 0; i < rule->n_args; i++) {
		const struct rule_arg *a = &rule->args[i];

		cmp[i] = (struct scmp_arg_cmp){ a->index, ops[a->op], a->value, a->value_two };
		twice |= (seen & (1U << a->index)) != 0;
		seen |= 1U << a->index;
	}
	if (!twice)
		return api.seccomp_rule_add_array(c->ctx, action_value(&rule->action), nr,
						  (unsigned int)rule->n_args, cmp);
	for (size_t i = 0; i < rule->n_args && r == 0; i++)
		r = api.seccomp_rule_add_array(c->ctx, action_value(&rule->action), nr, 1, &cmp[i]);
	return r;
}

/*
 * A name that libseccomp does not know is skipped, as every runtime does, because profiles name
 * calls of the future; but not where the profile allows by default and this rule would forbid.
 */
static int add_rule(struct compiler *c, const struct rule *rule)
{
	if (action_value(&rule->action) == action_value(&c->rules->fallback))
		return 0; /* says nothing new, and libseccomp refuses it */
	for (size_t i = 0; i < rule->names.n; i++) {
		const char *name = rule->names.v[i];
		int nr = api.seccomp_syscall_resolve_name(name), r;

		if (nr == __NR_SCMP_ERROR && action_permits(&c->rules->fallback) &&
		    !action_permits(&rule->action))
			return err_set(c->e, ENOTSUP,
				       "%s: %s: libseccomp does not know this call and cannot "
				       "deny it",
				       c->file, name);
		if (nr == __NR_SCMP_ERROR)
			continue;
		if (nr > c->newest)
			c->newest = nr;
		r = add_call(c, nr, rule);
		if (r < 0)
			return err_sys(c->e, -r, "%s: rule for %s", c->file, name);
	}
	return 0;
}

/*
 * The filter with room for @room instructions in front of it, or NULL with the record filled.
 * libseccomp writes to a descriptor only (export to memory came with 2.6).
 */
static struct sock_filter *export_bpf(const struct compiler *c, struct arena *a, size_t room,
				      size_t *ret_n)
{
	_cleanup_fd_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct sock_filter *prog;
	off_t size;
	size_t n;
	int r = fd < 0 ? -errno : api.seccomp_export_bpf(c->ctx, fd);

	if (r < 0) {
		err_sys(c->e, -r, "%s: libseccomp cannot write the filter", c->file);
		return NULL;
	}
	size = lseek(fd, 0, SEEK_END);
	n = size > 0 ? (size_t)size / sizeof(*prog) : 0;
	if (n + room > BPF_MAXINSNS) {
		err_set(c->e, E2BIG, "%s: the filter has %zu instructions, at most %d fit", c->file,
			n, BPF_MAXINSNS);
		return NULL;
	}
	prog = ARENA_ARRAY(a, struct sock_filter, n + room);
	if (n == 0 || lseek(fd, 0, SEEK_SET) != 0 ||
	    fd_read_up_to(fd, prog + room, n * sizeof(*prog)) != size) {
		err_set(c->e, EIO, "%s: libseccomp's filter was cut short", c->file);
		return NULL;
	}
	*ret_n = n;
	return prog;
}

/* What stands in front of a filter whose default is an error: ENOSYS above @newest. */
#define PREFIX_LEN 6
static void write_prefix(struct sock_filter *prog, int newest)
{
	const struct sock_filter prefix[PREFIX_LEN] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_AUDIT, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)newest, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	memcpy(prog, prefix, sizeof(prefix));
}

static int compiler_finish(struct compiler *c, struct arena *a, struct profile *ret)
{
	bool prefix = c->rules->fallback.act == RULE_ERRNO && c->newest >= 0;
	size_t room = prefix ? PREFIX_LEN : 0, n = 0;
	struct sock_filter *prog = export_bpf(c, a, room, &n);

	if (!prog)
		return -EIO;
	if (prefix)
		write_prefix(prog, c->newest);
	*ret = (struct profile){ c->file, prog, (uint16_t)(n + room) };
	return 0;
}

/* The running kernel's "6.1" of "6.1.0-30-amd64"; 0.0 when it is not of that form. */
static void kernel_version(unsigned int version[2])
{
	struct utsname u;
	char *end;

	if (uname(&u) < 0)
		return;
	version[0] = (unsigned int)strtoul(u.release, &end, 10);
	if (*end == '.')
		version[1] = (unsigned int)strtoul(end + 1, NULL, 10);
}

int profile_compile_json(struct arena *a, const struct json *doc, const char *file,
			 struct profile *ret, struct err *e)
{
	struct compiler c __attribute__((cleanup(compiler_release))) = { .newest = -1, .e = e };
	struct rule_host host = native;
	struct ruleset rules;
	int r;

	kernel_version(host.kernel);
	r = rules_read(a, doc, file, &host, &rules, e);
	if (r == 0)
		r = lib_load("libseccomp.so.2", "libseccomp2", seccomp_funcs,
			     ELEMENTS(seccomp_funcs), &api, e);
	if (r < 0)
		return r;
	c.file = arena_strdup(a, file);
	c.rules = &rules;
	r = compiler_begin(&c);
	for (size_t i = 0; i < rules.n && r == 0; i++)
		r = add_rule(&c, &rules.v[i]);
	return r < 0 ? r : compiler_finish(&c, a, ret);
}

int profile_compile(struct arena *a, const char *json, size_t len, const char *file,
		    struct profile *ret, struct err *e)
{
	const struct json *doc = NULL;
	int r = json_parse(a, json, len, file, &doc, e);

	return r < 0 ? r : profile_compile_json(a, doc, file, ret, e);
}

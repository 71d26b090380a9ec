/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.h - a seccomp profile as it was written, between its JSON (rules.c) and libseccomp
 * (compile.c).
 */
#ifndef PROFILE_RULES_H
#define PROFILE_RULES_H

#include <stddef.h>
#include <stdint.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>
#include <gpurun/json.h>

#define RULE_ARGS_MAX  16   /* conditions of one rule */
#define RULES_MAX      4096 /* rules of one profile */
#define RULE_ERRNO_MAX 4095 /* the kernel's MAX_ERRNO */

enum rule_act {
	RULE_ALLOW,
	RULE_LOG,
	RULE_ERRNO,
	RULE_TRAP,
	RULE_KILL_THREAD,
	RULE_KILL_PROCESS,
};

struct rule_action {
	enum rule_act act;
	uint16_t err; /* RULE_ERRNO */
};

enum rule_op { RULE_NE, RULE_LT, RULE_LE, RULE_EQ, RULE_GE, RULE_GT, RULE_MASKED_EQ };

/** struct rule_arg - a condition; RULE_MASKED_EQ: (argument & value) == value_two */
struct rule_arg {
	unsigned int index;
	enum rule_op op;
	uint64_t value, value_two;
};

struct rule {
	struct strv names;
	struct rule_action action;
	struct rule_arg args[RULE_ARGS_MAX];
	size_t n_args;
};

/** struct ruleset - @arches: "x86", "x32", ... in libseccomp's spelling */
struct ruleset {
	struct rule_action fallback;
	struct strv arches;
	struct rule *v;
	size_t n, cap;
};

/** struct rule_host - what a rule's conditions are about */
struct rule_host {
	const char *go_arch;    /* "amd64" */
	const char *scmp_arch;  /* "SCMP_ARCH_X86_64" */
	unsigned int kernel[2]; /* 6, 1 */
};

/**
 * rules_read - read docker's form (includes, excludes, archMap) or the runtime-spec's
 * Rules whose conditions do not hold are left out; no capability is held.
 * Errors: -EINVAL, -ENOTSUP for what a profile can ask and this program does not do.
 */
int rules_read(struct arena *a, const struct json *doc, const char *file,
	       const struct rule_host *host, struct ruleset *ret, struct err *e);

#endif

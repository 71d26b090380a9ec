/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.h - security profiles: the built-in seccomp filters (compiled at build time from
 * the policy files of seccomp/), a user's own seccomp JSON (compiled by libseccomp, off the warm path) and
 * the names of capabilities.
 */
#ifndef GPURUN_PROFILE_H
#define GPURUN_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>

struct json;
struct sock_filter;

enum profile_kind {
	PROFILE_DEFAULT,
	PROFILE_ROOT,   /* --root: the chown and setuid families succeed as no-ops */
	PROFILE_NESTED, /* --nested: namespaces and mounts inside are allowed */
	PROFILE_NESTED_ROOT,
	PROFILE_UNPACK, /* the unpack worker's */
	PROFILE_COUNT
};

struct profile {
	const char *name;
	const struct sock_filter *prog;
	uint16_t len;
};

/** profile_builtin - for the architecture that we were compiled for */
struct profile profile_builtin(enum profile_kind k);

/**
 * profile_compile - a seccomp profile in docker's (or the OCI runtime-spec's) JSON form
 * @file: its name, for messages.  Conditions on capabilities are evaluated against none.
 */
int profile_compile(struct arena *a, const char *json, size_t len, const char *file,
		    struct profile *ret, struct err *e);

/** profile_compile_json - the same of a document that is parsed (a part of a larger one) */
int profile_compile_json(struct arena *a, const struct json *doc, const char *file,
			 struct profile *ret, struct err *e);

/** profile_cap - number of "CAP_CHOWN" or "chown" (any case), or -EINVAL */
int profile_cap(const char *name);
/** profile_cap_name - "CAP_CHOWN", or NULL */
const char *profile_cap_name(int cap);

#endif

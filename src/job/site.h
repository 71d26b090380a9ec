/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site.h - one file of /etc/gpurun/site.d; private to src/job/.
 */
#ifndef GPURUN_JOB_SITE_H
#define GPURUN_JOB_SITE_H

#include <gpurun/json.h>

#include "build.h"

struct site_mount {
	const char *src, *dst;
	uint64_t attrs;
	bool if_exists; /* left out where the source is missing, which is an error else */
};

/**
 * struct site_file - what one file says
 * @when:      bits 1 << enum job_kind
 * @contained: also with --contain
 * @if_exists: patterns that must all name something, or the file says nothing here
 */
struct site_file {
	const char *path, *name; /* name: without ".json" */
	unsigned int when;
	bool contained;
	struct strv if_exists;
	struct site_mount *mounts;
	size_t n_mounts, cap_mounts;
	struct strv nodes, libraries; /* patterns */
	struct strv env, env_prepend; /* "K=V" */
};

/**
 * site_read - @doc as the file @path, whose name is @name (pure)
 * Unknown members, wrong types, destinations that are ours are errors that name the place.
 */
int site_read(struct arena *a, const struct json *doc, const char *path, const char *name,
	      struct site_file *ret, struct err *e);

/** site_apply - add what @f brings, if it is for here and now */
int site_apply(struct job_builder *b, const struct site_file *f, struct err *e);

#endif

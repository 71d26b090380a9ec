/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build.h - what the parts of job_edits() share; private to src/job/.
 */
#ifndef GPURUN_JOB_BUILD_H
#define GPURUN_JOB_BUILD_H

#include <sys/stat.h>

#include <gpurun/job.h>

#define JOB_GLOB_MAX 4096U /* paths that one pattern may name */

struct job_builder {
	struct arena *a;
	const struct sysroot *root;
	const struct host *host;
	const struct job_options *o;
	struct edits ed;
	struct strv *warn;
};

/* look.c: below the root directory */

/** job_stat - what @path is, links followed: 0 or -errno */
int job_stat(const struct job_builder *b, const char *path, struct stat *ret);

/** job_is_node - can @st be a device node? (in a test's directory they are text files) */
bool job_is_node(const struct job_builder *b, const struct stat *st);

/**
 * job_glob - the paths that @pattern names ('*' and '?' in any component), sorted, into @ret
 * A '*' at the start of a component leaves out names with a dot there.
 * Return: 0, also when there are none; -E2BIG: more than JOB_GLOB_MAX; -errno
 */
int job_glob(const struct job_builder *b, const char *pattern, struct strv *ret);

/* add.c: operations */

/** job_add_bind - @src at @dst: a file among the root's own files, a directory behind them */
void job_add_bind(struct job_builder *b, const char *src, const char *dst, uint64_t attrs,
		  uint32_t flags, const char *why);

/** job_add_nodes - all device nodes that @pattern names; the number of them, or -errno */
int job_add_nodes(struct job_builder *b, const char *pattern, const char *why);

/** job_may_bind - is @path a place where directories and files of the host may be? */
bool job_may_bind(const char *path);

/* The parts, in the order in which job_edits() calls them. */
int job_launcher(struct job_builder *b, struct err *e);    /* launcher.c */
int job_fabrics(struct job_builder *b, struct err *e);     /* fabrics.c */
int job_directories(struct job_builder *b, struct err *e); /* directories.c */
int job_site(struct job_builder *b, struct err *e);        /* site.c */

#endif

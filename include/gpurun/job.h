/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.h - what a job needs inside beside its GPUs: the launcher's rendezvous (PMIx), fabrics and
 * their nodes, files with the machine's topology, TMPDIR, and what the site lists in
 * /etc/gpurun/site.d.
 */
#ifndef GPURUN_JOB_H
#define GPURUN_JOB_H

#include <gpurun/arena.h>
#include <gpurun/edits.h>
#include <gpurun/err.h>
#include <gpurun/host.h>

#define SITE_DIR "/etc/gpurun/site.d"

/**
 * struct job_options
 * @contain: --contain: no directory that only the user wants (TMPDIR, the site's list); what the
 *	     launcher and the fabrics need stays
 */
struct job_options {
	bool contain;
};

/**
 * job_edits - look below @root for what there is; nothing outside of jobs, but site.d files that
 * say "when": "always"
 * Everything is the same in all ranks of a step on one node, but for directories that
 * host_path_variables[] name.
 * @ret_warn: texts to be said (the memlock limit)
 * Errors: a site.d file that cannot be understood, by name and member.
 */
int job_edits(struct arena *a, const struct sysroot *root, const struct host *h,
	      const struct job_options *o, struct edits *ret, struct strv *ret_warn, struct err *e);

#endif

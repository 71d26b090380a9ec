/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - what a job needs inside beside its GPUs: the order of the parts. */
#include <gpurun/str.h>

#include "build.h"

/* Outside of jobs there is only what the site wants everywhere. */
static const struct job_part {
	int (*add)(struct job_builder *b, struct err *e);
	bool outside;   /* of jobs, too */
	bool contained; /* with --contain, too */
} parts[] = {
	{ job_launcher, false, true },
	{ job_fabrics, false, true },
	{ job_directories, false, false },
	{ job_site, true, true }, /* each file says for itself */
};

int job_edits(struct arena *a, const struct sysroot *root, const struct host *h,
	      const struct job_options *o, struct edits *ret, struct strv *ret_warn, struct err *e)
{
	struct job_builder b = {
		.a = a,
		.root = root,
		.host = h,
		.o = o,
		.ed = { .source = "job" },
		.warn = ret_warn,
	};

	for (size_t i = 0; i < ELEMENTS(parts); i++) {
		int r = 0;

		if ((h->job.kind != JOB_NONE || parts[i].outside) &&
		    (!o->contain || parts[i].contained))
			r = parts[i].add(&b, e);
		if (r < 0)
			return r;
	}
	*ret = b.ed;
	return 0;
}

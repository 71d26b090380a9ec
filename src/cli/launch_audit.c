/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_audit.c - --audit in "gpurun run": the target is opened early, the line at the start is
 * written before the command can do anything, and the one at the end by whoever is still there.
 */
#include <sys/resource.h>

#include <gpurun/log.h>

#include "launch.h"

int launch_audit_open(struct launch *l, struct err *e)
{
	if (!l->q->audit || l->q->dry_run)
		return 0;
	return audit_open(l->a, l->q->audit, &l->audit, e);
}

int launch_audit_start(struct launch *l, const struct plan *p, const char *mode,
		       const char *container, struct err *e)
{
	int r;

	if (!l->audit)
		return 0;
	l->facts = (struct audit_facts){
		.host = &l->host,
		.image = &l->image,
		.plan = p,
		.gpus = &l->chosen,
		.driver_version = l->host.gpus.driver_version,
		.gpu_source = l->sel.text,
		.mode = mode,
		.container = container,
	};
	/* a second plan of the same start: the line is written, the end tells of this plan */
	if (l->audited)
		return 0;
	r = audit_start(l->audit, &l->facts, e);
	l->audited = r >= 0;
	return r;
}

void launch_audit_end(struct launch *l, int status)
{
	struct audit_result result = { .status = status, .signal = l->signal };
	struct err e = { 0 };

	if (!l->audited)
		return;
	(void)getrusage(RUSAGE_CHILDREN, &result.usage);
	if (audit_end(l->audit, &l->facts, &result, &e) < 0)
		log_warn("%s", e.msg);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_audit.c - --audit in "gpurun run": the target is opened early, the line at the start is
 * written before the command can do anything, and the one at the end by whoever is still there.
 */
#include <sys/resource.h>

#include <gpurun/allot.h>
#include <gpurun/log.h>

#include "launch.h"

/*
 * What NVML knows now of the chosen GPUs: the energy that they used between two looks is the
 * command's.  It takes a moment, so only for --audit-end; without an answer the line has none.
 */
static const struct gpu_set *energy_look(struct launch *l)
{
	struct gpu_set *set = ARENA_NEW(l->a, struct gpu_set);
	struct err e = { 0 };

	if (!l->q->audit_end || !l->chosen.n || !l->driver.libnvidia_ml)
		return NULL;
	*set = gpu_set_copy(l->a, &l->host.gpus);
	if (gpu_nvml_look(l->a, l->driver.libnvidia_ml, set, &e) >= 0)
		return set;
	log_debug(1, "NVML: %s", e.msg);
	return NULL;
}

int launch_audit_open(struct launch *l, struct err *e)
{
	if (!l->q->audit || l->q->dry_run)
		return 0;
	return audit_open(l->a, l->q->audit, &l->audit, e);
}

void launch_audit_look(struct launch *l)
{
	if (l->audit && !l->energy)
		l->energy = energy_look(l);
}

int launch_audit_start(struct launch *l, const struct plan *p, const char *container, struct err *e)
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
		.mode = p->container.share_key ? "share" : "own",
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
	if (l->energy && !l->inside) {
		result.before = l->energy;
		result.after = energy_look(l);
	}
	if (audit_end(l->audit, &l->facts, &result, &e) < 0)
		log_warn("%s", e.msg);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * caps.c - step caps: no_new_privs, then all five capability sets, by raw system calls.
 */
#include <errno.h>
#include <sys/prctl.h>

#include <gpurun/sys.h>

#include "child.h"

#define CAP_NUMBER_MAX 63 /* the sets are 64 bits wide */

static int has(uint64_t set, unsigned long cap)
{
	return (set >> cap) & 1;
}

/* The kernel says where its capabilities end: EINVAL for the first unknown one. */
static int bounding_drop(uint64_t keep, struct err *e)
{
	for (unsigned long cap = 0; cap <= CAP_NUMBER_MAX; cap++) {
		if (has(keep, cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL && cap > 0)
			break;
		return err_sys(e, errno, "drop capability %lu from the bounding set", cap);
	}
	return 0;
}

static int ambient_raise(uint64_t set, struct err *e)
{
	for (unsigned long cap = 0; cap <= CAP_NUMBER_MAX; cap++)
		if (has(set, cap) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return err_sys(e, errno, "raise ambient capability %lu", cap);
	return 0;
}

/* Another id of the mapped ranges; the capabilities are settled by the capset that follows. */
static int ids_switch(struct child *c, struct err *e)
{
	const struct plan_process *p = &c->plan->process;
	int r;

	if (!p->switch_ids)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "PR_SET_KEEPCAPS");
	r = ids_become(p->uid, p->gid, e);
	return r < 0 ? r : ids_bind(c, e);
}

int step_caps(struct child *c, struct err *e)
{
	const struct plan_caps *caps = &c->plan->process.caps;
	uint64_t set = caps->keep | caps->ambient;
	int r;

	if (c->plan->process.no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "no_new_privs");
	r = bounding_drop(caps->bounding, e);
	if (r < 0)
		return r;
	r = ids_switch(c, e);
	if (r < 0)
		return r;
	/*
	 * Inheritable stays empty but for what becomes ambient (CVE-2022-27650), and whatever is
	 * ambient already goes with it.
	 */
	r = sys_capset(set, set, caps->ambient);
	if (r < 0)
		return err_sys(e, -r, "capset");
	return ambient_raise(caps->ambient, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --ulimit.  The hard limit can be lowered but not raised, not even by root: the container's
 * user namespace has no CAP_SYS_RESOURCE on the machine.  Docker's habit of asking for more
 * (--ulimit memlock=-1) gets what there is and one warning for all of them.
 */
#include <errno.h>

#include <gpurun/str.h>

#include "build.h"

static const char *limit_text(struct arena *a, rlim_t v)
{
	return v == RLIM_INFINITY ? "unlimited" : arena_printf(a, "%llu", (unsigned long long)v);
}

/* The last --ulimit of each resource holds. */
static bool limit_is_last(const struct request *req, size_t i)
{
	for (size_t j = i + 1; j < req->n_ulimits; j++)
		if (req->ulimits[j].resource == req->ulimits[i].resource)
			return false;
	return true;
}

int plan_limits(struct builder *b, struct err *e)
{
	struct plan_process *pr = &b->p->process;
	const struct request *req = b->req;
	const char *clamped = "";

	if (!req->n_ulimits)
		return 0;
	pr->rlimits = ARENA_ARRAY(b->a, struct plan_rlimit, req->n_ulimits);
	for (size_t i = 0; i < req->n_ulimits; i++) {
		const struct req_ulimit *u = &req->ulimits[i];
		struct rlimit l = { u->soft, u->hard };
		rlim_t hard;

		if (u->resource < 0 || u->resource >= (int)RLIM_NLIMITS)
			return err_set(e, EINVAL, "--ulimit %s: no such limit", u->name);
		if (l.rlim_cur > l.rlim_max)
			return err_set(e, EINVAL,
				       "--ulimit %s: the soft limit is above the hard one",
				       u->name);
		if (!limit_is_last(req, i))
			continue;
		hard = b->host->rlimits[u->resource].rlim_max;
		if (l.rlim_max > hard) {
			l.rlim_max = hard;
			clamped = arena_printf(b->a, "%s%s%s=%s", clamped, *clamped ? ", " : "",
					       u->name, limit_text(b->a, hard));
		}
		if (l.rlim_cur > hard)
			l.rlim_cur = hard;
		pr->rlimits[pr->n_rlimits++] = (struct plan_rlimit){
			.resource = u->resource,
			.limit = l,
			.why = plan_why(b, "--ulimit %s", u->name),
		};
	}
	if (*clamped)
		plan_warn(b, "--ulimit: above the hard limit of this session, set to %s", clamped);
	return 0;
}

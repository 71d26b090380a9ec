/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container for the ranks of a step: when, and how they find each other.
 */
#include <gpurun/str.h>

#include "build.h"

bool plan_will_share(const struct request *req, const struct host *h)
{
	return h->job.kind == JOB_STEP && h->uid != 0 &&
	       !(req->share && str_eq(req->share, "none"));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any config.json: it is refused with a message that names the file, or gives a bundle whose plan
 * passes plan_check() ("plan check:" is our own mistake), outside, in a step, and started by root.
 */
#include <stdlib.h>

#include <gpurun/json.h>
#include <gpurun/oci.h>

#include "../helpers/plan-case.h"

#define CONFIG "/bundle/config.json"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bundle(const struct oci_bundle *b)
{
	if (!b->root || b->root[0] != '/' || !b->cwd || b->cwd[0] != '/')
		abort();
	if (!b->args.n || !b->args.v[0][0] || (b->permitted | b->ambient) & ~b->bounding)
		abort();
	for (size_t i = 0; i < b->mounts.n; i++)
		if (!b->mounts.v[i].why || b->mounts.v[i].dst[0] != '/')
			abort();
}

static void check_plan(struct arena *a, const struct oci_bundle *b, uid_t uid, enum job_kind job)
{
	struct plan_case c;
	const struct json *dump = NULL;
	const char *text;

	case_init(&c, a);
	c.req = (struct request){ 0 };
	c.host.uid = uid;
	c.host.job =
		(struct host_job){ .kind = job, .launcher = "slurm", .step = "1.0", .key = "k" };
	c.in.bundle = b;
	if (oci_request(b, "id", &c.req, &c.e) < 0)
		return;
	if (case_build(&c) < 0) {
		if (!err_is_set(&c.e) || str_after(c.e.msg, "plan check:") ||
		    strstr(c.e.msg, CONFIG ": plan check:"))
			abort();
		return;
	}
	if (c.p->process.env.n > b->env.n)
		abort();
	text = plan_dump(a, c.p);
	/* a longer one than the reader takes proves nothing */
	if (strlen(text) < JSON_SIZE_MAX &&
	    json_parse(a, text, strlen(text), "dump", &dump, &c.e) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)1 << 30);
	struct oci_bundle b = { 0 };
	struct err e = { 0 };
	int r = oci_bundle_read(a, "/bundle", (const char *)data, size, &b, &e);

	if ((r < 0) != (err_is_set(&e) != 0))
		abort();
	if (r < 0 && !str_after(e.msg, CONFIG))
		abort();
	if (r < 0)
		return 0;
	check_bundle(&b);
	check_plan(a, &b, 1000, JOB_NONE);
	check_plan(a, &b, 1000, JOB_STEP);
	check_plan(a, &b, 0, JOB_STEP);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan makes of a site's libraries and variables, beside those of GPUs. */
#include <gpurun/driver.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "plan-case.h"
#include "tap.h"

static const struct op gpurun_dir = {
	.kind = OP_TMPFS,
	.dst = GPU_DIR,
	.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
	.size = 1 << 20,
	.mode = 0755,
	.flags = OPF_NOFOLLOW,
	.why = "test",
};

static void push(struct arena *a, struct op_list *l, struct op op)
{
	VEC_PUSH(a, l->v, l->n, l->cap, op);
}

static struct op library(const char *dst)
{
	return (struct op){
		.kind = OP_BIND,
		.src = "/usr/lib/libx.so",
		.dst = dst,
		.attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		.why = "test",
	};
}

/* A tmpfs over the other one would hide what is in it. */
static void one_directory(struct arena *a)
{
	struct edits job = { .source = "job" };
	struct plan_case c;
	size_t dirs = 0;

	case_init(&c, a);
	push(a, &c.gpu.files, gpurun_dir);
	push(a, &c.gpu.files, library("/.gpurun/lib64/libcuda.so.1"));
	push(a, &job.files, gpurun_dir);
	push(a, &job.files, library("/.gpurun/site/mpi/libmpi.so.12"));
	c.in.job = &job;
	is_int(case_build(&c), 0, "libraries of GPUs and of the site");
	for (size_t i = 0; c.p && i < c.p->container.ops.n; i++)
		dirs += str_eq(c.p->container.ops.v[i].dst, GPU_DIR);
	is_int(dirs, 1, "share a directory");
	c.gpu.files = (struct op_list){ 0 };
	dirs = 0;
	is_int(case_build(&c), 0, "of the site alone");
	for (size_t i = 0; c.p && i < c.p->container.ops.n; i++)
		dirs += str_eq(c.p->container.ops.v[i].dst, GPU_DIR);
	is_int(dirs, 1, "have it for themselves");
}

static void in_front(struct arena *a)
{
	struct edits job = { .source = "job" };
	struct plan_case c;

	case_init(&c, a);
	c.image.config.env = (struct strv){ 0 };
	strv_push(a, &c.image.config.env, "A=image");
	strv_push(a, &c.image.config.env, "EMPTY=");
	strv_push(a, &c.image.config.env, "LD_LIBRARY_PATH=/image/lib");
	strv_push(a, &job.env_prepend, "A=site");
	strv_push(a, &job.env_prepend, "A=later");
	strv_push(a, &job.env_prepend, "EMPTY=x");
	strv_push(a, &job.env_prepend, "NEW=y");
	strv_push(a, &job.env_prepend, "PATH=/site/bin");
	strv_push(a, &job.env_prepend, "LD_LIBRARY_PATH=/.gpurun/site/mpi");
	strv_push(a, &c.req.env, "NEW=user");
	c.in.job = &job;
	if (case_build(&c) < 0) {
		ok(false, "%s", c.e.msg);
		return;
	}
	is_str(case_env(&c, "A"), "later:site:image", "values go in front, the last first");
	is_str(case_env(&c, "EMPTY"), "x", "of an empty one without a colon");
	is_str(case_env(&c, "NEW"), "user", "the user's wins");
	ok(str_after(case_env(&c, "PATH"), "/site/bin:/"), "PATH: in front of the default");
	is_str(case_env(&c, "LD_LIBRARY_PATH"), "/.gpurun/site/mpi:/image/lib",
	       "libraries are found there first");
}

/* Without overlay nothing can be made in the image's own directories. */
static void no_place(struct arena *a)
{
	struct edits job = { .source = "job" };
	struct op pmix = library("/var/spool/pmix.7.0");
	struct plan_case c;
	const struct op *op;

	case_init(&c, a);
	c.host.overlay = false;
	strv_push(a, &c.top_entries, "d var");
	push(a, &job.ops, pmix);
	pmix.dst = "/scratch";
	push(a, &job.ops, pmix);
	push(a, &job.files, gpurun_dir);
	push(a, &job.files, library("/.gpurun/site/mpi/libmpi.so.12"));
	push(a, &job.files, library("/var/file"));
	c.in.job = &job;
	is_int(case_build(&c), 0, "directories of a job in an image that cannot be written");
	op = case_op(&c, "/var/spool/pmix.7.0");
	ok(op && op->flags & OPF_OPTIONAL, "one that may have no place there");
	op = case_op(&c, "/var/file");
	ok(op && op->flags & OPF_OPTIONAL, "and a file");
	is_int(c.p ? c.p->warnings.n : 0, 2, "are left out if so, which is said");
	op = case_op(&c, "/scratch");
	ok(op && !(op->flags & OPF_OPTIONAL), "one beside the image's directories is mounted");
	op = case_op(&c, "/.gpurun/site/mpi/libmpi.so.12");
	ok(op && !(op->flags & OPF_OPTIONAL), "so are libraries");
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	one_directory(a);
	in_front(a);
	no_place(a);
	return done_testing();
}

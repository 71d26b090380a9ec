/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job finds inside without asking: the user's home, the current directory, and the edits
 * of the job.  What the user mounts wins over all of it.
 *
 * The ranks of a step share a container only when it comes out the same in all of them, and a
 * wrapper script may start each rank in a directory of its own: so the current directory is
 * mounted only where nothing else shows it, and what is mounted then is the directory in which the
 * job was submitted, when it is below that one.
 */
#include <errno.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

/* Directories that make an image what it is: the host's are not put in their place. */
static const char *const image_trees[] = {
	"/bin",   "/boot", "/dev",  "/etc", "/lib", "/lib32",
	"/lib64", "/proc", "/sbin", "/sys", "/usr", GPU_DIR,
};
static const char *const image_dirs[] = { "/", "/opt", "/run", "/var" };

/* Does the user mount something at @path or above it? */
static bool user_mounts_over(const struct request *q, const char *path)
{
	for (size_t i = 0; i < q->n_mounts; i++)
		if (q->mounts[i].dst && path_below(path, q->mounts[i].dst))
			return true;
	return false;
}

bool plan_may_bind(const struct builder *b, const char *path)
{
	if (!path || path[0] != '/' || user_mounts_over(b->req, path))
		return false;
	for (size_t i = 0; i < ELEMENTS(image_trees); i++)
		if (path_below(path, image_trees[i]))
			return false;
	for (size_t i = 0; i < ELEMENTS(image_dirs); i++)
		if (str_eq(path, image_dirs[i]))
			return false;
	return plan_can_make(b, path);
}

void plan_bind_auto(struct builder *b, const char *path, const char *why)
{
	plan_op(b, PHASE_USER,
		(struct op){
			.kind = OP_BIND,
			.src = path,
			.dst = path,
			.attrs = MOUNT_ATTR_NOSUID,
			.flags = OPF_RECURSIVE | OPF_OPTIONAL,
			.why = why,
		});
}

/*
 * In an image that cannot be written (no overlay here, or somebody else's) a directory may have no
 * place: most commands do well without it, so it is said, and no error.
 */
struct op plan_job_op(struct builder *b, struct op op)
{
	if (op.kind != OP_BIND || op.flags & OPF_OPTIONAL || path_below(op.dst, "/dev") ||
	    path_below(op.dst, GPU_DIR) || plan_can_make(b, op.dst))
		return op;
	plan_warn(b, "%s (%s): not mounted unless the image has it, which cannot be written here",
		  op.dst, op.why);
	op.flags |= OPF_OPTIONAL;
	return op;
}

void plan_job_directories(struct builder *b)
{
	const struct op_list *l = b->in->job ? &b->in->job->ops : NULL;

	for (size_t i = 0; l && i < l->n; i++) {
		const struct op *op = &l->v[i];

		if (!plan_op_is_of_user(op) || user_mounts_over(b->req, op->dst))
			continue;
		if (!str_eq(op->src, op->dst) || !plan_is_shown(b, op->dst))
			plan_op(b, PHASE_USER, plan_job_op(b, *op));
	}
}

void plan_job_cwd(struct builder *b)
{
	const char *cwd = b->host->cwd;
	const char *submit = host_getenv(b->host, "SLURM_SUBMIT_DIR");

	if (!cwd || plan_is_shown(b, cwd))
		return;
	if (submit && submit[0] == '/')
		submit = path_clean(b->a, submit);
	if (submit && path_below(cwd, submit) && plan_may_bind(b, submit))
		plan_bind_auto(b, submit, "job: the directory of submission");
	else if (plan_may_bind(b, cwd))
		plan_bind_auto(b, path_clean(b->a, cwd), "job: the current directory");
	else if (!str_eq(cwd, "/"))
		plan_note(b, "the current directory %s is not mounted", cwd);
}

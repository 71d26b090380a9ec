/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices beyond the base nodes: those of the chosen GPUs with all that comes along, and --device.
 */
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

#define LD_CACHE "/etc/ld.so.cache"

/* The number of the --device at @i, if it could be found out: what is mounted must have it. */
static void device_number(const struct builder *b, size_t i, struct op *op)
{
	const struct device_rule *node = b->in->nodes ? &b->in->nodes[i] : NULL;

	if (!node || !node->type)
		return;
	op->rdev = makedev(node->major, node->minor);
	op->mode = node->type == 'b' ? S_IFBLK : 0;
}

/* "PATH[:PATH[:rwm]]"; the second field may be the permissions, as docker takes it. */
static int device_parse(struct builder *b, const char *text, struct op *op, struct err *e)
{
	struct strv f = { 0 };
	const char *src, *dst, *mode = NULL;

	str_split(b->a, text, ':', &f);
	src = dst = f.v[0];
	if (src[0] != '/')
		return err_set(e, EINVAL, "--device %s: not an absolute path", text);
	if (f.n == 2 && f.v[1][0] != '/')
		mode = f.v[1];
	else if (f.n >= 2)
		dst = f.v[1];
	if (f.n == 3)
		mode = f.v[2];
	if (f.n > 3 || dst[0] != '/' || (mode && (!*mode || mode[strspn(mode, "rwm")])))
		return err_set(e, EINVAL, "--device %s: not PATH[:PATH[:rwm]]", text);
	if (mode && !(strchr(mode, 'r') && strchr(mode, 'w')))
		return err_set(e, ENOTSUP,
			       "--device %s: only rw can be given; the node's own mode decides",
			       text);
	*op = (struct op){
		.kind = OP_BIND_DEV,
		.src = path_clean(b->a, src),
		.dst = path_clean(b->a, dst),
		.why = plan_why(b, "--device %s", text),
	};
	return 0;
}

/* Directories of the host that come along stand in line with those that the user mounts. */
bool plan_op_is_of_user(const struct op *op)
{
	return op->kind == OP_BIND && !path_below(op->dst, "/proc") && !path_below(op->dst, "/dev");
}

static void devices_edits(struct builder *b, const struct edits *ed)
{
	struct op_list *files = &b->phases[PHASE_FILES];

	if (ed->files.n) { /* room for a driver's libraries at once: growing leaves copies behind */
		files->cap = files->n + ed->files.n;
		files->v = arena_grow(b->a, files->v, files->n, files->cap, sizeof(*files->v));
	}
	for (size_t i = 0; i < ed->files.n; i++)
		plan_op(b, PHASE_FILES, ed->files.v[i]);
	for (size_t i = 0; i < ed->ops.n; i++)
		plan_op(b, plan_op_is_of_user(&ed->ops.v[i]) ? PHASE_USER : PHASE_BASE,
			ed->ops.v[i]);
}

/* Is there an operation on @dst in this phase already? */
static bool phase_has(const struct builder *b, enum plan_phase phase, const char *dst)
{
	const struct op_list *l = &b->phases[phase];

	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].dst, dst))
			return true;
	return false;
}

/*
 * Those of the job but its directories, for which see mounts_job.c.  The tmpfs that holds
 * libraries of the host is there once, whoever brings it.
 */
static void devices_job(struct builder *b, const struct edits *ed)
{
	for (size_t i = 0; i < ed->files.n; i++)
		if (ed->files.v[i].kind != OP_TMPFS ||
		    !phase_has(b, PHASE_FILES, ed->files.v[i].dst))
			plan_op(b, PHASE_FILES, plan_job_op(b, ed->files.v[i]));
	for (size_t i = 0; i < ed->ops.n; i++)
		if (!plan_op_is_of_user(&ed->ops.v[i]) &&
		    !phase_has(b, PHASE_BASE, ed->ops.v[i].dst))
			plan_op(b, PHASE_BASE, ed->ops.v[i]);
}

int plan_devices(struct builder *b, struct err *e)
{
	devices_edits(b, b->in->gpu);
	if (b->in->job)
		devices_job(b, b->in->job);
	for (size_t i = 0; i < b->req->devices.n; i++) {
		struct op op;
		int r = device_parse(b, b->req->devices.v[i], &op, e);

		if (r < 0)
			return r;
		r = plan_check_dst(op.dst, op.why, e);
		if (r < 0)
			return r;
		device_number(b, i, &op);
		plan_op(b, PHASE_BASE, op);
	}
	return 0;
}

static bool has_file(const struct edits *ed, const char *dst)
{
	for (size_t i = 0; i < ed->files.n; i++)
		if (str_eq(ed->files.v[i].dst, dst))
			return true;
	return false;
}

static bool has_node(const struct edits *ed)
{
	for (size_t i = 0; i < ed->ops.n; i++)
		if (ed->ops.v[i].kind == OP_BIND_DEV)
			return true;
	return false;
}

/* The driver's libraries are found without ld.so.cache. */
static bool has_library_path(const struct builder *b)
{
	const char *path = env_get(&b->p->process.env, "LD_LIBRARY_PATH");

	return path && strstr(path, GPU_LIB_DIR);
}

/* What the user mounts wins, but CUDA would not say why it finds no library or no GPU then. */
int plan_hidden(struct builder *b, struct err *e)
{
	const struct op_list *mounts = &b->phases[PHASE_USER];
	bool cache = has_file(b->in->gpu, LD_CACHE) && !has_library_path(b);
	bool nodes = has_node(b->in->gpu) && b->p->process.landlock_dev;

	(void)e;
	for (size_t i = 0; i < mounts->n; i++) {
		const struct op *op = &mounts->v[i];

		if (cache && path_below(LD_CACHE, op->dst))
			plan_warn(b,
				  "%s: hides " LD_CACHE ", by which programs find the driver; with "
				  "-e LD_LIBRARY_PATH=" GPU_LIB_DIR " they do",
				  op->why);
		if (nodes && str_eq(op->dst, "/dev"))
			plan_warn(b,
				  "%s: hides the container's own /dev; devices answer only there, "
				  "the GPUs will not work",
				  op->why);
	}
	return 0;
}

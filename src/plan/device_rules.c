/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device filter of a cgroup: which nodes may be opened, wherever they are found, and whether the
 * filter can be had at all.
 *
 * It only takes away, so the rules are those of the nodes that the plan puts into /dev, and nothing
 * else.  What the user mounts there must work: nobody knows what is in such a directory, and there
 * is no filter then.  The rest is what the filter's life depends on.  The launcher holds it, so
 * nothing may outlive the launcher (a PID namespace); and nobody may leave the cgroup.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

/* Terminals of the container's own devpts, and their multiplexer. */
static const struct device_rule pty_rules[] = {
	{ 'c', 5, 2, DEVICE_RW },
	{ 'c', 136, DEVICE_ANY, DEVICE_RW },
};

/* What a bind of the host's files brings with it that the filter does not go together with. */
static const char *bind_reason(struct builder *b, const struct op *op)
{
	if (path_below(op->dst, "/dev") && !(op->attrs & MOUNT_ATTR_NODEV))
		return plan_why(b, "%s: devices in it are to work", op->why);
	if (op->attrs & MOUNT_ATTR_RDONLY)
		return NULL;
	if (path_below(op->src, CGROUP_MOUNT) ||
	    (op->flags & OPF_RECURSIVE && path_below(CGROUP_MOUNT, op->src)))
		return plan_why(b, "%s: a process could move to another cgroup", op->why);
	return NULL;
}

static const char *op_reason(struct builder *b, const struct op *op)
{
	if (op->kind == OP_BIND)
		return bind_reason(b, op);
	if (op->kind == OP_BIND_DEV && !op->rdev)
		return plan_why(b, "%s: not known which device it is", op->why);
	return NULL;
}

/* Why there is no filter; NULL: nothing is in its way. */
static const char *reason(struct builder *b)
{
	const struct op_list *ops = &b->p->container.ops;
	const struct host *h = b->host;
	const char *why = NULL;

	if (h->job.kind != JOB_NONE)
		return "in a job the cgroup is the job manager's";
	if (h->cgroup_refused)
		return h->cgroup_refused;
	if (h->uid != 0 && !h->devd)
		return "only for root, or with the service gpurun devd";
	if (!h->cgroup)
		return "no cgroup of version 2 in which we may make one";
	if (!b->pid_private)
		return "without a PID namespace processes may outlive the launcher, which holds it";
	for (size_t i = 0; i < ops->n && !why; i++)
		why = op_reason(b, &ops->v[i]);
	return why;
}

/* false: there are too many */
static bool rule_add(struct plan_devices *d, struct device_rule rule)
{
	if (devices_allow(d->rules, d->n, rule))
		return true;
	if (d->n == DEVICE_RULES_MAX)
		return false;
	d->rules[d->n++] = rule;
	return true;
}

static bool rules_fill(struct plan_devices *d, const struct op_list *ops)
{
	bool fit = true;

	for (size_t i = 0; i < ops->n; i++) {
		const struct op *op = &ops->v[i];

		if (op->kind == OP_BIND_DEV)
			fit &= rule_add(d, plan_device_rule(op));
		for (size_t k = 0; op->kind == OP_DEVPTS && k < ELEMENTS(pty_rules); k++)
			fit &= rule_add(d, pty_rules[k]);
	}
	return fit;
}

struct device_rule plan_device_rule(const struct op *op)
{
	return (struct device_rule){ .type = S_ISBLK(op->mode) ? 'b' : 'c',
				     .major = major(op->rdev),
				     .minor = minor(op->rdev),
				     .access = DEVICE_RW };
}

bool plan_device_is_pty(const struct device_rule *rule)
{
	for (size_t i = 0; i < ELEMENTS(pty_rules); i++)
		if (devices_allow(&pty_rules[i], 1, *rule))
			return true;
	return false;
}

int plan_dev_filter(struct builder *b, struct err *e)
{
	struct plan_devices *d = &b->p->container.devices;

	(void)e;
	d->off = reason(b);
	if (d->off)
		return 0;
	d->rules = ARENA_ARRAY(b->a, struct device_rule, DEVICE_RULES_MAX);
	if (!rules_fill(d, &b->p->container.ops)) {
		*d = (struct plan_devices){ .off = "more devices than a filter takes" };
		return 0;
	}
	d->cgroup = b->host->cgroup;
	d->devd = b->host->uid != 0;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold in every plan, whatever was asked.  plan_build() runs these checks last, so a
 * failure is a mistake of ours (or an attempt to get around us), never the user's; the fuzzers
 * take it for a crash.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

#define CHECK "plan check: "

static bool path_is_clean(const char *s)
{
	if (!s || s[0] != '/')
		return false;
	if (s[1] == '\0')
		return true;
	for (; *s; s++) {
		const char *c = s + 1; /* behind a slash */

		if (*s != '/')
			continue;
		if (*c == '/' || *c == '\0')
			return false;
		if (c[0] == '.' &&
		    (c[1] == '/' || c[1] == '\0' || (c[1] == '.' && (c[2] == '/' || c[2] == '\0'))))
			return false;
	}
	return true;
}

/* The directory with the driver's libraries: where its name says, its mounts read-only. */
static const char *check_gpu_dir(const struct op *op)
{
	if (!path_below(op->dst, GPU_DIR))
		return NULL;
	if (op->kind == OP_TMPFS && !(op->flags & OPF_NOFOLLOW))
		return GPU_DIR " where a link of the image leads";
	if (op->kind == OP_BIND_DEV || (op->kind == OP_BIND && !(op->attrs & MOUNT_ATTR_RDONLY)))
		return "a mount in " GPU_DIR " that can be written";
	return NULL;
}

/* Each operation for itself: complete, and nothing over the root. */
static const char *check_op(const struct op *op)
{
	if (!op->why || !*op->why)
		return "an operation without a reason";
	if ((int)op->kind < 0 || op->kind >= OP_KIND_COUNT)
		return "an operation of an unknown kind";
	if (!path_is_clean(op->dst) || str_eq(op->dst, "/"))
		return "a destination that is not a cleaned path below /";
	if ((op->kind == OP_BIND || op->kind == OP_BIND_DEV) && (!op->src || op->src[0] != '/'))
		return "a source that is not absolute";
	if (op->kind == OP_BIND_DEV && op->attrs & MOUNT_ATTR_NODEV)
		return "a device on a nodev mount";
	if ((op->kind == OP_FILE || op->kind == OP_SYMLINK) && !op->data)
		return "a file or link without content";
	if (op->kind == OP_SYSFS && !(op->attrs & MOUNT_ATTR_RDONLY))
		return "/sys that can be written";
	/* what is hidden there is hidden by these names */
	if ((op->kind == OP_PROC && !str_eq(op->dst, "/proc")) ||
	    (op->kind == OP_SYSFS && !str_eq(op->dst, "/sys")))
		return "/proc or /sys in another place";
	if ((op->kind == OP_PROC || op->kind == OP_SYSFS) && !(op->flags & OPF_NOFOLLOW))
		return "/proc or /sys where a link of the image leads";
	return check_gpu_dir(op);
}

static const char *check_ops(const struct plan *p)
{
	const struct op_list *l = &p->container.ops;

	for (size_t i = 0; i < l->n; i++) {
		const char *bad = check_op(&l->v[i]);

		if (bad)
			return bad;
	}
	return NULL;
}

static bool op_is_mask(const struct op *op)
{
	return op->kind == OP_MASK || op->kind == OP_READONLY;
}

/* Files before any directory of the host is mounted, masks behind everything. */
static const char *check_order(const struct plan *p)
{
	const struct op_list *l = &p->container.ops;
	bool base = false, masks = false;

	for (size_t i = 0; i < l->n; i++) {
		base |= l->v[i].kind == OP_PROC;
		if (masks && !op_is_mask(&l->v[i]))
			return "an operation behind the masks";
		masks |= op_is_mask(&l->v[i]);
		if (base && l->v[i].kind == OP_DIR)
			return "a directory is made behind the first mount of the host";
		if (base && l->v[i].kind == OP_FILE && !path_below(l->v[i].dst, "/dev") &&
		    str_after(l->v[i].why, "base:"))
			return "a file is written behind the first mount of the host";
	}
	return base ? NULL : "no /proc";
}

static bool has_op(const struct plan *p, enum op_kind kind, const char *dst)
{
	const struct op_list *l = &p->container.ops;

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].kind == kind && str_eq(l->v[i].dst, dst))
			return true;
	return false;
}

/* Started by root the masks are the boundary. */
static const char *check_real_root(const struct plan *p)
{
	static const struct {
		enum op_kind kind;
		const char *path;
	} must[] = { { OP_READONLY, "/proc/sys" },
		     { OP_READONLY, "/proc/sysrq-trigger" },
		     { OP_READONLY, "/proc/irq" },
		     { OP_MASK, "/proc/kcore" },
		     { OP_MASK, "/sys/firmware" } };

	if (p->container.uid_outside != 0)
		return NULL;
	for (size_t i = 0; i < ELEMENTS(must); i++)
		if (!has_op(p, must[i].kind, must[i].path))
			return "started by root without the masks of /proc and /sys";
	if (p->process.caps.bounding & UINT64_C(1) << CAP_SYS_ADMIN)
		return "started by root with CAP_SYS_ADMIN";
	if ((!p->process.seccomp || p->process.seccomp_digest ||
	     str_after(p->process.seccomp_name, "nested")) &&
	    !p->container.no_cgroupns)
		return "started by root with cgroup namespaces inside";
	return NULL;
}

static const char *check_namespaces(const struct plan *p)
{
	const struct plan_container *c = &p->container;
	const uint64_t must = CLONE_NEWUSER | CLONE_NEWNS;

	if ((c->namespaces & must) != must)
		return "no user or mount namespace";
	if (p->process.init && !(c->namespaces & CLONE_NEWPID))
		return "a reaper without a PID namespace";
	if (c->hostname && !(c->namespaces & CLONE_NEWUTS))
		return "a host name without a UTS namespace";
	if (c->loopback_up && !(c->namespaces & CLONE_NEWNET))
		return "loopback without a network namespace";
	for (size_t i = 0; i < c->ops.n; i++) {
		const struct op *op = &c->ops.v[i];
		bool own = !(op->flags & OPF_HOST);

		if (op->kind == OP_PROC && own != !!(c->namespaces & CLONE_NEWPID))
			return "/proc of another PID namespace";
		if (op->kind == OP_MQUEUE && own != !!(c->namespaces & CLONE_NEWIPC))
			return "/dev/mqueue of another IPC namespace";
		if (op->kind == OP_SYSFS && own && !(c->namespaces & CLONE_NEWNET))
			return "a fresh /sys without a network namespace";
	}
	return NULL;
}

/* What one process decides for all, and what a process of ours would have to stay for. */
static const char *check_step(const struct plan *p)
{
	const struct plan_container *c = &p->container;
	const struct plan_process *pr = &p->process;

	if (pr->exec && (pr->tty || pr->init || c->namespaces & CLONE_NEWPID))
		return "a command without a supervisor, but with a terminal or a PID namespace";
	if (!c->share_key)
		return NULL;
	if (!c->share_key[0] || c->share_key[0] == '.' || strchr(c->share_key, '/'))
		return "a key that is no file name";
	if (c->namespaces & CLONE_NEWPID || pr->tty || pr->init)
		return "a shared container with a PID namespace or terminal of one rank";
	if (pr->landlock_dev)
		return "a shared container with a Landlock domain for each rank";
	if (c->uid_outside == 0 || c->n_uid_ranges || pr->switch_ids)
		return "a shared container of root's, or with several ids";
	return NULL;
}

static bool rule_is_of_op(const struct device_rule *rule, const struct op *op)
{
	const struct device_rule node = plan_device_rule(op);

	return op->kind == OP_BIND_DEV && op->rdev && devices_allow(&node, 1, *rule);
}

/* Wider than what was chosen? */
static const char *check_rule(const struct op_list *ops, const struct device_rule *rule)
{
	if (plan_device_is_pty(rule) && rule->access == DEVICE_RW)
		return NULL;
	for (size_t i = 0; i < ops->n; i++)
		if (rule_is_of_op(rule, &ops->v[i]))
			return NULL;
	return "a device rule of no node";
}

/* The filter lets through what was chosen and nothing else, and lives as long as the processes. */
static const char *check_devices(const struct plan *p)
{
	const struct plan_container *c = &p->container;
	const struct plan_devices *d = &c->devices;
	const char *bad = NULL;

	if (!d->cgroup)
		return d->off && !d->n ? NULL
				       : "no device filter and no reason, or rules without one";
	if (d->cgroup[0] != '/' || d->off || p->process.exec || c->share_key ||
	    !(c->namespaces & CLONE_NEWPID))
		return "a device filter that nobody holds";
	for (size_t i = 0; i < c->ops.n; i++)
		if (c->ops.v[i].kind == OP_BIND_DEV &&
		    (!c->ops.v[i].rdev ||
		     !devices_allow(d->rules, d->n, plan_device_rule(&c->ops.v[i]))))
			return "a node that the device filter denies";
	for (size_t i = 0; i < d->n && !bad; i++)
		bad = check_rule(&c->ops, &d->rules[i]);
	return bad;
}

static const char *check_root(const struct plan *p)
{
	const struct plan_root *r = &p->container.root;

	if (!r->why || !r->base || r->base[0] != '/')
		return "a root without base or reason";
	if (r->kind == ROOT_OVERLAY && (r->lowers.n == 0 || r->lowers.n > IMAGE_LAYERS_MAX))
		return "an overlay without layers, or with too many";
	if (r->kind == ROOT_BIND && r->lowers.n != 1)
		return "a bound root that is not one directory";
	for (size_t i = 0; i < r->lowers.n; i++)
		if (r->lowers.v[i][0] != '/')
			return "a layer that is no absolute path";
	if (r->fresh && !r->upper)
		return "a fresh scratch directory that is not there";
	return NULL;
}

static const char *check_process(const struct plan *p)
{
	const struct plan_process *pr = &p->process;

	if (pr->argv.n == 0 || !pr->argv.v[0][0] || pr->argv.v[pr->argv.n])
		return "no command";
	if (!path_is_clean(pr->cwd))
		return "a working directory that is not a cleaned path";
	if (!pr->path || !pr->no_new_privs)
		return "no PATH, or new privileges";
	if ((pr->caps.keep | pr->caps.ambient) & ~pr->caps.bounding)
		return "a capability outside the bounding set";
	if (pr->caps.ambient & ~pr->caps.keep)
		return "an ambient capability that is not permitted";
	for (size_t i = 0; i < pr->env.n; i++)
		if (!env_name_length(pr->env.v[i]))
			return "a variable without a name";
	for (size_t i = 0; i < pr->n_rlimits; i++)
		if (!pr->rlimits[i].why ||
		    pr->rlimits[i].limit.rlim_cur > pr->rlimits[i].limit.rlim_max)
			return "a soft limit above its hard limit";
	for (size_t i = 0; i < pr->n_preserve_fds; i++)
		if (pr->preserve_fds[i] < 3)
			return "a descriptor below 3 to be kept";
	return NULL;
}

int plan_check(const struct plan *p, struct err *e)
{
	static const char *(*const checks[])(const struct plan *) = {
		check_ops,  check_order,   check_real_root, check_namespaces,
		check_step, check_devices, check_root,      check_process,
	};

	for (size_t i = 0; i < ELEMENTS(checks); i++) {
		const char *bad = checks[i](p);

		if (bad)
			return err_set(e, ENOTRECOVERABLE, CHECK "%s", bad);
	}
	return 0;
}

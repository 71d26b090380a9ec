/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bundle of the OCI runtime specification: sections that take the place of those for an image.
 *
 * config.json says all that "gpurun run" would decide: nothing of the host, of the job or of our
 * habits is added but the GPUs, and what the specification wants in every container.  Its mounts
 * are done in the order of its list.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include <gpurun/oci.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

#define NO_SUID_EXEC     (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
#define NO_SUID_DEV      (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define NO_SUID_DEV_EXEC (NO_SUID_DEV | MOUNT_ATTR_NOEXEC)

int bundle_namespaces(struct builder *b, struct err *e)
{
	const struct oci_bundle *o = b->in->bundle;
	int r;

	if (o->namespaces & CLONE_NEWPID && !b->host->proc_fresh) {
		err_set(e, EPERM,
			"%s: linux.namespaces: pid: the kernel refuses a fresh /proc here (the one "
			"around us is partly hidden)",
			o->file);
		err_hint(e, "leave the pid namespace out of the list");
		return -EPERM;
	}
	r = plan_namespaces(b, e);
	b->p->container.namespaces |= o->namespaces & CLONE_NEWCGROUP;
	return r;
}

static int bundle_map(const struct oci_bundle *o, const char *name, const struct oci_map *map,
		      uint32_t own, struct err *e)
{
	if (!map->there || map->outside == own)
		return 0;
	return err_set(e, EPERM, "%s: linux.%s: hostID %u: only your own, %u, can be mapped",
		       o->file, name, map->outside, own);
}

int bundle_identity(struct builder *b, struct err *e)
{
	const struct oci_bundle *o = b->in->bundle;
	struct plan_container *c = &b->p->container;
	int r = bundle_map(o, "uidMappings", &o->uid_map, b->host->uid, e);

	if (r >= 0)
		r = bundle_map(o, "gidMappings", &o->gid_map, b->host->gid, e);
	c->uid_outside = b->host->uid;
	c->gid_outside = b->host->gid;
	c->uid_inside = b->uid = o->uid;
	c->gid_inside = b->gid = o->gid;
	b->home = "/";
	return r;
}

int bundle_rootfs(struct builder *b, struct err *e)
{
	const struct oci_bundle *o = b->in->bundle;
	struct plan_root *root = &b->p->container.root;

	(void)e;
	root->kind = ROOT_BIND;
	strv_push(b->a, &root->lowers, o->root);
	root->read_only = o->read_only;
	root->propagation = o->root_propagation;
	root->base = path_join(b->a, b->host->state_dir, "mnt");
	root->why = plan_why(b, "%s: root", o->file);
	b->frozen = true; /* what we bring along is bound, never written into the bundle */
	return 0;
}

/* ---- mounts --------------------------------------------------------------------------------- */

/* What every container has: linux/config.md, default filesystems and default devices. */
static const struct op default_mounts[] = {
	{ .kind = OP_PROC, .dst = "/proc", .attrs = NO_SUID_DEV_EXEC },
	{ .kind = OP_SYSFS, .dst = "/sys", .attrs = NO_SUID_DEV_EXEC | MOUNT_ATTR_RDONLY },
	{ .kind = OP_TMPFS,
	  .dst = "/dev",
	  .attrs = NO_SUID_EXEC,
	  .size = PLAN_DEV_SIZE,
	  .mode = 0755 },
	{ .kind = OP_DEVPTS, .dst = "/dev/pts", .attrs = NO_SUID_EXEC },
	{ .kind = OP_TMPFS, .dst = "/dev/shm", .attrs = NO_SUID_DEV_EXEC, .mode = 01777 },
};

static bool bundle_has_mount(const struct oci_bundle *o, const char *dst)
{
	for (size_t i = 0; i < o->mounts.n; i++)
		if (str_eq(o->mounts.v[i].dst, dst))
			return true;
	return false;
}

static void bundle_supply(struct builder *b, bool below_dev);

static void bundle_mount(struct builder *b, struct op op)
{
	bool fresh_sys = b->net_private && b->host->proc_fresh;

	if (op.kind == OP_PROC || op.kind == OP_SYSFS || str_eq(op.dst, "/dev"))
		op.flags |= OPF_NOFOLLOW;
	if ((op.kind == OP_PROC && !b->pid_private) || (op.kind == OP_SYSFS && !fresh_sys)) {
		op.flags |= OPF_HOST;
		op.propagation = MS_PRIVATE;
	}
	if (op.kind == OP_MQUEUE && !b->ipc_private && !b->host->files.mqueue) {
		plan_note(b, "%s: %s: left out, the host has none and its IPC namespace is used",
			  op.why, op.dst);
		return;
	}
	if (op.kind == OP_MQUEUE && !b->ipc_private)
		op.flags |= OPF_HOST;
	if (op.kind == OP_TMPFS && !op.size)
		op.size = plan_half_memory(b->host);
	plan_op(b, PHASE_BASE, op);
	if (!str_eq(op.dst, "/dev"))
		return;
	plan_dev_nodes(b);
	bundle_supply(b, true);
}

/* What the list lacks; below /dev as soon as that is there. */
static void bundle_supply(struct builder *b, bool below_dev)
{
	for (size_t i = 0; i < ELEMENTS(default_mounts); i++) {
		struct op op = default_mounts[i];
		bool below = !str_eq(op.dst, "/dev") && path_below(op.dst, "/dev");

		if (below != below_dev || bundle_has_mount(b->in->bundle, op.dst))
			continue;
		op.why = "base: every bundle has it";
		bundle_mount(b, op);
	}
}

int bundle_mounts(struct builder *b, struct err *e)
{
	const struct oci_bundle *o = b->in->bundle;

	(void)e;
	bundle_supply(b, false);
	for (size_t i = 0; i < o->mounts.n; i++)
		bundle_mount(b, o->mounts.v[i]);
	return 0;
}

static void bundle_mask(struct builder *b, enum op_kind kind, const char *path, const char *name)
{
	const struct op_list *l = &b->phases[PHASE_MASK];

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].kind == kind && str_eq(l->v[i].dst, path))
			return;
	plan_op(b, PHASE_MASK,
		(struct op){
			.kind = kind,
			.dst = path,
			.flags = OPF_OPTIONAL,
			.why = plan_why(b, "%s: linux.%s", b->in->bundle->file, name),
		});
}

int bundle_masks(struct builder *b, struct err *e)
{
	const struct oci_bundle *o = b->in->bundle;

	(void)e;
	/* the boundary of a container that root started, whatever the list says */
	if (b->real_root)
		plan_base_masks(b);
	for (size_t i = 0; i < o->masked.n; i++)
		bundle_mask(b, OP_MASK, o->masked.v[i], "maskedPaths");
	for (size_t i = 0; i < o->read_only_paths.n; i++)
		bundle_mask(b, OP_READONLY, o->read_only_paths.v[i], "readonlyPaths");
	return 0;
}

/* ---- devices ---------------------------------------------------------------------------------- */

/* Numbers of nodes that are in /dev in another way: a link to the devpts, and what is in it. */
static const struct {
	const char *path;
	int64_t major, minor; /* -1: any */
} pty_rows[] = { { "/dev/ptmx", 5, 2 }, { NULL, 136, -1 } };

static bool device_matches(const struct oci_device *d, const char *path, int64_t major,
			   int64_t minor)
{
	if (d->path && (!path || !str_eq(d->path, path)))
		return false;
	return (d->major < 0 || d->major == major) &&
	       (d->minor < 0 || minor < 0 || d->minor == minor);
}

/* Is there a node inside that it names? */
static bool device_is_there(const struct builder *b, const struct oci_device *d)
{
	const struct op_list *l = &b->phases[PHASE_BASE];

	if (d->type != 'c')
		return false;
	for (size_t i = 0; i < ELEMENTS(pty_rows); i++)
		if (device_matches(d, pty_rows[i].path, pty_rows[i].major, pty_rows[i].minor))
			return true;
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].kind == OP_BIND_DEV &&
		    device_matches(d, l->v[i].dst, (int64_t)major(l->v[i].rdev),
				   (int64_t)minor(l->v[i].rdev)))
			return true;
	return false;
}

static const char *device_text(struct arena *a, const struct oci_device *d)
{
	if (d->path)
		return d->path;
	return arena_printf(a, "%c %s:%s", d->type,
			    d->major < 0 ? "*" : arena_printf(a, "%lld", (long long)d->major),
			    d->minor < 0 ? "*" : arena_printf(a, "%lld", (long long)d->minor));
}

static int bundle_check_devices(struct builder *b, const struct oci_devices *list, struct err *e)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct oci_device *d = &list->v[i];

		if (device_is_there(b, d))
			continue;
		err_set(e, ENOTSUP,
			"%s: %s: %s: neither one of the nodes that every container has, nor of a "
			"GPU that was chosen",
			b->in->bundle->file, d->at, device_text(b->a, d));
		return -ENOTSUP;
	}
	return 0;
}

/* Behind the GPUs, whose nodes count. */
int bundle_devices(struct builder *b, struct err *e)
{
	int r = bundle_check_devices(b, &b->in->bundle->devices, e);

	return r < 0 ? r : bundle_check_devices(b, &b->in->bundle->allowed, e);
}

/* ---- the process ------------------------------------------------------------------------------ */

int bundle_workdir(struct builder *b, struct err *e)
{
	struct plan_process *pr = &b->p->process;

	(void)e;
	pr->cwd = b->in->bundle->cwd;
	pr->cwd_create = !str_eq(pr->cwd, "/");
	return 0;
}

/* In a step the terminal is the launcher's: the command has it, or none is to be had. */
int bundle_terminal(struct builder *b, struct err *e)
{
	struct request launched = *b->req;
	int r;

	if (!b->place->exec || b->req->tty != TRI_ON)
		return plan_terminal(b, e);
	if (!b->host->stdin_tty) {
		err_set(e, ENOTSUP,
			"%s: process.terminal: not in a step, whose terminal is the launcher's to "
			"make",
			b->in->bundle->file);
		err_hint(e, "srun --pty");
		return -ENOTSUP;
	}
	launched.tty = TRI_OFF;
	b->req = &launched;
	r = plan_terminal(b, e);
	b->req = b->in->request;
	return r;
}

int bundle_caps(struct builder *b, struct err *e)
{
	const struct oci_bundle *o = b->in->bundle;
	struct plan_caps *c = &b->p->process.caps;

	if (b->real_root && o->bounding & UINT64_C(1) << CAP_SYS_ADMIN)
		return err_set(e, EPERM,
			       "%s: process.capabilities: CAP_SYS_ADMIN: not when started by root: "
			       "it could take away the masks of /proc and /sys",
			       o->file);
	c->bounding = o->bounding;
	c->keep = o->permitted;
	c->ambient = o->ambient;
	return 0;
}

int bundle_limits(struct builder *b, struct err *e)
{
	const struct oci_bundle *o = b->in->bundle;
	struct plan_process *pr = &b->p->process;

	if (!o->rlimits.n)
		return 0;
	pr->rlimits = ARENA_ARRAY(b->a, struct plan_rlimit, o->rlimits.n);
	for (size_t i = 0; i < o->rlimits.n; i++) {
		const struct oci_rlimit *l = &o->rlimits.v[i];

		if (l->limit.rlim_max > b->host->rlimits[l->resource].rlim_max)
			return err_set(e, EPERM,
				       "%s: process.rlimits: %s: above the hard limit of this "
				       "session, which nobody inside can raise",
				       o->file, l->name);
		pr->rlimits[pr->n_rlimits++] = (struct plan_rlimit){
			.resource = l->resource,
			.limit = l->limit,
			.why = plan_why(b, "%s: process.rlimits: %s", o->file, l->name),
		};
	}
	return 0;
}

/* Of each kind as many as a person reads. */
#define TEXTS_MAX 16
int bundle_texts(struct builder *b, struct err *e)
{
	const struct oci_bundle *o = b->in->bundle;

	for (size_t i = 0; i < o->ignored.n && i < TEXTS_MAX; i++)
		plan_warn(b, "%s: %s: not a member that the specification knows, ignored", o->file,
			  o->ignored.v[i]);
	for (size_t i = 0; i < o->notes.n && i < TEXTS_MAX; i++)
		plan_note(b, "%s", o->notes.v[i]);
	if (o->ignored.n > TEXTS_MAX || o->notes.n > TEXTS_MAX)
		plan_note(b, "%s: %zu more of these", o->file,
			  (o->ignored.n > TEXTS_MAX ? o->ignored.n - TEXTS_MAX : 0) +
				  (o->notes.n > TEXTS_MAX ? o->notes.n - TEXTS_MAX : 0));
	return plan_texts(b, e);
}

/* ---- the ranks of a step ---------------------------------------------------------------------- */

bool bundle_is_of_rank(const struct builder *b, const struct op *op)
{
	const struct oci_bundle *o = b->in->bundle;

	return o && op->kind == OP_BIND && op->src && path_below(op->src, o->dir) &&
	       !path_below(op->src, o->root);
}

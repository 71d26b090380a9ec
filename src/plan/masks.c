/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths of /proc and /sys that are hidden or made read-only, as docker and podman have them.
 * For an ordinary user they are a second fence: the kernel guards the files by the host's root
 * anyway.  For a container started by root they are the boundary, so nothing unmasks them.
 *
 * Left out: every cpuN/thermal_throttle below /sys (a mount for each CPU; docker hides it, any
 * user of the host can read it).
 */
#include <errno.h>

#include <gpurun/str.h>

#include "build.h"

static const struct mask_row {
	enum op_kind kind;
	const char *path;
} mask_rows[] = {
	{ OP_MASK, "/proc/acpi" },
	{ OP_MASK, "/proc/asound" },
	{ OP_MASK, "/proc/interrupts" },
	{ OP_MASK, "/proc/kcore" },
	{ OP_MASK, "/proc/keys" },
	{ OP_MASK, "/proc/latency_stats" },
	{ OP_MASK, "/proc/sched_debug" },
	{ OP_MASK, "/proc/scsi" },
	{ OP_MASK, "/proc/timer_list" },
	{ OP_MASK, "/proc/timer_stats" },
	{ OP_MASK, "/sys/devices/virtual/powercap" },
	{ OP_MASK, "/sys/firmware" },
	{ OP_MASK, "/sys/fs/selinux" },
	{ OP_READONLY, "/proc/bus" },
	{ OP_READONLY, "/proc/fs" },
	{ OP_READONLY, "/proc/irq" },
	{ OP_READONLY, "/proc/sys" },
	{ OP_READONLY, "/proc/sysrq-trigger" },
};

/* Hidden only where started by root, who could read them: nobody else can. */
static const char *const root_masks[] = { "/sys/kernel/debug", "/sys/kernel/tracing" };

#define DRIVER "/proc/driver"

/* Does the word of --security-opt unmask= name this path? */
static bool mask_named(const char *word, const char *path)
{
	return str_eq(word, "ALL") || str_glob(word, path);
}

static bool mask_lifted(const struct request *req, const char *path)
{
	for (size_t i = 0; i < req->unmask.n; i++)
		if (mask_named(req->unmask.v[i], path))
			return true;
	return false;
}

/* Each unmask= must name a masked path: a misspelt one would leave the mask in silence. */
static int mask_check_unmask(struct builder *b, struct err *e)
{
	const struct strv *unmask = &b->req->unmask;

	if (unmask->n && b->real_root)
		return err_set(e, EPERM,
			       "--security-opt unmask=%s: not when started by root: the masks are "
			       "the boundary then",
			       unmask->v[0]);
	for (size_t i = 0; i < unmask->n; i++) {
		bool found = false;

		for (size_t j = 0; j < ELEMENTS(mask_rows); j++)
			found |= mask_named(unmask->v[i], mask_rows[j].path);
		if (!found)
			return err_set(e, EINVAL,
				       "--security-opt unmask=%s: that path is not masked",
				       unmask->v[i]);
	}
	return 0;
}

static void mask_op(struct builder *b, enum op_kind kind, const char *path, uint32_t flags,
		    const char *why)
{
	plan_op(b, PHASE_MASK,
		(struct op){ .kind = kind, .dst = path, .flags = flags, .why = why });
}

/*
 * The NVIDIA driver's files of /proc: root's word in one of them ("suspend") stops the GPUs of all.
 * Chosen GPUs have a directory of ours there; what else is put there by name stays to be seen.
 */
static void mask_driver(struct builder *b)
{
	const struct op_list *l = &b->phases[PHASE_BASE];
	enum op_kind kind = OP_MASK;

	for (size_t i = 0; i < l->n; i++) {
		if (!path_below(l->v[i].dst, DRIVER))
			continue;
		if (l->v[i].kind == OP_TMPFS)
			return;
		kind = OP_READONLY;
	}
	mask_op(b, kind, DRIVER "/nvidia", OPF_OPTIONAL, "base: masks");
}

void plan_base_masks(struct builder *b)
{
	for (size_t i = 0; i < ELEMENTS(mask_rows); i++)
		if (b->real_root || (!b->req->nested && !mask_lifted(b->req, mask_rows[i].path)))
			mask_op(b, mask_rows[i].kind, mask_rows[i].path, OPF_OPTIONAL,
				"base: masks");
	for (size_t i = 0; b->real_root && i < ELEMENTS(root_masks); i++)
		mask_op(b, OP_MASK, root_masks[i], OPF_OPTIONAL, "base: masks");
	if (b->real_root)
		mask_driver(b);
}

const char *masks_lifted(struct arena *a, const struct plan *p, enum op_kind kind)
{
	const struct op_list *l = &p->container.ops;
	const char *names = "";

	for (size_t i = 0; i < ELEMENTS(mask_rows); i++) {
		bool there = mask_rows[i].kind != kind;

		for (size_t j = 0; j < l->n && !there; j++)
			there = l->v[j].kind == kind && str_eq(l->v[j].dst, mask_rows[i].path);
		if (!there)
			names = arena_printf(a, "%s%s%s", names, *names ? ", " : "",
					     mask_rows[i].path);
	}
	return names;
}

int plan_masks(struct builder *b, struct err *e)
{
	const struct strv *mask = &b->req->mask;
	int r = mask_check_unmask(b, e);

	if (r < 0)
		return r;
	/* a container inside cannot mount its own /proc when ours is partly hidden */
	if (b->req->nested && b->real_root)
		plan_note(b, "--nested, started by root: /proc and /sys stay masked, so that a "
			     "container inside shows our processes, and control groups cannot "
			     "be mounted");
	plan_base_masks(b);
	for (size_t i = 0; i < mask->n; i++) {
		const char *why = plan_why(b, "--security-opt mask=%s", mask->v[i]);

		if (mask->v[i][0] != '/' || str_eq(path_clean(b->a, mask->v[i]), "/"))
			return err_set(e, EINVAL, "%s: not an absolute path below /", why);
		mask_op(b, OP_MASK, path_clean(b->a, mask->v[i]), 0, why);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeps a command in, told from a finished plan.  One row of a table for each layer; a layer
 * that is partly there says what is missing.
 */
#include <linux/sched.h>

#include <gpurun/layers.h>
#include <gpurun/profile.h>
#include <gpurun/str.h>

#include "build.h"

static struct plan_layer on(const char *text)
{
	return (struct plan_layer){ .on = true, .text = text };
}

static struct plan_layer off(const char *text)
{
	return (struct plan_layer){ .text = text };
}

static bool has_namespace(const struct plan *p, uint64_t flag)
{
	return (p->container.namespaces & flag) != 0;
}

/* In a step, or a container like it, what is not ours is the job's. */
static bool is_of_job(const struct plan *p)
{
	return p->container.share_key || p->process.exec;
}

static size_t count_ops(const struct plan *p, enum op_kind kind)
{
	const struct op_list *l = &p->container.ops;
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].kind == kind;
	return n;
}

static struct plan_layer layer_user(struct arena *a, const struct plan *p)
{
	const struct plan_container *c = &p->container;
	const char *root = c->uid_outside == 0 ? ": the host's root, held by the other layers" : "";
	uint64_t ids = 0;

	for (size_t i = 0; i < c->n_uid_ranges; i++)
		ids += c->uid_ranges[i].count;
	if (c->n_uid_ranges)
		return on(arena_printf(a, "%llu ids, those of the user in /etc/subuid",
				       (unsigned long long)ids));
	return on(arena_printf(a, "one id, %u inside is %u outside%s; setgroups is denied",
			       c->uid_inside, c->uid_outside, root));
}

static struct plan_layer layer_mount(struct arena *a, const struct plan *p)
{
	return on(arena_printf(a,
			       "a root of its own, the host's is detached; %zu mounts of the "
			       "host",
			       count_ops(p, OP_BIND)));
}

static struct plan_layer layer_pid(struct arena *a, const struct plan *p)
{
	(void)a;
	if (has_namespace(p, CLONE_NEWPID))
		return on("processes outside are not seen");
	return off(is_of_job(p) ? "the job's: its user's processes are seen and can be signalled"
				: "the host's: its user's processes are seen and can be signalled");
}

static struct plan_layer layer_ipc(struct arena *a, const struct plan *p)
{
	(void)a;
	if (has_namespace(p, CLONE_NEWIPC))
		return on("shared memory and queues of its own");
	return off(is_of_job(p) ? "the job's, and its /dev/shm" : "the host's, and its /dev/shm");
}

static struct plan_layer layer_network(struct arena *a, const struct plan *p)
{
	(void)a;
	if (has_namespace(p, CLONE_NEWNET))
		return on("loopback only");
	return off("the host's: what listens there is reached, abstract sockets, too");
}

/* Is the /dev that was made the one that is seen? */
static struct plan_layer layer_devices(struct arena *a, const struct plan *p)
{
	const struct op_list *l = &p->container.ops;
	bool fresh = false;

	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].dst, "/dev"))
			fresh = l->v[i].kind == OP_TMPFS;
	if (!fresh)
		return off("/dev is a directory of the host");
	return on(arena_printf(a, "fresh /dev, %zu nodes", count_ops(p, OP_BIND_DEV)));
}

static struct plan_layer layer_landlock(struct arena *a, const struct plan *p)
{
	(void)a;
	if (p->process.landlock_dev)
		return on("ioctl only on devices of the fresh /dev, execve only of files of the "
			  "container");
	if (p->container.share_key)
		return off("ranks in domains of their own could not read each other's memory");
	return off("switched off (--nested, landlock=off), or the kernel has no device list "
		   "(Linux 6.10)");
}

static struct plan_layer layer_cgroup(struct arena *a, const struct plan *p)
{
	const struct plan_devices *d = &p->container.devices;

	if (!d->cgroup)
		return off(d->off ? d->off : "no device filter of ours");
	return on(arena_printf(a, "%zu rules for what can be opened, attached by %s", d->n,
			       d->devd ? "gpurun devd" : "us"));
}

static struct plan_layer layer_capabilities(struct arena *a, const struct plan *p)
{
	const char *names = "";

	for (int cap = 0; cap < 64; cap++) {
		const char *name = profile_cap_name(cap);

		if (!(p->process.caps.bounding >> cap & 1))
			continue;
		names = arena_printf(a, "%s%s%s", names, *names ? ", " : "",
				     name ? name : "one without a name");
	}
	return on(*names ? arena_printf(a, "only %s, in its user namespace", names) : "none");
}

static struct plan_layer layer_nnp(struct arena *a, const struct plan *p)
{
	(void)a;
	if (!p->process.no_new_privs)
		return off("set-uid files work");
	return on("set-uid files and file capabilities do nothing");
}

static struct plan_layer layer_seccomp(struct arena *a, const struct plan *p)
{
	const struct plan_process *pr = &p->process;

	if (!pr->seccomp)
		return off("unconfined: every system call reaches the kernel");
	return on(arena_printf(a, "profile %s%s", pr->seccomp_name,
			       str_after(pr->seccomp_name, "nested")
				       ? ": mounts and namespaces are allowed inside"
				       : ""));
}

static struct plan_layer layer_paths(struct arena *a, const struct plan *p, enum op_kind kind,
				     const char *what)
{
	const char *lifted = masks_lifted(a, p, kind);
	size_t n = count_ops(p, kind);

	if (n == 0)
		return off(arena_printf(a, "nothing of /proc and /sys is %s", what));
	return on(arena_printf(a, "%zu %s%s%s", n, what, *lifted ? "; not " : "", lifted));
}

static struct plan_layer layer_masked(struct arena *a, const struct plan *p)
{
	return layer_paths(a, p, OP_MASK, "hidden");
}

static struct plan_layer layer_readonly(struct arena *a, const struct plan *p)
{
	return layer_paths(a, p, OP_READONLY, "read-only");
}

static struct plan_layer layer_keyring(struct arena *a, const struct plan *p)
{
	(void)a;
	if (p->process.keyring)
		return on("a session keyring of its own, where the kernel has room for one");
	return off("the job's, from which file systems take credentials");
}

static struct plan_layer layer_descriptors(struct arena *a, const struct plan *p)
{
	const struct plan_process *pr = &p->process;

	if (pr->keep_fds)
		return off(
			"inherited ones keep their numbers, as ranks need them; ours are closed");
	if (pr->n_preserve_fds)
		return on(arena_printf(a, "all above 2 are closed but for %zu that were asked for",
				       pr->n_preserve_fds));
	return on("all above 2 are closed");
}

static const struct row {
	const char *name;
	struct plan_layer (*tell)(struct arena *a, const struct plan *p);
} rows[] = {
	{ "user namespace", layer_user },       { "mount namespace", layer_mount },
	{ "pid namespace", layer_pid },         { "ipc namespace", layer_ipc },
	{ "network namespace", layer_network }, { "devices", layer_devices },
	{ "landlock", layer_landlock },         { "device cgroup", layer_cgroup },
	{ "capabilities", layer_capabilities }, { "no_new_privs", layer_nnp },
	{ "seccomp", layer_seccomp },           { "masked paths", layer_masked },
	{ "read-only paths", layer_readonly },  { "keyring", layer_keyring },
	{ "descriptors", layer_descriptors },
};
_Static_assert(ELEMENTS(rows) <= PLAN_LAYERS_MAX, "room for all layers");

size_t plan_layers(struct arena *a, const struct plan *p, struct plan_layer ret[PLAN_LAYERS_MAX])
{
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		ret[i] = rows[i].tell(a, p);
		ret[i].name = rows[i].name;
	}
	return ELEMENTS(rows);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan as JSON.  Order and names are stable: golden files compare it, inspect and exec read
 * it back.  Flags are lists of names; members that are not set are left out of operations.
 */
#include <linux/sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include <gpurun/json.h>
#include <gpurun/layers.h>
#include <gpurun/profile.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

#define DUMP_DATA_MAX 4096U /* longest text of a file that is shown */

struct flag_row {
	uint64_t bit;
	const char *name;
};

static const struct flag_row namespace_rows[] = {
	{ CLONE_NEWUSER, "user" },     { CLONE_NEWNS, "mount" }, { CLONE_NEWPID, "pid" },
	{ CLONE_NEWIPC, "ipc" },       { CLONE_NEWUTS, "uts" },  { CLONE_NEWNET, "net" },
	{ CLONE_NEWCGROUP, "cgroup" },
};

static const struct flag_row attr_rows[] = {
	{ MOUNT_ATTR_RDONLY, "ro" },       { MOUNT_ATTR_NOSUID, "nosuid" },
	{ MOUNT_ATTR_NODEV, "nodev" },     { MOUNT_ATTR_NOEXEC, "noexec" },
	{ MOUNT_ATTR_NOATIME, "noatime" }, { MOUNT_ATTR_STRICTATIME, "strictatime" },
};

static const struct flag_row op_flag_rows[] = {
	{ OPF_OPTIONAL, "optional" },   { OPF_RECURSIVE, "recursive" }, { OPF_HOST, "host" },
	{ OPF_BIND_FILE, "bind-file" }, { OPF_NOFOLLOW, "no-follow" },
};

static const char *const root_kinds[] = {
	[ROOT_OVERLAY] = "overlay",
	[ROOT_BIND] = "bind",
	[ROOT_TMPFS] = "tmpfs",
};

/* Names of the limits, as in docker's --ulimit. */
static const char *const rlimit_names[RLIM_NLIMITS] = {
	[RLIMIT_AS] = "as",
	[RLIMIT_CORE] = "core",
	[RLIMIT_CPU] = "cpu",
	[RLIMIT_DATA] = "data",
	[RLIMIT_FSIZE] = "fsize",
	[RLIMIT_LOCKS] = "locks",
	[RLIMIT_MEMLOCK] = "memlock",
	[RLIMIT_MSGQUEUE] = "msgqueue",
	[RLIMIT_NICE] = "nice",
	[RLIMIT_NOFILE] = "nofile",
	[RLIMIT_NPROC] = "nproc",
	[RLIMIT_RSS] = "rss",
	[RLIMIT_RTPRIO] = "rtprio",
	[RLIMIT_RTTIME] = "rttime",
	[RLIMIT_SIGPENDING] = "sigpending",
	[RLIMIT_STACK] = "stack",
};

static const char *const op_kinds[OP_KIND_COUNT] = {
	[OP_BIND] = "bind",       [OP_BIND_DEV] = "bind-dev", [OP_TMPFS] = "tmpfs",
	[OP_PROC] = "proc",       [OP_SYSFS] = "sysfs",       [OP_DEVPTS] = "devpts",
	[OP_MQUEUE] = "mqueue",   [OP_DIR] = "dir",           [OP_FILE] = "file",
	[OP_SYMLINK] = "symlink", [OP_MASK] = "mask",         [OP_READONLY] = "read-only",
};

const char *op_kind_name(enum op_kind k)
{
	return (int)k >= 0 && k < OP_KIND_COUNT ? op_kinds[k] : "unknown";
}

static void dump_flags(struct jsonw *w, const char *key, uint64_t v, const struct flag_row *rows,
		       size_t n)
{
	jsonw_begin_array(w, key);
	for (size_t i = 0; i < n; i++)
		if (v & rows[i].bit)
			jsonw_str(w, NULL, rows[i].name);
	jsonw_end_array(w);
}

static void dump_strv(struct jsonw *w, const char *key, const struct strv *s)
{
	jsonw_begin_array(w, key);
	for (size_t i = 0; i < s->n; i++)
		jsonw_str(w, NULL, s->v[i]);
	jsonw_end_array(w);
}

static void dump_caps(struct jsonw *w, const char *key, uint64_t v)
{
	jsonw_begin_array(w, key);
	for (int i = 0; i < 64; i++) {
		const char *name = v >> i & 1 ? profile_cap_name(i) : NULL;

		if (name)
			jsonw_str(w, NULL, name);
		else if (v >> i & 1)
			jsonw_int(w, NULL, i);
	}
	jsonw_end_array(w);
}

static void dump_map(struct jsonw *w, const char *key, uint32_t inside, uint32_t outside,
		     const struct plan_idrange *ranges, size_t n)
{
	struct plan_idrange one = { inside, outside, 1 };

	if (n == 0) {
		ranges = &one;
		n = 1;
	}
	jsonw_begin_array(w, key);
	for (size_t i = 0; i < n; i++) {
		jsonw_begin_object(w, NULL);
		jsonw_uint(w, "inside", ranges[i].inside);
		jsonw_uint(w, "outside", ranges[i].outside);
		jsonw_uint(w, "count", ranges[i].count);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

static void dump_root(struct jsonw *w, const struct plan_root *r)
{
	jsonw_begin_object(w, "root");
	jsonw_str(w, "kind", root_kinds[r->kind]);
	dump_strv(w, "lowers", &r->lowers);
	jsonw_str(w, "upper", r->upper);
	jsonw_bool(w, "fresh", r->fresh);
	jsonw_uint(w, "size", r->size);
	jsonw_bool(w, "read_only", r->read_only);
	if (r->propagation)
		jsonw_str(w, "propagation", "private");
	jsonw_str(w, "base", r->base);
	jsonw_str(w, "why", r->why);
	jsonw_end_object(w);
}

/* The content of a file or link: text, or its size when it is long. */
static void dump_data(struct jsonw *w, const struct op *op)
{
	if (!op->data)
		return;
	if (op->data_len <= DUMP_DATA_MAX && strlen(op->data) == op->data_len)
		jsonw_str(w, "data", op->data);
	else
		jsonw_uint(w, "data_bytes", op->data_len);
}

/* A short text; not in the arena, where it would stand in the way of the growing document. */
static __attribute__((format(printf, 3, 4))) void dump_text(struct jsonw *w, const char *key,
							    const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	jsonw_str(w, key, text);
}

static void dump_op(struct jsonw *w, const struct op *op)
{
	jsonw_begin_object(w, NULL);
	jsonw_str(w, "op", op_kind_name(op->kind));
	if (op->src)
		jsonw_str(w, "src", op->src);
	jsonw_str(w, "dst", op->dst);
	if (op->attrs)
		dump_flags(w, "attrs", op->attrs, attr_rows, ELEMENTS(attr_rows));
	if (op->propagation)
		jsonw_str(w, "propagation", "private");
	if (op->size)
		jsonw_uint(w, "size", op->size);
	if (op->rdev)
		dump_text(w, "device", "%u:%u", major(op->rdev), minor(op->rdev));
	if (op->mode && op->kind != OP_BIND_DEV)
		dump_text(w, "mode", "%04o", op->mode);
	dump_data(w, op);
	if (op->flags)
		dump_flags(w, "flags", op->flags, op_flag_rows, ELEMENTS(op_flag_rows));
	jsonw_str(w, "why", op->why);
	jsonw_end_object(w);
}

/* "c 1:3 rw", "c 136:* rw" */
static void dump_rule(struct jsonw *w, const struct device_rule *r)
{
	static const char *const access[] = {
		"", "m", "r", "rm", "w", "wm", "rw", "rwm",
	};
	char number[16] = "*";

	if (r->minor != DEVICE_ANY)
		(void)snprintf(number, sizeof(number), "%u", r->minor);
	dump_text(w, NULL, "%c %u:%s %s", (int)r->type, r->major, number, access[r->access & 7]);
}

static void dump_devices(struct jsonw *w, const struct plan_devices *d)
{
	jsonw_begin_object(w, "devices");
	jsonw_str(w, "cgroup", d->cgroup);
	jsonw_bool(w, "devd", d->devd);
	jsonw_str(w, "off", d->off);
	jsonw_begin_array(w, "rules");
	for (size_t i = 0; i < d->n; i++)
		dump_rule(w, &d->rules[i]);
	jsonw_end_array(w);
	jsonw_end_object(w);
}

static void dump_container(struct jsonw *w, const struct plan_container *c)
{
	jsonw_begin_object(w, "container");
	dump_flags(w, "namespaces", c->namespaces, namespace_rows, ELEMENTS(namespace_rows));
	dump_map(w, "uid_map", c->uid_inside, c->uid_outside, c->uid_ranges, c->n_uid_ranges);
	dump_map(w, "gid_map", c->gid_inside, c->gid_outside, c->gid_ranges, c->n_gid_ranges);
	jsonw_str(w, "hostname", c->hostname);
	jsonw_bool(w, "loopback_up", c->loopback_up);
	if (c->no_cgroupns)
		jsonw_bool(w, "no_cgroup_namespaces", true);
	dump_devices(w, &c->devices);
	jsonw_str(w, "share_key", c->share_key);
	dump_root(w, &c->root);
	jsonw_begin_array(w, "ops");
	for (size_t i = 0; i < c->ops.n; i++)
		dump_op(w, &c->ops.v[i]);
	jsonw_end_array(w);
	jsonw_end_object(w);
}

static void dump_limit(struct jsonw *w, const char *key, rlim_t v)
{
	if (v == RLIM_INFINITY)
		jsonw_str(w, key, "unlimited");
	else
		jsonw_uint(w, key, v);
}

static void dump_rlimits(struct jsonw *w, const struct plan_process *pr)
{
	jsonw_begin_array(w, "rlimits");
	for (size_t i = 0; i < pr->n_rlimits; i++) {
		const struct plan_rlimit *l = &pr->rlimits[i];

		jsonw_begin_object(w, NULL);
		jsonw_str(w, "name", rlimit_names[l->resource]);
		dump_limit(w, "soft", l->limit.rlim_cur);
		dump_limit(w, "hard", l->limit.rlim_max);
		jsonw_str(w, "why", l->why);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

static void dump_process(struct jsonw *w, const struct plan_process *pr)
{
	jsonw_begin_object(w, "process");
	dump_strv(w, "argv", &pr->argv);
	dump_strv(w, "env", &pr->env);
	jsonw_str(w, "cwd", pr->cwd);
	jsonw_bool(w, "cwd_create", pr->cwd_create);
	if (pr->switch_ids) {
		jsonw_uint(w, "uid", pr->uid);
		jsonw_uint(w, "gid", pr->gid);
	}
	jsonw_begin_object(w, "caps");
	dump_caps(w, "bounding", pr->caps.bounding);
	dump_caps(w, "keep", pr->caps.keep);
	dump_caps(w, "ambient", pr->caps.ambient);
	jsonw_end_object(w);
	jsonw_bool(w, "no_new_privs", pr->no_new_privs);
	jsonw_str(w, "seccomp", pr->seccomp_name);
	if (pr->seccomp_digest)
		jsonw_str(w, "seccomp_digest", pr->seccomp_digest);
	jsonw_bool(w, "landlock_dev", pr->landlock_dev);
	jsonw_bool(w, "keyring", pr->keyring);
	dump_rlimits(w, pr);
	jsonw_bool(w, "tty", pr->tty);
	jsonw_bool(w, "exec", pr->exec);
	jsonw_bool(w, "keep_fds", pr->keep_fds);
	jsonw_bool(w, "init", pr->init);
	jsonw_begin_array(w, "preserve_fds");
	for (size_t i = 0; i < pr->n_preserve_fds; i++)
		jsonw_int(w, NULL, pr->preserve_fds[i]);
	jsonw_end_array(w);
	jsonw_int(w, "stop_signal", pr->stop_signal);
	jsonw_end_object(w);
}

static void dump_layers(struct jsonw *w, const struct plan_layer *v, size_t n)
{
	jsonw_begin_array(w, "layers");
	for (size_t i = 0; i < n; i++) {
		jsonw_begin_object(w, NULL);
		jsonw_str(w, "name", v[i].name);
		jsonw_bool(w, "on", v[i].on);
		jsonw_str(w, "text", v[i].text);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

const char *plan_dump(struct arena *a, const struct plan *p)
{
	struct plan_layer layers[PLAN_LAYERS_MAX];
	/* before the document: their texts would stand in its way */
	size_t n = plan_layers(a, p, layers);
	struct jsonw w = { .a = a };

	jsonw_begin_object(&w, NULL);
	jsonw_int(&w, "version", 1);
	jsonw_begin_object(&w, "image");
	jsonw_str(&w, "name", p->image_name);
	jsonw_str(&w, "id", p->image_id);
	jsonw_end_object(&w);
	dump_strv(&w, "gpus", &p->gpus);
	dump_container(&w, &p->container);
	dump_process(&w, &p->process);
	dump_layers(&w, layers, n);
	dump_strv(&w, "notes", &p->notes);
	dump_strv(&w, "warnings", &p->warnings);
	jsonw_str(&w, "failure_hint", p->failure_hint);
	jsonw_end_object(&w);
	return jsonw_text(&w, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts.c - config.json: mounts.  Each becomes one operation of the plan.
 *
 * Types and options are tables; an option says for which types it is done.
 */
#include <errno.h>
#include <linux/sched.h>
#include <sys/mount.h>

#include <gpurun/driver.h>
#include <gpurun/sys.h>

#include "bundle.h"

/* Types, as bits of struct option.types. */
enum {
	M_BIND = 1 << 0,
	M_TMPFS = 1 << 1,
	M_PROC = 1 << 2,
	M_SYSFS = 1 << 3,
	M_DEVPTS = 1 << 4,
	M_MQUEUE = 1 << 5,
	M_CGROUP = 1 << 6,
	M_FRESH = M_TMPFS | M_PROC | M_SYSFS | M_DEVPTS | M_MQUEUE | M_CGROUP,
	M_ALL = M_BIND | M_FRESH,
};

#define NO_SUID      MOUNT_ATTR_NOSUID
#define NO_SUID_EXEC (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
#define NO_SUID_ALL  (NO_SUID_EXEC | MOUNT_ATTR_NODEV)

/* @always: attributes that are there whatever the options say */
static const struct type_row {
	const char *name;
	unsigned int type;
	enum op_kind kind;
	uint64_t always;
} type_rows[] = {
	{ "bind", M_BIND, OP_BIND, NO_SUID },
	{ "tmpfs", M_TMPFS, OP_TMPFS, NO_SUID },
	{ "proc", M_PROC, OP_PROC, NO_SUID_ALL },
	{ "sysfs", M_SYSFS, OP_SYSFS, NO_SUID_ALL },
	{ "devpts", M_DEVPTS, OP_DEVPTS, NO_SUID_EXEC },
	{ "mqueue", M_MQUEUE, OP_MQUEUE, NO_SUID_ALL },
	{ "cgroup", M_CGROUP, OP_BIND, NO_SUID_ALL },
	{ "cgroup2", M_CGROUP, OP_BIND, NO_SUID_ALL },
};

struct mount {
	const char *destination, *type, *source;
	struct strv options;
	const struct type_row *row;
	struct op op;
};

struct option {
	const char *name; /* with '=': what follows it is the value */
	unsigned int types;
	uint32_t flags;      /* of struct op */
	uint64_t set, clear; /* of struct op.attrs */
	bool (*take)(struct mount *m, const char *value);
};

static bool take_private(struct mount *m, const char *value)
{
	(void)value;
	m->op.propagation = MS_PRIVATE;
	return true;
}

/* What it is without an option, too. */
static bool take_slave(struct mount *m, const char *value)
{
	(void)value;
	m->op.propagation = 0;
	return true;
}

static bool take_size(struct mount *m, const char *value)
{
	return num_size(value, &m->op.size) == 0 && m->op.size;
}

static bool octal(const char *s, uint32_t *ret)
{
	uint32_t v = 0;

	if (!*s || strlen(s) > 5 || s[strspn(s, "01234567")])
		return false;
	for (; *s; s++)
		v = v * 8 + (uint32_t)(*s - '0');
	*ret = v;
	return true;
}

static bool take_mode(struct mount *m, const char *value)
{
	uint32_t mode = 0;

	if (!octal(value, &mode) || mode == 0 || mode > 01777)
		return false;
	m->op.mode = (mode_t)mode;
	return true;
}

/* The modes that every devpts has here. */
static bool take_pty_mode(struct mount *m, const char *value)
{
	uint32_t mode = 0;

	(void)m;
	return octal(value, &mode) && mode == 0620;
}

static bool take_ptmx_mode(struct mount *m, const char *value)
{
	uint32_t mode = 0;

	(void)m;
	return octal(value, &mode) && mode == 0666;
}

/* The group tty is not mapped: terminals belong to the mapped one; see read_mount(). */
static bool take_tty_group(struct mount *m, const char *value)
{
	(void)m;
	return num_is_decimal(value);
}

#define RO MOUNT_ATTR_RDONLY
static const struct option options[] = {
	{ "bind", M_BIND, 0, 0, 0, NULL },
	{ "rbind", M_BIND, OPF_RECURSIVE, 0, 0, NULL },
	{ "defaults", M_ALL, 0, 0, 0, NULL },
	{ "ro", M_ALL, 0, RO, 0, NULL },
	{ "rro", M_BIND, 0, RO, 0, NULL },
	{ "rw", M_ALL, 0, 0, RO, NULL },
	{ "nosuid", M_ALL, 0, MOUNT_ATTR_NOSUID, 0, NULL },
	{ "rnosuid", M_BIND, 0, MOUNT_ATTR_NOSUID, 0, NULL },
	{ "suid", M_ALL, 0, 0, MOUNT_ATTR_NOSUID, NULL },
	{ "nodev", M_ALL, 0, MOUNT_ATTR_NODEV, 0, NULL },
	{ "rnodev", M_BIND, 0, MOUNT_ATTR_NODEV, 0, NULL },
	{ "dev", M_ALL, 0, 0, MOUNT_ATTR_NODEV, NULL },
	{ "noexec", M_ALL, 0, MOUNT_ATTR_NOEXEC, 0, NULL },
	{ "rnoexec", M_BIND, 0, MOUNT_ATTR_NOEXEC, 0, NULL },
	{ "exec", M_ALL, 0, 0, MOUNT_ATTR_NOEXEC, NULL },
	{ "relatime", M_FRESH, 0, 0, MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME, NULL },
	{ "noatime", M_TMPFS, 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR_STRICTATIME, NULL },
	{ "strictatime", M_TMPFS, 0, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR_NOATIME, NULL },
	{ "private", M_ALL, 0, 0, 0, take_private },
	{ "rprivate", M_ALL, 0, 0, 0, take_private },
	{ "slave", M_ALL, 0, 0, 0, take_slave },
	{ "rslave", M_ALL, 0, 0, 0, take_slave },
	{ "size=", M_TMPFS, 0, 0, 0, take_size },
	{ "mode=", M_TMPFS, 0, 0, 0, take_mode },
	{ "newinstance", M_DEVPTS, 0, 0, 0, NULL },
	{ "ptmxmode=", M_DEVPTS, 0, 0, 0, take_ptmx_mode },
	{ "mode=", M_DEVPTS, 0, 0, 0, take_pty_mode },
	{ "gid=", M_DEVPTS, 0, 0, 0, take_tty_group },
};

/* ---- one option --------------------------------------------------------------------------------- */

/* Is @text this option?  @ret_value: behind the '=' of one that has a value. */
static bool option_matches(const struct option *o, const char *text, const char **ret_value)
{
	const char *rest = str_after(text, o->name);
	bool with_value = strchr(o->name, '=');

	*ret_value = rest;
	return rest && (with_value || *rest == '\0');
}

static int apply_option(struct json_reader *r, struct mount *m, const char *text,
			const struct json_at *at)
{
	for (size_t i = 0; i < ELEMENTS(options); i++) {
		const struct option *o = &options[i];
		const char *value = NULL;

		if (!(o->types & m->row->type) || !option_matches(o, text, &value))
			continue;
		m->op.attrs = (m->op.attrs & ~o->clear) | o->set;
		m->op.flags |= o->flags;
		if (o->take && !o->take(m, value))
			return oci_refuse(r, at, text, "not supported with this value");
		return 0;
	}
	return oci_refuse(r, at, text,
			  arena_printf(r->a, "not supported for a %s mount", m->row->name));
}

static int apply_options(struct json_reader *r, struct mount *m, struct oci_bundle *b,
			 const struct json_at *at)
{
	const struct json_at list = { .up = at, .name = "options" };
	struct json_at element = { .up = &list };

	for (; element.index < m->options.n; element.index++) {
		const char *text = m->options.v[element.index];
		int err = apply_option(r, m, text, &element);

		if (err < 0)
			return err;
		if (str_after(text, "gid="))
			oci_note(r, b, &element, "left out: terminals belong to the mapped group");
	}
	return 0;
}

/* ---- one mount ---------------------------------------------------------------------------------- */

/* "bind" or "rbind" among the options makes a bind of it, whatever the type is called. */
static const struct type_row *find_type(const struct mount *m)
{
	bool bind = strv_has(&m->options, "bind") || strv_has(&m->options, "rbind");
	const char *name = bind || !m->type ? "bind" : m->type;

	for (size_t i = 0; i < ELEMENTS(type_rows); i++)
		if (str_eq(name, type_rows[i].name))
			return &type_rows[i];
	return NULL;
}

/* What must be so wherever it is mounted, and at the places that are ours. */
static const char *check_mount(const struct mount *m)
{
	const char *dst = m->op.dst;

	if (str_eq(dst, "/"))
		return "nothing can be mounted over /";
	if (path_below(dst, GPU_DIR))
		return GPU_DIR " is for the driver's libraries";
	if (m->row->type == M_PROC && !str_eq(dst, "/proc"))
		return "only at /proc, where parts of it are hidden";
	if (m->row->type == M_SYSFS && !str_eq(dst, "/sys"))
		return "only at /sys, where parts of it are hidden";
	if (str_eq(dst, "/dev") && m->row->type != M_TMPFS)
		return "only a tmpfs: it is the list of what can be opened";
	if (str_eq(dst, "/dev") && m->op.attrs & RO)
		return "cannot be read-only: nodes are made in it";
	if (m->row->type & (M_SYSFS | M_CGROUP) && !(m->op.attrs & RO))
		return "only with the option ro";
	if (m->row->type == M_BIND && (!m->source || !*m->source))
		return "a bind mount without a source";
	return NULL;
}

static void fill_source(struct json_reader *r, struct mount *m, const struct oci_bundle *b)
{
	if (m->row->type == M_BIND)
		m->op.src = path_join(r->a, b->dir, m->source);
	if (m->row->type != M_CGROUP)
		return;
	m->op.src = "/sys/fs/cgroup";
	m->op.flags |= OPF_RECURSIVE;
}

/* Identity-mapped mounts are not done; an empty list of ids says that there is none. */
static const struct json_member members[] = {
	{ "destination", json_read_path, offsetof(struct mount, destination), true },
	{ "type", json_read_string, offsetof(struct mount, type), false },
	{ "source", json_read_string, offsetof(struct mount, source), false },
	{ "options", json_read_strings, offsetof(struct mount, options), false },
	{ "uidMappings", oci_read_unsupported, 0, false },
	{ "gidMappings", oci_read_unsupported, 0, false },
};

static int read_mount(struct json_reader *r, const struct json *v, const struct json_at *at,
		      void *to)
{
	struct oci_bundle *b = to;
	struct mount m = { .type = NULL };
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &m);
	const char *bad;

	if (err < 0)
		return err;
	m.row = find_type(&m);
	if (!m.row)
		return oci_refuse(r, at, m.type, "a type of mount that is not supported");
	m.op.kind = m.row->kind;
	m.op.dst = m.destination;
	m.op.why = arena_printf(r->a, "%s: %s", r->file, json_read_place(r->a, at));
	err = apply_options(r, &m, b, at);
	if (err < 0)
		return err;
	m.op.attrs |= m.row->always;
	bad = check_mount(&m);
	if (bad)
		return oci_refuse(r, at, m.op.dst, bad);
	fill_source(r, &m, b);
	VEC_PUSH(r->a, b->mounts.v, b->mounts.n, b->mounts.cap, m.op);
	return 0;
}

int oci_read_mounts(struct json_reader *r, const struct json *v, const struct json_at *at, void *to)
{
	return json_read_list(r, v, at, read_mount, to);
}

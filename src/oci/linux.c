/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.c - config.json: linux.
 */
#include <errno.h>
#include <linux/sched.h>
#include <sys/mount.h>

#include "bundle.h"

/* ---- namespaces --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint64_t flag;
} namespace_rows[] = {
	{ "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC }, { "mount", CLONE_NEWNS },
	{ "network", CLONE_NEWNET },   { "pid", CLONE_NEWPID }, { "user", CLONE_NEWUSER },
	{ "uts", CLONE_NEWUTS },
};

struct namespace
{
	const char *type, *path;
};

static int read_namespace(struct json_reader *r, const struct json *v, const struct json_at *at,
			  void *to)
{
	static const struct json_member members[] = {
		{ "type", json_read_string, offsetof(struct namespace, type), true },
		{ "path", json_read_string, offsetof(struct namespace, path), false },
	};
	struct oci_bundle *b = to;
	struct namespace ns = { NULL, NULL };
	uint64_t flag = 0;
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &ns);

	if (err < 0)
		return err;
	for (size_t i = 0; i < ELEMENTS(namespace_rows); i++)
		if (str_eq(ns.type, namespace_rows[i].name))
			flag = namespace_rows[i].flag;
	if (!flag)
		return oci_refuse(r, at, ns.type, "a namespace that is not supported");
	if (ns.path && *ns.path)
		return oci_refuse(r, at, ns.type, "joining one by its path is not supported");
	if (b->namespaces & flag)
		return oci_refuse(r, at, ns.type, "named twice");
	b->namespaces |= flag;
	return 0;
}

static int read_namespaces(struct json_reader *r, const struct json *v, const struct json_at *at,
			   void *to)
{
	return json_read_list(r, v, at, read_namespace, to);
}

/* ---- maps of ids -------------------------------------------------------------------------------- */

struct mapping {
	uint32_t inside, outside;
	int64_t size;
};

static int read_mapping(struct json_reader *r, const struct json *v, const struct json_at *at,
			void *to)
{
	static const struct json_member members[] = {
		{ "containerID", oci_read_id, offsetof(struct mapping, inside), true },
		{ "hostID", oci_read_id, offsetof(struct mapping, outside), true },
		{ "size", oci_read_int, offsetof(struct mapping, size), true },
	};
	struct oci_map *map = to;
	struct mapping m = { 0, 0, 0 };
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &m);

	if (err < 0)
		return err;
	if (map->there || m.size != 1)
		return json_read_refuse(r, at, "more than one id: only a single one can be mapped");
	*map = (struct oci_map){ true, m.inside, m.outside };
	return 0;
}

static int read_mappings(struct json_reader *r, const struct json *v, const struct json_at *at,
			 void *to)
{
	return json_read_list(r, v, at, read_mapping, to);
}

/* ---- paths -------------------------------------------------------------------------------------- */

static int read_one_path(struct json_reader *r, const struct json *v, const struct json_at *at,
			 void *to)
{
	const char *path = NULL;
	int err = json_read_path(r, v, at, &path);

	if (err == 0 && str_eq(path, "/"))
		return json_read_refuse(r, at, "/ cannot be hidden");
	if (err == 0)
		strv_push(r->a, to, path);
	return err;
}

static int read_paths(struct json_reader *r, const struct json *v, const struct json_at *at,
		      void *to)
{
	return json_read_list(r, v, at, read_one_path, to);
}

/* ---- single values ------------------------------------------------------------------------------ */

static int read_propagation(struct json_reader *r, const struct json *v, const struct json_at *at,
			    void *to)
{
	const char *s = NULL;
	int err = json_read_string(r, v, at, &s);

	if (err < 0 || !*s || str_eq(s, "slave") || str_eq(s, "rslave"))
		return err;
	if (!str_eq(s, "private") && !str_eq(s, "rprivate"))
		return oci_refuse(r, at, s, "not supported");
	*(uint64_t *)to = MS_PRIVATE;
	return 0;
}

static int read_seccomp(struct json_reader *r, const struct json *v, const struct json_at *at,
			void *to)
{
	const struct json_at path = { .up = at, .name = "listenerPath" };
	const struct json *listener = json_get(v, path.name);

	if (v->type != JSON_OBJECT)
		return json_read_refuse(r, at, "not an object");
	*(const struct json **)to = v;
	return listener ? oci_read_unsupported(r, listener, &path, NULL) : 0;
}

struct personality {
	const char *domain;
};

/* "LINUX" is what every process has. */
static int read_personality(struct json_reader *r, const struct json *v, const struct json_at *at,
			    void *to)
{
	static const struct json_member members[] = {
		{ "domain", json_read_string, offsetof(struct personality, domain), true },
		{ "flags", oci_read_unsupported, 0, false },
	};
	struct personality p = { NULL };
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &p);

	(void)to;
	if (err == 0 && !str_eq(p.domain, "LINUX"))
		return oci_refuse(r, at, p.domain, "not supported");
	return err;
}

static int read_devices(struct json_reader *r, const struct json *v, const struct json_at *at,
			void *to)
{
	return json_read_list(r, v, at, oci_read_device, to);
}

#define AT(member) offsetof(struct oci_bundle, member)

static const struct json_member members[] = {
	{ "namespaces", read_namespaces, 0, false },
	{ "uidMappings", read_mappings, AT(uid_map), false },
	{ "gidMappings", read_mappings, AT(gid_map), false },
	{ "timeOffsets", oci_read_unsupported, 0, false },
	{ "devices", read_devices, 0, false },
	{ "netDevices", oci_read_unsupported, 0, false },
	{ "cgroupsPath", oci_read_unsupported, 0, false },
	{ "resources", oci_read_resources, 0, false },
	{ "rootfsPropagation", read_propagation, AT(root_propagation), false },
	{ "seccomp", read_seccomp, AT(seccomp), false },
	{ "sysctl", oci_read_unsupported, 0, false },
	{ "maskedPaths", read_paths, AT(masked), false },
	{ "readonlyPaths", read_paths, AT(read_only_paths), false },
	{ "mountLabel", oci_read_unsupported, 0, false },
	{ "intelRdt", oci_read_unsupported, 0, false },
	{ "memoryPolicy", oci_read_unsupported, 0, false },
	{ "personality", read_personality, 0, false },
};

int oci_read_linux(struct json_reader *r, const struct json *v, const struct json_at *at, void *to)
{
	return json_read_object(r, v, at, members, ELEMENTS(members), to);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.c - config.json: linux.devices and linux.resources.
 *
 * No node is made, and no cgroup: what can be opened inside is what the container's own /dev holds.
 * So a list of devices, and rules that allow some, are compared with what is there (in the plan,
 * which knows the GPUs), and rules that deny all the rest say what is so anyway.
 */
#include <errno.h>

#include "bundle.h"

#define MODE_ALL 0666
#define MODE_CHR 020000 /* the type of the file, which some write along */

struct node {
	struct oci_device d;
	const char *type;
	int64_t mode, uid, gid;
};

/* Ours is the host's node, with the host's owner and mode. */
static int check_node(struct json_reader *r, const struct json_at *at, const struct node *n)
{
	if (!str_eq(n->type, "c") && !str_eq(n->type, "u"))
		return oci_refuse(r, at, n->type, "only character devices can be in a container");
	if (n->mode >= 0 && (n->mode & ~(int64_t)MODE_CHR) != MODE_ALL)
		return oci_refuse(r, at, n->d.path, "only the mode 0666: the node is the host's");
	if (n->uid || n->gid)
		return oci_refuse(r, at, n->d.path, "only owner 0: the node is the host's");
	return 0;
}

int oci_read_device(struct json_reader *r, const struct json *v, const struct json_at *at, void *to)
{
	static const struct json_member members[] = {
		{ "type", json_read_string, offsetof(struct node, type), true },
		{ "path", json_read_path, offsetof(struct node, d.path), true },
		{ "major", oci_read_int, offsetof(struct node, d.major), true },
		{ "minor", oci_read_int, offsetof(struct node, d.minor), true },
		{ "fileMode", oci_read_int, offsetof(struct node, mode), false },
		{ "uid", oci_read_int, offsetof(struct node, uid), false },
		{ "gid", oci_read_int, offsetof(struct node, gid), false },
	};
	struct oci_devices *list = &((struct oci_bundle *)to)->devices;
	struct node n = { .mode = -1 };
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &n);

	if (err == 0)
		err = check_node(r, at, &n);
	if (err < 0)
		return err;
	n.d.type = 'c';
	n.d.at = json_read_place(r->a, at);
	VEC_PUSH(r->a, list->v, list->n, list->cap, n.d);
	return 0;
}

/* ---- resources ---------------------------------------------------------------------------------- */

struct device_rule {
	bool allow;
	const char *type, *access;
	int64_t major, minor;
};

static int read_rule(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	static const struct json_member members[] = {
		{ "allow", oci_read_bool, offsetof(struct device_rule, allow), true },
		{ "type", json_read_string, offsetof(struct device_rule, type), false },
		{ "major", oci_read_int, offsetof(struct device_rule, major), false },
		{ "minor", oci_read_int, offsetof(struct device_rule, minor), false },
		{ "access", json_read_string, offsetof(struct device_rule, access), false },
	};
	struct device_rule rule = { .type = "a", .access = "rwm", .major = -1, .minor = -1 };
	struct oci_bundle *b = to;
	struct oci_devices *list = &b->allowed;
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &rule);

	if (err < 0)
		return err;
	if (!*rule.type || rule.type[1] || !strchr("abc", *rule.type))
		return oci_refuse(r, at, rule.type, "the type is none of a, b, c");
	if (rule.access[strspn(rule.access, "rwm")])
		return oci_refuse(r, at, rule.access, "not of the letters r, w and m");
	if (!rule.allow && (*rule.type != 'a' || rule.major >= 0 || rule.minor >= 0))
		oci_note(r, b, at, "not applied: the container has no other nodes than its /dev");
	if (rule.allow)
		VEC_PUSH(r->a, list->v, list->n, list->cap,
			 ((struct oci_device){ .type = *rule.type,
					       .major = rule.major,
					       .minor = rule.minor,
					       .at = json_read_place(r->a, at) }));
	return 0;
}

static int read_rules(struct json_reader *r, const struct json *v, const struct json_at *at,
		      void *to)
{
	return json_read_list(r, v, at, read_rule, to);
}

int oci_read_resources(struct json_reader *r, const struct json *v, const struct json_at *at,
		       void *to)
{
	static const struct json_member members[] = {
		{ "devices", read_rules, 0, false },
		{ "memory", oci_read_unsupported, 0, false },
		{ "cpu", oci_read_unsupported, 0, false },
		{ "pids", oci_read_unsupported, 0, false },
		{ "blockIO", oci_read_unsupported, 0, false },
		{ "hugepageLimits", oci_read_unsupported, 0, false },
		{ "network", oci_read_unsupported, 0, false },
		{ "rdma", oci_read_unsupported, 0, false },
		{ "unified", oci_read_unsupported, 0, false },
	};

	return json_read_object(r, v, at, members, ELEMENTS(members), to);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cdi_spec.c - a tree of JSON or YAML becomes a CDI file. */
#include "cdi_spec.h"

#include <ctype.h>
#include <errno.h>

#include <gpurun/json.h>
#include <gpurun/str.h>

/* ---- names ---------------------------------------------------------------------------------- */

/* [first][rest]*[alphanumeric] */
static bool is_name(const char *s, size_t n, bool digit_first, const char *others)
{
	if (n == 0 || !isalnum((unsigned char)s[n - 1]))
		return false;
	if (!digit_first && !isalpha((unsigned char)s[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && (i == 0 || !strchr(others, s[i])))
			return false;
	return true;
}

bool cdi_is_kind(const char *s, size_t n)
{
	const char *slash = memchr(s, '/', n);
	size_t vendor = slash ? (size_t)(slash - s) : 0;

	return slash && is_name(s, vendor, false, "_.-") &&
	       is_name(slash + 1, n - vendor - 1, false, "_.-");
}

bool cdi_is_device(const char *s)
{
	return is_name(s, strlen(s), true, "_.:-");
}

/* ---- values ---------------------------------------------------------------------------------- */

/* "rwm", "none" or "", which is all of it */
static int read_permissions(struct json_reader *r, const struct json *v, const struct json_at *at,
			    void *to)
{
	const char *s = NULL;
	int err = json_read_string(r, v, at, &s);

	if (err < 0)
		return err;
	if (!str_eq(s, "none") && s[strspn(s, "rwm")])
		return json_read_refuse(r, at, "not of r, w and m");
	*(bool *)to = *s && !strchr(s, 'w');
	return 0;
}

/* Somebody's notes: names and texts. */
static int read_annotations(struct json_reader *r, const struct json *v, const struct json_at *at,
			    void *to)
{
	(void)to;
	if (v->type != JSON_OBJECT)
		return json_read_refuse(r, at, "not an object");
	for (const struct json *m = v->child; m; m = m->next)
		if (m->type != JSON_STRING)
			return json_read_refuse(r, at, "a value that is not a string");
	return 0;
}

/* ---- container edits ------------------------------------------------------------------------ */

static int read_node(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	static const struct json_member members[] = {
		{ "path", json_read_path, offsetof(struct cdi_node, path), true },
		{ "hostPath", json_read_path, offsetof(struct cdi_node, host), false },
		{ "type", json_read_string, offsetof(struct cdi_node, type), false },
		{ "major", json_read_number, 0, false },
		{ "minor", json_read_number, 0, false },
		{ "fileMode", json_read_number, 0, false },
		{ "permissions", read_permissions, offsetof(struct cdi_node, read_only), false },
		{ "uid", json_read_number, 0, false },
		{ "gid", json_read_number, 0, false },
	};
	struct cdi_edits *ed = to;
	struct cdi_node node = { .type = "" };
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &node);

	if (err < 0)
		return err;
	if (*node.type && (node.type[1] || !strchr("bcup", *node.type)))
		return json_read_refuse(r, at, "the type is none of b, c, u, p");
	if (!node.host)
		node.host = node.path;
	VEC_PUSH(r->a, ed->nodes, ed->n_nodes, ed->cap_nodes, node);
	return 0;
}

static int read_mount(struct json_reader *r, const struct json *v, const struct json_at *at,
		      void *to)
{
	static const struct json_member members[] = {
		{ "hostPath", json_read_path, offsetof(struct cdi_mount, host), true },
		{ "containerPath", json_read_path, offsetof(struct cdi_mount, path), true },
		{ "type", json_read_string, offsetof(struct cdi_mount, type), false },
		{ "options", json_read_strings, offsetof(struct cdi_mount, options), false },
	};
	struct cdi_edits *ed = to;
	struct cdi_mount mount = { .type = "" };
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &mount);

	if (err == 0)
		VEC_PUSH(r->a, ed->mounts, ed->n_mounts, ed->cap_mounts, mount);
	return err;
}

static int read_hook_name(struct json_reader *r, const struct json *v, const struct json_at *at,
			  void *to)
{
	static const char *const names[] = { "prestart",       "createRuntime", "createContainer",
					     "startContainer", "poststart",     "poststop" };
	const char *s = NULL;
	int err = json_read_string(r, v, at, &s);

	(void)to;
	for (size_t i = 0; err == 0 && i < ELEMENTS(names); i++)
		if (str_eq(s, names[i]))
			return 0;
	return err < 0 ? err : json_read_refuse(r, at, "no hook has that name");
}

/* With the environment of a program that is never run. */
struct hook_parts {
	struct cdi_hook hook;
	struct strv env;
};

static int read_hook(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	static const struct json_member members[] = {
		{ "hookName", read_hook_name, 0, true },
		{ "path", json_read_path, offsetof(struct hook_parts, hook.path), true },
		{ "args", json_read_strings, offsetof(struct hook_parts, hook.args), false },
		{ "env", json_read_variables, offsetof(struct hook_parts, env), false },
		{ "timeout", json_read_number, 0, false },
	};
	struct cdi_edits *ed = to;
	struct hook_parts h = { 0 };
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &h);

	if (err == 0)
		VEC_PUSH(r->a, ed->hooks, ed->n_hooks, ed->cap_hooks, h.hook);
	return err;
}

static int read_nodes(struct json_reader *r, const struct json *v, const struct json_at *at,
		      void *to)
{
	return json_read_list(r, v, at, read_node, to);
}

static int read_mounts(struct json_reader *r, const struct json *v, const struct json_at *at,
		       void *to)
{
	return json_read_list(r, v, at, read_mount, to);
}

static int read_hooks(struct json_reader *r, const struct json *v, const struct json_at *at,
		      void *to)
{
	return json_read_list(r, v, at, read_hook, to);
}

/* Groups: those of the caller are kept inside, and no others can be given. */
static int read_gids(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	return json_read_list(r, v, at, json_read_number, to);
}

/* What we cannot give is checked for its form, so that only devices that want it are refused. */
struct unused {
	const char *text;
	struct strv list;
};

static int read_rdt(struct json_reader *r, const struct json *v, const struct json_at *at, void *to)
{
	static const struct json_member members[] = {
		{ "closID", json_read_string, offsetof(struct unused, text), false },
		{ "l3CacheSchema", json_read_string, offsetof(struct unused, text), false },
		{ "memBwSchema", json_read_string, offsetof(struct unused, text), false },
		{ "schemata", json_read_strings, offsetof(struct unused, list), false },
		{ "enableCMT", json_read_flag, 0, false },
		{ "enableMBM", json_read_flag, 0, false },
		{ "enableMonitoring", json_read_flag, 0, false },
	};
	struct cdi_edits *ed = to;
	struct unused none = { 0 };

	ed->cannot = "intelRdt";
	return json_read_object(r, v, at, members, ELEMENTS(members), &none);
}

static int read_net_device(struct json_reader *r, const struct json *v, const struct json_at *at,
			   void *to)
{
	static const struct json_member members[] = {
		{ "hostInterfaceName", json_read_string, offsetof(struct unused, text), true },
		{ "name", json_read_string, offsetof(struct unused, text), true },
	};
	struct cdi_edits *ed = to;
	struct unused none = { 0 };

	ed->cannot = "netDevices";
	return json_read_object(r, v, at, members, ELEMENTS(members), &none);
}

static int read_net_devices(struct json_reader *r, const struct json *v, const struct json_at *at,
			    void *to)
{
	return json_read_list(r, v, at, read_net_device, to);
}

static int read_edits(struct json_reader *r, const struct json *v, const struct json_at *at,
		      void *to)
{
	static const struct json_member members[] = {
		{ "env", json_read_variables, offsetof(struct cdi_edits, env), false },
		{ "deviceNodes", read_nodes, 0, false },
		{ "mounts", read_mounts, 0, false },
		{ "hooks", read_hooks, 0, false },
		{ "additionalGids", read_gids, 0, false },
		{ "intelRdt", read_rdt, 0, false },
		{ "netDevices", read_net_devices, 0, false },
	};

	return json_read_object(r, v, at, members, ELEMENTS(members), to);
}

/* ---- the file ------------------------------------------------------------------------------- */

static int read_device_name(struct json_reader *r, const struct json *v, const struct json_at *at,
			    void *to)
{
	int err = json_read_string(r, v, at, to);

	if (err < 0)
		return err;
	return cdi_is_device(v->str) ? 0 : json_read_refuse(r, at, "not a name of a device");
}

static int read_device(struct json_reader *r, const struct json *v, const struct json_at *at,
		       void *to)
{
	static const struct json_member members[] = {
		{ "name", read_device_name, offsetof(struct cdi_device, name), true },
		{ "annotations", read_annotations, 0, false },
		{ "containerEdits", read_edits, offsetof(struct cdi_device, edits), true },
	};
	struct cdi_spec *spec = to;
	struct cdi_device device = { 0 };
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &device);

	if (err < 0)
		return err;
	for (size_t i = 0; i < spec->n; i++)
		if (str_eq(spec->v[i].name, device.name))
			return json_read_refuse(r, at, "a device of that name is there already");
	VEC_PUSH(r->a, spec->v, spec->n, spec->cap, device);
	return 0;
}

static int read_devices(struct json_reader *r, const struct json *v, const struct json_at *at,
			void *to)
{
	int err = json_read_list(r, v, at, read_device, to);

	return err < 0 || v->count ? err : json_read_refuse(r, at, "no device");
}

static int read_version(struct json_reader *r, const struct json *v, const struct json_at *at,
			void *to)
{
	static const char *const versions[] = { "0.3.0", "0.4.0", "0.5.0", "0.6.0",
						"0.7.0", "0.8.0", "1.0.0", "1.1.0" };
	const char *s = NULL;
	int err = json_read_string(r, v, at, &s);

	(void)to;
	if (err < 0)
		return err;
	s += *s == 'v';
	for (size_t i = 0; i < ELEMENTS(versions); i++)
		if (str_eq(s, versions[i]))
			return 0;
	return json_read_refuse(r, at, "none of 0.3.0 to 1.1.0, which are known here");
}

static int read_kind(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	int err = json_read_string(r, v, at, to);

	if (err < 0)
		return err;
	return cdi_is_kind(v->str, strlen(v->str)) ? 0
						   : json_read_refuse(r, at, "not VENDOR/CLASS");
}

int cdi_spec_read(struct arena *a, const struct json *doc, const char *file, struct cdi_spec *ret,
		  struct err *e)
{
	static const struct json_member members[] = {
		{ "cdiVersion", read_version, 0, true },
		{ "kind", read_kind, offsetof(struct cdi_spec, kind), true },
		{ "annotations", read_annotations, 0, false },
		{ "devices", read_devices, 0, true },
		{ "containerEdits", read_edits, offsetof(struct cdi_spec, edits), false },
	};
	struct json_reader r = { .a = a, .file = file, .e = e };
	struct cdi_spec spec = { .file = file };
	int err = json_read_object(&r, doc, NULL, members, ELEMENTS(members), &spec);

	if (err == 0)
		*ret = spec;
	return err;
}

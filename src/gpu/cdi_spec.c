/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdi_spec.c - a tree of JSON or YAML becomes a CDI file.
 *
 * Each kind of object is a table of its members.  A member that is null counts as absent, as it
 * does to the tools that write these files.
 */
#include "cdi_spec.h"

#include <ctype.h>
#include <errno.h>

#include <gpurun/str.h>

#define PLACE_MAX 16 /* levels that a message names */

/* Where we are: "devices[2].containerEdits.mounts[0].hostPath" */
struct place {
	const struct place *up;
	const char *name; /* of a member; NULL: an element of a list */
	size_t index;
};

struct spec_reader {
	struct arena *a;
	const char *file;
	struct err *e;
};

typedef int read_fn(struct spec_reader *r, const struct json *v, const struct place *at, void *to);

/* struct member - of an object; @read puts its value at @offset of what the object becomes */
struct member {
	const char *name;
	read_fn *read;
	size_t offset;
	bool required;
};

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

/* ---- errors --------------------------------------------------------------------------------- */

static const char *place_text(struct arena *a, const struct place *at)
{
	const struct place *levels[PLACE_MAX];
	const char *text = "";
	size_t n = 0;

	for (; at && n < PLACE_MAX; at = at->up)
		levels[n++] = at;
	while (n--)
		text = levels[n]->name
			       ? arena_printf(a, "%s%s%s", text, *text ? "." : "", levels[n]->name)
			       : arena_printf(a, "%s[%zu]", text, levels[n]->index);
	return text;
}

static int refuse(struct spec_reader *r, const struct place *at, const char *reason)
{
	const char *place = place_text(r->a, at);

	return err_set(r->e, EINVAL, "%s: %s%s%s", r->file, place, *place ? ": " : "", reason);
}

/* ---- values --------------------------------------------------------------------------------- */

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

static int read_string(struct spec_reader *r, const struct json *v, const struct place *at,
		       void *to)
{
	if (v->type != JSON_STRING)
		return refuse(r, at, "not a string");
	if (has_control(v->str))
		return refuse(r, at, "control characters");
	*(const char **)to = v->str;
	return 0;
}

static int read_path(struct spec_reader *r, const struct json *v, const struct place *at, void *to)
{
	int err = read_string(r, v, at, to);

	if (err < 0)
		return err;
	if (v->str[0] != '/')
		return refuse(r, at, "not an absolute path");
	*(const char **)to = path_clean(r->a, v->str);
	return 0;
}

/* Numbers are checked, and none is needed. */
static int read_number(struct spec_reader *r, const struct json *v, const struct place *at,
		       void *to)
{
	(void)to;
	return v->type == JSON_INT ? 0 : refuse(r, at, "not a whole number");
}

static int read_flag(struct spec_reader *r, const struct json *v, const struct place *at, void *to)
{
	(void)to;
	return v->type == JSON_BOOL ? 0 : refuse(r, at, "neither true nor false");
}

/* "rwm", "none" or "", which is all of it */
static int read_permissions(struct spec_reader *r, const struct json *v, const struct place *at,
			    void *to)
{
	const char *s = NULL;
	int err = read_string(r, v, at, &s);

	if (err < 0)
		return err;
	if (!str_eq(s, "none") && s[strspn(s, "rwm")])
		return refuse(r, at, "not of r, w and m");
	*(bool *)to = *s && !strchr(s, 'w');
	return 0;
}

/* ---- lists and objects ---------------------------------------------------------------------- */

/* Each element by @read, which puts it behind those before. */
static int read_list(struct spec_reader *r, const struct json *v, const struct place *at,
		     read_fn *read, void *to)
{
	struct place element = { .up = at };

	if (v->type != JSON_ARRAY)
		return refuse(r, at, "not a list");
	if (v->count > CDI_LIST_MAX)
		return refuse(r, at, "too long a list");
	for (const struct json *m = v->child; m; m = m->next, element.index++) {
		int err = read(r, m, &element, to);

		if (err < 0)
			return err;
	}
	return 0;
}

static const struct member *find_member(const struct member *members, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(members[i].name, name))
			return &members[i];
	return NULL;
}

static int read_object(struct spec_reader *r, const struct json *v, const struct place *at,
		       const struct member *members, size_t n, void *to)
{
	if (v->type != JSON_OBJECT)
		return refuse(r, at, "not an object");
	for (const struct json *m = v->child; m; m = m->next) {
		const struct place inside = { .up = at,
					      .name = has_control(m->key) ? "?" : m->key };
		const struct member *known = find_member(members, n, m->key);
		int err;

		if (!known)
			return refuse(r, &inside, "an unknown member");
		err = m->type == JSON_NULL ? 0
					   : known->read(r, m, &inside, (char *)to + known->offset);
		if (err < 0)
			return err;
	}
	for (size_t i = 0; i < n; i++) {
		const struct place inside = { .up = at, .name = members[i].name };

		if (members[i].required && !json_get(v, members[i].name))
			return refuse(r, &inside, "missing");
	}
	return 0;
}

static int read_one_string(struct spec_reader *r, const struct json *v, const struct place *at,
			   void *to)
{
	const char *s = NULL;
	int err = read_string(r, v, at, &s);

	if (err == 0)
		strv_push(r->a, to, s);
	return err;
}

static int read_strings(struct spec_reader *r, const struct json *v, const struct place *at,
			void *to)
{
	return read_list(r, v, at, read_one_string, to);
}

static int read_variable(struct spec_reader *r, const struct json *v, const struct place *at,
			 void *to)
{
	int err = read_one_string(r, v, at, to);

	if (err < 0)
		return err;
	return v->str[0] != '=' && strchr(v->str, '=') ? 0 : refuse(r, at, "not NAME=VALUE");
}

static int read_env(struct spec_reader *r, const struct json *v, const struct place *at, void *to)
{
	return read_list(r, v, at, read_variable, to);
}

/* Somebody's notes: names and texts. */
static int read_annotations(struct spec_reader *r, const struct json *v, const struct place *at,
			    void *to)
{
	(void)to;
	if (v->type != JSON_OBJECT)
		return refuse(r, at, "not an object");
	for (const struct json *m = v->child; m; m = m->next)
		if (m->type != JSON_STRING)
			return refuse(r, at, "a value that is not a string");
	return 0;
}

/* ---- container edits ------------------------------------------------------------------------ */

static int read_node(struct spec_reader *r, const struct json *v, const struct place *at, void *to)
{
	static const struct member members[] = {
		{ "path", read_path, offsetof(struct cdi_node, path), true },
		{ "hostPath", read_path, offsetof(struct cdi_node, host), false },
		{ "type", read_string, offsetof(struct cdi_node, type), false },
		{ "major", read_number, 0, false },
		{ "minor", read_number, 0, false },
		{ "fileMode", read_number, 0, false },
		{ "permissions", read_permissions, offsetof(struct cdi_node, read_only), false },
		{ "uid", read_number, 0, false },
		{ "gid", read_number, 0, false },
	};
	struct cdi_edits *ed = to;
	struct cdi_node node = { .type = "" };
	int err = read_object(r, v, at, members, ELEMENTS(members), &node);

	if (err < 0)
		return err;
	if (*node.type && (node.type[1] || !strchr("bcup", *node.type)))
		return refuse(r, at, "the type is none of b, c, u, p");
	if (!node.host)
		node.host = node.path;
	VEC_PUSH(r->a, ed->nodes, ed->n_nodes, ed->cap_nodes, node);
	return 0;
}

static int read_mount(struct spec_reader *r, const struct json *v, const struct place *at, void *to)
{
	static const struct member members[] = {
		{ "hostPath", read_path, offsetof(struct cdi_mount, host), true },
		{ "containerPath", read_path, offsetof(struct cdi_mount, path), true },
		{ "type", read_string, offsetof(struct cdi_mount, type), false },
		{ "options", read_strings, offsetof(struct cdi_mount, options), false },
	};
	struct cdi_edits *ed = to;
	struct cdi_mount mount = { .type = "" };
	int err = read_object(r, v, at, members, ELEMENTS(members), &mount);

	if (err == 0)
		VEC_PUSH(r->a, ed->mounts, ed->n_mounts, ed->cap_mounts, mount);
	return err;
}

static int read_hook_name(struct spec_reader *r, const struct json *v, const struct place *at,
			  void *to)
{
	static const char *const names[] = { "prestart",       "createRuntime", "createContainer",
					     "startContainer", "poststart",     "poststop" };
	const char *s = NULL;
	int err = read_string(r, v, at, &s);

	(void)to;
	for (size_t i = 0; err == 0 && i < ELEMENTS(names); i++)
		if (str_eq(s, names[i]))
			return 0;
	return err < 0 ? err : refuse(r, at, "no hook has that name");
}

/* With the environment of a program that is never run. */
struct hook_parts {
	struct cdi_hook hook;
	struct strv env;
};

static int read_hook(struct spec_reader *r, const struct json *v, const struct place *at, void *to)
{
	static const struct member members[] = {
		{ "hookName", read_hook_name, 0, true },
		{ "path", read_path, offsetof(struct hook_parts, hook.path), true },
		{ "args", read_strings, offsetof(struct hook_parts, hook.args), false },
		{ "env", read_env, offsetof(struct hook_parts, env), false },
		{ "timeout", read_number, 0, false },
	};
	struct cdi_edits *ed = to;
	struct hook_parts h = { 0 };
	int err = read_object(r, v, at, members, ELEMENTS(members), &h);

	if (err == 0)
		VEC_PUSH(r->a, ed->hooks, ed->n_hooks, ed->cap_hooks, h.hook);
	return err;
}

static int read_nodes(struct spec_reader *r, const struct json *v, const struct place *at, void *to)
{
	return read_list(r, v, at, read_node, to);
}

static int read_mounts(struct spec_reader *r, const struct json *v, const struct place *at,
		       void *to)
{
	return read_list(r, v, at, read_mount, to);
}

static int read_hooks(struct spec_reader *r, const struct json *v, const struct place *at, void *to)
{
	return read_list(r, v, at, read_hook, to);
}

/* Groups: those of the caller are kept inside, and no others can be given. */
static int read_gids(struct spec_reader *r, const struct json *v, const struct place *at, void *to)
{
	return read_list(r, v, at, read_number, to);
}

/* What we cannot give is checked for its form, so that only devices that want it are refused. */
struct unused {
	const char *text;
	struct strv list;
};

static int read_rdt(struct spec_reader *r, const struct json *v, const struct place *at, void *to)
{
	static const struct member members[] = {
		{ "closID", read_string, offsetof(struct unused, text), false },
		{ "l3CacheSchema", read_string, offsetof(struct unused, text), false },
		{ "memBwSchema", read_string, offsetof(struct unused, text), false },
		{ "schemata", read_strings, offsetof(struct unused, list), false },
		{ "enableCMT", read_flag, 0, false },
		{ "enableMBM", read_flag, 0, false },
		{ "enableMonitoring", read_flag, 0, false },
	};
	struct cdi_edits *ed = to;
	struct unused none = { 0 };

	ed->cannot = "intelRdt";
	return read_object(r, v, at, members, ELEMENTS(members), &none);
}

static int read_net_device(struct spec_reader *r, const struct json *v, const struct place *at,
			   void *to)
{
	static const struct member members[] = {
		{ "hostInterfaceName", read_string, offsetof(struct unused, text), true },
		{ "name", read_string, offsetof(struct unused, text), true },
	};
	struct cdi_edits *ed = to;
	struct unused none = { 0 };

	ed->cannot = "netDevices";
	return read_object(r, v, at, members, ELEMENTS(members), &none);
}

static int read_net_devices(struct spec_reader *r, const struct json *v, const struct place *at,
			    void *to)
{
	return read_list(r, v, at, read_net_device, to);
}

static int read_edits(struct spec_reader *r, const struct json *v, const struct place *at, void *to)
{
	static const struct member members[] = {
		{ "env", read_env, offsetof(struct cdi_edits, env), false },
		{ "deviceNodes", read_nodes, 0, false },
		{ "mounts", read_mounts, 0, false },
		{ "hooks", read_hooks, 0, false },
		{ "additionalGids", read_gids, 0, false },
		{ "intelRdt", read_rdt, 0, false },
		{ "netDevices", read_net_devices, 0, false },
	};

	return read_object(r, v, at, members, ELEMENTS(members), to);
}

/* ---- the file ------------------------------------------------------------------------------- */

static int read_device_name(struct spec_reader *r, const struct json *v, const struct place *at,
			    void *to)
{
	int err = read_string(r, v, at, to);

	if (err < 0)
		return err;
	return cdi_is_device(v->str) ? 0 : refuse(r, at, "not a name of a device");
}

static int read_device(struct spec_reader *r, const struct json *v, const struct place *at,
		       void *to)
{
	static const struct member members[] = {
		{ "name", read_device_name, offsetof(struct cdi_device, name), true },
		{ "annotations", read_annotations, 0, false },
		{ "containerEdits", read_edits, offsetof(struct cdi_device, edits), true },
	};
	struct cdi_spec *spec = to;
	struct cdi_device device = { 0 };
	int err = read_object(r, v, at, members, ELEMENTS(members), &device);

	if (err < 0)
		return err;
	for (size_t i = 0; i < spec->n; i++)
		if (str_eq(spec->v[i].name, device.name))
			return refuse(r, at, "a device of that name is there already");
	VEC_PUSH(r->a, spec->v, spec->n, spec->cap, device);
	return 0;
}

static int read_devices(struct spec_reader *r, const struct json *v, const struct place *at,
			void *to)
{
	int err = read_list(r, v, at, read_device, to);

	return err < 0 || v->count ? err : refuse(r, at, "no device");
}

static int read_version(struct spec_reader *r, const struct json *v, const struct place *at,
			void *to)
{
	static const char *const versions[] = { "0.3.0", "0.4.0", "0.5.0", "0.6.0",
						"0.7.0", "0.8.0", "1.0.0", "1.1.0" };
	const char *s = NULL;
	int err = read_string(r, v, at, &s);

	(void)to;
	if (err < 0)
		return err;
	s += *s == 'v';
	for (size_t i = 0; i < ELEMENTS(versions); i++)
		if (str_eq(s, versions[i]))
			return 0;
	return refuse(r, at, "none of 0.3.0 to 1.1.0, which are known here");
}

static int read_kind(struct spec_reader *r, const struct json *v, const struct place *at, void *to)
{
	int err = read_string(r, v, at, to);

	if (err < 0)
		return err;
	return cdi_is_kind(v->str, strlen(v->str)) ? 0 : refuse(r, at, "not VENDOR/CLASS");
}

int cdi_spec_read(struct arena *a, const struct json *doc, const char *file, struct cdi_spec *ret,
		  struct err *e)
{
	static const struct member members[] = {
		{ "cdiVersion", read_version, 0, true },
		{ "kind", read_kind, offsetof(struct cdi_spec, kind), true },
		{ "annotations", read_annotations, 0, false },
		{ "devices", read_devices, 0, true },
		{ "containerEdits", read_edits, offsetof(struct cdi_spec, edits), false },
	};
	struct spec_reader r = { .a = a, .file = file, .e = e };
	struct cdi_spec spec = { .file = file };
	int err = read_object(&r, doc, NULL, members, ELEMENTS(members), &spec);

	if (err == 0)
		*ret = spec;
	return err;
}

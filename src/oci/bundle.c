/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle.c - config.json: the top level, and what holds between its parts.
 *
 * The tables name every member that version 1.2 of the specification has.  What is done, is done
 * by a reader of its own; what is not, by oci_read_unsupported.
 */
#include <errno.h>
#include <linux/sched.h>
#include <sys/mount.h>

#include "bundle.h"

#define HOSTNAME_MAX 64

int oci_refuse(struct json_reader *r, const struct json_at *at, const char *word,
	       const char *reason)
{
	return json_read_refuse(r, at, arena_printf(r->a, "%s: %s", word, reason));
}

void oci_note(struct json_reader *r, struct oci_bundle *b, const struct json_at *at,
	      const char *text)
{
	strv_push(r->a, &b->notes,
		  arena_printf(r->a, "%s: %s: %s", r->file, json_read_place(r->a, at), text));
}

/* ---- values --------------------------------------------------------------------------------- */

/* Nothing is asked for: "", false, an empty list, an object of such members. */
static bool is_empty(const struct json *v)
{
	if (v->type == JSON_STRING)
		return !*v->str;
	if (v->type == JSON_BOOL)
		return !v->num;
	if (v->type == JSON_ARRAY)
		return !v->count;
	if (v->type != JSON_OBJECT)
		return v->type == JSON_NULL;
	for (const struct json *m = v->child; m; m = m->next)
		if (!is_empty(m))
			return false;
	return true;
}

int oci_read_unsupported(struct json_reader *r, const struct json *v, const struct json_at *at,
			 void *to)
{
	(void)to;
	return is_empty(v) ? 0 : json_read_refuse(r, at, "not supported");
}

int oci_read_text(struct json_reader *r, const struct json *v, const struct json_at *at, void *to)
{
	if (v->type != JSON_STRING)
		return json_read_refuse(r, at, "not a string");
	*(const char **)to = v->str;
	return 0;
}

int oci_read_bool(struct json_reader *r, const struct json *v, const struct json_at *at, void *to)
{
	int err = json_read_flag(r, v, at, NULL);

	if (err == 0)
		*(bool *)to = v->num != 0;
	return err;
}

int oci_read_int(struct json_reader *r, const struct json *v, const struct json_at *at, void *to)
{
	int err = json_read_number(r, v, at, NULL);

	if (err == 0)
		*(int64_t *)to = v->num;
	return err;
}

int oci_read_id(struct json_reader *r, const struct json *v, const struct json_at *at, void *to)
{
	int64_t n = 0;
	int err = oci_read_int(r, v, at, &n);

	if (err == 0 && (n < 0 || n >= UINT32_MAX))
		return json_read_refuse(r, at, "not an id");
	if (err == 0)
		*(uint32_t *)to = (uint32_t)n;
	return err;
}

/* ---- the top level -------------------------------------------------------------------------- */

static int read_version(struct json_reader *r, const struct json *v, const struct json_at *at,
			void *to)
{
	const char *s = NULL;
	int err = json_read_string(r, v, at, &s);

	(void)to;
	if (err == 0 && !str_after(s, "1."))
		return oci_refuse(r, at, s, "only version 1 of the specification is known");
	return err;
}

static int read_root(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	static const struct json_member members[] = {
		{ "path", json_read_string, offsetof(struct oci_bundle, root), true },
		{ "readonly", oci_read_bool, offsetof(struct oci_bundle, read_only), false },
	};
	struct oci_bundle *b = to;
	int err = json_read_object(r, v, at, members, ELEMENTS(members), b);

	if (err == 0 && !*b->root)
		return json_read_refuse(r, at, "path: empty");
	if (err == 0)
		b->root = path_join(r->a, b->dir, b->root);
	return err;
}

static int read_hostname(struct json_reader *r, const struct json *v, const struct json_at *at,
			 void *to)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	struct oci_bundle *b = to;
	const char *s = NULL;
	int err = json_read_string(r, v, at, &s);

	if (err < 0 || !*s)
		return err;
	if (strlen(s) > HOSTNAME_MAX || s[strspn(s, plain)])
		return json_read_refuse(r, at, "up to 64 letters, digits, dots and dashes");
	b->hostname = s;
	return 0;
}

static int read_annotation(struct json_reader *r, const struct json *v, const struct json_at *at,
			   struct oci_bundle *b)
{
	static const struct {
		const char *key;
		size_t offset;
	} rows[] = {
		{ "gpus", offsetof(struct oci_bundle, gpus) },
		{ "gpu-caps", offsetof(struct oci_bundle, gpu_caps) },
		{ "cuda-compat", offsetof(struct oci_bundle, cuda_compat) },
		{ "share", offsetof(struct oci_bundle, share) },
	};
	const char *ours = str_after(v->key, "org.gpurun.");

	if (v->type != JSON_STRING)
		return json_read_refuse(r, at, "not a string");
	for (size_t i = 0; ours && i < ELEMENTS(rows); i++)
		if (str_eq(ours, rows[i].key))
			return json_read_string(r, v, at, (char *)b + rows[i].offset);
	return ours ? json_read_refuse(r, at, "not supported") : 0;
}

/* Somebody's notes, which nobody has to understand; but ours are options. */
static int read_annotations(struct json_reader *r, const struct json *v, const struct json_at *at,
			    void *to)
{
	if (v->type != JSON_OBJECT)
		return json_read_refuse(r, at, "not an object");
	for (const struct json *m = v->child; m; m = m->next) {
		const struct json_at inside = { .up = at, .name = m->key };
		int err = read_annotation(r, m, &inside, to);

		if (err < 0)
			return err;
	}
	return 0;
}

static const struct json_member top_members[] = {
	{ "ociVersion", read_version, 0, true },
	{ "root", read_root, 0, true },
	{ "process", oci_read_process, 0, true },
	{ "hostname", read_hostname, 0, false },
	{ "domainname", oci_read_unsupported, 0, false },
	{ "mounts", oci_read_mounts, 0, false },
	{ "linux", oci_read_linux, 0, false },
	{ "hooks", oci_read_unsupported, 0, false },
	{ "annotations", read_annotations, 0, false },
	{ "freebsd", oci_read_unsupported, 0, false },
	{ "solaris", oci_read_unsupported, 0, false },
	{ "vm", oci_read_unsupported, 0, false },
	{ "windows", oci_read_unsupported, 0, false },
	{ "zos", oci_read_unsupported, 0, false },
};

/* ---- between the parts ------------------------------------------------------------------------ */

static int check_id(struct json_reader *r, const char *name, uint32_t id, const struct oci_map *map)
{
	const struct json_at process = { .name = "process" };
	const struct json_at user = { .up = &process, .name = "user" };
	const struct json_at at = { .up = &user, .name = name };

	if (!map->there || map->inside == id)
		return 0;
	return json_read_refuse(
		r, &at, arena_printf(r->a, "%u is not mapped, only %u is", id, map->inside));
}

/* Of the host's /proc only the whole is there, and only with the host's processes. */
static int check_mounts(struct json_reader *r, struct oci_bundle *b)
{
	for (size_t i = 0; i < b->mounts.n; i++) {
		struct op *op = &b->mounts.v[i];
		bool host_proc = op->kind == OP_BIND && str_eq(op->src, "/proc") &&
				 !(b->namespaces & CLONE_NEWPID);

		if (!str_eq(op->dst, "/proc") || op->kind == OP_PROC)
			continue;
		if (!host_proc)
			return err_set(r->e, ENOTSUP,
				       "%s: only a proc can be mounted on /proc (the host's only "
				       "without a pid namespace)",
				       op->why);
		op->kind = OP_PROC;
		op->src = NULL;
		op->flags = 0;
	}
	return 0;
}

static int check(struct json_reader *r, struct oci_bundle *b)
{
	const struct json_at hostname = { .name = "hostname" };
	int err;

	if (b->hostname && !(b->namespaces & CLONE_NEWUTS))
		return json_read_refuse(r, &hostname, "needs a uts namespace in linux.namespaces");
	err = check_id(r, "uid", b->uid, &b->uid_map);
	if (err == 0)
		err = check_id(r, "gid", b->gid, &b->gid_map);
	return err < 0 ? err : check_mounts(r, b);
}

int oci_bundle_read(struct arena *a, const char *dir, const char *text, size_t len,
		    struct oci_bundle *ret, struct err *e)
{
	struct oci_bundle b = { .dir = dir, .file = path_join(a, dir, OCI_CONFIG) };
	struct json_reader r = { .a = a, .file = b.file, .e = e, .unknown = &b.ignored };
	const struct json *doc = NULL;
	int err;

	if (len > OCI_CONFIG_MAX)
		return err_set(e, EFBIG, "%s: larger than %u bytes", b.file, OCI_CONFIG_MAX);
	err = json_parse(a, text, len, b.file, &doc, e);
	if (err == 0)
		err = json_read_object(&r, doc, NULL, top_members, ELEMENTS(top_members), &b);
	if (err == 0)
		err = check(&r, &b);
	if (err < 0)
		return err;
	*ret = b;
	return 0;
}

/* ---- the environment in which the host is looked at --------------------------------------------- */

static bool is_set(const struct strv *env, const char *entry)
{
	size_t n = strcspn(entry, "=");

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], entry, n) == 0 && env->v[i][n] == '=')
			return true;
	return false;
}

const char *const *oci_environ(struct arena *a, const struct strv *env, const char *const *own)
{
	struct strv all = { 0 };

	for (size_t i = 0; i < env->n; i++)
		strv_push(a, &all, env->v[i]);
	for (; own && *own; own++)
		if (!is_set(env, *own))
			strv_push(a, &all, *own);
	return all.n ? all.v : own;
}

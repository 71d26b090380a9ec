// SPDX-License-Identifier: Apache-2.0
/*
 * config.c - the configuration document of an image (application/vnd.oci.image.config.v1+json
 * and docker's vnd.docker.container.image.v1+json, which are the same but for extensions).
 *
 * The document is data of a stranger: types are checked, nothing of it is acted on here.
 */
#include <errno.h>

#include <gpurun/image.h>
#include <gpurun/json.h>
#include <gpurun/str.h>

#include "source.h"

/* A member that may be absent, null or a string; the empty string counts as absent. */
static int config_str(const struct json *obj, const char *key, const char **ret, struct err *e)
{
	const struct json *v = json_get(obj, key);

	if (!v)
		return 0;
	if (v->type != JSON_STRING)
		return err_set(e, EINVAL, "image config: %s: not a string", key);
	*ret = *v->str ? v->str : NULL;
	return 0;
}

/* An argument vector; docker once wrote a single string for a vector of one. */
static int config_argv(struct arena *a, const struct json *obj, const char *key, struct strv *ret,
		       struct err *e)
{
	const struct json *v = json_get(obj, key);

	if (v && v->type == JSON_STRING) {
		strv_push(a, ret, v->str);
		return 0;
	}
	if (json_strv(a, obj, key, ret) < 0)
		return err_set(e, EINVAL, "image config: %s: not an array of strings", key);
	return 0;
}

/* Entries without a name or without '=' set nothing and are dropped, as docker does. */
static int config_env(struct arena *a, const struct json *obj, struct strv *ret, struct err *e)
{
	struct strv all = { 0 };

	if (json_strv(a, obj, "Env", &all) < 0)
		return err_set(e, EINVAL, "image config: Env: not an array of strings");
	for (size_t i = 0; i < all.n; i++) {
		const char *eq = strchr(all.v[i], '=');

		if (eq && eq != all.v[i])
			strv_push(a, ret, all.v[i]);
	}
	return 0;
}

static int config_labels(struct arena *a, const struct json *obj, struct strv *ret, struct err *e)
{
	const struct json *labels = json_get(obj, "Labels");

	if (!labels)
		return 0;
	if (labels->type != JSON_OBJECT)
		return err_set(e, EINVAL, "image config: Labels: not an object");
	for (const struct json *v = labels->child; v; v = v->next) {
		if (v->type != JSON_STRING)
			return err_set(e, EINVAL, "image config: Labels: %s: not a string", v->key);
		strv_push(a, ret, arena_printf(a, "%s=%s", v->key, v->str));
	}
	return 0;
}

static int config_volumes(struct arena *a, const struct json *obj, struct strv *ret, struct err *e)
{
	const struct json *volumes = json_get(obj, "Volumes");

	if (!volumes)
		return 0;
	if (volumes->type != JSON_OBJECT)
		return err_set(e, EINVAL, "image config: Volumes: not an object");
	for (const struct json *v = volumes->child; v; v = v->next)
		strv_push(a, ret, path_clean(a, v->key));
	return 0;
}

/* A relative WorkingDir exists in the wild and means one below "/". */
static int config_workdir(struct arena *a, const struct json *obj, const char **ret, struct err *e)
{
	const char *dir = NULL;
	int r = config_str(obj, "WorkingDir", &dir, e);

	if (r < 0)
		return r;
	*ret = dir ? path_clean(a, arena_printf(a, "/%s", dir)) : NULL;
	return 0;
}

static int config_stop_signal(const struct json *obj, int *ret, struct err *e)
{
	const char *text = NULL;
	int r = config_str(obj, "StopSignal", &text, e);

	if (r < 0 || !text)
		return r;
	r = image_signal_parse(text);
	if (r < 0)
		return err_set(e, EINVAL, "image config: StopSignal: %s is no signal", text);
	*ret = r;
	return 0;
}

static int config_process(struct arena *a, const struct json *doc, struct image_config *c,
			  struct err *e)
{
	const struct json *obj = json_get(doc, "config");
	int r;

	if (!obj)
		return 0;
	if (obj->type != JSON_OBJECT)
		return err_set(e, EINVAL, "image config: config: not an object");
	if ((r = config_env(a, obj, &c->env, e)) < 0 ||
	    (r = config_argv(a, obj, "Entrypoint", &c->entrypoint, e)) < 0 ||
	    (r = config_argv(a, obj, "Cmd", &c->cmd, e)) < 0 ||
	    (r = config_workdir(a, obj, &c->workdir, e)) < 0 ||
	    (r = config_str(obj, "User", &c->user, e)) < 0 ||
	    (r = config_stop_signal(obj, &c->stop_signal, e)) < 0 ||
	    (r = config_labels(a, obj, &c->labels, e)) < 0)
		return r;
	return config_volumes(a, obj, &c->volumes, e);
}

static int config_diff_ids(struct arena *a, const struct json *doc, struct strv *ret, struct err *e)
{
	const struct json *rootfs = json_get(doc, "rootfs");
	struct strv ids = { 0 };
	const char *type;
	int r;

	if (!rootfs)
		return 0;
	if (rootfs->type != JSON_OBJECT)
		return err_set(e, EINVAL, "image config: rootfs: not an object");
	type = json_str(rootfs, "type");
	if (!type || !str_eq(type, "layers"))
		return err_set(e, EINVAL, "image config: rootfs: the type is not \"layers\"");
	if (json_strv(a, rootfs, "diff_ids", &ids) < 0)
		return err_set(e, EINVAL, "image config: diff_ids: not an array of strings");
	for (size_t i = 0; i < ids.n; i++) {
		const char *hex;

		r = digest_parse(ids.v[i], "image config: diff_ids", &hex, e);
		if (r < 0)
			return r;
		strv_push(a, ret, hex);
	}
	return 0;
}

int image_config_parse(struct arena *a, const char *json, size_t len, struct image_config *ret,
		       struct strv *ret_diff_ids, struct err *e)
{
	struct image_config c = { 0 };
	struct strv ids = { 0 };
	const struct json *doc;
	int r;

	r = json_parse(a, json, len, "image config", &doc, e);
	if (r < 0)
		return r;
	if (doc->type != JSON_OBJECT)
		return err_set(e, EINVAL, "image config: not an object");
	if ((r = config_str(doc, "created", &c.created, e)) < 0 ||
	    (r = config_str(doc, "author", &c.author, e)) < 0 ||
	    (r = config_str(doc, "os", &c.os, e)) < 0 ||
	    (r = config_str(doc, "architecture", &c.architecture, e)) < 0 ||
	    (r = config_process(a, doc, &c, e)) < 0 || (r = config_diff_ids(a, doc, &ids, e)) < 0)
		return r;
	*ret = c;
	*ret_diff_ids = ids;
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * oci.c - an OCI image layout, as a directory or in an archive.
 *
 *	oci-layout		{ "imageLayoutVersion": "1.0.0" }
 *	index.json		descriptors of images or of further indexes, with their names
 *	blobs/sha256/HEX	indexes, manifests, configs, layers
 */
#include <errno.h>

#include <gpurun/str.h>

#include "oci.h"

static int layout_check(struct image_source *s, struct err *e)
{
	const struct json *doc;
	const char *text, *version;
	size_t len;
	int r;

	r = source_read_document(s, "oci-layout", NULL, -1, &text, &len, NULL, e);
	if (r < 0)
		return r;
	r = json_parse(s->a, text, len, arena_printf(s->a, "%s: oci-layout", s->label), &doc, e);
	if (r < 0)
		return r;
	version = json_str(doc, "imageLayoutVersion");
	if (!version)
		return err_set(e, EINVAL, "%s: oci-layout: no imageLayoutVersion", s->label);
	if (!str_after(version, "1."))
		return err_set(e, ENOTSUP, "%s: an OCI layout of version %.20s, not 1", s->label,
			       version);
	return 0;
}

static int index_read(struct image_source *s, const struct json **ret, struct err *e)
{
	const char *what = arena_printf(s->a, "%s: index.json", s->label);
	const struct json *doc;
	const char *text;
	size_t len;
	int r;

	r = source_read_document(s, "index.json", NULL, -1, &text, &len, NULL, e);
	if (r < 0)
		return r;
	r = json_parse(s->a, text, len, what, &doc, e);
	if (r < 0)
		return r;
	r = oci_check_type(doc, OCI_INDEX, NULL, what, e);
	if (r < 0)
		return r;
	*ret = json_get(doc, "manifests");
	if (!*ret || (*ret)->type != JSON_ARRAY)
		return err_set(e, EINVAL, "%s: manifests is not an array", what);
	return 0;
}

/*
 * An entry of index.json as one of the images to choose from.  Entries of one name, or without
 * one but with platforms, are the same image for several machines.
 */
static void entry_choice(struct arena *a, const struct oci_desc *d, struct choice *ret)
{
	const char *name = json_str(d->annotations, "io.containerd.image.name");
	const char *ref = json_str(d->annotations, "org.opencontainers.image.ref.name");

	*ret = (struct choice){ .key = d->digest, .position = d->position };
	if (name)
		strv_push(a, &ret->names, name);
	if (ref)
		strv_push(a, &ret->names, ref);
	if (ret->names.n)
		ret->group = ret->names.v[0];
	else if (d->platform)
		ret->group = "";
}

/* The entries of index.json that can be an image; the rest is skipped, as the format wants it. */
static int index_entries(struct image_source *s, const struct json *list, struct oci_desc *d,
			 struct choice *c, size_t *ret_n, struct err *e)
{
	size_t n = 0, position = 0;
	int r;

	for (const struct json *v = list->child; v; v = v->next, position++) {
		r = oci_desc_parse(v, arena_printf(s->a, "%s: index.json", s->label), &d[n], e);
		if (r < 0)
			return r;
		if (oci_desc_is_attestation(&d[n]) ||
		    (d[n].kind != OCI_MANIFEST && d[n].kind != OCI_INDEX))
			continue;
		d[n].position = position;
		entry_choice(s->a, &d[n], &c[n]);
		n++;
	}
	*ret_n = n;
	return 0;
}

/* From index.json to the one manifest that is meant, and its name. */
static int manifest_choose(struct image_source *s, const char *arch, const struct oci_desc **ret,
			   const char **ret_name, struct err *e)
{
	const struct json *list;
	struct oci_desc *d;
	struct choice *c;
	size_t n, kept = 0;
	int r;

	r = index_read(s, &list, e);
	if (r < 0)
		return r;
	d = ARENA_ARRAY(s->a, struct oci_desc, list->count + 1);
	c = ARENA_ARRAY(s->a, struct choice, list->count + 1);
	r = index_entries(s, list, d, c, &n, e);
	if (r < 0)
		return r;
	r = choose_by_tag(s, c, n, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (!c[i].chosen)
			continue;
		if (kept == 0)
			*ret_name = c[i].name;
		d[kept++] = d[i];
	}
	return oci_find_manifest(s, d, kept, arch, ret, e);
}

static int manifest_layer(struct image_source *s, const struct json *obj, const char *what,
			  struct image_layer *ret, struct err *e)
{
	struct oci_desc d;
	int64_t size;
	int r;

	r = oci_desc_parse(obj, what, &d, e);
	if (r < 0)
		return r;
	if (d.kind != OCI_LAYER)
		return err_set(e, ENOTSUP, "%s: a layer of the type %.100s, which is not read",
			       what, d.type);
	*ret = (struct image_layer){ .digest = d.digest,
				     .size = d.size,
				     .blob = arena_printf(s->a, "blobs/sha256/%s", d.digest) };
	r = blob_size(s, ret->blob, &size, e);
	if (r < 0)
		return r;
	if (size != d.size)
		return err_set(e, EINVAL, "%s: %s has %jd bytes, its descriptor says %jd", s->label,
			       ret->blob, (intmax_t)size, (intmax_t)d.size);
	return 0;
}

static int manifest_layers(struct image_source *s, const struct json *doc, const char *what,
			   struct image_manifest *m, struct err *e)
{
	const struct json *list = json_get(doc, "layers");
	size_t i = 0;
	int r;

	if (!list || list->type != JSON_ARRAY)
		return err_set(e, EINVAL, "%s: layers is not an array", what);
	if (list->count > IMAGE_LAYERS_MAX)
		return err_set(e, E2BIG, "%s: %zu layers, more than %d", what, list->count,
			       IMAGE_LAYERS_MAX);
	m->layers = ARENA_ARRAY(s->a, struct image_layer, list->count);
	m->n_layers = list->count;
	for (const struct json *v = list->child; v; v = v->next) {
		r = manifest_layer(s, v, what, &m->layers[i++], e);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * The config of the manifest.  It may be absent or the empty document: the digest of the manifest
 * is the image's id then.
 */
static int manifest_config(struct image_source *s, const struct json *doc, const char *what,
			   const struct oci_desc *manifest, const char *arch,
			   struct image_manifest *m, struct err *e)
{
	const struct json *obj = json_get(doc, "config");
	struct oci_desc d = { .kind = OCI_EMPTY, .digest = manifest->digest };
	const char *text = NULL;
	size_t len = 0;
	int r = 0;

	if (obj)
		r = oci_desc_parse(obj, what, &d, e);
	if (r < 0)
		return r;
	if (d.kind == OCI_EMPTY)
		d.digest = manifest->digest;
	else if (d.kind != OCI_CONFIG)
		return err_set(e, ENOTSUP, "%s: not a container image, its config is %.100s", what,
			       d.type);
	else
		r = oci_read(s, &d, &text, &len, NULL, e);
	if (r < 0)
		return r;
	memcpy(m->config_id, d.digest, sizeof(m->config_id));
	return manifest_set_config(s, text, len, arch, m, e);
}

int oci_open(struct image_source *s, const char *arch, struct image_manifest *ret, struct err *e)
{
	const struct oci_desc *manifest;
	struct image_manifest m = { 0 };
	const struct json *doc;
	const char *text, *what;
	size_t len;
	int r;

	r = layout_check(s, e);
	if (r < 0)
		return r;
	r = manifest_choose(s, arch, &manifest, &m.name, e);
	if (r < 0)
		return r;
	r = oci_read(s, manifest, &text, &len, &doc, e);
	if (r < 0)
		return r;
	what = arena_printf(s->a, "%s: manifest sha256:%.12s", s->label, manifest->digest);
	r = manifest_layers(s, doc, what, &m, e);
	if (r == 0)
		r = manifest_config(s, doc, what, manifest, arch, &m, e);
	if (r == 0)
		*ret = m;
	return r;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * oci_doc.c - descriptors, and the documents behind them.
 */
#include <errno.h>
#include <inttypes.h>

#include <gpurun/str.h>

#include "oci.h"

static const struct {
	const char *type;
	enum oci_kind kind;
} media_types[] = {
	{ "application/vnd.oci.image.index.v1+json", OCI_INDEX },
	{ "application/vnd.docker.distribution.manifest.list.v2+json", OCI_INDEX },
	{ "application/vnd.oci.image.manifest.v1+json", OCI_MANIFEST },
	{ "application/vnd.docker.distribution.manifest.v2+json", OCI_MANIFEST },
	{ "application/vnd.oci.image.config.v1+json", OCI_CONFIG },
	{ "application/vnd.docker.container.image.v1+json", OCI_CONFIG },
	{ "application/vnd.oci.empty.v1+json", OCI_EMPTY },
	{ "application/vnd.oci.image.layer.v1.tar", OCI_LAYER },
	{ "application/vnd.oci.image.layer.v1.tar+gzip", OCI_LAYER },
	{ "application/vnd.oci.image.layer.v1.tar+zstd", OCI_LAYER },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar", OCI_LAYER },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", OCI_LAYER },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", OCI_LAYER },
	{ "application/vnd.docker.image.rootfs.diff.tar", OCI_LAYER },
	{ "application/vnd.docker.image.rootfs.diff.tar.gzip", OCI_LAYER },
	{ "application/vnd.docker.image.rootfs.diff.tar.zstd", OCI_LAYER },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar", OCI_LAYER },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", OCI_LAYER },
};

enum oci_kind oci_kind(const char *media_type)
{
	for (size_t i = 0; i < ELEMENTS(media_types); i++)
		if (str_eq(media_type, media_types[i].type))
			return media_types[i].kind;
	return OCI_UNKNOWN;
}

/* A member that must be an object or be absent. */
static int desc_object(const struct json *obj, const char *key, const char *what,
		       const struct json **ret, struct err *e)
{
	*ret = json_get(obj, key);
	if (*ret && (*ret)->type != JSON_OBJECT)
		return err_set(e, EINVAL, "%s: %s is not an object", what, key);
	return 0;
}

int oci_desc_parse(const struct json *obj, const char *what, struct oci_desc *ret, struct err *e)
{
	const char *digest = json_str(obj, "digest"), *type = json_str(obj, "mediaType");
	const struct json *size = json_get(obj, "size");
	struct oci_desc d = { .type = type ? type : "", .data = json_str(obj, "data") };
	int r;

	if (!obj || obj->type != JSON_OBJECT)
		return err_set(e, EINVAL, "%s: a descriptor is not an object", what);
	if (!digest)
		return err_set(e, EINVAL, "%s: a descriptor without a digest", what);
	r = digest_parse(digest, what, &d.digest, e);
	if (r < 0)
		return r;
	if (!size || size->type != JSON_INT || size->num < 0)
		return err_set(e, EINVAL, "%s: the size of sha256:%s is no number of bytes", what,
			       d.digest);
	d.size = size->num;
	d.kind = oci_kind(d.type);
	r = desc_object(obj, "platform", what, &d.platform, e);
	if (r == 0)
		r = desc_object(obj, "annotations", what, &d.annotations, e);
	if (r == 0)
		*ret = d;
	return r;
}

bool oci_desc_is_attestation(const struct oci_desc *d)
{
	const char *os = json_str(d->platform, "os");

	return json_str(d->annotations, "vnd.docker.reference.type") ||
	       (os && str_eq(os, "unknown"));
}

/* ---- embedded blobs -------------------------------------------------------------------- */

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* Decode; the number of bytes, or -1.  @out has room for 3/4 of the text. */
static ssize_t base64_decode(const char *text, char *out)
{
	size_t len = strlen(text), n = 0;
	uint32_t bits = 0;

	if (len % 4)
		return -1;
	while (len > 0 && text[len - 1] == '=' && n++ < 2)
		len--;
	n = 0;
	for (size_t i = 0; i < len; i++) {
		int v = base64_value(text[i]);

		if (v < 0)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4)
			out[n++] = (char)(bits >> (6 - 2 * (i % 4)));
	}
	return (ssize_t)n;
}

/* The blob is written into its descriptor; it has to be what the descriptor says all the same. */
static int data_read(struct image_source *s, const struct oci_desc *d, const char **ret_text,
		     size_t *ret_len, struct err *e)
{
	char *text = arena_alloc(s->a, strlen(d->data) / 4 * 3 + 1);
	ssize_t n = base64_decode(d->data, text);
	char hex[IMAGE_ID_HEX + 1];
	struct sha256 *h;

	if (n != d->size)
		return err_set(e, EINVAL, "%s: the data of sha256:%s are not its %" PRId64 " bytes",
			       s->label, d->digest, d->size);
	h = sha256_new(e);
	if (!h)
		return -ENOENT;
	sha256_update(h, text, (size_t)n);
	sha256_hex(h, hex);
	sha256_free(h);
	if (!str_eq(hex, d->digest))
		return err_set(e, EINVAL, "%s: the data of sha256:%s have the digest sha256:%s",
			       s->label, d->digest, hex);
	text[n] = '\0';
	*ret_text = text;
	*ret_len = (size_t)n;
	return 0;
}

/* ---- documents ------------------------------------------------------------------------- */

int oci_check_type(const struct json *doc, enum oci_kind kind, const char *type, const char *what,
		   struct err *e)
{
	const char *own = json_str(doc, "mediaType");
	const struct json *version = json_get(doc, "schemaVersion");

	if (doc->type != JSON_OBJECT)
		return err_set(e, EINVAL, "%s: not an object", what);
	if (!version || version->type != JSON_INT || version->num != 2)
		return err_set(e, ENOTSUP, "%s: schemaVersion is not 2", what);
	if (json_get(doc, "manifests") && (json_get(doc, "layers") || json_get(doc, "config")))
		return err_set(e, EINVAL, "%s: an index and a manifest at once", what);
	if (own && (type ? !str_eq(own, type) : oci_kind(own) != kind))
		return err_set(e, EINVAL, "%s: calls itself %.100s, which it must not be", what,
			       own);
	return 0;
}

int oci_read(struct image_source *s, const struct oci_desc *d, const char **ret_text,
	     size_t *ret_len, const struct json **ret_doc, struct err *e)
{
	const char *name = arena_printf(s->a, "blobs/sha256/%s", d->digest);
	const char *what = arena_printf(s->a, "%s: sha256:%.12s", s->label, d->digest);
	int r;

	if (d->data)
		r = data_read(s, d, ret_text, ret_len, e);
	else
		r = source_read_document(s, name, d->digest, d->size, ret_text, ret_len, NULL, e);
	if (r < 0 || !ret_doc)
		return r;
	r = json_parse(s->a, *ret_text, *ret_len, what, ret_doc, e);
	return r < 0 ? r : oci_check_type(*ret_doc, d->kind, d->type, what, e);
}

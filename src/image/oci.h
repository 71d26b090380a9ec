/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci.h - inside image/: the documents of an OCI layout.
 */
#ifndef GPURUN_IMAGE_OCI_H
#define GPURUN_IMAGE_OCI_H

#include <gpurun/json.h>

#include "source.h"

/* What a media type means to us. */
enum oci_kind { OCI_UNKNOWN, OCI_INDEX, OCI_MANIFEST, OCI_CONFIG, OCI_LAYER, OCI_EMPTY };

enum oci_kind oci_kind(const char *media_type);

/* A descriptor; the strings live in the document it comes from. */
struct oci_desc {
	enum oci_kind kind;
	const char *type;   /* as written */
	const char *digest; /* hex */
	const char *data;   /* base64 of the blob, or NULL */
	int64_t size;
	size_t position;                           /* in index.json */
	const struct json *platform, *annotations; /* or NULL */
};

/** oci_desc_parse - @what names the document and place in messages */
int oci_desc_parse(const struct json *obj, const char *what, struct oci_desc *ret, struct err *e);

/** oci_desc_is_attestation - a signature or provenance that looks like an image */
bool oci_desc_is_attestation(const struct oci_desc *d);

/**
 * oci_read - the document that a descriptor names, from its data or from the blob: size and
 * digest compared, and for manifests and indexes that it is what its media type says
 */
int oci_read(struct image_source *s, const struct oci_desc *d, const char **ret_text,
	     size_t *ret_len, const struct json **ret_doc, struct err *e);

/** oci_check_type - one document must not be a manifest to one reader and an index to another */
int oci_check_type(const struct json *doc, enum oci_kind kind, const char *type, const char *what,
		   struct err *e);

/**
 * oci_platform_rank - how well a descriptor suits the machine, 0 best, -1 not at all
 * A descriptor without a platform ranks last.
 */
int oci_platform_rank(const struct oci_desc *d, const char *arch);

/** oci_find_manifest - from entries of index.json through nested indexes to the one for @arch */
int oci_find_manifest(struct image_source *s, const struct oci_desc *top, size_t n,
		      const char *arch, const struct oci_desc **ret, struct err *e);

#endif

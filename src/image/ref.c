// SPDX-License-Identifier: Apache-2.0
/*
 * ref.c - how an image is named on the command line: a path, or a path behind one of skopeo's
 * prefixes.  Pure; whether a file of that name exists is for the caller to find out.
 */
#include <errno.h>
#include <limits.h>

#include <gpurun/image.h>
#include <gpurun/str.h>

#define REF_TEXT_MAX PATH_MAX

static const struct {
	const char *prefix;
	enum image_transport transport;
	bool tag; /* the path ends at the first colon, a tag may follow */
} transports[] = {
	{ "docker-archive:", IMAGE_DOCKER_ARCHIVE, true },
	{ "oci-archive:", IMAGE_OCI_ARCHIVE, true },
	{ "oci:", IMAGE_OCI, true },
	{ "dir:", IMAGE_DIR, false },
};

/* What others read and we do not; only spellings that no file or image is named by. */
static const struct {
	const char *prefix, *why, *hint;
} refused[] = {
	{ "docker-daemon:", "images are not taken from a docker daemon",
	  "docker save NAME >image.tar && gpurun image.tar" },
	{ "dockerd://", "images are not taken from a docker daemon",
	  "docker save NAME >image.tar && gpurun image.tar" },
	{ "containers-storage:", "images are not taken from podman's storage",
	  "podman save NAME >image.tar && gpurun image.tar" },
	{ "podman://", "images are not taken from podman's storage",
	  "podman save NAME >image.tar && gpurun image.tar" },
	{ "library://", "this library is not read", NULL },
	{ "shub://", "this library is not read", NULL },
	{ "oras://", "this registry form is not read", NULL },
	{ "http://", "images are not fetched from web servers", "download the file first" },
	{ "https://", "images are not fetched from web servers", "download the file first" },
};

/* "@N" chooses by position and must be a number; anything else is a name. */
static int tag_check(const char *text, const char *tag, struct err *e)
{
	uint64_t n;

	if (!*tag)
		return err_set(e, EINVAL, "%s: nothing behind the colon, a tag or @N belongs there",
			       text);
	if (*tag == '@' && num_u64(tag + 1, UINT32_MAX, &n) < 0)
		return err_set(e, EINVAL, "%s: %s is no position: @0 is the first image", text,
			       tag);
	return 0;
}

static int ref_parse_path(struct arena *a, const char *rest, bool with_tag, struct image_ref *ref,
			  struct err *e)
{
	const char *colon = with_tag ? strchr(rest, ':') : NULL;

	ref->path = colon ? arena_strndup(a, rest, (size_t)(colon - rest)) : arena_strdup(a, rest);
	if (!*ref->path)
		return err_set(e, EINVAL, "%s: the path is missing", ref->text);
	if (!colon)
		return 0;
	ref->tag = arena_strdup(a, colon + 1);
	return tag_check(ref->text, ref->tag, e);
}

/* "sha256:HEX" can only be the id of an image in the store. */
static bool is_id(const char *text)
{
	const char *hex = str_after(text, "sha256:");
	size_t n = hex ? strlen(hex) : 0;

	return n > 0 && n <= IMAGE_ID_HEX && num_is_hex(hex, n);
}

static int ref_refuse(const char *text, struct err *e)
{
	for (size_t i = 0; i < ELEMENTS(refused); i++) {
		if (!str_after(text, refused[i].prefix))
			continue;
		err_set(e, ENOTSUP, "%s: %s", text, refused[i].why);
		if (refused[i].hint)
			err_hint(e, "%s", refused[i].hint);
		return -ENOTSUP;
	}
	return 0;
}

int image_ref_parse(struct arena *a, const char *text, struct image_ref *ret, struct err *e)
{
	struct image_ref ref = { .transport = IMAGE_AUTO };
	const char *rest;
	int r;

	if (!*text)
		return err_set(e, EINVAL, "image: the name is empty");
	if (strlen(text) >= REF_TEXT_MAX)
		return err_set(e, ENAMETOOLONG, "image: the name is longer than %d bytes",
			       REF_TEXT_MAX - 1);
	r = ref_refuse(text, e);
	if (r < 0)
		return r;
	ref.text = arena_strdup(a, text);
	for (size_t i = 0; i < ELEMENTS(transports); i++) {
		rest = str_after(ref.text, transports[i].prefix);
		if (!rest)
			continue;
		ref.transport = transports[i].transport;
		r = ref_parse_path(a, rest, transports[i].tag, &ref, e);
		if (r == 0)
			*ret = ref;
		return r;
	}
	rest = str_after(ref.text, "docker://");
	if (rest) {
		ref.transport = IMAGE_REGISTRY;
		ref.tag = rest;
	} else if (!is_id(text)) {
		ref.path = ref.text;
	}
	*ret = ref;
	return 0;
}

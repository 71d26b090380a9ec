// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>

#include <gpurun/image.h>

#include "tap.h"

static const struct {
	const char *text;
	enum image_transport transport;
	const char *path, *tag;
} good[] = {
	{ "image.tar", IMAGE_AUTO, "image.tar", NULL },
	{ "/a/b c.tar", IMAGE_AUTO, "/a/b c.tar", NULL },
	{ "image.tar:v1", IMAGE_AUTO, "image.tar:v1", NULL },
	{ "debian:12", IMAGE_AUTO, "debian:12", NULL },
	{ "ocidir", IMAGE_AUTO, "ocidir", NULL },
	{ "./oci:x", IMAGE_AUTO, "./oci:x", NULL },
	{ "docker-archive:a.tar", IMAGE_DOCKER_ARCHIVE, "a.tar", NULL },
	{ "docker-archive:a.tar:x:v1", IMAGE_DOCKER_ARCHIVE, "a.tar", "x:v1" },
	{ "docker-archive:a.tar:@2", IMAGE_DOCKER_ARCHIVE, "a.tar", "@2" },
	{ "docker-archive:/d/a.tar:docker.io/a/b:v1", IMAGE_DOCKER_ARCHIVE, "/d/a.tar",
	  "docker.io/a/b:v1" },
	{ "oci-archive:a.tar:v1", IMAGE_OCI_ARCHIVE, "a.tar", "v1" },
	{ "oci:dir", IMAGE_OCI, "dir", NULL },
	{ "oci:dir:v1", IMAGE_OCI, "dir", "v1" },
	{ "dir:a:b", IMAGE_DIR, "a:b", NULL },
	{ "docker://debian:12", IMAGE_REGISTRY, NULL, "debian:12" },
	{ "sha256:0123abcd", IMAGE_AUTO, NULL, NULL },
	{ "sha256:0123ABCD", IMAGE_AUTO, "sha256:0123ABCD", NULL },
};

static const struct {
	const char *text;
	int code;
} bad[] = {
	{ "", EINVAL },
	{ "docker-archive:", EINVAL },
	{ "oci::v1", EINVAL },
	{ "oci:dir:", EINVAL },
	{ "dir:", EINVAL },
	{ "oci:dir:@", EINVAL },
	{ "oci:dir:@-1", EINVAL },
	{ "oci:dir:@x", EINVAL },
	{ "oci:dir:@99999999999999999999", EINVAL },
	{ "docker-daemon:debian:12", ENOTSUP },
	{ "containers-storage:x", ENOTSUP },
	{ "https://host/x.tar", ENOTSUP },
};

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

int main(void)
{
	struct arena *a = arena_new(0);
	static char longest[PATH_MAX + 1];
	struct image_ref ref;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err e = { 0 };
		int r = image_ref_parse(a, good[i].text, &ref, &e);

		ok(r == 0 && ref.transport == good[i].transport && same(ref.path, good[i].path) &&
			   same(ref.tag, good[i].tag) && same(ref.text, good[i].text),
		   "%s is read", good[i].text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct image_ref untouched = { .text = "untouched" };
		struct err e = { 0 };
		int r = image_ref_parse(a, bad[i].text, &untouched, &e);

		ok(r == -bad[i].code && err_is_set(&e) && same(untouched.text, "untouched"),
		   "\"%s\" is refused: %s", bad[i].text, e.msg);
	}
	memset(longest, 'x', PATH_MAX);
	is_int(image_ref_parse(a, longest, &ref, NULL), -ENAMETOOLONG, "a name that is too long");
	arena_free(a);
	return done_testing();
}

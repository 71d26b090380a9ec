// SPDX-License-Identifier: Apache-2.0
/* docker save and its relatives. */
#include <errno.h>

#include "images.h"

#define NO ((struct bytes){ 0 })

/* A config for these layers. */
static struct bytes config(const char *diff0, const char *diff1)
{
	return bytes_of(text_of(
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"A=b\"],"
		"\"Cmd\":[\"sh\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\""
		"%s%s%s]}}",
		diff0, diff1 ? ",\"sha256:" : "", diff1 ? diff1 : "", diff1 ? "\"" : ""));
}

/* The layout that docker wrote up to version 24 and that skopeo writes. */
struct legacy {
	struct files fs;
	struct bytes low, high, config;
	const char *id; /* of the config */
};

static void legacy_init(struct legacy *l)
{
	*l = (struct legacy){ .low = tar_layer("low", "1"), .high = tar_layer("high", "2") };
	l->config = config(digest_of(l->low), digest_of(l->high));
	l->id = digest_of(l->config);
	files_add(&l->fs, text_of("%s.tar", digest_of(l->low)), l->low);
	files_add(&l->fs, text_of("%s.tar", digest_of(l->high)), l->high);
	files_add(&l->fs, text_of("%s.json", l->id), l->config);
	files_add(&l->fs, "manifest.json",
		  bytes_of(text_of("[{\"Config\":\"%s.json\",\"RepoTags\":[\"foo/bar:v1\"],"
				   "\"Layers\":[\"%s.tar\",\"%s.tar\"]}]",
				   l->id, digest_of(l->low), digest_of(l->high))));
	files_add(&l->fs, "repositories", bytes_of("{}"));
}

/* One element of manifest.json for the image of @l. */
static const char *element(const struct legacy *l, const char *tags)
{
	return text_of(
		"{\"Config\":\"%s.json\",\"RepoTags\":%s,\"Layers\":[\"%s.tar\",\"%s.tar\"]}",
		l->id, tags, digest_of(l->low), digest_of(l->high));
}

static void accepted(struct legacy *l, struct bytes file, const char *ref, const char *what)
{
	struct opened o;

	image_try(&o, file, ref);
	is_int(o.r, 0, "%s %s", what, o.e.msg);
	if (o.r == 0) {
		is_str(o.m.config_id, l->id, "%s: the id of its config", what);
		is_int((long)o.m.n_layers, 2, "%s: two layers", what);
		is_str(o.m.layers[0].diff_id, digest_of(l->low), "%s: the bottom first", what);
		ok(layer_is(&o, 1, l->high) && layer_is(&o, 0, l->low), "%s: layers are read",
		   what);
		ok(o.m.config.env.n == 1 && o.m.config.cmd.n == 1, "%s: config", what);
	}
	image_done(&o);
}

static void test_legacy(void)
{
	static struct legacy l;
	struct opened o;

	legacy_init(&l);
	accepted(&l, files_tar(&l.fs, ""), "", "legacy");
	accepted(&l, files_tar(&l.fs, "./"), "", "legacy, with ./ in front");
	accepted(&l, files_tar(&l.fs, ""), "docker-archive:x", "legacy, forced");
	accepted(&l, filter("gzip -c", files_tar(&l.fs, "")), "", "legacy, compressed whole");
	accepted(&l, filter("xz -c", files_tar(&l.fs, "./")), "docker-archive:x:v1",
		 "legacy, compressed whole, forced");
	image_try(&o, files_tar(&l.fs, ""), "");
	is_str(o.m.name, "foo/bar:v1", "its name");
	ok(!o.m.layers[0].digest && o.m.layers[0].size == (int64_t)l.low.n,
	   "a layer is proven by its diff_id");
	image_done(&o);
	refused(files_tar(&l.fs, ""), "oci-archive:x", EINVAL, "not an OCI archive",
		"forced as OCI");
}

/* Up to docker 24: HEX/layer.tar, and links for layers that are there already. */
static void test_links(void)
{
	static struct legacy l;
	struct bytes tar = { 0 };
	const char *a, *b;

	legacy_init(&l);
	l.high = l.low;
	l.config = config(digest_of(l.low), digest_of(l.low));
	l.id = digest_of(l.config);
	a = digest_of(bytes_of("a"));
	b = digest_of(bytes_of("b"));
	tar_add(&tar, text_of("%s/", a), '5', NULL, NO);
	tar_add(&tar, text_of("%s/VERSION", a), '0', NULL, bytes_of("1.0"));
	tar_add(&tar, text_of("%s/json", a), '0', NULL, bytes_of("{}"));
	tar_add(&tar, text_of("%s/layer.tar", a), '0', NULL, l.low);
	tar_add(&tar, text_of("%s/layer.tar", b), '2', text_of("../%s/layer.tar", a), NO);
	tar_add(&tar, text_of("%s.json", l.id), '0', NULL, l.config);
	tar_add(&tar, "manifest.json", '0', NULL,
		bytes_of(text_of("[{\"Config\":\"%s.json\",\"RepoTags\":null,\"Layers\":"
				 "[\"%s/layer.tar\",\"%s/layer.tar\"]}]",
				 l.id, a, b)));
	tar_end(&tar);
	accepted(&l, tar, "", "HEX/layer.tar and a link to it");
}

static void layers(const char *what, const char *list, const char *diff0, const char *diff1,
		   struct files *more, int code, const char *text)
{
	static struct files fs;
	struct bytes c = config(diff0, diff1);
	struct opened o;

	fs = *more;
	files_add(&fs, text_of("%s.json", digest_of(c)), c);
	files_add(
		&fs, "manifest.json",
		bytes_of(text_of("[{\"Config\":\"%s.json\",\"Layers\":%s}]", digest_of(c), list)));
	image_try(&o, files_tar(&fs, ""), "docker-archive:x");
	if (code)
		ok(o.r == -code && strstr(o.e.msg, text), "%s: %s", what, o.e.msg);
	else
		ok(o.r == 0 && layer_read(&o, 0, NULL, NULL) == 0 &&
			   (!diff1 || layer_read(&o, 1, NULL, NULL) == 0),
		   "%s %s", what, o.e.msg);
	image_done(&o);
}

static void test_layers(void)
{
	struct bytes low = tar_layer("low", "1"), high = tar_layer("high", "2");
	const char *x = digest_of(low), *y = digest_of(high);
	static struct files fs, loop, deep, dir;

	files_add(&fs, "a.tar", low);
	files_add(&fs, "b.tar", high);
	files_link(&fs, "sub/link.tar", "../a.tar");
	files_link(&fs, "link2.tar", "sub/link.tar");
	files_link(&fs, "out.tar", "/a.tar");
	files_link(&fs, "host.tar", "../../../../etc/passwd");
	files_link(&fs, "nowhere.tar", "c.tar");
	layers("names of any kind", "[\"a.tar\",\"b.tar\"]", x, y, &fs, 0, NULL);
	layers("./ in front of a layer", "[\"./a.tar\"]", x, NULL, &fs, 0, NULL);
	layers("the same layer twice", "[\"a.tar\",\"a.tar\"]", x, x, &fs, 0, NULL);
	layers("a layer that is a link", "[\"sub/link.tar\",\"b.tar\"]", x, y, &fs, 0, NULL);
	layers("a link to a link", "[\"link2.tar\"]", x, NULL, &fs, 0, NULL);
	layers("an absolute link stays inside", "[\"out.tar\"]", x, NULL, &fs, 0, NULL);
	layers("a link to the host", "[\"host.tar\"]", x, NULL, &fs, ENOENT, "is missing");
	layers("a link to nothing", "[\"nowhere.tar\"]", x, NULL, &fs, ENOENT, "is missing");
	layers("a layer that is not there", "[\"c.tar\"]", x, NULL, &fs, ENOENT,
	       "c.tar is missing");
	layers("one file for two diff_ids", "[\"a.tar\",\"a.tar\"]", x, y, &fs, EINVAL,
	       "two different diff_ids");
	layers("more layers than diff_ids", "[\"a.tar\",\"b.tar\"]", x, NULL, &fs, EINVAL,
	       "2 layers, but 1 diff_ids");
	layers("fewer layers than diff_ids", "[\"a.tar\"]", x, y, &fs, EINVAL,
	       "1 layers, but 2 diff_ids");
	layers("no layers", "[]", x, NULL, &fs, EINVAL, "no layers");
	layers("Layers is null", "null", x, NULL, &fs, EINVAL, "no layers");
	layers("Layers is a string", "\"a.tar\"", x, NULL, &fs, EINVAL, "not an array");
	layers("a layer that is a number", "[1]", x, NULL, &fs, EINVAL, "not an array of strings");
	layers("a layer above the archive", "[\"../a.tar\"]", x, NULL, &fs, EINVAL,
	       "leaves the archive");
	layers("a layer with dots inside", "[\"sub/../a.tar\"]", x, NULL, &fs, EINVAL,
	       "leaves the archive");
	layers("an absolute layer", "[\"/etc/passwd\"]", x, NULL, &fs, EINVAL,
	       "leaves the archive");
	layers("a layer without a name", "[\"\"]", x, NULL, &fs, EINVAL, "is empty");
	files_link(&loop, "a.tar", "b.tar");
	files_link(&loop, "b.tar", "a.tar");
	files_link(&loop, "c.tar", "c.tar");
	layers("links in a circle", "[\"a.tar\"]", x, NULL, &loop, ELOOP, "too many links");
	layers("a link to itself", "[\"c.tar\"]", x, NULL, &loop, ELOOP, "too many links");
	for (int i = 0; i < 20; i++)
		files_link(&deep, text_of("%d.tar", i), text_of("%d.tar", i + 1));
	files_add(&deep, "20.tar", low);
	layers("a long chain of links", "[\"0.tar\"]", x, NULL, &deep, ELOOP, "too many links");
	layers("a short chain of links", "[\"14.tar\"]", x, NULL, &deep, 0, NULL);
	files_link(&dir, "a.tar", ".");
	layers("a link to the root", "[\"a.tar\"]", x, NULL, &dir, ENOENT, "is missing");
}

/* A layer as it was compressed: google's tarballs, the containerd image store. */
static void test_compressed(void)
{
	struct bytes low = tar_layer("low", "1"), gz = filter("gzip -c", low);
	const char *blob = digest_of(gz);
	struct bytes c = config(digest_of(low), NULL);
	static struct files fs, names;
	struct opened o;

	files_add(&fs, text_of("blobs/sha256/%s", blob), gz);
	files_add(&fs, text_of("blobs/sha256/%s", digest_of(c)), c);
	files_add(&fs, "manifest.json",
		  bytes_of(text_of("[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[],\"Layers\":"
				   "[\"blobs/sha256/%s\"]}]",
				   digest_of(c), blob)));
	image_try(&o, files_tar(&fs, ""), "");
	ok(o.r == 0 && layer_is(&o, 0, low), "a compressed layer %s", o.e.msg);
	is_str(o.m.layers ? o.m.layers[0].digest : NULL, blob, "whose name is its digest");
	ok(o.r == 0 && !o.m.name, "an image without a name");
	image_done(&o);
	files_set(&fs, text_of("blobs/sha256/%s", blob), filter("gzip -1 -c", tar_layer("x", "y")));
	image_try(&o, files_tar(&fs, ""), "");
	is_int(layer_read(&o, 0, NULL, NULL), -EINVAL, "another blob under this name: %s", o.e.msg);
	image_done(&o);

	files_add(&names, text_of("sha256:%s", digest_of(c)), c);
	files_add(&names, text_of("%s.tar.gz", blob), gz);
	files_add(&names, "manifest.json",
		  bytes_of(text_of("[{\"Config\":\"sha256:%s\",\"RepoTags\":[\"a\"],\"Layers\":"
				   "[\"%s.tar.gz\"]}]",
				   digest_of(c), blob)));
	image_try(&o, files_tar(&names, ""), "");
	ok(o.r == 0 && layer_is(&o, 0, low), "sha256:HEX and HEX.tar.gz as names %s", o.e.msg);
	image_done(&o);
	files_set(&names, text_of("sha256:%s", digest_of(c)), config(digest_of(gz), NULL));
	refused(files_tar(&names, ""), "", EINVAL, "the digest is", "a config that was changed");
}

static void test_tags(void)
{
	static struct legacy l;
	static struct files fs;
	struct opened o;
	static const struct {
		const char *ref, *name;
	} found[] = {
		{ "docker-archive:x:foo/bar:v1", "foo/bar:v1" },
		{ "docker-archive:x:docker.io/foo/bar:v1", "foo/bar:v1" },
		{ "docker-archive:x:debian", "docker.io/library/debian:latest" },
		{ "docker-archive:x:debian:latest", "docker.io/library/debian:latest" },
		{ "docker-archive:x:library/debian:latest", "docker.io/library/debian:latest" },
		{ "docker-archive:x:index.docker.io/library/debian:latest",
		  "docker.io/library/debian:latest" },
		{ "docker-archive:x:old", "host:5000/other:old" },
		{ "docker-archive:x:@1", "docker.io/library/debian:latest" },
		{ "docker-archive:x:@2", NULL },
	};

	legacy_init(&l);
	fs = l.fs;
	files_set(&fs, "manifest.json",
		  bytes_of(text_of("[%s,%s,%s]", element(&l, "[\"foo/bar:v1\",\"foo/bar:v2\"]"),
				   element(&l, "[\"docker.io/library/debian:latest\","
					       "\"host:5000/other:old\",\"x/y:v1\"]"),
				   element(&l, "null"))));
	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
		image_try(&o, files_tar(&fs, ""), found[i].ref);
		ok(o.r == 0 && (found[i].name ? o.m.name && !strcmp(o.m.name, found[i].name)
					      : !o.m.name),
		   "%s is %s %s", found[i].ref, o.m.name ? o.m.name : "nameless", o.e.msg);
		image_done(&o);
	}
	image_try(&o, files_tar(&fs, ""), "");
	ok(o.r == -EINVAL && strstr(o.e.msg, "foo/bar:v1") && strstr(o.e.msg, "debian:latest") &&
		   strstr(o.e.msg, "@2"),
	   "without a tag: %s", o.e.msg);
	is_str(o.e.hint, "gpurun docker-archive:x:foo/bar:v1", "and how to say it");
	image_done(&o);
	refused(files_tar(&fs, ""), "docker-archive:x:v1", EINVAL, "several images",
		"a tag that two images have");
	refused(files_tar(&fs, ""), "docker-archive:x:nope", ENOENT, "no image nope",
		"an unknown tag");
	refused(files_tar(&fs, ""), "docker-archive:x:@3", ENOENT, "no image @3",
		"a position behind");
	refused(files_tar(&fs, ""), "docker-archive:x:foo/bar", ENOENT, "no image foo/bar",
		"latest is not there");
}

static const struct {
	const char *manifest, *text;
	int code;
} bad[] = {
	{ "", "", EINVAL },
	{ "null", "not an array", EINVAL },
	{ "{}", "not an array", EINVAL },
	{ "[]", "holds no image", EINVAL },
	{ "[null]", "not an object", EINVAL },
	{ "[[]]", "not an object", EINVAL },
	{ "[{}]", "Config is not a string", EINVAL },
	{ "[{\"Config\":1}]", "Config is not a string", EINVAL },
	{ "[{\"Config\":\"\"}]", "Config is empty", EINVAL },
	{ "[{\"Config\":\"../../etc/passwd\"}]", "leaves the archive", EINVAL },
	{ "[{\"Config\":\"blobs/\"}]", "is missing", ENOENT },
	{ "[{\"Config\":\"manifest.json\",\"RepoTags\":\"a\"}]", "RepoTags", EINVAL },
	{ "[{\"Config\":\"manifest.json\",\"RepoTags\":[1]}]", "RepoTags", EINVAL },
	{ "[{\"Config\":\"a\",\"Config\":\"b\"}]", "", EINVAL },
	{ "[{\"Config\":\"manifest.json\",\"Layers\":[\"manifest.json\"]}]", "not an object",
	  EINVAL },
};

static void test_bad(void)
{
	static struct files fs;
	struct bytes large = bytes_zero((4U << 20) + 1);
	struct opened o;
	char *many;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fs.n = 0;
		files_add(&fs, "manifest.json", bytes_of(bad[i].manifest));
		image_try(&o, files_tar(&fs, ""), "");
		ok(o.r == -bad[i].code && err_is_set(&o.e) && strstr(o.e.msg, bad[i].text),
		   "manifest.json %s: %s", bad[i].manifest, o.e.msg);
		image_done(&o);
	}
	many = text_of("[{\"Config\":\"manifest.json\",\"Layers\":[");
	for (int i = 0; i < IMAGE_LAYERS_MAX; i++)
		many = text_of("%s\"a\",", many);
	fs.n = 0;
	files_add(&fs, "manifest.json", bytes_of(text_of("%s\"a\"]}]", many)));
	refused(files_tar(&fs, ""), "", E2BIG, "129 layers", "too many layers");
	fs.n = 0;
	files_add(&fs, "manifest.json", large);
	refused(files_tar(&fs, ""), "", EFBIG, "larger than", "a manifest of more than 4 MiB");
}

static void test_machine(void)
{
	struct bytes low = tar_layer("low", "1");
	static struct files fs;
	static const struct {
		const char *machine, *text;
	} cases[] = {
		{ "\"os\":\"windows\",", "is for windows" },
		{ "\"os\":\"linux\",\"architecture\":\"s390x\",", "is for s390x" },
	};

	for (size_t i = 0; i < 2; i++) {
		fs.n = 0;
		files_add(&fs, "a.tar", low);
		files_add(&fs, "c.json",
			  bytes_of(text_of("{%s\"rootfs\":{\"type\":\"layers\",\"diff_ids\":"
					   "[\"sha256:%s\"]}}",
					   cases[i].machine, digest_of(low))));
		files_add(&fs, "manifest.json",
			  bytes_of("[{\"Config\":\"c.json\",\"Layers\":[\"a.tar\"]}]"));
		refused(files_tar(&fs, ""), "docker-archive:x", ENOTSUP, cases[i].text,
			"an image for another machine");
	}
}

int main(void)
{
	test_legacy();
	test_links();
	test_layers();
	test_compressed();
	test_tags();
	test_bad();
	test_machine();
	return done_testing();
}

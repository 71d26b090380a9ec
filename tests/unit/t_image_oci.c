// SPDX-License-Identifier: Apache-2.0
/* OCI layouts, as a directory and in an archive, and docker save's archive that has one inside. */
#include <errno.h>

#include "images.h"

#define NO        ((struct bytes){ 0 })
#define INDEX     "application/vnd.oci.image.index.v1+json"
#define MANIFEST  "application/vnd.oci.image.manifest.v1+json"
#define CONFIG    "application/vnd.oci.image.config.v1+json"
#define LAYER     "application/vnd.oci.image.layer.v1.tar"
#define AMD64     ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}"
#define V3        ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\",\"variant\":\"v3\"}"
#define ARM64     ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}"
#define REF(name) ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" name "\"}"

/* {"mediaType":...,"digest":...,"size":...EXTRA} */
static const char *desc(const char *type, struct bytes b, const char *extra)
{
	return text_of("{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%zu%s}", type,
		       digest_of(b), b.n, extra);
}

static struct bytes index_of(const char *manifests)
{
	return bytes_of(text_of(
		"{\"schemaVersion\":2,\"mediaType\":\"" INDEX "\",\"manifests\":[%s]}", manifests));
}

static struct bytes manifest_of(const char *config, const char *layers)
{
	return bytes_of(text_of("{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST "\",\"config\":%s,"
				"\"layers\":[%s]}",
				config, layers));
}

static struct bytes config_of(const char *arch, const char *env, struct bytes layer)
{
	return bytes_of(
		text_of("{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Env\":"
			"[\"%s\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
			arch, env, digest_of(layer)));
}

/* Add an image of one layer; its manifest. */
static struct bytes image_add(struct files *fs, const char *arch, const char *env,
			      const char *command, const char *type)
{
	struct bytes tar = tar_layer("name", env), blob = command ? filter(command, tar) : tar;
	struct bytes c = config_of(arch, env, tar), m;

	m = manifest_of(desc(CONFIG, c, ""), desc(type, blob, ""));
	files_blob(fs, blob);
	files_blob(fs, c);
	files_blob(fs, m);
	return m;
}

static struct files *layout_new(void)
{
	struct files *fs = ARENA_NEW(images_arena(), struct files);

	files_add(fs, "oci-layout", bytes_of("{\"imageLayoutVersion\":\"1.0.0\"}"));
	return fs;
}

/* Does @ref find the image whose environment is @env? */
static void finds(const struct files *fs, const char *ref, const char *env, const char *what)
{
	struct opened o;

	image_try(&o, files_tar(fs, "./"), ref);
	ok(o.r == 0 && o.m.config.env.n == 1 && strcmp(o.m.config.env.v[0], env) == 0 &&
		   layer_is(&o, 0, tar_layer("name", env)),
	   "%s %s", what, o.e.msg);
	image_done(&o);
}

static void test_forms(void)
{
	struct files *fs = layout_new();
	struct bytes m = image_add(fs, "amd64", "A=1", "gzip -c", LAYER "+gzip");
	char *dir = temp_dir();
	struct opened o;
	int fd;

	files_add(fs, "index.json", index_of(desc(MANIFEST, m, AMD64 REF("v1"))));
	finds(fs, "", "A=1", "an OCI archive");
	finds(fs, "oci-archive:x", "A=1", "forced");
	finds(fs, "oci-archive:x:v1", "A=1", "by its tag");
	finds(fs, "oci-archive:x:@0", "A=1", "by its position");
	image_try(&o, filter("zstd -q -c", files_tar(fs, "")), "");
	ok(o.r == 0 && layer_is(&o, 0, tar_layer("name", "A=1")), "compressed whole %s", o.e.msg);
	is_str(o.m.name, "v1", "its name");
	is_int((long)strlen(o.m.config_id), IMAGE_ID_HEX, "its id");
	image_done(&o);

	files_write(fs, dir);
	for (int i = 0; i < 2; i++) {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		image_try_fd(&o, fd, i ? "oci:x:v1" : "", NULL);
		ok(o.r == 0 && layer_is(&o, 0, tar_layer("name", "A=1")), "a directory %s",
		   o.e.msg);
		image_done(&o);
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	image_try_fd(&o, fd, "oci-archive:x", NULL);
	ok(o.r == -EISDIR && *o.e.hint, "a directory is no archive: %s", o.e.msg);
	image_done(&o);
	temp_remove(dir);
	refused(files_tar(fs, ""), "oci:x", ENOTDIR, "a file", "an archive is no directory");
	refused(files_tar(fs, ""), "docker-archive:x", ENOENT, "manifest.json is missing",
		"an OCI archive is no docker archive");
}

/* A name outside of the layout does not make a root file system of it. */
static void test_extra(void)
{
	struct files *fs = layout_new();
	struct bytes m = image_add(fs, "amd64", "A=1", NULL, LAYER);

	files_add(fs, "README", bytes_of("hello"));
	files_add(fs, "index.json", index_of(desc(MANIFEST, m, "")));
	finds(fs, "", "A=1", "unknown files are ignored");
}

static void test_types(void)
{
	static const struct {
		const char *type, *command;
	} types[] = {
		{ LAYER, NULL },
		{ LAYER "+gzip", "gzip -c" },
		{ LAYER "+zstd", "zstd -q -c" },
		{ LAYER, "gzip -c" },
		{ LAYER "+gzip", "zstd -q -c" },
		{ LAYER "+zstd", NULL },
		{ LAYER "+gzip", "xz -c" },
		{ "application/vnd.docker.image.rootfs.diff.tar.gzip", "gzip -c" },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "gzip -c" },
	};
	struct bytes m;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct files *fs = layout_new();

		m = image_add(fs, "amd64", "A=1", types[i].command, types[i].type);
		files_add(fs, "index.json", index_of(desc(MANIFEST, m, "")));
		finds(fs, "", "A=1",
		      text_of("%s that is %s", types[i].type,
			      types[i].command ? types[i].command : "not compressed"));
	}
}

static void test_platforms(void)
{
	struct files *fs = layout_new();
	struct bytes amd = image_add(fs, "amd64", "A=amd", NULL, LAYER);
	struct bytes arm = image_add(fs, "arm64", "A=arm", NULL, LAYER);
	struct bytes v3 = image_add(fs, "amd64", "A=v3", NULL, LAYER);
	struct bytes none = image_add(fs, "amd64", "A=none", NULL, LAYER);
	struct bytes att = image_add(fs, "amd64", "A=att", NULL, LAYER);
	static const char unknown[] =
		",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"},"
		"\"annotations\":{\"vnd.docker.reference.type\":"
		"\"attestation-manifest\"}";
	static const char windows[] =
		",\"platform\":{\"os\":\"windows\",\"architecture\":\"amd64\"}";
	struct bytes nested;

	nested = index_of(text_of("%s,%s,%s,%s", desc(MANIFEST, arm, ARM64), desc(MANIFEST, v3, V3),
				  desc(MANIFEST, amd, AMD64), desc(MANIFEST, att, unknown)));
	files_blob(fs, nested);
	files_add(fs, "index.json", index_of(desc(INDEX, nested, REF("multi"))));
	finds(fs, "", "A=amd", "nested index, two platforms");
	finds(fs, "oci-archive:x:multi", "A=amd", "nested index by tag");
	/* what is for others may be missing */
	files_set(fs, text_of("blobs/sha256/%s", digest_of(arm)), NO);
	finds(fs, "", "A=amd", "the other platform's blobs are missing");

	files_set(fs, "index.json",
		  index_of(text_of("%s,%s,%s", desc(MANIFEST, att, unknown),
				   desc(MANIFEST, arm, ARM64), desc(MANIFEST, amd, AMD64))));
	finds(fs, "", "A=amd", "a flat index of nameless platforms");
	files_set(fs, "index.json",
		  index_of(text_of("%s,%s", desc(MANIFEST, v3, V3), desc(MANIFEST, arm, ARM64))));
	finds(fs, "", "A=v3", "only a variant is there");
	nested = index_of(text_of("%s,%s", desc(MANIFEST, none, ""), desc(MANIFEST, amd, AMD64)));
	files_blob(fs, nested);
	files_set(fs, "index.json", index_of(desc(INDEX, nested, "")));
	finds(fs, "", "A=amd", "one with a platform before one without");
	nested = index_of(text_of("%s,%s", desc(MANIFEST, none, ""), desc(MANIFEST, amd, windows)));
	files_blob(fs, nested);
	files_set(fs, "index.json", index_of(desc(INDEX, nested, "")));
	finds(fs, "", "A=none", "one without a platform before one for windows");
	nested = index_of(text_of("%s,%s", desc(MANIFEST, amd, AMD64),
				  desc(MANIFEST, v3,
				       AMD64 ",\"annotations\":{\"io.github.containers.compression"
					     ".zstd\":\"true\"}")));
	files_blob(fs, nested);
	files_set(fs, "index.json", index_of(desc(INDEX, nested, "")));
	finds(fs, "", "A=v3", "zstd before gzip");

	files_set(fs, "index.json",
		  index_of(text_of("%s,%s", desc(MANIFEST, arm, ARM64),
				   desc(MANIFEST, v3, windows))));
	refused(files_tar(fs, ""), "", ENOTSUP, "linux/arm64", "not for this machine");
	files_set(fs, "index.json", index_of(desc(MANIFEST, att, unknown)));
	refused(files_tar(fs, ""), "", EINVAL, "holds no image", "nothing but an attestation");
	files_set(fs, "index.json", index_of(""));
	refused(files_tar(fs, ""), "", EINVAL, "holds no image", "an empty index");
	files_set(fs, "index.json", index_of(desc(MANIFEST, amd, ARM64)));
	refused(files_tar(fs, ""), "", ENOTSUP, "linux/arm64",
		"the descriptor says another machine");
	files_blob(fs, arm);
	files_set(fs, "index.json", index_of(desc(MANIFEST, arm, AMD64)));
	refused(files_tar(fs, ""), "", ENOTSUP, "is for arm64", "the config says another machine");
}

static void test_tags(void)
{
	struct files *fs = layout_new();
	struct bytes a = image_add(fs, "amd64", "A=a", NULL, LAYER);
	struct bytes b = image_add(fs, "amd64", "A=b", NULL, LAYER);
	struct bytes c = image_add(fs, "arm64", "A=c", NULL, LAYER);
	struct opened o;

	files_add(fs, "index.json",
		  index_of(text_of("%s,%s,%s,%s",
				   desc("application/vnd.example.unknown+json", a, REF("v0")),
				   desc(MANIFEST, a, AMD64 REF("v1")),
				   desc(MANIFEST, b,
					AMD64 ",\"annotations\":{\"io.containerd.image.name\":"
					      "\"docker.io/library/deb:12\","
					      "\"org.opencontainers.image.ref.name\":\"12\"}"),
				   desc(MANIFEST, c, ARM64 REF("v1")))));
	finds(fs, "oci-archive:x:v1", "A=a", "two platforms of one name");
	finds(fs, "oci-archive:x:12", "A=b", "ref.name");
	finds(fs, "oci-archive:x:docker.io/library/deb:12", "A=b", "containerd's name");
	finds(fs, "oci-archive:x:deb:12", "A=b", "containerd's name, shortened");
	finds(fs, "oci-archive:x:@1", "A=a", "by position, counting what is skipped");
	finds(fs, "oci-archive:x:@2", "A=b", "by position");
	image_try(&o, files_tar(fs, ""), "");
	ok(o.r == -EINVAL && strstr(o.e.msg, "v1") && strstr(o.e.msg, "deb:12"),
	   "without a tag: %s", o.e.msg);
	is_str(o.e.hint, "gpurun oci-archive:x:v1", "and how to say it");
	image_done(&o);
	refused(files_tar(fs, ""), "oci-archive:x:v0", ENOENT, "no image v0",
		"the name of what is no image");
	refused(files_tar(fs, ""), "oci-archive:x:@3", ENOTSUP, "linux/arm64",
		"position of another machine");
	refused(files_tar(fs, ""), "oci-archive:x:@0", ENOENT, "no image @0",
		"position of no image");
	files_set(fs, "index.json",
		  index_of(text_of("%s,%s", desc(MANIFEST, a, REF("v1")),
				   desc(MANIFEST, a, REF("v2")))));
	finds(fs, "", "A=a", "two names of one image need no tag");
	files_set(fs, "index.json",
		  index_of(text_of("%s,%s", desc(MANIFEST, a, ""), desc(MANIFEST, b, ""))));
	refused(files_tar(fs, ""), "", EINVAL, "@0, @1", "two nameless images");
	finds(fs, "oci-archive:x:@1", "A=b", "a nameless one by position");
	files_set(fs, "index.json",
		  index_of(text_of("%s,%s", desc(MANIFEST, a, AMD64), desc(MANIFEST, b, AMD64))));
	refused(files_tar(fs, ""), "", EINVAL, "several images for linux/amd64",
		"two nameless images for one platform");
	image_try(&o, files_tar(fs, ""), "");
	is_str(o.e.hint, "gpurun oci-archive:x:@0", "and how to say it");
	image_done(&o);
	files_set(fs, "index.json",
		  index_of(text_of("%s,%s,%s", desc(MANIFEST, a, V3), desc(MANIFEST, b, V3),
				   desc(MANIFEST, c, AMD64))));
	refused(files_tar(fs, ""), "", ENOTSUP, "is for arm64", "a better one ends the doubt");
}

/* Docker 25 and later write both descriptions. */
static void test_docker(void)
{
	struct files *fs = layout_new();
	struct bytes tar = tar_layer("name", "A=1"), c = config_of("amd64", "A=1", tar);
	struct bytes m = image_add(fs, "amd64", "A=1", NULL, LAYER);
	struct opened o;

	files_add(fs, "manifest.json",
		  bytes_of(text_of("[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[\"busybox:1\"],"
				   "\"Layers\":[\"blobs/sha256/%s\"],\"LayerSources\":{}}]",
				   digest_of(c), digest_of(tar))));
	files_add(fs, "repositories", bytes_of("{}"));
	files_add(fs, "index.json",
		  index_of(desc(
			  MANIFEST, m,
			  ",\"annotations\":{\"io.containerd.image.name\":"
			  "\"docker.io/library/busybox:1\",\"org.opencontainers.image.ref.name\":"
			  "\"1\"}")));
	for (int i = 0; i < 2; i++) {
		image_try(&o, files_tar(fs, ""), i ? "docker-archive:x:busybox:1" : "");
		ok(o.r == 0 && layer_is(&o, 0, tar), "docker save with a layout inside %s",
		   o.e.msg);
		is_str(o.m.config_id, digest_of(c), "has one id whichever way it is read");
		is_str(o.m.name, i ? "busybox:1" : "docker.io/library/busybox:1", "and a name");
		image_done(&o);
	}
}

static void test_nesting(void)
{
	struct files *fs = layout_new();
	struct bytes m = image_add(fs, "amd64", "A=1", NULL, LAYER), inner;
	const char *d = desc(MANIFEST, m, "");
	struct bytes many = bytes_of(desc(LAYER, m, ""));

	for (int depth = 1; depth <= 9; depth++) {
		inner = index_of(d);
		files_blob(fs, inner);
		d = desc(INDEX, inner, "");
		files_set(fs, "index.json", index_of(d));
		if (depth == 8)
			finds(fs, "", "A=1", "indexes nested 8 deep");
	}
	refused(files_tar(fs, ""), "", ELOOP, "nested deeper", "indexes nested 9 deep");
	/* the same index again and again is read once; the same manifest is no other image */
	inner = index_of(desc(MANIFEST, m, ""));
	files_blob(fs, inner);
	d = desc(INDEX, inner, "");
	inner = index_of(text_of("%s,%s,%s", d, d, desc(MANIFEST, m, "")));
	files_blob(fs, inner);
	files_set(fs, "index.json", index_of(desc(INDEX, inner, "")));
	finds(fs, "", "A=1", "one index twice");
	for (int i = 0; i < 1000; i++)
		bytes_add(&many, text_of(",%s", desc(LAYER, m, "")),
			  strlen(desc(LAYER, m, "")) + 1);
	inner = (struct bytes){ 0 };
	bytes_add(&inner, "{\"schemaVersion\":2,\"manifests\":[", 32);
	bytes_add(&inner, many.p, many.n);
	bytes_add(&inner, "]}", 2);
	files_blob(fs, inner);
	files_set(fs, "index.json", index_of(desc(INDEX, inner, "")));
	refused(files_tar(fs, ""), "", E2BIG, "more than 1000", "1001 descriptors");
}

static void test_config(void)
{
	struct bytes tar = tar_layer("name", "x"), m;
	struct files *fs = layout_new();
	struct opened o;

	files_blob(fs, tar);
	m = bytes_of(text_of("{\"schemaVersion\":2,\"layers\":[%s]}", desc(LAYER, tar, "")));
	files_blob(fs, m);
	files_add(fs, "index.json", index_of(desc(MANIFEST, m, "")));
	image_try(&o, files_tar(fs, ""), "");
	ok(o.r == 0 && layer_is(&o, 0, tar), "a manifest without a config %s", o.e.msg);
	is_str(o.m.config_id, digest_of(m), "has the id of the manifest");
	ok(o.r == 0 && !o.m.layers[0].diff_id, "and nobody knows the diff_id");
	image_done(&o);
	m = manifest_of(desc("application/vnd.oci.empty.v1+json", bytes_of("{}"), ""),
			desc(LAYER, tar, ""));
	files_blob(fs, m);
	files_set(fs, "index.json", index_of(desc(MANIFEST, m, "")));
	image_try(&o, files_tar(fs, ""), "");
	ok(o.r == 0 && layer_is(&o, 0, tar), "an empty config %s", o.e.msg);
	image_done(&o);
	m = manifest_of(desc("application/vnd.cncf.helm.config.v1+json", bytes_of("{}"), ""),
			desc(LAYER, tar, ""));
	files_blob(fs, m);
	files_set(fs, "index.json", index_of(desc(MANIFEST, m, "")));
	refused(files_tar(fs, ""), "", ENOTSUP, "not a container image", "an artifact");
}

/* The blob inside the descriptor. */
static void test_data(void)
{
	struct files *fs = layout_new();
	struct bytes m = image_add(fs, "amd64", "A=1", NULL, LAYER), bent = { 0 };
	char *text = (char *)filter("base64 -w0", m).p;

	files_set(fs, text_of("blobs/sha256/%s", digest_of(m)), NO);
	files_add(fs, "index.json", index_of(desc(MANIFEST, m, text_of(",\"data\":\"%s\"", text))));
	finds(fs, "", "A=1", "a manifest in its descriptor");
	bytes_add(&bent, m.p, m.n);
	bent.p[bent.n - 3] ^= 1;
	text = (char *)filter("base64 -w0", bent).p;
	files_set(fs, "index.json", index_of(desc(MANIFEST, m, text_of(",\"data\":\"%s\"", text))));
	refused(files_tar(fs, ""), "", EINVAL, "have the digest", "other data");
	files_set(fs, "index.json", index_of(desc(MANIFEST, m, ",\"data\":\"QUJD\"")));
	refused(files_tar(fs, ""), "", EINVAL, "are not its", "data of another size");
	files_set(fs, "index.json", index_of(desc(MANIFEST, m, ",\"data\":\"Q?==\"")));
	refused(files_tar(fs, ""), "", EINVAL, "are not its", "data that are no base64");
}

/* ---- hostile ones ---------------------------------------------------------------------- */

/* An image whose one document is exchanged. */
static void bad_index(const char *json, int code, const char *text, const char *what)
{
	struct files *fs = layout_new();

	files_add(fs, "index.json", bytes_of(json));
	refused(files_tar(fs, ""), "", code, text, what);
}

static void bad_manifest(const char *json, int code, const char *text, const char *what)
{
	struct files *fs = layout_new();
	struct bytes m = bytes_of(json);

	files_blob(fs, m);
	files_add(fs, "index.json", index_of(desc(MANIFEST, m, "")));
	refused(files_tar(fs, ""), "", code, text, what);
}

static void test_documents(void)
{
	static const char hex[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct bytes tar = tar_layer("name", "x");

	bad_index("", EINVAL, "", "an empty index");
	bad_index("[]", EINVAL, "not an object", "an array for an index");
	bad_index("null", EINVAL, "not an object", "null for an index");
	bad_index("{\"manifests\":[]}", ENOTSUP, "schemaVersion", "no schemaVersion");
	bad_index("{\"schemaVersion\":1,\"manifests\":[]}", ENOTSUP, "schemaVersion", "schema 1");
	bad_index("{\"schemaVersion\":2}", EINVAL, "manifests is not an array", "no manifests");
	bad_index("{\"schemaVersion\":2,\"manifests\":{}}", EINVAL, "manifests is not an array",
		  "manifests is an object");
	bad_index("{\"schemaVersion\":2,\"manifests\":[null]}", EINVAL, "not an object",
		  "null inside");
	bad_index("{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", EINVAL, "at once",
		  "an index that is a manifest");
	bad_index("{\"schemaVersion\":2,\"manifests\":[],\"config\":{}}", EINVAL, "at once",
		  "an index that has a config");
	bad_index("{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST "\",\"manifests\":[]}", EINVAL,
		  "calls itself", "an index that calls itself a manifest");
	bad_index("{\"schemaVersion\":2,\"schemaVersion\":2,\"manifests\":[]}", EINVAL, "",
		  "a member twice");
	bad_index("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MANIFEST
		  "\",\"size\":1}]}",
		  EINVAL, "without a digest", "no digest");
	bad_index("{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:../../../etc/passwd\","
		  "\"size\":1}]}",
		  EINVAL, "is no digest", "a path for a digest");
	bad_index("{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:\",\"size\":1}]}",
		  EINVAL, "is no digest", "an empty digest");
	bad_index("{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha512:00\",\"size\":1}]}",
		  ENOTSUP, "SHA-512", "a SHA-512 digest");
	bad_index(text_of("{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:%s\",\"size\":-"
			  "1}]}",
			  hex),
		  EINVAL, "no number of bytes", "a negative size");
	bad_index(text_of("{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:%s\",\"size\":"
			  "\"1\"}]}",
			  hex),
		  EINVAL, "no number of bytes", "a size in quotes");
	bad_index(
		text_of("{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:%s\",\"size\":1,"
			"\"platform\":[]}]}",
			hex),
		EINVAL, "platform is not an object", "platform is an array");
	bad_index(text_of("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MANIFEST
			  "\",\"digest\":\"sha256:%s\",\"size\":1}]}",
			  hex),
		  ENOENT, "is missing", "a manifest that is missing");

	bad_manifest("{\"schemaVersion\":2,\"mediaType\":\"" INDEX "\",\"layers\":[]}", EINVAL,
		     "calls itself", "a manifest that calls itself an index");
	bad_manifest("{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", EINVAL, "at once",
		     "a manifest that is an index");
	bad_manifest("{\"schemaVersion\":2}", EINVAL, "layers is not an array", "no layers member");
	bad_manifest("{\"schemaVersion\":2,\"layers\":[]}", EINVAL, "no layers", "no layers");
	bad_manifest(text_of("{\"schemaVersion\":2,\"layers\":[%s]}",
			     desc("application/vnd.in-toto+json", tar, "")),
		     ENOTSUP, "a layer of the type", "a layer of a strange type");
	bad_manifest(text_of("{\"schemaVersion\":2,\"layers\":[%s]}", desc(LAYER, tar, "")), ENOENT,
		     "is missing", "a layer that is missing");
	bad_manifest("{\"schemaVersion\":2,\"config\":[],\"layers\":[]}", EINVAL, "",
		     "config is an array");
}

static void test_blobs(void)
{
	struct files *fs = layout_new();
	struct bytes tar = tar_layer("name", "A=1"), c = config_of("amd64", "A=1", tar),
		     bent = { 0 };
	struct bytes m = image_add(fs, "amd64", "A=1", NULL, LAYER);
	const char *layer = text_of("blobs/sha256/%s", digest_of(tar));
	struct opened o;

	files_add(fs, "index.json", index_of(desc(MANIFEST, m, "")));
	finds(fs, "", "A=1", "everything is right");
	bytes_add(&bent, tar.p, tar.n);
	bent.p[600] ^= 1;
	files_set(fs, layer, bent);
	image_try(&o, files_tar(fs, ""), "");
	ok(o.r == 0 && layer_read(&o, 0, NULL, NULL) == -EINVAL && strstr(o.e.msg, "the digest is"),
	   "a layer that was changed: %s", o.e.msg);
	image_done(&o);
	bytes_add(&bent, "x", 1);
	files_set(fs, layer, bent);
	refused(files_tar(fs, ""), "", EINVAL, "its descriptor says", "a layer that is longer");
	files_set(fs, layer, tar);
	files_set(fs, text_of("blobs/sha256/%s", digest_of(c)), config_of("amd64", "A=2", tar));
	refused(files_tar(fs, ""), "", EINVAL, "the digest is", "a config that was changed");
	files_set(fs, text_of("blobs/sha256/%s", digest_of(c)), config_of("amd64", "A=22", tar));
	refused(files_tar(fs, ""), "", EINVAL, "its descriptor says", "a config that is longer");
	files_set(fs, text_of("blobs/sha256/%s", digest_of(c)), NO);
	refused(files_tar(fs, ""), "", ENOENT, "is missing", "a config that is missing");
	/* digest and size are right, the diff_id is another one's */
	c = config_of("amd64", "A=1", tar_layer("other", "y"));
	files_blob(fs, c);
	m = manifest_of(desc(CONFIG, c, ""), desc(LAYER, tar, ""));
	files_blob(fs, m);
	files_set(fs, "index.json", index_of(desc(MANIFEST, m, "")));
	image_try(&o, files_tar(fs, ""), "");
	ok(o.r == 0 && layer_read(&o, 0, NULL, NULL) == -EINVAL &&
		   strstr(o.e.msg, "the diff_id is"),
	   "a wrong diff_id: %s", o.e.msg);
	image_done(&o);
}

/* A directory can hold what an archive cannot. */
static void test_directory(void)
{
	static const struct {
		const char *command, *text;
		int code;
	} cases[] = {
		{ "ln -s /etc/passwd %s", "symbolic link", ELOOP },
		{ "ln -s ../../index.json %s", "symbolic link", ELOOP },
		{ "mkfifo %s", "not a regular file", EINVAL },
		{ "mkdir %s", "not a regular file", EINVAL },
		{ "true %s", "is missing", ENOENT },
	};
	struct files *fs = layout_new();
	struct bytes m = image_add(fs, "amd64", "A=1", NULL, LAYER);
	struct opened o;

	files_add(fs, "index.json", index_of(desc(MANIFEST, m, "")));
	files_set(fs, text_of("blobs/sha256/%s", digest_of(m)), NO);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *dir = temp_dir(), *blob = text_of("%s/blobs/sha256/%s", dir, digest_of(m));
		const char *space = strrchr(cases[i].command, ' ');

		files_write(fs, dir);
		if (system(text_of("%.*s %s", (int)(space - cases[i].command), cases[i].command,
				   blob)))
			die(cases[i].command);
		image_try_fd(&o, open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "", NULL);
		ok(o.r == -cases[i].code && strstr(o.e.msg, cases[i].text), "%s: %s",
		   cases[i].command, o.e.msg);
		image_done(&o);
		temp_remove(dir);
	}
}

static void test_layout(void)
{
	static const struct {
		const char *json, *text;
		int code;
	} cases[] = {
		{ "{}", "no imageLayoutVersion", EINVAL },
		{ "[]", "no imageLayoutVersion", EINVAL },
		{ "", "", EINVAL },
		{ "{\"imageLayoutVersion\":\"2.0.0\"}", "of version 2.0.0", ENOTSUP },
		{ "{\"imageLayoutVersion\":1}", "no imageLayoutVersion", EINVAL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct files *fs = layout_new();

		files_set(fs, "oci-layout", bytes_of(cases[i].json));
		files_add(fs, "index.json", index_of(""));
		refused(files_tar(fs, ""), "", cases[i].code, cases[i].text, cases[i].json);
	}
}

int main(void)
{
	test_forms();
	test_extra();
	test_types();
	test_platforms();
	test_tags();
	test_docker();
	test_nesting();
	test_config();
	test_data();
	test_documents();
	test_blobs();
	test_directory();
	test_layout();
	return done_testing();
}

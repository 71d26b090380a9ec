// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>

#include <gpurun/image.h>

#include "tap.h"

#define HEX   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UPPER "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"

static struct arena *a;
static struct image_config c;
static struct strv ids;
static struct err e;

static int parse(const char *json)
{
	c = (struct image_config){ 0 };
	ids = (struct strv){ 0 };
	e = (struct err){ 0 };
	return image_config_parse(a, json, strlen(json), &c, &ids, &e);
}

static void test_whole(void)
{
	int r = parse(
		"{\"created\":\"2026-01-02T03:04:05Z\",\"author\":\"me\",\"os\":\"linux\","
		"\"architecture\":\"amd64\",\"config\":{\"Env\":[\"A=b\",\"PATH=/bin\",\"E=\"],"
		"\"Entrypoint\":[\"/e\",\"1\"],\"Cmd\":[\"c\"],\"WorkingDir\":\"/w\","
		"\"User\":\"u:g\",\"StopSignal\":\"SIGQUIT\",\"Labels\":{\"k\":\"v\",\"n\":\"\"},"
		"\"Volumes\":{\"/v\":{},\"w/\":{}},\"ExposedPorts\":{\"80/tcp\":{}},"
		"\"Healthcheck\":{\"Test\":[\"NONE\"]},\"OnBuild\":null},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "\",\"sha256:" HEX
		"\"]},\"history\":[{\"empty_layer\":true}]}");

	is_int(r, 0, "a whole document %s", e.msg);
	ok(c.env.n == 3 && strcmp(c.env.v[1], "PATH=/bin") == 0 && strcmp(c.env.v[2], "E=") == 0,
	   "Env in order");
	ok(c.entrypoint.n == 2 && strcmp(c.entrypoint.v[1], "1") == 0, "Entrypoint");
	ok(c.cmd.n == 1 && strcmp(c.cmd.v[0], "c") == 0, "Cmd");
	is_str(c.workdir, "/w", "WorkingDir");
	is_str(c.user, "u:g", "User");
	is_int(c.stop_signal, SIGQUIT, "StopSignal");
	ok(c.labels.n == 2 && strcmp(c.labels.v[0], "k=v") == 0 && strcmp(c.labels.v[1], "n=") == 0,
	   "Labels");
	ok(c.volumes.n == 2 && strcmp(c.volumes.v[0], "/v") == 0 &&
		   strcmp(c.volumes.v[1], "/w") == 0,
	   "Volumes, absolute");
	is_str(c.os, "linux", "os");
	is_str(c.architecture, "amd64", "architecture");
	is_str(c.created, "2026-01-02T03:04:05Z", "created");
	is_str(c.author, "me", "author");
	ok(ids.n == 2 && strcmp(ids.v[1], HEX) == 0, "diff_ids in hex");
}

static void test_absent(void)
{
	is_int(parse("{}"), 0, "an empty document");
	ok(!c.env.n && !c.entrypoint.n && !c.cmd.n && !c.workdir && !c.user && !c.stop_signal &&
		   !ids.n,
	   "holds nothing");
	is_int(parse("{\"config\":null,\"rootfs\":null}"), 0, "null objects");
	is_int(parse("{\"config\":{\"Env\":null,\"Entrypoint\":null,\"Cmd\":null,\"WorkingDir\":"
		     "null,"
		     "\"User\":null,\"StopSignal\":null,\"Labels\":null,\"Volumes\":null}}"),
	       0, "null members");
	ok(!c.env.n && !c.entrypoint.n && !c.cmd.n && !c.workdir, "are as if absent");
	is_int(parse("{\"config\":{\"Entrypoint\":[],\"WorkingDir\":\"\",\"User\":\"\","
		     "\"StopSignal\":\"\"}}"),
	       0, "empty members");
	ok(!c.entrypoint.n && !c.workdir && !c.user && !c.stop_signal, "are as if absent, too");
}

static void test_rules(void)
{
	static const struct {
		const char *dir, *want;
	} dirs[] = {
		{ "app", "/app" }, { "./app/", "/app" }, { "/a//b/../c", "/a/c" },
		{ "../..", "/" },  { "/", "/" },         { "a b", "/a b" },
	};

	is_int(parse("{\"config\":{\"Env\":[\"A\",\"=x\",\"\",\"B=1\",\"B=2\",\"C==\"]}}"), 0,
	       "Env with entries that set nothing");
	ok(c.env.n == 3 && strcmp(c.env.v[0], "B=1") == 0 && strcmp(c.env.v[2], "C==") == 0,
	   "which are dropped");
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		char json[128];

		snprintf(json, sizeof(json), "{\"config\":{\"WorkingDir\":\"%s\"}}", dirs[i].dir);
		parse(json);
		is_str(c.workdir, dirs[i].want, "WorkingDir \"%s\"", dirs[i].dir);
	}
	is_int(parse("{\"config\":{\"Cmd\":\"sh -c x\"}}"), 0, "Cmd as docker once wrote it");
	ok(c.cmd.n == 1 && strcmp(c.cmd.v[0], "sh -c x") == 0, "is one argument");
	is_int(parse("{\"config\":{\"StopSignal\":\"SIGRTMIN+3\"}}"), 0, "a real-time signal");
	is_int(c.stop_signal, 37, "by its number in the container");
}

static const char *const bad[] = {
	"",
	"null",
	"[]",
	"\"x\"",
	"1",
	"{",
	"{}{}",
	"{\"config\":[]}",
	"{\"config\":\"\"}",
	"{\"config\":{\"Env\":\"A=b\"}}",
	"{\"config\":{\"Env\":[1]}}",
	"{\"config\":{\"Env\":[null]}}",
	"{\"config\":{\"Env\":{}}}",
	"{\"config\":{\"Cmd\":1}}",
	"{\"config\":{\"Entrypoint\":[[]]}}",
	"{\"config\":{\"WorkingDir\":[]}}",
	"{\"config\":{\"User\":0}}",
	"{\"config\":{\"StopSignal\":\"SIGNOPE\"}}",
	"{\"config\":{\"StopSignal\":15}}",
	"{\"config\":{\"Labels\":[]}}",
	"{\"config\":{\"Labels\":{\"a\":1}}}",
	"{\"config\":{\"Volumes\":[\"/v\"]}}",
	"{\"config\":{\"User\":\"a\",\"User\":\"b\"}}",
	"{\"config\":{\"User\":\"a\\u0000b\"}}",
	"{\"config\":{\"User\":\"\xff\"}}",
	"{\"os\":1}",
	"{\"rootfs\":[]}",
	"{\"rootfs\":{}}",
	"{\"rootfs\":{\"type\":\"snapshots\",\"diff_ids\":[]}}",
	"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":\"x\"}}",
	"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" HEX "\"]}}",
	"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "0\"]}}",
	"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:../../../etc/passwd\"]}}",
	"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha512:" HEX HEX "\"]}}",
	"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" UPPER "\"]}}",
};

int main(void)
{
	a = arena_new(0);
	test_whole();
	test_absent();
	test_rules();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int r = parse(bad[i]);

		ok(r < 0 && err_is_set(&e), "refused: %.60s: %s", bad[i], e.msg);
	}
	arena_free(a);
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrong command lines: each gives one message on one line and at most one hint on one line, and
 * the message names the object.
 */
#include <stdlib.h>

#include "../../src/cli/cmd.h"
#include "tap.h"

#define HINT true

static const struct bad {
	const char *words[6];
	const char *object; /* must be in the message */
	bool hint;          /* must have one */
} bads[] = {
	{ { NULL }, "IMAGE", HINT },
	{ { "run" }, "IMAGE", HINT },
	{ { "--gpu", "0", "i" }, "--gpu", HINT },
	{ { "--gpus" }, "--gpus", false },
	{ { "--gpus", "", "i" }, "--gpus", false },
	{ { "-Z", "i" }, "-Z", HINT },
	{ { "-itZ", "i" }, "-Z", HINT },
	{ { "-v" }, "--volume", false },
	{ { "-v", "data:/x", "i" }, "data:/x", HINT },
	{ { "-v", "/a:b", "i" }, "'b'", false },
	{ { "-v", "/a:/b:c:d", "i" }, "/a:/b:c:d", HINT },
	{ { "-v", "/a:/b:readonyl", "i" }, "readonyl", HINT },
	{ { "-v", "/a:/", "i" }, "root", false },
	{ { "--mount", "src=/a,dst=/b", "i" }, "type", HINT },
	{ { "--mount", "type=bind,src=/a,dts=/b", "i" }, "dts", HINT },
	{ { "--mount", "type=volume,dst=/b", "i" }, "type=volume", HINT },
	{ { "--tmpfs", "x", "i" }, "'x'", false },
	{ { "--tmpfs", "/x:size=lots", "i" }, "size=lots", false },
	{ { "--shm-size", "-1", "i" }, "-1", false },
	{ { "--shm-size", "99999999999999999999g", "i" }, "99999999999999999999g", false },
	{ { "-w", "rel", "i" }, "rel", false },
	{ { "-e", "=x", "i" }, "=x", false },
	{ { "--env-file", "/nonexistent", "i" }, "/nonexistent", false },
	{ { "--ulimit", "nofile", "i" }, "nofile", false },
	{ { "--ulimit", "nofiles=1", "i" }, "nofiles", HINT },
	{ { "--ulimit", "nofile=2:1", "i" }, "nofile=2:1", false },
	{ { "--ulimit", "nofile=-2", "i" }, "nofile=-2", false },
	{ { "--pid", "container:x", "i" }, "container:x", false },
	{ { "--pid", "hots", "i" }, "hots", HINT },
	{ { "--net", "bridge", "i" }, "bridge", HINT },
	{ { "--net", "private", "i" }, "private", false },
	{ { "-p", "80:80", "i" }, "--publish", HINT },
	{ { "--dns", "example.org", "i" }, "example.org", false },
	{ { "--add-host", "a", "i" }, "a", false },
	{ { "--add-host", "a:host-gateway", "i" }, "host-gateway", HINT },
	{ { "--security-opt", "secomp=x", "i" }, "secomp", HINT },
	{ { "--security-opt", "seccomp", "i" }, "seccomp", false },
	{ { "--security-opt", "landlock=maybe", "i" }, "maybe", false },
	{ { "--security-opt", "mask=rel", "i" }, "rel", false },
	{ { "--security-opt", "no-new-privileges=false", "i" }, "no_new_privs", false },
	{ { "--cap-add", "SYS_ADMINN", "i" }, "SYS_ADMINN", HINT },
	{ { "--name", "a b", "i" }, "a b", false },
	{ { "--name", "-x", "i" }, "-x", false },
	{ { "--keep", "../x", "i" }, "../x", false },
	{ { "--hostname", "a/b", "i" }, "a/b", false },
	{ { "--device", "fuse", "i" }, "fuse", false },
	{ { "--device", "/dev/fuse:/dev/fuse:x", "i" }, "/dev/fuse", false },
	{ { "--device", "nvidia.com/gpu", "i" }, "nvidia.com/gpu", false },
	{ { "--preserve-fd", "x", "i" }, "x", false },
	{ { "--preserve-fd", "999", "i" }, "999", false },
	{ { "--userns", "subids", "i" }, "subids", false },
	{ { "--userns", "keep-id", "i" }, "keep-id", HINT },
	{ { "--share", "node", "i" }, "step", false },
	{ { "-d", "i" }, "--detach", HINT },
	{ { "--detach", "i" }, "--detach", HINT },
	{ { "--privileged", "i" }, "--privileged", HINT },
	{ { "--restart", "always", "i" }, "--restart", HINT },
	{ { "--rm=false", "i" }, "--rm", HINT },
	{ { "--init=false", "i" }, "--init", HINT },
	{ { "--read-only=perhaps", "i" }, "perhaps", false },
	{ { "--memory", "1g", "i" }, "--memory: not supported by this version", false },
	{ { "-m", "1g", "i" }, "--memory: not supported by this version", false },
	{ { "--cpus", "2", "i" }, "--cpus: not supported by this version", false },
	{ { "--gpu-caps", "compute,grapics", "i" }, "grapics", HINT },
	{ { "--gpu-caps", "compute,", "i" }, "--gpu-caps", HINT },
	{ { "--cuda-compat", "allways", "i" }, "allways", HINT },
	{ { "--imex", "0,,1", "i" }, "0,,1", false },
	{ { "--imex", "0-3", "i" }, "0-3", false },
	{ { "--driver-root", "", "i" }, "--driver-root", false },
	{ { "--log-format", "xml", "i" }, "xml", false },
	{ { "--color", "alway", "i" }, "alway", HINT },
	{ { "--json", "i" }, "--json", HINT },
	{ { "gpus", "x" }, "'x'", HINT },
	{ { "doctor", "a", "b" }, "'b'", HINT },
	{ { "cdi" }, "cdi: not supported by this version", HINT },
	{ { "pull", "x" }, "pull: not supported by this version", HINT },
	{ { "rm" }, "NAME", HINT },
	{ { "images", "x" }, "'x'", HINT },
	{ { "ps", "--jsno" }, "--jsno", HINT },
	{ { "exec", "c" }, "CONTAINER", HINT },
	{ { "exec", "-v", "/a", "c", "x" }, "-v", HINT },
	{ { "kill" }, "CONTAINER", HINT },
	{ { "kill", "--time", "soon", "c" }, "soon", false },
	{ { "inspect", "a", "b" }, "'b'", HINT },
};

static const char *words_text(struct arena *a, const char *const *words)
{
	const char *s = "gpurun";

	for (size_t i = 0; words[i]; i++)
		s = arena_printf(a, "%s '%s'", s, words[i]);
	return s;
}

static void check(const struct bad *b)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	const char *argv[8] = { "gpurun" };
	struct ask asked = { 0 };
	struct cmd_in in = { .a = a, .ask = &asked };
	const char *text = words_text(a, b->words);
	struct err e = { 0 };

	for (size_t i = 0; b->words[i]; i++)
		argv[i + 1] = b->words[i];
	in.cmd = cmd_choose(argv, &in.words, &in.verb_left_out);
	ok(cmd_ask(&in, &e) < 0, "refused: %s", text);
	ok(e.msg[0] && !strchr(e.msg, '\n') && strstr(e.msg, b->object), "one line on '%s': %s",
	   b->object, e.msg);
	ok(!strchr(e.hint, '\n') && (e.hint[0] || !b->hint), "%s hint: %s",
	   b->hint ? "one" : "at most one", e.hint);
	ok(e.status == 0 || e.status == EXIT_GPURUN, "status 125");
}

int main(void)
{
	setenv("HOME", "/nonexistent", 1);
	unsetenv("XDG_CONFIG_HOME");
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
		check(&bads[i]);
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The environment inside: sources, their order, renumbering; and the process half alone. */
#include <errno.h>
#include <linux/capability.h>

#include "../../src/plan/build.h"
#include "plan-case.h"
#include "tap.h"

static void built(struct plan_case *c)
{
	int r = case_build(c);

	ok(r == 0, "built %s", c->e.msg);
	if (r < 0)
		exit(1);
}

static void test_sources(struct arena *a)
{
	struct plan_case c;

	case_init(&c, a);
	built(&c);
	is_str(case_env(&c, "TERM"), "xterm-256color", "TERM passes");
	is_str(case_env(&c, "https_proxy"), "http://p:1", "proxies pass");
	is_str(case_env(&c, "NCCL_DEBUG"), "INFO", "a family passes");
	ok(!case_env(&c, "LANG"), "LANG does not");
	is_str(case_env(&c, "PATH"), ENV_PATH_DEFAULT, "PATH is not the host's");
	is_str(case_env(&c, "HOME"), "/home/alice", "HOME is not the variable");
	is_str(case_env(&c, "container"), "gpurun", "container");
	strv_push(a, &c.image.config.env, "PATH=/image/bin");
	strv_push(a, &c.image.config.env, "NCCL_DEBUG=WARN");
	strv_push(a, &c.image.config.env, "TERM=dumb");
	strv_push(a, &c.image.config.env, "container=docker");
	strv_push(a, &c.image.config.env, "no-value");
	strv_push(a, &c.image.config.env, "=nameless");
	strv_push(a, &c.image.config.env, "A=image");
	strv_push(a, &c.image.config.env, "HOME=/image/home");
	strv_push(a, &c.req.env_file, "A=file");
	strv_push(a, &c.req.env_file, "B=file");
	built(&c);
	is_str(case_env(&c, "PATH"), "/image/bin", "the image's PATH");
	is_str(c.p->process.path, "/image/bin", "where the command is looked up");
	is_str(case_env(&c, "TERM"), "dumb", "the image wins over the host");
	is_str(case_env(&c, "NCCL_DEBUG"), "INFO", "a family wins over the image");
	is_str(case_env(&c, "container"), "gpurun", "ours wins over the image");
	is_str(case_env(&c, "A"), "file", "--env-file wins over the image");
	is_str(case_env(&c, "HOME"), "/image/home", "HOME of the image");
	strv_push(a, &c.req.env, "A=option");
	strv_push(a, &c.req.env, "LANG");
	strv_push(a, &c.req.env, "B");
	strv_push(a, &c.req.env, "E=");
	strv_push(a, &c.req.env, "HOME=/e");
	built(&c);
	is_str(case_env(&c, "A"), "option", "-e wins over all");
	is_str(case_env(&c, "LANG"), "de_DE.UTF-8", "-e NAME takes the host's");
	ok(!case_env(&c, "B"), "or removes it");
	is_str(case_env(&c, "E"), "", "an empty value");
	is_str(case_env(&c, "HOME"), "/e", "-e HOME");
	c.req.home = TRI_ON;
	c.req.env.n = 0;
	built(&c);
	is_str(case_env(&c, "HOME"), "/home/alice", "-H wins over the image");
	strv_push(a, &c.req.env, "=x");
	ok(case_build(&c) < 0, "-e =x: %s", c.e.msg);
}

static void test_host(struct arena *a)
{
	static const char *const environ[] = { "LANG=C",
					       "HF_HOME=/big/hf",
					       "PWD=/x",
					       "PATH=/host/bin",
					       "FOO_A=1",
					       "CUDA_VISIBLE_DEVICES=3,1",
					       "XDG_RUNTIME_DIR=/run/user/1",
					       "bad",
					       NULL };
	struct plan_case c;

	case_init(&c, a);
	c.host.environ = environ;
	c.req.env_host = "all";
	built(&c);
	is_str(case_env(&c, "LANG"), "C", "all passes");
	is_str(case_env(&c, "PATH"), "/host/bin", "even PATH, where the image has none");
	ok(!case_env(&c, "PWD"), "but not what is ours");
	ok(!case_env(&c, "HF_HOME") && case_says(&c.p->notes, "HF_HOME, XDG_RUNTIME_DIR"),
	   "a directory that is not visible: %s", c.p->notes.v[0]);
	ok(!case_env(&c, "CUDA_VISIBLE_DEVICES"), "no list of GPUs without GPUs");
	c.req.mounts = ARENA_NEW(a, struct req_mount);
	c.req.mounts[0] = (struct req_mount){ .src = "/big", .dst = "/big", .why = "-v" };
	c.req.n_mounts = 1;
	built(&c);
	is_str(case_env(&c, "HF_HOME"), "/big/hf", "it is visible now");
	c.req.env_host = "FOO_*";
	built(&c);
	ok(case_env(&c, "FOO_A") && !case_env(&c, "LANG"), "a pattern");
	strv_push(a, &c.gpu_names, "0");
	strv_push(a, &c.gpu_names, "1");
	built(&c);
	is_str(case_env(&c, "CUDA_VISIBLE_DEVICES"), "1,0", "renumbered in its order");
	c.req.env_host = "none";
	built(&c);
	ok(!case_env(&c, "FOO_A") && !case_env(&c, "CUDA_VISIBLE_DEVICES"), "none");
}

static void test_renumber(struct arena *a)
{
	static const struct {
		const char *value;
		size_t n;
		bool narrowed;
		const char *want;
	} rows[] = {
		{ "0,1", 2, true, "0,1" },
		{ "3,1,5", 3, true, "1,0,2" },
		{ "5", 1, true, "0" },
		{ "3,1,5", 2, true, "0,1" },
		{ "3,3", 2, true, "0,1" },
		{ "3,x", 2, true, "0,1" },
		{ "3,1", 2, false, "0,1" },
		{ "GPU-a,GPU-b", 2, true, "GPU-a,GPU-b" },
		{ "GPU-a,GPU-b", 2, false, "0,1" },
		{ "MIG-a", 1, true, "MIG-a" },
		{ "MIG-GPU-a/1/0", 1, true, "MIG-GPU-a/1/0" },
		{ "GPU-a", 4, true, "GPU-a" },
		{ "MIG-a", 1, false, "0" },
		{ "", 1, true, "" },
		{ "", 1, false, "0" },
		{ "NoDevFiles", 2, true, "NoDevFiles" },
		{ "-1", 2, true, "-1" },
		{ "2", 4, true, "2" },
		{ "3,2", 4, true, "3,2" },
		{ "0", 4, true, "0" },
		{ "4", 4, true, "0,1,2,3" },
		{ "2,7", 4, true, "0,1,2,3" },
		{ "2", 4, false, "0,1,2,3" },
		{ "0,9,1", 1, true, "0" },
		{ "7", 0, true, "" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		is_str(env_renumber(a, rows[i].value, rows[i].n, rows[i].narrowed), rows[i].want,
		       "'%s' of %zu GPUs", rows[i].value, rows[i].n);
}

/* A list that means no GPU inside is said, whoever made it. */
static void test_wrong_list(struct arena *a)
{
	static const struct {
		const char *entry;
		bool said;
	} rows[] = {
		{ "CUDA_VISIBLE_DEVICES=2", true },   { "CUDA_VISIBLE_DEVICES=2,0", true },
		{ "CUDA_VISIBLE_DEVICES=1", false },  { "CUDA_VISIBLE_DEVICES=0,7", false },
		{ "CUDA_VISIBLE_DEVICES=", false },   { "CUDA_VISIBLE_DEVICES=GPU-8a", false },
		{ "CUDA_VISIBLE_DEVICES=-1", false },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct plan_case c;

		case_init(&c, a);
		strv_push(a, &c.image.config.env, rows[i].entry);
		built(&c);
		is_int((long long)c.p->warnings.n, 0, "no GPU, nothing to say");
		strv_push(a, &c.gpu_names, "0");
		strv_push(a, &c.gpu_names, "1");
		built(&c);
		is_int((long long)c.p->warnings.n, rows[i].said, "%s", rows[i].entry);
	}
}

static void test_exec(struct arena *a)
{
	struct plan_case c;
	struct strv argv = { 0 }, had = { 0 }, env = { 0 }, caps = { 0 };
	struct plan_exec_input in = { .argv = &argv,
				      .container_env = &had,
				      .env = &env,
				      .uid_inside = 1000,
				      .landlock_dev = true,
				      .tty = true };
	struct err e = { 0 };
	const struct plan *p = NULL;

	case_init(&c, a);
	in.host = &c.host;
	ok(plan_exec(a, &in, &p, &e) < 0, "exec without a command: %s", e.msg);
	strv_push(a, &argv, "ls");
	strv_push(a, &had, "A=container");
	strv_push(a, &had, "PATH=/c/bin");
	strv_push(a, &env, "A=exec");
	strv_push(a, &caps, "CAP_NET_RAW");
	in.cap_add = &caps;
	is_int(plan_exec(a, &in, &p, &e), 0, "exec %s", e.msg);
	c.p = p;
	is_str(case_env(&c, "A"), "exec", "-e wins over the container's");
	is_str(p->process.path, "/c/bin", "PATH of the container");
	is_str(case_env(&c, "TERM"), "xterm", "a terminal has a TERM");
	is_str(p->process.cwd, "/", "working directory");
	ok(p->process.caps.ambient == UINT64_C(1) << CAP_NET_RAW && p->process.no_new_privs &&
		   p->process.landlock_dev,
	   "capabilities and confinement");
	ok(p->container.namespaces == 0 && p->container.ops.n == 0, "no container half");
	in.cwd = "x";
	ok(plan_exec(a, &in, &p, &e) < 0, "a relative directory");
	in.cwd = NULL;
	strv_push(a, &caps, "CAP_SYS_ADMIN");
	is_int(plan_exec(a, &in, &p, &e), 0, "CAP_SYS_ADMIN of a user's container");
	c.host.uid = 0;
	ok(plan_exec(a, &in, &p, &e) == -EPERM, "not of root's: %s", e.msg);
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_sources(a);
	test_host(a);
	test_renumber(a);
	test_wrong_list(a);
	test_exec(a);
	return done_testing();
}

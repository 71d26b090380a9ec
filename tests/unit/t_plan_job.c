/* SPDX-License-Identifier: Apache-2.0 */
/* Plans in a job: the columns "batch script" and "step", what is mounted unasked, --torch-env. */
#include <linux/sched.h>

#include <gpurun/sys.h>

#include "../../src/plan/build.h"
#include "plan-unit.h"

/* The case of plan-case.h in a job; @environ replaces its environment. */
static struct plan_case in_job(enum job_kind kind, const char *const *environ)
{
	struct plan_case c = fresh();

	c.host.job = (struct host_job){ .kind = kind,
					.launcher = "slurm",
					.id = "7",
					.step = kind == JOB_STEP ? "7.0" : NULL,
					.key = kind == JOB_STEP ? "slurm|7.0" : NULL,
					.rank = 3,
					.size = 8,
					.local_rank = 1,
					.local_size = 4,
					.node_gpus = -1 };
	if (environ)
		c.host.environ = environ;
	return c;
}

static void mount(struct plan_case *c, const char *src, const char *dst)
{
	struct req_mount m = { .src = src, .dst = dst, .why = "-v" };

	VEC_PUSH(arena, c->req.mounts, c->req.n_mounts, c->req.cap_mounts, m);
}

static bool shows(const struct plan_case *c, const char *path)
{
	const struct op *op = case_op(c, path);

	return op && op->kind == OP_BIND && str_eq(op->src, path);
}

static void test_batch(void)
{
	struct plan_case c = in_job(JOB_BATCH, NULL);

	built(&c, "a batch script");
	is_int(c.p->container.namespaces, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID,
	       "an own PID namespace; ipc and uts are the host's");
	ok(!c.p->process.exec && !c.p->process.keep_fds && c.p->process.init, "supervised");
	ok(c.p->process.landlock_dev && !c.p->container.share_key, "Landlock, nothing shared");
	ok(shows(&c, "/dev/shm") && case_op(&c, "/dev/mqueue")->flags & OPF_HOST, "/dev/shm");
	ok(case_op(&c, "/dev/pts")->kind == OP_DEVPTS, "terminals of its own");
	ok(shows(&c, "/home/alice") && !case_op(&c, "/home/alice/project"),
	   "home, which shows the current directory");
	is_str(c.p->process.cwd, "/home/alice/project", "where the command starts");
	c.host.stdin_tty = c.host.stdout_tty = true;
	built(&c, "in salloc's shell");
	ok(c.p->process.tty, "a terminal");
	c.req.hostname = "box";
	built(&c, "--hostname");
	ok(c.p->container.namespaces & CLONE_NEWUTS, "wants a name space for it");
	c.req.shm_size = 1;
	built(&c, "--shm-size");
	ok(case_says(&c.p->notes, "--shm-size"), "is not what decides here");
	c.req.ipc = NS_PRIVATE;
	built(&c, "--ipc private");
	ok(case_op(&c, "/dev/shm")->kind == OP_TMPFS, "a /dev/shm of that size");
}

static void test_step(void)
{
	struct plan_case c = in_job(JOB_STEP, NULL);
	struct plan_case root = in_job(JOB_STEP, NULL);

	c.host.stdout_tty = true;
	built(&c, "a step");
	is_int(c.p->container.namespaces, CLONE_NEWUSER | CLONE_NEWNS, "two namespaces");
	ok(c.p->process.exec && c.p->process.keep_fds && !c.p->process.init, "exec");
	ok(!c.p->process.landlock_dev && str_after(c.p->container.share_key, "7.0-") &&
		   strlen(c.p->container.share_key) == 4 + 16,
	   "shared: %s", c.p->container.share_key);
	ok(case_op(&c, "/proc")->flags & OPF_HOST, "the host's processes");
	ok(case_op(&c, "/dev/pts")->kind == OP_DEVPTS, "terminals can be made");
	c.host.stdin_tty = true;
	built(&c, "srun --pty");
	ok(!c.p->process.tty && !case_op(&c, "/dev/console"), "no terminal of ours");
	c.host.terminal = "/dev/pts/3";
	built(&c, "srun --pty, with a name");
	is_str(case_op(&c, "/dev/console")->src, "/dev/pts/3", "the launcher's has a name");
	ok(case_op(&c, "/dev/pts")->kind == OP_DEVPTS, "others can be made");
	c.req.audit_end = true;
	built(&c, "--audit-end");
	ok(!c.p->process.exec && c.p->process.keep_fds && c.p->container.share_key,
	   "somebody stays");
	root.host.uid = root.host.gid = 0;
	root.req.verbose = 1;
	built(&root, "as root");
	ok(root.p->process.exec && root.p->process.landlock_dev && !root.p->container.share_key,
	   "a container of its own, with Landlock");
	ok(case_says(&root.p->notes, "root"), "said at -v");
	root.req.share = "step";
	refused(&root, "--share step: not as root", "root cannot share");
}

static void test_own(void)
{
	struct plan_case c = in_job(JOB_STEP, NULL);

	c.req.share = "none";
	built(&c, "--share none");
	ok(c.p->process.exec && c.p->process.keep_fds && !c.p->container.share_key, "exec, alone");
	ok(c.p->process.landlock_dev, "with Landlock");
	is_int(c.p->container.namespaces, CLONE_NEWUSER | CLONE_NEWNS, "the same namespaces");
	c.req.pid = NS_PRIVATE;
	built(&c, "--share none --pid private");
	ok(!c.p->process.exec && c.p->process.init && c.p->process.keep_fds, "supervised");
}

static void test_refusals(void)
{
	struct plan_case c = in_job(JOB_STEP, NULL);

	c.req.pid = NS_PRIVATE;
	refused(&c, "outlive every rank", "--pid private");
	ok(strstr(c.e.hint, "--share none"), "with the way out: %s", c.e.hint);
	c = in_job(JOB_STEP, NULL);
	c.req.tty = TRI_ON;
	refused(&c, "--tty: not in a step", "-t");
	ok(strstr(c.e.hint, "srun --pty"), "with the way out: %s", c.e.hint);
	c = in_job(JOB_STEP, NULL);
	c.req.userns = USERNS_SUBID;
	refused(&c, "--userns subid", "--userns subid");
	c = in_job(JOB_STEP, NULL);
	c.req.landlock = TRI_ON;
	refused(&c, "landlock=on", "landlock=on");
	c = in_job(JOB_BATCH, NULL);
	c.req.share = "step";
	refused(&c, "--share step: not in a step", "--share step in a batch script");
	c = fresh();
	c.req.share = "step";
	refused(&c, "--share step: not in a step", "--share step outside");
}

/* ---- the key ---------------------------------------------------------------------------- */

static const char *key_of(struct plan_case *c)
{
	built(c, "key");
	return c->p->container.share_key;
}

static void add_gpu(struct plan_case *c, const char *node)
{
	struct op op = { .kind = OP_BIND_DEV, .src = node, .dst = node, .why = "gpu" };
	struct op cache = {
		.kind = OP_FILE, .dst = "/etc/ld.so.cache", .data = node, .why = "gpu"
	};

	VEC_PUSH(arena, c->gpu.ops.v, c->gpu.ops.n, c->gpu.ops.cap, op);
	VEC_PUSH(arena, c->gpu.files.v, c->gpu.files.n, c->gpu.files.cap, cache);
}

static void test_key_same(void)
{
	static const char *const other[] = { "SLURM_PROCID=4", "A=b", NULL };
	struct plan_case c = in_job(JOB_STEP, NULL);
	const char *key = key_of(&c);

	c = in_job(JOB_STEP, other);
	c.host.job.rank = 4;
	c.host.job.local_rank = 0;
	is_str(key_of(&c), key, "another rank");
	add_gpu(&c, "/dev/nvidia3");
	is_str(key_of(&c), key, "another GPU");
	c.host.terminal = "/dev/pts/3";
	is_str(key_of(&c), key, "a terminal");
	c.host.cwd = "/home/alice/project/rank4";
	is_str(key_of(&c), key, "another directory below home");
	c.host.mem_limit /= 2;
	is_str(key_of(&c), key, "another limit of memory");
	strv_push(arena, &c.req.env, "X=y");
	strv_push(arena, &c.req.args, "-v");
	is_str(key_of(&c), key, "another command");
}

static void test_key_differs(void)
{
	struct plan_case c = in_job(JOB_STEP, NULL), d;
	const char *key = key_of(&c);

#define DIFFERS(what, ...)                                                                         \
	do {                                                                                       \
		d = in_job(JOB_STEP, NULL);                                                        \
		__VA_ARGS__;                                                                       \
		ok(!str_eq(key_of(&d), key), "another key: %s", what);                             \
	} while (0)
	DIFFERS("another step", d.host.job.key = "slurm|7.1");
	DIFFERS("another image", memcpy(d.image.id, "1", 2));
	DIFFERS("another layer", d.image.lowers.n = 1);
	DIFFERS("a volume", mount(&d, "/data", "/data"));
	DIFFERS("--gpus", d.req.gpus = "0");
	DIFFERS("--mps", d.req.mps = "");
	DIFFERS("--read-only", d.req.read_only = true);
	DIFFERS("--root", d.req.root = true);
	DIFFERS("--cap-add", strv_push(arena, &d.req.cap_add, "CAP_NET_BIND_SERVICE"));
	DIFFERS("--hostname", d.req.hostname = "box");
	DIFFERS("--net none", d.req.net = NET_NONE);
	DIFFERS("--contain", d.req.contain = true);
	DIFFERS("a directory elsewhere", d.host.cwd = "/scratch/run");
	DIFFERS("--add-host", strv_push(arena, &d.req.add_host, "db:10.0.0.1"));
	DIFFERS("a mask", strv_push(arena, &d.req.mask, "/proc/cpuinfo"));
	DIFFERS("--scratch", d.in.scratch_dir = "/s/1"; d.req.scratch = "/s");
	key = key_of(&d);
	d.in.scratch_dir = "/s/2";
	is_str(key_of(&d), key, "a scratch directory has a name of its own");
}

/* ---- what is mounted unasked ---------------------------------------------------------------- */

static void test_home(void)
{
	static const char *const homes[] = { "/", "/usr/lib/user", "/opt", "/proc" };
	struct plan_case c = in_job(JOB_BATCH, NULL);

	for (size_t i = 0; i < ELEMENTS(homes); i++) {
		c.host.home = homes[i];
		c.host.cwd = "/";
		built(&c, homes[i]);
		ok(!shows(&c, homes[i]), "no home over what makes the image: %s", homes[i]);
	}
	c = in_job(JOB_BATCH, NULL);
	mount(&c, "/other", "/home");
	built(&c, "-v /other:/home");
	ok(!shows(&c, "/home/alice"), "what the user mounts wins");
	c = in_job(JOB_BATCH, NULL);
	c.req.home = TRI_OFF;
	built(&c, "--no-home");
	ok(!shows(&c, "/home/alice") && shows(&c, "/home/alice/project"),
	   "the current directory alone");
	c = in_job(JOB_STEP, NULL);
	c.req.contain = true;
	built(&c, "--contain");
	ok(!shows(&c, "/home/alice") && !shows(&c, "/home/alice/project"), "nothing");
	ok(case_op(&c, "/home/alice")->kind == OP_DIR, "but a HOME");
	is_str(c.p->process.cwd, "/", "and the image's directory");
	c.req.home = c.req.cwd = TRI_ON;
	built(&c, "--contain -H -C");
	ok(shows(&c, "/home/alice"), "what is asked for is there");
	is_str(c.p->process.cwd, "/home/alice/project", "and where the command starts");
}

static void test_cwd(void)
{
	static const char *const submit[] = { "SLURM_SUBMIT_DIR=/scratch/run", NULL };
	static const char *const root[] = { "SLURM_SUBMIT_DIR=/", NULL };
	struct plan_case c = in_job(JOB_STEP, NULL);

	c.host.cwd = "/scratch/run/rank3";
	built(&c, "elsewhere");
	ok(shows(&c, "/scratch/run/rank3"), "the current directory itself");
	is_str(c.p->process.cwd, "/scratch/run/rank3", "where the command starts");
	c.host.environ = submit;
	built(&c, "below the directory of submission");
	ok(shows(&c, "/scratch/run") && !case_op(&c, "/scratch/run/rank3"), "which is mounted");
	is_str(c.p->process.cwd, "/scratch/run/rank3", "where the command starts");
	c.host.environ = root;
	built(&c, "submitted in /");
	ok(shows(&c, "/scratch/run/rank3"), "the current directory itself");
	mount(&c, "/scratch", "/scratch");
	built(&c, "-v /scratch");
	ok(!case_op(&c, "/scratch/run/rank3"), "shown by what the user mounts");
	is_str(c.p->process.cwd, "/scratch/run/rank3", "where the command starts");
	mount(&c, "/x", "/scratch/run");
	built(&c, "hidden by what the user mounts");
	is_str(c.p->process.cwd, "/", "the image's directory");
	c = in_job(JOB_STEP, NULL);
	c.host.cwd = "/dev/shm/work";
	built(&c, "in /dev/shm");
	ok(!case_op(&c, "/dev/shm/work"), "which is the host's");
	is_str(c.p->process.cwd, "/dev/shm/work", "where the command starts");
	c.host.cwd = "/etc";
	c.image.config.workdir = "/app";
	built(&c, "in /etc");
	ok(!case_op(&c, "/etc") && case_says(&c.p->notes, "/etc"), "not over the image's");
	is_str(c.p->process.cwd, "/app", "the image's directory");
	c.host.cwd = NULL;
	built(&c, "nowhere");
	is_str(c.p->process.cwd, "/app", "the image's directory");
}

/* An image's own program starts where the image says. */
static void test_workdir(void)
{
	struct plan_case c = in_job(JOB_STEP, NULL);

	c.image.config.workdir = "/app";
	built(&c, "a command of ours");
	is_str(c.p->process.cwd, "/home/alice/project", "in the current directory");
	strv_push(arena, &c.image.config.entrypoint, "/entry");
	c.in.missing_word = "train.py";
	built(&c, "the image's ENTRYPOINT");
	is_str(c.p->process.cwd, "/app", "in the image's");
	ok(c.p->failure_hint && strstr(c.p->failure_hint, "starts in /app: add -C"), "hint: %s",
	   c.p->failure_hint);
	c.req.entrypoint = "/other";
	built(&c, "--entrypoint");
	is_str(c.p->process.cwd, "/home/alice/project", "in the current directory");
	c.req.entrypoint = NULL;
	c.req.cwd = TRI_ON;
	built(&c, "-C");
	is_str(c.p->process.cwd, "/home/alice/project", "wins");
	c.req.workdir = "/w";
	built(&c, "-w");
	is_str(c.p->process.cwd, "/w", "wins over all");
	c = in_job(JOB_STEP, NULL);
	c.image.config.workdir = "/app";
	strv_push(arena, &c.image.config.cmd, "/serve");
	c.req.args.n = 0;
	built(&c, "the image's CMD");
	is_str(c.p->process.cwd, "/app", "in the image's");
}

static void test_edits(void)
{
	static struct op ops[] = {
		{ .kind = OP_BIND, .src = "/home/alice/cache", .dst = "/home/alice/cache" },
		{ .kind = OP_BIND, .src = "/scratch", .dst = "/scratch" },
		{ .kind = OP_BIND, .src = "/scratch/tmp", .dst = "/scratch/tmp" },
		{ .kind = OP_BIND, .src = "/a", .dst = "/scratch/b" },
		{ .kind = OP_BIND, .src = "/site", .dst = "/data/site" },
		{ .kind = OP_BIND_DEV, .src = "/dev/x", .dst = "/dev/x" },
		{ .kind = OP_BIND_DEV, .src = "/dev/nvidia0", .dst = "/dev/nvidia0" },
	};
	static const char *const env[] = { "LD_LIBRARY_PATH=/host/mpi", "NEW=1", NULL };
	struct edits job = { .ops = { .v = ops, .n = ELEMENTS(ops) } };
	struct plan_case c = in_job(JOB_STEP, NULL);
	size_t nodes = 0;

	for (size_t i = 0; i < ELEMENTS(ops); i++)
		ops[i].why = "job";
	job.env = (struct strv){ .v = (const char **)(uintptr_t)env, .n = 2 };
	c.in.job = &job;
	c.host.cwd = "/scratch/run";
	mount(&c, "/mine", "/data");
	strv_push(arena, &c.image.config.env, "LD_LIBRARY_PATH=/image");
	add_gpu(&c, "/dev/nvidia0");
	built(&c, "edits of the job");
	ok(!case_op(&c, "/home/alice/cache"), "shown by home");
	ok(shows(&c, "/scratch") && !case_op(&c, "/scratch/tmp"), "shown by one before");
	ok(case_op(&c, "/scratch/b"), "another directory at that place");
	ok(!case_op(&c, "/scratch/run"), "the current directory is shown, too");
	is_str(c.p->process.cwd, "/scratch/run", "where the command starts");
	ok(!case_op(&c, "/data/site"), "what the user mounts wins");
	ok(case_op(&c, "/dev/x") && case_at(&c, "/dev/x") > case_at(&c, "/dev"), "a node");
	for (size_t i = 0; i < c.p->container.ops.n; i++)
		nodes += str_eq(c.p->container.ops.v[i].dst, "/dev/nvidia0");
	is_int(nodes, 1, "a node that the GPUs have brought");
	is_str(case_env(&c, "LD_LIBRARY_PATH"), "/host/mpi:/image", "in front of the image's");
	is_str(case_env(&c, "NEW"), "1", "a variable");
}

/* ---- environment ---------------------------------------------------------------------------- */

static void test_environment(void)
{
	static const char *const environ[] = { "LANG=C",
					       "LC_ALL=C",
					       "PATH=/host/bin",
					       "LD_PRELOAD=/x.so",
					       "PYTHONPATH=/x",
					       "CXXFLAGS=-O2",
					       "CC=icc",
					       "CCX=1",
					       "MODULEPATH=/m",
					       "BASH_FUNC_ml%%=() { :; }",
					       "XDG_RUNTIME_DIR=/run/user/1",
					       "HOME=/elsewhere",
					       "MY_SETTING=1",
					       "HF_HOME=/home/alice/hf",
					       "TORCH_HOME=/big/torch",
					       "TMPDIR=/tmp",
					       "TMP=/local/7",
					       "SLURM_PROCID=3",
					       NULL };
	static const char *const gone[] = { "LANG",           "LC_ALL",         "LD_PRELOAD",
					    "PYTHONPATH",     "CXXFLAGS",       "CC",
					    "MODULEPATH",     "TORCH_HOME",     "TMP",
					    "BASH_FUNC_ml%%", "XDG_RUNTIME_DIR" };
	struct plan_case c = in_job(JOB_BATCH, environ);

	strv_push(arena, &c.image.config.env, "SLURM_PROCID=image");
	strv_push(arena, &c.image.config.env, "MY_SETTING=image");
	built(&c, "environment of a job");
	for (size_t i = 0; i < ELEMENTS(gone); i++)
		ok(!case_env(&c, gone[i]), "%s stays outside", gone[i]);
	is_str(case_env(&c, "PATH"), ENV_PATH_DEFAULT, "PATH is not the host's");
	is_str(case_env(&c, "HOME"), "/home/alice", "HOME is the user's");
	is_str(case_env(&c, "MY_SETTING"), "image", "the image wins over the host");
	is_str(case_env(&c, "SLURM_PROCID"), "3", "a family wins over the image");
	is_str(case_env(&c, "CCX"), "1", "the rest passes");
	is_str(case_env(&c, "HF_HOME"), "/home/alice/hf", "a directory below home");
	is_str(case_env(&c, "TMPDIR"), "/tmp", "/tmp is in every image");
	ok(case_says(&c.p->notes, "TORCH_HOME, TMP"), "left out: %s", c.p->notes.v[0]);
	c.req.env_host = "none";
	built(&c, "--env-host none");
	ok(!case_env(&c, "CCX"), "nothing passes");
}

static void test_gpu_list(void)
{
	static const char *const environ[] = { "ROCR_VISIBLE_DEVICES=3", NULL };
	struct plan_case c = in_job(JOB_STEP, environ);

	strv_push(arena, &c.gpu_names, "3");
	c.in.gpu_list = "2";
	built(&c, "a rank's own GPU");
	is_str(case_env(&c, "CUDA_VISIBLE_DEVICES"), "2", "of those in the container");
	is_str(case_env(&c, "ROCR_VISIBLE_DEVICES"), "2", "its kin, where the host has it");
	ok(!case_env(&c, "ZE_AFFINITY_MASK"), "and not elsewhere");
	strv_push(arena, &c.req.env, "CUDA_VISIBLE_DEVICES=7");
	built(&c, "-e");
	is_str(case_env(&c, "CUDA_VISIBLE_DEVICES"), "7", "-e wins");
}

static void test_torch(void)
{
	static const char *const environ[] = { "SLURM_STEP_NODELIST=node[03-05,9]",
					       "SLURM_JOB_NODELIST=other", "SLURM_STEP_NUM_NODES=2",
					       NULL };
	static const char *const wide[] = { "SLURM_STEP_NUM_NODES=8", "RANK=9", NULL };
	static const char *const none[] = { NULL };
	struct plan_case c = in_job(JOB_STEP, environ);

	c.host.job.id = "4537";
	c.req.torch_env = true;
	built(&c, "--torch-env");
	is_str(case_env(&c, "MASTER_ADDR"), "node03", "MASTER_ADDR");
	is_str(case_env(&c, "MASTER_PORT"), "61001", "MASTER_PORT");
	is_str(case_env(&c, "WORLD_SIZE"), "8", "WORLD_SIZE");
	is_str(case_env(&c, "RANK"), "3", "RANK");
	is_str(case_env(&c, "LOCAL_RANK"), "1", "LOCAL_RANK");
	is_str(case_env(&c, "LOCAL_WORLD_SIZE"), "4", "LOCAL_WORLD_SIZE");
	is_str(case_env(&c, "OMP_NUM_THREADS"), "1", "OMP_NUM_THREADS");
	strv_push(arena, &c.req.env, "OMP_NUM_THREADS=8");
	c.host.environ = wide;
	built(&c, "one rank a node");
	is_str(case_env(&c, "RANK"), "9", "never over what is set");
	is_str(case_env(&c, "OMP_NUM_THREADS"), "8", "by -e either");
	ok(case_says(&c.p->warnings, "MASTER_ADDR"), "no node: %s", c.p->warnings.v[0]);
	c.req.env.n = 0;
	built(&c, "one rank a node");
	ok(!case_env(&c, "OMP_NUM_THREADS"), "all threads");
	c = in_job(JOB_STEP, none);
	c.req.torch_env = true;
	c.host.job = (struct host_job){ .kind = JOB_STEP,
					.launcher = "pmix",
					.step = "x@1",
					.key = "x",
					.size = 4,
					.local_size = 4,
					.local_rank = -1 };
	built(&c, "mpirun on one node");
	is_str(case_env(&c, "MASTER_ADDR"), "127.0.0.1", "its own address");
	ok(!case_env(&c, "LOCAL_RANK") && case_env(&c, "MASTER_PORT"), "what is known");
	c = in_job(JOB_BATCH, environ);
	c.req.torch_env = true;
	built(&c, "no launcher");
	ok(!case_env(&c, "RANK") && case_says(&c.p->notes, "--torch-env"), "nothing, and a note");
}

static void test_hosts(void)
{
	static const char *const rows[][2] = {
		{ "node7", "node7" },
		{ "node[03-05,9]", "node03" },
		{ "a,b[2-3]", "a" },
		{ "node[9,1-3]-ib", "node9-ib" },
		{ "rack[1-2]node[3-4],x", "rack1node3" },
		{ "", NULL },
		{ ",a", NULL },
		{ "n[", "n" },
		{ "n[1", "n1" },
		{ "n]", "n]" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		is_str(torch_first_host(arena, rows[i][0]), rows[i][1], "the first of \"%s\"",
		       rows[i][0]);
}

int main(void)
{
	arena = arena_new(0);
	test_batch();
	test_step();
	test_own();
	test_refusals();
	test_key_same();
	test_key_differs();
	test_home();
	test_cwd();
	test_workdir();
	test_edits();
	test_environment();
	test_gpu_list();
	test_torch();
	test_hosts();
	arena_free(arena);
	return done_testing();
}

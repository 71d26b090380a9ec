/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request, a host, its GPUs, a job and an image from the bytes: a plan that is built passes
 * plan_check(), and no request gets around it ("plan check:" is our own mistake); its dump is JSON.
 * A further process in that container (exec) gets no more than its plan has.
 */
#include <linux/filter.h>

#include <gpurun/driver.h>
#include <gpurun/json.h>
#include <gpurun/sys.h>

#include "../helpers/plan-case.h"
#include "fuzz.h"

#define GPUS_MAX 3

struct bytes {
	struct arena *a;
	const uint8_t *p;
	size_t n;
};

static unsigned int pick(struct bytes *b, unsigned int below)
{
	if (b->n == 0)
		return 0;
	b->n--;
	return *b->p++ % below;
}

/* A string: up to the next byte 0xff, or a common one. */
static const char *text(struct bytes *b)
{
	static const char *const common[] = { "/",    "/proc", "/dev/../etc",   "0:0",
					      "ALL",  "A=b",   "CAP_SYS_ADMIN", "/home/alice",
					      "root", "",      "/.gpurun" };
	unsigned int i = pick(b, 32);
	size_t n = 0;
	const char *s;

	if (i < ELEMENTS(common))
		return common[i];
	while (n < b->n && b->p[n] != 0xff)
		n++;
	s = arena_strndup(b->a, (const char *)b->p, n);
	b->p += n;
	b->n -= n;
	if (b->n)
		pick(b, 1);
	return s;
}

static const char *maybe(struct bytes *b)
{
	return pick(b, 4) ? NULL : text(b);
}

static void list(struct bytes *b, struct strv *v)
{
	for (unsigned int n = pick(b, 4); n > 0; n--)
		strv_push(b->a, v, text(b));
}

static void fill_request(struct bytes *b, struct request *q)
{
	list(b, &q->args);
	for (unsigned int n = pick(b, 4); n > 0; n--) {
		struct req_mount m = { .type = pick(b, 2) ? REQ_BIND : REQ_TMPFS,
				       .src = text(b),
				       .dst = text(b),
				       .read_only = pick(b, 2),
				       .nodev = pick(b, 2),
				       .why = "--volume" };

		VEC_PUSH(b->a, q->mounts, q->n_mounts, q->cap_mounts, m);
	}
	for (unsigned int n = pick(b, 3); n > 0; n--) {
		struct req_ulimit u = { (int)pick(b, 20), "x", pick(b, 255), pick(b, 255) };

		VEC_PUSH(b->a, q->ulimits, q->n_ulimits, q->cap_ulimits, u);
	}
	list(b, &q->devices);
	q->workdir = maybe(b);
	q->cwd = pick(b, 3);
	q->home = pick(b, 3);
	q->user = maybe(b);
	q->root = pick(b, 2);
	q->read_only = pick(b, 2);
	q->hostname = maybe(b);
	list(b, &q->env_file);
	list(b, &q->env);
	q->env_host = maybe(b);
	q->entrypoint = maybe(b);
	q->pid = pick(b, 3);
	q->ipc = pick(b, 3);
	q->uts = pick(b, 3);
	q->net = pick(b, 2);
	list(b, &q->dns);
	list(b, &q->add_host);
	q->landlock = pick(b, 3);
	list(b, &q->mask);
	list(b, &q->unmask);
	list(b, &q->cap_add);
	list(b, &q->cap_drop);
	q->nested = pick(b, 2);
	q->no_init = pick(b, 2);
	q->share = pick(b, 3) ? NULL : pick(b, 2) ? "step" : "none";
	q->tty = pick(b, 3);
	q->contain = pick(b, 2);
	q->torch_env = pick(b, 2);
	q->audit_end = pick(b, 2);
	q->userns = pick(b, 8) ? USERNS_SINGLE : USERNS_SUBID;
}

static void fill_image(struct bytes *b, struct image *i)
{
	i->passwd = text(b);
	i->group = text(b);
	list(b, &i->config.env);
	list(b, &i->config.entrypoint);
	list(b, &i->config.cmd);
	i->config.workdir = maybe(b);
	i->config.user = maybe(b);
	i->apt = pick(b, 2);
}

static void fill_host(struct bytes *b, struct host *h)
{
	h->uid = pick(b, 3) ? 1000 : 0;
	h->user = text(b);
	h->home = pick(b, 2) ? "/home/alice" : "/";
	h->cwd = maybe(b);
	if (h->cwd && h->cwd[0] != '/')
		h->cwd = "/srv";
	h->overlay = pick(b, 4);
	h->proc_fresh = pick(b, 4);
	h->landlock_abi = (int)pick(b, 8);
	h->files.sys = pick(b, 2);
	h->files.mqueue = pick(b, 2);
}

/* A job, and what comes with it. */
static void fill_job(struct bytes *b, struct host *h, struct edits *ed)
{
	static const enum job_kind kinds[] = { JOB_NONE, JOB_BATCH, JOB_STEP };
	struct strv env = { 0 };

	h->job.kind = kinds[pick(b, 3)];
	if (h->job.kind == JOB_STEP) {
		h->job.step = "7.0";
		h->job.key = text(b);
	}
	h->job.rank = (int)pick(b, 9) - 1;
	h->job.size = (int)pick(b, 9) - 1;
	h->stdin_tty = h->stdout_tty = pick(b, 2);
	strv_push(b->a, &env, arena_printf(b->a, "SLURM_STEP_NODELIST=%s", text(b)));
	strv_push(b->a, &env, arena_printf(b->a, "SLURM_SUBMIT_DIR=%s", text(b)));
	list(b, &env);
	h->environ = env.v;
	for (unsigned int n = pick(b, 4); n > 0; n--) {
		struct op op = { .kind = pick(b, 2) ? OP_BIND : OP_BIND_DEV,
				 .src = path_clean(b->a, text(b)),
				 .flags = OPF_OPTIONAL,
				 .why = "job" };

		op.dst = pick(b, 2) ? op.src : path_join(b->a, "/dev", text(b));
		if (str_eq(op.dst, "/") || path_below(op.dst, "/.gpurun"))
			continue;
		VEC_PUSH(b->a, ed->ops.v, ed->ops.n, ed->ops.cap, op);
	}
	list(b, &ed->env);
}

/* ---- GPUs ------------------------------------------------------------------------------- */

/* A text as the name of one file: what looks at the machine finds no others. */
static const char *word(struct bytes *b)
{
	char *s = arena_strdup(b->a, text(b));

	for (char *c = s; *c; c++)
		if (*c == '/' || *c == '.')
			*c = '_';
	return *s ? s : "x";
}

static void words(struct bytes *b, const char *dir, struct strv *v)
{
	for (unsigned int n = pick(b, 4); n > 0; n--)
		strv_push(b->a, v, arena_printf(b->a, "%s%s", dir, word(b)));
}

/* A driver's files, of which the bytes leave some out. */
static void fill_driver(struct bytes *b, struct gpu_driver *d)
{
	static const struct gpu_file files[] = {
		{ .kind = GPU_FILE_LIB, .dst = "libcuda.so.550.163.01", .bits = 64 },
		{ .kind = GPU_FILE_LIB, .dst = "libnvidia-ml.so.550.163.01", .bits = 64 },
		{ .kind = GPU_FILE_LIB, .dst = "libcuda.so.550.163.01", .bits = 32 },
		{ .kind = GPU_FILE_BIN, .dst = "/usr/bin/nvidia-smi", .bits = 64 },
		{ .kind = GPU_FILE_DATA, .dst = "/usr/share/nvidia/profile" },
		{ .kind = GPU_FILE_SOCKET, .dst = "/run/nvidia-persistenced/socket" },
	};

	*d = (struct gpu_driver){ .root = "", .module = "550.163.01", .version = "550.163.01" };
	for (size_t i = 0; i < ELEMENTS(files); i++) {
		struct gpu_file f = files[i];

		if (pick(b, 2))
			continue;
		f.caps = pick(b, 2) ? GPU_CAP_ALL : 1U << pick(b, 7);
		f.src = arena_printf(b->a, "/usr/%s", word(b));
		f.glibc_needed = pick(b, 2) ? 0 : (2U << 16) + pick(b, 60);
		words(b, "", &f.links);
		VEC_PUSH(b->a, d->files, d->n_files, d->cap_files, f);
	}
}

static void fill_sight(struct bytes *b, struct gpu_sight *s)
{
	static const char *const kinds[] = { "ro", "rw" };

	for (unsigned int n = pick(b, 3); n > 0; n--) {
		struct gpu_node node = { .path = arena_printf(b->a, "/dev/nv/%s", word(b)),
					 .rdev = pick(b, 2) ? 0 : 0xc300 + pick(b, 9),
					 .why = pick(b, 2) ? "" : "--gds" };

		node.dst = pick(b, 2) ? NULL : arena_printf(b->a, "/dev/%s", word(b));
		VEC_PUSH(b->a, s->nodes.v, s->nodes.n, s->nodes.cap, node);
		strv_push(b->a, &s->binds,
			  arena_printf(b->a, "%s /opt/%s", kinds[pick(b, 2)], word(b)));
	}
	s->proc_params = pick(b, 2) ? NULL : "ModifyDeviceFiles: 1\n";
	s->proc_version = pick(b, 2) ? NULL : "NVRM version: 550.163.01\n";
	s->proc_hidden = pick(b, 2);
}

static void fill_abi(struct bytes *b, struct image_abi *i)
{
	i->libc = (enum image_libc)pick(b, 3);
	i->glibc = pick(b, 2) ? 0 : (2U << 16) + pick(b, 60);
	i->glibc32 = pick(b, 2);
	i->libdir = pick(b, 2) ? NULL : "/usr/lib/x86_64-linux-gnu";
	words(b, "/usr/lib/", &i->drivers);
	words(b, "/usr/local/cuda/compat/", &i->compat);
	i->compat_note = maybe(b);
}

/* gpu_edits() of what the bytes say is there; 0, or -1 when that is refused. */
static int fill_gpus(struct bytes *b, struct plan_case *c)
{
	static struct gpu gpus[GPUS_MAX]; /* the set outlives the plan */
	struct gpu_options o = { .ask = "--gpus x",
				 .explicit = pick(b, 2),
				 .caps = pick(b, 2) ? GPU_CAP_DEFAULT : GPU_CAP_ALL,
				 .compat = (enum gpu_compat)pick(b, 3) };
	struct gpu_target t = { .abi = &c->image.abi, .frozen = pick(b, 2) };
	struct gpu_choices chosen = { 0 };
	struct gpu_sight sight = { 0 };
	struct strv warn = { 0 };
	struct gpu_driver d;
	int n = (int)pick(b, GPUS_MAX + 1);

	fill_driver(b, &d);
	fill_sight(b, &sight);
	fill_abi(b, &c->image.abi);
	sight.driver = pick(b, 4) ? &d : NULL;
	for (int i = 0; i < n; i++) {
		struct gpu_choice choice = { .gpu = &gpus[i] };
		const char *node = arena_printf(b->a, "/dev/nvidia%d", i);

		gpus[i] = (struct gpu){ .backend = "nvidia",
					.index = i,
					.minor = i,
					.pci = "0000:3b:00.0",
					.uuid = "GPU-1",
					.node = { node, (dev_t)(0xc300 + i), "", NULL } };
		VEC_PUSH(b->a, chosen.v, chosen.n, chosen.cap, choice);
		strv_push(b->a, &c->gpu_names, node);
	}
	o.mps = maybe(b);
	if (o.mps)
		o.mps = arena_printf(b->a, "/tmp/%s", word(b));
	return gpu_edits(b->a, &chosen, &sight, &o, &t, &c->gpu, &warn, &c->e);
}

/* ---- what else there is ----------------------------------------------------------------- */

static void fill_rest(struct bytes *b, struct plan_case *c)
{
	static const struct sock_filter filter[] = { { 6, 0, 0, 0x7fff0000 } };
	static struct plan_seccomp seccomp = { .prog = filter, .len = 1, .name = "x" };
	struct device_rule *nodes = ARENA_ARRAY(b->a, struct device_rule, c->req.devices.n + 1);

	for (size_t i = 0; i < c->req.devices.n; i++)
		nodes[i] = (struct device_rule){ pick(b, 2) ? 'c' : 0, pick(b, 255), pick(b, 255),
						 DEVICE_RW };
	c->in.nodes = nodes;
	c->in.seccomp = pick(b, 2) ? &seccomp : NULL;
	c->in.missing_word = maybe(b);
	c->in.gpu_list = maybe(b);
	c->req.shm_size = (uint64_t)pick(b, 255) << pick(b, 40);
	c->req.env_host = maybe(b);
	c->image.foreign = pick(b, 2);
	c->image.config.stop_signal = (int)pick(b, 65);
	c->host.mem_limit = (uint64_t)pick(b, 255) << pick(b, 40);
	c->host.cgroup = pick(b, 2) ? NULL : "/sys/fs/cgroup/user.slice";
	c->host.cgroup_refused = pick(b, 4) ? NULL : "x";
	c->host.devd = pick(b, 2);
	for (c->host.subids.n_uids = 0; c->host.subids.n_uids < pick(b, HOST_SUBIDS_MAX);) {
		size_t i = c->host.subids.n_uids++;

		c->host.subids.uids[i].start = c->host.subids.gids[i].start = pick(b, 255) << 16;
		c->host.subids.uids[i].count = c->host.subids.gids[i].count = 1 + pick(b, 255);
		c->host.subids.n_gids = c->host.subids.n_uids;
	}
}

/* One more process: no capability and no descriptor that the container's plan has not. */
static void check_exec(struct bytes *b, const struct plan_case *c)
{
	const struct plan_process *was = &c->p->process;
	struct strv argv = { 0 }, env = { 0 };
	const struct plan *p = NULL;
	struct err e = { 0 };
	struct plan_exec_input in = { .host = &c->host,
				      .argv = &argv,
				      .container_env = &was->env,
				      .env = &env,
				      .cwd = pick(b, 2) ? was->cwd : text(b),
				      .tty = pick(b, 2),
				      .uid_inside = c->p->container.uid_inside,
				      .caps = was->caps,
				      .landlock_dev = was->landlock_dev,
				      .seccomp = c->in.seccomp };

	strv_push(b->a, &argv, "sh");
	list(b, &env);
	if (plan_exec(b->a, &in, &p, &e) < 0) {
		must(err_is_set(&e) && !str_after(e.msg, "plan check:"));
		return;
	}
	must(p->process.no_new_privs && !(p->process.caps.bounding & ~was->caps.bounding));
	must(!(p->process.caps.keep & ~was->caps.keep) && !p->process.n_preserve_fds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	struct bytes b = { a, data, size };
	const struct json *tree;
	const char *dump;
	struct edits job = { .source = "job" };
	struct plan_case c;

	case_init(&c, a);
	c.req.args.n = 0;
	fill_request(&b, &c.req);
	fill_image(&b, &c.image);
	fill_host(&b, &c.host);
	list(&b, &c.top_entries);
	c.in.scratch_dir = pick(&b, 3) ? NULL : "/scratch";
	c.in.keep_dir = pick(&b, 3) ? NULL : "/keep";
	c.req.keep = c.in.keep_dir;
	fill_job(&b, &c.host, &job);
	c.in.job = &job;
	fill_rest(&b, &c);
	if (pick(&b, 2) && fill_gpus(&b, &c) < 0) {
		must(err_is_set(&c.e));
		return 0;
	}
	c.in.n_gpus = c.gpu_names.n;
	if (case_build(&c) < 0) {
		must(err_is_set(&c.e) && !str_after(c.e.msg, "plan check:"));
		return 0;
	}
	must(plan_check(c.p, &c.e) == 0);
	dump = plan_dump(a, c.p);
	must(json_parse(a, dump, strlen(dump), "plan", &tree, &c.e) == 0);
	check_exec(&b, &c);
	return 0;
}

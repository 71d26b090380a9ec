/* SPDX-License-Identifier: Apache-2.0 */
/* A plan for a bundle: what config.json says, GPUs, and nothing else. */
#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/sysmacros.h>

#include <gpurun/oci.h>
#include <gpurun/sys.h>

#include "plan-unit.h"

#define BIT(n) (UINT64_C(1) << (n))

static struct oci_bundle bundle;

/* A bundle for the ordinary host, with the mounts and members of linux that are named. */
static struct plan_case with(const char *mounts, const char *spec)
{
	struct plan_case c = fresh();
	const char *text = arena_printf(
		arena,
		"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"user\":"
		"{\"uid\":0,\"gid\":0},\"args\":[\"sh\",\"-c\",\"x\"],\"cwd\":\"/w\",\"env\":["
		"\"A=1\",\"CUDA_VISIBLE_DEVICES=2,3\"],\"capabilities\":{\"bounding\":"
		"[\"CAP_KILL\"]},\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":2}]},"
		"\"mounts\":[%s],\"linux\":{%s}}",
		mounts, spec);

	ok(oci_bundle_read(arena, "/b", text, strlen(text), &bundle, &c.e) == 0, "a bundle: %s",
	   c.e.msg);
	c.req = (struct request){ 0 };
	ok(oci_request(&bundle, "id", &c.req, &c.e) == 0, "its request");
	c.in.bundle = &bundle;
	return c;
}

#define PID "\"namespaces\":[{\"type\":\"pid\"}]"

static void test_container(void)
{
	struct plan_case c = with("", PID);

	built(&c, "the least bundle");
	ok(c.p->container.namespaces == (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID),
	   "user and mount are always there, of the others those in the list");
	ok(c.p->container.uid_inside == 0 && c.p->container.uid_outside == 1000, "the mapped id");
	is_int(c.p->container.root.kind, ROOT_BIND, "the root is the bundle's");
	is_str(c.p->container.root.lowers.v[0], "/b/rootfs", "its directory");
	ok(!c.p->container.hostname, "the host's name stays");
	ok(!case_op(&c, "/etc/passwd") && !case_op(&c, "/etc/hosts") && !case_op(&c, "/home/alice"),
	   "no file of ours, no directory of the user");
	ok(!case_op(&c, "/proc/kcore"), "no mask that the list does not have");
	ok(case_op(&c, "/proc")->kind == OP_PROC && !(case_op(&c, "/proc")->flags & OPF_HOST),
	   "a fresh /proc");
	ok(case_op(&c, "/sys")->flags & OPF_HOST && case_op(&c, "/dev/shm")->kind == OP_TMPFS &&
		   case_op(&c, "/dev/pts")->kind == OP_DEVPTS &&
		   case_op(&c, "/dev/null")->kind == OP_BIND_DEV,
	   "what the specification wants in every container");
	ok(!case_op(&c, "/dev/mqueue"), "and no more");
}

static void test_process(void)
{
	struct plan_case c = with("", "");
	const struct plan_process *pr;

	built(&c, "a process");
	pr = &c.p->process;
	is_int(pr->argv.n, 3, "the words of the command");
	is_int(pr->env.n, 2, "the variables of the list, and no other");
	is_str(case_env(&c, "CUDA_VISIBLE_DEVICES"), "2,3", "as they are, without a GPU");
	ok(strstr(pr->path, "/bin"), "a command is found without PATH, too");
	ok(str_eq(pr->cwd, "/w") && pr->cwd_create, "the working directory");
	ok(pr->caps.bounding == BIT(CAP_KILL) && !pr->caps.keep && !pr->caps.ambient,
	   "capabilities");
	ok(pr->n_rlimits == 1 && pr->rlimits[0].limit.rlim_max == 2, "limits");
	ok(pr->no_new_privs && !pr->tty && !pr->init, "the rest");
	c = with("", "");
	bundle.rlimits.v[0].limit.rlim_max = 10000;
	refused(&c, "RLIMIT_CORE: above the hard limit", "a limit that nobody can raise");
}

static void test_order(void)
{
	struct plan_case c =
		with("{\"destination\":\"/a/b\",\"type\":\"tmpfs\"},"
		     "{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"size=1k\"]},"
		     "{\"destination\":\"/dev/shm\",\"type\":\"bind\",\"source\":\"/dev/shm\"},"
		     "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"options\":[\"mode=755\"]},"
		     "{\"destination\":\"/dev/null\",\"type\":\"bind\",\"source\":\"/x\"}",
		     "\"maskedPaths\":[\"/proc/x\"],\"readonlyPaths\":[\"/a\"]");

	built(&c, "mounts in an odd order");
	ok(case_at(&c, "/a/b") < case_at(&c, "/a"), "the order of the list");
	ok(case_at(&c, "/dev/zero") > case_at(&c, "/dev"), "nodes behind the tmpfs");
	ok(case_op(&c, "/dev/null")->kind == OP_BIND, "what the list mounts over a node holds");
	ok(case_at(&c, "/dev/pts") > case_at(&c, "/dev"), "supplied where /dev is there");
	is_int(case_op(&c, "/proc/x")->kind, OP_MASK, "a mask");
	ok(case_at(&c, "/proc/x") > case_at(&c, "/dev/null") &&
		   case_op(&c, "/a")->kind == OP_READONLY,
	   "masks last");
}

static void test_namespaces(void)
{
	struct plan_case c = with("{\"destination\":\"/sys\",\"type\":\"sysfs\",\"options\":"
				  "[\"ro\"]},{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\"}",
				  "\"namespaces\":[{\"type\":\"network\"},{\"type\":\"cgroup\"},"
				  "{\"type\":\"ipc\"}]");

	built(&c, "namespaces");
	ok(c.p->container.namespaces ==
		   (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWCGROUP),
	   "those of the list");
	ok(c.p->container.loopback_up && !(case_op(&c, "/sys")->flags & OPF_HOST),
	   "a network of its own: lo and sysfs, too");
	ok(!(case_op(&c, "/dev/mqueue")->flags & OPF_HOST), "queues of its own");
	ok(case_op(&c, "/proc")->flags & OPF_HOST, "the host's processes");
	c = with("{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\"}", "");
	built(&c, "the host's queues");
	ok(case_op(&c, "/dev/mqueue")->flags & OPF_HOST, "are bound");
	c = with("{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\"}", "");
	c.host.files.mqueue = false;
	built(&c, "a host without queues");
	ok(!case_op(&c, "/dev/mqueue") &&
		   case_says(&c.p->notes, "mounts[0]: /dev/mqueue: left out"),
	   "has none inside, and says so");
	c = with("", PID);
	c.host.proc_fresh = false;
	refused(&c, "linux.namespaces: pid", "no fresh /proc, no pid namespace");
}

static void test_ids(void)
{
	struct plan_case c = with("", "\"uidMappings\":[{\"containerID\":0,\"hostID\":1001,"
				      "\"size\":1}]");

	refused(&c, "linux.uidMappings: hostID 1001", "somebody else's id");
	c = with("", "\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1}]");
	built(&c, "one's own group");
	c = with("", "");
	c.host.uid = 0;
	built(&c, "started by root");
	is_int(case_op(&c, "/proc/kcore")->kind, OP_MASK,
	       "the masks are there, in the list or not");
	c = with("", "");
	c.host.uid = 0;
	bundle.bounding |= BIT(CAP_SYS_ADMIN);
	refused(&c, "CAP_SYS_ADMIN", "root without what takes the masks away");
}

/* ---- devices ---------------------------------------------------------------------------------- */

#define NODE(path, major, minor)                                                                   \
	"\"devices\":[{\"type\":\"c\",\"path\":\"" path "\",\"major\":" major ",\"minor\":" minor  \
	"}]"
#define RULE(text) "\"resources\":{\"devices\":[{\"allow\":true,\"type\":\"c\"" text "}]}"

static void add_gpu(struct plan_case *c)
{
	struct op op = { .kind = OP_BIND_DEV,
			 .src = "/dev/nvidia1",
			 .dst = "/dev/nvidia1",
			 .rdev = makedev(195, 1),
			 .why = "gpu" };

	VEC_PUSH(arena, c->gpu.ops.v, c->gpu.ops.n, c->gpu.ops.cap, op);
	strv_push(arena, &c->gpu.env, "NVIDIA_X=1");
	strv_push(arena, &c->gpu_names, "1 GPU-x");
}

static void test_devices(void)
{
	static const char *const there[] = { NODE("/dev/null", "1", "3"),
					     NODE("/dev/ptmx", "5", "2"),
					     RULE(",\"major\":1,\"minor\":3"),
					     RULE(",\"major\":136,\"minor\":-1"), RULE("") };
	static const char *const not_there[] = { NODE("/dev/fuse", "10", "229"),
						 NODE("/dev/null", "1", "5"),
						 NODE("/dev/nvidia1", "195", "1"),
						 RULE(",\"major\":10,\"minor\":229"),
						 RULE(",\"major\":195") };

	for (size_t i = 0; i < ELEMENTS(there); i++) {
		struct plan_case c = with("", there[i]);

		built(&c, there[i]);
	}
	for (size_t i = 0; i < ELEMENTS(not_there); i++) {
		struct plan_case c = with("", not_there[i]);

		refused(&c, "neither one of the nodes", not_there[i]);
	}
}

static void test_gpus(void)
{
	struct plan_case c = with("", NODE("/dev/nvidia1", "195", "1"));

	add_gpu(&c);
	built(&c, "a bundle that names a GPU's node");
	is_str(case_env(&c, "CUDA_VISIBLE_DEVICES"), "0", "lists of GPUs count as inside");
	is_str(case_env(&c, "NVIDIA_X"), "1", "what GPUs need");
	ok(case_op(&c, "/dev/nvidia1") != NULL, "the node");
	c = with("", RULE(",\"major\":195,\"minor\":1"));
	add_gpu(&c);
	built(&c, "a rule that allows it");
}

/* ---- steps ------------------------------------------------------------------------------------ */

static void in_step(struct plan_case *c, const char *key)
{
	c->host.job = (struct host_job){ .kind = JOB_STEP,
					 .launcher = "slurm",
					 .id = "7",
					 .step = "7.0",
					 .key = key,
					 .local_size = 2 };
}

static void test_step(void)
{
	struct plan_case c =
		with("{\"destination\":\"/spool\",\"source\":\"/b/task-0\",\"options\":"
		     "[\"bind\"]}",
		     "");
	const char *key;

	in_step(&c, "step");
	built(&c, "a rank of a step");
	key = c.p->container.share_key;
	ok(key && c.p->process.exec && !c.p->process.keep_fds && !c.p->process.landlock_dev,
	   "shares a container, and becomes the command");
	c = with("{\"destination\":\"/spool\",\"source\":\"/b/task-1\",\"options\":[\"bind\"]}",
		 "");
	in_step(&c, "step");
	built(&c, "another rank, with a directory of its own");
	is_str(c.p->container.share_key, key, "finds it");
	c = with("{\"destination\":\"/spool\",\"source\":\"/c\",\"options\":[\"bind\"]}", "");
	in_step(&c, "step");
	built(&c, "a rank with another mount");
	ok(!str_eq(c.p->container.share_key, key), "has another one");
	c = with("", PID);
	in_step(&c, "step");
	built(&c, "a rank with a pid namespace");
	ok(!c.p->container.share_key && !c.p->process.exec && !c.p->process.keep_fds,
	   "has one of its own");
	c = with("", "");
	in_step(&c, "step");
	c.req.tty = TRI_ON;
	refused(&c, "process.terminal", "no terminal where the launcher made none");
	c = with("", "");
	in_step(&c, "step");
	c.req.tty = TRI_ON;
	c.host.stdin_tty = true;
	built(&c, "srun --pty");
	ok(!c.p->process.tty, "the launcher's terminal is the one");
}

static void test_texts(void)
{
	struct plan_case c = with("", "\"odd\":1");

	built(&c, "an unknown member");
	ok(case_says(&c.p->warnings, "/b/config.json: linux.odd: not a member"), "is said");
	c = with("", "\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,"
		     "\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1,\"r\":1");
	built(&c, "many unknown members");
	ok(c.p->warnings.n == 16 && case_says(&c.p->notes, "2 more"), "are said in a few lines");
}

int main(void)
{
	arena = arena_new(0);
	test_container();
	test_process();
	test_order();
	test_namespaces();
	test_ids();
	test_devices();
	test_gpus();
	test_step();
	test_texts();
	arena_free(arena);
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The device filter of a cgroup in the plan: when there is one, its rules, and what plan_check says. */
#include <linux/sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <gpurun/sys.h>

#include "plan-unit.h"

#define CGROUP "/sys/fs/cgroup/user.slice/session-1.scope"

/* Started by root, where a filter can be had. */
static struct plan_case root(void)
{
	struct plan_case c = fresh();

	c.host.uid = 0;
	c.host.gid = 0;
	c.host.cgroup = CGROUP;
	return c;
}

static void add_op(struct plan_case *c, struct op op)
{
	op.why = "gpu 0 (--gpus 0)";
	VEC_PUSH(arena, c->gpu.ops.v, c->gpu.ops.n, c->gpu.ops.cap, op);
}

static void add_node(struct plan_case *c, const char *path, unsigned int maj, unsigned int min)
{
	add_op(c,
	       (struct op){
		       .kind = OP_BIND_DEV, .src = path, .dst = path, .rdev = makedev(maj, min) });
}

static void add_mount(struct plan_case *c, const char *src, const char *dst, bool read_only)
{
	struct req_mount m = {
		.type = REQ_BIND, .src = src, .dst = dst, .why = "-v", .read_only = read_only
	};

	VEC_PUSH(arena, c->req.mounts, c->req.n_mounts, c->req.cap_mounts, m);
}

static bool allows(const struct plan_case *c, uint32_t type, uint32_t maj, uint32_t min)
{
	const struct plan_devices *d = &c->p->container.devices;

	return devices_allow(d->rules, d->n, (struct device_rule){ type, maj, min, DEVICE_RW });
}

static void on(struct plan_case *c, const char *what)
{
	built(c, what);
	ok(c->p && c->p->container.devices.cgroup && !c->p->container.devices.off, "%s: a filter",
	   what);
}

static void off(struct plan_case *c, const char *word, const char *what)
{
	const struct plan_devices *d;

	built(c, what);
	d = &c->p->container.devices;
	ok(!d->cgroup && !d->n && d->off && strstr(d->off, word), "%s: none: %s", what,
	   d->off ? d->off : "(no reason)");
}

static void test_rules(void)
{
	static const struct device_rule nodes[] = { { 'c', 10, 229, 0 }, { 'b', 8, 1, 0 } };
	struct plan_case c = root();

	add_node(&c, "/dev/nvidia0", 195, 0);
	add_node(&c, "/dev/nvidiactl", 195, 255);
	strv_push(arena, &c.req.devices, "/dev/fuse");
	strv_push(arena, &c.req.devices, "/dev/sda1:/dev/disk");
	c.in.nodes = nodes;
	on(&c, "root with a GPU");
	is_str(c.p->container.devices.cgroup, CGROUP, "in our own cgroup");
	ok(!c.p->container.devices.devd, "attached by ourselves");
	ok(allows(&c, 'c', 1, 3) && allows(&c, 'c', 1, 9) && allows(&c, 'c', 5, 0), "every /dev");
	ok(allows(&c, 'c', 5, 2) && allows(&c, 'c', 136, 12), "terminals");
	ok(allows(&c, 'c', 195, 0) && allows(&c, 'c', 195, 255), "the chosen GPU");
	ok(!allows(&c, 'c', 195, 1) && !allows(&c, 'b', 195, 0), "no other one");
	ok(allows(&c, 'c', 10, 229), "--device");
	ok(allows(&c, 'b', 8, 1) && !allows(&c, 'c', 8, 1), "--device of a disk");
	ok(!allows(&c, 'c', 1, 1) && !allows(&c, 'c', 10, 1), "nothing else");
	is_int((long long)c.p->container.devices.n, 12, "one rule for each");
}

static void test_who(void)
{
	struct plan_case c = fresh();

	c.host.cgroup = CGROUP;
	off(&c, "only for root", "an ordinary user");
	c.host.devd = true;
	on(&c, "an ordinary user with devd");
	ok(c.p->container.devices.devd, "by devd");
	c.host.cgroup = NULL;
	off(&c, "no cgroup", "a cgroup that is not the user's");
	c = root();
	c.host.cgroup_refused = "load a device program: Operation not permitted";
	off(&c, "not permitted", "the kernel has refused");
	c = root();
	c.host.job = (struct host_job){ .kind = JOB_BATCH, .launcher = "slurm", .id = "7" };
	off(&c, "job", "a batch job");
	c = root();
	c.req.pid = NS_HOST;
	off(&c, "PID namespace", "--pid host");
	c = root();
	c.host.proc_fresh = false;
	off(&c, "PID namespace", "no fresh /proc");
}

static void test_mounts(void)
{
	struct plan_case c = root();

	add_mount(&c, "/dev", "/mnt/dev", false);
	add_mount(&c, "/data", "/devices", false);
	on(&c, "the host's /dev elsewhere");
	add_mount(&c, "/dev/snd", "/dev/snd", false);
	off(&c, "-v", "a directory below /dev");
	c = root();
	add_mount(&c, "/dev", "/dev", true);
	off(&c, "-v", "the host's /dev on /dev");
	c = root();
	add_mount(&c, "/", "/host", true);
	on(&c, "the host's files, to be read");
	add_mount(&c, "/", "/host2", false);
	off(&c, "another cgroup", "the host's files, to be written");
	c = root();
	add_mount(&c, "/sys/fs/cgroup/unified", "/cg", false);
	off(&c, "another cgroup", "cgroups that can be written");
	c = root();
	c.req.ipc = NS_HOST;
	on(&c, "the host's /dev/shm");
	c = root();
	strv_push(arena, &c.req.devices, "/dev/fuse");
	off(&c, "not known which", "--device of an unknown number");
}

static void test_many(void)
{
	struct plan_case c = root();

	for (unsigned int i = 0; i < DEVICE_RULES_MAX; i++)
		add_node(&c, arena_printf(arena, "/dev/x%u", i), 500, i);
	off(&c, "more devices", "too many");
}

/* A finished plan, changed: plan_check must see it. */
static void test_check(void)
{
	static const struct device_rule wider[] = {
		{ 'c', 1, 3, DEVICE_RW | DEVICE_MKNOD },
		{ 'c', 1, DEVICE_ANY, DEVICE_RW },
		{ 'b', 1, 3, DEVICE_RW },
		{ 'c', 195, 1, DEVICE_READ },
		{ 'c', 5, 1, DEVICE_RW },
		{ 'c', 136, 0, DEVICE_RW | DEVICE_MKNOD },
	};
	struct plan_case c = root();
	struct plan p;

	add_node(&c, "/dev/nvidia0", 195, 0);
	on(&c, "a plan to be changed");
	for (size_t i = 0; i < ELEMENTS(wider); i++) {
		struct device_rule rules[DEVICE_RULES_MAX];

		p = *c.p;
		memcpy(rules, p.container.devices.rules, p.container.devices.n * sizeof(*rules));
		rules[p.container.devices.n++] = wider[i];
		p.container.devices.rules = rules;
		ok(plan_check(&p, &c.e) < 0, "wider rule %zu: %s", i, c.e.msg);
	}
	p = *c.p;
	p.container.devices.n = 0;
	ok(plan_check(&p, &c.e) < 0, "chosen, but denied: %s", c.e.msg);
	p = *c.p;
	p.container.namespaces &= ~(uint64_t)CLONE_NEWPID;
	p.process.init = false;
	ok(plan_check(&p, &c.e) < 0, "without a PID namespace: %s", c.e.msg);
	p = *c.p;
	p.container.devices = (struct plan_devices){ 0 };
	ok(plan_check(&p, &c.e) < 0, "neither filter nor reason: %s", c.e.msg);
}

int main(void)
{
	arena = arena_new(0);
	test_rules();
	test_who();
	test_mounts();
	test_many();
	test_check();
	arena_free(arena);
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the lines of --audit say, and the figures of cgroups that stand in them. */
#include <errno.h>
#include <sched.h>
#include <sys/stat.h>

#include <gpurun/fd.h>
#include <gpurun/json.h>
#include <gpurun/str.h>

#include "../../src/audit/lines.h"
#include "tap.h"

#define GIB (1ULL << 30)

static struct arena *arena;
static char root[] = "/tmp/gpurun-audit.XXXXXX";

/* ---- a machine of text files ---------------------------------------------------------------- */

static void put_file(const char *path, const char *text)
{
	_cleanup_fd_ int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_fd_ int dir = root_mkdirs(top, path_dir(arena, path), 0755);
	_cleanup_fd_ int fd =
		openat(dir, path_base(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		diag("%s: cannot be written", path);
}

static void remove_root(void)
{
	if (system(arena_printf(arena, "rm -rf %s", root)) != 0)
		diag("%s: not removed", root);
}

static void look(struct look *l, struct look_usage *u)
{
	_cleanup_fd_ int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	look_open(arena, top, l);
	look_read(arena, l, u);
}

/* An empty machine whose /proc/self/cgroup says @lines. */
static void machine(const char *lines)
{
	remove_root();
	(void)mkdir(root, 0700);
	put_file("/proc/sys/kernel/random/boot_id", "0123-4567\n");
	put_file("/proc/self/cgroup", lines);
}

/* ---- cgroups -------------------------------------------------------------------------------- */

static void test_version_2(void)
{
	struct look l;
	struct look_usage u;

	machine("0::/slurm/job_7/step_0\n");
	put_file("/sys/fs/cgroup/slurm/job_7/step_0/cgroup.type", "domain\n");
	put_file("/sys/fs/cgroup/slurm/job_7/step_0/memory.peak", "4096\n");
	put_file("/sys/fs/cgroup/slurm/job_7/step_0/cpu.stat",
		 "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 3\nnr_throttled 2\n"
		 "throttled_usec 1\n");
	look(&l, &u);
	is_str(l.boot_id, "0123-4567", "the boot id");
	is_str(l.cgroup, "/slurm/job_7/step_0", "version 2: the path");
	is_int(u.memory_peak, 4096, "memory");
	ok(u.cpu_us == 30 && u.user_us == 20 && u.system_us == 10, "time");
	ok(u.periods == 3 && u.throttled == 2 && u.throttled_us == 1, "its limit");
	look_close(&l);
	is_int(l.dirs[LOOK_UNIFIED], -1, "closed");
}

static void test_version_1(void)
{
	struct look l;
	struct look_usage u;

	machine("5:cpu,cpuacct:/job_7\n4:memory:/slurm/job_7\n0::/\n");
	put_file("/sys/fs/cgroup/memory/slurm/job_7/memory.max_usage_in_bytes", "8192\n");
	put_file("/sys/fs/cgroup/cpuacct/job_7/cpuacct.usage", "5000000\n");
	put_file("/sys/fs/cgroup/cpuacct/job_7/cpuacct.stat", "user 3\nsystem 2\n");
	put_file("/sys/fs/cgroup/cpu.stat", "usage_usec 77\n");
	look(&l, &u);
	is_str(l.cgroup, "/slurm/job_7", "version 1: the path of memory");
	is_int(u.memory_peak, 8192, "memory");
	ok(u.cpu_us == 5000 && u.user_us == 30000 && u.system_us == 20000, "time, in microseconds");
	ok(u.periods == LOOK_UNKNOWN, "what it does not have");
	look_close(&l);
}

/* The root cgroup counts the whole machine: nothing of it is ours. */
static void test_root(void)
{
	struct look l;
	struct look_usage u;

	machine("0::/\n");
	put_file("/sys/fs/cgroup/cpu.stat", "usage_usec 30\n");
	look(&l, &u);
	is_str(l.cgroup, "/", "version 2: the root");
	ok(u.cpu_us == LOOK_UNKNOWN, "counts the machine");
	look_close(&l);
	machine("1:cpuacct:/\n4:memory:/\n");
	put_file("/sys/fs/cgroup/memory/release_agent", "");
	put_file("/sys/fs/cgroup/memory/memory.max_usage_in_bytes", "8192\n");
	look(&l, &u);
	ok(u.memory_peak == LOOK_UNKNOWN && u.cpu_us == LOOK_UNKNOWN, "so does version 1's");
	look_close(&l);
}

static void test_nonsense(void)
{
	static const char *const texts[] = { "",      "nonsense",         "0:",
					     "0::x",  "0::/../../..\n",   ":::::\n0::\n",
					     "\n\n/", "9:memory:relative" };
	struct look l;
	struct look_usage u;

	for (size_t i = 0; i < ELEMENTS(texts); i++) {
		machine(texts[i]);
		look(&l, &u);
		ok(u.memory_peak == LOOK_UNKNOWN && (!l.cgroup || str_eq(l.cgroup, "/")),
		   "nothing is made of text %zu", i);
		look_close(&l);
	}
	machine("0::/a\n");
	put_file("/sys/fs/cgroup/a/cgroup.type", "domain\n");
	put_file("/sys/fs/cgroup/a/memory.peak", "max\n");
	put_file("/sys/fs/cgroup/a/cpu.stat", "usage_usec\nuser_usec 1 2\nsystem_usec -1\n"
					      "nr_periods 18446744073709551615\nnr_throttledx 1\n");
	look(&l, &u);
	ok(u.memory_peak == LOOK_UNKNOWN && u.cpu_us == LOOK_UNKNOWN && u.user_us == LOOK_UNKNOWN,
	   "what is no number is not known");
	ok(u.system_us == LOOK_UNKNOWN && u.periods == LOOK_UNKNOWN && u.throttled == LOOK_UNKNOWN,
	   "nor what no number can be");
	look_close(&l);
	remove_root();
	(void)mkdir(root, 0700);
	look(&l, &u);
	ok(!l.boot_id && !l.cgroup && u.memory_peak == LOOK_UNKNOWN, "an empty machine");
	look_close(&l);
}

/* ---- a start to tell of --------------------------------------------------------------------- */

static const char *const environment[] = { "SLURMD_NODENAME=node1", "SLURM_RESTART_COUNT=2",
					   "SLURM_JOB_ACCOUNT=physics",
					   "SLURM_JOB_SLUID=s6TSM7ZZ6TKT00", NULL };

struct start {
	struct host host;
	struct image image;
	struct plan plan;
	struct gpu gpus[2];
	struct gpu_mig mig;
	struct gpu_choice choices[2];
	struct gpu_choices chosen;
	struct audit_facts facts;
	struct lines lines;
	struct line_fields fields;
};

static void make_start(struct start *s)
{
	*s = (struct start){
		.host = { .uid = 1001,
			  .gid = 1002,
			  .user = "alice",
			  .hostname = "node1",
			  .environ = environment,
			  .job = { .kind = JOB_STEP,
				   .launcher = "slurm",
				   .id = "123",
				   .step = "123.0",
				   .rank = 3,
				   .local_rank = 1 } },
		.image = { .name = "pytorch:latest" },
		.gpus = { { .index = 0, .minor = 1, .uuid = "GPU-a", .pci = "0000:3b:00.0" },
			  { .index = 1, .minor = 0, .uuid = "GPU-b", .pci = "0000:5b:00.0" } },
		.mig = { .gi = 1, .ci = 0, .uuid = "MIG-c" },
		.lines = { .look = { .boot_id = "0123",
				     .cgroup = "/job",
				     .dirs = { -1, -1, -1 } } },
	};
	memset(s->image.id, 'a', IMAGE_ID_HEX);
	strv_push(arena, &s->plan.process.argv, "python3");
	strv_push(arena, &s->plan.gpus, "0 GPU-a 0000:3b:00.0");
	strv_push(arena, &s->plan.gpus, "vendor.com/net=eth0");
	s->plan.container.namespaces = CLONE_NEWUSER | CLONE_NEWNS;
	s->plan.process.seccomp_name = "default";
	s->plan.process.no_new_privs = true;
	s->plan.process.caps.ambient = 1ULL << 1;
	s->host.gpus = (struct gpu_set){ .v = s->gpus, .n = 2 };
	s->choices[0] = (struct gpu_choice){ .gpu = &s->gpus[0] };
	s->choices[1] = (struct gpu_choice){ .gpu = &s->gpus[1], .mig = &s->mig };
	s->chosen = (struct gpu_choices){ .v = s->choices, .n = 2 };
	s->facts = (struct audit_facts){ .host = &s->host,
					 .image = &s->image,
					 .plan = &s->plan,
					 .gpus = &s->chosen,
					 .driver_version = "550.163.01",
					 .gpu_source = "0,1:0",
					 .mode = "share",
					 .container = "123.0-0123456789abcdef" };
}

static const struct json *parse(const char *line, size_t len)
{
	const struct json *j = NULL;
	struct err e = { 0 };

	ok(strlen(line) == len && len > 1 && strchr(line, '\n') == line + len - 1, "one line");
	is_int(json_parse(arena, line, len, "the line", &j, &e), 0, "of JSON (%s)", e.msg);
	return j;
}

static const struct json *start_line(struct start *s)
{
	size_t len = 0;
	const char *line = lines_start(arena, &s->lines, &s->facts, &s->fields, &len);

	return parse(line, len);
}

static const struct json *end_line(struct start *s, const struct audit_result *r)
{
	size_t len = 0;
	const char *line = lines_end(arena, &s->lines, &s->facts, r, &s->fields, &len);

	return parse(line, len);
}

/* The value at a path of members, "job.rank", or NULL where it is null. */
static const struct json *at(const struct json *j, const char *path)
{
	struct strv names = { 0 };

	str_split(arena, path, '.', &names);
	for (size_t i = 0; j && i < names.n; i++)
		j = json_get(j, names.v[i]);
	return j;
}

static long long num(const struct json *j, const char *path)
{
	const struct json *v = at(j, path);

	return v && v->type == JSON_INT ? v->num : -77;
}

static const char *str(const struct json *j, const char *path)
{
	const struct json *v = at(j, path);

	return v && v->type == JSON_STRING ? v->str : NULL;
}

static const char *list(const struct json *j, const char *path)
{
	const struct json *v = at(j, path);
	const char *text = "";

	for (const struct json *c = v ? v->child : NULL; c; c = c->next)
		text = arena_printf(arena, "%s%s%s", text, *text ? "," : "", c->str);
	return text;
}

static const char *field(const struct start *s, const char *key)
{
	for (size_t i = 0; i < s->fields.n; i++)
		if (str_eq(s->fields.v[i].key, key))
			return s->fields.v[i].value;
	return "no such field";
}

/* Every member is there, null or not: who reads need not ask. */
static void has_members(const struct json *j, const char *names)
{
	const char *got = "";

	for (const struct json *c = j->child; c; c = c->next)
		got = arena_printf(arena, "%s%s%s", got, *got ? " " : "", c->key);
	is_str(got, names, "its members");
}

#define HEAD "v event ts monotonic_ns host boot_id uid gid user pid container mode image job "

/* ---- the first line ------------------------------------------------------------------------- */

static void test_start(void)
{
	struct start s;
	const struct json *j, *g;

	make_start(&s);
	j = start_line(&s);
	has_members(j, HEAD "ns gpurun argv0 gpus cdi driver_version cgroup policy");
	ok(num(j, "v") == 1 && str_eq(str(j, "event"), "start"), "what it is");
	ok(str_glob("20*-*-*T*:*:*.*Z", str(j, "ts")), "when: %s", str(j, "ts"));
	ok(num(j, "monotonic_ns") > 0 && num(j, "pid") == getpid(), "who");
	ok(num(j, "uid") == 1001 && num(j, "gid") == 1002, "whose");
	is_str(str(j, "user"), "alice", "by name");
	is_str(str(j, "image.digest"),
	       "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	       "the image");
	is_str(str(j, "argv0"), "python3", "the command");
	is_str(list(j, "cdi"), "vendor.com/net=eth0", "a CDI device");
	g = at(j, "gpus")->child;
	ok(num(g, "index") == 0 && num(g, "minor") == 1 && !at(g, "mig"), "the first GPU");
	is_str(str(g, "uuid"), "GPU-a", "its UUID");
	is_str(str(g, "pci"), "0000:3b:00.0", "its address");
	is_str(str(g, "source"), "0,1:0", "why it is ours");
	is_str(str(g->next, "mig"), "gi1/ci0", "the second is a MIG device");
	is_str(str(g->next, "mig_uuid"), "MIG-c", "with a UUID");
	is_str(str(j, "driver_version"), "550.163.01", "the driver");
	is_str(str(j, "cgroup"), "/job", "the cgroup");
	is_str(field(&s, "GPURUN_GPUS"), "GPU-a,MIG-c", "the journal's field of GPUs");
	ok(!field(&s, "GPURUN_STATUS"), "and none of the status");
}

static void test_job(void)
{
	struct start s;
	const struct json *j;

	make_start(&s);
	j = start_line(&s);
	has_members(at(j, "job"), "launcher id step rank local_rank node restart account sluid");
	ok(num(j, "job.rank") == 3 && num(j, "job.local_rank") == 1, "the rank");
	ok(num(j, "job.restart") == 2, "how often it was started");
	is_str(str(j, "job.account"), "physics", "who pays");
	is_str(str(j, "job.sluid"), "s6TSM7ZZ6TKT00", "Slurm's own name for it");
	is_str(str(j, "job.node"), "node1", "the node's name in Slurm");
	s.host.environ = (const char *const[]){ "SLURM_RESTART_COUNT=x", NULL };
	s.host.job.rank = -1;
	j = start_line(&s);
	ok(at(j, "job") && !at(j, "job.rank") && !at(j, "job.restart") && !at(j, "job.node"),
	   "what is not known is null");
	s.host.job = (struct host_job){ .kind = JOB_NONE };
	j = start_line(&s);
	ok(!at(j, "job"), "outside of a job there is none");
	ok(!field(&s, "GPURUN_JOB"), "also for the journal");
}

static void test_policy(void)
{
	struct start s;
	const struct json *j;

	make_start(&s);
	j = start_line(&s);
	is_str(str(j, "policy.seccomp"), "default", "the seccomp profile");
	is_str(list(j, "policy.caps"), "CAP_DAC_OVERRIDE", "capabilities");
	is_str(list(j, "policy.device_filter"), "mount", "only the mounts filter devices");
	ok(at(j, "policy.no_new_privs")->num == 1 && at(j, "policy.landlock")->num == 0, "flags");
	s.plan.process.landlock_dev = true;
	s.gpus[1].denied_errno = EPERM;
	j = start_line(&s);
	is_str(list(j, "policy.device_filter"), "mount,landlock,cgroup", "all three of them");
	s.host.gpus.allotted = GPU_ALLOTTED_LIST;
	j = start_line(&s);
	is_str(list(j, "policy.device_filter"), "mount,landlock", "a job's list is no filter");
	s.gpus[1].denied_errno = 0;
	s.host.gpus.allotted = GPU_ALLOTTED_FILTER;
	j = start_line(&s);
	is_str(list(j, "policy.device_filter"), "mount,landlock,cgroup", "a job's filter is one");
}

static void test_namespaces(void)
{
	struct start s;
	struct stat st;
	const struct json *j;

	make_start(&s);
	j = start_line(&s);
	has_members(at(j, "ns"), "user mnt pid ipc net uts");
	ok(!at(j, "ns.user") && !at(j, "ns.mnt"), "those that are yet to be made or entered");
	ok(stat("/proc/self/ns/pid", &st) == 0 && num(j, "ns.pid") == (long long)st.st_ino,
	   "ours, where it is the command's, too");
}

/* What a user can make as long as he likes. */
static void test_hostile(void)
{
	struct start s;
	char *big = arena_alloc(arena, 100001);
	const struct json *j;

	make_start(&s);
	memset(big, 'x', 100000);
	s.plan.process.argv.v[0] = big;
	s.image.name = "a\nb\"\\\033\xff";
	s.image.id[0] = '\0';
	j = start_line(&s);
	is_int(strlen(str(j, "argv0")), LINES_TEXT_MAX, "a long word is cut");
	is_str(str(j, "image.name"), "a\nb\"\\\033\xef\xbf\xbd", "a wild name is quoted");
	ok(!at(j, "image.digest"), "a directory has no digest");
}

/* ---- the second ----------------------------------------------------------------------------- */

static struct gpu_nvml figures(uint64_t energy, uint64_t used)
{
	return (struct gpu_nvml){
		.known = true, .energy = energy, .memory_total = 40 * GIB, .memory_used = used
	};
}

static void test_end(void)
{
	struct audit_result r = { .status = 143, .signal = 15 };
	struct start s;
	const struct json *j;

	make_start(&s);
	(void)start_line(&s);
	s.lines.before = (struct rusage){ .ru_utime = { 1, 5 }, .ru_maxrss = 100, .ru_minflt = 3 };
	r.usage = (struct rusage){ .ru_utime = { 3, 4 }, .ru_maxrss = 200, .ru_minflt = 10 };
	j = end_line(&s, &r);
	has_members(j, HEAD "status signal wall_ns rusage cgroup gpus");
	ok(str_eq(str(j, "event"), "end") && num(j, "status") == 143 && num(j, "signal") == 15,
	   "how it ended");
	ok(num(j, "wall_ns") >= 0, "how long it took");
	is_int(num(j, "rusage.user_us"), 1999999, "time, less what was used before");
	is_int(num(j, "rusage.maxrss"), 200 * 1024, "memory in bytes");
	is_int(num(j, "rusage.minor_faults"), 7, "faults");
	ok(!at(j, "cgroup.memory_peak") && !at(j, "cgroup.cpu_us"), "no cgroup, no figures");
	is_str(field(&s, "GPURUN_STATUS"), "143", "the journal's field of the status");
	r = (struct audit_result){ .usage.ru_maxrss = 100 };
	j = end_line(&s, &r);
	ok(num(j, "status") == 0 && !at(j, "signal"), "a good end");
	ok(!at(j, "rusage.maxrss"), "the largest child was one of ours: nothing is known");
}

static void test_end_cgroup(void)
{
	const struct audit_result r = { .status = 0 };
	struct start s;
	struct look_usage u;
	const struct json *j;

	machine("0::/a\n");
	put_file("/sys/fs/cgroup/a/cgroup.type", "domain\n");
	put_file("/sys/fs/cgroup/a/memory.peak", "5000\n");
	put_file("/sys/fs/cgroup/a/cpu.stat", "usage_usec 100\nuser_usec 60\nnr_throttled 4\n");
	make_start(&s);
	look(&s.lines.look, &u);
	(void)start_line(&s);
	put_file("/sys/fs/cgroup/a/memory.peak", "7000\n");
	put_file("/sys/fs/cgroup/a/cpu.stat",
		 "usage_usec 150\nuser_usec 80\nsystem_usec 9\nnr_throttled 3\n");
	j = end_line(&s, &r);
	is_str(str(j, "cgroup.path"), "/a", "the cgroup's path");
	is_int(num(j, "cgroup.memory_peak"), 7000, "its peak");
	ok(num(j, "cgroup.cpu_us") == 50 && num(j, "cgroup.user_us") == 20, "what was used since");
	ok(!at(j, "cgroup.system_us"), "what was not known at the start");
	ok(!at(j, "cgroup.throttled"), "what went backwards");
	look_close(&s.lines.look);
}

static void test_end_gpus(void)
{
	struct start s;
	struct gpu before[2], after[2];
	struct gpu_set b = { .v = before, .n = 2 }, n = { .v = after, .n = 2 };
	struct audit_result r = { .before = &b, .after = &n };
	const struct json *g;

	make_start(&s);
	(void)start_line(&s);
	memcpy(before, s.gpus, sizeof(before));
	/* the other way round: they are found by their addresses */
	after[0] = s.gpus[1];
	after[1] = s.gpus[0];
	before[0].nvml = figures(1000, GIB);
	after[1].nvml = figures(3500, 2 * GIB);
	before[1].nvml = after[0].nvml = figures(1, 1);
	g = at(end_line(&s, &r), "gpus")->child;
	has_members(g, "index uuid minor pci mig mig_uuid energy_mj memory_used memory_total");
	is_int(num(g, "energy_mj"), 2500, "energy");
	is_int(num(g, "memory_used"), 2 * GIB, "memory in use");
	is_int(num(g, "memory_total"), 40 * GIB, "of how much");
	ok(!at(g->next, "energy_mj") && !at(g->next, "memory_used"),
	   "of a MIG device NVML knows neither");
	after[1].nvml.energy = 10;
	g = at(end_line(&s, &r), "gpus")->child;
	ok(!at(g, "energy_mj"), "a counter that began anew");
	before[0].nvml.energy = 0;
	g = at(end_line(&s, &r), "gpus")->child;
	ok(!at(g, "energy_mj") && at(g, "memory_used"), "a GPU that does not count");
	r.before = NULL;
	n.n = 0;
	g = at(end_line(&s, &r), "gpus")->child;
	ok(!at(g, "energy_mj") && !at(g, "memory_used"), "NVML was not asked");
}

int main(void)
{
	arena = arena_new(0);
	if (!mkdtemp(root))
		return 1;
	test_version_2();
	test_version_1();
	test_root();
	test_nonsense();
	test_start();
	test_job();
	test_policy();
	test_namespaces();
	test_hostile();
	test_end();
	test_end_cgroup();
	test_end_gpus();
	remove_root();
	return done_testing();
}

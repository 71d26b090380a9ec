/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of a bundle: what it becomes, and what is refused by its name. */
#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/mount.h>

#include <gpurun/oci.h>
#include <gpurun/request.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "tap.h"

#define BIT(n) (UINT64_C(1) << (n))

static struct arena *arena;
static struct err e;

/* A bundle with something more at its top level, in process, mounts and linux. */
static int read_with(struct oci_bundle *b, const char *top, const char *process, const char *mounts,
		     const char *spec)
{
	const char *text = arena_printf(
		arena,
		"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},"
		"\"process\":{\"user\":{\"uid\":5,\"gid\":6},\"args\":[\"sh\"],\"cwd\":\"/\"%s},"
		"\"mounts\":[%s],\"linux\":{%s}%s}",
		process, mounts, spec, top);

	e = (struct err){ 0 };
	*b = (struct oci_bundle){ 0 };
	return oci_bundle_read(arena, "/b", text, strlen(text), b, &e);
}

/* ---- what it becomes ---------------------------------------------------------------------------- */

static void test_least(void)
{
	struct oci_bundle b;

	ok(read_with(&b, "", "", "", "") == 0, "the least bundle");
	is_str(b.root, "/b/rootfs", "root.path starts at the bundle");
	is_str(b.file, "/b/config.json", "the file");
	is_str(b.args.v[0], "sh", "the command");
	ok(b.uid == 5 && b.gid == 6 && !b.uid_map.there, "the user");
	ok(!b.namespaces && !b.bounding && !b.seccomp && !b.read_only && !b.terminal,
	   "nothing else");
}

static void test_process(void)
{
	struct oci_bundle b;

	ok(read_with(&b, "",
		     ",\"env\":[\"A=1\",\"B=x\\ny\",\"A=2\"],\"terminal\":true,"
		     "\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_CHOWN\"],"
		     "\"effective\":[\"CAP_KILL\"],\"permitted\":[\"CAP_KILL\",\"CAP_CHOWN\"],"
		     "\"inheritable\":[\"CAP_KILL\"],\"ambient\":[\"CAP_KILL\",\"CAP_CHOWN\"]},"
		     "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":1,"
		     "\"hard\":18446744073709551615}],\"noNewPrivileges\":false,"
		     "\"oomScoreAdj\":0,\"apparmorProfile\":\"\",\"consoleSize\":null",
		     "", "") == 0,
	   "a process");
	is_int(b.env.n, 2, "the last of two variables holds");
	is_str(b.env.v[0], "A=2", "in the place of the first");
	is_str(b.env.v[1], "B=x\ny", "a value of two lines");
	ok(b.bounding == (BIT(CAP_KILL) | BIT(CAP_CHOWN)) && b.permitted == b.bounding,
	   "capabilities");
	ok(b.ambient == BIT(CAP_KILL), "ambient is what is inheritable, too");
	ok(b.rlimits.n == 1 && b.rlimits.v[0].limit.rlim_max == RLIM_INFINITY &&
		   b.rlimits.v[0].limit.rlim_cur == 1,
	   "a limit of 2^64-1 is none");
	ok(b.terminal, "a terminal");
}

static void test_linux(void)
{
	struct oci_bundle b;

	ok(read_with(&b, ",\"hostname\":\"h\",\"hooks\":{\"prestart\":[]},\"x\":1", "", "",
		     "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"uts\"},{\"type\":\"mount\"},"
		     "{\"type\":\"cgroup\",\"path\":\"\"}],\"uidMappings\":[{\"containerID\":5,"
		     "\"hostID\":1001,\"size\":1}],\"maskedPaths\":[\"/proc//kcore\"],"
		     "\"rootfsPropagation\":\"rprivate\",\"seccomp\":{\"defaultAction\":"
		     "\"SCMP_ACT_ALLOW\"},\"resources\":{\"memory\":{},\"devices\":["
		     "{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\","
		     "\"major\":1,\"minor\":3}]},\"personality\":{\"domain\":\"LINUX\"},"
		     "\"devices\":[{\"type\":\"c\",\"path\":\"/dev/null\",\"major\":1,"
		     "\"minor\":3,\"fileMode\":438}],\"intelRdt\":{\"closID\":\"\"}") == 0,
	   "a whole linux object");
	ok(b.namespaces == (CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWCGROUP),
	   "namespaces");
	ok(b.uid_map.there && b.uid_map.outside == 1001 && b.uid_map.inside == 5, "a map");
	is_str(b.masked.v[0], "/proc/kcore", "paths are cleaned");
	ok(b.root_propagation == MS_PRIVATE, "the root's propagation");
	ok(b.seccomp != NULL, "seccomp");
	is_int(b.devices.n, 1, "a node");
	is_int(b.allowed.n, 1, "a rule that allows; one that denies all says nothing");
	is_int(b.notes.n, 0, "no note");
	ok(b.ignored.n == 1 && str_eq(b.ignored.v[0], "x"), "unknown members are remembered");
}

static void test_mounts(void)
{
	struct oci_bundle b;
	const struct op *v;

	ok(read_with(&b, "", "",
		     "{\"destination\":\"/data\",\"type\":\"none\",\"source\":\"data\","
		     "\"options\":[\"rbind\",\"ro\",\"noexec\",\"exec\",\"rprivate\"]},"
		     "{\"destination\":\"/t\",\"type\":\"tmpfs\",\"options\":[\"size=64k\","
		     "\"mode=0700\",\"noatime\",\"strictatime\",\"nodev\"]},"
		     "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"options\":["
		     "\"newinstance\",\"mode=620\",\"ptmxmode=0666\",\"gid=5\"]},"
		     "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"x\","
		     "\"options\":[\"relatime\",\"ro\"]},"
		     "{\"destination\":\"/proc\",\"type\":\"bind\",\"source\":\"/proc\","
		     "\"options\":[\"rbind\"]}",
		     "") == 0,
	   "mounts");
	is_int(b.mounts.n, 5, "one operation each");
	v = b.mounts.v;
	ok(v[0].kind == OP_BIND && str_eq(v[0].src, "/b/data") && v[0].flags == OPF_RECURSIVE &&
		   v[0].attrs == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID) &&
		   v[0].propagation == MS_PRIVATE,
	   "a bind from the bundle; the later option holds");
	ok(v[1].kind == OP_TMPFS && v[1].size == 65536 && v[1].mode == 0700 &&
		   v[1].attrs == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME),
	   "a tmpfs");
	ok(v[2].kind == OP_DEVPTS && b.notes.n == 1, "the group of terminals is left out aloud");
	ok(v[3].kind == OP_BIND && str_eq(v[3].src, "/sys/fs/cgroup"), "cgroups are the host's");
	ok(v[4].kind == OP_PROC && !v[4].src, "the host's /proc, without a namespace");
	ok(strstr(v[0].why, "/b/config.json: mounts[0]") != NULL, "why");
}

/* ---- what is refused ---------------------------------------------------------------------------- */

enum slot { TOP, PROCESS, MOUNT, LINUX };

static const struct {
	enum slot slot;
	const char *text, *words; /* in the message */
} refused[] = {
	{ TOP, ",\"hostname\":\"h\"", "hostname: needs a uts namespace" },
	{ TOP, ",\"domainname\":\"d\"", "domainname: not supported" },
	{ TOP, ",\"hooks\":{\"poststop\":[{\"path\":\"/x\"}]}", "hooks: not supported" },
	{ TOP, ",\"windows\":{\"a\":1}", "windows: not supported" },
	{ TOP, ",\"annotations\":{\"org.gpurun.x\":\"1\"}", "annotations.org.gpurun.x" },
	{ TOP, ",\"annotations\":{\"a\":1}", "annotations.a: not a string" },
	{ PROCESS, ",\"env\":[\"A\"]", "process.env[0]: not NAME=VALUE" },
	{ PROCESS, ",\"env\":[\"=A\"]", "process.env[0]: not NAME=VALUE" },
	{ PROCESS, ",\"oomScoreAdj\":100", "process.oomScoreAdj: not supported" },
	{ PROCESS, ",\"selinuxLabel\":\"x\"", "process.selinuxLabel: not supported" },
	{ PROCESS, ",\"apparmorProfile\":\"x\"", "process.apparmorProfile: not supported" },
	{ PROCESS, ",\"scheduler\":{\"policy\":\"SCHED_RR\"}", "process.scheduler" },
	{ PROCESS, ",\"ioPriority\":{\"class\":\"x\"}", "process.ioPriority: not supported" },
	{ PROCESS, ",\"terminal\":true,\"consoleSize\":{\"height\":1,\"width\":1}",
	  "process.consoleSize" },
	{ PROCESS, ",\"terminal\":1", "process.terminal: neither true nor false" },
	{ PROCESS, ",\"noNewPrivileges\":\"y\"", "process.noNewPrivileges" },
	{ PROCESS, ",\"capabilities\":{\"bounding\":[\"CAP_NO\"]}", "bounding[0]: CAP_NO" },
	{ PROCESS, ",\"capabilities\":{\"bounding\":[\"KILL\"]}", "bounding[0]: KILL" },
	{ PROCESS, ",\"capabilities\":{\"permitted\":[\"CAP_KILL\"]}", "not in the bounding set" },
	{ PROCESS, ",\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"inheritable\":[\"CAP_KILL\"]}",
	  "inheritable, and not ambient" },
	{ PROCESS, ",\"rlimits\":[{\"type\":\"RLIMIT_X\",\"soft\":1,\"hard\":1}]",
	  "rlimits[0]: RLIMIT_X: no such limit" },
	{ PROCESS, ",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]", "above" },
	{ PROCESS, ",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":-1,\"hard\":1}]",
	  "rlimits[0].soft: not a limit" },
	{ PROCESS, ",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"hard\":1}]", "soft: missing" },
	{ PROCESS,
	  ",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},"
	  "{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}]",
	  "rlimits[1]: RLIMIT_CPU: named twice" },
	{ MOUNT, "{\"destination\":\"/proc2\",\"type\":\"proc\"}", "/proc2: only at /proc" },
	{ MOUNT, "{\"destination\":\"/s\",\"type\":\"sysfs\",\"options\":[\"ro\"]}",
	  "/s: only at /sys" },
	{ MOUNT, "{\"type\":\"tmpfs\"}", "mounts[0].destination: missing" },
	{ MOUNT, "{\"destination\":\"x\",\"type\":\"tmpfs\"}", "not an absolute path" },
	{ MOUNT, "{\"destination\":\"/\",\"type\":\"tmpfs\"}", "over /" },
	{ MOUNT, "{\"destination\":\"/x\",\"type\":\"ext4\"}", "ext4: a type" },
	{ MOUNT, "{\"destination\":\"/x\",\"type\":\"overlay\"}", "overlay: a type" },
	{ MOUNT, "{\"destination\":\"/x\",\"type\":\"bind\"}", "without a source" },
	{ MOUNT, "{\"destination\":\"/.gpurun/lib64\",\"type\":\"tmpfs\"}", "/.gpurun" },
	{ MOUNT, "{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[\"odd\"]}",
	  "options[0]: odd: not supported for a tmpfs mount" },
	{ MOUNT, "{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[\"ro\",\"size=x\"]}",
	  "options[1]: size=x" },
	{ MOUNT, "{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[\"mode=999\"]}",
	  "mode=999" },
	{ MOUNT, "{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[\"roo\"]}", "roo" },
	{ MOUNT,
	  "{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/y\",\"options\":"
	  "[\"shared\"]}",
	  "shared" },
	{ MOUNT,
	  "{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/y\",\"options\":"
	  "[\"rbind\",\"idmap\"]}",
	  "options[1]: idmap" },
	{ MOUNT,
	  "{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/y\",\"uidMappings\":"
	  "[{\"containerID\":0}]}",
	  "uidMappings: not supported" },
	{ MOUNT, "{\"destination\":\"/dev\",\"type\":\"bind\",\"source\":\"/dev\"}", "/dev: only" },
	{ MOUNT, "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"options\":[\"ro\"]}", "/dev" },
	{ MOUNT, "{\"destination\":\"/sys\",\"type\":\"sysfs\"}", "only with the option ro" },
	{ MOUNT, "{\"destination\":\"/c\",\"type\":\"cgroup\",\"options\":[\"rw\"]}", "ro" },
	{ MOUNT, "{\"destination\":\"/proc\",\"type\":\"tmpfs\"}", "only a proc" },
	{ MOUNT, "{\"destination\":\"/p\",\"type\":\"devpts\",\"options\":[\"mode=0600\"]}",
	  "mode=0600" },
	{ LINUX, "\"namespaces\":[{\"type\":\"time\"}]", "namespaces[0]: time" },
	{ LINUX, "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]", "pid: named twice" },
	{ LINUX, "\"namespaces\":[{\"type\":\"network\",\"path\":\"/proc/1/ns/net\"}]",
	  "network: joining" },
	{ LINUX, "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":2}]", "more than one" },
	{ LINUX,
	  "\"gidMappings\":[{\"containerID\":6,\"hostID\":0,\"size\":1},"
	  "{\"containerID\":7,\"hostID\":1,\"size\":1}]",
	  "gidMappings[1]: more than one" },
	{ LINUX, "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]",
	  "process.user.uid: 5 is not mapped, only 0 is" },
	{ LINUX, "\"cgroupsPath\":\"/x\"", "linux.cgroupsPath: not supported" },
	{ LINUX, "\"sysctl\":{\"a\":\"b\"}", "linux.sysctl: not supported" },
	{ LINUX, "\"resources\":{\"memory\":{\"limit\":1}}", "resources.memory: not supported" },
	{ LINUX, "\"resources\":{\"pids\":{\"limit\":0}}", "resources.pids: not supported" },
	{ LINUX, "\"resources\":{\"unified\":{\"a\":\"b\"}}", "resources.unified" },
	{ LINUX, "\"resources\":{\"devices\":[{\"allow\":true,\"type\":\"x\"}]}", "devices[0]: x" },
	{ LINUX, "\"rootfsPropagation\":\"shared\"", "rootfsPropagation: shared" },
	{ LINUX, "\"mountLabel\":\"x\"", "linux.mountLabel: not supported" },
	{ LINUX, "\"intelRdt\":{\"closID\":\"x\"}", "linux.intelRdt: not supported" },
	{ LINUX, "\"personality\":{\"domain\":\"LINUX32\"}", "personality: LINUX32" },
	{ LINUX, "\"timeOffsets\":{\"monotonic\":{\"secs\":1}}", "linux.timeOffsets" },
	{ LINUX, "\"maskedPaths\":[\"/\"]", "maskedPaths[0]" },
	{ LINUX, "\"maskedPaths\":[\"x\"]", "maskedPaths[0]: not an absolute path" },
	{ LINUX, "\"readonlyPaths\":\"/x\"", "readonlyPaths: not a list" },
	{ LINUX, "\"seccomp\":{\"listenerPath\":\"/x\"}", "seccomp.listenerPath" },
	{ LINUX, "\"devices\":[{\"type\":\"b\",\"path\":\"/dev/sda\",\"major\":8,\"minor\":0}]",
	  "devices[0]: b: only character devices" },
	{ LINUX,
	  "\"devices\":[{\"type\":\"c\",\"path\":\"/dev/null\",\"major\":1,\"minor\":3,"
	  "\"fileMode\":384}]",
	  "the mode 0666" },
	{ LINUX,
	  "\"devices\":[{\"type\":\"c\",\"path\":\"/dev/null\",\"major\":1,\"minor\":3,"
	  "\"uid\":5}]",
	  "only owner 0" },
};

static void test_refused(void)
{
	for (size_t i = 0; i < ELEMENTS(refused); i++) {
		const char *t = refused[i].text;
		enum slot s = refused[i].slot;
		struct oci_bundle b;
		int r = read_with(&b, s == TOP ? t : "", s == PROCESS ? t : "", s == MOUNT ? t : "",
				  s == LINUX ? t : "");

		ok(r < 0 && str_after(e.msg, "/b/config.json: ") && strstr(e.msg, refused[i].words),
		   "refused: %s", refused[i].words);
		if (!strstr(e.msg, refused[i].words))
			diag("%s: %s", t, e.msg);
	}
}

static void test_broken(void)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "config.json" },
		{ "[]", "not an object" },
		{ "{}", "ociVersion: missing" },
		{ "{\"ociVersion\":\"2.0\"}", "2.0: only version 1" },
		{ "{\"ociVersion\":\"0.9\"}", "0.9: only version 1" },
		{ "{\"ociVersion\":\"1.0\",\"root\":{\"path\":\"\"}}", "root: path: empty" },
		{ "{\"ociVersion\":\"1.0\",\"root\":{}}", "root.path: missing" },
		{ "{\"ociVersion\":\"1.0\",\"root\":{\"path\":\"r\"}}", "process: missing" },
		{ "{\"ociVersion\":\"1.0\",\"process\":{\"args\":[]}}", "process.args" },
		{ "{\"ociVersion\":\"1.0\",\"process\":{\"args\":[\"\"]}}", "empty word" },
		{ "{\"ociVersion\":\"1.0\",\"process\":{\"cwd\":\"x\"}}", "cwd: not an absolute" },
		{ "{\"ociVersion\":\"1.0\",\"process\":{\"user\":{\"uid\":-1,\"gid\":0}}}",
		  "uid: not an id" },
		{ "{\"ociVersion\":\"1.0\",\"process\":{\"user\":{\"uid\":4294967295}}}",
		  "uid: not an id" },
		{ "{\"ociVersion\":\"1.0\",\"process\":{\"user\":{\"additionalGids\":[7],"
		  "\"uid\":0,\"gid\":0}}}",
		  "user.additionalGids[0]: groups cannot be added" },
		{ "{\"ociVersion\":\"1.0\",\"process\":{\"user\":{\"uid\":0,\"gid\":0,"
		  "\"umask\":18}}}",
		  "user.umask: not supported" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct oci_bundle b = { 0 };
		int r;

		e = (struct err){ 0 };
		r = oci_bundle_read(arena, "/b", rows[i].text, strlen(rows[i].text), &b, &e);
		ok(r < 0 && strstr(e.msg, rows[i].words), "broken: %s", rows[i].words);
		if (!strstr(e.msg, rows[i].words))
			diag("%s", e.msg);
	}
}

/* ---- the request -------------------------------------------------------------------------------- */

static void test_request(void)
{
	struct request q = { 0 };
	struct oci_bundle b;

	ok(read_with(&b,
		     ",\"annotations\":{\"org.gpurun.gpus\":\"0\",\"org.gpurun.gpu-caps\":"
		     "\"compute\",\"org.other\":\"\\n\"}",
		     "", "", "\"namespaces\":[{\"type\":\"ipc\"},{\"type\":\"network\"}]") == 0,
	   "a bundle with annotations");
	ok(oci_request(&b, "12.0.3", &q, &e) == 0, "a request");
	is_str(q.gpus, "0", "which GPUs");
	is_str(q.name, "12.0.3", "its name");
	ok(q.pid == NS_HOST && q.uts == NS_HOST && q.ipc == NS_PRIVATE && q.net == NET_NONE &&
		   !q.share && q.tty == TRI_OFF && !q.root,
	   "namespaces");
	b.namespaces |= CLONE_NEWPID;
	b.uid = 0;
	q = (struct request){ 0 };
	ok(oci_request(&b, "x", &q, &e) == 0 && str_eq(q.share, "none") && q.root,
	   "with a pid namespace nothing is shared");
	ok(oci_request(&b, "-x", &q, &e) < 0 && oci_request(&b, "a/b", &q, &e) < 0 &&
		   oci_request(&b, "", &q, &e) < 0,
	   "ids that are none");
	b.share = "all";
	ok(oci_request(&b, "x", &q, &e) < 0 && strstr(e.msg, "org.gpurun.share: all"),
	   "an unknown word");
	b.share = NULL;
	b.gpu_caps = "all,odd";
	e = (struct err){ 0 };
	ok(oci_request(&b, "x", &q, &e) < 0 && strstr(e.msg, "org.gpurun.gpu-caps"),
	   "an unknown capability");
}

static void test_environ(void)
{
	static const char *const own[] = { "A=own", "B=own", NULL };
	struct strv env = { 0 };
	const char *const *v;

	v = oci_environ(arena, &env, own);
	ok(str_eq(v[0], "A=own") && str_eq(v[1], "B=own") && !v[2],
	   "our own, where the bundle says nothing");
	strv_push(arena, &env, "A=bundle");
	strv_push(arena, &env, "AB=bundle");
	v = oci_environ(arena, &env, own);
	ok(str_eq(v[0], "A=bundle") && str_eq(v[1], "AB=bundle") && str_eq(v[2], "B=own") && !v[3],
	   "the bundle's variables first");
}

int main(void)
{
	arena = arena_new(0);
	test_least();
	test_process();
	test_linux();
	test_mounts();
	test_refused();
	test_broken();
	test_request();
	test_environ();
	arena_free(arena);
	return done_testing();
}

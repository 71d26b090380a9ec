/* SPDX-License-Identifier: Apache-2.0 */
/* What is decided: namespaces, identity, root, order of operations, security. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>

#include <gpurun/sys.h>

#include "plan-unit.h"

#define BIT(n) (UINT64_C(1) << (n))

static void add_mount(struct plan_case *c, enum req_mount_type type, const char *src,
		      const char *dst)
{
	struct req_mount m = { .type = type, .src = src, .dst = dst, .why = "--volume" };

	VEC_PUSH(arena, c->req.mounts, c->req.n_mounts, c->req.cap_mounts, m);
}

static void test_plain(void)
{
	struct plan_case c = fresh();

	built(&c, "the plainest plan");
	ok(c.p->container.namespaces ==
		   (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS),
	   "user, mount, PID, IPC and UTS namespaces");
	is_int(c.p->container.uid_inside, 1000, "the same uid inside");
	is_int(c.p->container.root.kind, ROOT_OVERLAY, "an overlay");
	ok(c.p->container.root.size == UINT64_C(8) << 30, "half of the smaller limit");
	ok(!c.p->container.root.upper && !c.p->container.root.fresh, "scratch in memory");
	is_str(c.p->container.root.base, "/run/user/1000/gpurun/mnt", "base");
	ok(c.p->process.caps.bounding == 0 && c.p->process.caps.keep == 0, "no capability");
	ok(c.p->process.no_new_privs && c.p->process.landlock_dev && c.p->process.init, "security");
	is_str(c.p->process.cwd, "/", "working directory");
	is_int(c.p->process.stop_signal, SIGTERM, "stop signal");
	ok(case_op(&c, "/etc/passwd") && strstr(case_op(&c, "/etc/passwd")->data,
						"\nalice:x:1000:1000::/home/alice:/bin/sh\n"),
	   "a passwd line");
	ok(strstr(case_op(&c, "/etc/group")->data, "\nalice:x:1000:\n") != NULL, "a group line");
	is_int(case_op(&c, "/home/alice")->kind, OP_DIR, "a HOME");
	ok(!case_op(&c, "/home/alice/project"), "nothing of the host is mounted");
	ok(case_at(&c, "/etc/passwd") < case_at(&c, "/proc"), "files first");
	ok(case_at(&c, "/proc") < case_at(&c, "/proc/kcore"), "masks last");
	is_int((long long)c.p->notes.n, 0, "nothing to say");
	is_int((long long)c.p->warnings.n, 0, "nothing to warn of");
}

static void test_identity(void)
{
	struct plan_case c = fresh();

	c.req.root = true;
	c.image.apt = true;
	built(&c, "--root");
	is_int(c.p->container.uid_inside, 0, "uid 0");
	is_int(c.p->container.gid_inside, 0, "gid 0");
	is_int(c.p->container.uid_outside, 1000, "mapped to ours");
	ok(c.p->process.caps.keep == (BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID)),
	   "three capabilities");
	ok(c.p->process.caps.ambient == 0, "none ambient");
	is_str(case_env(&c, "HOME"), "/root", "HOME of root");
	is_str(case_env(&c, "USER"), "root", "USER");
	ok(case_op(&c, "/etc/apt/apt.conf.d/zz-gpurun") != NULL, "apt stays root");
	ok(!case_op(&c, "/etc/passwd"), "root has a line already");
	c = fresh();
	c.req.user = "0";
	built(&c, "-u 0");
	ok(c.p->container.uid_inside == 0 && c.p->process.caps.keep != 0, "is --root");
	c.req.user = "nobody";
	built(&c, "-u nobody");
	ok(c.p->container.uid_inside == 65534 && c.p->container.gid_inside == 65534, "by name");
	c.req.user = "nobody:video";
	built(&c, "-u nobody:video");
	is_int(c.p->container.gid_inside, 44, "group by name");
	c.req.user = "4711";
	built(&c, "-u 4711");
	ok(c.p->container.uid_inside == 4711 && c.p->container.gid_inside == 1000, "by number");
	is_str(case_env(&c, "USER"), "alice", "a name");
	is_str(case_env(&c, "HOME"), "/home/alice", "a home");
	c.req.user = "alice";
	built(&c, "-u alice, who is not in the image");
	is_int(c.p->container.uid_inside, 1000, "is ourselves");
	c.image.passwd = "alice:x:5:6::/a:/bin/sh\n";
	built(&c, "-u alice, who is somebody else in the image");
	is_int(c.p->container.uid_inside, 5, "is the image's");
	c.req.user = "bob";
	refused(&c, "bob", "-u of an unknown name");
	c.req.user = "99999999999";
	refused(&c, "--user", "-u out of range");
	c.req.user = "4711";
	c.req.root = true;
	refused(&c, "--root", "--root and another user");
}

/* --userns subid: root and the subordinate ids; the image's User is followed. */
static void test_subids(void)
{
	struct plan_case c = fresh();

	c.req.userns = USERNS_SUBID;
	c.host.subids.uids[0].start = c.host.subids.gids[0].start = 100000;
	c.host.subids.uids[0].count = c.host.subids.gids[0].count = 65536;
	c.host.subids.n_uids = c.host.subids.n_gids = 1;
	built(&c, "--userns subid");
	is_int((long)c.p->container.n_uid_ranges, 2, "two lines in uid_map");
	is_int(c.p->container.uid_ranges[1].inside, 1, "the range starts at 1");
	is_int(c.p->container.uid_ranges[1].outside, 100000, "as the host says");
	ok(!c.p->process.switch_ids, "root inside");
	ok(c.p->process.caps.keep & (1U << CAP_CHOWN), "with what changing owners needs");
	c.image.config.user = "nobody";
	built(&c, "an image with a User");
	ok(c.p->process.switch_ids && c.p->process.uid == 65534, "which is followed");
	is_int((long)c.p->process.caps.keep, 0, "without capabilities");
	c.req.user = "70000";
	refused(&c, "70000:0 is not mapped", "an id outside the ranges");
	c.req.user = NULL;
	c.req.keep = "work";
	refused(&c, "--keep", "--keep with ids that nobody can remove");
}

static void test_image_user(void)
{
	struct plan_case c = fresh();

	c.image.config.user = "nobody";
	built(&c, "an image with a User");
	ok(case_says(&c.p->notes, "nobody"), "a note: %s", c.p->notes.n ? c.p->notes.v[0] : "");
	c.image.config.user = "root";
	built(&c, "User root");
	is_int((long long)c.p->notes.n, 0, "no note");
	c.image.config.user = "1000:1000";
	built(&c, "User with our number");
	is_int((long long)c.p->notes.n, 0, "no note");
	c.image.config.user = "ghost";
	built(&c, "User that is unknown");
	ok(case_says(&c.p->notes, "ghost"), "a note");
	c.req.user = "5";
	built(&c, "with -u");
	is_int((long long)c.p->notes.n, 0, "no note");
	c = fresh();
	c.image.passwd = "root:x:0:0:root:/root:/bin/sh\nubuntu:x:1000:1000::/home/ubuntu:/bin/sh";
	built(&c, "an image with a line for our uid");
	is_str(case_env(&c, "USER"), "ubuntu", "its name");
	is_str(case_env(&c, "HOME"), "/home/ubuntu", "its home");
	ok(!case_op(&c, "/etc/passwd"), "no line is added");
	c.image.passwd = "alice:x:7:7::/a:/bin/sh";
	built(&c, "an image where our name is another's");
	is_str(case_env(&c, "USER"), "user1000", "a name of our own");
	ok(strstr(case_op(&c, "/etc/passwd")->data, "/bin/sh\nuser1000:") != NULL,
	   "a newline is supplied");
	c.image.passwd = "x:x:1000:1000::/dev/null:/bin/sh\n";
	built(&c, "an image that gives us /dev/null for a home");
	is_str(case_env(&c, "HOME"), "/", "is not followed");
}

static void test_root(void)
{
	struct plan_case c = fresh();

	c.in.scratch_dir = "/scratch/x";
	built(&c, "scratch on disk");
	ok(c.p->container.root.fresh && str_eq(c.p->container.root.upper, "/scratch/x"), "fresh");
	c.in.keep_dir = "/store/keep/k";
	c.req.keep = "k";
	built(&c, "--keep");
	ok(!c.p->container.root.fresh && str_eq(c.p->container.root.upper, "/store/keep/k"),
	   "kept");
	c.host.overlay = false;
	built(&c, "--keep without overlay");
	is_int(c.p->container.root.kind, ROOT_BIND, "a private copy");
	is_str(c.p->container.root.lowers.v[0], "/store/keep/k/fs", "below the kept directory");
	c = fresh();
	c.host.overlay = false;
	c.image.lowers.n = 1;
	strv_push(arena, &c.top_entries, "d usr");
	strv_push(arena, &c.top_entries, "d etc");
	strv_push(arena, &c.top_entries, "d dev");
	strv_push(arena, &c.top_entries, "l proc\t/etc");
	strv_push(arena, &c.top_entries, "l lib\tusr/lib");
	strv_push(arena, &c.top_entries, "f .dockerenv");
	strv_push(arena, &c.top_entries, "d home");
	built(&c, "no overlay");
	is_int(c.p->container.root.kind, ROOT_TMPFS, "a tmpfs");
	ok(case_op(&c, "/usr")->attrs & MOUNT_ATTR_RDONLY, "the tree is read-only");
	is_str(case_op(&c, "/usr")->src, "/store/layers/top/usr", "from the tree");
	is_str(case_op(&c, "/lib")->data, "usr/lib", "links are made anew");
	ok(case_op(&c, "/dev")->kind == OP_TMPFS && case_op(&c, "/proc")->kind == OP_PROC,
	   "not the image's /dev and /proc");
	ok(case_op(&c, "/etc/passwd")->flags == (OPF_BIND_FILE | OPF_OPTIONAL), "files are bound");
	ok(case_op(&c, "/home")->kind == OP_TMPFS && case_op(&c, "/home/alice"),
	   "a HOME that can be written");
	ok(case_op(&c, "/tmp")->kind == OP_TMPFS, "/tmp, too");
	ok(case_says(&c.p->notes, "--keep"), "a note names --keep");
	c.host.home = "/usr/people/alice";
	built(&c, "a home in the read-only tree");
	ok(!case_op(&c, "/usr/people/alice"), "is not made");
	strv_push(arena, &c.top_entries, "d a/b");
	refused(&c, "entry", "a name with a slash");
	c = fresh();
	c.image.foreign = true;
	built(&c, "an image that is not ours");
	is_int(c.p->container.root.kind, ROOT_OVERLAY, "is an overlay");
	is_int(case_op(&c, "/etc/passwd")->flags, OPF_BIND_FILE | OPF_OPTIONAL, "files are bound");
	ok(case_op(&c, "/tmp") && case_op(&c, "/home")->kind == OP_TMPFS &&
		   case_op(&c, "/home/alice"),
	   "with directories that can be written");
	c = fresh();
	c.image.lowers.n = 0;
	refused(&c, "layers", "an image without layers");
	c = fresh();
	c.req.read_only = true;
	built(&c, "--read-only");
	ok(c.p->container.root.read_only, "is passed on");
}

static void test_mounts(void)
{
	struct plan_case c = fresh();

	add_mount(&c, REQ_BIND, "/data", "/x/y");
	add_mount(&c, REQ_BIND, "/other", "/x");
	add_mount(&c, REQ_TMPFS, NULL, "/z//./w/..");
	add_mount(&c, REQ_BIND, "/third", "/x");
	built(&c, "mounts");
	ok(case_at(&c, "/x") < case_at(&c, "/x/y"), "the shallow one first");
	is_str(case_op(&c, "/x")->src, "/third", "the later one wins");
	ok(case_op(&c, "/z") && case_op(&c, "/z")->kind == OP_TMPFS, "a cleaned path");
	is_int(case_op(&c, "/z")->mode, 01777, "mode of a tmpfs");
	ok(case_op(&c, "/x")->flags & OPF_RECURSIVE, "recursive");
	ok(case_at(&c, "/dev") < case_at(&c, "/x") && case_at(&c, "/x") < case_at(&c, "/proc/sys"),
	   "between the base and the masks");
	c.req.mounts[0].read_only = c.req.mounts[0].noexec = true;
	c.req.mounts[0].non_recursive = true;
	built(&c, "with options");
	ok(case_op(&c, "/x/y")->attrs ==
			   (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC) &&
		   case_op(&c, "/x/y")->flags == 0,
	   "ro,noexec and not recursive");
	add_mount(&c, REQ_BIND, "/data", "/etc");
	built(&c, "a mount over /etc");
	ok(case_at(&c, "/etc/passwd") < case_at(&c, "/etc"), "our files are not written into it");
	c = fresh();
	add_mount(&c, REQ_BIND, "/data", "/a/..");
	refused(&c, "over /", "a mount over /");
	c = fresh();
	add_mount(&c, REQ_BIND, "/data", "relative");
	refused(&c, "absolute", "a relative destination");
	c = fresh();
	add_mount(&c, REQ_BIND, "data", "/data");
	refused(&c, "absolute", "a relative source");
}

static void test_here(void)
{
	struct plan_case c = fresh();

	c.req.cwd = TRI_ON;
	built(&c, "-C");
	is_str(case_op(&c, "/home/alice/project")->src, "/home/alice/project", "the same path");
	ok(!(case_op(&c, "/home/alice/project")->attrs & MOUNT_ATTR_RDONLY), "writable");
	is_str(c.p->process.cwd, "/home/alice/project", "and starts there");
	ok(!c.p->process.cwd_create, "which is not made");
	c.req.workdir = "/w//x/";
	built(&c, "-C -w");
	is_str(c.p->process.cwd, "/w/x", "-w wins");
	c.req.home = TRI_ON;
	c.req.root = true;
	built(&c, "-C -H --root");
	is_str(case_env(&c, "HOME"), "/home/alice", "the host's home");
	ok(case_at(&c, "/home/alice") < case_at(&c, "/home/alice/project"), "home first");
	is_int(case_op(&c, "/home/alice")->kind, OP_BIND, "no directory is made for HOME");
	c = fresh();
	c.req.cwd = TRI_ON;
	c.host.cwd = NULL;
	refused(&c, "gone", "-C without a current directory");
	c.host.cwd = "/";
	refused(&c, "cannot be mounted", "-C in /");
	c = fresh();
	c.image.config.workdir = "srv/app";
	built(&c, "a relative WorkingDir");
	is_str(c.p->process.cwd, "/srv/app", "is below /");
	ok(c.p->process.cwd_create, "and made");
	c.req.workdir = "w";
	refused(&c, "absolute", "a relative -w");
	c = fresh();
	c.in.missing_word = "train.py";
	built(&c, "a script of the host");
	ok(c.p->failure_hint && strstr(c.p->failure_hint, "add -C"), "a hint: %s",
	   c.p->failure_hint);
	c.req.cwd = TRI_ON;
	built(&c, "the same with -C");
	ok(!c.p->failure_hint, "no hint");
	c.req.cwd = TRI_OFF;
	add_mount(&c, REQ_BIND, "/home/alice", "/w");
	built(&c, "the same with -v $HOME:/w");
	ok(!c.p->failure_hint, "no hint");
}

static void test_namespaces(void)
{
	struct plan_case c = fresh();

	c.req.net = NET_NONE;
	built(&c, "--net none");
	ok(c.p->container.namespaces & CLONE_NEWNET && c.p->container.loopback_up, "own network");
	ok(!(case_op(&c, "/sys")->flags & OPF_HOST), "a fresh /sys");
	ok(!case_op(&c, "/etc/resolv.conf"), "no resolver");
	is_int(case_op(&c, "/etc/hosts")->kind, OP_FILE, "hosts of its own");
	c.host.proc_fresh = false;
	built(&c, "--net none inside another container");
	ok(case_op(&c, "/sys")->flags & OPF_HOST, "the host's /sys");
	c = fresh();
	c.req.pid = c.req.ipc = NS_HOST;
	built(&c, "--pid host --ipc host");
	ok(!(c.p->container.namespaces & (CLONE_NEWPID | CLONE_NEWIPC)), "no namespaces");
	ok(!c.p->process.init, "no reaper");
	ok(case_op(&c, "/proc")->flags & OPF_HOST, "the host's /proc");
	is_int(case_op(&c, "/dev/shm")->kind, OP_BIND, "the host's /dev/shm");
	ok(case_op(&c, "/dev/mqueue")->flags & OPF_HOST, "the host's queues");
	c.req.shm_size = 1;
	refused(&c, "--shm-size", "--shm-size with --ipc host");
	c = fresh();
	c.host.proc_fresh = false;
	built(&c, "no fresh /proc");
	ok(!(c.p->container.namespaces & CLONE_NEWPID) && case_says(&c.p->notes, "processes"),
	   "the host's processes, and a note");
	c.req.pid = NS_PRIVATE;
	refused(&c, "--pid private", "but --pid private was asked for");
	c = fresh();
	c.req.hostname = "box";
	built(&c, "--hostname");
	ok(c.p->container.namespaces & CLONE_NEWUTS, "a UTS namespace");
	is_str(c.p->container.hostname, "box", "the name");
	is_str(case_op(&c, "/etc/hosts")->data, "127.0.0.1 localhost\n127.0.1.1\tbox\n", "hosts");
	is_str(case_env(&c, "HOSTNAME"), "box", "HOSTNAME");
	c.req.uts = NS_HOST;
	refused(&c, "--uts host", "--hostname with --uts host");
	c = fresh();
	c.req.hostname = "a b";
	refused(&c, "--hostname", "a bad name");
	c.req.hostname = "x\nroot";
	ok(case_build(&c) < 0, "a name with a newline");
	c = fresh();
	c.req.no_init = true;
	built(&c, "--no-init");
	ok(!c.p->process.init, "no reaper");
	c.req.share = "step";
	refused(&c, "--share", "--share step");
}

static void test_names(void)
{
	struct plan_case c = fresh();

	strv_push(arena, &c.req.dns, "10.1.2.3");
	strv_push(arena, &c.req.dns, "fe80::1");
	strv_push(arena, &c.req.add_host, "db:10.0.0.2");
	strv_push(arena, &c.req.add_host, "six:fe80::2");
	built(&c, "--dns --add-host");
	is_str(case_op(&c, "/etc/resolv.conf")->data, "nameserver 10.1.2.3\nnameserver fe80::1\n",
	       "resolv.conf");
	is_str(case_op(&c, "/etc/hosts")->data, "127.0.0.1 localhost\n10.0.0.2\tdb\nfe80::2\tsix\n",
	       "hosts");
	strv_push(arena, &c.req.dns, "a b");
	refused(&c, "--dns", "a bad address");
	c = fresh();
	strv_push(arena, &c.req.add_host, "db");
	refused(&c, "--add-host", "no address");
	c = fresh();
	strv_push(arena, &c.req.add_host, "d b:1.2.3.4");
	refused(&c, "--add-host", "a bad name");
}

static void test_security(void)
{
	struct plan_case c = fresh();

	c.host.uid = 0;
	c.host.gid = 0;
	built(&c, "started by root");
	is_int(c.p->container.uid_inside, 0, "uid 0 inside");
	ok(c.p->process.caps.bounding == 0, "no capabilities");
	strv_push(arena, &c.req.unmask, "/proc/sys");
	refused(&c, "unmask", "unmask as root");
	c.req.unmask.n = 0;
	c.req.nested = true;
	built(&c, "--nested as root");
	ok(c.p->container.no_cgroupns, "which control groups are kept from");
	ok(case_op(&c, "/proc/sys")->kind == OP_READONLY, "the masks stay");
	strv_push(arena, &c.req.cap_add, "CAP_SYS_ADMIN");
	refused(&c, "CAP_SYS_ADMIN", "CAP_SYS_ADMIN as root");
	c = fresh();
	c.req.nested = true;
	built(&c, "--nested");
	ok(!c.p->container.no_cgroupns, "root has to be kept from control groups");
	ok(!case_op(&c, "/proc/kcore") && !case_op(&c, "/proc/sys"), "no masks");
	ok(!c.p->process.landlock_dev, "no Landlock");
	c.req.landlock = TRI_ON;
	refused(&c, "landlock", "landlock=on with --nested");
	c = fresh();
	strv_push(arena, &c.req.unmask, "/proc/kc*");
	strv_push(arena, &c.req.mask, "/etc//shadow");
	built(&c, "mask and unmask");
	ok(!case_op(&c, "/proc/kcore") && case_op(&c, "/proc/keys"), "one mask less");
	is_int(case_op(&c, "/etc/shadow")->kind, OP_MASK, "one more");
	strv_push(arena, &c.req.unmask, "/proc/kcorf");
	refused(&c, "not masked", "a path that is not masked");
	c = fresh();
	strv_push(arena, &c.req.unmask, "ALL");
	built(&c, "unmask=ALL");
	ok(!case_op(&c, "/proc/sys") && !case_op(&c, "/sys/firmware"), "nothing is masked");
	c = fresh();
	strv_push(arena, &c.req.mask, "/");
	refused(&c, "mask=/", "a mask over /");
	c = fresh();
	c.host.landlock_abi = 4;
	built(&c, "an older kernel");
	ok(!c.p->process.landlock_dev, "no device list");
	c.req.landlock = TRI_ON;
	refused(&c, "landlock", "landlock=on is an error there");
}

static void test_caps(void)
{
	struct plan_case c = fresh();

	strv_push(arena, &c.req.cap_add, "CAP_NET_BIND_SERVICE");
	built(&c, "--cap-add as an ordinary id");
	ok(c.p->process.caps.ambient == BIT(CAP_NET_BIND_SERVICE) &&
		   c.p->process.caps.bounding == BIT(CAP_NET_BIND_SERVICE),
	   "ambient");
	c.req.root = true;
	strv_push(arena, &c.req.cap_drop, "CAP_FOWNER");
	built(&c, "--root --cap-add --cap-drop");
	ok(c.p->process.caps.keep ==
		   (BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_NET_BIND_SERVICE)),
	   "one more, one less");
	strv_push(arena, &c.req.cap_drop, "CAP_ALL");
	built(&c, "--cap-drop ALL");
	ok(c.p->process.caps.keep == BIT(CAP_NET_BIND_SERVICE), "only what is added");
	strv_push(arena, &c.req.cap_add, "CAP_ALL");
	refused(&c, "CAP_ALL", "--cap-add ALL");
	c = fresh();
	strv_push(arena, &c.req.cap_drop, "CAP_NONSENSE");
	refused(&c, "CAP_NONSENSE", "an unknown capability");
}

static void test_devices(void)
{
	static const char *const bad[] = { "dev/x",         "/dev/x:y:z", "/dev/x:/dev/y:q",
					   "/dev/x:/a:rw:", "/dev/x:r",   "/dev/x:/",
					   "v/c=n",         "",           "/dev/x:" };
	struct plan_case c = fresh();

	strv_push(arena, &c.req.devices, "/dev/fuse");
	strv_push(arena, &c.req.devices, "/dev/a:/dev/b:rwm");
	strv_push(arena, &c.req.devices, "/dev/c:rw");
	built(&c, "--device");
	ok(case_op(&c, "/dev/fuse")->kind == OP_BIND_DEV && case_op(&c, "/dev/fuse")->rdev == 0,
	   "any device");
	is_str(case_op(&c, "/dev/b")->src, "/dev/a", "at another path");
	is_str(case_op(&c, "/dev/c")->src, "/dev/c", "permissions in the second field");
	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		c = fresh();
		strv_push(arena, &c.req.devices, bad[i]);
		ok(case_build(&c) < 0, "--device '%s': %s", bad[i], c.e.msg);
	}
}

static void test_limits(void)
{
	struct plan_case c = fresh();
	struct req_ulimit u = { RLIMIT_MEMLOCK, "memlock", RLIM_INFINITY, RLIM_INFINITY };

	VEC_PUSH(arena, c.req.ulimits, c.req.n_ulimits, c.req.cap_ulimits, u);
	u = (struct req_ulimit){ RLIMIT_STACK, "stack", 9000, 9000 };
	VEC_PUSH(arena, c.req.ulimits, c.req.n_ulimits, c.req.cap_ulimits, u);
	u = (struct req_ulimit){ RLIMIT_NOFILE, "nofile", 10, 20 };
	VEC_PUSH(arena, c.req.ulimits, c.req.n_ulimits, c.req.cap_ulimits, u);
	u = (struct req_ulimit){ RLIMIT_NOFILE, "nofile", 30, 40 };
	VEC_PUSH(arena, c.req.ulimits, c.req.n_ulimits, c.req.cap_ulimits, u);
	built(&c, "--ulimit");
	is_int((long long)c.p->process.n_rlimits, 3, "one a resource");
	ok(c.p->process.rlimits[0].limit.rlim_max == 8192 &&
		   c.p->process.rlimits[0].limit.rlim_cur == 8192,
	   "clamped");
	ok(c.p->process.rlimits[2].limit.rlim_cur == 30, "the last one holds");
	is_int((long long)c.p->warnings.n, 1, "one warning");
	ok(case_says(&c.p->warnings, "memlock=8192, stack=8192"), "%s", c.p->warnings.v[0]);
	c.req.ulimits[0].soft = 5;
	c.req.ulimits[0].hard = 4;
	refused(&c, "memlock", "soft above hard");
}

static void test_rest(void)
{
	struct plan_case c = fresh();
	int fds[] = { 3, 9 };

	c.req.preserve_fds = fds;
	c.req.n_preserve_fds = 2;
	c.host.stdin_tty = c.host.stdout_tty = true;
	c.image.config.stop_signal = SIGINT;
	built(&c, "descriptors, terminal, signal");
	ok(c.p->process.n_preserve_fds == 2 && c.p->process.preserve_fds[1] == 9, "descriptors");
	ok(c.p->process.tty, "a terminal by itself");
	is_int(c.p->process.stop_signal, SIGINT, "the image's signal");
	c.req.tty = TRI_OFF;
	built(&c, "--no-tty");
	ok(!c.p->process.tty, "no terminal");
	fds[0] = 2;
	refused(&c, "--preserve-fd", "descriptor 2");
	c = fresh();
	c.req.args.n = 0;
	refused(&c, "no command", "no command");
	ok(strstr(c.e.hint, "sh"), "a hint: %s", c.e.hint);
	c = fresh();
	c.req.args.v[0] = "";
	refused(&c, "empty", "an empty command");
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	arena = a;
	test_plain();
	test_identity();
	test_subids();
	test_image_user();
	test_root();
	test_mounts();
	test_here();
	test_namespaces();
	test_names();
	test_security();
	test_caps();
	test_devices();
	test_limits();
	test_rest();
	return done_testing();
}

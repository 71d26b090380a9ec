// SPDX-License-Identifier: Apache-2.0
/* run_plan, with plans of run-plan.h. */
#include <fcntl.h>
#include <signal.h>

#include "run-plan.h"

/* The status of the command, or the one in the failure record. */
static int run(struct plan *p, struct err *e)
{
	int status = -1;

	memset(e, 0, sizeof(*e));
	return run_plan(p, NULL, &status, e) < 0 ? e->status : status;
}

static int run_script(const char *script)
{
	struct err e;
	int status = run(plan_new(script), &e);

	if (err_is_set(&e))
		diag("%s", e.msg);
	return status;
}

static void test_status(void)
{
	struct plan *p;
	struct err e;

	is_int(run_script("exit 0"), 0, "success");
	is_int(run_script("exit 7"), 7, "the command's own status");
	is_int(run_script("kill -TERM $$"), 128 + SIGTERM, "128 + signal");
	ok(run_hands_on(SIGUSR1) && !run_hands_on(SIGKILL) && !run_hands_on(SIGABRT),
	   "which signals the launcher hands on");
	p = plan_new(NULL);
	strv_push(arena, &p->process.argv, "no-such-command");
	is_int(run(p, &e), 127, "not found");
	ok(strstr(e.msg, "no-such-command") != NULL, "the message names it: %s", e.msg);
	p = plan_new(NULL);
	strv_push(arena, &p->process.argv, "/usr");
	is_int(run(p, &e), 126, "a directory cannot be run");
	p = plan_new("exit 0");
	p->process.cwd = "/no/such/directory";
	is_int(run(p, &e), 125, "no working directory");
	ok(str_after(e.msg, "step workdir: ") != NULL, "the message names the step: %s", e.msg);
	ok(e.hint[0] != '\0', "with a hint");
}

static void test_isolation(void)
{
	is_int(run_script("test $$ = 2"), 0, "a PID namespace with a reaper");
	is_int(run_script("grep -q '^NoNewPrivs:.1' /proc/self/status"), 0, "no_new_privs");
	is_int(run_script("! grep '^Cap' /proc/self/status | grep -v '0000000000000000$'"), 0,
	       "no capability in any set");
	is_int(run_script("for f in /proc/self/fd/*; do case ${f##*/} in [012]) ;; "
			  "*) test ! -e $f || exit 1;; esac; done"),
	       0, "no descriptor but 0, 1, 2");
	is_int(run_script("! head -c1 /proc/1/environ >/dev/null 2>&1 && ! readlink /proc/1/exe "
			  "/proc/1/fd/*"),
	       0, "the reaper cannot be looked into");
	is_int(run_script(
		       "! kill -0 -1 2>/dev/null || test \"$(ls -d /proc/[0-9]* | wc -l)\" -le 4"),
	       0, "no process of the host is seen");
	is_int(run_script("echo x >/f && cat /f >/dev/null"), 0, "the root takes writes");
	ok(access(arena_printf(arena, "%s/lower/f", dir), F_OK) < 0, "but not in the lower layer");
}

/* An image may name its command through a descriptor that we hold on the host's tree. */
static void test_descriptors(void)
{
	int host = fcntl(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), F_DUPFD_CLOEXEC, 50);
	const char *command = arena_printf(arena, "/proc/self/fd/%d/usr/bin/true", host);
	static int kept;
	struct plan *p;
	struct err e;

	p = plan_new(NULL);
	strv_push(arena, &p->process.argv, command);
	is_int(run(p, &e), 127, "no command through a descriptor of ours (%s)", e.msg);
	kept = host;
	p = plan_new(NULL);
	strv_push(arena, &p->process.argv, command);
	p->process.preserve_fds = &kept;
	p->process.n_preserve_fds = 1;
	is_int(run(p, &e), 0, "but through one that was asked for (%s)", e.msg);
	(void)close(host);
	is_int(run(p, &e), 125, "which has to be open");
	ok(strstr(e.msg, "--preserve-fd") != NULL, "the message names the option: %s", e.msg);
}

static void make_link(const char *target, const char *path)
{
	if (symlink(target, path) < 0)
		ok(false, "symlink %s: %s", path, strerror(errno));
}

/* Files and mount points are made inside the root whatever the image's links say. */
static void test_links(void)
{
	const char *outside = arena_printf(arena, "%s/outside", dir);
	char *lower = arena_printf(arena, "%s/lower", dir);
	struct plan *p;
	struct err e;

	make_link(outside, arena_printf(arena, "%s/abs", lower));
	make_link("../../../../../../..", arena_printf(arena, "%s/up", lower));
	make_link("/proc/self/root", arena_printf(arena, "%s/magic", lower));
	p = plan_new("test -f /abs/file && test -f /tmp/via-up && test ! -e /magic/file");
	add(p, (struct op){ .kind = OP_DIR, .dst = outside });
	add(p, (struct op){ .kind = OP_FILE, .dst = "/abs/file", .data = "x", .data_len = 1 });
	add(p, (struct op){ .kind = OP_FILE, .dst = "/up/tmp/via-up", .data = "x", .data_len = 1 });
	is_int(run(p, &e), 0, "links resolve inside the root (%s)", e.msg);
	ok(access(outside, F_OK) < 0, "nothing was made outside");
	ok(access("/tmp/via-up", F_OK) < 0, "not by way of '..' either");
	p = plan_new("exit 0");
	add(p, (struct op){ .kind = OP_FILE, .dst = "/magic/x/file", .data = "x", .data_len = 1 });
	is_int(run(p, &e), 125, "magic links are refused");
	ok(strstr(e.msg, "/magic/x/file (test)") != NULL, "object and reason: %s", e.msg);
}

/* A directory of ours is where its name says, or nowhere. */
static void test_nofollow(void)
{
	struct op own = { .kind = OP_TMPFS, .dst = "/own", .flags = OPF_NOFOLLOW, .size = 4096 };
	char *lower = arena_printf(arena, "%s/lower", dir);
	struct plan *p = plan_new("test -d /own && test ! -L /own && test -L /own/a");
	struct err e;

	add(p, own);
	add(p, (struct op){ .kind = OP_SYMLINK, .dst = "/own/a", .data = "/etc" });
	is_int(run(p, &e), 0, "a directory that is not there (%s)", e.msg);
	make_link("/usr", arena_printf(arena, "%s/link", lower));
	own.dst = "/link";
	p = plan_new("exit 0");
	add(p, own);
	is_int(run(p, &e), 125, "a link of the image");
	ok(strstr(e.msg, "/link (test): is not a directory") != NULL, "is said: %s", e.msg);
	own.flags = 0;
	p = plan_new("test -L /link");
	own.dst = "/link/share";
	add(p, own);
	is_int(run(p, &e), 0, "others follow it (%s)", e.msg);
}

/* A directory that is held between operations is let go when something is mounted over it. */
static void test_held(void)
{
	char *host = arena_printf(arena, "%s/host", dir);
	char *lower = arena_printf(arena, "%s/lower", dir);
	struct op file = { .kind = OP_FILE, .dst = "/held/a", .data = "x", .data_len = 1 };
	struct plan *p;
	struct err e;

	(void)mkdir(host, 0755);
	(void)mkdir(arena_printf(arena, "%s/held", lower), 0755);
	p = plan_new("test ! -e /held/a && test -f /held/b && test -f /held/f");
	add(p, file);
	add(p, (struct op){ .kind = OP_BIND, .src = "/etc/passwd", .dst = "/held/p" });
	add(p, (struct op){ .kind = OP_BIND, .src = host, .dst = "/held" });
	file.dst = "/held/b";
	add(p, file);
	add(p, (struct op){ .kind = OP_BIND, .src = "/etc/passwd", .dst = "/held/f" });
	is_int(run(p, &e), 0, "what comes later is in what was mounted (%s)", e.msg);
	ok(access(arena_printf(arena, "%s/b", host), F_OK) == 0, "a file of the host now");
	make_link("/held", arena_printf(arena, "%s/alias", lower));
	p = plan_new("test ! -e /held/a && test -f /held/b");
	file.dst = "/held/a";
	add(p, file);
	add(p, (struct op){ .kind = OP_TMPFS, .dst = "/alias", .mode = 0755, .size = 1U << 16 });
	file.dst = "/held/b";
	add(p, file);
	is_int(run(p, &e), 0, "also by way of a link (%s)", e.msg);
	make_link("/proc", arena_printf(arena, "%s/kernel", lower));
	p = plan_new("test -e /proc/f && test ! -s /proc/f && test -e /proc/g/f && "
		     "test ! -s /proc/g/f");
	add(p, (struct op){ .kind = OP_MASK, .dst = "/proc/version" });
	add(p, (struct op){ .kind = OP_TMPFS, .dst = "/proc", .mode = 0755, .size = 1U << 16 });
	file.dst = "/proc/f";
	add(p, file);
	file.dst = "/proc/g/f";
	add(p, file);
	add(p, (struct op){ .kind = OP_MASK, .dst = "/proc/f" });
	add(p, (struct op){ .kind = OP_MASK, .dst = "/kernel/g/f" });
	is_int(run(p, &e), 0, "a mask hides what is there, not what is covered (%s)", e.msg);
	p = plan_new("test ! -s /proc/version && ! echo 1 2>/dev/null >/proc/sys/vm/swappiness");
	add(p, (struct op){ .kind = OP_MASK, .dst = "/kernel/version" });
	add(p, (struct op){ .kind = OP_READONLY, .dst = "/kernel/sys" });
	is_int(run(p, &e), 0, "or by way of a link (%s)", e.msg);
	p = plan_new("true");
	add(p, (struct op){ .kind = OP_TMPFS, .dst = "/kernel", .mode = 0755, .size = 1U << 16 });
	is_int(run(p, &e), EXIT_GPURUN, "a mount goes no such way: %s", e.msg);
	ok(strstr(e.msg, "leads to /proc"), "and that is the reason");
}

/* What the image has at the destination stays what it is. */
static void test_taken(void)
{
	char *lower = arena_printf(arena, "%s/lower", dir);
	struct plan *p;
	struct err e;

	(void)mkdir(arena_printf(arena, "%s/taken", lower), 0755);
	make_link("/run/far", arena_printf(arena, "%s/taken/link", lower));
	make_link("nowhere", arena_printf(arena, "%s/taken/dangling", lower));
	p = plan_new("test -L /taken/link && test -s /run/far && test ! -L /taken/dangling && "
		     "test -s /taken/dangling && test -d /taken/dir/cache");
	add(p, (struct op){ .kind = OP_FILE, .dst = "/run/far" });
	add(p, (struct op){ .kind = OP_BIND, .src = "/etc/passwd", .dst = "/taken/link" });
	add(p, (struct op){ .kind = OP_BIND, .src = "/etc/passwd", .dst = "/taken/dangling" });
	add(p,
	    (struct op){
		    .kind = OP_BIND, .src = "/var", .dst = "/taken/dir", .flags = OPF_RECURSIVE });
	is_int(run(p, &e), 0, "links are followed inside, a dangling one is replaced (%s)", e.msg);
	p = plan_new("test ! -e /dev/none && test ! -e /taken/none");
	add(p, (struct op){ .kind = OP_BIND_DEV,
			    .src = "/dev/none",
			    .dst = "/dev/none",
			    .flags = OPF_OPTIONAL });
	add(p, (struct op){ .kind = OP_BIND,
			    .src = "/dev/none",
			    .dst = "/taken/none",
			    .flags = OPF_OPTIONAL });
	is_int(run(p, &e), 0, "nothing is left of what is optional and missing (%s)", e.msg);
	p = plan_new("exit 0");
	add(p, (struct op){ .kind = OP_BIND_DEV, .src = "/dev/shm", .dst = "/dev/x" });
	is_int(run(p, &e), 125, "a directory is no device (%s)", e.msg);
}

/* Ignored signals survive an exec: only those that are to stay so may. */
static void test_signals(void)
{
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	is_int(run_script("kill -USR1 $$; exit 0"), 128 + SIGUSR1, "one that we ignore is reset");
	is_int(run_script("kill -HUP $$; exit 0"), 0, "but not what nohup(1) ignores");
	(void)signal(SIGUSR1, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
}

/* What is optional is left out where the root cannot be written. */
static void test_optional(void)
{
	static const char bytes[] = "a\0b";
	struct op link = { .kind = OP_SYMLINK, .dst = "/sys/x", .data = "/t", .data_len = 2 };
	struct plan *p = plan_new("exit 0");
	struct err e;

	add(p, (struct op){ .kind = OP_SYSFS,
			    .dst = "/sys",
			    .attrs = MOUNT_ATTR_RDONLY,
			    .flags = OPF_HOST });
	add(p, link);
	is_int(run(p, &e), 125, "a link into a read-only file system (%s)", e.msg);
	p->container.ops.v[p->container.ops.n - 1].flags = OPF_OPTIONAL;
	is_int(run(p, &e), 0, "an optional one (%s)", e.msg);
	p = plan_new("test $(stat -c %s /f) = 3 && ! echo 2>/dev/null >/f && "
		     "test \"$(tr '\\0' x </f)\" = axb");
	add(p, (struct op){ .kind = OP_FILE,
			    .dst = "/f",
			    .data = bytes,
			    .data_len = 3,
			    .flags = OPF_BIND_FILE });
	is_int(run(p, &e), 0, "a bound file of any bytes, read-only (%s)", e.msg);
}

static void test_ops(void)
{
	struct plan *p;
	struct err e;

	p = plan_new("test ! -s /proc/version && ! ls -A /proc/bus | grep -q . && "
		     "! echo 1 2>/dev/null >/proc/sys/vm/swappiness");
	add(p, (struct op){ .kind = OP_MASK, .dst = "/proc/version" });
	add(p, (struct op){ .kind = OP_MASK, .dst = "/proc/bus" });
	add(p, (struct op){ .kind = OP_MASK, .dst = "/proc/none", .flags = OPF_OPTIONAL });
	add(p, (struct op){ .kind = OP_READONLY, .dst = "/proc/sys" });
	is_int(run(p, &e), 0, "masked and read-only paths (%s)", e.msg);
	p = plan_new("test ! -s /proc/1/mounts && test -d /proc/1/fd");
	add(p, (struct op){ .kind = OP_MASK, .dst = "/proc/mounts" });
	is_int(run(p, &e), 0, "a link in a procfs: masked is what it leads to (%s)", e.msg);
	p = plan_new("exit 0");
	add(p, (struct op){ .kind = OP_MASK, .dst = "/proc/none", .why = "--security-opt mask" });
	is_int(run(p, &e), 125, "a mask that must be there");
	p = plan_new("! echo x 2>/dev/null >/x && test \"$(cat /etc/f)\" = text");
	p->container.root.read_only = true;
	add(p, (struct op){ .kind = OP_FILE, .dst = "/etc/f", .data = "text", .data_len = 4 });
	is_int(run(p, &e), 0, "a read-only root, with files made before (%s)", e.msg);
	p = plan_new("test \"$(stat -c %a /t)\" = 700 && echo x >/t/x");
	add(p, (struct op){ .kind = OP_TMPFS, .dst = "/t", .mode = 0700, .size = 1U << 20 });
	is_int(run(p, &e), 0, "a tmpfs (%s)", e.msg);
	p = plan_new("exit 0");
	add(p, (struct op){ .kind = OP_BIND, .src = "/no/such", .dst = "/x", .why = "--volume" });
	is_int(run(p, &e), 125, "a missing source");
	ok(strstr(e.msg, "/no/such (--volume): No such file") != NULL, "%s", e.msg);
	p = plan_new("exit 0");
	add(p,
	    (struct op){ .kind = OP_BIND_DEV, .src = "/dev/null", .dst = "/dev/x", .rdev = 0x105 });
	is_int(run(p, &e), 125, "another device than planned");
	p = plan_new("exit 0");
	add(p, (struct op){ .kind = OP_BIND_DEV, .src = "/etc/passwd", .dst = "/dev/x" });
	is_int(run(p, &e), 125, "no device at all");
}

/* The device list must not cost what every Landlock ruleset takes away unless it is given back. */
static void test_landlock(void)
{
	struct plan *p;
	struct err e;

	if (sys_landlock_abi() < 5) {
		skip("Landlock knows no ioctl on devices here");
		return;
	}
	p = plan_new("mkdir /a /b && echo x >/a/f && mv /a/f /b/g && ln /b/g /a/h && mv /b /a/b");
	p->process.landlock_dev = true;
	is_int(run(p, &e), 0, "renames and links between directories (%s)", e.msg);
	p = plan_new("cp /usr/bin/true /t && /t && cp /t /dev/t && /dev/t && rm /t");
	p->process.landlock_dev = true;
	is_int(run(p, &e), 0, "programs of the container (%s)", e.msg);
	p = plan_new(NULL);
	strv_push(arena, &p->process.argv, "/proc/self/exe");
	p->process.landlock_dev = true;
	is_int(run(p, &e), 126, "but not ourselves (%s)", e.msg);
	p = plan_new("stty -F /dev/null -a 2>&1 | "
		     "grep -q 'Inappropriate ioctl' && stty -F /other -a 2>&1 | "
		     "grep -q 'Permission denied'");
	p->process.landlock_dev = true;
	add(p, (struct op){ .kind = OP_BIND, .src = "/dev/null", .dst = "/other" });
	is_int(run(p, &e), 0, "ioctl on a node of /dev, and not on one bound elsewhere (%s)",
	       e.msg);
}

/* A plan with a terminal, run with @input on a pipe as our stdin; its echo goes nowhere. */
static int run_terminal(const char *script, const char *input)
{
	struct plan *p = plan_new(script);
	int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	int saved_out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int pipefd[2], status;
	struct err e;

	if (pipe(pipefd) < 0)
		return -1;
	(void)!write(pipefd[1], input, strlen(input));
	(void)close(pipefd[1]);
	(void)dup2(pipefd[0], STDIN_FILENO);
	(void)close(pipefd[0]);
	(void)dup2(null, STDOUT_FILENO);
	(void)close(null);
	add(p, (struct op){ .kind = OP_DEVPTS, .dst = "/dev/pts" });
	p->process.tty = true;
	status = run(p, &e);
	(void)dup2(saved_out, STDOUT_FILENO);
	(void)close(saved_out);
	(void)dup2(saved, STDIN_FILENO);
	(void)close(saved);
	if (err_is_set(&e))
		diag("%s", e.msg);
	return status;
}

static void test_terminal(void)
{
	is_int(run_terminal("test -t 0 && test -t 1 && exit 5", ""), 5, "a terminal");
	is_int(run_terminal("exec </dev/null >/dev/null 2>&1; sleep 0.3; exit 7", ""), 7,
	       "a command that closes it is not hung up");
	is_int(run_terminal("test \"$(timeout --foreground 20 cat)\" = abc && exit 7", "abc\n"), 7,
	       "the end of input is handed on");
	is_int(run_terminal("test \"$(timeout --foreground 20 cat)\" = abc && exit 7", "abc"), 7,
	       "also behind an unfinished line");
}

static void test_limits(void)
{
	static struct plan_rlimit l = { .resource = RLIMIT_NOFILE,
					.limit = { 77, 77 },
					.why = "--ulimit nofile=77" };
	struct plan *p = plan_new("test $(ulimit -n) = 77");
	struct err e;

	p->process.rlimits = &l;
	p->process.n_rlimits = 1;
	is_int(run(p, &e), 0, "resource limits");
	p = plan_new("test $(hostname) = box");
	p->container.hostname = "box";
	is_int(run(p, &e), 0, "host name");
	p = plan_new("test $(cat /sys/class/net/lo/operstate) != down");
	p->container.namespaces |= CLONE_NEWNET;
	p->container.loopback_up = true;
	add(p, (struct op){ .kind = OP_SYSFS, .dst = "/sys", .attrs = MOUNT_ATTR_RDONLY });
	is_int(run(p, &e), 0, "loopback is up in an own network namespace (%s)", e.msg);
	p = plan_new("test -d /made && test $PWD = /made");
	p->process.cwd = "/made";
	p->process.cwd_create = true;
	is_int(run(p, &e), 0, "a missing working directory is made");
}

static pid_t started_payload;

static void on_started(void *arg, pid_t payload, pid_t init)
{
	(void)arg;
	ok(payload > 1 && init > 1 && payload != init, "payload %d, reaper %d", payload, init);
	started_payload = payload;
}

/* A second process in the container: a sibling of the first, with the same losses. */
static void test_exec(void)
{
	struct run_hooks hooks = { .started = on_started };
	struct err e = { 0 };
	int pipefd[2], status = -1;
	char text[32] = "";
	pid_t launcher;

	if (pipe(pipefd) < 0)
		return;
	launcher = fork();
	if (launcher == 0) {
		started_payload = 0;
		(void)dup2(pipefd[1], STDOUT_FILENO);
		(void)run_plan(plan_new("echo ready; sleep 100"), NULL, &status, &e);
		_exit(0);
	}
	(void)close(pipefd[1]);
	ok(read(pipefd[0], text, sizeof(text) - 1) > 0 && str_after(text, "ready"), "it runs");
	(void)hooks;
	(void)kill(launcher, SIGTERM);
	ok(waitpid(launcher, &status, 0) == launcher && WIFEXITED(status), "SIGTERM ends it");
	(void)run_plan(plan_new("exit 0"), &hooks, &status, &e);
	ok(started_payload > 0, "the hook heard of the payload");
	status = -1;
	is_int(run_exec(plan_new("exit 0"), started_payload, 1, &status, &e), -ESRCH,
	       "a pid with another start time is not entered");
	(void)close(pipefd[0]);
}

int main(void)
{
	if (!run_tests_begin())
		return run_tests_end();
	test_status();
	test_isolation();
	test_descriptors();
	test_links();
	test_nofollow();
	test_held();
	test_taken();
	test_signals();
	test_optional();
	test_ops();
	test_landlock();
	test_terminal();
	test_limits();
	test_exec();
	return run_tests_end();
}

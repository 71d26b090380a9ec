// SPDX-License-Identifier: Apache-2.0
/*
 * run_step with plans of run-plan.h.  A rank is a process of its own; who is in the container
 * stands in a table that all of them see, under a lock, as in the file of a step.
 */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "run-plan.h"

#define RANKS_MAX 32

static struct table {
	struct sys_peer ranks[RANKS_MAX];
	size_t n;
	struct err error; /* of the last rank that failed */
	unsigned int made, joined;
	bool host_path, failed_inside;
	int status, signal; /* of a supervised one */
} * table;

struct hooks {
	int lock;
	int gate; /* wait for a byte from it before the command is executed; -1: do not */
	const char *container; /* whose label it looks for, or NULL: that of all */
};

static int on_made(void *arg, const struct sys_peer *first, struct err *e)
{
	struct sys_peer now;

	(void)arg, (void)e;
	table->made++;
	table->host_path = access(dir, F_OK) == 0 && run_peer(first->pid, &now) == 0 &&
			   memcmp(&now, first, sizeof(now)) == 0;
	return 0;
}

static int on_inside(void *arg, const struct sys_peer *self, bool made, struct err *e)
{
	struct hooks *h = arg;
	char c;

	(void)e;
	table->joined += !made;
	table->ranks[table->n++ % RANKS_MAX] = *self;
	return h->gate >= 0 && read(h->gate, &c, 1) < 0 ? -errno : 0;
}

static int lock_open(void)
{
	return open(arena_printf(arena, "%s/lock", dir), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

#define LABEL "gpurun-test-0123-"

static const char *on_label(void *arg)
{
	(void)arg;
	return LABEL "4567";
}

static _Noreturn void rank_main(const struct plan *p, struct hooks *h)
{
	struct sys_peer ranks[RANKS_MAX];
	struct run_share share = {
		.ranks = ranks,
		.lock = h->lock,
		.made = on_made,
		.inside = on_inside,
		.container = h->container ? h->container : LABEL,
		.label = on_label,
		.arg = h,
	};
	struct err e = { 0 };
	int status = -1, sig = 0;
	bool inside;
	int r;

	if (h->lock >= 0 && flock(h->lock, LOCK_EX) < 0)
		_exit(99);
	share.n_ranks = table->n;
	memcpy(ranks, table->ranks, sizeof(ranks));
	r = run_step(p, &share, &status, &sig, &inside, &e);
	if (r >= 0) {
		table->status = status;
		table->signal = sig;
		_exit(0);
	}
	table->error = e;
	table->failed_inside = inside;
	_exit(e.status ? e.status : EXIT_GPURUN);
}

static struct plan *step_plan(const char *script)
{
	struct plan *p = plan_new(script);

	p->container.namespaces = CLONE_NEWUSER | CLONE_NEWNS;
	for (size_t i = 0; i < p->container.ops.n; i++)
		if (p->container.ops.v[i].kind == OP_PROC)
			p->container.ops.v[i].flags = OPF_HOST | OPF_RECURSIVE;
	p->process.init = false;
	p->process.exec = true;
	p->process.keep_fds = true;
	return p;
}

struct rank {
	pid_t pid;
	int out;
	char text[512]; /* what it said until it was ready */
};

/* Start a rank; its standard output is ours to read. */
static struct rank rank_start(const struct plan *p, bool locked, int gate)
{
	struct rank rank = { .out = -1 };
	int pipefd[2];

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return rank;
	(void)fflush(stdout);
	rank.pid = fork();
	if (rank.pid == 0) {
		struct hooks h = { .lock = locked ? lock_open() : -1, .gate = gate };

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(pipefd[1], STDOUT_FILENO);
		rank_main(p, &h);
	}
	(void)close(pipefd[1]);
	rank.out = pipefd[0];
	return rank;
}

/* Read until a line "ready", or to the end. */
static const char *rank_read(struct rank *rank)
{
	size_t n = 0;

	while (n + 1 < sizeof(rank->text) && !strstr(rank->text, "ready\n")) {
		ssize_t k = read(rank->out, rank->text + n, sizeof(rank->text) - 1 - n);

		if (k <= 0)
			break;
		n += (size_t)k;
		rank->text[n] = '\0';
	}
	return rank->text;
}

/* Its status as of waitpid(2). */
static int rank_wait(struct rank *rank)
{
	int status = -1;

	(void)close(rank->out);
	(void)waitpid(rank->pid, &status, 0);
	return status;
}

static int rank_kill(struct rank *rank)
{
	(void)kill(rank->pid, SIGKILL);
	return rank_wait(rank);
}

static void table_clear(void)
{
	memset(table, 0, sizeof(*table));
}

/* The exit status of a single rank in a container that nobody else is in. */
static int run_alone(const struct plan *p)
{
	struct rank rank;
	int status;

	table_clear();
	rank = rank_start(p, true, -1);
	(void)rank_read(&rank);
	status = rank_wait(&rank);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static const char where[] = "readlink /proc/self/ns/user /proc/self/ns/mnt; echo ready; "
			    "exec sleep 100";

static void test_status(void)
{
	struct plan *p;

	is_int(run_alone(step_plan("exit 0")), 0, "success (%s)", table->error.msg);
	ok(table->made == 1 && table->host_path, "made once, and heard of in time");
	is_int(run_alone(step_plan("exit 143")), 143, "the command's own status");
	is_int(run_alone(step_plan("kill -TERM $$")), 1000 + SIGTERM, "the command's own signal");
	is_int(run_alone(step_plan(arena_printf(arena, "test $PPID = %d", getpid()))), 0,
	       "nobody stands between the caller and the command");
	p = step_plan(NULL);
	strv_push(arena, &p->process.argv, "no-such-command");
	is_int(run_alone(p), 127, "not found");
	ok(strstr(table->error.msg, "no-such-command") && table->failed_inside, "%s",
	   table->error.msg);
	p = step_plan("exit 0");
	p->process.cwd = "/no/such";
	is_int(run_alone(p), 125, "a failure inside");
	ok(str_after(table->error.msg, "step workdir: ") && table->failed_inside, "%s",
	   table->error.msg);
	p = step_plan("exit 0");
	add(p, (struct op){ .kind = OP_BIND, .src = "/no/such", .dst = "/x", .why = "--volume" });
	is_int(run_alone(p), 125, "a failure of the child that makes the container");
	ok(str_after(table->error.msg, "step mounts: /no/such") && !table->failed_inside, "%s",
	   table->error.msg);
	ok(table->made == 0 && table->n == 0, "nobody hears of that one");
}

/* Our descriptors that an exec hands on, and the one with which ls(1) looks. */
static const char *inherited(void)
{
	const char *list = "";
	bool ls = false;

	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);
		bool kept = flags >= 0 && !(flags & FD_CLOEXEC);

		if (kept || !ls)
			list = arena_printf(arena, "%s%d ", list, fd);
		ls = ls || !kept;
	}
	return list;
}

/* What a rank has lost, and what it has kept. */
static void test_process(void)
{
	int kept = fcntl(STDERR_FILENO, F_DUPFD, 40), born = fcntl(kept, F_DUPFD_CLOEXEC, 50);
	const char *look = "test \"$(ls /proc/self/fd | sort -n | tr '\\n' ' ')\"";
	struct plan *p;

	is_int(run_alone(step_plan(arena_printf(arena, "%s = '%s'", look, inherited()))), 0,
	       "inherited descriptors stay, and no other");
	p = step_plan(arena_printf(arena, "%s = '0 1 2 3 '", look));
	p->process.keep_fds = false;
	is_int(run_alone(p), 0, "unless it is planned otherwise");
	(void)close(kept);
	(void)close(born);
	is_int(run_alone(step_plan("! grep '^Cap' /proc/self/status | grep -v '0000000000000000$'; "
				   "grep -q '^NoNewPrivs:.1' /proc/self/status")),
	       0, "no capability in any set, no_new_privs");
	is_int(run_alone(step_plan("umask 027; exec sh -c 'test $(umask) = 0027'")), 0, "umask");
	p = step_plan("test $(hostname) = box && test $(cat /sys/class/net/lo/operstate) != down");
	p->container.namespaces |= CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
	p->container.hostname = "box";
	p->container.loopback_up = true;
	add(p, (struct op){ .kind = OP_SYSFS, .dst = "/sys", .attrs = MOUNT_ATTR_RDONLY });
	is_int(run_alone(p), 0, "namespaces of the step's own (%s)", table->error.msg);
	if (sys_landlock_abi() < 5) {
		skip("Landlock knows no ioctl on devices here");
		return;
	}
	p = step_plan("stty -F /dev/null -a 2>&1 | grep -q 'Inappropriate ioctl' && "
		      "stty -F /other -a 2>&1 | grep -q 'Permission denied'");
	p->process.landlock_dev = true;
	add(p, (struct op){ .kind = OP_BIND, .src = "/dev/null", .dst = "/other" });
	add(p,
	    (struct op){ .kind = OP_BIND, .src = "/dev", .dst = "/dev", .flags = OPF_RECURSIVE });
	is_int(run_alone(p), 1, "the device list is that of our own /dev, whatever lies over it");
	p->container.ops.n--;
	is_int(run_alone(p), 0, "a container of one rank has its device list (%s)",
	       table->error.msg);
}

/* Through any living rank, and only through those. */
static void test_join(void)
{
	struct plan *p = step_plan(where);
	struct rank a, b, c;
	int status;

	table_clear();
	p->container.namespaces |= CLONE_NEWUTS | CLONE_NEWIPC;
	a = rank_start(p, true, -1);
	(void)rank_read(&a);
	b = rank_start(p, true, -1);
	ok(strlen(rank_read(&b)) > 20, "two ranks run (%s)", table->error.msg);
	is_str(b.text, a.text, "in the same namespaces");
	ok(table->made == 1 && table->joined == 1, "one made them, the other joined");
	status = rank_kill(&a);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the first one is killed");
	c = rank_start(p, true, -1);
	is_str(rank_read(&c), b.text, "a third joins through the second");
	(void)rank_kill(&b);
	(void)kill(c.pid, SIGKILL);
	(void)usleep(50000);
	a = rank_start(p, true, -1);
	ok(strlen(rank_read(&a)) > 20 && table->made == 2, "with all of them dead, one not waited "
							   "for, the next makes a new container");
	(void)rank_wait(&c);
	table->ranks[table->n - 1].start++;
	b = rank_start(p, true, -1);
	ok(strlen(rank_read(&b)) > 20 && table->made == 3, "a pid that came again is not entered");
	(void)rank_kill(&a);
	(void)rank_kill(&b);
}

/* A rank that has not executed yet cannot be entered through, but is there. */
static void test_window(void)
{
	struct plan *p = step_plan(where);
	struct rank a, b;
	int gate[2];

	table_clear();
	if (pipe2(gate, O_CLOEXEC) < 0)
		return;
	a = rank_start(p, false, gate[0]);
	while (!table->n && !err_is_set(&table->error))
		(void)usleep(1000);
	b = rank_start(p, false, -1);
	(void)usleep(50000);
	ok(table->made == 1 && table->joined == 0 && !err_is_set(&table->error),
	   "the next rank waits (%s)", table->error.msg);
	is_int((int)write(gate[1], "x", 1), 1, "until the first one executes");
	ok(strlen(rank_read(&a)) > 20, "which it does (%s)", table->error.msg);
	is_str(rank_read(&b), a.text, "and joins");
	(void)rank_kill(&a);
	(void)rank_kill(&b);
	(void)close(gate[0]);
	(void)close(gate[1]);
}

/* Nothing keeps root from looking into a process: that one needs somebody else. */
static void test_as_user(void)
{
	static const uid_t nobody = 65534;
	int status = -1;
	pid_t pid;

	if (geteuid() != 0) {
		test_window();
		return;
	}
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(nobody, nobody, nobody) < 0 ||
		    setresuid(nobody, nobody, nobody) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
			_exit(99);
		tap_failed = 0;
		test_window();
		(void)fflush(stdout);
		_exit(tap_failed ? 1 : tap_run);
	}
	(void)waitpid(pid, &status, 0);
	tap_run =
		WIFEXITED(status) && WEXITSTATUS(status) > tap_run ? WEXITSTATUS(status) : tap_run;
	is_int(WIFEXITED(status) && WEXITSTATUS(status) > 1, 1, "as an ordinary user");
}

static bool lock_is_free(void)
{
	int fd = lock_open();
	bool is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;

	(void)close(fd);
	return is_free;
}

/* With something to do at the end, the command is a child. */
static void test_supervised(void)
{
	struct plan *p = step_plan("exit 9");
	struct rank a, b;

	p->process.exec = false;
	is_int(run_alone(p), 0, "a supervised rank (%s)", table->error.msg);
	ok(table->status == 9 && table->signal == 0, "its status");
	p = step_plan("kill -USR1 $$");
	p->process.exec = false;
	is_int(run_alone(p), 0, "one that dies of a signal");
	ok(table->status == 128 + SIGUSR1 && table->signal == SIGUSR1, "its signal");
	p = step_plan("exit 0");
	p->process.exec = false;
	p->process.cwd = "/no/such";
	is_int(run_alone(p), 125, "one that fails inside");
	ok(str_after(table->error.msg, "step workdir: ") && !table->failed_inside,
	   "we are outside all the same");
	table_clear();
	p = step_plan(where);
	p->process.exec = false;
	a = rank_start(p, true, -1);
	(void)rank_read(&a);
	ok(lock_is_free(), "the lock is free while the command runs");
	b = rank_start(p, true, -1);
	is_str(rank_read(&b), a.text, "another one joins");
	ok(table->ranks[0].pid != a.pid && kill(table->ranks[0].pid, SIGTERM) == 0,
	   "the rank is the command, not its launcher");
	(void)rank_wait(&a);
	ok(table->signal == SIGTERM && table->status == 128 + SIGTERM, "ends as the command did");
	(void)rank_kill(&b);
}

int main(void)
{
	table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (table == MAP_FAILED || !run_tests_begin())
		return run_tests_end();
	test_status();
	test_process();
	test_join();
	test_supervised();
	test_as_user();
	return run_tests_end();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The containers of steps: who is in them, found by their step, swept when all have ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/state.h>
#include <gpurun/str.h>

#include "tap.h"

#define KEY     "7.0-0011223344556677"
#define KEY_ID  "223344556677"
#define TWIN    "7.0-8899aabbccddeeff"
#define TWIN_ID "aabbccddeeff"
#define SLOT    74
#define PLAN    "{\n  \"x\": [1]\n}\n"

static struct arena *arena;
static struct err err;
static const char *dir;
static struct strv dirs;

/* ---- processes that can be ranks ----------------------------------------------------------- */

static struct sys_peer spawn(void)
{
	struct sys_peer p = { .user_ns = 4026531837, .mnt_ns = 4026531841 };

	p.pid = fork();
	if (p.pid == 0)
		for (;;)
			pause();
	p.start = sys_pid_start(p.pid);
	return p;
}

static void end(struct sys_peer *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
}

static bool is_same(const struct sys_peer *x, const struct sys_peer *y)
{
	return x->pid == y->pid && x->start == y->start && x->user_ns == y->user_ns &&
	       x->mnt_ns == y->mnt_ns;
}

/* ---- short forms --------------------------------------------------------------------------- */

static const char *file(const char *name)
{
	return arena_printf(arena, "%s/steps/%s", dir, name);
}

static bool is_there(const char *name)
{
	return access(file(name), F_OK) == 0;
}

static int step_open(const char *key)
{
	int fd = -1, r;

	memset(&err, 0, sizeof(err));
	r = state_step_open(arena, dir, key, &fd, &err);
	return r < 0 ? r : fd;
}

static size_t n_ranks(int fd)
{
	struct sys_peer *v = NULL;
	size_t n = 99;

	return state_step_ranks(arena, fd, &v, &n) < 0 ? 99 : n;
}

static size_t n_listed(void)
{
	struct state *v = NULL;
	size_t n = 99;

	return state_list(arena, &dirs, &v, &n, &err) < 0 ? 99 : n;
}

static int find(const char *what, struct state *ret)
{
	memset(&err, 0, sizeof(err));
	memset(ret, 0, sizeof(*ret));
	return state_find(arena, &dirs, what, ret, &err);
}

static int publish(const char *key, const char *name)
{
	const struct state st = { .name = name,
				  .image = "i.tar",
				  .command = "train",
				  .created = 1700000000,
				  .step = "7.0",
				  .image_id = "sha256:ab" };

	return state_step_publish(dir, key, &st, PLAN);
}

/* A container of one step, as its first rank leaves it behind. */
static void container(const char *key, const struct sys_peer *rank, const char *name)
{
	_cleanup_fd_ int fd = step_open(key);

	ok(fd >= 0 && state_step_add(fd, rank) == 0 && publish(key, name) == 0, "container %s: %s",
	   key, err.msg);
}

/* ---- tests --------------------------------------------------------------------------------- */

static void test_keys(void)
{
	static const char *const bad[] = {
		"",
		"7.0",
		"7.0-001122334455667",
		"7.0-001122334455667g",
		"7.0-00112233445566AA",
		"7.0_0011223344556677",
		"-0011223344556677",
		"../7-0011223344556677",
		"a/b-0011223344556677",
		".7-0011223344556677",
		"a b-0011223344556677",
		"a\n-0011223344556677",
		"7.0-0011223344556677.json",
	};
	char text[300];

	for (size_t i = 0; i < ELEMENTS(bad); i++)
		ok(step_open(bad[i]) == -EINVAL && err.msg[0], "no key: %s", bad[i]);
	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(text) - 18, "-0011223344556677", 18);
	is_int(step_open(text), -EINVAL, "a key of %zu bytes", strlen(text));
	is_int(state_step_publish(dir, "x", &(struct state){ .step = "7.0" }, NULL), -EINVAL,
	       "a record of no key");
}

static void test_slots(void)
{
	struct sys_peer a = spawn(), b = spawn(), c = spawn(), *v = NULL;
	_cleanup_fd_ int fd = step_open(KEY);
	struct stat st;
	size_t n = 99;

	ok(fd >= 0, "made: %s", err.msg);
	ok(stat(file(""), &st) == 0 && (st.st_mode & 07777) == 0700, "steps/ has mode 0700");
	ok(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0600, "its file 0600");
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "nothing that is executed inherits the lock");
	is_int((int)n_ranks(fd), 0, "nobody is in it");
	ok(state_step_add(fd, &a) == 0 && state_step_add(fd, &b) == 0, "two arrive");
	ok(state_step_ranks(arena, fd, &v, &n) == 0 && n == 2, "and are seen");
	ok(n == 2 && is_same(&v[0], &a) && is_same(&v[1], &b), "with all that they are known by");
	kill(a.pid, SIGKILL);
	ok(waitid(P_PID, (id_t)a.pid, NULL, WEXITED | WNOWAIT) == 0 && n_ranks(fd) == 1,
	   "one has ended, whether its parent has noticed or not");
	end(&a);
	ok(state_step_add(fd, &c) == 0 && fstat(fd, &st) == 0 && st.st_size == 2 * SLOT,
	   "the next takes its slot");
	ok(state_step_ranks(arena, fd, &v, &n) == 0 && n == 2 && v[0].pid == c.pid, "in its place");
	end(&b);
	is_int((int)n_ranks(fd), 1, "one is left");
	c.start++;
	ok(ftruncate(fd, 0) == 0 && state_step_add(fd, &c) == 0 && n_ranks(fd) == 0,
	   "a process that got the number of one that ended is not that one");
	end(&c);
}

/* Whatever the file holds, it holds no rank, and the next one still fits in. */
static void test_hostile(void)
{
	struct sys_peer a = spawn();
	_cleanup_fd_ int fd = step_open(KEY);
	char text[3 * SLOT + 5];
	struct stat st;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 37 + 11);
	ok(ftruncate(fd, 0) == 0 && pwrite(fd, text, sizeof(text), 0) == (ssize_t)sizeof(text) &&
		   n_ranks(fd) == 0,
	   "rubbish is no rank");
	ok(state_step_add(fd, &a) == 0 && n_ranks(fd) == 1, "one arrives in it");
	snprintf(text, sizeof(text), "%10d %20d %20d %20d\n", 1, 0, 1, 1);
	ok(pwrite(fd, text, SLOT, SLOT) == SLOT && n_ranks(fd) == 1,
	   "nor a process without a start time");
	snprintf(text, sizeof(text), "%10d %20d %20d %20d\n", -1, 0, 1, 1);
	ok(pwrite(fd, text, SLOT, SLOT) == SLOT && n_ranks(fd) == 1, "nor a negative number");
	ok(ftruncate(fd, 100 << 20) == 0 && n_ranks(fd) == 1, "nor 100 MiB of nothing");
	ok(state_step_add(fd, &a) == 0 && fstat(fd, &st) == 0 && st.st_size == 100 << 20 &&
		   n_ranks(fd) == 2,
	   "and one arrives");
	end(&a);
	is_int((int)n_listed(), 0, "not listed");
}

static void test_find(void)
{
	struct sys_peer a = spawn(), b = spawn(), c = spawn(), *v = NULL;
	struct state st;
	size_t n = 0;
	int fd;

	container(KEY, &a, "one");
	fd = step_open(KEY);
	ok(fd >= 0 && state_step_add(fd, &b) == 0, "a second rank");
	fd = fd_close(fd);
	is_int(find("7.0", &st), 0, "found by its step: %s", err.msg);
	is_str(st.id, KEY_ID, "its id is the end of the key");
	is_str(st.key, KEY, "the key");
	is_str(st.plan, PLAN, "the plan, byte by byte");
	is_str(st.image_id, "sha256:ab", "the image");
	ok(st.n_ranks == 2 && st.payload == a.pid && st.payload_start == a.start &&
		   st.launcher == 0,
	   "two ranks, the first is its payload; no launcher");
	ok(find("one", &st) == 0 && find(KEY_ID, &st) == 0 && find("2233", &st) == 0,
	   "found by name, id and the beginning of the id");
	is_int(find("7.1", &st), -ENOENT, "there is no other step");
	is_int(find("7", &st), -ENOENT, "a job is no step");
	end(&a);
	ok(find("7.0", &st) == 0 && st.n_ranks == 1 && st.payload == b.pid,
	   "who made it has ended: the other one stands for it");
	ok(state_step_peers(arena, &st, &v, &n, &err) == 0 && n == 1 && v[0].pid == b.pid,
	   "its ranks: %s", err.msg);

	container(TWIN, &c, "two");
	is_int((int)n_listed(), 2, "two containers of one step");
	is_int(find("7.0", &st), -ENOTUNIQ, "not one of them by their step");
	ok(strstr(err.msg, KEY_ID) && strstr(err.msg, TWIN_ID), "the message: %s", err.msg);
	ok(find("two", &st) == 0 && str_eq(st.id, TWIN_ID), "by name");
	end(&b);
	ok(find("7.0", &st) == 0 && str_eq(st.id, TWIN_ID), "the other has ended");
	end(&c);
	memset(&err, 0, sizeof(err));
	is_int(state_step_peers(arena, &st, &v, &n, &err), -ESRCH, "nobody is left");
	ok(err.msg[0], "the message: %s", err.msg);
	is_int(find("7.0", &st), -ENOENT, "both have ended");
	ok(!is_there(KEY) && !is_there(KEY ".json") && !is_there(TWIN) && !is_there(TWIN ".json"),
	   "and nothing is left of them");
}

/* Who makes a container tidies up behind the others, but only behind those that have ended. */
static void test_sweep(void)
{
	struct sys_peer a = spawn(), b = spawn();
	int fd, held;

	container(KEY, &a, "");
	container("8.0-0011223344556677", &b, "");
	held = step_open("9.0-0011223344556677");
	close(open(file("orphan-0011223344556677.json"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close(open(file("half-0011223344556677.new"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close(open(file("README"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	end(&a);
	fd = step_open(TWIN);
	ok(is_there(KEY), "what its own step left is not looked at");
	close(fd);
	fd = step_open("10.0-0011223344556677");
	ok(!is_there(KEY) && !is_there(KEY ".json"), "one without a living rank is gone");
	ok(is_there("8.0-0011223344556677") && is_there("8.0-0011223344556677.json"),
	   "one with a rank stays");
	ok(is_there("9.0-0011223344556677"), "one that somebody is making stays");
	ok(!is_there("orphan-0011223344556677.json") && !is_there("half-0011223344556677.new"),
	   "a record without a container goes");
	ok(is_there("README"), "what is none of it is left alone");
	close(fd);
	close(held);
	end(&b);
	is_int((int)n_listed(), 0, "nobody is left");
	is_int(system(arena_printf(arena, "test \"$(ls %s/steps)\" = README", dir)), 0,
	       "and a listing leaves nothing of them");
	unlink(file("README"));
}

/* A record that is not there yet, or cannot be read, hides the container and nothing else. */
static void test_records(void)
{
	struct sys_peer a = spawn(), b = spawn();
	_cleanup_fd_ int fd = step_open(KEY);
	int json;

	container(TWIN, &b, "");
	ok(fd >= 0 && state_step_add(fd, &a) == 0 && n_listed() == 1, "a record not written yet");
	json = open(file(KEY ".json"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ok(json >= 0 && pwrite(json, "{\"id\":", 6, 0) == 6 && n_listed() == 1, "half of one");
	close(json);
	ok(state_step_publish(dir, KEY, &(struct state){ .launcher = 1 }, NULL) == 0 &&
		   n_listed() == 1,
	   "one of no step");
	ok(rename(file(TWIN ".json"), file(KEY ".json")) == 0 && n_listed() == 0,
	   "that of another container");
	ok(publish(KEY, "") == 0 && n_listed() == 1, "a good one takes its place");
	ok(mkdir(file(TWIN ".new"), 0700) == 0 && publish(TWIN, "") < 0 && n_listed() == 1,
	   "one that cannot be written");
	rmdir(file(TWIN ".new"));
	end(&a);
	end(&b);
	fd = fd_close(fd);
	is_int((int)n_listed(), 0, "nobody is left");
}

/* Until the lock is free a rank may be unable to let anybody in. */
static void test_starting(void)
{
	struct sys_peer a = spawn(), *v = NULL;
	int go[2], status = 0;
	struct state st;
	size_t n = 0;
	pid_t pid;

	container(KEY, &a, "");
	ok(pipe(go) == 0 && find("7.0", &st) == 0, "a container");
	pid = fork();
	if (pid == 0) {
		struct sys_peer self = { .pid = getpid(), .start = sys_pid_start(getpid()) };
		int fd = step_open(KEY);

		if (fd < 0 || write(go[1], "x", 1) != 1)
			_exit(1);
		usleep(30000);
		if (state_step_add(fd, &self) < 0)
			_exit(1);
		close(fd);
		for (;;)
			pause();
	}
	ok(read(go[0], &status, 1) == 1 && state_step_peers(arena, &st, &v, &n, &err) == 0 &&
		   n == 2,
	   "who is entering is waited for, and counted");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(go[0]);
	close(go[1]);
	end(&a);
	is_int((int)n_listed(), 0, "nobody is left");
}

/* One rank: it makes the container when it finds nobody, then stays until it is told to go. */
static _Noreturn void crowd_rank(int made, int stay)
{
	struct sys_peer self = { .pid = getpid(), .start = sys_pid_start(getpid()) };
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct sys_peer *v = NULL;
	size_t n = 0;
	int fd = -1;
	char c;

	if (state_step_open(a, dir, KEY, &fd, NULL) < 0 || state_step_ranks(a, fd, &v, &n) < 0 ||
	    (n == 0 && publish(KEY, "") < 0) || state_step_add(fd, &self) < 0 ||
	    write(made, n == 0 ? "m" : "j", 1) != 1)
		_exit(1);
	close(fd);
	_exit(read(stay, &c, 1) != 0);
}

/* Many ranks at once, others that list and sweep meanwhile: one of them makes the container. */
static void test_crowd(void)
{
	enum { RANKS = 32, ROUNDS = 20 };
	int makers = 0, joiners = 0, failed = 0, status;
	pid_t sweeper = fork();

	if (sweeper == 0)
		for (;;) {
			_cleanup_arena_ struct arena *a = arena_new(0);
			struct state *v = NULL;
			size_t n = 0;

			(void)state_list(a, &dirs, &v, &n, NULL);
		}
	for (int round = 0; round < ROUNDS; round++) {
		int made[2], stay[2];
		char c;

		if (pipe(made) < 0 || pipe(stay) < 0)
			break;
		for (int i = 0; i < RANKS; i++)
			if (fork() == 0) {
				close(stay[1]);
				crowd_rank(made[1], stay[0]);
			}
		close(made[1]);
		for (int i = 0; i < RANKS && read(made[0], &c, 1) == 1; i++) {
			makers += c == 'm';
			joiners += c == 'j';
		}
		close(stay[1]);
		close(stay[0]);
		close(made[0]);
		for (int i = 0; i < RANKS; i++)
			failed += wait(&status) < 0 || status != 0;
	}
	kill(sweeper, SIGKILL);
	waitpid(sweeper, NULL, 0);
	is_int(failed, 0, "every rank started");
	is_int(makers, ROUNDS, "one of each crowd made the container");
	is_int(joiners, ROUNDS * (RANKS - 1), "the others joined");
	is_int((int)n_listed(), 0, "nobody is left");
}

int main(void)
{
	char base[] = "/tmp/t_state_step.XXXXXX";

	umask(022);
	arena = arena_new((size_t)1 << 30);
	if (!mkdtemp(base) || state_dir(arena, base, getuid(), &dir, &err) < 0) {
		ok(false, "a directory for the test: %s", err.msg);
		return done_testing();
	}
	strv_push(arena, &dirs, dir);
	is_int((int)n_listed(), 0, "nothing at first, not even the directory");
	test_keys();
	test_slots();
	test_hostile();
	test_find();
	test_sweep();
	test_records();
	test_starting();
	test_crowd();
	is_int(system(arena_printf(arena, "rm %s/* 2> /dev/null; rmdir %s/steps %s/mnt %s %s", dir,
				   dir, dir, dir, base)),
	       0, "nothing is left behind");
	arena_free(arena);
	return done_testing();
}

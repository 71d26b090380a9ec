/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of running containers: reserved, published, found, swept.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gpurun/state.h>
#include <gpurun/str.h>

#include "../../src/state/state_file.h"
#include "tap.h"

#define PLAN "{\n  \"process\": {\"argv\": [\"a}b\", \",\\n\\\"plan\\\":\"]}\n}\n"

static struct arena *arena;
static struct err err;
static const char *dir;
static struct state_home home; /* the same, held open */
static struct strv dirs;

static struct state begin(const char *name, int *fd)
{
	struct state st = { .name = name,
			    .image = "im\"age.tar",
			    .command = "sh -c \"x\n\"",
			    .launcher = getpid(),
			    .payload = 4242,
			    .payload_start = 77 };

	memset(&err, 0, sizeof(err));
	*fd = -1;
	is_int(state_begin(&home, &st, fd, &err), 0, "reserve for '%s': %s", name, err.msg);
	state_sweep(arena, &home, &st);
	return st;
}

static size_t count(void)
{
	struct state *v = NULL;
	size_t n = 99;

	return state_list(arena, &dirs, &v, &n, NULL) < 0 ? 99 : n;
}

static void test_life(void)
{
	struct state found = { 0 }, st;
	int fd;

	is_int((int)count(), 0, "nothing at first");
	st = begin("one", &fd);
	is_int((int)strlen(st.id), STATE_ID_LEN, "an id");
	is_int((int)count(), 0, "reserved, but not published: not listed");
	is_int(state_publish(arena, fd, &st, PLAN), 0, "publish");
	is_int((int)count(), 1, "now it is");
	is_int(state_find(arena, &dirs, "one", &found, &err), 0, "found by name");
	is_str(found.id, st.id, "the id");
	is_str(found.image, st.image, "the image, a quote in it");
	is_str(found.command, st.command, "the command, a newline in it");
	ok(found.launcher == getpid() && found.payload == 4242 && found.payload_start == 77,
	   "pids and start time");
	ok(found.created > 1500000000, "the time");
	is_str(found.plan, PLAN, "the plan, byte by byte");
	is_int(state_find(arena, &dirs, st.id, &found, &err), 0, "found by id");
	st.id[5] = '\0';
	is_int(state_find(arena, &dirs, st.id, &found, &err), 0,
	       "found by the beginning of the id");
	state_end(&home, &found, fd);
	is_int((int)count(), 0, "gone");
	memset(&err, 0, sizeof(err));
	is_int(state_find(arena, &dirs, "one", &found, &err), -ENOENT, "not found any more");
	is_int((int)err.topic, ERR_TOPIC_NOT_FOUND, "the topic");
	ok(err.msg[0] && err.hint[0], "message and hint: %s", err.msg);
	is_int(state_find(arena, &dirs, "", &found, &err), -ENOENT, "nothing is found by no name");
}

static void test_two(void)
{
	struct state a, b, found = { 0 }, *v = NULL;
	int fa, fb;
	size_t n = 0;

	a = begin("same", &fa);
	b = begin("same", &fb);
	ok(strcmp(a.id, b.id) != 0, "two ids");
	b.created = a.created - 5;
	ok(state_publish(arena, fa, &a, PLAN) == 0 && state_publish(arena, fb, &b, NULL) == 0,
	   "two records");
	ok(state_list(arena, &dirs, &v, &n, NULL) == 0 && n == 2, "both are listed");
	ok(n == 2 && strcmp(v[0].id, b.id) == 0, "the oldest first");
	memset(&err, 0, sizeof(err));
	is_int(state_find(arena, &dirs, "same", &found, &err), -ENOTUNIQ, "a name that two carry");
	ok(strstr(err.msg, "2 running") != NULL, "its message: %s", err.msg);
	is_int(state_find(arena, &dirs, b.id, &found, &err), 0, "the id is exact");
	state_end(&home, &a, fa);
	is_int(state_find(arena, &dirs, "same", &found, &err), 0, "one is left");
	is_str(found.plan, "null", "a record without a plan");
	state_end(&home, &b, fb);
}

/* A launcher that dies without a word. */
static void test_dead(void)
{
	struct state st;
	int fd;
	pid_t pid = fork();

	if (pid == 0) {
		struct state mine = { .name = "dead",
				      .image = "",
				      .command = "",
				      .launcher = getpid(),
				      .payload = getpid() };

		if (state_begin(&home, &mine, &fd, NULL) < 0)
			_exit(1);
		_exit(state_publish(arena, fd, &mine, PLAN) < 0);
	}
	waitpid(pid, NULL, 0);
	is_int((int)count(), 0, "a dead launcher's record is not listed");
	st = begin("x", &fd);
	state_end(&home, &st, fd);
	is_int(system(arena_printf(arena, "test \"$(ls %s)\" = mnt", dir)), 0, "and swept away");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		diag("%s: not written", path);
	close(fd);
}

static void test_foreign(void)
{
	const char *other = arena_printf(arena, "%s/README", dir);
	const char *broken = arena_printf(arena, "%s/0123456789ab", dir);
	struct state st;
	int fd;

	write_file(other, "x");
	write_file(broken, "{\"id\"");
	st = begin("x", &fd);
	ok(access(other, F_OK) == 0, "a file that is no record is left alone");
	ok(access(broken, F_OK) < 0, "an unlocked record is removed, whatever it holds");
	if (ftruncate(fd, 0) == 0 && pwrite(fd, "{}\n", 3, 0) == 3)
		is_int((int)count(), 0, "a living record that cannot be read is not listed");
	state_end(&home, &st, fd);
	unlink(other);
}

/* ---- files that somebody else wrote ------------------------------------------------------- */

static struct state forged(void)
{
	return (struct state){ .id = "0123456789ab",
			       .name = "victim",
			       .image = "",
			       .command = "",
			       .launcher = getpid(),
			       .payload = getpid() };
}

static int forged_file(void)
{
	int fd = open(arena_printf(arena, "%s/0123456789ab", dir),
		      O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd < 0 || flock(fd, LOCK_EX) < 0 ? -1 : fd;
}

/* What @forge leaves behind is looked at while it waits, as a container's process would. */
static void test_forged_by(const char *what, bool (*forge)(void), size_t listed)
{
	const char *file = arena_printf(arena, "%s/0123456789ab", dir);
	size_t left = count();
	int ready[2];
	char done = 0;
	pid_t pid;

	if (pipe(ready) < 0)
		return;
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		done = forge() ? 'y' : 'n';
		if (write(ready[1], &done, 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	if (read(ready[0], &done, 1) != 1 || done != 'y')
		skip("%s: cannot be made here", what);
	else
		is_int((int)count(), (int)listed, "%s", what);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	for (int i = 0; i < 1000 && access(file, F_OK) == 0; i++, usleep(1000))
		left = count();
	is_int((int)left, 0, "nothing of it is left");
}

static bool publish_whole(void)
{
	const struct state st = forged();
	int fd = forged_file();

	return fd >= 0 && state_publish(arena, fd, &st, PLAN) == 0;
}

static bool publish_in_container(void)
{
	return unshare(CLONE_NEWUSER) == 0 && publish_whole();
}

static bool write_words(int fd, int pid, int lock, int memory)
{
	const char *text = arena_printf(arena, "%d %d %d\n", pid, lock, memory);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* The record is where it was before there were witnesses. */
static bool write_record(void)
{
	const char *text = "{\"id\":\"0123456789ab\",\"launcher\":1,\"payload\":1,"
			   "\"created\":1,\n\"plan\":null}\n";
	int fd = forged_file();

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Memory that can still be written, by whoever else has it. */
static bool publish_unsealed(void)
{
	const struct state st = forged();
	int fd = forged_file(), memory = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return memory >= 0 && state_write(arena, memory, &st, PLAN) == 0 &&
	       write_words(fd, getpid(), fd, memory);
}

/* A witness that is true, but of another file; @home.fd and the like are open in our parent. */
static bool name_another(void)
{
	return write_words(forged_file(), getppid(), home.fd, home.fd);
}

/* The lock of one process, the record of another, who has both descriptors. */
static bool lock_for_another(void)
{
	const struct state st = forged();
	const pid_t locker = getpid();
	int fd = forged_file(), memory = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	pid_t pid =
		memory < 0 || state_write(arena, memory, &st, PLAN) < 0 ||
				fcntl(memory, F_ADD_SEALS,
				      F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0
			? -1
			: fork();

	if (pid == 0) {
		while (getppid() == locker)
			usleep(1000);
		_exit(0);
	}
	return pid > 0 && write_words(fd, pid, fd, memory);
}

static void test_forged(void)
{
	test_forged_by("a launcher outside of containers", publish_whole, 1);
	test_forged_by("one in a user namespace", publish_in_container, 0);
	test_forged_by("a record in the file itself", write_record, 0);
	test_forged_by("a record in memory that is not sealed", publish_unsealed, 0);
	test_forged_by("a process that has no such record", name_another, 0);
	test_forged_by("a process that has not taken the lock itself", lock_for_another, 0);
}

/* Who looks for a container in the moment in which it starts waits for its record. */
static void test_starting(void)
{
	struct state found = { 0 };
	int ready[2];
	char c;
	pid_t pid;

	if (pipe(ready) < 0)
		return;
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct state mine = forged();
		int fd;

		mine.name = "late";
		if (state_begin(&home, &mine, &fd, NULL) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		usleep(50000);
		if (state_publish(arena, fd, &mine, PLAN) == 0)
			for (;;)
				pause();
		_exit(1);
	}
	ok(read(ready[0], &c, 1) == 1 && state_find(arena, &dirs, "late", &found, &err) == 0 &&
		   found.launcher == pid,
	   "a container that is starting is found: %s", err.msg);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	is_int((int)count(), 0, "it has ended");
}

/* Many launchers at once, each of which sweeps: no living record is lost. */
static void test_crowd(void)
{
	int lost = 0, status;

	for (int i = 0; i < 8; i++) {
		if (fork() != 0)
			continue;
		for (int k = 0; k < 50; k++) {
			_cleanup_arena_ struct arena *a = arena_new(0);
			struct state found = { 0 }, st = { .name = "",
							   .image = "",
							   .command = "",
							   .launcher = getpid(),
							   .payload = 1 };
			struct state_home mine = { .path = dir,
						   .fd = open(dir, O_RDONLY | O_DIRECTORY) };
			int fd;

			if (mine.fd < 0 || state_begin(&mine, &st, &fd, NULL) < 0)
				_exit(1);
			state_sweep(a, &mine, &st);
			if (state_publish(a, fd, &st, NULL) < 0 ||
			    state_find(a, &dirs, st.id, &found, NULL) < 0)
				_exit(1);
			state_end(&mine, &st, fd);
			close(mine.fd);
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		lost += status != 0;
	is_int(lost, 0, "eight launchers, fifty containers each: none is lost");
	is_int((int)count(), 0, "and nothing is left");
}

/* Of many dead records each start removes some, until none is left. */
static void test_many(void)
{
	int fd, starts = 0;

	for (int i = 0; i < 100; i++)
		write_file(arena_printf(arena, "%s/%012x", dir, (unsigned int)i), "");
	for (int left = 1; left && starts < 100; starts++) {
		struct state st = begin("x", &fd);

		state_end(&home, &st, fd);
		left = system(arena_printf(arena, "test \"$(ls %s)\" = mnt", dir));
	}
	ok(starts > 1 && starts < 100, "a hundred dead records are gone after %d starts", starts);
}

static void test_directory(const char *base)
{
	const char *link = arena_printf(arena, "%s/link", base);
	const char *fallback = state_dir_name(arena, NULL, getuid());
	const char *got = NULL;
	struct stat st;
	bool was_there = stat(fallback, &st) == 0;
	struct strv all = { 0 }, jobs = { 0 };

	is_str(state_dir_name(arena, base, getuid()), dir, "its name, without making it");
	is_int(state_dir(arena, base, getuid(), &got, &err), 0, "made: %s", err.msg);
	is_str(got, dir, "below the runtime directory");
	ok(stat(dir, &st) == 0 && (st.st_mode & 07777) == 0700, "mode 0700");
	ok(stat(arena_printf(arena, "%s/mnt", dir), &st) == 0 && (st.st_mode & 07777) == 0700,
	   "mnt/ too");
	is_int(state_dir(arena, base, getuid(), &got, &err), 0, "a second time");
	ok(state_dirs(arena, base, getuid(), &all, &err) == 0 && all.n == 1 &&
		   strcmp(all.v[0], dir) == 0,
	   "a runtime directory that was named is the only one");
	ok(strcmp(state_dir_name(arena, "rel", getuid()), "rel/gpurun") != 0,
	   "a relative runtime directory is not used");
	ok(strncmp(state_dir_name(arena, base, getuid() + 1), base, strlen(base)) != 0,
	   "nor another user's");

	ok(state_dirs(arena, NULL, getuid(), &jobs, &err) == 0 && jobs.n >= 1 &&
		   strcmp(jobs.v[0], fallback) == 0 && !strv_has(&jobs, dir),
	   "without one a job's is the first");

	chmod(dir, 0755);
	memset(&err, 0, sizeof(err));
	is_int(state_dir(arena, base, getuid(), &got, &err), -EPERM, "others can look in: %s",
	       err.msg);
	ok(strstr(err.hint, "chmod 700"), "no other place is taken; the hint: %s", err.hint);
	chmod(dir, 0700);

	mkdir(link, 0700);
	if (symlink(dir, arena_printf(arena, "%s/gpurun", link)) == 0)
		ok(state_dir(arena, link, getuid(), &got, &err) < 0,
		   "a link stands there: it is not followed, and nothing taken instead");
	unlink(arena_printf(arena, "%s/gpurun", link));
	memset(&err, 0, sizeof(err));
	if (getuid() != 0 && chmod(link, 0500) == 0)
		ok(state_dir(arena, link, getuid(), &got, &err) == 0 && str_eq(got, fallback),
		   "where none can be made the next place is taken: %s", err.msg);
	rmdir(link);
	if (!was_there) {
		rmdir(arena_printf(arena, "%s/mnt", fallback));
		rmdir(fallback);
	}
}

int main(void)
{
	char base[] = "/tmp/t_state.XXXXXX";

	umask(022);
	arena = arena_new(0);
	if (!mkdtemp(base)) {
		ok(false, "a temporary directory");
		return done_testing();
	}
	dir = arena_printf(arena, "%s/gpurun", base);
	strv_push(arena, &dirs, dir);
	test_directory(base);
	is_int(state_open(arena, base, getuid(), &home, &err), 0, "open: %s", err.msg);
	is_str(home.path, dir, "the same directory, held open");
	test_life();
	test_two();
	test_dead();
	test_foreign();
	test_forged();
	test_starting();
	test_crowd();
	test_many();
	is_int(rmdir(arena_printf(arena, "%s/mnt", dir)) | rmdir(dir) | rmdir(base), 0,
	       "the directory is empty at the end");
	arena_free(arena);
	return done_testing();
}

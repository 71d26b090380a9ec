/* SPDX-License-Identifier: Apache-2.0 */
/* Where the lines of --audit go: files that somebody may have planted, descriptors, texts. */
#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "../../src/audit/target.h"
#include "tap.h"

#define WRITERS 8
#define LINES   100

static struct arena *arena;
static struct err err;
static char dir[] = "/tmp/gpurun-audit.XXXXXX";

static void give_up(const char *what)
{
	diag("%s", what);
	exit(1);
}

static const char *in_dir(const char *name)
{
	return arena_printf(arena, "%s/%s", dir, name);
}

static int open_target(const char *text, struct target *t)
{
	err = (struct err){ 0 };
	return target_open(arena, text, t, &err);
}

static void refused(const char *text, int code, const char *what)
{
	struct target t = { .fd = -1 };

	is_int(open_target(text, &t), -code, "%s", what);
	ok(strstr(err.msg, text) && t.fd == -1, "it is named: %s", err.msg);
}

static const char *content(const char *path)
{
	char *text = NULL;

	return file_read_text(AT_FDCWD, path, arena, 1U << 20, &text, NULL) < 0 ? "?" : text;
}

static int write_line(struct target *t, const char *line)
{
	return target_write(arena, t, line, strlen(line), NULL, 0);
}

/* ---- files -------------------------------------------------------------------------------- */

static void test_file(void)
{
	const char *path = in_dir("new");
	struct target t, again;
	struct stat st;

	is_int(open_target(path, &t), 0, "a new file");
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "is for its owner only");
	is_int(fcntl(t.fd, F_GETFD), FD_CLOEXEC, "is close-on-exec");
	is_int(open_target(path, &again), 0, "one that is there");
	is_int(write_line(&t, "one\n"), 0, "a line");
	is_int(write_line(&again, "two\n"), 0, "another's line");
	is_int(write_line(&t, "three\n"), 0, "a third");
	is_str(content(path), "one\ntwo\nthree\n", "each at the end");
	ok(!t.network, "not on a network");
	target_close(&t);
	target_close(&again);
	is_int(t.fd, -1, "closed");
	ok(chmod(path, 0644) == 0 && open_target(path, &t) == 0, "with other modes");
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0644, "which stay");
	target_close(&t);
}

static void test_not_a_file(void)
{
	_cleanup_fd_ int fd = open(in_dir("file"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || symlink("file", in_dir("link")) < 0 || mkdir(in_dir("dir"), 0700) < 0 ||
	    mkfifo(in_dir("fifo"), 0600) < 0 || link(in_dir("file"), in_dir("hard")) < 0)
		give_up("cannot make files");
	refused(in_dir("link"), ELOOP, "a link");
	ok(err.hint[0], "with a hint");
	refused(in_dir("dir"), EISDIR, "a directory");
	refused(in_dir("fifo"), ENXIO, "a FIFO without a reader");
	fd = fd_close(fd);
	fd = open(in_dir("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	refused(in_dir("fifo"), EINVAL, "a FIFO");
	refused(in_dir("file"), EPERM, "a file of two names");
	refused("/dev/null", EINVAL, "a device");
	refused(in_dir("no/such"), ENOENT, "no directory");
	refused("nonsense", EINVAL, "a word");
	refused("", EINVAL, "nothing");
}

static void test_planted(void)
{
	const char *path = in_dir("open/planted");
	struct target t;

	if (geteuid() != 0) /* only root can give files away */
		return;
	if (mkdir(in_dir("open"), 0700) < 0 || chmod(in_dir("open"), 01777) < 0)
		give_up("cannot make a directory");
	is_int(open_target(path, &t), 0, "our file in a directory for everybody");
	target_close(&t);
	ok(chown(path, 12345, 12345) == 0, "somebody's");
	refused(path, EPERM, "is refused there");
	ok(chmod(in_dir("open"), 0755) == 0 && open_target(path, &t) == 0,
	   "in a directory of ours it was put on purpose");
	target_close(&t);
	ok(chown(in_dir("open"), 12345, 12345) == 0 && chmod(in_dir("open"), 01777) == 0 &&
		   open_target(path, &t) == 0,
	   "so it was by the directory's owner");
	target_close(&t);
}

static void write_many(const char *path, int who, bool network)
{
	const char *line = arena_printf(arena, "%d %0*d\n", who, 700, 0);
	struct target t;

	if (open_target(path, &t) < 0)
		_exit(1);
	for (int i = 0; i < LINES; i++)
		if (target_append(t.fd, network, line, strlen(line)) < 0)
			_exit(1);
	_exit(0);
}

static void test_many(bool network)
{
	const char *path = in_dir(network ? "many-locked" : "many");
	int whole = 0, failed = 0, status;
	struct strv lines = { 0 };

	for (int i = 0; i < WRITERS; i++)
		if (fork() == 0)
			write_many(path, i, network);
	for (int i = 0; i < WRITERS; i++)
		failed += wait(&status) < 0 || status != 0;
	is_int(failed, 0, "%d processes write%s", WRITERS, network ? " as on a network" : "");
	str_split(arena, content(path), '\n', &lines);
	for (size_t i = 0; i < lines.n; i++)
		whole += strlen(lines.v[i]) == 702;
	is_int(whole, WRITERS * LINES, "every line is whole");
}

/* A disk that takes a part of a line: there is no line then, and the next one begins at its start. */
static void test_no_room(void)
{
	const char *path = in_dir("full");
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	struct rlimit old, small;

	is_int(target_append(fd, false, "first\n", 6), 0, "a line");
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 10;
	(void)signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	is_int(target_append(fd, false, "second\n", 7), -EFBIG, "there is room for a part only");
	setrlimit(RLIMIT_FSIZE, &old);
	(void)signal(SIGXFSZ, SIG_DFL);
	is_str(content(path), "first\n", "which is taken back");
	is_int(target_append(fd, false, "third\n", 6), 0, "later there is room");
	is_str(content(path), "first\nthird\n", "and the lines are whole");
}

/* Whoever may open the file may hold the lock: that makes us late, and no more. */
static void test_held_lock(void)
{
	const char *path = in_dir("held");
	_cleanup_fd_ int holder = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	ok(holder >= 0 && flock(holder, LOCK_EX) == 0, "somebody holds the lock");
	is_int(target_append(fd, true, "line\n", 5), 0, "the line is written");
	is_str(content(path), "line\n", "it is there");
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static const char *fd_text(int fd)
{
	return arena_printf(arena, "fd:%d", fd);
}

static void test_fd(void)
{
	const char *path = in_dir("fd");
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_fd_ int reader = open(path, O_RDONLY | O_CLOEXEC);
	struct target t;

	refused(fd_text(fd), EBADF, "one of our own, by its close-on-exec");
	is_int(fcntl(reader, F_SETFD, 0), 0, "one for reading");
	refused(fd_text(reader), EBADF, "cannot be written to");
	refused("fd:1000000", EBADF, "one that is not open");
	refused("fd:", EINVAL, "no number");
	refused("fd:-1", EINVAL, "not a number");
	refused("fd:3x", EINVAL, "not only a number");
	refused("fd:99999999999999999999", EINVAL, "too large a number");
	is_int(fcntl(fd, F_SETFD, 0), 0, "an inherited one");
	is_int(open_target(fd_text(fd), &t), 0, "is taken");
	is_int(fcntl(fd, F_GETFD), FD_CLOEXEC, "the command does not get it");
	ok(write_line(&t, "x\n") == 0 && str_eq(content(path), "x\n"), "it is written to");
	is_int(open_target("fd:2", &t), 0, "a standard one is taken");
	is_int(fcntl(2, F_GETFD), 0, "and stays the command's");
}

static void test_pipe(void)
{
	struct target t;
	sigset_t pending;
	char got[8] = "";
	int p[2];

	if (pipe(p) < 0)
		give_up("no pipe");
	is_int(open_target(fd_text(p[1]), &t), 0, "a pipe");
	ok(write_line(&t, "line\n") == 0 && read(p[0], got, 5) == 5 && str_eq(got, "line\n"),
	   "a line through it");
	(void)close(p[0]);
	is_int(write_line(&t, "line\n"), -EPIPE, "nobody reads: an error, not a signal");
	ok(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE), "no signal waits");
	target_close(&t);
}

/* ---- texts ------------------------------------------------------------------------------------ */

/* The value of a field of the journal's datagram, or NULL. */
static const char *field(const char *text, size_t len, const char *key)
{
	const char *p = text, *end = text + len;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *name = arena_strndup(arena, p, (size_t)(nl - p));
		size_t n = 0;

		for (int i = 7; i >= 0; i--)
			n = n << 8 | (unsigned char)nl[1 + i];
		if (str_eq(name, key))
			return arena_strndup(arena, nl + 9, n);
		p = nl + 9 + n + 1;
	}
	return NULL;
}

static void test_journal(void)
{
	const struct target_field fields[] = {
		{ "GPURUN_IMAGE", "two\nlines" },
		{ "GPURUN_JOB", NULL },
		{ "GPURUN_MODE", "" },
	};
	const char *line = "{\"v\": 1}\n";
	size_t len = 0;
	const char *text =
		target_journal_text(arena, line, strlen(line), fields, ELEMENTS(fields), &len);

	is_str(field(text, len, "MESSAGE"), "{\"v\": 1}", "the line without its end");
	is_str(field(text, len, "SYSLOG_IDENTIFIER"), "gpurun", "who");
	is_str(field(text, len, "PRIORITY"), "6", "how urgent");
	is_str(field(text, len, "GPURUN_IMAGE"), "two\nlines", "a value with a newline");
	is_str(field(text, len, "GPURUN_MODE"), "", "an empty one");
	ok(!field(text, len, "GPURUN_JOB"), "one that is not known");
	ok(len && text[len - 1] == '\n', "a newline at the end");
}

static void test_syslog(void)
{
	size_t len = 0;
	const char *text = target_syslog_text(arena, "{}\n", 3, 1790000000, 77, &len);

	is_str(text, "<14>Sep 21 14:13:20 gpurun[77]: {}", "a line of RFC 3164");
	is_int(len, strlen(text), "its length");
	text = target_syslog_text(arena, "{}\n", 3, 1790985600, 77, &len);
	is_str(text, "<14>Oct  3 00:00:00 gpurun[77]: {}", "a day of one digit");
}

int main(void)
{
	arena = arena_new(0);
	if (!mkdtemp(dir))
		give_up("no directory");
	test_file();
	test_not_a_file();
	test_planted();
	test_many(false);
	test_many(true);
	test_held_lock();
	test_no_room();
	test_fd();
	test_pipe();
	test_journal();
	test_syslog();
	if (system(arena_printf(arena, "rm -r %s", dir)) != 0)
		diag("%s: not removed", dir);
	return done_testing();
}

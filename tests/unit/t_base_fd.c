/* SPDX-License-Identifier: Apache-2.0 */
/* base/fd: whole reads and writes, limits, what is no regular file. */
#include "tap.h"

#include <gpurun/fd.h>

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define BIG 300000

static struct arena *a;
static char dir[] = "/tmp/gpurun-t-fd.XXXXXX";
static char big[BIG];

static void put_file(int dirfd, const char *name, const char *data, size_t n)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || fd_write_all(fd, data, n) < 0)
		ok(false, "cannot make %s", name);
	(void)fd_close(fd);
}

static void test_close(void)
{
	int fd = open("/", O_RDONLY | O_CLOEXEC);
	int mine = fd;

	errno = ENOTTY;
	is_int(fd_take(&fd), mine, "fd_take returns it");
	is_int(fd, -1, "fd_take leaves -1");
	is_int(fd_close(mine), -1, "fd_close returns -1");
	ok(fcntl(mine, F_GETFD) < 0, "fd_close closed it");
	errno = ENOTTY;
	is_int(fd_close(mine), -1, "a second close");
	is_int(fd_close(-1), -1, "no descriptor");
	is_int(fd_close(-EIO), -1, "an error in place of one");
	is_int(errno, ENOTTY, "errno is kept");
	{
		_cleanup_fd_ int scoped = open("/", O_RDONLY | O_CLOEXEC);

		mine = scoped;
	}
	ok(fcntl(mine, F_GETFD) < 0, "the scope closed its descriptor");
}

static void test_read(int dirfd)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 8191, 8192, 8193, BIG };
	char *text;
	size_t len;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = sizes[i];

		put_file(dirfd, "f", big, n);
		is_int(file_read_text(dirfd, "f", a, BIG, &text, &len), 0, "read %zu bytes", n);
		ok(len == n && memcmp(text, big, n) == 0, "all %zu bytes", n);
		is_int(text[len], 0, "a NUL behind %zu bytes", n);
		is_int(file_read_text(dirfd, "f", a, n, &text, NULL), 0, "limit %zu fits", n);
		if (n > 0)
			is_int(file_read_text(dirfd, "f", a, n - 1, &text, NULL), -EFBIG,
			       "limit %zu does not", n - 1);
	}
	is_int(file_read_text(dirfd, "f", a, SIZE_MAX, &text, &len), 0, "no limit");
	is_int(len, BIG, "no limit: all bytes");
}

static void test_refused(int dirfd)
{
	char *text = NULL;

	(void)mkfifoat(dirfd, "fifo", 0600);
	(void)mkdirat(dirfd, "dir", 0700);
	is_int(file_read_text(dirfd, "nothing", a, 10, &text, NULL), -ENOENT, "no file");
	is_int(file_read_text(dirfd, "fifo", a, 10, &text, NULL), -EINVAL, "a fifo does not block");
	is_int(file_read_text(dirfd, "dir", a, 10, &text, NULL), -EISDIR, "a directory");
	is_int(file_read_text(AT_FDCWD, "/dev/zero", a, 10, &text, NULL), -EINVAL, "a device");
	is_int(fd_read_text(-1, a, 10, &text, NULL), -EBADF, "no descriptor");
	ok(!text, "the result is not touched");
}

static void test_proc(void)
{
	char *text;
	size_t len;
	int fd;

	is_int(file_read_text(AT_FDCWD, "/proc/self/status", a, 1 << 20, &text, &len), 0, "procfs");
	ok(strncmp(text, "Name:\t", 6) == 0 && len == strlen(text), "procfs: the text");
	is_int(file_read_text(AT_FDCWD, "/proc/kallsyms", a, 5000, &text, NULL), -EFBIG,
	       "procfs, whose sizes are 0: the limit holds");
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "close on exec");
	is_int(fd_read_text(fd, a, 1 << 20, &text, &len), 0, "through a descriptor");
	(void)fd_close(fd);
}

/* A writer that gives a byte at a time; the reader gets all of them. */
static void test_pipe(void)
{
	char got[64] = "";
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	if (fork() == 0) {
		for (int i = 0; i < 50; i++)
			(void)fd_write_all(p[1], &"0123456789"[i % 10], 1);
		_exit(0);
	}
	(void)close(p[1]);
	is_int(fd_read_up_to(p[0], got, 20), 20, "as many as asked for");
	is_int(fd_read_up_to(p[0], got, sizeof(got)), 30, "the rest");
	is_int(fd_read_up_to(p[0], got, sizeof(got)), 0, "the end");
	ok(strncmp(got, "012345678901234567890123456789", 30) == 0, "in order");
	(void)close(p[0]);
	(void)wait(NULL);
}

/* The writing end does not block and the pipe is smaller than the data. */
static void test_nonblocking(void)
{
	size_t sum = 0;
	int p[2], status = -1;
	ssize_t n;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	(void)fcntl(p[1], F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid == 0) {
		(void)close(p[0]);
		_exit(fd_write_all(p[1], big, BIG) == 0 ? 0 : 1);
	}
	(void)close(p[1]);
	while ((n = read(p[0], big, 1000)) > 0)
		sum += (size_t)n;
	(void)waitpid(pid, &status, 0);
	is_int(status, 0, "a full pipe that does not block is waited for");
	is_int(sum, BIG, "nothing is lost");
	(void)close(p[0]);
}

/* "f" holds BIG letters (test_read). */
static void test_pread(int dirfd)
{
	_cleanup_fd_ int fd = openat(dirfd, "f", O_RDONLY | O_CLOEXEC);
	char got[8];

	is_int(fd_pread_up_to(fd, got, sizeof(got), BIG - 3), 3, "up to the end");
	ok(memcmp(got, big + BIG - 3, 3) == 0, "from the offset");
	is_int(fd_pread_up_to(fd, got, sizeof(got), 5), sizeof(got), "in the middle");
	ok(memcmp(got, big + 5, sizeof(got)) == 0, "from there");
	is_int(fd_pread_up_to(fd, got, sizeof(got), (off_t)BIG + 1), 0, "behind the end");
	is_int(fd_pread_up_to(fd, got, sizeof(got), -1), -EINVAL, "before the start");
	is_int(lseek(fd, 0, SEEK_CUR), 0, "the position is where it was");
}

static void test_write(int dirfd)
{
	char *text;

	put_file(dirfd, "w", "old text", 8);
	is_int(file_write(dirfd, "w", "new", 3), 0, "write an existing file");
	is_int(file_read_text(dirfd, "w", a, 100, &text, NULL), 0, "read it back");
	is_str(text, "new text", "in place");
	is_int(file_write(dirfd, "nothing", "x", 1), -ENOENT, "no file is made");
	is_int(file_write(AT_FDCWD, "/dev/full", "x", 1), -ENOSPC, "a full device");
	is_int(file_write(dirfd, "dir", "x", 1), -EISDIR, "a directory");
	is_int(fd_write_all(-1, "x", 1), -EBADF, "no descriptor");
	is_int(fd_write_all(-1, "x", 0), 0, "nothing to write");
}

int main(void)
{
	_cleanup_fd_ int dirfd = -1;

	for (size_t i = 0; i < BIG; i++)
		big[i] = (char)('a' + i % 23);
	a = arena_new(0);
	if (mkdtemp(dir))
		dirfd = open(dir, O_DIRECTORY | O_CLOEXEC);
	test_close();
	test_read(dirfd);
	test_pread(dirfd);
	test_refused(dirfd);
	test_proc();
	test_pipe();
	test_write(dirfd);
	test_nonblocking();
	(void)unlinkat(dirfd, "f", 0);
	(void)unlinkat(dirfd, "w", 0);
	(void)unlinkat(dirfd, "fifo", 0);
	(void)unlinkat(dirfd, "dir", AT_REMOVEDIR);
	is_int(rmdir(dir), 0, "nothing else was made");
	arena_free(a);
	return done_testing();
}

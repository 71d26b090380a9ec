/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/root: nothing that an image holds leads out of its root directory.  The tree is
 * TMP/root, with TMP/secret and TMP/outside next to it as what must not be reached.
 */
#include "tap.h"

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char tmp[] = "/tmp/gpurun-t-root.XXXXXX";
static int top = -1, root = -1;

static const char *const dirs[] = { "outside",  "root",         "root/etc",
				    "root/usr", "root/usr/lib", "root/proc" };

static const struct {
	const char *path, *text;
} files[] = {
	{ "secret", "outside" },
	{ "root/etc/passwd", "inside" },
	{ "root/secret", "inside" },
	{ "root/usr/lib/x", "inside" },
};

static const struct {
	const char *path, *target;
} links[] = {
	{ "root/abs", "/etc/passwd" },
	{ "root/up", "../../../../secret" },
	{ "root/usr/up", "../../secret" },
	{ "root/dirup", ".." },
	{ "root/lib", "usr/lib" },
	{ "root/abslib", "/usr/lib" },
	{ "root/chain", "abs" },
	{ "root/loop", "loop" },
	{ "root/ping", "pong" },
	{ "root/pong", "ping" },
	{ "root/dangling", "/nowhere" },
	{ "root/dangling2", "dangling" },
	{ "root/danglingdir", "/run/nothing/here" },
	{ "root/escape", "../outside" },
	{ "root/rootlink", "/" },
};

static void make_tree(void)
{
	for (size_t i = 0; i < ELEMENTS(dirs); i++)
		(void)mkdirat(top, dirs[i], 0755);
	for (size_t i = 0; i < ELEMENTS(files); i++) {
		_cleanup_fd_ int fd =
			openat(top, files[i].path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

		(void)fd_write_all(fd, files[i].text, strlen(files[i].text));
	}
	for (size_t i = 0; i < ELEMENTS(links); i++) {
		if (symlinkat(links[i].target, top, links[i].path) < 0)
			ok(false, "cannot make %s", links[i].path);
	}
	root = openat(top, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void test_open(void)
{
	static const struct {
		const char *path;
		int r; /* 0: a file that says "inside" */
	} rows[] = {
		{ "etc/passwd", 0 },
		{ "/etc/passwd", 0 },
		{ "//etc//./passwd", 0 },
		{ "abs", 0 },
		{ "chain", 0 },
		{ "up", 0 },
		{ "usr/up", 0 },
		{ "../secret", 0 },
		{ "../../../../../../secret", 0 },
		{ "usr/../../../secret", 0 },
		{ "dirup/secret", 0 },
		{ "dirup/../../secret", 0 },
		{ "lib/x", 0 },
		{ "abslib/x", 0 },
		{ "abslib/../../secret", 0 },
		{ "rootlink/secret", 0 },
		{ "rootlink/rootlink/etc/passwd", 0 },
		{ "escape", -ENOENT },
		{ "dangling", -ENOENT },
		{ "dangling2", -ENOENT },
		{ "etc/passwd/x", -ENOTDIR },
		{ "etc/passwd/", -ENOTDIR },
		{ "loop", -ELOOP },
		{ "loop/x", -ELOOP },
		{ "ping", -ELOOP },
		{ "", -ENOENT },
	};
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		_cleanup_fd_ int fd = root_open(root, rows[i].path, O_RDONLY, 0);
		char text[16] = "";

		is_int(fd < 0 ? fd : 0, rows[i].r, "open '%s'", rows[i].path);
		if (fd < 0)
			continue;
		(void)fd_read_up_to(fd, text, sizeof(text) - 1);
		is_str(text, "inside", "'%s' is the one inside", rows[i].path);
		ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "'%s' is close-on-exec", rows[i].path);
	}
}

static void test_open_create(void)
{
	_cleanup_fd_ int fd = root_open(root, "dangling", O_WRONLY | O_CREAT, 0640);
	struct stat st;

	ok(fd >= 0, "O_CREAT through a dangling link");
	is_int(fstatat(root, "nowhere", &st, AT_SYMLINK_NOFOLLOW), 0, "makes it inside the root");
	is_int(st.st_mode & 07777, 0640, "with the mode");
	(void)unlinkat(root, "nowhere", 0);
	fd_close(fd);
	fd = root_open(root, "etc/passwd", O_RDONLY, 07777777);
	ok(fd >= 0, "a mode without O_CREAT does not matter");
}

/* /proc as a root has magic links that jump anywhere. */
static void test_magic(void)
{
	_cleanup_fd_ int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_fd_ int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	is_int(root_open(proc, "exe", O_PATH, 0), -ELOOP, "/proc/self/exe");
	is_int(root_open(proc, "root/etc", O_PATH, 0), -ELOOP, "/proc/self/root");
	is_int(root_open(proc, "cwd", O_PATH, 0), -ELOOP, "/proc/self/cwd");
	is_int(root_open(slash, "dev/fd/0", O_PATH, 0), -ELOOP, "/dev/fd/0");
	is_int(root_mkdirs(proc, "cwd/x", 0755), -ELOOP, "mkdirs through a magic link");
	ok(root_mkfile(proc, "fd/0", 0644) < 0, "mkfile on a magic link");
}

static bool is_dir(const char *path, mode_t mode)
{
	struct stat st;

	return fstatat(top, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	       (st.st_mode & 07777) == mode;
}

static bool is_file(const char *path, mode_t mode)
{
	struct stat st;

	return fstatat(top, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_mode & 07777) == mode;
}

static bool is_link(const char *path)
{
	struct stat st;

	return fstatat(top, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

/* Does @fd, just made, name the same thing as @path below the top?  Closes it. */
static bool same(int fd, const char *path)
{
	struct stat x, y;
	bool ret = fd >= 0 && fstat(fd, &x) == 0 && fstatat(top, path, &y, 0) == 0 &&
		   x.st_dev == y.st_dev && x.st_ino == y.st_ino && (fcntl(fd, F_GETFL) & O_PATH) &&
		   (fcntl(fd, F_GETFD) & FD_CLOEXEC);

	(void)fd_close(fd);
	return ret;
}

static void test_mkdirs(void)
{
	ok(same(root_mkdirs(root, "a/b/c", 0700), "root/a/b/c"), "make three");
	ok(is_dir("root/a", 0755) && is_dir("root/a/b", 0755), "the parents are 0755");
	ok(is_dir("root/a/b/c", 0700), "the last has the mode");
	ok(same(root_mkdirs(root, "a/b/c", 0755), "root/a/b/c"), "again: it is there");
	ok(is_dir("root/a/b/c", 0700), "again: nothing changed");
	ok(same(root_mkdirs(root, "//a//d/./e/", 0755), "root/a/d/e"), "odd slashes");
	ok(same(root_mkdirs(root, "/", 0755), "root"), "the root");
	ok(same(root_mkdirs(root, "", 0755), "root"), "the empty path is the root");
	ok(same(root_mkdirs(root, "../../new", 0755), "root/new"), "'..' stops at the root");
	ok(same(root_mkdirs(root, "a/../g/../../h", 0755), "root/h"), "'..' behind a new one");
	ok(is_dir("root/g", 0755), "which is made on the way");
	ok(same(root_mkdirs(root, "lib/n/m", 0755), "root/usr/lib/n/m"), "through a link");
	ok(same(root_mkdirs(root, "abslib/p", 0755), "root/usr/lib/p"), "through an absolute link");
	ok(same(root_mkdirs(root, "dirup/q", 0755), "root/q"), "through a link to '..'");
	ok(same(root_mkdirs(root, "rootlink/r", 0755), "root/r"), "through a link to '/'");
	is_int(root_mkdirs(root, "dangling/x", 0755), -EEXIST, "not through a dangling link");
	is_int(root_mkdirs(root, "dangling", 0755), -EEXIST, "nor in its place");
	is_int(root_mkdirs(root, "danglingdir/x", 0755), -EEXIST, "nor one into nowhere");
	is_int(root_mkdirs(root, "escape/x", 0755), -EEXIST, "nor one that leads out");
	is_int(root_mkdirs(root, "loop/x", 0755), -ELOOP, "a loop");
	is_int(root_mkdirs(root, "etc/passwd", 0755), -ENOTDIR, "a file");
	is_int(root_mkdirs(root, "etc/passwd/x", 0755), -ENOTDIR, "below a file");
	ok(is_link("root/dangling") && is_link("root/escape"), "the links are still there");
	ok(!is_dir("root/nowhere", 0755) && !is_dir("outside/x", 0755), "and lead nowhere");
}

static void test_mkfile(void)
{
	ok(same(root_mkfile(root, "f1", 0600), "root/f1"), "make a file");
	ok(is_file("root/f1", 0600), "with its mode");
	ok(same(root_mkfile(root, "/x/y/f2", 0644), "root/x/y/f2"), "with parents");
	ok(is_dir("root/x", 0755) && is_file("root/x/y/f2", 0644), "of mode 0755");
	ok(same(root_mkfile(root, "etc/passwd", 0600), "root/etc/passwd"), "one that is there");
	ok(is_file("root/etc/passwd", 0644), "is not changed");
	ok(same(root_mkfile(root, "etc", 0600), "root/etc"), "a directory that is there");
	ok(same(root_mkfile(root, "abs", 0600), "root/etc/passwd"), "a link inside is followed");
	ok(same(root_mkfile(root, "up", 0600), "root/secret"), "a link that climbs stays inside");
	ok(same(root_mkfile(root, "abslib/f3", 0644), "root/usr/lib/f3"), "below a link");
	ok(same(root_mkfile(root, "../../f4", 0644), "root/f4"), "'..' stops at the root");
	ok(same(root_mkfile(root, "dangling2", 0644), "root/dangling2"), "a dangling link");
	ok(is_file("root/dangling2", 0644), "is replaced");
	ok(is_link("root/dangling"), "but not the one that it named");
	ok(same(root_mkfile(root, "escape", 0644), "root/escape"), "one that leads out");
	ok(is_file("root/escape", 0644) && is_dir("outside", 0755), "too");
	is_int(root_mkfile(root, "danglingdir/x", 0644), -EEXIST, "a dangling parent");
	is_int(root_mkfile(root, "loop", 0644), -ELOOP, "a loop");
	is_int(root_mkfile(root, "etc/passwd/x", 0644), -ENOTDIR, "below a file");
	is_int(root_mkfile(root, "newdir/", 0644), -EISDIR, "a name that ends in a slash");
	is_int(root_mkfile(root, "newdir/.", 0644), -EISDIR, "a dot");
	is_int(root_mkfile(root, "newdir/..", 0644), -EISDIR, "two dots");
	ok(!is_dir("root/newdir", 0755), "for which nothing was made");
}

static void test_long(void)
{
	_cleanup_fd_ int fd = -1;
	_cleanup_fd_ int again = -1;
	int gone = 0;
	char path[PATH_MAX + 10];
	char name[NAME_MAX + 10];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	is_int(root_mkdirs(root, path, 0755), -ENAMETOOLONG, "a path that is too long");
	is_int(root_mkfile(root, path, 0755), -ENAMETOOLONG, "for a file too");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	is_int(root_mkdirs(root, name, 0755), -ENAMETOOLONG, "a name that is too long");
	is_int(root_mkfile(root, name, 0755), -ENAMETOOLONG, "for a file too");
	for (size_t i = 0; i < PATH_MAX - 1; i++)
		path[i] = i % 2 ? '/' : 'd';
	path[PATH_MAX - 1] = '\0';
	fd = root_mkdirs(root, path, 0755);
	ok(fd >= 0, "a very deep path is made");
	again = root_open(root, path, O_PATH | O_DIRECTORY, 0);
	ok(again >= 0, "and found");
	for (size_t n = PATH_MAX - 1; n > 0 && n < PATH_MAX; n -= 2) {
		path[n] = '\0';
		gone += unlinkat(root, path, AT_REMOVEDIR) == 0;
	}
	is_int(gone, PATH_MAX / 2, "level by level");
}

/* Somebody swaps a directory for a link out of the root while directories are made below it. */
static void test_race(void)
{
	pid_t pid;
	int bad = 0, made = 0;

	(void)mkdirat(root, "swap", 0755);
	ok(symlinkat("../../outside", root, "swap-link") == 0, "a link out of the root");
	pid = fork();
	if (pid == 0) {
		for (;;) {
			(void)renameat(root, "swap", root, "swap-dir");
			(void)renameat(root, "swap-link", root, "swap");
			(void)renameat(root, "swap", root, "swap-link");
			(void)renameat(root, "swap-dir", root, "swap");
		}
	}
	for (int i = 0; i < 2000; i++) {
		_cleanup_fd_ int d = root_mkdirs(root, "swap/deep/er", 0755);
		_cleanup_fd_ int f = root_mkfile(root, "swap/file", 0644);

		made += d >= 0 && f >= 0;
		bad += (d == -EAGAIN) + (f == -EAGAIN);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	ok(made > 0, "some were made between the swaps");
	is_int(bad, 0, "none gave up because of the swaps");
	is_int(unlinkat(top, "outside", AT_REMOVEDIR), 0, "nothing was made outside");
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int main(void)
{
	umask(022);
	if (!mkdtemp(tmp))
		return 1;
	top = open(tmp, O_PATH | O_DIRECTORY | O_CLOEXEC);
	make_tree();
	test_open();
	test_open_create();
	test_magic();
	test_mkdirs();
	test_mkfile();
	test_race();
	test_long();
	(void)fd_close(root);
	(void)fd_close(top);
	(void)nftw(tmp, remove_one, 32, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}

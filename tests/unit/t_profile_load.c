/* SPDX-License-Identifier: Apache-2.0 */
/* The filters of this machine's architecture, really installed, each in a child of its own. */
#include <gpurun/profile.h>

#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <tap.h>
#include <unistd.h>

#include <gpurun/str.h>
#include <gpurun/sys.h>

#define HIGH (1UL << 32)

/* What a call gives: 0, or the errno value. */
static int result(long r)
{
	return r < 0 ? errno : 0;
}

static int call_getppid(void)
{
	return getppid() > 0 ? 0 : -1;
}

static int call_alg(void)
{
	return result(socket(38, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
}

static int call_unix(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int call_newest(void)
{
	return result(syscall(1000));
}

static int call_io_uring(void)
{
	return result(syscall(425, 1, NULL));
}

static int call_clone3(void)
{
	return result(syscall(435, NULL, 0));
}

static int call_clone_user(void)
{
	return result(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}

static int call_sti(void)
{
	return result(syscall(SYS_ioctl, -1, 0x5412UL | HIGH, ""));
}

static int call_mount(void)
{
	return result(mount("none", "/does-not-exist", "tmpfs", 0, NULL));
}

static int call_chown(void)
{
	return result(fchownat(-1, "x", 12345, 12345, 0));
}

static int call_setgroups(void)
{
	return result(syscall(SYS_setgroups, 1, NULL));
}

static int call_mknod(void)
{
	return result(mknodat(-1, "x", S_IFCHR | 0600, 0));
}

static int call_openat(void)
{
	return result(openat(AT_FDCWD, "/", O_RDONLY | O_CLOEXEC));
}

static const struct row {
	const char *name;
	int (*call)(void);
	int want[PROFILE_COUNT]; /* -1: not tried */
} rows[] = {
	/* clang-format off */
	/*                                      default root    nested  n-root  unpack */
	{ "getppid works",     call_getppid,    { 0,     0,      0,      0,      0 } },
	{ "AF_ALG",            call_alg,        { EPERM, EPERM,  EPERM,  EPERM,  EPERM } },
	{ "AF_UNIX",           call_unix,       { 0,     0,      0,      0,      EPERM } },
	{ "number 1000",       call_newest,     { ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS } },
	{ "io_uring_setup",    call_io_uring,   { EPERM, EPERM,  EPERM,  EPERM,  EPERM } },
	{ "clone3",            call_clone3,     { ENOSYS, ENOSYS, EINVAL, EINVAL, ENOSYS } },
	{ "clone NEWUSER",     call_clone_user, { EPERM, EPERM,  -1,     -1,     EPERM } },
	{ "TIOCSTI, high bits", call_sti,       { EPERM, EPERM,  EPERM,  EPERM,  EPERM } },
	{ "mount",             call_mount,      { EPERM, EPERM,  -1,     -1,     EPERM } },
	{ "fchownat(-1)",      call_chown,      { EBADF, 0,      EBADF,  0,      EPERM } },
	{ "setgroups(NULL)",   call_setgroups,  { -1,    0,      -1,     0,      EPERM } },
	{ "mknodat(-1, chr)",  call_mknod,      { EPERM, 0,      EBADF,  EBADF,  EBADF } },
	{ "openat",            call_openat,     { 0,     0,      0,      0,      EPERM } },
	/* clang-format on */
};

/* The result of one call behind one filter; the child's exit status carries it. */
static int behind(enum profile_kind k, int (*call)(void))
{
	struct profile p = profile_builtin(k);
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    sys_seccomp_filter(p.prog, p.len) < 0)
			_exit(255);
		_exit(call());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

int main(void)
{
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		for (int k = 0; k < PROFILE_COUNT; k++) {
			enum profile_kind kind = (enum profile_kind)k;

			if (rows[i].want[k] >= 0)
				is_int(behind(kind, rows[i].call), rows[i].want[k], "%s: %s",
				       profile_builtin(kind).name, rows[i].name);
		}
	}
	return done_testing();
}

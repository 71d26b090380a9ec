/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot: of a directory of text files, and of this machine. */
#include <stdlib.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/host.h>
#include <gpurun/str.h>

#include "tap.h"

static struct sysroot sysroot_open(const char *path)
{
	struct sysroot root = { .fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC),
				.label = str_eq(path, "/") ? "" : path };

	return root;
}

static void test_plain(struct arena *a)
{
	static const char *const none[] = { NULL };
	struct sysroot root = sysroot_open("tests/fixtures/host-plain");
	struct host h;
	struct err e = { 0 };

	is_int(host_probe(a, &root, none, &h, &e), 0, "probe (%s)", e.msg);
	is_int(h.uid, 1000, "uid");
	is_int(h.gid, 1000, "gid");
	is_str(h.user, "alice", "name of the user");
	is_str(h.group, "alice", "name of the group");
	is_str(h.home, "/home/alice", "home");
	is_str(h.hostname, "node7", "hostname");
	is_str(h.cwd, "/home/alice/project", "current directory");
	is_str(h.arch, "amd64", "architecture");
	ok(h.mem_total == 65536000ULL << 10, "memory");
	ok(h.mem_limit == 17179869184ULL, "the limit of an ancestor holds");
	ok(h.rlimits[RLIMIT_NOFILE].rlim_max == RLIM_INFINITY && !h.etc_hosts,
	   "limits and /etc/hosts are not looked at");
	host_limits(a, &root, &h);
	host_read_hosts(a, &root, &h);
	ok(h.etc_hosts && strstr(h.etc_hosts, "localhost"), "unless they are asked for");
	is_int((long long)h.rlimits[RLIMIT_NOFILE].rlim_cur, 1024, "soft limit");
	is_int((long long)h.rlimits[RLIMIT_NOFILE].rlim_max, 524288, "hard limit");
	ok(h.rlimits[RLIMIT_STACK].rlim_max == RLIM_INFINITY, "unlimited");
	ok(h.rlimits[RLIMIT_AS].rlim_max == RLIM_INFINITY, "a limit without a line is unlimited");
	is_int(h.landlock_abi, 7, "Landlock");
	ok(h.overlay && h.proc_fresh && !h.stdin_tty, "the file gpurun-kernel");
	ok(h.files.sys && h.files.mqueue, "files");
	is_str(host_getenv(&h, "TERM"), "xterm-256color", "environment of the fixture");
	ok(host_getenv(&h, "TER") == NULL, "no variable by the start of its name");
	is_int(h.job.kind, JOB_NONE, "no job");
	is_int((long long)h.gpus.n, 0, "no GPU");
	ok(!h.gpus.on_bus, "none on the bus");
	ok(host_has(&root, "/home/alice/project/train.py"), "host_has");
	ok(!host_has(&root, "/home/alice/project/none"), "host_has not");
	ok(!host_has(&root, "/../../../etc/os-release"), "nothing above the root directory");
	fd_close(root.fd);
}

static void test_real(struct arena *a)
{
	static const char *const env[] = { "USER=somebody", "SLURM_JOB_ID=7", NULL };
	struct sysroot root = sysroot_open("/");
	struct host h;
	struct err e = { 0 };

	is_int(host_probe(a, &root, env, &h, &e), 0, "probe of this machine (%s)", e.msg);
	is_int(h.uid, geteuid(), "uid of this process");
	ok(h.mem_total > 0, "this machine has memory");
	ok(h.home[0] == '/', "home is absolute");
	ok(h.files.sys && h.proc_fresh, "/sys is there");
	ok(!host_has(&root, "/no/such/file"), "and what is not is not");
	host_limits(a, &root, &h);
	ok(h.rlimits[RLIMIT_NOFILE].rlim_cur <= h.rlimits[RLIMIT_NOFILE].rlim_max &&
		   h.rlimits[RLIMIT_NOFILE].rlim_cur > 0,
	   "the limits of this process");
	is_int(h.job.kind, JOB_BATCH, "a job without a step");
	fd_close(root.fd);
}

static void test_broken(struct arena *a)
{
	static const char *const none[] = { NULL };
	char dir[] = "/tmp/t_host_probe.XXXXXX";
	struct sysroot root;
	struct host h = { .uid = 77 };
	struct err e = { 0 };

	ok(mkdtemp(dir) != NULL, "an empty directory");
	root = sysroot_open(dir);
	ok(host_probe(a, &root, none, &h, &e) < 0, "an empty directory is no host");
	ok(e.msg[0] != '\0', "and says so: %s", e.msg);
	is_int(h.uid, 77, "nothing is written on failure");
	fd_close(root.fd);
	rmdir(dir);
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_plain(a);
	test_real(a);
	test_broken(a);
	return done_testing();
}

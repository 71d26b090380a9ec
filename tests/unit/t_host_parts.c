/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of the snapshot: account lines, cgroups of both versions. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "../../src/host/look.h"
#include "tap.h"

static void test_ids(struct arena *a)
{
	static const char text[] = "# comment\n\nroot:x:0:0:root:/root:/bin/sh\nbroken\nx:y\n"
				   "neg:x:-1:0::/:/\nbig:x:99999999999:0::/:/\n"
				   "alice:x:1000:1000::/home/a:/bin/sh\n"
				   "other:x:1000:1000::/home/b:/bin/sh\nlast:x:7";
	const struct strv *f = ids_find(a, text, 1000);

	ok(f && str_eq(f->v[0], "alice"), "the first line of an id");
	f = ids_find(a, text, 0);
	ok(f && str_eq(f->v[0], "root"), "id 0");
	f = ids_find(a, text, 7);
	ok(f && str_eq(f->v[0], "last"), "a short last line without a newline");
	ok(ids_find(a, text, 5) == NULL, "an id without a line");
	ok(ids_find(a, "", 0) == NULL, "an empty file");
}

static void put(int dir, const char *path, const char *text)
{
	char name[256] = "";
	int fd;

	for (const char *s = strchr(path, '/'); s; s = strchr(s + 1, '/')) {
		memcpy(name, path, (size_t)(s - path));
		mkdirat(dir, name, 0755);
	}
	fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		abort();
	fd_close(fd);
}

static uint64_t memory_limit(struct arena *a, const struct sysroot *root)
{
	struct host h = { .uid = 1000 };

	cgroup_look(a, root, &h);
	return h.mem_limit;
}

static const char *own_cgroup(struct arena *a, const struct sysroot *root, struct host h)
{
	cgroup_look(a, root, &h);
	return h.cgroup ? h.cgroup : "none";
}

/* Where a container could have a cgroup of its own, and who asks. */
static void test_own_cgroup(struct arena *a, const struct sysroot *root)
{
	const struct host user = { .uid = 1000 }, served = { .uid = 1000, .devd = true };
	const struct host rooted = { .uid = 0 }, job = { .job.kind = JOB_BATCH };

	put(root->fd, "proc/self/cgroup", "0::/a/b\n");
	is_str(own_cgroup(a, root, rooted), "none", "version 2, not ours to divide");
	put(root->fd, "sys/fs/cgroup/a/b/cgroup.procs", "");
	is_str(own_cgroup(a, root, rooted), "/sys/fs/cgroup/a/b", "version 2");
	is_str(own_cgroup(a, root, served), "/sys/fs/cgroup/a/b", "for a user with devd");
	is_str(own_cgroup(a, root, user), "none", "not for a user without");
	is_str(own_cgroup(a, root, job), "none", "not in a job");
	put(root->fd, "proc/self/cgroup", "3:devices:/x\n0::/a/b\n");
	is_str(own_cgroup(a, root, rooted), "none", "beside version 1 it is mounted elsewhere");
	put(root->fd, "sys/fs/cgroup/unified/cgroup.procs", "");
	put(root->fd, "proc/self/cgroup", "3:devices:/x\n0::/\n");
	is_str(own_cgroup(a, root, rooted), "/sys/fs/cgroup/unified", "there, at the top");
	put(root->fd, "proc/self/cgroup", "3:devices:/x\n0::/..\n");
	is_str(own_cgroup(a, root, rooted), "none", "outside of our namespace");
}

static void test_cgroup(struct arena *a)
{
	char dir[] = "/tmp/t_host_parts.XXXXXX";
	char command[128];
	struct sysroot root = { .fd = -1, .label = dir };

	if (!mkdtemp(dir))
		abort();
	root.fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ok(memory_limit(a, &root) == 0, "no cgroup file");
	put(root.fd, "proc/self/cgroup", "4:cpu,memory:/slurm/job_7\n0::/x\n");
	put(root.fd, "sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes",
	    "9223372036854771712\n");
	ok(memory_limit(a, &root) == 0, "version 1 without a limit");
	put(root.fd, "sys/fs/cgroup/memory/slurm/memory.limit_in_bytes", "4096000\n");
	ok(memory_limit(a, &root) == 4096000, "version 1, limit of the parent");
	put(root.fd, "proc/self/cgroup", "0::/a/b/c\n");
	put(root.fd, "sys/fs/cgroup/a/b/c/memory.max", "max\n");
	ok(memory_limit(a, &root) == 0, "version 2 without a limit");
	put(root.fd, "sys/fs/cgroup/a/b/memory.max", "3000\n");
	put(root.fd, "sys/fs/cgroup/a/memory.max", "5000\n");
	ok(memory_limit(a, &root) == 3000, "version 2, the smallest holds");
	put(root.fd, "sys/fs/cgroup/memory.max", "2000\n");
	ok(memory_limit(a, &root) == 2000, "version 2, the top of a container");
	put(root.fd, "proc/self/cgroup", "0::/../../elsewhere\n");
	ok(memory_limit(a, &root) == 2000, "a path of another namespace");
	put(root.fd, "proc/self/cgroup", "garbage\n:\n0:\n\n");
	ok(memory_limit(a, &root) == 0, "garbage");
	test_own_cgroup(a, &root);
	fd_close(root.fd);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ok(system(command) == 0, "cleaned up");
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_ids(a);
	test_cgroup(a);
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run-plan.h - plans made by hand for the unit tests of run/: an empty overlay root into which the
 * host's /usr and the links of its top directory are bound, so that /bin/sh runs.
 */
#ifndef GPURUN_TEST_RUN_PLAN_H
#define GPURUN_TEST_RUN_PLAN_H

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gpurun/run.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "tap.h"

static char dir[] = "/tmp/t_run.XXXXXX";
static struct arena *arena;

static TAP_UNUSED void add(struct plan *p, struct op op)
{
	struct op_list *ops = &p->container.ops;

	if (!op.why)
		op.why = "test";
	VEC_PUSH(arena, ops->v, ops->n, ops->cap, op);
}

/* The top directory of the host as binds and links: enough for /bin/sh. */
static TAP_UNUSED void add_host_tree(struct plan *p)
{
	static const char *const names[] = { "/usr", "/bin", "/lib", "/lib64", "/sbin" };

	for (size_t i = 0; i < ELEMENTS(names); i++) {
		char *target = arena_alloc(arena, 256);
		struct stat st;

		if (lstat(names[i], &st) < 0)
			continue;
		if (S_ISLNK(st.st_mode) && readlink(names[i], target, 255) > 0)
			add(p, (struct op){ .kind = OP_SYMLINK, .dst = names[i], .data = target });
		else
			add(p, (struct op){ .kind = OP_BIND,
					    .src = names[i],
					    .dst = names[i],
					    .attrs = MOUNT_ATTR_RDONLY,
					    .flags = OPF_RECURSIVE });
	}
}

static TAP_UNUSED struct plan *plan_new(const char *script)
{
	struct plan *p = ARENA_NEW(arena, struct plan);

	p->container.namespaces =
		CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
	p->container.uid_outside = p->container.uid_inside = getuid();
	p->container.gid_outside = p->container.gid_inside = getgid();
	p->container.root.kind = ROOT_OVERLAY;
	p->container.root.size = 1U << 24;
	p->container.root.base = arena_printf(arena, "%s/state/mnt", dir);
	strv_push(arena, &p->container.root.lowers, arena_printf(arena, "%s/lower", dir));
	add_host_tree(p);
	add(p, (struct op){ .kind = OP_PROC, .dst = "/proc", .flags = OPF_NOFOLLOW });
	add(p, (struct op){ .kind = OP_TMPFS,
			    .dst = "/dev",
			    .mode = 0755,
			    .size = 1U << 20,
			    .flags = OPF_NOFOLLOW });
	add(p,
	    (struct op){
		    .kind = OP_BIND_DEV, .src = "/dev/null", .dst = "/dev/null", .rdev = 0x103 });
	p->process.init = true;
	p->process.no_new_privs = true;
	p->process.path = "/usr/bin:/bin";
	p->process.cwd = "/";
	strv_push(arena, &p->process.env, "PATH=/usr/bin:/bin");
	if (script) {
		strv_push(arena, &p->process.argv, "sh");
		strv_push(arena, &p->process.argv, "-c");
		strv_push(arena, &p->process.argv, script);
	}
	return p;
}

/* Directories and the arena; false where user namespaces are not to be had. */
static TAP_UNUSED bool run_tests_begin(void)
{
	pid_t probe = fork();
	int status;

	if (probe == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0);
	if (waitpid(probe, &status, 0) < 0 || status != 0) {
		skip("user namespaces are not to be had here");
		return false;
	}
	if (!mkdtemp(dir)) {
		ok(false, "%s: %s", dir, strerror(errno));
		return false;
	}
	(void)chmod(dir, 0755);
	arena = arena_new(0);
	(void)mkdir(arena_printf(arena, "%s/lower", dir), 0755);
	(void)mkdir(arena_printf(arena, "%s/state", dir), 0755);
	(void)mkdir(arena_printf(arena, "%s/state/mnt", dir), 0755);
	return true;
}

static TAP_UNUSED int run_tests_end(void)
{
	if (arena && system(arena_printf(arena, "rm -rf %s", dir)) != 0)
		diag("%s: not removed", dir);
	arena_free(arena);
	return done_testing();
}

#endif

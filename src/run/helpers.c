// SPDX-License-Identifier: Apache-2.0
/*
 * helpers.c - in the launcher: newuidmap(1) and newgidmap(1), the only programs that gpurun ever
 * runs on the host, with fixed paths, a fixed environment and numbers as arguments.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"

/* Path, pid, three numbers a range, NULL. */
#define HELPER_ARGS (3 + 3 * PLAN_RANGES_MAX)

static int helper_run(const char *path, char *const argv[])
{
	static char *const env[] = { NULL };
	posix_spawnattr_t attr;
	sigset_t none;
	pid_t pid;
	int r, status = 0;

	(void)sigemptyset(&none);
	if (posix_spawnattr_init(&attr) != 0)
		return -ENOMEM;
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn(&pid, path, NULL, &attr, argv, env);
	(void)posix_spawnattr_destroy(&attr);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

static int map_ranges(const char *path, const char *file, const struct plan_idrange *v, size_t n,
		      pid_t pid, struct err *e)
{
	char numbers[1 + 3 * PLAN_RANGES_MAX][16];
	char *argv[HELPER_ARGS] = { (char *)(uintptr_t)path };
	size_t k = 0;
	int r;

	(void)snprintf(numbers[k++], sizeof(numbers[0]), "%d", pid);
	for (size_t i = 0; i < n && i < PLAN_RANGES_MAX; i++) {
		(void)snprintf(numbers[k++], sizeof(numbers[0]), "%u", v[i].inside);
		(void)snprintf(numbers[k++], sizeof(numbers[0]), "%u", v[i].outside);
		(void)snprintf(numbers[k++], sizeof(numbers[0]), "%u", v[i].count);
	}
	for (size_t i = 0; i < k; i++)
		argv[i + 1] = numbers[i];
	r = helper_run(path, argv);
	if (r == -ENOENT) {
		err_sys(e, ENOENT, "step ids: %s", path);
		err_hint(e, "apt-get install uidmap, or leave --userns subid out");
	} else if (r < 0) {
		err_set(e, -r, "step ids: %s refused the ranges of %s", path, file);
		err_hint(e, "ranges must stand in %s for this user, and %s must be setuid root",
			 file, path);
	}
	return r;
}

int ids_map_ranges(const struct plan_container *p, pid_t pid, struct err *e)
{
	int r = map_ranges("/usr/bin/newuidmap", "/etc/subuid", p->uid_ranges, p->n_uid_ranges, pid,
			   e);

	if (r == 0)
		r = map_ranges("/usr/bin/newgidmap", "/etc/subgid", p->gid_ranges, p->n_gid_ranges,
			       pid, e);
	return r;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * idmap.c - step ids: who we are in the new user namespace, and who may touch us.
 *
 * By default one id is mapped and setgroups is denied: no setuid helper runs, no /etc/subuid is
 * needed, and the caller's supplementary groups (video, render) keep opening device nodes.
 * With ranges (--userns subid) the launcher has newuidmap(1) and newgidmap(1) write the maps and
 * then sends WAIT_MAPPED; the child becomes root of the namespace for the setup.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gpurun/fd.h>

#include "child.h"

#define MAP_MAX 32 /* two ids and a count */

static int map_write(const char *file, const char *text, struct err *e)
{
	int r = file_write(AT_FDCWD, file, text, strlen(text));

	if (r == -EPERM && strstr(text, " 0 1")) {
		err_sys(e, EPERM, "%s", file);
		err_hint(e, "id 0 of a container cannot be mapped once more: start the outer one "
			    "without --root, as an ordinary user");
		return r;
	}
	if (r == -EPERM || r == -EACCES) {
		err_sys(e, -r, "%s", file);
		err_hint(e, "the kernel or an AppArmor policy restricts user namespaces: "
			    "install the profile contrib/apparmor/gpurun, or see "
			    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
		return r;
	}
	return r < 0 ? err_sys(e, -r, "%s", file) : 0;
}

/* The launcher's helpers write the maps; its message says that they are there. */
static int map_await(struct child *c, struct err *e)
{
	char what = 0;

	while (recv(c->wait, &what, 1, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "wait for the id maps");
	if (what != WAIT_MAPPED)
		run_exit(EXIT_GPURUN); /* the launcher knows why */
	return ids_become(0, 0, e);
}

/**
 * ids_become - all ids and no supplementary group, by raw calls (libc's wrappers want a thread)
 */
int ids_become(uid_t uid, gid_t gid, struct err *e)
{
	if (syscall(SYS_setgroups, 0, NULL) < 0)
		return err_sys(e, errno, "setgroups");
	if (syscall(SYS_setresgid, gid, gid, gid) < 0)
		return err_sys(e, errno, "become group %u", gid);
	if (syscall(SYS_setresuid, uid, uid, uid) < 0)
		return err_sys(e, errno, "become user %u", uid);
	return 0;
}

/* One id, as the kernel takes it */
static void map_one(char map[MAP_MAX], unsigned int inside, unsigned int outside)
{
	struct text t = text_into(map, MAP_MAX);

	text_add_number(&t, inside, 10);
	text_add(&t, " ");
	text_add_number(&t, outside, 10);
	text_add(&t, " 1");
}

static int map_ids(const struct plan_container *p, struct err *e)
{
	char uid[MAP_MAX], gid[MAP_MAX];
	int r;

	map_one(uid, p->uid_inside, p->uid_outside);
	map_one(gid, p->gid_inside, p->gid_outside);
	r = map_write("/proc/self/setgroups", "deny", e);
	if (r == 0)
		r = map_write("/proc/self/uid_map", uid, e);
	if (r == 0)
		r = map_write("/proc/self/gid_map", gid, e);
	return r;
}

/**
 * ids_bind - die with the launcher.
 * PR_SET_PDEATHSIG is set after the maps, and again after a change of ids, which clears it;
 * a launcher that was gone before is seen by its closed end of the wait socket, because
 * getppid() is 0 in a new PID namespace whatever happens outside.
 */
int ids_bind(struct child *c, struct err *e)
{
	struct pollfd p = { .fd = c->wait, .events = POLLIN };

	if (c->wait < 0)
		return 0; /* a rank that nobody launched: whom it dies with is its caller's choice */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_sys(e, errno, "PR_SET_PDEATHSIG");
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP))
		run_exit(128 + SIGKILL);
	return 0;
}

/*
 * Who may make a cgroup namespace may mount control groups, which can be written where their owner
 * is: root.  The limit is that of our user namespace, and holds for all that are made in it.
 */
static int cgroupns_forbid(const struct child *c, struct err *e)
{
	static const char name[] = "sys/user/max_cgroup_namespaces";
	_cleanup_fd_ int fd = openat(c->proc, name, O_RDWR | O_CLOEXEC);
	char text[2] = "";

	if (fd < 0 || write(fd, "0", 1) < 0 || pread(fd, text, 2, 0) < 0)
		err_sys(e, errno, "/proc/%s", name);
	else if (memcmp(text, "0\n", 2) != 0)
		err_set(e, EPERM, "/proc/%s: is not 0", name);
	else
		return 0;
	err_hint(e, "started by root, what may make namespaces could write the host's control "
		    "groups: start it as an ordinary user");
	return -e->code;
}

int step_ids(struct child *c, struct err *e)
{
	int r;

	c->umask = umask(0);
	if (c->driver != DRIVER_JOIN)
		c->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	c->status = openat(c->proc, "self/status", O_RDONLY | O_CLOEXEC);
	if (c->status < 0)
		return err_sys(e, errno, "/proc/self/status");
	if (c->driver != DRIVER_JOIN) {
		r = c->plan->container.n_uid_ranges ? map_await(c, e)
						    : map_ids(&c->plan->container, e);
		if (r == 0 && c->plan->container.no_cgroupns)
			r = cgroupns_forbid(c, e);
		if (r < 0)
			return r;
	}
	r = ids_bind(c, e);
	if (r < 0)
		return r;
	if (c->driver == DRIVER_CREATE)
		r = landlock_prepare(c, e);
	if (r < 0)
		return r;
	/* it is entered through us, and ends before anything of the image runs */
	if (c->driver == DRIVER_MAKE)
		return 0;
	/* not before the maps: /proc/self belongs to root while we are undumpable */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, errno, "PR_SET_DUMPABLE");
	return 0;
}

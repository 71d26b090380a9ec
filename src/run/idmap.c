// SPDX-License-Identifier: Apache-2.0
/*
 * idmap.c - step ids: who we are in the new user namespace, and who may touch us.
 *
 * One id is mapped and setgroups is denied: no setuid helper runs, no /etc/subuid is needed,
 * and the caller's supplementary groups (video, render) keep opening device nodes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <gpurun/fd.h>

#include "child.h"

static int map_write(const char *file, const char *text, struct err *e)
{
	int r = file_write(AT_FDCWD, file, text, strlen(text));

	if (r == -EPERM || r == -EACCES) {
		err_sys(e, -r, "%s", file);
		err_hint(e, "the kernel or an AppArmor policy restricts user namespaces: "
			    "install the profile contrib/apparmor/gpurun, or see "
			    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
		return r;
	}
	return r < 0 ? err_sys(e, -r, "%s", file) : 0;
}

static int map_ids(const struct plan_container *p, struct err *e)
{
	char uid[64], gid[64];
	int r;

	(void)snprintf(uid, sizeof(uid), "%u %u 1", p->uid_inside, p->uid_outside);
	(void)snprintf(gid, sizeof(gid), "%u %u 1", p->gid_inside, p->gid_outside);
	r = map_write("/proc/self/setgroups", "deny", e);
	if (r == 0)
		r = map_write("/proc/self/uid_map", uid, e);
	if (r == 0)
		r = map_write("/proc/self/gid_map", gid, e);
	return r;
}

/*
 * Die with the launcher.  PR_SET_PDEATHSIG is set after the maps (a change of ids clears it);
 * a launcher that was gone before is seen by its closed end of the wait socket, because
 * getppid() is 0 in a new PID namespace whatever happens outside.
 */
static int bind_to_launcher(struct child *c, struct err *e)
{
	struct pollfd p = { .fd = c->wait, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_sys(e, errno, "PR_SET_PDEATHSIG");
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP))
		run_exit(128 + SIGKILL);
	return 0;
}

int step_ids(struct child *c, struct err *e)
{
	int r;

	c->umask = umask(0);
	c->status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	if (c->status < 0)
		return err_sys(e, errno, "/proc/self/status");
	if (c->driver == DRIVER_CREATE) {
		r = map_ids(&c->plan->container, e);
		if (r < 0)
			return r;
	}
	r = bind_to_launcher(c, e);
	if (r < 0)
		return r;
	/* not before the maps: /proc/self belongs to root while we are undumpable */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, errno, "PR_SET_DUMPABLE");
	return 0;
}

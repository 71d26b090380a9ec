// SPDX-License-Identifier: Apache-2.0
/*
 * process.c - the small steps between the new root and the loss of privilege: loopback,
 * hostname, workdir, rlimits.
 */
#include <errno.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gpurun/fd.h>

#include "child.h"

/* A new network namespace has a loopback interface that is down. */
int step_loopback(struct child *c, struct err *e)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	_cleanup_fd_ int fd = -1;

	if (!c->plan->container.loopback_up)
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, errno, "lo");
	if (ioctl(fd, SIOCSIFFLAGS, &req) < 0)
		return err_sys(e, errno, "lo");
	return 0;
}

int step_hostname(struct child *c, struct err *e)
{
	const char *name = c->plan->container.hostname;

	if (name && sethostname(name, strlen(name)) < 0)
		return err_sys(e, errno, "%s", name);
	return 0;
}

static int workdir_failed(const char *dir, int code, struct err *e)
{
	err_sys(e, code, "working directory %s", dir);
	if (code == ENOENT)
		err_hint(e, "name one that the image has with -w DIR");
	return -code;
}

/* A rank may want another directory than the one for which the container was made. */
static int workdir_enter(struct child *c, struct err *e)
{
	const struct plan_process *p = &c->plan->process;
	_cleanup_fd_ int root = -1;
	int r;

	if (chdir(p->cwd) == 0)
		return 0;
	if (errno != ENOENT || c->driver != DRIVER_ENTER || !p->cwd_create)
		return workdir_failed(p->cwd, errno, e);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, errno, "/");
	r = workdir_make(p, root, e);
	if (r < 0)
		return r;
	return chdir(p->cwd) < 0 ? workdir_failed(p->cwd, errno, e) : 0;
}

/*
 * The kernel's getcwd(2) answers "(unreachable)/..." for a directory outside the root: a
 * working directory that leaked in from outside (CVE-2024-21626) cannot pass.
 */
int step_workdir(struct child *c, struct err *e)
{
	const char *dir = c->plan->process.cwd;
	char real[4096];
	int r = workdir_enter(c, e);

	if (r < 0)
		return r;
	if (!getcwd(real, sizeof(real)))
		return err_sys(e, errno, "working directory %s", dir);
	if (real[0] != '/')
		return err_set(e, EXDEV, "working directory %s: is outside the container", dir);
	return 0;
}

/*
 * An anonymous session keyring: what the caller's holds (Kerberos tickets, keys of encrypted
 * directories) is not found from it.  The built-in filters have no call for keys at all; this is for
 * those that do.  The kernel may have none (ENOSYS), no room for one more (EDQUOT, ENOMEM), or a
 * filter around us may refuse it: that is no reason not to start.
 */
int step_keyring(struct child *c, struct err *e)
{
	if (!c->plan->process.keyring)
		return 0;
	/* its number, which is never 0 */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) == 0)
		return err_set(e, EPERM, "the session keyring is still the caller's");
	return 0;
}

int step_rlimits(struct child *c, struct err *e)
{
	const struct plan_process *p = &c->plan->process;

	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct plan_rlimit *l = &p->rlimits[i];

		/* glibc and musl do not agree on the type of a resource */
		if (syscall(SYS_prlimit64, 0, l->resource, &l->limit, NULL) < 0)
			return err_sys(e, errno, "%s", l->why);
	}
	return 0;
}

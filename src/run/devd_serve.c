// SPDX-License-Identifier: Apache-2.0
/*
 * devd_serve.c - gpurun devd: attach a device filter to a cgroup for the user that owns it.
 *
 * Root's, and every byte that it reads is a stranger's.  What it can be talked into is to deny
 * devices to the processes of one cgroup, which must be the stranger's own:
 *
 * - the peer is who the kernel says (SO_PEERCRED), whatever its user namespace calls it;
 * - the descriptor is of a directory that is opened again by its name below the host's own mount of
 *   the hierarchy, so that ".." leads where it should: one handed over may be of any mount;
 * - it and its cgroup.procs belong to the peer, it has no cgroups below it and no filter yet (so
 *   that as many programs can be had as cgroups, and no more);
 * - no filter above is one that would give way;
 * - the program is made here, of rules that were checked.  A process with a set-uid program would
 *   run behind the filter, too: what every program counts on (/dev/null, terminals) must be allowed.
 *
 * It serves one connection and ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "child.h"
#include "devd.h"

/* How deep a cgroup may be: no kernel lets anybody make more. */
#define DEVD_DEPTH_MAX 1024

#define MAJOR_MAX 4095U
#define MINOR_MAX 1048575U

static bool rule_is_valid(const struct device_rule *r)
{
	return (r->type == 'c' || r->type == 'b') && r->major <= MAJOR_MAX &&
	       (r->minor <= MINOR_MAX || r->minor == DEVICE_ANY) && r->access &&
	       !(r->access & ~(uint32_t)(DEVICE_RW | DEVICE_MKNOD));
}

static int check_request(const struct devd_request *q, size_t len, struct err *e)
{
	const size_t head = offsetof(struct devd_request, rules);

	if (len < head || q->magic != DEVD_MAGIC)
		return err_set(e, EPROTO, "not a request");
	if (q->version != DEVD_VERSION)
		return err_set(e, EPROTO, "a request of another version");
	if (q->n > DEVICE_RULES_MAX || len != head + q->n * sizeof(*q->rules))
		return err_set(e, EPROTO, "a request of the wrong length");
	for (size_t i = 0; i < q->n; i++)
		if (!rule_is_valid(&q->rules[i]))
			return err_set(e, EINVAL, "rule %zu is none", i);
	for (size_t i = 0; i < ELEMENTS(devd_must); i++)
		if (!devices_allow(q->rules, q->n, devd_must[i]))
			return err_set(e, EINVAL, "the nodes of every /dev must be allowed");
	return 0;
}

/* ---- the cgroup ------------------------------------------------------------------------------- */

/* The host's own mount of version 2. */
static int open_top(const char **ret, struct err *e)
{
	static const char *const mounts[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };

	for (size_t i = 0; i < ELEMENTS(mounts); i++) {
		int fd = open(mounts[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		struct statfs fs;

		*ret = mounts[i];
		if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			return fd;
		(void)fd_close(fd);
	}
	return err_set(e, ENODEV, "no cgroups of version 2 here");
}

static bool is_same(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* What the peer's descriptor is of, by our own way there. */
static int open_again(int theirs, int top, const char *mount, struct err *e)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				      .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV |
						 RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	char link[FD_PATH_MAX], path[PATH_MAX];
	const char *below;
	struct statfs fs;
	ssize_t n;
	int fd;

	if (fstatfs(theirs, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		return err_set(e, EINVAL, "not a cgroup of version 2");
	fd_path(theirs, link);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	below = str_after(path, mount);
	if (!below || below[0] != '/' || !below[1])
		return err_set(e, EINVAL, "not a cgroup below %s", mount);
	fd = sys_openat2(top, below + 1, &how);
	if (fd < 0)
		return err_sys(e, -fd, "the cgroup");
	if (is_same(fd, theirs))
		return fd;
	(void)fd_close(fd);
	return err_set(e, EINVAL, "not the cgroup of that name");
}

/* A directory of the kernel's counts those in it: its own two names and one for each. */
static int check_owner(int cgroup, uid_t peer, struct err *e)
{
	struct stat dir, procs;

	if (fstat(cgroup, &dir) < 0 ||
	    fstatat(cgroup, "cgroup.procs", &procs, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "the cgroup");
	if (dir.st_uid != peer || procs.st_uid != peer)
		return err_set(e, EPERM, "the cgroup is not yours");
	if (dir.st_nlink > 2)
		return err_set(e, EBUSY, "the cgroup has others below it");
	return 0;
}

static int check_filters(int cgroup, int top, struct err *e)
{
	_cleanup_fd_ int at = -1;

	if (devfilter_count(cgroup, false) != 0)
		return err_set(e, EBUSY, "the cgroup has a device program already");
	for (int depth = 0; depth < DEVD_DEPTH_MAX; depth++) {
		int up = openat(at < 0 ? cgroup : at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		(void)fd_close(at);
		at = up;
		if (at < 0)
			return err_sys(e, errno, "the cgroups above");
		if (devfilter_is_replaced(at))
			return err_set(e, EPERM,
				       "a device program of a cgroup above would be replaced");
		if (is_same(at, top))
			return 0;
	}
	return err_set(e, ELOOP, "the cgroups above");
}

static int filter_attach(int cgroup, const struct devd_request *q, struct err *e)
{
	_cleanup_fd_ int prog = devfilter_load(q->rules, q->n);
	int before, link;

	if (prog < 0)
		return err_sys(e, -prog, "load a device program");
	before = devfilter_count(cgroup, true);
	link = devfilter_attach(prog, cgroup);
	if (link < 0)
		return err_sys(e, -link, "attach a device program");
	if (before < 0 || devfilter_count(cgroup, true) != before + 1) {
		(void)fd_close(link);
		return err_set(e, EPERM, "the device program is not in force");
	}
	return link;
}

static int serve_cgroup(int theirs, uid_t peer, const struct devd_request *q, struct err *e)
{
	_cleanup_fd_ int top = -1, cgroup = -1;
	const char *mount = NULL;
	int r;

	top = open_top(&mount, e);
	if (top < 0)
		return top;
	cgroup = open_again(theirs, top, mount, e);
	if (cgroup < 0)
		return cgroup;
	r = check_owner(cgroup, peer, e);
	if (r == 0)
		r = check_filters(cgroup, top, e);
	return r < 0 ? r : filter_attach(cgroup, q, e);
}

/* ---- the connection --------------------------------------------------------------------------- */

static int peer_of(int sock, uid_t *ret, struct err *e)
{
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(cred), size = sizeof(int);
	int type = 0, domain = 0;

	if (getsockopt(sock, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
	    getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || domain != AF_UNIX ||
	    type != SOCK_SEQPACKET)
		return err_set(e, ENOTSOCK, "no connection of type SEQPACKET");
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.uid == (uid_t)-1)
		return err_set(e, ENOTCONN, "no peer");
	*ret = cred.uid;
	return devd_patience(sock, DEVD_SERVER_PATIENCE);
}

static int serve(int sock, uid_t peer, struct err *e)
{
	_cleanup_fd_ int theirs = -1;
	struct devd_request q;
	size_t n_fds = 0;
	int n, r;

	memset(&q, 0, sizeof(q));
	n = devd_receive(sock, &q, sizeof(q), &theirs, &n_fds);
	if (n < 0)
		return err_sys(e, -n, "no request");
	r = check_request(&q, (size_t)n, e);
	if (r < 0)
		return r;
	if (n_fds != 1)
		return err_set(e, EPROTO, "not one descriptor but %s", n_fds ? "several" : "none");
	return serve_cgroup(theirs, peer, &q, e);
}

int run_devd_serve(int sock, struct err *e)
{
	struct devd_answer a = { .magic = DEVD_MAGIC, .version = DEVD_VERSION };
	_cleanup_fd_ int link = -1;
	uid_t peer = 0;
	int r = peer_of(sock, &peer, e), sent;

	if (r < 0)
		return r;
	link = serve(sock, peer, e);
	if (link < 0) {
		struct text t = text_into(a.text, sizeof(a.text));

		a.code = -link;
		text_add(&t, e->msg);
		err_wrap(e, "uid %u", peer);
	}
	sent = devd_send(sock, &a, sizeof(a), link);
	if (link < 0)
		return link;
	return sent < 0 ? err_sys(e, -sent, "uid %u: answer", peer) : 0;
}

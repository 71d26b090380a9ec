// SPDX-License-Identifier: Apache-2.0
/*
 * landlock.c - step landlock: ioctl(2) on device nodes only below the fresh /dev.
 *
 * The rule hangs on the tmpfs directory itself, not on the path "/dev": a host /dev or / that
 * the user binds somewhere opens, but its GPUs do not answer.  The right is
 * LANDLOCK_ACCESS_FS_IOCTL_DEV (Linux 6.10, ABI 5); reading and writing are not our business.
 * Any ruleset forbids mount(2) for good: that is why this is one of the last steps.
 *
 * Programs are executed from the container's own tree only.  Until its command runs, a process
 * inside is gpurun: an image whose command, or the interpreter of whose script, is /proc/self/exe
 * would run the host's file under a loader of its own, keep it open, and under real root write to
 * it once no gpurun runs any more (CVE-2019-5736).
 *
 * One right is denied by every ruleset, handled or not: to rename or link a file into another
 * directory (LANDLOCK_ACCESS_FS_REFER; the symptom is EXDEV in apt, git, pip).  It is given back
 * for the whole tree; into /dev, where a file would gain a right, it stays refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <gpurun/fd.h>
#include <gpurun/sys.h>

#include "child.h"

/* newer than our floor's <linux/landlock.h> */
#define ACCESS_EXECUTE   (1ULL << 0)
#define ACCESS_REFER     (1ULL << 13)
#define ACCESS_IOCTL_DEV (1ULL << 15)

/*
 * In a container that runs already: its /dev, if that is the tmpfs that we made.  The host's,
 * mounted over it, says it is a tmpfs as well, and real root owns it; but its nodes are its own,
 * ours are mounts.
 */
static int dev_find(struct child *c, struct err *e)
{
	struct stat st, node;
	struct statfs fs;

	if (c->dev >= 0)
		return 0;
	c->dev = open("/dev", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->dev < 0)
		return err_sys(e, errno, "/dev");
	if (fstatfs(c->dev, &fs) < 0 || fstat(c->dev, &st) < 0)
		return err_sys(e, errno, "/dev");
	if (fs.f_type != TMPFS_MAGIC || st.st_uid != c->plan->container.uid_inside ||
	    (fstatat(c->dev, "null", &node, AT_SYMLINK_NOFOLLOW) == 0 && node.st_dev == st.st_dev))
		return err_set(e, EPERM, "/dev: is not the container's own");
	return 0;
}

static int rule_add(int ruleset, uint64_t access, int fd, const char *what, struct err *e)
{
	int r = sys_landlock_add_path(ruleset, access, fd);

	return r < 0 ? err_sys(e, -r, "%s", what) : 0;
}

/* Nodes that were planned for another place than /dev. */
static int rules_for_nodes(struct child *c, int ruleset, struct err *e)
{
	const struct op_list *ops = &c->plan->container.ops;

	for (size_t i = 0; i < ops->n; i++) {
		const struct op *op = &ops->v[i];
		_cleanup_fd_ int fd = -1;
		int r;

		if (op->kind != OP_BIND_DEV || strncmp(op->dst, "/dev/", 5) == 0)
			continue;
		fd = open(op->dst, O_PATH | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && (op->flags & OPF_OPTIONAL))
			continue;
		if (fd < 0)
			return op_error(op, errno, e);
		r = rule_add(ruleset, ACCESS_IOCTL_DEV, fd, op->dst, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int landlock_prepare(struct child *c, struct err *e)
{
	if (!c->plan->process.landlock_dev)
		return 0;
	c->null_dev = open("/dev/null", O_PATH | O_CLOEXEC);
	return c->null_dev < 0 ? err_sys(e, errno, "/dev/null") : 0;
}

/* Read back: the host's null device can be opened, and does not know the call without Landlock. */
static int landlock_confirm(struct child *c, struct err *e)
{
	char path[FD_PATH_MAX];
	struct winsize ws;
	int fd; /* closed with all others before the command runs */

	fd_path(c->null_dev, path);
	fd = openat(c->proc, path + sizeof("/proc"), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "/dev/null of the host");
	if (ioctl(fd, TIOCGWINSZ, &ws) == 0 || errno != EACCES)
		return err_set(e, EPERM, "ioctl on a device outside of /dev is not refused");
	return 0;
}

int step_landlock(struct child *c, struct err *e)
{
	static const uint64_t handled = ACCESS_IOCTL_DEV | ACCESS_REFER | ACCESS_EXECUTE;
	_cleanup_fd_ int ruleset = -1, opened = -1;
	int r, root = c->root;

	if (!c->plan->process.landlock_dev)
		return 0;
	r = dev_find(c, e);
	if (r < 0)
		return r;
	ruleset = sys_landlock_create_ruleset(&handled, sizeof(handled));
	if (ruleset < 0)
		return err_sys(e, -ruleset, "ruleset");
	if (root < 0) { /* the container runs already */
		opened = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		root = opened;
	}
	if (root < 0)
		return err_sys(e, errno, "/");
	r = rule_add(ruleset, ACCESS_REFER | ACCESS_EXECUTE, root, "/", e);
	if (r == 0)
		r = rule_add(ruleset, ACCESS_IOCTL_DEV, c->dev, "/dev", e);
	if (r == 0)
		r = rules_for_nodes(c, ruleset, e);
	if (r < 0)
		return r;
	r = sys_landlock_restrict_self(ruleset);
	return r < 0 ? err_sys(e, -r, "restrict") : landlock_confirm(c, e);
}

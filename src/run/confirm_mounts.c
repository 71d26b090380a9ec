// SPDX-License-Identifier: Apache-2.0
/*
 * confirm_mounts.c - read /proc/self/mountinfo of the new root: what is planned to be hidden or
 * read-only is, the host's tree is gone, and no control group can be written.
 *
 * One file for all of it, as the kernel tells it, costs less than a call for each path.  What it does
 * not have under the plan's name (a link of the image is on the way) is asked for by that name.
 * What was not there when it was to be hidden need not be.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "child.h"

#define MOUNTINFO "self/mountinfo"
#define LINE_MAX_ 8192 /* of a longer one the rest holds options of an overlay */

/* The fields of a line that tell something. */
struct line {
	const char *root, *point, *options, *type, *source;
};

struct look {
	struct child *c;
	struct err *e;
	uint64_t seen[CHILD_OPS_MAX / 64], good[CHILD_OPS_MAX / 64]; /* by index of the operation */
	bool root_read_only;
};

static const char *next_field(char **rest)
{
	char *field = *rest, *end = field ? strchr(field, ' ') : NULL;

	*rest = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return field;
}

/* "\040" is a blank; the kernel writes blanks, tabs, newlines and backslashes so. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /root /point ro,nosuid shared:1 - ext3 /dev/root rw" */
static bool line_parse(char *text, struct line *ret)
{
	const char *field;
	char *point;

	for (int i = 0; i < 3; i++)
		(void)next_field(&text);
	ret->root = next_field(&text);
	point = text;
	ret->point = next_field(&text);
	ret->options = next_field(&text);
	do
		field = next_field(&text);
	while (field && strcmp(field, "-") != 0);
	ret->type = next_field(&text);
	ret->source = next_field(&text);
	if (!ret->type || !ret->source)
		return false;
	unescape(point);
	return true;
}

static bool is_read_only(const struct line *l)
{
	return strncmp(l->options, "ro", 2) == 0 && (l->options[2] == ',' || !l->options[2]);
}

static bool is_cgroup(const struct line *l)
{
	return strcmp(l->type, "cgroup") == 0 || strcmp(l->type, "cgroup2") == 0;
}

/* Lines of any number and length, one after the other. */
static int lines_each(int (*take)(struct look *look, const struct line *l), struct look *look)
{
	/* closed with all others before the command runs */
	int fd = openat(look->c->proc, MOUNTINFO, O_RDONLY | O_CLOEXEC);
	char buf[LINE_MAX_];
	size_t have = 0;
	bool rest = false; /* of a line that was too long */

	if (fd < 0)
		return err_sys(look->e, errno, MOUNTINFO);
	for (;;) {
		ssize_t n = read(fd, buf + have, sizeof(buf) - 1 - have);
		char *at = buf, *end;

		if (n <= 0)
			return n < 0 ? err_sys(look->e, errno, MOUNTINFO) : 0;
		have += (size_t)n;
		buf[have] = '\0';
		while ((end = strchr(at, '\n')) || (at == buf && have == sizeof(buf) - 1)) {
			struct line l;
			int r = 0;

			if (end)
				*end = '\0';
			if (!rest)
				r = line_parse(at, &l)
					    ? take(look, &l)
					    : err_set(look->e, EIO, MOUNTINFO ": %s", at);
			if (r < 0)
				return r;
			rest = !end;
			at = end ? end + 1 : buf + have;
		}
		have -= (size_t)(at - buf);
		memmove(buf, at, have);
	}
}

/* ---- control groups --------------------------------------------------------------------------- */

/* What another mount covers cannot be reached, and is another file system by its name. */
static int cgroup_open(const struct line *l, bool *ret_writable)
{
	int fd = open(l->point, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct statvfs vfs;
	struct statfs fs;

	*ret_writable = false;
	if (fd >= 0 && fstatfs(fd, &fs) == 0 && fstatvfs(fd, &vfs) == 0)
		*ret_writable =
			(fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC) &&
			!(vfs.f_flag & ST_RDONLY);
	return fd;
}

static int cgroup_close(struct look *look, const struct line *l)
{
	static const struct sys_mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	_cleanup_fd_ int fd = -1;
	bool writable = false;
	int r = 0;

	if (!is_cgroup(l) || is_read_only(l))
		return 0;
	fd = cgroup_open(l, &writable);
	if (writable)
		r = sys_mount_setattr(fd, "", AT_EMPTY_PATH, &ro);
	return r < 0 ? err_sys(look->e, -r, "%s: make it read-only", l->point) : 0;
}

/* Only a directory that comes in writable can bring one along. */
int cgroups_close(struct child *c, struct err *e)
{
	const struct plan_container *p = &c->plan->container;
	struct look look = { .c = c, .e = e };
	bool open = p->root.kind == ROOT_BIND;

	for (size_t i = 0; i < p->ops.n; i++)
		open |= p->ops.v[i].kind == OP_BIND && !(p->ops.v[i].attrs & MOUNT_ATTR_RDONLY);
	return open ? lines_each(cgroup_close, &look) : 0;
}

/* ---- what is planned ------------------------------------------------------------------------------ */

/* A file system of the kernel's, or /dev: must be there, under its name. */
static const char *type_of(const struct op *op)
{
	if (op->kind == OP_PROC)
		return "proc";
	return op->kind == OP_TMPFS && op->flags & OPF_NOFOLLOW ? "tmpfs" : NULL;
}

/* Is the operation a promise about what is seen at its destination? */
static bool is_promise(const struct op *op)
{
	return op->kind == OP_MASK || op->kind == OP_READONLY || type_of(op) ||
	       ((op->kind == OP_BIND || op->kind == OP_TMPFS || op->kind == OP_SYSFS) &&
		op->attrs & MOUNT_ATTR_RDONLY);
}

/* Our /dev/null, or our empty directory */
static bool is_mask(const struct line *l)
{
	const char *name = strrchr(l->root, '/');

	return (strcmp(l->type, "tmpfs") == 0 && strcmp(l->source, "gpurun") == 0) ||
	       (name && strcmp(name, "/null") == 0);
}

static bool is_kept(const struct op *op, const struct line *l)
{
	if (type_of(op))
		return strcmp(l->type, type_of(op)) == 0;
	return is_read_only(l) && (op->kind != OP_MASK || is_mask(l));
}

/* Of several mounts on one point the last is seen; /proc and /dev may have been mounted over. */
static void promise_note(struct look *look, size_t i, const struct op *op, const struct line *l)
{
	const uint64_t bit = UINT64_C(1) << i % 64;

	look->seen[i / 64] |= bit;
	if (is_kept(op, l))
		look->good[i / 64] |= bit;
	else if (!type_of(op))
		look->good[i / 64] &= ~bit;
}

static int line_check(struct look *look, const struct line *l)
{
	const struct plan_container *p = &look->c->plan->container;
	bool writable = false;

	if (path_below(l->point, p->root.base))
		return err_set(look->e, EPERM, "%s: the host's tree is still there", l->point);
	if (strcmp(l->point, "/") == 0)
		look->root_read_only = is_read_only(l);
	for (size_t i = 0; i < p->ops.n && i < CHILD_OPS_MAX; i++)
		if (is_promise(&p->ops.v[i]) && strcmp(p->ops.v[i].dst, l->point) == 0)
			promise_note(look, i, &p->ops.v[i], l);
	if (is_cgroup(l) && !is_read_only(l))
		(void)fd_close(cgroup_open(l, &writable));
	return writable
		       ? err_set(look->e, EPERM, "%s: control groups that can be written", l->point)
		       : 0;
}

/* By its name: 1 as it should be, 0 not, or -errno */
static int promise_ask(const struct op *op)
{
	_cleanup_fd_ int fd = open(op->dst, O_PATH | O_CLOEXEC);
	struct statvfs vfs;
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || fstatvfs(fd, &vfs) < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	if (op->kind == OP_MASK && S_ISDIR(st.st_mode))
		return vfs.f_flag & ST_RDONLY && fs.f_type == TMPFS_MAGIC;
	if (op->kind == OP_MASK)
		return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
	if (type_of(op))
		return 0; /* not by way of a link */
	return (vfs.f_flag & ST_RDONLY) != 0;
}

static const char *broken(const struct op *op)
{
	if (type_of(op))
		return "is not the container's own";
	return op->kind == OP_MASK ? "is not hidden" : "is still writable";
}

/* Has another mount come to the same point later?  The promise is that one's then. */
static bool is_covered(const struct child *c, size_t i)
{
	const struct op_list *l = &c->plan->container.ops;

	for (size_t k = i + 1; k < l->n && k < CHILD_OPS_MAX; k++)
		if ((l->v[k].kind == OP_BIND || l->v[k].kind == OP_TMPFS) &&
		    !(c->absent[k / 64] >> k % 64 & 1) && strcmp(l->v[k].dst, l->v[i].dst) == 0)
			return true;
	return false;
}

static int promise_check(struct look *look, size_t i, const struct op *op)
{
	const uint64_t bit = UINT64_C(1) << i % 64;
	int r;

	if (i < CHILD_OPS_MAX && look->seen[i / 64] & bit)
		r = (look->good[i / 64] & bit) != 0;
	else if (i < CHILD_OPS_MAX && look->c->absent[i / 64] & bit)
		return 0;
	else
		r = promise_ask(op);
	if (r == -ENOENT && op->flags & OPF_OPTIONAL)
		return 0;
	if (r < 0)
		return op_error(op, -r, look->e);
	return r || (!type_of(op) && is_covered(look->c, i))
		       ? 0
		       : err_set(look->e, EPERM, "%s (%s): %s", op->dst, op->why, broken(op));
}

int confirm_mounts(struct child *c, struct err *e)
{
	const struct plan_container *p = &c->plan->container;
	struct look look = { .c = c, .e = e };
	int r = lines_each(line_check, &look);

	if (r == 0 && p->root.read_only && !look.root_read_only)
		r = err_set(e, EPERM, "/: is still writable");
	for (size_t i = 0; r == 0 && i < p->ops.n; i++)
		if (is_promise(&p->ops.v[i]))
			r = promise_check(&look, i, &p->ops.v[i]);
	return r;
}

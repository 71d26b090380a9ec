// SPDX-License-Identifier: Apache-2.0
/*
 * cgroup.c - a cgroup of the container's own (version 2), with the device filter on it.
 *
 * The filter is there before anybody is: the container's first process is born in the cgroup by
 * clone3.  The launcher holds the link; nobody inside has it, nor a cgroup file system to write.
 * All that can refuse it (no privilege, no cgroup of ours, an old kernel) is ERR_TOPIC_DEVICES: the
 * caller decides again, and the plan says that there is no filter.
 *
 * gpurun exec makes no filter: its processes may outlive it, and the filter would end with it.
 * They are born in the container's cgroup, or not at all.
 *
 * A launcher that is killed leaves an empty directory, "gpurun-PID-START", for gpurun prune.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/run.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "child.h"
#include "devd.h"

#define LEAF_PREFIX "gpurun-"

/* The last process of a container is gone before its cgroup knows: so many milliseconds. */
#define LEAF_LEAVE_MS 50

/* How deep prune looks for cgroups. */
#define PRUNE_DEPTH_MAX 32

static int refused(struct err *e, int code, const char *what)
{
	err_sys(e, code, "%s", what);
	if (e)
		e->topic = ERR_TOPIC_DEVICES;
	return -code;
}

static void leaf_name(pid_t pid, uint64_t start, char name[64])
{
	struct text t = text_into(name, 64);

	text_add(&t, LEAF_PREFIX);
	text_add_number(&t, (uint64_t)pid, 10);
	text_add(&t, "-");
	text_add_number(&t, start, 10);
}

static int leaf_mkdir(struct leaf *l, const char *parent, struct err *e)
{
	int dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return refused(e, errno, parent);
	leaf_name(getpid(), run_pid_start(getpid()), l->name);
	if (mkdirat(dir, l->name, 0755) < 0) {
		int r = refused(e, errno, "make a cgroup");

		(void)fd_close(dir);
		return r;
	}
	l->parent = dir;
	l->fd = openat(dir, l->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return l->fd < 0 ? refused(e, errno, "open the cgroup") : 0;
}

/*
 * Attach it and read it back: one more than before, or a filter above has given way to ours.
 * Nobody is in the cgroup yet, and it is undone by the caller.
 */
static int leaf_filter(struct leaf *l, int prog, struct err *e)
{
	int before = devfilter_count(l->fd, true), after;

	if (before < 0)
		return refused(e, -before, "device programs of the cgroup");
	l->link = devfilter_attach(prog, l->fd);
	if (l->link < 0)
		return refused(e, -l->link, "attach a device program");
	after = devfilter_count(l->fd, true);
	if (after != before + 1)
		return refused(e, EPERM, "a device program of a cgroup above would be replaced");
	return 0;
}

/* The program comes first: who may not load one leaves no trace. */
static int leaf_make_ours(struct leaf *l, const struct plan_devices *d, struct err *e)
{
	_cleanup_fd_ int prog = devfilter_load(d->rules, d->n);
	int r;

	if (prog < 0)
		return refused(e, -prog, "load a device program");
	r = leaf_mkdir(l, d->cgroup, e);
	return r < 0 ? r : leaf_filter(l, prog, e);
}

static int leaf_make_devd(struct leaf *l, const struct plan_devices *d, struct err *e)
{
	int r = leaf_mkdir(l, d->cgroup, e);

	if (r < 0)
		return r;
	/* whatever our umask is: the service has no right to look where others may not */
	if (fchmodat(l->parent, l->name, 0755, 0) < 0)
		return refused(e, errno, "the cgroup's mode");
	l->link = devd_attach(l->fd, d, e);
	if (l->link < 0 && e)
		e->topic = ERR_TOPIC_DEVICES;
	return l->link < 0 ? l->link : 0;
}

/**
 * leaf_make - when the plan has a filter: the container's cgroup, and the filter in force
 * leaf_end() is due, whatever is returned.
 */
int leaf_make(struct leaf *l, const struct plan_devices *d, struct err *e)
{
	if (!d->cgroup)
		return 0;
	return d->devd ? leaf_make_devd(l, d, e) : leaf_make_ours(l, d, e);
}

/** leaf_enter - the cgroup of a container that runs, for one more process of it */
int leaf_enter(struct leaf *l, const struct plan_devices *d, struct err *e)
{
	if (!d->cgroup)
		return 0;
	l->fd = open(d->cgroup, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (l->fd >= 0)
		return 0;
	err_sys(e, errno, "%s", d->cgroup);
	leaf_hint(e);
	return -EPERM;
}

void leaf_hint(struct err *e)
{
	err_hint(e, "the container has a device filter, which holds for the processes of its "
		    "cgroup: start gpurun exec in the session or service of the container");
}

/* Empty, or left to gpurun prune. */
static void leaf_remove(const struct leaf *l)
{
	for (int ms = 0; ms < LEAF_LEAVE_MS; ms++) {
		if (unlinkat(l->parent, l->name, AT_REMOVEDIR) == 0 || errno != EBUSY)
			return;
		(void)poll(NULL, 0, 1);
	}
}

void leaf_end(struct leaf *l)
{
	if (l->parent >= 0)
		leaf_remove(l);
	l->link = fd_close(l->link);
	l->fd = fd_close(l->fd);
	l->parent = fd_close(l->parent);
}

const char *run_leaf_path(struct arena *a, const char *cgroup, pid_t launcher)
{
	uint64_t start = run_pid_start(launcher);
	char name[64];

	if (!start)
		return NULL;
	leaf_name(launcher, start, name);
	return path_join(a, cgroup, name);
}

int run_leaf_try(const char *cgroup, bool devd, struct err *e)
{
	struct device_rule rules[ELEMENTS(devd_must)];
	const struct plan_devices d = {
		.cgroup = cgroup, .devd = devd, .rules = rules, .n = ELEMENTS(rules)
	};
	struct leaf l = LEAF_NONE;
	int r;

	memcpy(rules, devd_must, sizeof(rules));
	r = leaf_make(&l, &d, e);

	leaf_end(&l);
	return r;
}

/* ---- what killed launchers leave ------------------------------------------------------------- */

/* "gpurun-PID-START" of a process that has ended? */
static bool is_stale(const char *name)
{
	const char *number = str_after(name, LEAF_PREFIX);
	const char *start = number ? strchr(number, '-') : NULL;
	char pid[16] = "";
	uint64_t p, s;

	if (!start || (size_t)(start - number) >= sizeof(pid))
		return false;
	memcpy(pid, number, (size_t)(start - number));
	if (num_u64(pid, INT32_MAX, &p) < 0 || num_u64(start + 1, UINT64_MAX, &s) < 0)
		return false;
	return run_pid_start((pid_t)p) != s;
}

/* Somebody in it, as seen from another PID namespace, keeps it. */
static void prune_below(int dir, unsigned int depth)
{
	struct dirents d;
	const char *name;
	unsigned char type;

	for (dirents_begin(&d, dir); dirents_next(&d, &name, &type) > 0;) {
		_cleanup_fd_ int fd = -1;
		struct stat st;

		if (type != DT_DIR)
			continue;
		if (is_stale(name) && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_uid == geteuid() && unlinkat(dir, name, AT_REMOVEDIR) == 0)
			continue;
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && depth < PRUNE_DEPTH_MAX)
			prune_below(fd, depth + 1);
	}
}

void run_leaf_prune(void)
{
	static const char *const mounts[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };

	for (size_t i = 0; i < ELEMENTS(mounts); i++) {
		_cleanup_fd_ int dir = open(mounts[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct statfs fs;

		if (dir >= 0 && fstatfs(dir, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			prune_below(dir, 0);
	}
}

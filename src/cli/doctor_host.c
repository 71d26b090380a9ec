/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor_host.c - layer "host": what any container needs of the kernel and of the machine.
 */
#include <errno.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include <gpurun/fd.h>
#include <gpurun/job.h>
#include <gpurun/lib.h>
#include <gpurun/run.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "answer.h"
#include "doctor.h"

#define SYSCTL "/proc/sys/"

#define LANDLOCK_IOCTL_ABI 5 /* Linux 6.10 */

/* Less is enough for a start, but not for what people unpack. */
#define STORE_FREE_MIN  (4ULL << 30)
#define MEMORY_FREE_MIN (512ULL << 20)

#define FIX_KERNEL "install Linux 5.12 or newer"
#define FIX_OUTER                                                                                  \
	"leave the surrounding container or sandbox, or let it allow namespaces (docker run "      \
	"--security-opt seccomp=unconfined --security-opt apparmor=unconfined)"

/* ---- the kernel ------------------------------------------------------------------------- */

/* Older than the mount_setattr(2) of 5.12, by the release's text. */
static bool is_old(struct arena *a, const char *release)
{
	struct strv f = { 0 };
	uint64_t major, minor;

	str_split(a, release, '.', &f);
	if (f.n < 2 || num_u64(f.v[0], 1000, &major) < 0 || num_u64(f.v[1], 1000, &minor) < 0)
		return false;
	return major < 5 || (major == 5 && minor < 12);
}

/* Versions are only told; what counts are the system calls. */
static struct finding check_kernel(struct doctor *d)
{
	static const struct sys_mount_attr nothing = { 0 };
	_cleanup_fd_ int fd = root_open(d->root.fd, "/", O_PATH | O_DIRECTORY, 0);
	struct utsname u = { .release = "?" };

	(void)uname(&u);
	if (fd == -ENOSYS)
		return doctor_fail(d, FIX_KERNEL, "Linux %s: no openat2(2), or it is filtered",
				   u.release);
	if (sys_mount_setattr(-1, "", 0, &nothing) == -ENOSYS)
		return doctor_fail(d, FIX_KERNEL,
				   "Linux %s: no mount_setattr(2), or it is filtered", u.release);
	if (is_old(d->a, u.release))
		return doctor_warn(d, FIX_KERNEL, "Linux %s is older than 5.12", u.release);
	return doctor_ok(d, "Linux %s", u.release);
}

/* Settings that take user namespaces away, and how each is changed. */
static const struct knob {
	const char *path, *off;
	const char *why, *fix;
} knobs[] = {
	{ SYSCTL "user/max_user_namespaces", "0", "user.max_user_namespaces is 0",
	  "as root: sysctl -w user.max_user_namespaces=15000" },
	{ SYSCTL "kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone is 0",
	  "as root: sysctl -w kernel.unprivileged_userns_clone=1" },
	{ SYSCTL "kernel/apparmor_restrict_unprivileged_userns", "1",
	  "AppArmor restricts user namespaces to programs with a profile",
	  "as root: install contrib/apparmor/gpurun (make install does), then apparmor_parser -r "
	  "/etc/apparmor.d/gpurun" },
};

static const struct knob *knob_turned_off(const struct doctor *d)
{
	for (size_t i = 0; i < ELEMENTS(knobs); i++) {
		const char *value = doctor_line(d, knobs[i].path);

		if (value && str_eq(value, knobs[i].off))
			return &knobs[i];
	}
	return NULL;
}

/* The first trial that failed, of those that need nothing but the namespaces. */
static int namespace_error(const struct doctor *d, const char **ret_where)
{
	static const char *const where[] = {
		[TRIAL_NAMESPACES] = "clone3",
		[TRIAL_IDS] = "/proc/self/uid_map",
		[TRIAL_MOUNT] = "mount",
	};

	for (size_t i = 0; i < ELEMENTS(where); i++) {
		*ret_where = where[i];
		if (d->trials.error[i])
			return d->trials.error[i];
	}
	return 0;
}

static struct finding check_namespaces(struct doctor *d)
{
	const struct knob *k = knob_turned_off(d);
	const char *where;
	int error = namespace_error(d, &where);

	if (!error && k && geteuid() != 0)
		return doctor_ok(d, "they can be made (although %s)", k->why);
	if (!error)
		return doctor_ok(d, "they can be made");
	if (k)
		return doctor_fail(d, k->fix, "%s: %s: %s", where, err_text(error), k->why);
	if (error == ENOSPC || error == EUSERS)
		return doctor_fail(d, "as root: sysctl -w user.max_user_namespaces=15000",
				   "%s: %s: the limit is reached, or 32 are nested", where,
				   err_text(error));
	if (error == ENOSYS)
		return doctor_fail(d, FIX_OUTER, "%s: %s", where, err_text(error));
	return doctor_fail(d, FIX_OUTER, "%s: %s: a sandbox, a chroot or a policy forbids them",
			   where, err_text(error));
}

static struct finding check_proc(struct doctor *d)
{
	int error = d->trials.error[TRIAL_PROC];

	if (error == 0)
		return doctor_ok(d, "a fresh one can be mounted");
	if (error == TRIAL_NOT_REACHED)
		return doctor_skip(d, "no mounts");
	return doctor_warn(d,
			   "start outside the surrounding container, or let it show all of /proc "
			   "(docker run --security-opt systempaths=unconfined)",
			   "a fresh one is refused (%s): containers see the host's processes",
			   err_text(error));
}

static struct finding check_tmpfs(struct doctor *d)
{
	_cleanup_fd_ int fd = memfd_create("gpurun-doctor", MFD_CLOEXEC);
	int error = d->trials.error[TRIAL_TMPFS];

	if (error > 0)
		return doctor_fail(d, FIX_OUTER, "it cannot be mounted: %s", err_text(error));
	if (fd >= 0 && fsetxattr(fd, "user.overlay.probe", "y", 1, 0) < 0 && errno == EOPNOTSUPP)
		return doctor_warn(d, "Linux 6.6 or newer",
				   "no user attributes: what containers write goes to the store's "
				   "disk, not to memory");
	return doctor_ok(d, "holds what containers write");
}

static struct finding check_landlock(struct doctor *d)
{
	int abi = d->host.landlock_abi;
	const char *modules = doctor_line(d, "/sys/kernel/security/lsm");

	if (abi >= LANDLOCK_IOCTL_ABI)
		return doctor_ok(d, "version %d: devices answer only below a container's own /dev",
				 abi);
	if (abi == 0 && modules && !strstr(modules, "landlock"))
		return doctor_warn(d,
				   arena_printf(d->a,
						"boot with lsm=landlock,%s (kernel command "
						"line)",
						modules),
				   "not switched on: a bound host directory may hold device nodes "
				   "that answer");
	return doctor_warn(d, "Linux 6.10 or newer",
			   "version %d knows no device list: a bound host directory may hold "
			   "device nodes that answer",
			   abi);
}

static struct finding check_seccomp(struct doctor *d)
{
	const unsigned int action = SECCOMP_RET_ERRNO;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0)
		return doctor_fail(d, "a kernel with CONFIG_SECCOMP_FILTER", "no filters: %s",
				   err_text(errno));
	return doctor_ok(d, "filters can be installed");
}

/* ---- limits ----------------------------------------------------------------------------- */

/* Where we are in version 2: the line "0::PATH". */
static const char *cgroup_path(const struct doctor *d)
{
	_cleanup_fd_ int fd = root_open(d->root.fd, "/proc/self/cgroup", O_RDONLY, 0);
	struct strv lines = { 0 };
	char *text = NULL;

	if (fd < 0 || fd_read_text(fd, d->a, 64U << 10, &text, NULL) < 0)
		return NULL;
	str_split(d->a, text, '\n', &lines);
	for (size_t i = 0; i < lines.n; i++) {
		const char *path = str_after(lines.v[i], "0::");

		if (path)
			return path;
	}
	return NULL;
}

static struct finding check_cgroup(struct doctor *d)
{
	const char *path = cgroup_path(d);
	const char *dir =
		path ? path_clean(d->a, arena_printf(d->a, "/sys/fs/cgroup/%s", path)) : NULL;
	struct statfs fs;

	if (statfs("/sys/fs/cgroup", &fs) < 0)
		return doctor_skip(d, "/sys/fs/cgroup: %s", err_text(errno));
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return doctor_ok(d, "version 1: limits and device lists of a job are kept");
	if (dir && access(arena_printf(d->a, "%s/cgroup.procs", dir), W_OK) == 0)
		return doctor_ok(d, "version 2, %s is ours to divide", path);
	return doctor_ok(d, "version 2, %s (not delegated): its limits hold for containers",
			 path ? path : "unknown");
}

/* The device filter: root's, or by the service.  It is tried as a start would. */
static struct finding check_device_filter(struct doctor *d)
{
	const struct host *h = &d->host;
	const bool devd = h->uid != 0;
	struct err e = { 0 };

	if (h->job.kind != JOB_NONE)
		return doctor_ok(d, "none of ours in a job: the job manager's holds");
	if (h->uid != 0 && !h->devd)
		return doctor_skip(d, "only for root, or: as root systemctl enable --now "
				      "gpurun-devd.socket");
	if (!h->cgroup)
		return doctor_warn(d, "systemd-run --user --scope -p Delegate=yes gpurun ...",
				   "no cgroup of version 2 in which we may make one");
	if (run_leaf_try(h->cgroup, devd, &e) < 0)
		return doctor_warn(d, NULL, "none: %s", e.msg);
	return doctor_ok(d, "%sa container opens only what it was given",
			 devd ? "through gpurun devd: " : "");
}

static struct finding check_memory(struct doctor *d)
{
	const struct host *h = &d->host;
	uint64_t least = h->mem_limit && h->mem_limit < h->mem_total ? h->mem_limit : h->mem_total;
	const char *total = answer_size(d->a, h->mem_total);
	const char *half = answer_size(d->a, least / 2);

	if (least / 2 < MEMORY_FREE_MIN)
		return doctor_warn(d, "--scratch DIR on a disk for what containers write",
				   "%s, and half of %s is all that a container can write", total,
				   answer_size(d->a, least));
	if (least < h->mem_total)
		return doctor_ok(d, "%s, limited to %s by the cgroup; containers write up to %s",
				 total, answer_size(d->a, least), half);
	return doctor_ok(d, "%s; containers write up to %s", total, half);
}

/* newuidmap(1) works when it is setuid root, or has the capability as a file attribute. */
static bool is_privileged(const struct doctor *d, const char *path)
{
	_cleanup_fd_ int fd = root_open(d->root.fd, path, O_RDONLY, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	return (st.st_mode & S_ISUID && st.st_uid == 0) ||
	       fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

static struct finding check_subids(struct doctor *d)
{
	static const char *const helpers[] = { "/usr/bin/newuidmap", "/usr/bin/newgidmap" };
	const struct host_subids *s = &d->host.subids;

	if (!s->n_uids || !s->n_gids)
		return doctor_skip(d, "none for %s in %s: only --userns subid needs them",
				   d->host.user, s->n_uids ? "/etc/subgid" : "/etc/subuid");
	for (size_t i = 0; i < ELEMENTS(helpers); i++) {
		if (!doctor_has(d, helpers[i]))
			return doctor_skip(d, "%s is missing: only --userns subid needs it",
					   helpers[i]);
		if (!is_privileged(d, helpers[i]) && geteuid() != 0)
			return doctor_warn(
				d, arena_printf(d->a, "as root: chmod u+s %s", helpers[i]),
				"%s is not setuid root: --userns subid does not work", helpers[i]);
	}
	return doctor_ok(d, "%u ids for --userns subid", s->uids[0].count);
}

/* ---- directories ------------------------------------------------------------------------ */

static struct finding check_store(struct doctor *d)
{
	const char *path;
	struct statvfs fs;
	uint64_t room;

	if (!d->store)
		return doctor_error(d, FINDING_FAIL, &d->store_failed);
	path = store_path(d->store);
	if (statvfs(path, &fs) < 0)
		return doctor_fail(d, NULL, "%s: %s", path, err_text(errno));
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (fs.f_flag & ST_NOEXEC)
		return doctor_fail(d, "name a directory elsewhere: --store DIR or GPURUN_STORE=DIR",
				   "%s: mounted noexec: nothing in an image could be executed",
				   path);
	if (room < STORE_FREE_MIN)
		return doctor_warn(d, "gpurun prune --all, or --store DIR", "%s: %s free", path,
				   answer_size(d->a, room));
	return doctor_ok(d, "%s: %s free", path, answer_size(d->a, room));
}

static struct finding check_overlay(struct doctor *d)
{
	if (d->host.overlay)
		return doctor_ok(d, "layers of the store can be stacked");
	return doctor_warn(
		d,
		d->trials.error[TRIAL_MOUNT] == 0
			? "a store on a local ext4 or xfs: --store DIR or GPURUN_STORE=DIR"
			: NULL,
		"not on the store's file system: images are flattened, and what a "
		"container may write is copied");
}

static struct finding check_state(struct doctor *d)
{
	if (!d->state_dir)
		return doctor_error(d, FINDING_FAIL, &d->state_failed);
	return doctor_ok(d, "%s", d->state_dir);
}

/* ---- libraries -------------------------------------------------------------------------- */

/* What lib_load() is asked for elsewhere; a test holds the lists equal. */
static const struct library {
	const char *soname, *package, *purpose;
	bool needed; /* to unpack any image */
} libraries[] = {
	{ "libarchive.so.13", "libarchive13", "image archives", true },
	{ "libcrypto.so.3", "libssl3", "digests", true },
	{ "libjson-c.so.5", "libjson-c5", "image configurations", true },
	{ "libz.so.1", "zlib1g", "gzip", true },
	{ "libisal.so.2", "libisal2", "gzip in a third of the time", false },
	{ "liblzma.so.5", "liblzma5", "xz images", false },
	{ "libbz2.so.1", "libbz2-1.0", "bzip2 images", false },
	{ "libzstd.so.1", "libzstd1", "zstd images", false },
	{ "libyaml-0.so.2", "libyaml-0-2", "CDI files", false },
	{ "libseccomp.so.2", "libseccomp2", "--security-opt seccomp=FILE", false },
};

static struct finding check_libraries(struct doctor *d)
{
	enum finding_status worst = FINDING_OK;
	const char *missing = "", *packages = "";

	for (size_t i = 0; i < ELEMENTS(libraries); i++) {
		const struct library *lib = &libraries[i];
		struct err e = { 0 };

		if (lib_load(lib->soname, lib->package, NULL, 0, NULL, &e) >= 0)
			continue;
		if (worst != FINDING_FAIL)
			worst = lib->needed ? FINDING_FAIL : FINDING_WARN;
		missing = arena_printf(d->a, "%s%s%s (%s)", missing, *missing ? ", " : "",
				       lib->soname, lib->purpose);
		packages = arena_printf(d->a, "%s %s", packages, lib->package);
	}
	if (worst == FINDING_OK)
		return doctor_ok(d, "all %zu can be loaded", ELEMENTS(libraries));
	return doctor_found(d, worst, arena_printf(d->a, "apt-get install%s", packages),
			    "cannot be loaded: %s", missing);
}

/* ---- the site ----------------------------------------------------------------------------- */

/* What comes in unasked: a file of the site that is wrong stops every start. */
static struct finding check_site(struct doctor *d)
{
	const struct job_options o = { .contain = false };
	struct edits ed = { 0 };
	struct strv warn = { 0 };
	struct err e = { 0 };
	size_t n;

	if (job_edits(d->a, &d->root, &d->host, &o, &ed, &warn, &e) < 0)
		return doctor_error(d, FINDING_FAIL, &e);
	if (warn.n)
		return doctor_warn(d, NULL, "%s", warn.v[0]);
	n = ed.files.n + ed.ops.n;
	if (!n && !ed.env.n && !ed.env_prepend.n)
		return doctor_ok(d, "nothing of the host comes in unasked");
	return doctor_ok(d, "mounts and device nodes of the job and of " SITE_DIR ": %zu", n);
}

static const struct check rows[] = {
	{ "kernel", 0, check_kernel },
	{ "user namespaces", 0, check_namespaces },
	{ "proc", 0, check_proc },
	{ "tmpfs", 0, check_tmpfs },
	{ "overlay", NEED_STORE, check_overlay },
	{ "landlock", 0, check_landlock },
	{ "seccomp", 0, check_seccomp },
	{ "cgroup", 0, check_cgroup },
	{ "device filter", 0, check_device_filter },
	{ "memory", 0, check_memory },
	{ "store", 0, check_store },
	{ "state", 0, check_state },
	{ "subordinate ids", 0, check_subids },
	{ "libraries", 0, check_libraries },
	{ "site", 0, check_site },
};
const struct check_layer doctor_layer_host = { "host", rows, ELEMENTS(rows), NULL };

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.c - the stages of "gpurun run" up to the plan: look at the host, get the image, make
 * the directories that outlive the plan, choose the seccomp profile.  GPUs: launch_gpus.c.
 */
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/log.h>
#include <gpurun/profile.h>
#include <gpurun/run.h>
#include <gpurun/str.h>

#include "launch.h"
#include "topdir.h"

#define SECCOMP_FILE_MAX (1U << 20)

/* ---- the host --------------------------------------------------------------------------- */

/*
 * A name that two containers carry would be of no use to exec and kill.  The ranks of a step all
 * come with the same one.
 */
static int check_name(const struct launch *l, struct err *e)
{
	const char *name = l->q->name, *step = l->host.job.step;
	struct strv dirs = { 0 };
	struct state *v = NULL;
	size_t n = 0;
	int r = name ? place_states(l->a, &dirs, e) : 0;

	if (r >= 0 && name)
		r = state_list(l->a, &dirs, &v, &n, e);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		if (!str_eq(v[i].name, name) || (step && str_eq(v[i].step, step)))
			continue;
		err_set(e, EEXIST, "--name %s: a container of that name runs already", name);
		err_hint(e, "gpurun kill %s", name);
		return -EEXIST;
	}
	return r;
}

/* In a step the command takes our place, so what lies on a disk would stay there. */
static int check_share(const struct launch *l, struct err *e)
{
	if (!l->share || !l->q->scratch || str_eq(l->q->scratch, "tmpfs"))
		return 0;
	err_set(e, EINVAL,
		"--scratch %s: not in a container that the ranks of a step share: nobody stays to "
		"remove it",
		l->q->scratch);
	err_hint(e, "a container for each rank: --share none; or --keep NAME");
	return -EINVAL;
}

/*
 * The runtime directory, unless it is a login session's and we are in a job: it would come and go
 * with the user's logins on this node, and the ranks of a step would not find each other.
 */
static const char *runtime_dir(const struct launch *l)
{
	const char *session = arena_printf(l->a, "/run/user/%u", l->host.uid);
	const char *xdg = host_getenv(&l->host, "XDG_RUNTIME_DIR");

	return xdg && l->host.job.kind != JOB_NONE && str_eq(path_clean(l->a, xdg), session) ? NULL
											     : xdg;
}

/* A test's host has a state directory of that host: nothing is made for it. */
static int look_state(struct launch *l, struct err *e)
{
	const char *xdg = runtime_dir(l);
	int r;

	if (l->q->sysroot) {
		l->host.state_dir = xdg ? path_join(l->a, xdg, "gpurun")
					: arena_printf(l->a, "/dev/shm/gpurun-%u", l->host.uid);
		return 0;
	}
	if (l->q->dry_run) {
		l->host.state_dir = state_dir_name(l->a, xdg, l->host.uid);
		return 0;
	}
	r = state_open(l->a, xdg, l->host.uid, &l->home, e);
	l->host.state_dir = l->home.path;
	return r < 0 ? r : check_name(l, e);
}

/* @ret: which device it is, if it is one; may be NULL */
static int check_source(const struct launch *l, const char *path, const char *what,
			struct device_rule *ret, struct err *e)
{
	_cleanup_fd_ int fd = root_open(l->root.fd, path, O_PATH, 0);
	struct stat st;

	if (fd < 0)
		return err_sys(e, -fd, "%s", what);
	if (ret && fstat(fd, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		*ret = (struct device_rule){ .type = S_ISBLK(st.st_mode) ? 'b' : 'c',
					     .major = major(st.st_rdev),
					     .minor = minor(st.st_rdev) };
	return 0;
}

/* What a request names on the host must be there: said before an image is unpacked for it. */
static int check_sources(struct launch *l, struct err *e)
{
	const struct request *q = l->q;

	int r = 0;

	for (size_t i = 0; i < q->n_mounts && r >= 0; i++) {
		const struct req_mount *m = &q->mounts[i];

		if (m->src)
			r = check_source(l, m->src, arena_printf(l->a, "%s: %s", m->why, m->src),
					 NULL, e);
	}
	if (q->devices.n)
		l->nodes = ARENA_ARRAY(l->a, struct device_rule, q->devices.n);
	for (size_t i = 0; i < q->devices.n && r >= 0; i++) {
		const char *d = q->devices.v[i];
		const char *path = arena_strndup(l->a, d, strcspn(d, ":"));

		r = check_source(l, path, arena_printf(l->a, "--device %s", path), &l->nodes[i], e);
	}
	return r;
}

void launch_seal(const struct cmd_in *in)
{
	int r = run_sealed(in->argv, environ);

	if (r < 0)
		log_warn("the file of gpurun can be written by you, and so by a command that "
			 "reaches it (/proc/self/exe); a sealed copy is not to be had: %s",
			 err_text(-r));
}

/* Will the device list be in force, which forbids to execute our file as well? */
static bool has_landlock(const struct launch *l)
{
	return l->host.landlock_abi >= 5 && !l->share && !l->q->nested && l->q->landlock != TRI_OFF;
}

/*
 * Does the command find our file at its own path, and may write it there?  (In a job that of
 * ~/bin does.)  Then a copy of it is worth nothing.  A bundle has no mounts but its own.
 */
static bool shows_own_file(const struct launch *l)
{
	const bool job = l->host.job.kind != JOB_NONE && !l->q->contain;
	char file[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", file, sizeof(file) - 1);

	if (n <= 0 || l->bundle)
		return false;
	file[n] = '\0';
	return (l->q->home == TRI_AUTO ? job : l->q->home == TRI_ON) &&
	       path_below(file, l->host.home);
}

int launch_look(struct launch *l, struct err *e)
{
	const char *path = l->q->sysroot ? l->q->sysroot : "/";
	int r;

	if (l->q->sysroot && !l->q->dry_run)
		return err_set(e, EINVAL, "--sysroot: only with --dry-run");
	l->root.label = l->q->sysroot ? path : "";
	l->root.fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->root.fd < 0)
		return err_sys(e, errno, "%s", path);
	r = host_probe(l->a, &l->root, l->environ, &l->host, e);
	if (r < 0)
		return r;
	if (l->q->n_ulimits || l->bundle || l->host.job.kind != JOB_NONE)
		host_limits(l->a, &l->root, &l->host);
	if (l->q->add_host.n || l->q->hostname)
		host_read_hosts(l->a, &l->root, &l->host);
	l->share = plan_will_share(l->q, &l->host);
	l->mute = l->host.job.kind == JOB_STEP && l->host.job.local_rank > 0;
	if (!l->q->dry_run && !has_landlock(l) && !shows_own_file(l))
		launch_seal(l->in);
	if (!l->q->sysroot)
		l->host.proc_fresh = true;
	if (l->q->userns == USERNS_SUBID)
		r = host_subids(l->a, &l->root, &l->host, e);
	if (r >= 0)
		r = check_share(l, e);
	if (r >= 0)
		r = check_sources(l, e);
	return r < 0 ? r : look_state(l, e);
}

int launch_look_job(struct launch *l, struct err *e)
{
	const struct job_options o = { .contain = l->q->contain };
	struct strv warnings = { 0 };
	int r = job_edits(l->a, &l->root, &l->host, &o, &l->job, &warnings, e);

	for (size_t i = 0; !l->mute && i < warnings.n; i++)
		log_warn("%s", warnings.v[i]);
	return r;
}

/* ---- the image -------------------------------------------------------------------------- */

/* "gpurun imges": no such image, but nearly a verb. */
static void hint_verb(const struct launch *l, struct err *e)
{
	const char *near = l->in->verb_left_out ? cmd_nearest(l->q->image) : NULL;

	if (near && e->topic == ERR_TOPIC_NOT_FOUND) {
		e->hint[0] = '\0';
		err_hint(e, "did you mean the verb '%s'?", near);
	}
}

/* An overlay cannot copy up what belongs to an id that is not mapped. */
static bool is_foreign(const char *lower)
{
	struct stat st;

	return stat(lower, &st) == 0 &&
	       (st.st_uid != getauxval(AT_EUID) || st.st_gid != getauxval(AT_EGID));
}

int launch_get_image(struct launch *l, struct err *e)
{
	const struct store_ensure_options o = {
		.arch = l->host.arch,
		.form_flat = !l->host.overlay,
		.abi = l->chosen.n || l->cdi.n,
		.quiet = l->q->quiet,
		.wait_quietly = l->mute,
	};
	int r;

	l->image_lock = fd_close(l->image_lock);
	r = store_ensure(l->store, l->a, &l->ref, &o, &l->image, &l->image_lock, e);
	if (r < 0) {
		hint_verb(l, e);
		return r;
	}
	l->image.foreign = is_foreign(l->image.lowers.v[0]);
	log_debug(1, "image %s: %s, %zu director%s", l->image.name,
		  l->image.id[0] ? l->image.id : "a directory", l->image.lowers.n,
		  l->image.lowers.n == 1 ? "y" : "ies");
	if (l->host.overlay)
		return 0;
	r = topdir_read(l->a, l->image.lowers.v[0], &l->top_entries);
	return r < 0 ? err_sys(e, -r, "%s", l->image.lowers.v[0]) : 0;
}

/* ---- directories for what the container writes --------------------------------------------- */

/* In a batch job what the container writes goes to the job's own disk rather than its memory. */
static const char *job_scratch(const struct launch *l)
{
	const char *dir = host_getenv(&l->host, "TMPDIR");

	if (l->host.job.kind != JOB_BATCH || l->scratch_refused || l->q->sysroot)
		return NULL;
	return dir && dir[0] == '/' && store_is_local_disk(dir) ? dir : NULL;
}

/*
 * Should what the container writes go to a directory on disk, and below which (NULL: the store's
 * own)?  Never in a shared step by itself: nobody stays to remove it.
 */
static bool wants_scratch(const struct launch *l, const char **ret_dir)
{
	const struct request *q = l->q;

	*ret_dir = q->scratch ? q->scratch : job_scratch(l);
	if (q->keep || q->read_only || !l->host.overlay || l->share)
		return false;
	if (*ret_dir)
		return !str_eq(*ret_dir, "tmpfs");
	return !q->sysroot && !store_overlay_in_memory(l->store);
}

int launch_make_places(struct launch *l, struct err *e)
{
	const char *scratch = NULL;

	l->keep_lock = fd_close(l->keep_lock);
	if (l->q->keep && !l->host.overlay)
		log_note("--keep %s: overlay cannot be used here, a private copy is kept",
			 l->q->keep);
	if (l->q->keep)
		return store_keep(l->store, l->a, l->q->keep, &l->image,
				  (l->host.overlay ? STORE_OVERLAY : 0U) |
					  (l->share ? STORE_SHARE : 0U),
				  &l->keep_dir, &l->keep_lock, e);
	if (wants_scratch(l, &scratch) && !l->scratch_dir)
		return store_scratch(l->store, l->a, scratch, &l->scratch_dir, &l->scratch_lock, e);
	return 0;
}

/* ---- seccomp ---------------------------------------------------------------------------- */

const char *seccomp_digest(struct arena *a, const struct plan_seccomp *p)
{
	char *hex = arena_alloc(a, HEX_DIGEST_LEN + 1);

	hex_digest(p->prog, p->len * sizeof(*p->prog), hex);
	return hex;
}

static int seccomp_from_file(struct arena *a, const char *path, struct plan_seccomp *ret,
			     struct err *e)
{
	struct profile p = { 0 };
	char *text = NULL;
	size_t len = 0;
	int r = file_read_text(AT_FDCWD, path, a, SECCOMP_FILE_MAX, &text, &len);

	if (r < 0)
		return err_sys(e, -r, "%s", path);
	r = profile_compile(a, text, len, path, &p, e);
	if (r < 0)
		return r;
	*ret = (struct plan_seccomp){ .prog = p.prog, .len = p.len, .name = path };
	ret->digest = seccomp_digest(a, ret);
	return 0;
}

int seccomp_choose(struct arena *a, const char *name, struct plan_seccomp *ret, struct err *e)
{
	if (str_eq(name, "unconfined")) {
		*ret = (struct plan_seccomp){ .name = "unconfined" };
		return 0;
	}
	for (int k = 0; k < PROFILE_COUNT; k++) {
		struct profile p = profile_builtin((enum profile_kind)k);

		if (!p.name || !str_eq(p.name, name))
			continue;
		*ret = (struct plan_seccomp){ .prog = p.prog, .len = p.len, .name = p.name };
		return 0;
	}
	return seccomp_from_file(a, name, ret, e);
}

/* --user 0 is --root, with whatever group. */
static bool is_root_name(const char *user)
{
	size_t n = user ? strcspn(user, ":") : 0;

	return (n == 1 && user[0] == '0') || (n == 4 && str_after(user, "root"));
}

/* 32-bit libraries would be of no use: nothing that is linked with them runs. */
static int check_compat32(const struct request *q, struct err *e)
{
	if (!q->gpu_caps || q->seccomp || !strstr(q->gpu_caps, "compat32"))
		return 0;
	err_set(e, ENOTSUP,
		"--gpu-caps compat32: 32-bit programs do not run behind the built-in seccomp "
		"filter, "
		"which has 64-bit system calls only");
	err_hint(e, "--security-opt seccomp=unconfined, or a profile of your own that has them");
	return -ENOTSUP;
}

int launch_choose_seccomp(struct launch *l, struct err *e)
{
	static const enum profile_kind kinds[2][2] = {
		{ PROFILE_DEFAULT, PROFILE_ROOT },
		{ PROFILE_NESTED, PROFILE_NESTED_ROOT },
	};
	const struct request *q = l->q;
	const bool root = q->userns == USERNS_SINGLE && (q->root || is_root_name(q->user));
	const char *name = q->seccomp ? q->seccomp : profile_builtin(kinds[q->nested][root]).name;

	int r = l->bundle ? 0 : check_compat32(q, e);

	return r < 0 ? r : seccomp_choose(l->a, name, &l->seccomp, e);
}

bool launch_was_said(struct launch *l, const char *text)
{
	if (strv_has(&l->said, text))
		return true;
	strv_push(l->a, &l->said, arena_strdup(l->a, text));
	return false;
}

bool launch_drop_scratch(struct launch *l)
{
	if (!l->scratch_dir || l->q->scratch || !job_scratch(l))
		return false;
	(void)store_scratch_remove(l->scratch_dir);
	l->scratch_lock = fd_close(l->scratch_lock);
	l->scratch_dir = NULL;
	l->scratch_refused = true;
	return true;
}

/*
 * What has a path is left alone when paths mean the container's files.  The process ends here:
 * memory, descriptors and the locks that they hold are the kernel's to take back.
 */
void launch_end(struct launch *l)
{
	if (l->inside)
		return;
	if (l->state_fd >= 0)
		state_end(&l->home, &l->state, l->state_fd);
	if (l->scratch_dir)
		(void)store_scratch_remove(l->scratch_dir);
}

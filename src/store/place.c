/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - where the stores are, and whether they can be trusted.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/log.h>
#include <gpurun/str.h>

/* As in statfs(2) and the file systems' own sources. */
static const struct {
	uint32_t magic;
	const char *name;
} network_fs[] = {
	{ 0x6969, "NFS" },        { 0x0bd00bd0, "Lustre" }, { 0x47504653, "GPFS" },
	{ 0xff534d42, "CIFS" },   { 0xfe534d42, "SMB2" },   { 0x517b, "SMB" },
	{ 0x5346414f, "AFS" },    { 0x6b414653, "AFS" },    { 0x00c36400, "Ceph" },
	{ 0x19830326, "BeeGFS" }, { 0xaad7aaea, "PanFS" },  { 0x20030528, "OrangeFS" },
	{ 0x7461636f, "OCFS2" },  { 0x01161970, "GFS2" },   { 0x73757245, "Coda" },
	{ 0x01021997, "9p" },     { 0x65735546, "FUSE" },   { 0x564c, "NCP" },
};

static const char *const directories[] = {
	STORE_LAYERS, STORE_TREES, STORE_IMAGES, STORE_NAMES, STORE_FILES,
	STORE_LOCK,   STORE_TMP,   STORE_TRASH,  STORE_KEEP,  STORE_SCRATCH, /* last: see below */
};

#define STORE_VERSION_UPPER "V1"

#define HINT_ELSEWHERE "name a directory of yours on a local disk: --store DIR or GPURUN_STORE=DIR"

static const char *network_name(int fd)
{
	struct statfs sf;

	if (fstatfs(fd, &sf) < 0)
		return NULL;
	for (size_t i = 0; i < ELEMENTS(network_fs); i++) {
		if ((uint32_t)sf.f_type == network_fs[i].magic)
			return network_fs[i].name;
	}
	return NULL;
}

bool store_is_local_disk(const char *dir)
{
	_cleanup_fd_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs sf;

	return fd >= 0 && fstatfs(fd, &sf) == 0 && sf.f_type != TMPFS_MAGIC &&
	       sf.f_type != RAMFS_MAGIC && !network_name(fd);
}

/* Make @path and what is missing above it; ours alone. */
static int make_parents(struct arena *a, const char *path)
{
	char *copy = arena_strdup(a, path);

	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
			return -errno;
		*p = '/';
	}
	return mkdir(copy, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/*
 * Two names that differ in case only must be two files, or layers would lose some.  Asked by the
 * name of the directory that was just made, so that nothing is left of the question.
 */
static int check_case(int fd, const char *path, struct err *e)
{
	struct stat lower, upper;

	if (fstatat(fd, STORE_VERSION, &lower, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "%s: store", path);
	if (fstatat(fd, STORE_VERSION_UPPER, &upper, AT_SYMLINK_NOFOLLOW) < 0 ||
	    upper.st_ino != lower.st_ino)
		return 0;
	err_set(e, EINVAL, "%s: the file system does not tell upper case from lower case", path);
	err_hint(e, HINT_ELSEWHERE);
	return -EINVAL;
}

static int make_layout(int fd, const char *path, struct err *e)
{
	_cleanup_fd_ int v1 = -1;
	int r;

	if (mkdirat(fd, STORE_VERSION, 0700) == 0) {
		r = check_case(fd, path, e);
		if (r < 0) {
			(void)unlinkat(fd, STORE_VERSION, AT_REMOVEDIR);
			return r;
		}
	} else if (errno != EEXIST) {
		return err_sys(e, errno, "%s: the store cannot be made", path);
	}
	v1 = openat(fd, STORE_VERSION, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (v1 < 0)
		return err_sys(e, errno, "%s/" STORE_VERSION, path);
	for (size_t i = 0; i < ELEMENTS(directories); i++) {
		if (mkdirat(v1, directories[i], 0700) < 0 && errno != EEXIST)
			return err_sys(e, errno, "%s/" STORE_VERSION "/%s", path, directories[i]);
	}
	return fd_take(&v1);
}

/* The layout is complete when the last directory of the table is there. */
static int open_layout(int fd, const char *path, struct err *e)
{
	_cleanup_fd_ int v1 =
		openat(fd, STORE_VERSION, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const char *last = directories[ELEMENTS(directories) - 1];

	if (v1 >= 0 && faccessat(v1, last, F_OK, 0) == 0)
		return fd_take(&v1);
	if (v1 < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s/" STORE_VERSION, path);
	return make_layout(fd, path, e);
}

/*
 * A store is nobody else's business, unless the user named one that others may read (a site's,
 * which they see through GPURUN_STORE_RO); writing is never theirs.
 */
static int check_owner(const char *path, const struct stat *st, uid_t uid, bool named,
		       struct err *e)
{
	if (st->st_uid != uid) {
		err_set(e, EPERM, "%s: the store belongs to uid %u, not to you", path, st->st_uid);
		err_hint(e, HINT_ELSEWHERE);
		return -EPERM;
	}
	if (st->st_mode & (named ? 022 : 077)) {
		err_set(e, EPERM, "%s: the store is open to others (mode %04o)", path,
			st->st_mode & 07777);
		err_hint(e, "chmod %s %s", named ? "go-w" : "700", path);
		return -EPERM;
	}
	return 0;
}

static int refuse_network(const char *path, const char *net, struct err *e)
{
	err_set(e, EXDEV, "%s: the store would be on a network file system (%s)", path, net);
	err_hint(e, HINT_ELSEWHERE);
	return -EXDEV;
}

/* What is there of @path: the network file system that it is on, or NULL. */
static const char *network_above(struct arena *a, const char *path)
{
	char *p = arena_strdup(a, path);

	for (;;) {
		_cleanup_fd_ int fd = open(p, O_PATH | O_CLOEXEC);
		char *slash = strrchr(p, '/');

		if (fd >= 0)
			return network_name(fd);
		if (!slash || slash == p)
			return NULL;
		*slash = '\0';
	}
}

static int open_directory(struct arena *a, const char *path, bool named, struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;
	int fd = open(path, flags);
	int r = 0;

	if (fd < 0 && errno == ENOENT) {
		/* do not even make the directory in a home that is on the network */
		const char *net = named ? NULL : network_above(a, path);

		if (net)
			return refuse_network(path, net, e);
		r = make_parents(a, path);
		fd = r == 0 ? open(path, flags) : -1;
	}
	if (fd >= 0)
		return fd;
	r = r < 0 ? -r : errno;
	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		r = -err_set(e, ELOOP, "%s: the store is a symbolic link", path);
	else
		err_sys(e, r, "%s: store", path);
	err_hint(e, HINT_ELSEWHERE);
	return -r;
}

/*
 * One candidate.  @named: the user asked for it, so a network file system is his decision.
 */
static int try_place(struct store *s, const char *path, bool named, struct err *e)
{
	_cleanup_fd_ int fd = open_directory(s->arena, path, named, e);
	const char *net;
	struct stat st;
	int v1, r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s: store", path);
	r = check_owner(path, &st, s->uid, named, e);
	if (r < 0)
		return r;
	net = named ? NULL : network_name(fd);
	if (net)
		return refuse_network(path, net, e);
	v1 = open_layout(fd, path, e);
	if (v1 < 0)
		return v1;
	s->own = (struct place){ .path = path, .fd = v1, .dev = st.st_dev };
	return 0;
}

static const char *default_home(struct arena *a, const struct store_options *o)
{
	if (o->xdg_data_home && *o->xdg_data_home == '/')
		return arena_printf(a, "%s/gpurun", o->xdg_data_home);
	if (o->home && *o->home == '/' && o->home[1])
		return arena_printf(a, "%s/.local/share/gpurun", o->home);
	return NULL;
}

int place_open(struct store *s, const struct store_options *o, struct err *e)
{
	const char *home = default_home(s->arena, o);
	struct err first = { .code = 0 };
	char cwd[PATH_MAX];

	if (o->dir && *o->dir == '/')
		return try_place(s, path_clean(s->arena, o->dir), true, e);
	if (o->dir && *o->dir && getcwd(cwd, sizeof(cwd)))
		return try_place(s, path_join(s->arena, cwd, o->dir), true, e);
	if (o->dir)
		return err_set(e, EINVAL, "--store: \"%s\" is no directory", o->dir);
	if (home && try_place(s, home, false, &first) == 0)
		return 0;
	if (first.code == EXDEV) /* nothing is wrong with a home on the network */
		first = (struct err){ .code = 0 };
	if (try_place(s, arena_printf(s->arena, "/var/tmp/gpurun-%u", o->uid), false, e) == 0)
		return 0;
	if (err_is_set(&first))
		*e = first; /* the place that people expect */
	return e && e->code ? -e->code : -EINVAL;
}

/* ---- stores that others keep for us ----------------------------------------------------- */

static const char *read_only_trust(const struct stat *st, uid_t uid)
{
	if (st->st_uid != 0 && st->st_uid != uid)
		return "it belongs neither to root nor to you";
	if (st->st_mode & S_IWOTH)
		return "everybody may write there";
	if (st->st_mode & S_IWGRP)
		return "a group may write there";
	return NULL;
}

static void open_read_only(struct store *s, const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct place p = { .path = path, .read_only = true };
	const char *why;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		log_warn("GPURUN_STORE_RO: %s is left out: %s", path, err_text(errno));
		return;
	}
	why = read_only_trust(&st, s->uid);
	if (why) {
		log_warn("GPURUN_STORE_RO: %s is left out: %s", path, why);
		return;
	}
	p.fd = openat(fd, STORE_VERSION, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	p.dev = st.st_dev;
	if (p.fd < 0 || fstat(p.fd, &st) < 0) {
		if (errno != ENOENT) /* without one it is merely empty */
			log_warn("GPURUN_STORE_RO: %s is left out: %s", path, err_text(errno));
		return;
	}
	why = read_only_trust(&st, s->uid);
	if (!why) {
		VEC_PUSH(s->arena, s->ro, s->n_ro, s->cap_ro, p);
		return;
	}
	log_warn("GPURUN_STORE_RO: %s/" STORE_VERSION " is left out: %s", path, why);
	(void)fd_close(p.fd);
}

void place_open_read_only(struct store *s, const char *list)
{
	struct strv paths = { 0 };

	if (!list || !*list)
		return;
	str_split(s->arena, list, ':', &paths);
	for (size_t i = 0; i < paths.n; i++) {
		if (*paths.v[i] == '/')
			open_read_only(s, path_clean(s->arena, paths.v[i]));
		else if (*paths.v[i])
			log_warn("GPURUN_STORE_RO: %s is left out: the path must be absolute",
				 paths.v[i]);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.c - reserve, publish and remove the record of one container.
 *
 * The lock is the truth: a record lives as long as its launcher holds the flock(2), which the
 * kernel takes away from a launcher that dies in whatever manner.  The order is
 *
 *	launcher: create (O_EXCL), lock, look whether the name still leads to the locked file
 *	sweeper:  open, try the lock, look whether the name still leads to it, unlink
 *
 * so a file between its creation and its lock may be swept, but never unnoticed: the launcher
 * finds its link count at zero and takes another id.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include <gpurun/fd.h>
#include <gpurun/json.h>
#include <gpurun/state.h>
#include <gpurun/str.h>

#include "state_file.h"

#define STATE_ID_TRIES 16
#define STATE_MNT      "mnt"

/* Is @fd a directory that only @uid can reach? */
static int dir_check_private(int fd, const char *path, uid_t uid, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (st.st_uid != uid)
		return err_set(e, EPERM, "%s: owned by uid %u, not by us", path, st.st_uid);
	if (st.st_mode & 077) {
		err_set(e, EPERM, "%s: mode %04o lets others in", path, st.st_mode & 07777);
		err_hint(e, "chmod 700 %s", path);
		return -EPERM;
	}
	return 0;
}

/* Open @path, made unless it is there: a directory (no link) of ours, mode 0700; -errno */
static int dir_open_private(const char *path, uid_t uid, struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	_cleanup_fd_ int fd = open(path, flags);
	int r;

	if (fd < 0 && errno == ENOENT) {
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return err_sys(e, errno, "%s", path);
		fd = open(path, flags);
	}
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	r = dir_check_private(fd, path, uid, e);
	return r < 0 ? r : fd_take(&fd);
}

/* mnt/ in the private directory @fd, where nobody else can have made anything. */
static int dir_make_mnt(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstatat(fd, STATE_MNT, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? 0 : err_sys(e, ENOTDIR, "%s/" STATE_MNT, path);
	if (errno == ENOENT && (mkdirat(fd, STATE_MNT, 0700) == 0 || errno == EEXIST))
		return 0;
	return err_sys(e, errno, "%s/" STATE_MNT, path);
}

/*
 * A runtime directory is used only when it is ours: sudo keeps the variable of the user that
 * called it, and a directory of root's in there would lock that user out.
 */
static bool runtime_dir_is_ours(const char *path, uid_t uid)
{
	struct stat st;

	return path && path[0] == '/' && stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == uid;
}

/* The places where the directory may be, the best first. */
static void dir_candidates(struct arena *a, const char *xdg_runtime_dir, uid_t uid,
			   struct strv *ret)
{
	if (runtime_dir_is_ours(xdg_runtime_dir, uid))
		strv_push(a, ret, path_join(a, xdg_runtime_dir, "gpurun"));
	strv_push(a, ret, arena_printf(a, "/dev/shm/gpurun-%u", uid));
}

const char *state_dir_name(struct arena *a, const char *xdg_runtime_dir, uid_t uid)
{
	struct strv places = { 0 };

	dir_candidates(a, xdg_runtime_dir, uid, &places);
	return places.v[0];
}

/*
 * Something stands there that is not ours: whoever put it there does not get to choose where the
 * directory is instead.  Any other failure is one of the place.
 */
static bool is_squatted(int r)
{
	return r == -EPERM || r == -ENOTDIR || r == -ELOOP;
}

int state_open(struct arena *a, const char *xdg_runtime_dir, uid_t uid, struct state_home *ret,
	       struct err *e)
{
	struct strv places = { 0 };
	struct err first = { 0 };

	dir_candidates(a, xdg_runtime_dir, uid, &places);
	for (size_t i = 0; i < places.n; i++) {
		struct err here = { 0 };
		_cleanup_fd_ int fd = dir_open_private(places.v[i], uid, &here);
		int r = fd < 0 ? fd : dir_make_mnt(fd, places.v[i], &here);

		if (r >= 0) {
			*ret = (struct state_home){ .path = places.v[i], .fd = fd_take(&fd) };
			return 0;
		}
		if (!err_is_set(&first) || is_squatted(r))
			first = here;
		if (is_squatted(r))
			break;
	}
	if (!first.hint[0])
		err_hint(&first, "set XDG_RUNTIME_DIR to a directory of yours (chmod 700)");
	if (e)
		*e = first;
	err_wrap(e, "no directory for the state of containers");
	return first.code ? -first.code : -EIO;
}

int state_dir(struct arena *a, const char *xdg_runtime_dir, uid_t uid, const char **ret,
	      struct err *e)
{
	struct state_home home = { .fd = -1 };
	int r = state_open(a, xdg_runtime_dir, uid, &home, e);

	if (r < 0)
		return r;
	*ret = home.path;
	(void)fd_close(home.fd);
	return 0;
}

/* Is that a directory of ours, private, and not in the list yet? */
static bool dir_is_another(const char *path, uid_t uid, const struct strv *have)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && dir_check_private(fd, path, uid, NULL) == 0 && !strv_has(have, path);
}

int state_dirs(struct arena *a, const char *xdg_runtime_dir, uid_t uid, struct strv *ret,
	       struct err *e)
{
	const char *session = arena_printf(a, "/run/user/%u", uid), *first = NULL;
	struct strv places = { 0 };
	int r = state_dir(a, xdg_runtime_dir, uid, &first, e);

	if (r < 0)
		return r;
	strv_push(a, ret, first);
	if (runtime_dir_is_ours(xdg_runtime_dir, uid) &&
	    !str_eq(path_clean(a, xdg_runtime_dir), session))
		return 0;
	dir_candidates(a, session, uid, &places);
	for (size_t i = 0; i < places.n; i++)
		if (dir_is_another(places.v[i], uid, ret))
			strv_push(a, ret, places.v[i]);
	return 0;
}

bool state_id_valid(const char *name)
{
	return strlen(name) == STATE_ID_LEN && num_is_hex(name, STATE_ID_LEN);
}

static int id_make(char id[STATE_ID_LEN + 1])
{
	uint8_t raw[STATE_ID_LEN / 2];

	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		return -EIO;
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(id + 2 * i, 3, "%02x", raw[i]);
	return 0;
}

/* A record that cannot be ours goes again; @r is handed through. */
static int record_undo(int dirfd, const char *id, int r)
{
	(void)unlinkat(dirfd, id, 0);
	return r;
}

/* Create and lock one file; -EEXIST or -ESTALE (swept before it was locked): take another id. */
static int file_reserve(int dirfd, const char *id)
{
	_cleanup_fd_ int fd = openat(dirfd, id, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return record_undo(dirfd, id, -errno);
	if (fstat(fd, &st) < 0)
		return record_undo(dirfd, id, -errno);
	return st.st_nlink == 0 ? -ESTALE : fd_take(&fd);
}

int state_begin(const struct state_home *home, struct state *st, int *ret_fd, struct err *e)
{
	int fd = -EEXIST;

	for (int i = 0; i < STATE_ID_TRIES && (fd == -EEXIST || fd == -ESTALE); i++) {
		int r = id_make(st->id);

		if (r < 0)
			return err_sys(e, -r, "getrandom");
		fd = file_reserve(home->fd, st->id);
	}
	if (fd < 0)
		return err_sys(e, -fd, "%s/%s", home->path, st->id);
	st->created = time(NULL);
	*ret_fd = fd;
	return 0;
}

void state_end(const struct state_home *home, const struct state *st, int fd)
{
	(void)unlinkat(home->fd, st->id, 0);
	(void)fd_close(fd);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root.c - files below a root directory that a stranger has filled.
 *
 * Every look-up of a path is one openat2 with RESOLVE_IN_ROOT: the kernel keeps absolute links,
 * ".." and renames under our feet inside.  Things are only ever created by a name without a
 * slash in a directory that is held open, never through a dangling link, and never in another
 * mount that only a link has led to: a stranger's link shall not choose where in a directory of
 * the host something is made.
 */
#include <gpurun/fd.h>
#include <gpurun/sys.h>

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Whether a look-up of ".." raced with a rename anywhere in the system (EAGAIN) is luck. */
#define ROOT_TRIES_OPEN 256
/* How often somebody may put something else in the place of what was just looked at. */
#define ROOT_TRIES_MAKE 8

#define ROOT_PARENT_MODE 0755

int root_open(int rootfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = -EAGAIN;

	if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE)
		how.mode = mode & 07777;
	for (int i = 0; i < ROOT_TRIES_OPEN && fd == -EAGAIN; i++)
		fd = sys_openat2(rootfd, path, &how);
	return fd;
}

/* STATX_MNT_ID is there since 5.8; statx(2) itself says when it could not tell. */
static bool same_mount(int a, int b)
{
	struct statx x, y;

	return statx(a, "", AT_EMPTY_PATH, STATX_MNT_ID, &x) == 0 &&
	       statx(b, "", AT_EMPTY_PATH, STATX_MNT_ID, &y) == 0 &&
	       x.stx_mask & y.stx_mask & STATX_MNT_ID && x.stx_mnt_id == y.stx_mnt_id;
}

/*
 * May something be made in @parent, which is @dir below the root?  In the root's own mount, in
 * another one that @dir names without links on the way, or in memory.  -EXDEV
 */
static int root_may_make(int rootfd, int parent, const char *dir)
{
	const struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
	};
	_cleanup_fd_ int plain = -1;
	struct statfs fs;

	if (same_mount(rootfd, parent) || (fstatfs(parent, &fs) == 0 && fs.f_type == TMPFS_MAGIC))
		return 0;
	plain = sys_openat2(rootfd, *dir ? dir : "/", &how);
	return plain < 0 ? -EXDEV : 0;
}

/*
 * Make @name, one component, in the directory @parent.  @prefix is the whole path up to and
 * with it, for the case that it is there (".." is, or somebody else has made it meanwhile): then
 * @ret_made is false.  A dangling link stays what it is: -EEXIST.
 */
static int root_mkdir_one(int rootfd, int parent, const char *prefix, const char *name, mode_t mode,
			  bool *ret_made)
{
	int fd;

	*ret_made = false;
	if (mkdirat(parent, name, mode) == 0) {
		fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		*ret_made = fd >= 0;
		return fd < 0 ? -errno : fd;
	}
	if (errno != EEXIST)
		return -errno;
	fd = root_open(rootfd, prefix, O_PATH | O_DIRECTORY, 0);
	return fd == -ENOENT ? -EEXIST : fd;
}

static char *skip_slashes(char *p)
{
	while (*p == '/')
		p++;
	return p;
}

/*
 * Walk @path, which is cut at every slash for a moment and restored.  Below a directory that was
 * just made there is nothing to be found, and no link has led there.
 */
static int root_walk(int rootfd, char *path, mode_t mode)
{
	_cleanup_fd_ int cur = root_open(rootfd, "/", O_PATH | O_DIRECTORY, 0);
	char *p = skip_slashes(path);
	bool made = false;

	while (cur >= 0 && *p) {
		char *end = strchrnul(p, '/');
		char *next = skip_slashes(end);
		char cut = *end;
		int fd;

		*end = '\0';
		fd = made ? -ENOENT : root_open(rootfd, path, O_PATH | O_DIRECTORY, 0);
		if (fd == -ENOENT) {
			const char first = *p;

			*p = '\0';
			fd = made ? 0 : root_may_make(rootfd, cur, path);
			*p = first;
			if (fd == 0)
				fd = root_mkdir_one(rootfd, cur, path, p,
						    *next ? ROOT_PARENT_MODE : mode, &made);
		}
		*end = cut;
		(void)fd_close(cur);
		cur = fd;
		p = next;
	}
	return fd_take(&cur);
}

int root_mkdirs(int rootfd, const char *path, mode_t mode)
{
	char copy[PATH_MAX];
	size_t n = strlen(path);
	int fd;

	if (n >= sizeof(copy))
		return -ENAMETOOLONG;
	fd = root_open(rootfd, n ? path : "/", O_PATH | O_DIRECTORY, 0);
	if (fd != -ENOENT)
		return fd;
	memcpy(copy, path, n + 1);
	return root_walk(rootfd, copy, mode);
}

/*
 * Make the regular file @name in @parent, or open what is there; a link there is known to lead
 * nowhere and goes.  -EAGAIN: it changed under us, look again.  mknodat never opens what
 * somebody put there, and needs no privilege for a regular file.
 */
static int root_mkfile_one(int parent, const char *name, mode_t mode)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (mknodat(parent, name, S_IFREG | (mode & 07777), 0) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode))
		return fd_take(&fd);
	if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
		return -errno;
	return -EAGAIN;
}

int root_mkfile(int rootfd, const char *path, mode_t mode)
{
	char copy[PATH_MAX];
	size_t n = strlen(path);
	char *name;
	int r = -EAGAIN;

	if (n >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, path, n + 1);
	name = strrchr(copy, '/');
	name = name ? name + 1 : copy;
	for (int i = 0; i < ROOT_TRIES_MAKE && r == -EAGAIN; i++) {
		_cleanup_fd_ int parent = -1;
		char first;

		r = root_open(rootfd, path, O_PATH, 0);
		if (r != -ENOENT)
			return r;
		if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			return -EISDIR;
		first = *name;
		*name = '\0';
		parent = root_mkdirs(rootfd, copy, ROOT_PARENT_MODE);
		r = parent < 0 ? parent : root_may_make(rootfd, parent, copy);
		*name = first;
		if (r < 0)
			return r;
		r = root_mkfile_one(parent, name, mode);
	}
	return r;
}

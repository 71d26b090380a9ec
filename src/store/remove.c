/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remove.c - delete without recursion: a directory that is not empty is moved up to the top,
 * where its turn comes.  Depth costs neither descriptors nor stack, and every name is handled
 * at most twice.  Directories of mode 0 (overlayfs leaves one in every work directory, a
 * container may make more) are opened up first.
 */
#include "remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>

#include "rename.h"

struct remover {
	int top;
	unsigned long long serial; /* of the next name at the top */
	struct removed *count;
};

static void count_one(struct remover *r, const struct stat *st)
{
	if (!r->count)
		return;
	r->count->entries++;
	if (S_ISDIR(st->st_mode) || st->st_nlink == 1)
		r->count->bytes += (uint64_t)st->st_blocks * 512;
}

static bool enough(const struct remover *r)
{
	return r->count && r->count->limit > 0 && r->count->entries >= r->count->limit;
}

/*
 * All rights on a directory for us, and on nothing that a link with its name leads to.  /proc is
 * the way to a descriptor that was opened without rights (fchmodat2 is younger than the floor).
 */
static int open_up(int dirfd, const char *name)
{
	_cleanup_fd_ int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char path[sizeof("/proc/self/fd/") + 10];

	if (fd < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fchmodat(AT_FDCWD, path, 0700, 0) < 0 ? -errno : 0;
}

/* Move the directory @name up; its own mode counts too, since its ".." changes. */
static int move_up(struct remover *r, int dirfd, const char *name)
{
	char to[48];
	int err = open_up(dirfd, name);

	if (err < 0)
		return err == -ENOENT ? 0 : err;
	do {
		(void)snprintf(to, sizeof(to), "%d.%llu", (int)getpid(), r->serial++);
		err = rename_new(dirfd, name, r->top, to);
	} while (err == -EEXIST);
	return err == -ENOENT ? 0 : err;
}

/* One name: gone afterwards, or, a directory that is not empty, at the top. */
static int remove_name(struct remover *r, int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (unlinkat(dirfd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) == 0) {
		count_one(r, &st);
		return 0;
	}
	if (errno == ENOENT)
		return 0;
	if (!S_ISDIR(st.st_mode))
		return -errno;
	if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES && errno != EPERM)
		return -errno;
	return move_up(r, dirfd, name);
}

/* Everything in a directory at the top, then the directory. */
static int remove_top(struct remover *r, const char *name)
{
	_cleanup_fd_ int fd = -1;
	struct dirents ents;
	const char *child;
	struct stat st;
	int err, first = 0;

	if (fstatat(r->top, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return remove_name(r, r->top, name);
	if ((st.st_mode & 0700) != 0700 && (err = open_up(r->top, name)) < 0)
		return err == -ENOENT ? 0 : err;
	fd = openat(r->top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	dirents_begin(&ents, fd);
	while ((err = dirents_next(&ents, &child, NULL)) > 0) {
		err = enough(r) ? -EAGAIN : remove_name(r, fd, child);
		if (err == -EAGAIN)
			return err;
		if (err < 0 && first == 0)
			first = err;
	}
	if (err < 0 || first < 0)
		return err < 0 ? err : first;
	if (unlinkat(r->top, name, AT_REMOVEDIR) < 0)
		return errno == ENOENT || errno == ENOTEMPTY ? 0 : -errno; /* the next pass */
	count_one(r, &st);
	return 0;
}

int remove_contents(int fd, struct removed *n)
{
	struct remover r = { .top = fd, .count = n };
	bool again = true;

	while (again) {
		struct dirents ents;
		const char *name;
		int err, first = 0;

		again = false;
		if (lseek(fd, 0, SEEK_SET) < 0)
			return -errno;
		dirents_begin(&ents, fd);
		while ((err = dirents_next(&ents, &name, NULL)) > 0) {
			again = true;
			err = remove_top(&r, name);
			if (err == -EAGAIN)
				return err;
			if (err < 0 && first == 0)
				first = err;
		}
		if (err < 0 || first < 0)
			return err < 0 ? err : first;
	}
	return 0;
}

int remove_tree(int dirfd, const char *name, struct removed *n)
{
	_cleanup_fd_ int fd = -1;
	int r;

	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	r = open_up(dirfd, name);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = remove_contents(fd, n);
	if (r < 0)
		return r;
	return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fd.h - descriptors and files.  "Hold things, not names": open once below the right root,
 * check what you got, use the descriptor.  Every descriptor is born O_CLOEXEC.
 */
#ifndef GPURUN_FD_H
#define GPURUN_FD_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#include <gpurun/arena.h>

/** fd_close - close a valid descriptor, keep errno, return -1: "fd = fd_close(fd)" */
int fd_close(int fd);

static inline void fd_closep(int *fd)
{
	(void)fd_close(*fd);
}
#define _cleanup_fd_ __attribute__((cleanup(fd_closep)))

/** fd_take - hand a descriptor over: returns it and leaves -1 behind */
static inline int fd_take(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

/** fd_write_all - write all of @n bytes; -errno */
int fd_write_all(int fd, const void *buf, size_t n);

/** fd_read_up_to - read until @n bytes or end of file; the count or -errno */
ssize_t fd_read_up_to(int fd, void *buf, size_t n);

/** fd_pread_up_to - the same from offset @off, which the file's position does not follow */
ssize_t fd_pread_up_to(int fd, void *buf, size_t n, off_t off);

/**
 * fd_read_text - a whole file as a NUL-terminated string in the arena
 * @max: largest accepted size in bytes; -EFBIG above
 * @ret_len: may be NULL
 */
int fd_read_text(int fd, struct arena *a, size_t max, char **ret, size_t *ret_len);

/** fd_read_sized - the same where fstat(2) said @size: no read only to hear that it has ended */
int fd_read_sized(int fd, struct arena *a, off_t size, size_t max, char **ret, size_t *ret_len);

/** file_read_text - the same for a path below @dirfd (O_NONBLOCK, regular files and procfs) */
int file_read_text(int dirfd, const char *path, struct arena *a, size_t max, char **ret,
		   size_t *ret_len);

/** file_write - write an existing file (procfs and the like) in one write(2) */
int file_write(int dirfd, const char *path, const char *data, size_t n);

/**
 * root_open - openat2 of @path inside the root directory @rootfd
 * Links are resolved inside the root (RESOLVE_IN_ROOT), magic links never.  EAGAIN is retried.
 * @flags: open(2) flags; O_CLOEXEC is added.  @mode: for O_CREAT.
 * Return: descriptor or -errno.
 */
int root_open(int rootfd, const char *path, int flags, mode_t mode);

/**
 * root_mkdirs - make the directory @path and its parents inside the root, through links that
 * are there already (resolved inside the root), never through a dangling one (-EEXIST), and
 * never in a mount to which only a link leads (-EXDEV), tmpfs excepted
 * @mode: of the last component; parents are made 0755; both less the umask
 * Return: O_PATH descriptor of the directory, or -errno.
 */
int root_mkdirs(int rootfd, const char *path, mode_t mode);

/**
 * root_mkfile - make an empty regular file @path (and its parents, 0755) unless something is
 * there; a dangling final link is replaced; -EXDEV as above
 * Return: O_PATH descriptor of what is there now, or -errno.
 */
int root_mkfile(int rootfd, const char *path, mode_t mode);

#endif

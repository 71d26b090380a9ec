/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fd.c - descriptors and whole files.
 */
#include <gpurun/fd.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

int fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd); /* never again on EINTR: Linux has closed it */
	errno = saved;
	return -1;
}

/* Somebody else may have made a shared pipe non-blocking: wait instead of losing bytes. */
static int fd_wait_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

int fd_write_all(int fd, const void *buf, size_t n)
{
	const char *p = buf;

	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w > 0) {
			p += w;
			n -= (size_t)w;
		} else if (w == 0) {
			return -EIO;
		} else if (errno == EAGAIN) {
			int r = fd_wait_writable(fd);

			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* @off: from there, -1: from the file's own position */
static ssize_t fd_fill(int fd, void *buf, size_t n, off_t off)
{
	size_t got = 0;

	while (got < n) {
		char *to = (char *)buf + got;
		ssize_t r =
			off < 0 ? read(fd, to, n - got) : pread(fd, to, n - got, off + (off_t)got);

		if (r == 0)
			break;
		if (r > 0)
			got += (size_t)r;
		else if (errno != EINTR)
			return -errno;
	}
	return (ssize_t)got;
}

ssize_t fd_read_up_to(int fd, void *buf, size_t n)
{
	return fd_fill(fd, buf, n, -1);
}

ssize_t fd_pread_up_to(int fd, void *buf, size_t n, off_t off)
{
	return off < 0 ? -EINVAL : fd_fill(fd, buf, n, off);
}

/* How much room to start with: the size where the file system tells it, one byte for the end. */
static size_t fd_size_hint(int fd, size_t least, size_t max)
{
	struct stat st;
	size_t cap = least;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= (off_t)least)
		cap = (uint64_t)st.st_size >= max ? max + 1 : (size_t)st.st_size + 1;
	return cap;
}

/*
 * Most files read here (procfs, sysfs, configuration) end within the first page, and procfs
 * says that its sizes are 0: start on the stack, go on in the arena.
 */
int fd_read_text(int fd, struct arena *a, size_t max, char **ret, size_t *ret_len)
{
	char first[4096];
	char *buf = first;
	ssize_t r = fd_read_up_to(fd, first, sizeof(first));
	size_t len, cap = sizeof(first);

	if (r < 0)
		return (int)r;
	len = (size_t)r;
	while (len == cap && len <= max) {
		cap = buf == first ? fd_size_hint(fd, 2 * sizeof(first), max) : cap * 2;
		buf = arena_grow(a, buf, len, cap + 1, 1);
		r = fd_read_up_to(fd, buf + len, cap - len);
		if (r < 0)
			return (int)r;
		len += (size_t)r;
	}
	if (len > max)
		return -EFBIG;
	if (buf == first) {
		buf = arena_alloc(a, len + 1);
		memcpy(buf, first, len);
	}
	buf[len] = '\0';
	*ret = buf;
	if (ret_len)
		*ret_len = len;
	return 0;
}

int fd_read_sized(int fd, struct arena *a, off_t size, size_t max, char **ret, size_t *ret_len)
{
	ssize_t len;
	char *buf;

	if (size <= 0) /* procfs does not tell */
		return fd_read_text(fd, a, max, ret, ret_len);
	if ((uint64_t)size > max)
		return -EFBIG;
	buf = arena_alloc(a, (size_t)size + 1);
	len = fd_read_up_to(fd, buf, (size_t)size);
	if (len < 0)
		return (int)len;
	*ret = buf;
	if (ret_len)
		*ret_len = (size_t)len;
	return 0;
}

int file_read_text(int dirfd, const char *path, struct arena *a, size_t max, char **ret,
		   size_t *ret_len)
{
	_cleanup_fd_ int fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return fd_read_sized(fd, a, st.st_size, max, ret, ret_len);
}

int file_write(int dirfd, const char *path, const char *data, size_t n)
{
	_cleanup_fd_ int fd = openat(dirfd, path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	ssize_t w;

	if (fd < 0)
		return -errno;
	do
		w = write(fd, data, n);
	while (w < 0 && errno == EINTR);
	if (w < 0)
		return -errno;
	return (size_t)w == n ? 0 : -EIO;
}

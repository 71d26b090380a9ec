/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.c - where the lines of --audit go.
 *
 *	/a/file   appended to, one write(2) a line
 *	fd:N      a descriptor that our caller left open
 *	journal   systemd's, by its own protocol
 *	syslog    /dev/log
 *
 * A daemon that takes nothing and a lock that somebody holds make us late by TARGET_SECONDS at most.
 * A reader at the other end of fd:N is our caller's business.
 */
#include "target.h"

#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <time.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#define TARGET_SECONDS 2
#define LOCK_TRY_MS    5
#define FD_MAX         (1U << 20)

#ifndef NFS_SUPER_MAGIC
#define NFS_SUPER_MAGIC 0x6969
#endif

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET  "/dev/log"

struct target_kind {
	int (*open)(struct arena *a, const char *text, struct target *t, struct err *e);
	int (*write)(struct arena *a, struct target *t, const char *line, size_t len,
		     const struct target_field *fields, size_t n_fields);
};

/* ---- a file ----------------------------------------------------------------------------- */

/*
 * In a directory where everybody may make files somebody may have made this one, to read what is
 * written, or as another name of a file of ours.
 */
static int file_check(const char *path, int dir, int fd, struct err *e)
{
	struct stat d, f;

	if (fstat(dir, &d) < 0 || fstat(fd, &f) < 0)
		return err_sys(e, errno, "--audit %s", path);
	if (!S_ISREG(f.st_mode)) {
		err_set(e, EINVAL, "--audit %s: not a regular file", path);
		err_hint(e, "an open pipe or terminal is named by its number: --audit fd:2");
		return -EINVAL;
	}
	if (f.st_nlink > 1)
		return err_set(e, EPERM, "--audit %s: the file has other names (hard links)", path);
	if ((d.st_mode & S_IWOTH) && f.st_uid != geteuid() && f.st_uid != d.st_uid)
		return err_set(e, EPERM,
			       "--audit %s: it belongs to user %u and lies in a directory where "
			       "everybody may make files",
			       path, (unsigned int)f.st_uid);
	return 0;
}

/* O_NONBLOCK: a FIFO without a reader is refused, not waited for. */
static int file_openat(int dir, const char *name)
{
	const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
	int fd = -1;

	/* twice: logrotate(8) may take it away in between */
	for (int i = 0; i < 2 && fd < 0; i++) {
		fd = openat(dir, name, flags | O_CREAT | O_EXCL, 0600);
		if (fd < 0 && errno == EEXIST)
			fd = openat(dir, name, flags);
		if (fd < 0 && errno != ENOENT)
			break;
	}
	return fd;
}

static int file_open(struct arena *a, const char *path, struct target *t, struct err *e)
{
	_cleanup_fd_ int dir = -1, fd = -1;
	struct statfs fs;
	int r;

	dir = open(path_dir(a, path), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, errno, "--audit %s: %s", path, path_dir(a, path));
	fd = file_openat(dir, path_base(path));
	if (fd < 0 && errno == ELOOP) {
		err_set(e, ELOOP, "--audit %s: a symbolic link is not followed", path);
		err_hint(e, "name the file itself, or an open descriptor: --audit fd:1");
		return -ELOOP;
	}
	if (fd < 0 && errno == ENXIO)
		return err_set(e, ENXIO, "--audit %s: not a regular file", path);
	if (fd < 0)
		return err_sys(e, errno, "--audit %s", path);
	r = file_check(path, dir, fd, e);
	if (r < 0)
		return r;
	t->network = fstatfs(fd, &fs) == 0 && fs.f_type == NFS_SUPER_MAGIC;
	t->fd = fd_take(&fd);
	return 0;
}

/* Not for ever: whoever may open the file may hold the lock. */
static bool file_lock(int fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_TRY_MS * 1000000L };

	for (int i = 0; i < TARGET_SECONDS * 1000 / LOCK_TRY_MS; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return false;
}

/*
 * The kernel appends a write(2) as a whole, or, to a disk that is full, in part.  That part is taken
 * back, unless another process has appended behind it: half a line would spoil the next one, too.
 */
static int append_or_not(int fd, const char *line, size_t len)
{
	size_t done = 0;
	struct stat st;
	off_t end;
	int r = 0;

	while (r == 0 && done < len) {
		ssize_t n = write(fd, line + done, len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r = n == 0 ? -EIO : -errno;
	}
	if (r == 0 || done == 0)
		return r;
	end = lseek(fd, 0, SEEK_CUR);
	if (end >= (off_t)done && fstat(fd, &st) == 0 && st.st_size == end)
		(void)!ftruncate(fd, end - (off_t)done); /* chattr +a: it stays */
	return r;
}

/*
 * A client of NFS only believes to know where the end
 * is; the lock makes it ask.
 */
int target_append(int fd, bool network, const char *line, size_t len)
{
	bool locked = network && file_lock(fd);
	int r = append_or_not(fd, line, len);

	if (locked)
		(void)flock(fd, LOCK_UN);
	return r;
}

static int file_write_line(struct arena *a, struct target *t, const char *line, size_t len,
			   const struct target_field *fields, size_t n_fields)
{
	(void)a, (void)fields, (void)n_fields;
	return target_append(t->fd, t->network, line, len);
}

/* ---- fd:N ------------------------------------------------------------------------------- */

/*
 * Ours are close-on-exec from birth, inherited ones are not: so N cannot be one of ours.  From
 * here on it is close-on-exec, too: it was left open for the record and not for the command, which
 * else could write what it likes.  The standard ones are the command's.
 */
static int fd_open(struct arena *a, const char *text, struct target *t, struct err *e)
{
	const char *digits = str_after(text, "fd:");
	uint64_t n = 0;
	int flags;

	(void)a;
	if (!digits || num_u64(digits, FD_MAX, &n) < 0)
		return err_set(e, EINVAL, "--audit %s: not the number of a descriptor", text);
	flags = fcntl((int)n, F_GETFD);
	if (flags < 0 || flags & FD_CLOEXEC) {
		err_set(e, EBADF, "--audit %s: descriptor %d is not open", text, (int)n);
		err_hint(e, "open it for gpurun: gpurun --audit fd:%d ... %d>>FILE", (int)n,
			 (int)n);
		return -EBADF;
	}
	flags = fcntl((int)n, F_GETFL);
	if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == O_RDONLY)
		return err_set(e, EBADF, "--audit %s: descriptor %d is not open for writing", text,
			       (int)n);
	if (n > STDERR_FILENO && fcntl((int)n, F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(e, errno, "--audit %s", text);
	t->fd = (int)n;
	return 0;
}

/* A pipe or socket whose reader is gone is an error to tell, not a signal to die of. */
static int fd_write_line(struct arena *a, struct target *t, const char *line, size_t len,
			 const struct target_field *fields, size_t n_fields)
{
	const struct timespec now = { 0 };
	sigset_t pipe, old, pending;
	int r;

	(void)a, (void)fields, (void)n_fields;
	(void)sigemptyset(&pipe);
	(void)sigaddset(&pipe, SIGPIPE);
	(void)sigpending(&pending);
	(void)sigprocmask(SIG_BLOCK, &pipe, &old);
	r = fd_write_all(t->fd, line, len);
	if (r == -EPIPE && sigismember(&pending, SIGPIPE) == 0)
		(void)sigtimedwait(&pipe, NULL, &now);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

/* ---- sockets ---------------------------------------------------------------------------- */

static int socket_connect(const char *path, int type)
{
	const struct timeval limit = { .tv_sec = TARGET_SECONDS };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	_cleanup_fd_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	memcpy(to.sun_path, path, strlen(path) + 1);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return fd_take(&fd);
}

static int socket_failed(int r, const char *name, const char *path, struct err *e)
{
	err_sys(e, -r, "--audit %s: %s", name, path);
	err_hint(e, "nothing listens there; a file is always there: --audit FILE");
	return r;
}

static int journal_open(struct arena *a, const char *text, struct target *t, struct err *e)
{
	(void)a;
	t->fd = socket_connect(JOURNAL_SOCKET, SOCK_DGRAM);
	return t->fd < 0 ? socket_failed(t->fd, text, JOURNAL_SOCKET, e) : 0;
}

/* Datagrams at nearly every site; syslog-ng may want a stream. */
static int syslog_connect(void)
{
	int fd = socket_connect(SYSLOG_SOCKET, SOCK_DGRAM);

	return fd == -EPROTOTYPE ? socket_connect(SYSLOG_SOCKET, SOCK_STREAM) : fd;
}

static int syslog_open(struct arena *a, const char *text, struct target *t, struct err *e)
{
	time_t now = time(NULL);
	struct tm tm;

	(void)a;
	t->offset = localtime_r(&now, &tm) ? tm.tm_gmtoff : 0;
	t->fd = syslog_connect();
	return t->fd < 0 ? socket_failed(t->fd, text, SYSLOG_SOCKET, e) : 0;
}

/* A stream may take less than all; a datagram goes as a whole. */
static int socket_send(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static bool root_is_same(const struct target *t)
{
	struct stat st;

	return stat("/", &st) == 0 && st.st_dev == t->root_dev && st.st_ino == t->root_ino;
}

/* The daemon may have been restarted since: weeks may lie between two lines. */
static int socket_write(struct target *t, const char *text, size_t len, int (*connect_again)(void))
{
	int r = socket_send(t->fd, text, len);
	int fd;

	if ((r != -ECONNREFUSED && r != -ENOTCONN && r != -ECONNRESET && r != -EPIPE) ||
	    !root_is_same(t))
		return r;
	fd = connect_again();
	if (fd < 0)
		return fd;
	(void)fd_close(t->fd);
	t->fd = fd;
	return socket_send(fd, text, len);
}

static int journal_connect(void)
{
	return socket_connect(JOURNAL_SOCKET, SOCK_DGRAM);
}

static int journal_write(struct arena *a, struct target *t, const char *line, size_t len,
			 const struct target_field *fields, size_t n_fields)
{
	size_t n;
	const char *text = target_journal_text(a, line, len, fields, n_fields, &n);

	return socket_write(t, text, n, journal_connect);
}

static bool socket_is_stream(int fd)
{
	socklen_t size = sizeof(int);
	int type = SOCK_DGRAM;

	(void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	return type == SOCK_STREAM;
}

/* On a stream the NUL ends a message, as libc's syslog(3) does it. */
static int syslog_write(struct arena *a, struct target *t, const char *line, size_t len,
			const struct target_field *fields, size_t n_fields)
{
	int64_t now = (int64_t)time(NULL) + t->offset;
	size_t n;
	const char *text = target_syslog_text(a, line, len, now, getpid(), &n);

	(void)fields, (void)n_fields;
	return socket_write(t, text, n + socket_is_stream(t->fd), syslog_connect);
}

/* ---- the table ---------------------------------------------------------------------------- */

static const struct target_kind kind_file = { file_open, file_write_line };
static const struct target_kind kind_fd = { fd_open, fd_write_line };
static const struct target_kind kind_journal = { journal_open, journal_write };
static const struct target_kind kind_syslog = { syslog_open, syslog_write };

static const struct target_kind *kind_find(const char *text)
{
	if (text[0] == '/')
		return &kind_file;
	if (str_after(text, "fd:"))
		return &kind_fd;
	if (str_eq(text, "journal"))
		return &kind_journal;
	return str_eq(text, "syslog") ? &kind_syslog : NULL;
}

int target_open(struct arena *a, const char *text, struct target *ret, struct err *e)
{
	struct target t = { .kind = kind_find(text), .name = text, .fd = -1 };
	struct stat st;
	int r;

	if (!t.kind)
		return err_set(e, EINVAL,
			       "--audit %s: neither a file nor journal, syslog, fd:N or none",
			       text);
	if (stat("/", &st) == 0) {
		t.root_dev = st.st_dev;
		t.root_ino = st.st_ino;
	}
	r = t.kind->open(a, text, &t, e);
	if (r >= 0)
		*ret = t;
	return r < 0 ? r : 0;
}

int target_write(struct arena *a, struct target *t, const char *line, size_t len,
		 const struct target_field *fields, size_t n_fields)
{
	return t->kind->write(a, t, line, len, fields, n_fields);
}

void target_close(struct target *t)
{
	t->fd = fd_close(t->fd);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * exec.c - step exec: from our process to the user's command.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/sys.h>

#include "child.h"

/* With a terminal: a session of its own, the pty as 0, 1, 2 and controlling terminal. */
static int session_start(struct child *c, struct err *e)
{
	if (c->tty < 0)
		return 0;
	if (setsid() < 0)
		return err_sys(e, errno, "new session");
	if (ioctl(c->tty, TIOCSCTTY, 0) < 0)
		return err_sys(e, errno, "controlling terminal");
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup3(c->tty, fd, 0) < 0)
			return err_sys(e, errno, "terminal as descriptor %d", fd);
	return 0;
}

/*
 * Our descriptors are closed before the exec, not by it: the kernel looks the command up while they
 * are still there, and an image may name its command, or the interpreter of a script,
 * /proc/self/fd/N/usr/bin/... of the host (as with CVE-2024-21626).  Two stay until the exec closes
 * them: the sync socket, and the lock of a step, which nobody may take while we can be seen in the
 * container but not be entered.
 */
static int step_lock(const struct child *c)
{
	return c->share ? c->share->lock : -1;
}

static unsigned int lower_of(unsigned int next, int fd, unsigned int from)
{
	return fd >= 0 && (unsigned int)fd >= from && (unsigned int)fd < next ? (unsigned int)fd
									      : next;
}

/* The lowest descriptor from @from on that is still needed; UINT_MAX when there is none. */
static unsigned int next_kept(const struct child *c, unsigned int from)
{
	const struct plan_process *p = &c->plan->process;
	unsigned int next = lower_of(UINT_MAX, c->sync, from);

	next = lower_of(next, step_lock(c), from);
	for (size_t i = 0; i < p->n_preserve_fds; i++)
		next = lower_of(next, p->preserve_fds[i], from);
	return next;
}

/* Everything above 2, but for the descriptors that were asked for. */
static int others_close(struct child *c, struct err *e)
{
	unsigned int from = STDERR_FILENO + 1, kept;

	do {
		int r;

		kept = next_kept(c, from);
		r = kept > from ? sys_close_range(from, kept - 1, 0) : 0;
		if (r < 0)
			return err_sys(e, -r, "close_range");
		from = kept + 1;
	} while (kept != UINT_MAX);
	return 0;
}

/*
 * Only what is ours: born close-on-exec, which nothing can be that came through an exec.  One
 * poll(2) for all numbers would not do: it says of O_PATH descriptors that they are not open.
 */
static void ours_close(struct child *c)
{
	for (int fd = 0; fd < c->fd_end; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0 && (flags & FD_CLOEXEC) && fd != c->sync && fd != step_lock(c))
			(void)fd_close(fd);
	}
}

static int descriptors_close(struct child *c, struct err *e)
{
	const struct plan_process *p = &c->plan->process;
	int r = 0;

	if (p->keep_fds)
		ours_close(c);
	else
		r = others_close(c, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < p->n_preserve_fds; i++)
		if (fcntl(p->preserve_fds[i], F_SETFD, 0) < 0)
			return err_sys(e, errno, "descriptor %d (--preserve-fd)",
				       p->preserve_fds[i]);
	return 0;
}

static char *const *exec_vector(const struct strv *s)
{
	/* execve(2) takes pointers to char and promises not to write */
	return (char *const *)(uintptr_t)s->v;
}

/* -errno of the attempt; ENOENT of an existing file means its interpreter is missing */
static int try_exec(const struct plan_process *p, const char *file)
{
	struct stat st;

	execve(file, exec_vector(&p->argv), exec_vector(&p->env));
	if (errno == ENOENT && stat(file, &st) == 0)
		return -ELIBBAD;
	if (errno == EACCES && stat(file, &st) == 0 && S_ISDIR(st.st_mode))
		return -EISDIR;
	return -errno;
}

/* One entry of PATH, @n bytes long; an empty one is the current directory. */
static int try_in_dir(const struct plan_process *p, const char *dir, size_t n, const char *name)
{
	size_t len = strlen(name);
	char file[4096];

	if (n + len + 2 > sizeof(file))
		return -ENOENT;
	memcpy(file, dir, n);
	file[n] = '/';
	memcpy(file + n + 1, name, len + 1);
	return try_exec(p, n ? file : name);
}

/*
 * Look argv[0] up as execvp(3) does: absent entries are passed over, a file that cannot be
 * executed is remembered.  Return the -errno that says most.
 */
static int exec_in_path(const struct plan_process *p, const char *path)
{
	const char *name = p->argv.v[0];
	int result = -ENOENT;

	if (strchr(name, '/'))
		return try_exec(p, name);
	while (*path) {
		size_t n = (size_t)(strchrnul(path, ':') - path);
		int r = try_in_dir(p, path, n, name);

		if (r == -EACCES || r == -EISDIR || r == -ELIBBAD)
			result = r;
		else if (r != -ENOENT && r != -ENOTDIR)
			return r;
		path += n + (path[n] == ':');
	}
	return result;
}

static int exec_failed(const struct plan_process *p, int r, struct err *e)
{
	const char *name = p->argv.v[0];

	if (r == -ENOENT || r == -ENOTDIR) {
		if (strchr(name, '/'))
			err_sys(e, -r, "%s", name);
		else
			err_set(e, -r, "%s: not found in PATH of the container (%s)", name,
				p->path);
		e->status = EXIT_NOT_FOUND;
		return r;
	}
	if (r == -ELIBBAD) {
		err_set(e, -r, "%s: its interpreter (#! line or dynamic loader) is missing inside",
			name);
		e->status = EXIT_NOT_FOUND;
		return r;
	}
	if (r == -EISDIR)
		err_set(e, EISDIR, "%s: is a directory", name);
	else
		err_sys(e, -r, "%s", name);
	if (r == -ENOEXEC)
		err_hint(e, "a script needs a first line like #!/bin/sh; a program must be of this "
			    "machine's architecture");
	e->status = EXIT_CANNOT_RUN;
	return r;
}

int step_exec(struct child *c, struct err *e)
{
	const struct plan_process *p = &c->plan->process;
	int r;

	r = session_start(c, e);
	if (r == 0)
		r = descriptors_close(c, e);
	if (r < 0)
		return r;
	if (c->driver != DRIVER_ENTER)
		(void)umask(c->umask);
	if (c->sync >= 0)
		r = sync_send(c->sync, SYNC_EXEC, NULL, -1);
	if (r < 0)
		return err_sys(e, -r, "announce the command");
	/* a command that takes our place has what our caller chose for it */
	if (!p->exec)
		signals_reset(c->ignores, &c->ignored);
	return exec_failed(p, exec_in_path(p, p->path ? p->path : ""), e);
}

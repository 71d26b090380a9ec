// SPDX-License-Identifier: Apache-2.0
/*
 * relay.c - the launcher's side of the container's terminal: our terminal raw, bytes both ways.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <gpurun/fd.h>

#include "child.h"

#define CTRL_D   4          /* what ends input on a terminal */
#define LEFT_MAX (1U << 20) /* more than a terminal holds */

static void raw_on(struct relay *r)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &r->saved) < 0)
		return;
	t = r->saved;
	cfmakeraw(&t);
	r->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &t) == 0;
}

/**
 * relay_start - take the master side; our own terminal becomes raw where stdin is one
 * The slave is held as well: a command that closes its descriptors (a daemon) would leave the
 * master at its end, and to close that would hang the command up.
 */
int relay_start(struct relay *r, int master)
{
	int flags = fcntl(master, F_GETFL);

	r->master = master;
	if (flags < 0 || fcntl(master, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	r->slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (r->slave < 0)
		return -errno;
	r->stdin_open = true;
	raw_on(r);
	return 0;
}

/** relay_winsize - carry our window's size over */
void relay_winsize(const struct relay *r)
{
	struct winsize ws;

	if (r->master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) == 0)
		(void)ioctl(r->master, TIOCSWINSZ, &ws);
}

/** relay_poll_set - what to wait for: [0] stdin, [1] the master, [2] stdout */
void relay_poll_set(const struct relay *r, struct pollfd set[3])
{
	bool open = r->master >= 0;

	set[0] = (struct pollfd){ .fd = open && r->stdin_open && r->up_len == 0 ? STDIN_FILENO : -1,
				  .events = POLLIN };
	set[1] = (struct pollfd){ .fd = open ? r->master : -1,
				  .events = (short)((r->down_len == 0 ? POLLIN : 0) |
						    (r->up_len ? POLLOUT : 0)) };
	set[2] = (struct pollfd){ .fd = open && r->down_len ? STDOUT_FILENO : -1,
				  .events = POLLOUT };
}

/* Write what is there; keep what did not fit.  -errno when the other side is gone. */
static int flush(int fd, char *buf, size_t *len)
{
	ssize_t n = write(fd, buf, *len);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	*len -= (size_t)n;
	memmove(buf, buf + n, *len);
	return 0;
}

/* The end of input; the first of two hands an unfinished line over, as when it is typed. */
static void end_input(struct relay *r)
{
	r->stdin_open = false;
	if (r->in_line)
		r->up[r->up_len++] = CTRL_D;
	r->up[r->up_len++] = CTRL_D;
}

static void read_stdin(struct relay *r)
{
	ssize_t n = read(STDIN_FILENO, r->up, sizeof(r->up));

	if (n > 0) {
		r->up_len = (size_t)n;
		r->in_line = r->up[n - 1] != '\n';
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		end_input(r);
	}
}

/* -EIO: there is nothing more to come, ever */
static int read_master(struct relay *r)
{
	ssize_t n = read(r->master, r->down, sizeof(r->down));

	if (n > 0)
		r->down_len = (size_t)n;
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ? -EIO : 0;
}

static void drop_master(struct relay *r)
{
	r->slave = fd_close(r->slave);
	r->master = fd_close(r->master);
}

/** relay_move - do what poll found possible */
void relay_move(struct relay *r, const struct pollfd set[3])
{
	if (set[0].fd >= 0 && set[0].revents)
		read_stdin(r);
	if (set[2].fd >= 0 && set[2].revents && flush(STDOUT_FILENO, r->down, &r->down_len) < 0)
		r->down_len = 0; /* our reader is gone: the command's output goes nowhere */
	if (set[1].fd < 0 || !set[1].revents)
		return;
	if ((set[1].revents & POLLOUT) && r->up_len && flush(r->master, r->up, &r->up_len) < 0)
		r->up_len = 0;
	if ((set[1].revents & (POLLIN | POLLHUP | POLLERR)) && r->down_len == 0 &&
	    read_master(r) < 0)
		drop_master(r);
}

/** relay_suspend, relay_resume - around a stop of the launcher */
void relay_suspend(struct relay *r)
{
	if (r->raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
}

void relay_resume(struct relay *r)
{
	if (r->raw)
		raw_on(r);
	relay_winsize(r);
}

/*
 * What the command has written and nobody has read yet.  A process that outlives it may go on
 * writing, as fast as we read: it is not waited for.
 */
void relay_finish(struct relay *r)
{
	for (size_t left = 0; r->master >= 0 && left < LEFT_MAX; left += r->down_len) {
		if (r->down_len && fd_write_all(STDOUT_FILENO, r->down, r->down_len) < 0)
			break;
		r->down_len = 0;
		if (read_master(r) < 0 || r->down_len == 0)
			break;
	}
	if (r->raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
	r->raw = false;
	drop_master(r);
}

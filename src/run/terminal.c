// SPDX-License-Identifier: Apache-2.0
/*
 * terminal.c - step terminal: a pty of the container's own devpts, so that ttyname(3) works
 * inside and nothing typed inside can reach the caller's terminal (TIOCSTI).
 *
 * The slave comes from TIOCGPTPEER, never from a path (CVE-2025-52565); the master goes to the
 * launcher.  The window size is set here, before the command can ask for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <gpurun/fd.h>

#include "child.h"

static void winsize_copy(int master)
{
	struct winsize ws;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (ioctl(fd, TIOCGWINSZ, &ws) == 0) {
			(void)ioctl(master, TIOCSWINSZ, &ws);
			return;
		}
}

int step_terminal(struct child *c, struct err *e)
{
	_cleanup_fd_ int master = -1;
	int unlock = 0;
	int r;

	if (!c->plan->process.tty)
		return 0;
	master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0)
		return err_sys(e, errno, "/dev/pts/ptmx");
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_sys(e, errno, "unlock the terminal");
	c->tty = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c->tty < 0)
		return err_sys(e, errno, "open the terminal");
	winsize_copy(master);
	r = sync_send(c->sync, SYNC_TERMINAL, NULL, master);
	return r < 0 ? err_sys(e, -r, "hand over the terminal") : 0;
}

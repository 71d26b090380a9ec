// SPDX-License-Identifier: Apache-2.0
/*
 * The end of a relay: what the command has left on its terminal comes out, and who goes on writing
 * there is not waited for.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/run/child.h"
#include "tap.h"

/* A master as relay_start() leaves it, and its slave. */
static int terminal(int *ret_slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 ||
	    fcntl(master, F_SETFL, O_NONBLOCK) < 0)
		return -1;
	*ret_slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *ret_slave < 0 ? -1 : master;
}

/* Standard output, which the relay writes to, is @fd meanwhile. */
static void finish_into(struct relay *r, int fd)
{
	int out = dup(STDOUT_FILENO);

	(void)fflush(stdout);
	(void)dup2(fd, STDOUT_FILENO);
	relay_finish(r);
	(void)dup2(out, STDOUT_FILENO);
	(void)close(out);
}

static void test_rest(void)
{
	struct relay r = { .slave = -1 };
	char text[64] = "";
	int out[2], slave;

	r.master = terminal(&slave);
	ok(r.master >= 0 && pipe(out) == 0 && write(slave, "the end", 7) == 7, "something is left");
	finish_into(&r, out[1]);
	(void)close(out[1]);
	ok(read(out[0], text, sizeof(text) - 1) == 7, "it comes out");
	is_str(text, "the end", "all of it");
	ok(r.master < 0, "the terminal is given back");
	(void)close(out[0]);
	(void)close(slave);
}

/* Slower than what writes, so that there is always more; and tells whether that was too much. */
static __attribute__((noinline)) _Noreturn void read_slowly(int fd)
{
	char text[4096];
	size_t all = 0;
	ssize_t n;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	do {
		usleep(500);
		n = read(fd, text, sizeof(text));
		all += n > 0 ? (size_t)n : 0;
	} while (n > 0 && all < 2U << 20);
	_exit(n > 0);
}

static __attribute__((noinline)) _Noreturn void write_on(int fd)
{
	char noise[4096];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(noise, 'y', sizeof(noise));
	while (write(fd, noise, sizeof(noise)) > 0)
		;
	_exit(0);
}

static void test_endless(void)
{
	static const char full[4096];
	struct relay r = { .slave = -1 };
	int slave, out[2], status = -1;
	pid_t reader, writer;

	r.master = terminal(&slave);
	ok(r.master >= 0 && pipe2(out, O_CLOEXEC) == 0 && fcntl(out[1], F_SETPIPE_SZ, 4096) > 0 &&
		   write(out[1], full, sizeof(full)) == sizeof(full),
	   "a terminal, and a reader that is slow");
	(void)fflush(stdout);
	reader = fork();
	if (reader == 0) {
		(void)close(out[1]);
		read_slowly(out[0]);
	}
	writer = fork();
	if (writer == 0) {
		(void)close(out[1]);
		write_on(slave);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(30);
	(void)close(out[0]);
	(void)poll(&(struct pollfd){ .fd = r.master, .events = POLLIN }, 1, -1);
	finish_into(&r, out[1]);
	(void)alarm(0);
	ok(r.master < 0, "somebody goes on writing: it ends all the same");
	(void)close(out[1]);
	(void)kill(writer, SIGKILL);
	ok(waitpid(reader, &status, 0) == reader && status == 0, "before long");
	(void)waitpid(writer, NULL, 0);
	(void)close(slave);
}

int main(void)
{
	test_rest();
	test_endless();
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conversation.c - our side of the unpack worker.
 */
#include "conversation.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/log.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "sandbox.h"

#define ERRNO_MAX 4095 /* as the kernel has it */
#define WORDS_MAX 256

static const int ours[] = { SIGINT, SIGTERM, SIGHUP };

/* Where the worker has its descriptors; above them there is nothing. */
enum { FD_SOCK = 3, FD_SOURCE, FD_STAGE, FD_FREE };

/*
 * Nothing of the parent's but three descriptors, and a pipe for last words (the arena's, an
 * assertion's): who has the terminal can write to it, and who has /dev/null, as root, can give it
 * another mode.  They are first moved out of the way of the numbers that they shall have.
 */
static int keep_descriptors(int sock, const struct worker_input *in, int words)
{
	const int from[] = { sock, in->source, in->stage };
	int high[ELEMENTS(from)];
	int empty = memfd_create("gpurun", MFD_CLOEXEC);

	if (empty < 0 || dup3(empty, STDIN_FILENO, 0) < 0 || dup3(empty, STDOUT_FILENO, 0) < 0)
		return -errno;
	/* AddressSanitizer has more to say than fits into a message */
	if (!SANDBOX_ASAN && dup3(words, STDERR_FILENO, 0) < 0)
		return -errno;
	for (size_t i = 0; i < ELEMENTS(from); i++) {
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FD_FREE);
		if (high[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < ELEMENTS(from); i++) {
		if (dup3(high[i], FD_SOCK + (int)i, O_CLOEXEC) < 0)
			return -errno;
	}
	return sys_close_range(FD_FREE, ~0U, 0);
}

/* In the child, which has not become a worker: @sock is what it was. */
static __attribute__((noreturn)) void fail_worker(const struct worker_input *in, int sock, int err)
{
	struct msg m = { .type = MSG_FAILED };

	err_sys(&m.err, -err, "%s: the unpack worker", in->ref->text);
	(void)!send(sock, &m, sizeof(m), MSG_NOSIGNAL);
	_exit(EXIT_GPURUN);
}

/*
 * In the child: Ctrl-C is the parent's to hear, and there is no life without the parent.  A file
 * over the limit of its user's is an error with a name, as a full disk is.
 */
static __attribute__((noreturn)) void become_worker(const struct worker_input *in, int sock,
						    int words, const sigset_t *mask, pid_t parent)
{
	struct worker_input mine = *in;
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_GPURUN);
	r = keep_descriptors(sock, in, words);
	if (r < 0)
		fail_worker(in, sock, r);
	mine.source = FD_SOURCE;
	mine.stage = FD_STAGE;
	for (size_t i = 0; i < ELEMENTS(ours); i++)
		(void)signal(ours[i], ours[i] == SIGTERM ? SIG_DFL : SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	worker_run(&mine, FD_SOCK);
}

static int block_signals(struct conversation *c)
{
	sigset_t mask;

	(void)sigemptyset(&mask);
	for (size_t i = 0; i < ELEMENTS(ours); i++) {
		struct sigaction now;

		/* nohup and the like: what is ignored stays so */
		if (sigaction(ours[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			(void)sigaddset(&mask, ours[i]);
	}
	if (sigprocmask(SIG_BLOCK, &mask, &c->old_mask) < 0)
		return -errno;
	c->signals = signalfd(-1, &mask, SFD_CLOEXEC);
	if (c->signals < 0) {
		int r = -errno;

		(void)sigprocmask(SIG_SETMASK, &c->old_mask, NULL);
		return r;
	}
	return 0;
}

static int start_worker(struct conversation *c, const struct worker_input *in)
{
	_cleanup_fd_ int sock = -1, words = -1;
	const pid_t parent = getpid();
	int pair[2], ends[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	c->sock = pair[0];
	sock = pair[1];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	c->words = ends[0];
	words = ends[1];
	r = block_signals(c);
	if (r < 0)
		return r;
	c->pid = fork();
	if (c->pid == 0)
		become_worker(in, sock, words, &c->old_mask, parent);
	return c->pid < 0 ? -errno : 0;
}

int conversation_begin(struct conversation *c, const struct worker_input *in, const char *label,
		       bool quiet, struct err *e)
{
	int r;

	*c = (struct conversation){
		.pid = -1, .sock = -1, .words = -1, .signals = -1, .label = label, .quiet = quiet
	};
	r = start_worker(c, in);
	if (r < 0) {
		conversation_end(c);
		return err_sys(e, -r, "%s: the unpack worker", label);
	}
	return 0;
}

int conversation_order(struct conversation *c, const struct msg *m, struct err *e)
{
	ssize_t n;

	do
		n = send(c->sock, m, sizeof(*m), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	/* a worker that is gone has said why, or is asked in conversation_hear */
	if (n < 0 && errno != EPIPE && errno != ECONNRESET)
		return err_sys(e, errno, "%s: the unpack worker", c->label);
	return 0;
}

static unsigned int percent(uint64_t done, uint64_t total)
{
	return done >= total ? 100 : (unsigned int)((double)done / (double)total * 100);
}

static void show_progress(const struct conversation *c, const struct msg *m)
{
	const double mib = 1 << 20;

	if (c->quiet)
		return;
	if (m->total > 0)
		log_progress("unpacking %s: %u of %u layers, %u%% (%.0f MiB written)", c->label,
			     m->layer, m->layers, percent(m->done, m->total),
			     (double)m->bytes / mib);
	else
		log_progress("unpacking %s: %u of %u layers (%.0f MiB written)", c->label, m->layer,
			     m->layers, (double)m->bytes / mib);
}

static void show_layer(const struct conversation *c, const struct msg *m)
{
	if (c->quiet || log_is_terminal())
		return;
	log_note("%s: layer %u of %u unpacked (%.1f MiB)", c->label, m->layer + 1, c->layers,
		 (double)m->bytes / (1 << 20));
}

/* The worker may have been taken over: nothing that it says may be used unchecked. */
static bool msg_is_sane(struct conversation *c, struct msg *m)
{
	m->diff_id[IMAGE_ID_HEX] = '\0';
	m->err.msg[ERR_MSG_MAX - 1] = '\0';
	m->err.hint[ERR_HINT_MAX - 1] = '\0';
	m->err.status = 0; /* what we end with, and what kind of failure it is, is ours to say */
	m->err.topic = 0;
	if (m->err.code < 0 || m->err.code > ERRNO_MAX)
		m->err.code = EPROTO;
	switch (m->type) {
	case MSG_MANIFEST:
		c->layers = m->layers;
		return m->layers <= IMAGE_LAYERS_MAX;
	case MSG_PROGRESS:
		return m->layers <= c->layers && m->layer <= m->layers;
	case MSG_LAYER:
		return m->layer < c->layers && num_is_hex(m->diff_id, IMAGE_ID_HEX) &&
		       strlen(m->diff_id) == IMAGE_ID_HEX;
	case MSG_DEPENDENT:
	case MSG_DONE:
		return true;
	case MSG_FAILED:
		return m->err.msg[0] != '\0';
	default:
		return false;
	}
}

/* The first line of what it wrote to stderr, as the end of a message. */
static const char *last_words(const struct conversation *c, char text[WORDS_MAX])
{
	static const char between[] = ": ";
	const size_t at = sizeof(between) - 1;
	const char *rest;
	ssize_t n;

	memcpy(text, between, sizeof(between));
	n = read(c->words, text + at, WORDS_MAX - at - 1);
	text[n > 0 ? at + (size_t)n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	rest = str_after(text + (*text ? at : 0), "gpurun: ");
	if (rest)
		memmove(text + at, rest, strlen(rest) + 1);
	return text;
}

static int say_death(struct conversation *c, struct err *e)
{
	char words[WORDS_MAX];
	int status = 0;

	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = -1;
	if (WIFSIGNALED(status)) {
		err_set(e, EIO, "%s: the unpack worker was ended by signal %d (%s)", c->label,
			WTERMSIG(status), strsignal(WTERMSIG(status)));
		if (WTERMSIG(status) == SIGKILL)
			err_hint(e, "was there too little memory? see: dmesg");
		return -EIO;
	}
	return err_set(e, EIO, "%s: the unpack worker ended with status %d%s", c->label,
		       WEXITSTATUS(status), last_words(c, words));
}

static int say_signal(struct conversation *c, struct err *e)
{
	struct signalfd_siginfo info = { .ssi_signo = SIGTERM };

	(void)!read(c->signals, &info, sizeof(info));
	err_set(e, EINTR, "%s: interrupted while it was unpacked; nothing is left behind",
		c->label);
	if (e)
		e->status = 128 + (int)info.ssi_signo;
	return -EINTR;
}

/* One message; 1: there is one in @m */
static int receive(struct conversation *c, struct msg *m, struct err *e)
{
	ssize_t n = recv(c->sock, m, sizeof(*m), 0);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return say_death(c, e);
	if (n != (ssize_t)sizeof(*m) || !msg_is_sane(c, m))
		return err_set(e, EPROTO, "%s: the unpack worker speaks nonsense", c->label);
	return 1;
}

static int handle(struct conversation *c, struct msg *m, struct err *e)
{
	if (m->type == MSG_PROGRESS) {
		show_progress(c, m);
		return 0;
	}
	log_progress(NULL);
	if (m->type == MSG_FAILED) {
		if (e)
			*e = m->err;
		return m->err.code > 0 ? -m->err.code : -EINVAL;
	}
	if (m->type == MSG_LAYER)
		show_layer(c, m);
	return 1;
}

int conversation_hear(struct conversation *c, struct msg *ret, struct err *e)
{
	struct pollfd p[] = { { .fd = c->sock, .events = POLLIN },
			      { .fd = c->signals, .events = POLLIN } };
	int r = 0;

	while (r == 0) {
		if (poll(p, ELEMENTS(p), -1) < 0 && errno != EINTR)
			return err_sys(e, errno, "%s: the unpack worker", c->label);
		if (p[1].revents)
			r = say_signal(c, e);
		else if (p[0].revents)
			r = receive(c, ret, e);
		if (r == 1)
			r = handle(c, ret, e);
	}
	if (r < 0)
		log_progress(NULL);
	return r < 0 ? r : 0;
}

void conversation_end(struct conversation *c)
{
	if (c->pid > 0) {
		(void)kill(c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
		c->pid = -1;
	}
	c->sock = fd_close(c->sock);
	c->words = fd_close(c->words);
	if (c->signals >= 0)
		(void)sigprocmask(SIG_SETMASK, &c->old_mask, NULL);
	c->signals = fd_close(c->signals);
}

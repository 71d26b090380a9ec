/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any messages of an unpack worker that was taken over: what is taken of them is in range and
 * ends, everything else ends the conversation with an error.
 */
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gpurun/fd.h>

#include "../../src/store/conversation.h"
#include "fuzz.h"

#define MESSAGES_MAX 16

static void check(const struct conversation *c, const struct msg *m)
{
	must(m->type == MSG_MANIFEST || m->type == MSG_LAYER || m->type == MSG_DEPENDENT ||
	     m->type == MSG_DONE);
	must(c->layers <= IMAGE_LAYERS_MAX);
	must(memchr(m->diff_id, '\0', sizeof(m->diff_id)) != NULL);
	if (m->type == MSG_MANIFEST)
		must(m->layers == c->layers);
	if (m->type == MSG_LAYER)
		must(m->layer < c->layers && num_is_hex(m->diff_id, IMAGE_ID_HEX));
}

/*
 * One message: the fields that are looked at from the input, the rest is what the input has in
 * front of the next one.  A wrong length now and then.
 */
static void put(int sock, struct feed *f)
{
	struct msg m = { .type = feed_pick(f, 12) };
	size_t len = feed_pick(f, 16) ? sizeof(m) : feed_pick(f, 255);
	char *text;

	m.layers = feed_pick(f, 8) ? feed_pick(f, 255) : UINT32_MAX;
	m.layer = feed_pick(f, 8) ? feed_pick(f, 255) : UINT32_MAX;
	m.bytes = m.total = (uint64_t)feed_pick(f, 255) << feed_pick(f, 64);
	m.done = (uint64_t)feed_pick(f, 255) << feed_pick(f, 64);
	text = feed_text(f, 0xff, NULL);
	memset(m.diff_id, 'a', sizeof(m.diff_id));
	memcpy(m.diff_id, text, strnlen(text, sizeof(m.diff_id)));
	memset(m.err.msg, 'x', sizeof(m.err.msg));
	memset(m.err.hint, 'y', sizeof(m.err.hint));
	m.err.code = (int)feed_pick(f, 255) - 100;
	if (feed_pick(f, 2))
		m.err.msg[0] = '\0';
	(void)send(sock, &m, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)16 << 20);
	struct feed f = { a, data, size };
	struct conversation c = { .pid = -1, .label = "x", .quiet = true };
	struct err e = { 0 };
	struct msg m;
	int pair[2], r = 0;
	sigset_t none;

	(void)sigemptyset(&none);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	c.sock = pair[0];
	c.signals = signalfd(-1, &none, SFD_CLOEXEC);
	(void)sigprocmask(SIG_SETMASK, NULL, &c.old_mask);
	for (int i = 0; f.n && i < MESSAGES_MAX; i++)
		put(pair[1], &f);
	(void)fd_close(pair[1]);
	while (r == 0) {
		e = (struct err){ 0 };
		r = conversation_hear(&c, &m, &e);
		must((r < 0) == (err_is_set(&e) != 0));
		must(memchr(e.msg, '\0', sizeof(e.msg)) && memchr(e.hint, '\0', sizeof(e.hint)));
		if (r == 0)
			check(&c, &m);
	}
	conversation_end(&c);
	return 0;
}

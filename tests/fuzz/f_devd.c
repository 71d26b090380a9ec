/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any message to the service that attaches device filters, with descriptors that are no cgroup of
 * the peer's: it answers once, refuses, and hands no descriptor back.  The first byte says what
 * comes along: nothing, a file, a directory, a socket, two of them.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/run.h>

#include "../../src/run/devd.h"
#include "fuzz.h"

/* -1: nothing is sent along */
static int companion(uint8_t how, int sock)
{
	switch (how % 4) {
	case 1:
		return open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	case 2:
		return open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	case 3:
		return fcntl(sock, F_DUPFD_CLOEXEC, 3);
	default:
		return -1;
	}
}

/* A request that is right but for what the input says: or nothing would come behind its head. */
static size_t mend(struct devd_request *q, const uint8_t *data, size_t size, uint8_t how)
{
	const size_t head = offsetof(struct devd_request, rules), n = ELEMENTS(devd_must);

	memset(q, 0, sizeof(*q));
	if (how & 0x40) {
		memcpy(q, data, size < sizeof(*q) ? size : sizeof(*q));
		return size < sizeof(*q) ? size : sizeof(*q);
	}
	memcpy(q->rules, devd_must, sizeof(devd_must));
	size = size < sizeof(q->rules) - sizeof(devd_must) ? size : 0;
	size -= size % sizeof(*q->rules);
	if (size)
		memcpy(q->rules + n, data, size);
	q->magic = DEVD_MAGIC;
	q->version = DEVD_VERSION;
	q->n = (uint32_t)(n + size / sizeof(*q->rules));
	return head + q->n * sizeof(*q->rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct devd_request q;
	struct devd_answer answer;
	struct err e = { 0 };
	int pair[2], fd = -1, got = -1;
	size_t len, n_fds = 0;

	if (size == 0)
		return 0;
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	len = mend(&q, data + 1, size - 1, data[0]);
	fd = companion(data[0], pair[1]);
	must(len == 0 || devd_send(pair[1], &q, len, fd) == 0);
	(void)shutdown(pair[1], SHUT_WR);
	must(run_devd_serve(pair[0], &e) < 0 && err_is_set(&e));
	memset(&answer, 'x', sizeof(answer));
	must(devd_receive(pair[1], &answer, sizeof(answer), &got, &n_fds) == sizeof(answer));
	must(got < 0 && n_fds == 0 && answer.magic == DEVD_MAGIC && answer.code > 0);
	must(answer.text[0] && memchr(answer.text, '\0', sizeof(answer.text)) != NULL);
	(void)fd_close(fd);
	(void)fd_close(pair[0]);
	(void)fd_close(pair[1]);
	return 0;
}

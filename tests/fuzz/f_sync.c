/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any records on the socket between child and launcher: each is a record, the end, or a refusal;
 * its strings end, and a descriptor comes only with the one that carries it.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gpurun/fd.h>

#include "../../src/run/child.h"
#include "fuzz.h"

#define RECORDS_MAX 8

/* The next @n bytes as one record; @fd goes along, or -1. */
static void put(int sock, const uint8_t *p, size_t n, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)p, n };
	union {
		struct cmsghdr h;
		char buf[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE(sizeof(int));
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.h), &fd, sizeof(int));
	}
	must(sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n);
}

static void check(const struct sync_record *rec, int fd, pid_t pid, bool sent_fd)
{
	must(memchr(rec->err.msg, '\0', sizeof(rec->err.msg)) != NULL);
	must(memchr(rec->err.hint, '\0', sizeof(rec->err.hint)) != NULL);
	must((fd >= 0) == sent_fd && pid == getpid());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sync_record rec;
	bool sent_fd[RECORDS_MAX];
	int pair[2], r, fd = -1;
	size_t n = 0;
	pid_t pid;

	must(sync_pair(pair) == 0);
	/* a byte says how long the record is, in units of 8, and whether it has a descriptor */
	for (; size > 1 && n < RECORDS_MAX; n++) {
		size_t len = (size_t)(data[0] >> 1) * 16;

		sent_fd[n] = data[0] & 1;
		data++;
		size--;
		len = len && len < size ? len : size;
		put(pair[1], data, len, sent_fd[n] ? pair[1] : -1);
		data += len;
		size -= len;
	}
	(void)fd_close(pair[1]);
	for (size_t i = 0; i < n; i++) {
		rec = (struct sync_record){ .type = 0 };
		r = sync_receive(pair[0], &rec, &fd, &pid);
		must(r == 1 || r == -EPROTO);
		if (r == 1)
			check(&rec, fd, pid, sent_fd[i]);
		(void)fd_close(fd);
	}
	must(sync_receive(pair[0], &rec, &fd, &pid) == 0 && fd < 0);
	(void)fd_close(pair[0]);
	return 0;
}

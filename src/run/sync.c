// SPDX-License-Identifier: Apache-2.0
/*
 * sync.c - the child's only voice: records over a SEQPACKET socket to the launcher.
 *
 * The launcher's end has SO_PASSCRED, so the kernel stamps every record with the sender's pid
 * as the launcher sees it: that is how it learns the payload's pid across the PID namespace.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <gpurun/fd.h>

#include "child.h"

/**
 * sync_pair - make the socket pair
 * @ret: [0] the launcher's end, [1] the child's
 */
int sync_pair(int ret[2])
{
	int on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
		return -errno;
	if (setsockopt(ret[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
		int r = -errno;

		(void)fd_close(ret[0]);
		(void)fd_close(ret[1]);
		return r;
	}
	return 0;
}

int message_send(int sock, const struct iovec *iov, size_t n, int fd)
{
	union {
		struct cmsghdr h;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n };

	if (fd >= 0) {
		m.msg_control = control.buf;
		m.msg_controllen = sizeof(control.buf);
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.h), &fd, sizeof(int));
	}
	while (sendmsg(sock, &m, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/**
 * sync_send - one record
 * @err: for SYNC_ERROR, else NULL
 * @fd:  descriptor to hand over, or -1
 */
int sync_send(int sock, enum sync_type type, const struct err *err, int fd)
{
	static const struct err none;
	uint32_t t = type;
	const struct iovec iov[2] = {
		{ .iov_base = &t, .iov_len = sizeof(t) },
		{ .iov_base = (void *)(uintptr_t)(err ? err : &none), .iov_len = sizeof(none) },
	};

	return message_send(sock, iov, err ? 2 : 1, fd);
}

static void sync_control(struct msghdr *m, int *ret_fd, pid_t *ret_pid)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		struct ucred cred;

		if (h->cmsg_level != SOL_SOCKET)
			continue;
		if (h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(int))) {
			memcpy(ret_fd, CMSG_DATA(h), sizeof(int));
		} else if (h->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&cred, CMSG_DATA(h), sizeof(cred));
			*ret_pid = cred.pid;
		}
	}
}

int sync_receive(int sock, struct sync_record *ret, int *ret_fd, pid_t *ret_pid)
{
	uint32_t t = 0;
	struct iovec iov[2] = {
		{ .iov_base = &t, .iov_len = sizeof(t) },
		{ .iov_base = &ret->err, .iov_len = sizeof(ret->err) },
	};
	union {
		struct cmsghdr h;
		char buf[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct msghdr m = { .msg_iov = iov,
			    .msg_iovlen = 2,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	ssize_t n;

	*ret_fd = -1;
	*ret_pid = 0;
	memset(&ret->err, 0, sizeof(ret->err));
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	sync_control(&m, ret_fd, ret_pid);
	if ((size_t)n < sizeof(t))
		return -EPROTO;
	ret->type = (enum sync_type)t;
	ret->err.msg[ERR_MSG_MAX - 1] = '\0';
	ret->err.hint[ERR_HINT_MAX - 1] = '\0';
	return 1;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * devd.c - have gpurun devd attach the device filter: the client, and the messages of both sides.
 *
 * The service is root's, and yet it is not believed: what it hands back must be a link of the
 * kernel's that holds a device program on this very cgroup, or there is no filter.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "child.h"
#include "devd.h"

int devd_patience(int sock, int seconds)
{
	const struct timeval tv = { .tv_sec = seconds };

	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0 ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
		return -errno;
	return 0;
}

int devd_send(int sock, const void *data, size_t len, int fd)
{
	const struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };

	return message_send(sock, &iov, 1, fd);
}

/* The descriptors of a message: one is kept, more are none. */
static void take_fds(struct msghdr *m, int *ret_fd, size_t *ret_n)
{
	int fds[DEVD_FDS_MAX];
	size_t n = 0;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		size_t bytes = h->cmsg_len - CMSG_LEN(0);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS ||
		    bytes > sizeof(fds) - n * sizeof(int))
			continue;
		memcpy(fds + n, CMSG_DATA(h), bytes);
		n += bytes / sizeof(int);
	}
	*ret_n = n;
	if (n == 1)
		*ret_fd = fds[0];
	for (size_t i = 0; n > 1 && i < n; i++)
		(void)fd_close(fds[i]);
}

int devd_receive(int sock, void *data, size_t size, int *ret_fd, size_t *ret_n)
{
	struct iovec iov = { .iov_base = data, .iov_len = size };
	union {
		struct cmsghdr h;
		char buf[CMSG_SPACE(DEVD_FDS_MAX * sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	ssize_t n;

	*ret_fd = -1;
	*ret_n = 0;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	take_fds(&m, ret_fd, ret_n);
	if (m.msg_flags & MSG_CTRUNC) { /* more than there was room for */
		*ret_fd = fd_close(*ret_fd);
		*ret_n = DEVD_FDS_MAX + 1;
	}
	return m.msg_flags & MSG_TRUNC ? -EMSGSIZE : (int)n;
}

/* ---- the client ------------------------------------------------------------------------------- */

static int service_connect(struct err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = DEVICE_SOCKET };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int r = sock < 0 ? -errno : devd_patience(sock, DEVD_CLIENT_PATIENCE);

	if (r == 0 && connect(sock, (struct sockaddr *)&at, sizeof(at)) < 0)
		r = -errno;
	if (r == 0)
		return sock;
	(void)fd_close(sock);
	return err_sys(e, -r, "gpurun devd");
}

static int service_ask(int sock, int cgroup, const struct plan_devices *d, struct err *e)
{
	struct devd_request q = { .magic = DEVD_MAGIC,
				  .version = DEVD_VERSION,
				  .n = (uint32_t)d->n };
	int r;

	if (d->n > DEVICE_RULES_MAX)
		return err_sys(e, E2BIG, "gpurun devd");
	memcpy(q.rules, d->rules, d->n * sizeof(*d->rules));
	r = devd_send(sock, &q, offsetof(struct devd_request, rules) + d->n * sizeof(*d->rules),
		      cgroup);
	return r < 0 ? err_sys(e, -r, "gpurun devd") : 0;
}

static int service_answer(int sock, struct err *e)
{
	_cleanup_fd_ int link = -1;
	struct devd_answer a;
	size_t n_fds = 0;
	int n = devd_receive(sock, &a, sizeof(a), &link, &n_fds);

	if (n < 0)
		return err_sys(e, -n, "gpurun devd: no answer");
	if (n == 0)
		return err_set(e, EPIPE, "gpurun devd: no answer");
	if ((size_t)n != sizeof(a) || a.magic != DEVD_MAGIC || a.version != DEVD_VERSION)
		return err_set(e, EPROTO, "gpurun devd: is of another version");
	a.text[DEVD_TEXT_MAX - 1] = '\0';
	if (a.code != 0)
		return err_set(e, a.code > 0 ? a.code : EPERM, "gpurun devd: %s", a.text);
	if (link < 0)
		return err_set(e, EPROTO, "gpurun devd: no link in its answer");
	return fd_take(&link);
}

/* The number behind "\nKEY:\t"; 0: there is none */
static uint64_t field(const char *text, const char *key)
{
	const char *p = strstr(text, key);
	uint64_t v = 0;

	for (p = p ? p + strlen(key) : ""; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	return v;
}

#define FDINFO_MAX 1024

/* What the kernel says of the descriptor.  (bpf(2) would not tell an ordinary user everywhere.) */
static int link_confirm(int link, int cgroup, struct err *e)
{
	char path[64], text[FDINFO_MAX];
	struct stat st;
	_cleanup_fd_ int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", link);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : fd_read_up_to(fd, text, sizeof(text) - 1);
	if (n <= 0 || fstat(cgroup, &st) < 0)
		return err_set(e, EIO, "%s: cannot be read", path);
	text[n] = '\0';
	if (!strstr(text, "\nlink_type:\tcgroup\n") || field(text, "\ncgroup_id:\t") != st.st_ino ||
	    field(text, "\nattach_type:\t") != BPF_CGROUP_DEVICE)
		return err_set(e, EPERM, "gpurun devd: no device filter of this cgroup");
	return 0;
}

/**
 * devd_attach - have the filter attached to the cgroup of this descriptor, and read it back
 * Return: the link.
 */
int devd_attach(int cgroup, const struct plan_devices *d, struct err *e)
{
	_cleanup_fd_ int sock = service_connect(e), link = -1;
	int r = sock < 0 ? sock : service_ask(sock, cgroup, d, e);

	if (r < 0)
		return r;
	link = service_answer(sock, e);
	if (link < 0)
		return link;
	r = link_confirm(link, cgroup, e);
	return r < 0 ? r : fd_take(&link);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * peer.c - what a process is known by: its start time, since pids come again, and the namespaces
 * that it is in.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/run.h>

#include "child.h"

uint64_t run_pid_start(pid_t pid)
{
	_cleanup_fd_ int fd = -1;
	char path[64], text[1024];
	uint64_t start = 0;
	const char *p;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* the name in parentheses may hold anything: the fields start behind the last one */
	p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++) {
		p = strchr(p + 1, ' ');
		if (p && field == 21)
			while (*++p >= '0' && *p <= '9')
				start = start * 10 + (uint64_t)(*p - '0');
	}
	return start;
}

static int namespace_inode(pid_t pid, const char *name, uint64_t *ret)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	if (stat(path, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

int peer_spaces(pid_t pid, uint64_t *ret_user, uint64_t *ret_mnt)
{
	int r = namespace_inode(pid, "user", ret_user);

	return r < 0 ? r : namespace_inode(pid, "mnt", ret_mnt);
}

int run_peer(pid_t pid, struct sys_peer *ret)
{
	struct sys_peer p = { .pid = pid, .start = run_pid_start(pid) };
	int r = p.start ? peer_spaces(pid, &p.user_ns, &p.mnt_ns) : -ESRCH;

	if (r == 0)
		*ret = p;
	return r;
}

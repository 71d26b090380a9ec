// SPDX-License-Identifier: Apache-2.0
/*
 * peer.c - what a process is known by: its start time, since pids come again, and the namespaces
 * that it is in.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include <gpurun/run.h>
#include <gpurun/sys.h>

#include "child.h"

uint64_t run_pid_start(pid_t pid)
{
	char state;

	return sys_pid_stat(pid, &state);
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

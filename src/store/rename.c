/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rename.c - RENAME_NOREPLACE, and what stands in for it on file systems that lack it (NFS,
 * some FUSE): rename(2) never replaces a directory with something in it, and link(2) nothing.
 */
#include "rename.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1U
#endif

static int rename_old(int fromfd, const char *from, int tofd, const char *to)
{
	struct stat st;

	if (fstatat(fromfd, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return renameat(fromfd, from, tofd, to) < 0 ? -errno : 0;
	if (linkat(fromfd, from, tofd, to, 0) < 0 || unlinkat(fromfd, from, 0) < 0)
		return -errno;
	return 0;
}

int rename_new(int fromfd, const char *from, int tofd, const char *to)
{
	/* by number: old C libraries have no renameat2 */
	long n = syscall(SYS_renameat2, fromfd, from, tofd, to, RENAME_NOREPLACE);
	int r = n < 0 ? -errno : 0;

	if (r == -EINVAL)
		r = rename_old(fromfd, from, tofd, to);
	return r == -ENOTEMPTY ? -EEXIST : r;
}

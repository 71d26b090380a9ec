/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dirents.c - getdents64.
 */
#include <gpurun/dirents.h>

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gpurun/str.h>

/* As in getdents64(2); no libc declares it. */
struct dirent_raw {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};

static int dirents_fill(struct dirents *d)
{
	long n = syscall(SYS_getdents64, d->fd, d->buf, sizeof(d->buf));

	if (n < 0)
		return errno == ENOENT ? 0 : -errno; /* ENOENT: the directory was removed */
	d->at = 0;
	d->len = (size_t)n;
	return n > 0;
}

int dirents_next(struct dirents *d, const char **ret_name, unsigned char *ret_type)
{
	for (;;) {
		const struct dirent_raw *ent;

		if (d->at >= d->len) {
			int r = dirents_fill(d);

			if (r <= 0)
				return r;
		}
		ent = (const void *)(d->buf + d->at);
		d->at += ent->d_reclen;
		if (str_eq(ent->d_name, ".") || str_eq(ent->d_name, ".."))
			continue;
		*ret_name = ent->d_name;
		if (ret_type)
			*ret_type = ent->d_type;
		return 1;
	}
}

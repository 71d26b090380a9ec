/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dirents.h - read a directory without opendir(3), which allocates; "." and ".." are left out.
 */
#ifndef GPURUN_DIRENTS_H
#define GPURUN_DIRENTS_H

#include <stddef.h>
#include <stdint.h>

struct dirents {
	int fd; /* not owned; its position moves */
	size_t at, len;
	_Alignas(uint64_t) char buf[4096];
};

static inline void dirents_begin(struct dirents *d, int fd)
{
	d->fd = fd;
	d->at = d->len = 0;
}

/**
 * dirents_next - the next name, valid until the next call
 * @ret_type: DT_* as the file system tells it, may be DT_UNKNOWN; may be NULL
 * Return: 1, 0 at the end, -errno.
 */
int dirents_next(struct dirents *d, const char **ret_name, unsigned char *ret_type);

#endif

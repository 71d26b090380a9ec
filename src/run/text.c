// SPDX-License-Identifier: Apache-2.0
/*
 * text.c - the short texts that the kernel takes: paths of descriptors, mount data, id maps.
 *
 * A start makes some forty of them.  printf(3) would take longer than the calls they are for, and
 * touch pages that the child otherwise needs only to describe a failure.
 */
#include <string.h>

#include <gpurun/str.h>

#include "child.h"

void text_add(struct text *t, const char *s)
{
	size_t n = strlen(s), room = (size_t)(t->end - t->at);

	if (n >= room) {
		n = room - 1;
		t->cut = true;
	}
	memcpy(t->at, s, n);
	t->at += n;
	*t->at = '\0';
}

void text_add_number(struct text *t, uint64_t v, unsigned int base)
{
	char digits[NUM_DIGITS_MAX + 1];

	digits[NUM_DIGITS_MAX] = '\0';
	text_add(t, num_write(digits + NUM_DIGITS_MAX, v, base));
}

void text_add_fd(struct text *t, int fd)
{
	text_add(t, "/proc/self/fd/");
	text_add_number(t, (uint64_t)fd, 10);
}

void fd_path(int fd, char path[FD_PATH_MAX])
{
	struct text t = text_into(path, FD_PATH_MAX);

	text_add_fd(&t, fd);
}

void tmpfs_data(char data[TMPFS_DATA_MAX], mode_t mode, uint64_t size)
{
	struct text t = text_into(data, TMPFS_DATA_MAX);

	text_add(&t, "mode=");
	text_add_number(&t, mode, 8);
	text_add(&t, ",size=");
	text_add_number(&t, size, 10);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * text.c - the short texts that the kernel takes: paths of descriptors, mount data, id maps.
 *
 * A start makes some forty of them.  printf(3) would take longer than the calls they are for, and
 * touch pages that the child otherwise needs only to describe a failure.
 */
#include <string.h>

#include "child.h"

#define DIGITS_MAX 22 /* of 64 bits in octal */

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
	char digits[DIGITS_MAX + 1];
	char *p = digits + DIGITS_MAX;

	*p = '\0';
	do
		*--p = (char)('0' + v % base);
	while ((v /= base) > 0);
	text_add(t, p);
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots.c - the ranks in the file of a step; see slots.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "slots.h"

#define SLOTS_AT_ONCE 32

/* One column: blanks, then digits up to its end. */
static bool read_column(const char **at, size_t width, char end, uint64_t max, uint64_t *ret)
{
	const char *s = *at;
	char number[24];
	size_t blanks = 0;

	while (blanks < width && s[blanks] == ' ')
		blanks++;
	if (s[width] != end)
		return false;
	memcpy(number, s + blanks, width - blanks);
	number[width - blanks] = '\0';
	*at = s + width + 1;
	return num_u64(number, max, ret) >= 0;
}

static struct sys_peer slot_parse(const char *s)
{
	struct sys_peer p = { .pid = 0 };
	uint64_t pid = 0;

	if (read_column(&s, 10, ' ', INT_MAX, &pid) &&
	    read_column(&s, 20, ' ', UINT64_MAX, &p.start) &&
	    read_column(&s, 20, ' ', UINT64_MAX, &p.user_ns) &&
	    read_column(&s, 20, '\n', UINT64_MAX, &p.mnt_ns) && p.start)
		p.pid = (pid_t)pid;
	return p;
}

int slots_read(struct arena *a, int fd, struct sys_peer **ret, size_t *ret_n)
{
	struct sys_peer *v;
	struct stat st;
	char *text;
	ssize_t len;
	size_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	n = (size_t)st.st_size / SLOT_SIZE;
	n = n < SLOTS_MAX ? n : SLOTS_MAX;
	text = arena_alloc(a, n * SLOT_SIZE + 1);
	len = fd_pread_up_to(fd, text, n * SLOT_SIZE, 0);
	if (len < 0)
		return (int)len;
	n = (size_t)len / SLOT_SIZE;
	v = ARENA_ARRAY(a, struct sys_peer, n + 1);
	for (size_t i = 0; i < n; i++)
		v[i] = slot_parse(text + i * SLOT_SIZE);
	*ret = v;
	*ret_n = n;
	return 0;
}

ssize_t slots_first_free(int fd)
{
	char text[SLOTS_AT_ONCE * SLOT_SIZE];
	ssize_t i = 0;

	for (;;) {
		ssize_t len = fd_pread_up_to(fd, text, sizeof(text), (off_t)i * SLOT_SIZE);
		size_t n = len > 0 ? (size_t)len / SLOT_SIZE : 0;

		for (size_t k = 0; k < n; k++, i++)
			if (slot_parse(text + k * SLOT_SIZE).pid == 0)
				return i;
		if (n < SLOTS_AT_ONCE)
			return len < 0 ? len : i;
	}
}

int slot_write(int fd, size_t i, const struct sys_peer *peer)
{
	static const struct sys_peer nobody;
	const struct sys_peer *p = peer ? peer : &nobody;
	char text[SLOT_SIZE + 1];
	ssize_t n;

	if (i >= SLOTS_MAX)
		return -ENOSPC;
	(void)snprintf(text, sizeof(text), "%10u %20" PRIu64 " %20" PRIu64 " %20" PRIu64 "\n",
		       (unsigned int)p->pid, p->start, p->user_ns, p->mnt_ns);
	do {
		n = pwrite(fd, text, SLOT_SIZE, (off_t)(i * SLOT_SIZE));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == SLOT_SIZE ? 0 : -ENOSPC;
}

bool slot_alive(const struct sys_peer *peer)
{
	return peer->pid && sys_pid_start(peer->pid) == peer->start;
}

size_t slots_alive(struct sys_peer *v, size_t n)
{
	size_t alive = 0;

	for (size_t i = 0; i < n; i++)
		if (slot_alive(&v[i]))
			v[alive++] = v[i];
	return alive;
}

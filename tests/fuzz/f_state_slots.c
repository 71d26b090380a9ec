/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the file of a step: what is taken for a rank comes back when it is written, and
 * one that arrives finds a slot and spoils no other.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <gpurun/fd.h>

#include "../../src/state/slots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static int same(const struct sys_peer *x, const struct sys_peer *y)
{
	return x->pid == y->pid && x->start == y->start && x->user_ns == y->user_ns &&
	       x->mnt_ns == y->mnt_ns;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	_cleanup_fd_ int fd = memfd_create("slots", MFD_CLOEXEC);
	const struct sys_peer self = { 4194304, 18446744073709551615U, 1, 4026531841 };
	struct sys_peer *v = NULL, *w = NULL;
	size_t n = 0, m = 0;
	ssize_t mine;

	must(fd >= 0 && fd_write_all(fd, data, size) == 0);
	must(slots_read(a, fd, &v, &n) == 0 && n == size / SLOT_SIZE);
	for (size_t i = 0; i < n; i++)
		must(v[i].pid >= 0 && (v[i].pid == 0 || slot_write(fd, i, &v[i]) == 0));
	mine = slots_first_free(fd);
	must(mine >= 0 && (size_t)mine <= n && slot_write(fd, (size_t)mine, &self) == 0);
	must(slots_read(a, fd, &w, &m) == 0 && m >= n && same(&w[mine], &self));
	for (size_t i = 0; i < n; i++)
		must(i == (size_t)mine || v[i].pid == 0 || same(&v[i], &w[i]));
	return 0;
}

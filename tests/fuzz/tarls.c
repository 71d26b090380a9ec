/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarls FILE... - the entries of archives as the unpacker reads them, one a line: type as ls(1) has
 * it ("h": a hard link), size, name, "->" and target.  Bytes that are no plain characters are \OOO.
 * Status 1: an archive was refused, which the last line of its list says.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <gpurun/fd.h>

#include "../../src/store/tar.h"

struct memory {
	const void *p;
	size_t n;
};

static ssize_t memory_read(void *arg, const void **ret, struct err *e)
{
	struct memory *m = arg;
	size_t n = m->n;

	(void)e;
	*ret = m->p;
	m->n = 0;
	return (ssize_t)n;
}

static void put(const char *s)
{
	for (; *s; s++) {
		if (*s > ' ' && *s < 0x7f && *s != '\\')
			putchar(*s);
		else
			printf("\\%03o", (unsigned char)*s);
	}
}

static int list(struct tar *t, struct err *e)
{
	struct tar_entry te;
	uint64_t offset;
	const void *data;
	size_t len;
	int r;

	while ((r = tar_next(t, &te, e)) > 0) {
		printf("%c %ju ", "-dlhpcs"[te.type], (uintmax_t)te.size);
		put(te.name);
		if (te.link) {
			printf(" -> ");
			put(te.link);
		}
		putchar('\n');
		while ((r = tar_data(t, &data, &len, &offset, e)) > 0)
			;
		if (r < 0)
			return r;
	}
	return r;
}

static int list_file(const char *path)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)64 << 20);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct tar *t = NULL;
	struct memory m = { 0 };
	const struct tar_input in = { memory_read, &m };
	struct err e = { 0 };
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
		return -1;
	m.n = (size_t)st.st_size;
	m.p = mmap(NULL, m.n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (m.p == MAP_FAILED || tar_load(&e) < 0)
		return -1;
	r = tar_open(a, &in, &t, &e);
	if (r == 0)
		r = list(t, &e);
	tar_close(t);
	if (r < 0)
		printf("refused: %s\n", e.msg);
	return r;
}

int main(int argc, char **argv)
{
	int status = 0;

	for (int i = 1; i < argc; i++)
		if (list_file(argv[i]) < 0)
			status = 1;
	return status;
}

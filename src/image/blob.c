// SPDX-License-Identifier: Apache-2.0
/*
 * blob.c - the bytes of one blob as they lie there: the file itself, a member of an archive, or
 * a file below an OCI layout.  Nothing behind the size that was found at opening is read.
 */
#include <errno.h>
#include <sys/stat.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "decode.h"
#include "source.h"

/* A file of the layout: below its directory, no link at the end, regular; the descriptor. */
static int layout_open(const struct image_source *s, const char *name, int64_t *ret_size,
		       struct err *e)
{
	_cleanup_fd_ int fd =
		root_open(s->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd == -ENOENT)
		return err_set(e, ENOENT, "%s: %s is missing", s->label, name);
	if (fd == -ELOOP)
		return err_set(e, ELOOP, "%s: %s is a symbolic link", s->label, name);
	if (fd < 0)
		return err_sys(e, -fd, "%s: %s", s->label, name);
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s: %s", s->label, name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: %s is not a regular file", s->label, name);
	*ret_size = st.st_size;
	return fd_take(&fd);
}

static int member_lookup(const struct image_source *s, const char *name, const struct member **ret,
			 struct err *e)
{
	int r = members_find(s, name, ret);

	if (r == -ENOENT)
		return err_set(e, ENOENT, "%s: %s is missing", s->label, name);
	if (r == -ELOOP)
		return err_set(e, ELOOP, "%s: %s: too many links from member to member", s->label,
			       name);
	if (r < 0)
		return err_set(e, -r, "%s: %s is not a regular file", s->label, name);
	return 0;
}

int blob_open(const struct image_source *s, const char *name, struct arena *a, struct blob *b,
	      struct err *e)
{
	const struct member *m;
	int r;

	*b = (struct blob){ .s = s,
			    .name = name,
			    .own_fd = -1,
			    .buf = arena_alloc(a, DECODE_BLOCK),
			    .block = DECODE_BLOCK };
	if (!name) {
		b->size = s->size;
		return 0;
	}
	if (s->kind == SOURCE_ARCHIVE) {
		r = member_lookup(s, name, &m, e);
		return r < 0 ? r : member_open(s, m, a, b, e);
	}
	r = layout_open(s, name, &b->size, e);
	if (r < 0)
		return r;
	b->own_fd = r;
	return 0;
}

int blob_size(const struct image_source *s, const char *name, int64_t *ret, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	const struct member *m;
	int r;

	if (s->kind == SOURCE_ARCHIVE) {
		r = member_lookup(s, name, &m, e);
		if (r == 0)
			*ret = m->size;
		return r;
	}
	fd = layout_open(s, name, ret, e);
	return fd < 0 ? fd : 0;
}

ssize_t file_read(struct blob *b, const void **ret_block)
{
	int fd = b->own_fd >= 0 ? b->own_fd : source_fd(b->s);
	ssize_t n;

	do
		n = pread(fd, b->buf, b->block, b->file_pos);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	b->file_pos += n;
	*ret_block = b->buf;
	return n;
}

ssize_t blob_read(struct blob *b, const void **ret_block, struct err *e)
{
	int64_t left = b->size - b->pos;
	ssize_t n;

	if (left == 0)
		return 0;
	n = b->tar ? member_read(b, ret_block, e) : file_read(b, ret_block);
	if (n < 0)
		return b->tar ? n : err_sys(e, (int)-n, "%s: cannot be read", b->s->label);
	if (n == 0)
		return err_set(e, EINVAL, "%s: %s ends %jd bytes early", b->s->label,
			       b->name ? b->name : "the file", (intmax_t)left);
	if (n > left)
		n = (ssize_t)left;
	b->pos += n;
	return n;
}

void blob_close(struct blob *b)
{
	if (b->tar)
		member_close(b);
	b->own_fd = fd_close(b->own_fd);
}

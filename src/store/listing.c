/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing.c - write and read the file "list".
 */
#include "listing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#define HEADER_MAGIC  "gpurun-list-1 "
#define HEADER_FORMAT HEADER_MAGIC "%08" PRIx32 " %016" PRIx64 " %016" PRIx64
#define HEADER_SIZE   (14 + 8 + 1 + 16 + 1 + 16 + 1)

/* The numbers in front of a path: type, mode, size, CRC, time. */
#define NUMBERS_MAX 96
#define NSEC_MAX    999999999
#define RECORD_MAX  (NUMBERS_MAX + 2 * PATH_MAX)
_Static_assert(LISTING_BUFFER >= 2 * RECORD_MAX, "a record must fit into the buffer");

static int header_write(int fd, const struct listing_header *h)
{
	char text[HEADER_SIZE];

	(void)snprintf(text, sizeof(text), HEADER_FORMAT, h->flags, h->entries, h->bytes);
	if (pwrite(fd, text, sizeof(text), 0) != (ssize_t)sizeof(text))
		return errno ? -errno : -EIO;
	return 0;
}

int listing_begin(struct arena *a, int fd, struct listing_writer *w)
{
	const struct listing_header none = { .flags = 0 };
	int r;

	errno = 0;
	r = header_write(fd, &none);
	if (r == 0 && lseek(fd, HEADER_SIZE, SEEK_SET) < 0)
		r = -errno;
	*w = (struct listing_writer){ .fd = fd, .buf = arena_alloc(a, LISTING_BUFFER) };
	return r;
}

int listing_flush(struct listing_writer *w)
{
	int r = fd_write_all(w->fd, w->buf, w->len);

	w->len = 0;
	return r;
}

/* As printf(3) would, which costs as much as a system call. */
static void listing_put_number(struct listing_writer *w, uint64_t v, unsigned int base, char end)
{
	char digits[NUM_DIGITS_MAX + 1];
	char *p = num_write(digits + NUM_DIGITS_MAX, v, base);
	size_t n = (size_t)(digits + sizeof(digits) - p);

	digits[NUM_DIGITS_MAX] = end;
	memcpy(w->buf + w->len, p, n);
	w->len += n;
}

/* "T MODE SIZE CRC SEC.NSEC " */
static void listing_put_numbers(struct listing_writer *w, const struct listing_entry *e)
{
	int64_t sec = e->mtime.tv_sec;

	w->buf[w->len++] = (char)e->type;
	w->buf[w->len++] = ' ';
	listing_put_number(w, e->mode, 8, ' ');
	listing_put_number(w, e->size, 16, ' ');
	listing_put_number(w, e->crc, 16, ' ');
	if (sec < 0)
		w->buf[w->len++] = '-';
	listing_put_number(w, sec < 0 ? -(uint64_t)sec : (uint64_t)sec, 10, '.');
	listing_put_number(w, (uint64_t)e->mtime.tv_nsec, 10, ' ');
}

static void listing_put(struct listing_writer *w, const char *s)
{
	size_t n = strlen(s) + 1;

	memcpy(w->buf + w->len, s, n);
	w->len += n;
}

int listing_add(struct listing_writer *w, const struct listing_entry *e)
{
	int r = 0;

	if (e->type == LISTING_HARD && !e->target)
		return -EINVAL;
	if (strlen(e->path) >= PATH_MAX || (e->target && strlen(e->target) >= PATH_MAX))
		return -ENAMETOOLONG;
	if (LISTING_BUFFER - w->len < RECORD_MAX)
		r = listing_flush(w);
	if (r < 0)
		return r;
	listing_put_numbers(w, e);
	listing_put(w, e->path);
	if (e->type == LISTING_HARD)
		listing_put(w, e->target);
	return 0;
}

int listing_end(struct listing_writer *w, const struct listing_header *h)
{
	struct listing_header done = *h;
	int r = listing_flush(w);

	done.flags |= LAYER_COMPLETE;
	errno = 0;
	return r < 0 ? r : header_write(w->fd, &done);
}

void listing_rewind(struct arena *a, int fd, struct listing_reader *r)
{
	*r = (struct listing_reader){ .fd = fd,
				      .pos = HEADER_SIZE,
				      .buf = arena_alloc(a, LISTING_BUFFER) };
}

/* A number of @n digits at *@s, and the blank or NUL behind it. */
static uint64_t header_number(const char **s, size_t n)
{
	char digits[17];

	memcpy(digits, *s, n);
	digits[n] = '\0';
	*s += n + 1;
	return strtoull(digits, NULL, 16);
}

int listing_open(struct arena *a, int fd, struct listing_reader *r, struct listing_header *ret)
{
	char text[HEADER_SIZE], again[HEADER_SIZE];
	const char *at = text + strlen(HEADER_MAGIC);
	struct listing_header h;
	ssize_t n = pread(fd, text, sizeof(text), 0);

	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(text))
		return -EBADMSG;
	h.flags = (uint32_t)header_number(&at, 8);
	h.entries = header_number(&at, 16);
	h.bytes = header_number(&at, 16);
	/* exactly what we write, nothing that strtoull merely tolerates */
	(void)snprintf(again, sizeof(again), HEADER_FORMAT, h.flags, h.entries, h.bytes);
	if (memcmp(text, again, sizeof(text)) != 0 || !(h.flags & LAYER_COMPLETE) ||
	    h.flags > LAYER_FLAGS_ALL)
		return -EBADMSG;
	*ret = h;
	listing_rewind(a, fd, r);
	return 0;
}

/* Have the whole of the next record in the buffer, or everything that is left. */
static int reader_fill(struct listing_reader *r)
{
	ssize_t n;

	if (r->eof || r->len - r->at >= RECORD_MAX)
		return 0;
	memmove(r->buf, r->buf + r->at, r->len - r->at);
	r->len -= r->at;
	r->at = 0;
	do {
		n = pread(r->fd, r->buf + r->len, LISTING_BUFFER - r->len, r->pos);
		if (n < 0)
			return -errno;
		r->len += (size_t)n;
		r->pos += n;
	} while (n > 0 && r->len < LISTING_BUFFER);
	r->eof = n == 0;
	return 0;
}

/* The next string of the buffer, shorter than PATH_MAX when it is a path; NULL: torn. */
static char *reader_string(struct listing_reader *r)
{
	char *s = r->buf + r->at;
	size_t n = strnlen(s, r->len - r->at);

	if (n == r->len - r->at)
		return NULL;
	r->at += n + 1;
	return s;
}

/* "MODE SIZE CRC SEC.NSEC " before the path */
static const char *parse_numbers(const char *s, struct listing_entry *ret)
{
	long long sec;
	char *end;

	ret->mode = (unsigned int)strtoul(s, &end, 8);
	if (end == s || *end != ' ')
		return NULL;
	s = end + 1;
	ret->size = strtoull(s, &end, 16);
	if (end == s || *end != ' ')
		return NULL;
	s = end + 1;
	ret->crc = (uint32_t)strtoul(s, &end, 16);
	if (end == s || *end != ' ')
		return NULL;
	s = end + 1;
	sec = strtoll(s, &end, 10);
	if (end == s || *end != '.')
		return NULL;
	ret->mtime.tv_sec = (time_t)sec;
	s = end + 1;
	ret->mtime.tv_nsec = strtol(s, &end, 10);
	if (ret->mtime.tv_nsec < 0 || ret->mtime.tv_nsec > NSEC_MAX)
		return NULL;
	return end == s || *end != ' ' ? NULL : end + 1;
}

int listing_next(struct listing_reader *r, struct listing_entry *ret)
{
	int err = reader_fill(r);
	char *text;

	if (err < 0)
		return err;
	if (r->at == r->len)
		return 0;
	text = reader_string(r);
	if (!text || !*text || !strchr("fdlphxwo", *text) || text[1] != ' ')
		return -EBADMSG;
	*ret = (struct listing_entry){ .type = (enum listing_type)(unsigned char)*text };
	ret->path = parse_numbers(text + 2, ret);
	if (!ret->path || strlen(ret->path) >= PATH_MAX)
		return -EBADMSG;
	if (ret->type == LISTING_HARD) {
		ret->target = reader_string(r);
		if (!ret->target || strlen(ret->target) >= PATH_MAX)
			return -EBADMSG;
	}
	return 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the list of a layer: records with names that end, or a refusal; what was read is
 * written and read again.  The same bytes once more behind a header that is right, so
 * that records are reached.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gpurun/fd.h>

#include "../../src/store/listing.h"
#include "fuzz.h"

#define RECORDS_MAX 4096

static int file_of(const void *p, size_t n)
{
	int fd = memfd_create("list", MFD_CLOEXEC);

	must(fd >= 0 && fd_write_all(fd, p, n) == 0);
	return fd;
}

static void same(const struct listing_entry *x, const struct listing_entry *y)
{
	must(x->type == y->type && x->mode == y->mode && x->size == y->size && x->crc == y->crc);
	must(x->mtime.tv_sec == y->mtime.tv_sec && x->mtime.tv_nsec == y->mtime.tv_nsec);
	must(strcmp(x->path, y->path) == 0);
	must(!x->target == !y->target && (!x->target || strcmp(x->target, y->target) == 0));
}

/* Written and read again, a record is the same. */
static void again(struct arena *a, const struct listing_entry *v, size_t n)
{
	const struct listing_header h = { .flags = LAYER_COMPLETE, .entries = n };
	_cleanup_fd_ int fd = file_of("", 0);
	struct listing_header got;
	struct listing_reader r;
	struct listing_writer w;
	struct listing_entry e;

	must(listing_begin(a, fd, &w) == 0);
	for (size_t i = 0; i < n; i++)
		must(listing_add(&w, &v[i]) == 0);
	must(listing_end(&w, &h) == 0 && listing_open(a, fd, &r, &got) == 0 && got.entries == n);
	for (size_t i = 0; i < n; i++) {
		must(listing_next(&r, &e) == 1);
		same(&e, &v[i]);
	}
	must(listing_next(&r, &e) == 0);
}

static void records(struct arena *a, struct listing_reader *r)
{
	struct listing_entry *v = ARENA_ARRAY(a, struct listing_entry, RECORDS_MAX), e;
	size_t n = 0;
	int got;

	while ((got = listing_next(r, &e)) > 0 && n < RECORDS_MAX) {
		v[n] = e;
		v[n].path = arena_strdup(a, e.path);
		must((e.type == LISTING_HARD) == (e.target != NULL));
		v[n++].target = e.target ? arena_strdup(a, e.target) : NULL;
	}
	must(got >= 0 || got == -EBADMSG);
	if (got >= 0)
		again(a, v, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)64 << 20);
	_cleanup_fd_ int whole = file_of(data, size), good = file_of("", 0);
	struct listing_header h = { .flags = LAYER_COMPLETE };
	struct listing_reader r;
	struct listing_writer w;

	if (size > LISTING_BUFFER)
		return 0;
	if (listing_open(a, whole, &r, &h) == 0)
		records(a, &r);
	h = (struct listing_header){ .flags = LAYER_COMPLETE };
	must(listing_begin(a, good, &w) == 0 && listing_end(&w, &h) == 0);
	must(lseek(good, 0, SEEK_END) > 0 && fd_write_all(good, data, size) == 0);
	must(listing_open(a, good, &r, &h) == 0);
	records(a, &r);
	return 0;
}

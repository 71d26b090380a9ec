/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a tar archive, in pieces: what we read of it is what libarchive says when it is
 * asked directly and gets all of it at once; where we refuse what it takes, it is for one of our
 * reasons.  And as long as the archive is of the plainest kind, a reader of a page or two finds
 * the same, entry by entry and byte by byte.  The last byte chooses the pieces.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

#include "../../src/store/tar.h"
#include "tar-fix.h"

#define IN_MAX   (64U << 10)
#define DATA_MAX (96U << 10) /* of a file, holes included: what is compared */

/* ---- the plain reader ------------------------------------------------------------------- */

/* struct plain - @name, @link: of a header in front ("x", "L", "K"), or NULL */
struct plain {
	struct arena *a;
	const uint8_t *p;
	size_t n, at;
	const char *name, *link;
};

/* struct plain_entry - one entry; the contents are p[data .. data + size] */
struct plain_entry {
	char flag;
	const char *name, *link;
	int64_t mode, size, mtime;
	size_t data;
};

static const char *field(const struct plain *t, const uint8_t *h, size_t at, size_t n)
{
	return arena_strndup(t->a, (const char *)h + at, strnlen((const char *)h + at, n));
}

/* "LENGTH KEY=VALUE\n" ...: only path and linkpath, and nothing else wrong */
static bool plain_pax(struct plain *t, const char *p, size_t n)
{
	while (n > 0) {
		const char *blank = memchr(p, ' ', n), *equal;
		uint64_t len;
		size_t used;

		if (!blank || num_u64(arena_strndup(t->a, p, (size_t)(blank - p)), n, &len) < 0 ||
		    p[0] == '0')
			return false;
		used = (size_t)(blank + 1 - p);
		if (len < used + 3 || p[len - 1] != '\n' || memchr(p, '\0', (size_t)len) != NULL)
			return false;
		equal = memchr(blank, '=', (size_t)len - used);
		if (!equal || equal + 2 >= p + len)
			return false;
		if (strncmp(blank, " path=", 6) == 0)
			t->name = arena_strndup(t->a, equal + 1, (size_t)(p + len - 2 - equal));
		else if (strncmp(blank, " linkpath=", 10) == 0)
			t->link = arena_strndup(t->a, equal + 1, (size_t)(p + len - 2 - equal));
		else
			return false;
		p += len;
		n -= (size_t)len;
	}
	return true;
}

/* "x", "L" or "K": what the next header is about */
static bool plain_extra(struct plain *t, char flag, const char *p, size_t n)
{
	if (n == 0 || n > 4096 || (flag != 'x' && strnlen(p, n) != n - 1))
		return false;
	if (flag == 'x')
		return plain_pax(t, p, n);
	*(flag == 'L' ? &t->name : &t->link) = arena_strndup(t->a, p, n);
	return n > 1;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	while (n > 0 && !p[n - 1])
		n--;
	return n == 0;
}

/* Is the header one that nobody reads in two ways? */
static bool plain_header(struct plain *t, const uint8_t *h, struct plain_entry *ret)
{
	const char *prefix = field(t, h, 345, 155);
	bool posix = memcmp(h + 257, "ustar\00000", 8) == 0;
	/* where GNU has a map of holes, and star its times */
	bool gnu = memcmp(h + 257, "ustar  \0", 8) == 0 && all_zero(h + 345, 500 - 345);

	*ret = (struct plain_entry){ .flag = (char)h[156],
				     .name = field(t, h, 0, 100),
				     .link = field(t, h, 157, 100),
				     .mode = tar_octal(h + 100, 8),
				     .size = tar_octal(h + 124, 12),
				     .mtime = tar_octal(h + 136, 12) };
	if ((!posix && !gnu) || !all_zero(h + 500, 12) || tar_octal(h + 148, 8) != tar_sum(h) ||
	    ret->mode < 0 || ret->mode > 07777 || ret->size < 0 || ret->mtime < 0 ||
	    tar_octal(h + 108, 8) < 0 || tar_octal(h + 116, 8) < 0 || !*ret->name)
		return false;
	if (*prefix)
		ret->name = arena_printf(t->a, "%s/%s", prefix, ret->name);
	return !*prefix || prefix[strlen(prefix) - 1] != '/';
}

/* 1: an entry; 0: the end; -1: nothing that can be said here */
static int plain_next(struct plain *t, struct plain_entry *ret)
{
	const char *extras = "";

	t->name = t->link = NULL;
	for (;;) {
		const uint8_t *h = t->p + t->at;

		if (t->n - t->at < 2 * TAR_BLOCK)
			return -1;
		if (tar_is_zero(h))
			return tar_is_zero(h + TAR_BLOCK) && !t->name && !t->link ? 0 : -1;
		if (!plain_header(t, h, ret) || (uint64_t)ret->size > t->n - t->at - TAR_BLOCK)
			return -1;
		ret->data = t->at + TAR_BLOCK;
		t->at = ret->data + ((size_t)ret->size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
		if (t->at > t->n)
			return -1;
		if (!ret->flag || !strchr("xLK", ret->flag))
			break;
		/* GNU's and POSIX's form of a name, or one of them twice: who is right? */
		if (*extras &&
		    (ret->flag == 'x' || strchr(extras, 'x') || strchr(extras, ret->flag)))
			return -1;
		extras = arena_printf(t->a, "%s%c", extras, ret->flag);
		if (!plain_extra(t, ret->flag, (const char *)t->p + ret->data, (size_t)ret->size))
			return -1;
	}
	if (t->name)
		ret->name = t->name;
	if (t->link)
		ret->link = t->link;
	/* a file whose name ends in "/" is a directory to some; contents of others mean nothing */
	if (!strchr("012356", ret->flag) || (ret->flag != '0' && ret->size) ||
	    (strchr("12", ret->flag) ? !*ret->link : *ret->link != '\0') ||
	    (ret->flag != '5' && ret->name[strlen(ret->name) - 1] == '/'))
		return -1;
	return 1;
}

/* ---- ours ------------------------------------------------------------------------------- */

struct pieces {
	const uint8_t *p;
	size_t n, piece;
};

static ssize_t pieces_read(void *arg, const void **ret, struct err *e)
{
	struct pieces *in = arg;
	size_t n = in->n < in->piece ? in->n : in->piece;

	(void)e;
	*ret = in->p;
	in->p += n;
	in->n -= n;
	return (ssize_t)n;
}

/* struct contents - a file as it would be on disk, up to DATA_MAX */
struct contents {
	uint8_t *p;
	uint64_t end, sum; /* sum: of where pieces ended */
	int r;
};

static void contents_add(struct contents *c, const void *data, size_t len, uint64_t offset)
{
	if (len == 0)
		return;
	if (offset < DATA_MAX)
		memcpy(c->p + offset, data, len < DATA_MAX - offset ? len : DATA_MAX - offset);
	c->end = offset + len;
}

static struct contents ours_contents(struct arena *a, struct tar *t)
{
	struct contents c = { .p = arena_alloc(a, DATA_MAX) };
	struct err e = { 0 };
	uint64_t offset = 0;
	const void *data;
	size_t len = 0;

	while ((c.r = tar_data(t, &data, &len, &offset, &e)) > 0)
		contents_add(&c, data, len, offset);
	must((c.r < 0) == (err_is_set(&e) != 0));
	return c;
}

/* ---- libarchive ------------------------------------------------------------------------- */

static struct contents lib_contents(struct arena *a, struct archive *lib)
{
	struct contents c = { .p = arena_alloc(a, DATA_MAX) };
	la_int64_t offset = 0;
	const void *data;
	size_t len = 0;

	while ((c.r = archive_read_data_block(lib, &data, &len, &offset)) == ARCHIVE_OK ||
	       c.r == ARCHIVE_WARN) {
		if (offset < 0)
			break;
		contents_add(&c, data, len, (uint64_t)offset);
	}
	c.r = c.r == ARCHIVE_EOF ? 0 : -EINVAL;
	return c;
}

static struct archive *lib_open(const uint8_t *data, size_t size)
{
	struct archive *lib = archive_read_new();

	must(lib && archive_read_support_format_tar(lib) == ARCHIVE_OK &&
	     archive_read_support_format_empty(lib) == ARCHIVE_OK);
	(void)archive_read_open_memory(lib, data, size);
	return lib;
}

/* 1, 0 at the end, -EINVAL; a damaged header, which libarchive offers to skip, is a lost entry */
static int lib_next(struct archive *lib, struct archive_entry **ret)
{
	int r = archive_read_next_header(lib, ret);

	if (r == ARCHIVE_EOF)
		return 0;
	return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 1 : -EINVAL;
}

/* ---- comparisons ------------------------------------------------------------------------ */

static void same_contents(const struct contents *x, const struct contents *y)
{
	must((x->r < 0) == (y->r < 0));
	must(x->r < 0 || (x->end == y->end && memcmp(x->p, y->p, DATA_MAX) == 0));
}

static void same_as_lib(const struct tar_entry *we, struct archive_entry *lib)
{
	static const mode_t types[] = { [TAR_FILE] = AE_IFREG,
					[TAR_DIR] = AE_IFDIR,
					[TAR_SYMLINK] = AE_IFLNK,
					[TAR_FIFO] = AE_IFIFO,
					[TAR_SOCKET] = AE_IFSOCK };
	const char *hard = archive_entry_hardlink(lib);
	mode_t type = archive_entry_filetype(lib);

	must(strcmp(we->name, archive_entry_pathname(lib)) == 0);
	must((we->type == TAR_HARDLINK) == (hard != NULL));
	if (hard)
		must(strcmp(we->link, hard) == 0);
	else if (we->type == TAR_DEVICE)
		must(type == AE_IFCHR || type == AE_IFBLK);
	else
		must(types[we->type] == type);
	must(we->type != TAR_SYMLINK || strcmp(we->link, archive_entry_symlink(lib)) == 0);
	must(we->type != TAR_FILE || we->size == (uint64_t)archive_entry_size(lib));
	must(we->mode == archive_entry_perm(lib) && we->mtime.tv_sec == archive_entry_mtime(lib));
}

static void same_as_plain(const struct plain *t, const struct tar_entry *we,
			  const struct plain_entry *p, const struct contents *c)
{
	static const enum tar_type types[] = { TAR_FILE,   TAR_HARDLINK, TAR_SYMLINK, TAR_DEVICE,
					       TAR_DEVICE, TAR_DIR,      TAR_FIFO };

	must(we->type == types[p->flag - '0'] && strcmp(we->name, p->name) == 0);
	must(we->mode == (mode_t)p->mode && we->mtime.tv_sec == p->mtime);
	if (we->type == TAR_SYMLINK || we->type == TAR_HARDLINK)
		must(strcmp(we->link, p->link) == 0);
	if (we->type == TAR_FILE && p->size <= DATA_MAX)
		must(we->size == (uint64_t)p->size && c->r == 0 && c->end == we->size &&
		     memcmp(c->p, t->p + p->data, we->size) == 0);
}

/* Why we refuse what libarchive takes */
static bool our_reason(const struct err *e)
{
	static const char *const reasons[] = {
		"malformed pax",       "a link to nothing", "without a name", "is not known",
		"is negative",         "global pax header", "a NUL in the",   "is no size",
		"extended attributes", "a header of more",  "of headers",     "long name of GNU",
	};

	for (size_t i = 0; i < ELEMENTS(reasons); i++)
		if (strstr(e->msg, reasons[i]))
			return true;
	return false;
}

static void compare(struct arena *a, struct tar *we, struct archive *lib, struct plain *plain)
{
	bool is_plain = true;
	int r, l, p;

	do {
		struct archive_entry *lib_entry = NULL;
		struct contents c, d;
		struct plain_entry pe;
		struct tar_entry te;
		struct err e = { 0 };

		r = tar_next(we, &te, &e);
		l = lib_next(lib, &lib_entry);
		p = is_plain ? plain_next(plain, &pe) : -1;
		is_plain = p > 0;
		must(p < 0 || r == p);
		must((r < 0) == (err_is_set(&e) != 0));
		must(r == l || (r < 0 && (l < 0 || our_reason(&e))));
		if (r <= 0)
			break;
		same_as_lib(&te, lib_entry);
		c = ours_contents(a, we);
		d = lib_contents(a, lib);
		same_contents(&c, &d);
		if (is_plain)
			same_as_plain(plain, &te, &pe, &c);
		r = c.r < 0 ? c.r : 1;
	} while (r > 0);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return tar_mutate(data, size, max, seed, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { SIZE_MAX, 10240, 511, 13 };
	_cleanup_arena_ struct arena *a = arena_new((size_t)1 << 30);
	struct plain plain = { .a = a, .p = data, .n = size ? size - 1 : 0 };
	struct pieces in = { .p = data, .n = plain.n };
	const struct tar_input input = { pieces_read, &in };
	struct archive *lib;
	struct tar *we = NULL;
	struct err e = { 0 };

	if (size > IN_MAX || size == 0 || tar_load(&e) < 0)
		return 0;
	in.piece = steps[data[size - 1] & 3];
	lib = lib_open(data, plain.n);
	if (tar_open(a, &input, &we, &e) == 0)
		compare(a, we, lib, &plain);
	else
		must(err_is_set(&e));
	tar_close(we);
	(void)archive_read_free(lib);
	return 0;
}

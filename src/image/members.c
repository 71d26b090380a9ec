// SPDX-License-Identifier: Apache-2.0
/*
 * members.c - the outer tar: an index of its members, and the bytes of one of them.
 *
 * libarchive reads headers, always from our own callbacks: reading is pread at a position of our
 * own, skipping is adding to it.  A member is opened again by a reader that starts at its first
 * header, so any number can be read, in any order, from one descriptor.
 */
#include <errno.h>
#include <iconv.h>
#include <langinfo.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>

#include <gpurun/lib.h>
#include <gpurun/str.h>

#include "source.h"

#define ARCHIVE_FUNCS(X)                                                                           \
	X(archive_read_new)                                                                        \
	X(archive_read_free)                                                                       \
	X(archive_read_support_format_tar)                                                         \
	X(archive_read_open2)                                                                      \
	X(archive_read_next_header)                                                                \
	X(archive_read_header_position)                                                            \
	X(archive_read_data_block)                                                                 \
	X(archive_set_error)                                                                       \
	X(archive_error_string)                                                                    \
	X(archive_entry_pathname)                                                                  \
	X(archive_entry_filetype)                                                                  \
	X(archive_entry_size)                                                                      \
	X(archive_entry_symlink)                                                                   \
	X(archive_entry_hardlink)
struct archive_api {
	ARCHIVE_FUNCS(LIB_POINTER)
};
#define ENTRY(f) LIB_ENTRY(archive_api, f)
static const struct lib_func archive_funcs[] = { ARCHIVE_FUNCS(ENTRY) };
static struct archive_api api;

/*
 * libarchive converts names of pax headers, and the C library reads its list of character sets
 * when the first conversion is asked for: better now than inside the sandbox.
 */
static void charset_load(void)
{
	iconv_t c = iconv_open(nl_langinfo(CODESET), "UTF-8");

	if (c != (iconv_t)-1)
		iconv_close(c);
}

int members_load(struct err *e)
{
	if (api.archive_entry_hardlink)
		return 0;
	charset_load();
	return lib_load("libarchive.so.13", "libarchive13", archive_funcs, ELEMENTS(archive_funcs),
			&api, e);
}

#define TAR_BLOCK          512
#define TAR_CHECKSUM       148
#define TAR_CHECKSUM_BYTES 8

bool head_is_tar(const uint8_t *p, size_t n)
{
	char octal[TAR_CHECKSUM_BYTES + 1] = { 0 };
	unsigned long sum = 0;
	const char *digits = octal;
	char *end;

	if (n < TAR_BLOCK)
		return false;
	memcpy(octal, p + TAR_CHECKSUM, TAR_CHECKSUM_BYTES);
	digits += strspn(digits, " ");
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		bool field = i >= TAR_CHECKSUM && i < TAR_CHECKSUM + TAR_CHECKSUM_BYTES;

		sum += field ? ' ' : p[i];
	}
	return *digits >= '0' && *digits <= '7' && strtoul(digits, &end, 8) == sum;
}

/* ---- libarchive over our own reading --------------------------------------------------- */

/* What the callbacks work on: a blob that reads the file, or a stream that cannot seek. */
struct tar_input {
	struct blob *file;
	struct image_stream *stream;
	struct err *e;
	int failed; /* -errno of our own reading; @e is filled */
};

static ssize_t tar_input_read(struct archive *ar, void *arg, const void **ret_block)
{
	struct tar_input *in = arg;
	ssize_t n;

	if (in->stream) {
		n = image_layer_read(in->stream, ret_block, in->e);
	} else {
		n = file_read(in->file, ret_block);
		if (n < 0)
			err_sys(in->e, (int)-n, "%s: cannot be read", in->file->s->label);
	}
	if (n >= 0)
		return n;
	in->failed = (int)n;
	api.archive_set_error(ar, (int)-n, "cannot be read");
	return -1;
}

static int64_t tar_input_skip(struct archive *ar, void *arg, int64_t n)
{
	struct tar_input *in = arg;
	int64_t left;

	(void)ar;
	if (in->stream)
		return 0;
	left = in->file->s->size - in->file->file_pos;
	if (n > left)
		n = left > 0 ? left : 0;
	in->file->file_pos += n;
	return n;
}

static void tar_freep(struct archive **ar)
{
	if (*ar)
		api.archive_read_free(*ar);
}
#define _cleanup_tar_ __attribute__((cleanup(tar_freep)))

static int tar_fail(struct archive *ar, const struct tar_input *in, const char *label,
		    struct err *e)
{
	const char *why = api.archive_error_string(ar);

	if (in->failed)
		return in->failed;
	return err_set(e, EINVAL, "%s: bad tar archive: %s", label, why ? why : "unreadable");
}

static int tar_open(const char *label, struct tar_input *in, struct archive **ret, struct err *e)
{
	_cleanup_tar_ struct archive *ar = api.archive_read_new();

	if (!ar)
		return err_set(e, ENOMEM, "%s: no memory to read the archive", label);
	if (api.archive_read_support_format_tar(ar) != ARCHIVE_OK ||
	    api.archive_read_open2(ar, in, NULL, tar_input_read, tar_input_skip, NULL) !=
		    ARCHIVE_OK)
		return tar_fail(ar, in, label, e);
	*ret = ar;
	ar = NULL;
	return 0;
}

/* The next header: 1, 0 at the end, -errno. */
static int tar_next(struct archive *ar, const struct tar_input *in, const char *label,
		    struct archive_entry **ret, struct err *e)
{
	int r = api.archive_read_next_header(ar, ret);

	if (r == ARCHIVE_EOF)
		return 0;
	if (r == ARCHIVE_OK || r == ARCHIVE_WARN)
		return 1;
	return tar_fail(ar, in, label, e);
}

/* ---- names ----------------------------------------------------------------------------- */

/* Nothing is copied yet: most names of a root file system are looked at and forgotten. */
static const char *name_skip_dots(const char *raw)
{
	while (raw[0] == '.' && (raw[1] == '/' || raw[1] == '\0'))
		raw += 1 + strspn(raw + 1, "/");
	return raw;
}

static bool name_has_dotdot(const char *name)
{
	for (const char *p = name; *p; p += strcspn(p, "/"), p += strspn(p, "/"))
		if (p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == '\0'))
			return true;
	return false;
}

/*
 * Does the name belong to an archive of images?  The names of docker save, of an OCI layout, and
 * of the tools that call files after a digest: HEX.json, HEX.tar, HEX/layer.tar, HEX.tar.gz,
 * sha256:HEX.
 */
static bool name_is_telling(const char *name)
{
	static const char *const exact[] = { "manifest.json", "repositories", "index.json",
					     "oci-layout",    "blobs",        "blobs/" };
	const char *hex = str_after(name, "sha256:");

	for (size_t i = 0; i < ELEMENTS(exact); i++)
		if (str_eq(name, exact[i]))
			return true;
	if (str_after(name, "blobs/"))
		return true;
	hex = hex ? hex : name;
	return strlen(hex) >= IMAGE_ID_HEX && num_is_hex(hex, IMAGE_ID_HEX) &&
	       (hex[IMAGE_ID_HEX] == '\0' || strchr("./", hex[IMAGE_ID_HEX]));
}

/* The name of a header; "" for the root directory, which "tar -C DIR ." puts first. */
static const char *entry_name(struct archive_entry *entry)
{
	const char *raw = api.archive_entry_pathname(entry);

	return raw ? name_skip_dots(raw) : "?";
}

/* ---- the index ------------------------------------------------------------------------- */

/* A link's target as the name of a member: relative to the link's directory, or to the root. */
static const char *link_target(struct arena *a, const char *name, const char *symlink,
			       const char *hardlink)
{
	const char *slash = strrchr(name, '/');
	const char *dir = slash ? arena_strndup(a, name, (size_t)(slash - name)) : "";

	if (symlink)
		return path_join(a, arena_printf(a, "/%s", dir), symlink) + 1;
	return path_clean(a, arena_printf(a, "/%s", hardlink)) + 1;
}

static void index_add(struct image_source *s, struct archive *ar, struct archive_entry *entry,
		      const char *name)
{
	const char *hardlink = api.archive_entry_hardlink(entry);
	const char *symlink = api.archive_entry_symlink(entry);
	struct member m = {
		.name = name,
		.offset = api.archive_read_header_position(ar),
		.size = api.archive_entry_size(entry),
		.regular = api.archive_entry_filetype(entry) == S_IFREG && !hardlink,
	};

	if (hardlink || symlink)
		m.link = link_target(s->a, name, symlink, hardlink);
	VEC_PUSH(s->a, s->members, s->n_members, s->cap_members, m);
}

/* By name; of two with one name the later first, because that is the one which counts. */
static int member_compare(const void *x, const void *y)
{
	const struct member *a = x, *b = y;
	int r = strcmp(a->name, b->name);

	return r ? r : (a->offset < b->offset) - (a->offset > b->offset);
}

static const struct member *member_by_name(const struct image_source *s, const char *name)
{
	size_t low = 0, high = s->n_members;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(s->members[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->n_members && str_eq(s->members[low].name, name) ? &s->members[low] : NULL;
}

/* One header.  1: go on, 0: this is not an archive of images. */
static int index_entry(struct image_source *s, struct archive *ar, struct archive_entry *entry,
		       bool *all, struct err *e)
{
	const char *name = entry_name(entry);

	if (!*name)
		return 1;
	if (!name_is_telling(name) && !*all)
		return 0;
	if (strlen(name) >= PATH_MAX || name_has_dotdot(name))
		return 1;
	if (s->n_members >= ARCHIVE_MEMBERS_MAX)
		return err_set(e, E2BIG, "%s: more than %d members", s->label, ARCHIVE_MEMBERS_MAX);
	name = path_clean(s->a, name) + 1;
	index_add(s, ar, entry, name);
	/* no root file system has this file: whatever else lies beside it is ignored */
	if (str_eq(name, "oci-layout"))
		*all = true;
	return 1;
}

int members_index(struct image_source *s, bool all, struct err *e)
{
	uint8_t *buf = arena_alloc(s->a, INDEX_BLOCK);
	struct blob file = { .s = s, .own_fd = -1, .buf = buf, .block = INDEX_BLOCK };
	struct tar_input in = { .file = &file, .e = e };
	_cleanup_tar_ struct archive *ar = NULL;
	struct archive_entry *entry;
	int r, go = 1;

	r = tar_open(s->label, &in, &ar, e);
	if (r < 0)
		return r;
	while (go > 0 && (r = tar_next(ar, &in, s->label, &entry, e)) > 0)
		go = index_entry(s, ar, entry, &all, e);
	if (r < 0 || go < 0)
		return r < 0 ? r : go;
	if (go == 0 || s->n_members == 0)
		return 0;
	qsort(s->members, s->n_members, sizeof(*s->members), member_compare);
	return member_by_name(s, "manifest.json") || member_by_name(s, "index.json");
}

int members_peek(struct image_source *s, struct image_stream *st, struct err *e)
{
	struct tar_input in = { .stream = st, .e = e };
	_cleanup_tar_ struct archive *ar = NULL;
	struct archive_entry *entry;
	const char *name;
	int r;

	r = tar_open(s->label, &in, &ar, e);
	if (r < 0)
		return r;
	while ((r = tar_next(ar, &in, s->label, &entry, e)) > 0) {
		name = entry_name(entry);
		if (*name)
			return name_is_telling(name);
	}
	if (r < 0 && !in.failed)
		return err_set(e, EINVAL, "%s: not an image: what is compressed in it is no tar",
			       s->label);
	return r;
}

bool members_are_layout(const struct image_source *s)
{
	return member_by_name(s, "oci-layout") && member_by_name(s, "index.json");
}

int members_find(const struct image_source *s, const char *name, const struct member **ret)
{
	const struct member *m;

	for (int hops = 0; hops <= ARCHIVE_LINKS_MAX; hops++) {
		m = member_by_name(s, name);
		if (!m)
			return -ENOENT;
		if (!m->link) {
			*ret = m;
			return m->regular ? 0 : -EISDIR;
		}
		name = m->link;
	}
	return -ELOOP;
}

/* ---- one member ------------------------------------------------------------------------ */

int member_open(const struct image_source *s, const struct member *m, struct arena *a,
		struct blob *b, struct err *e)
{
	struct tar_input *in = ARENA_NEW(a, struct tar_input);
	struct archive_entry *entry;
	int r;

	*in = (struct tar_input){ .file = b, .e = e };
	b->tar_input = in;
	b->file_pos = m->offset;
	b->size = m->size;
	r = tar_open(s->label, in, &b->tar, e);
	if (r < 0)
		return r;
	r = tar_next(b->tar, in, s->label, &entry, e);
	if (r > 0 && api.archive_entry_size(entry) == m->size)
		return 0;
	member_close(b);
	return r < 0 ? r
		     : err_set(e, EINVAL, "%s: %s changed while it was read", s->label, m->name);
}

ssize_t member_read(struct blob *b, const void **ret_block, struct err *e)
{
	int64_t offset;
	size_t n;
	int r;

	b->tar_input->e = e;
	do
		r = api.archive_read_data_block(b->tar, ret_block, &n, &offset);
	while (r == ARCHIVE_OK && n == 0);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
		return tar_fail(b->tar, b->tar_input, b->s->label, e);
	if (offset != b->pos)
		return err_set(e, ENOTSUP, "%s: %s is a sparse member", b->s->label, b->name);
	return (ssize_t)n;
}

void member_close(struct blob *b)
{
	api.archive_read_free(b->tar);
	b->tar = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar.c - libarchive as the reader of tar streams.
 *
 * Names are bytes.  The process stays in the "C" locale; there libarchive hands over the bytes
 * of ustar and GNU headers as they are, and those of pax headers too, with a warning that they
 * could not be converted.  Warnings are therefore no failures; what libarchive warns of and may
 * not be let pass (special.h) is looked for in the same bytes.  They are in the block that it read
 * last, and kept where they lie in several; so the headers of an entry, a map of holes included,
 * are bounded whatever libarchive would take.
 */
#include "tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <gpurun/lib.h>
#include <gpurun/str.h>

#include "special.h"

#define ARCHIVE_FUNCS(X)                                                                           \
	X(archive_read_new)                                                                        \
	X(archive_read_free)                                                                       \
	X(archive_read_support_format_tar)                                                         \
	X(archive_read_support_format_empty)                                                       \
	X(archive_read_open)                                                                       \
	X(archive_read_next_header)                                                                \
	X(archive_read_data_block)                                                                 \
	X(archive_read_data_skip)                                                                  \
	X(archive_filter_bytes)                                                                    \
	X(archive_errno)                                                                           \
	X(archive_error_string)                                                                    \
	X(archive_entry_filetype)                                                                  \
	X(archive_entry_pathname)                                                                  \
	X(archive_entry_hardlink)                                                                  \
	X(archive_entry_symlink)                                                                   \
	X(archive_entry_perm)                                                                      \
	X(archive_entry_size)                                                                      \
	X(archive_entry_mtime)                                                                     \
	X(archive_entry_mtime_nsec)                                                                \
	X(archive_entry_xattr_count)                                                               \
	X(archive_entry_xattr_reset)                                                               \
	X(archive_entry_xattr_next)
struct archive_api {
	ARCHIVE_FUNCS(LIB_POINTER)
};
#define ENTRY(f) LIB_ENTRY(archive_api, f)
static const struct lib_func archive_funcs[] = { ARCHIVE_FUNCS(ENTRY) };
static struct archive_api api;

struct tar {
	struct arena *a;
	struct archive *archive;
	struct archive_entry *entry;
	const struct tar_input *in;
	const uint8_t *block; /* the last one read, and where in the stream it begins */
	size_t n_block;
	int64_t block_at;
	bool in_entry, in_header, plain;
	int64_t header_at; /* where the headers of the next entry begin */
	uint8_t *kept;     /* those of them that are in blocks before the last one */
	size_t n_kept, cap_kept;
	struct err failed; /* of the input: more telling than libarchive's */
};

int tar_load(struct err *e)
{
	if (api.archive_read_new)
		return 0;
	return lib_load("libarchive.so.13", "libarchive13", archive_funcs, ELEMENTS(archive_funcs),
			&api, e);
}

static void tar_keep(struct tar *t, const uint8_t *p, size_t n)
{
	if (t->n_kept + n > t->cap_kept) {
		t->cap_kept = t->n_kept + n + t->cap_kept;
		t->kept = arena_grow(t->a, t->kept, t->n_kept, t->cap_kept, 1);
	}
	if (n > 0)
		memcpy(t->kept + t->n_kept, p, n);
	t->n_kept += n;
}

/* The rest of the last block, from where the headers begin. */
static void tar_keep_block(struct tar *t)
{
	int64_t from = t->header_at > t->block_at ? t->header_at - t->block_at : 0;

	if ((uint64_t)from < t->n_block)
		tar_keep(t, t->block + from, t->n_block - (size_t)from);
}

static la_ssize_t tar_read(struct archive *archive, void *arg, const void **ret_block)
{
	struct tar *t = arg;
	ssize_t n;

	(void)archive;
	if (t->in_header)
		tar_keep_block(t);
	if (t->n_kept > TAR_HEADERS_MAX) {
		err_set(&t->failed, EFBIG, "tar: an entry with more than %u MiB of headers",
			TAR_HEADERS_MAX >> 20);
		return ARCHIVE_FATAL;
	}
	n = t->in->read(t->in->arg, ret_block, &t->failed);
	t->block_at += (int64_t)t->n_block;
	t->block = *ret_block;
	t->n_block = n > 0 ? (size_t)n : 0;
	return n < 0 ? ARCHIVE_FATAL : n;
}

static int tar_fail(struct tar *t, const char *what, struct err *e)
{
	const char *text = api.archive_error_string(t->archive);

	if (err_is_set(&t->failed)) {
		*e = t->failed;
		return e->code ? -e->code : -EINVAL;
	}
	return err_set(e, EINVAL, "%s: %s", what, text ? text : "damaged");
}

int tar_open(struct arena *a, const struct tar_input *in, struct tar **ret, struct err *e)
{
	struct tar *t = ARENA_NEW(a, struct tar);

	t->a = a;
	t->in = in;
	t->archive = api.archive_read_new();
	if (!t->archive)
		return err_set(e, ENOMEM, "tar: out of memory");
	(void)api.archive_read_support_format_tar(t->archive);
	(void)api.archive_read_support_format_empty(t->archive);
	if (api.archive_read_open(t->archive, t, NULL, tar_read, NULL) != ARCHIVE_OK) {
		int r = tar_fail(t, "tar", e);

		tar_close(t);
		return r;
	}
	*ret = t;
	return 0;
}

void tar_close(struct tar *t)
{
	if (!t || !t->archive)
		return;
	(void)api.archive_read_free(t->archive);
	t->archive = NULL;
}

static int entry_type(struct archive_entry *entry, enum tar_type *ret)
{
	static const struct {
		mode_t format;
		enum tar_type type;
	} types[] = {
		{ AE_IFREG, TAR_FILE },    { AE_IFDIR, TAR_DIR },    { AE_IFLNK, TAR_SYMLINK },
		{ AE_IFIFO, TAR_FIFO },    { AE_IFCHR, TAR_DEVICE }, { AE_IFBLK, TAR_DEVICE },
		{ AE_IFSOCK, TAR_SOCKET },
	};

	if (api.archive_entry_hardlink(entry)) {
		*ret = TAR_HARDLINK;
		return 0;
	}
	for (size_t i = 0; i < ELEMENTS(types); i++) {
		if (types[i].format == api.archive_entry_filetype(entry)) {
			*ret = types[i].type;
			return 0;
		}
	}
	return -EINVAL;
}

static int tar_entry_fill(struct tar *t, struct tar_entry *ret, struct err *e)
{
	struct archive_entry *entry = t->entry;
	int64_t size = api.archive_entry_size(entry);

	memset(ret, 0, sizeof(*ret));
	ret->name = api.archive_entry_pathname(entry);
	if (!ret->name)
		return err_set(e, EINVAL, "tar: an entry without a name");
	if (entry_type(entry, &ret->type) < 0)
		return err_set(e, EINVAL, "%s: a kind of entry that is not known", ret->name);
	if (ret->type == TAR_HARDLINK)
		ret->link = api.archive_entry_hardlink(entry);
	if (ret->type == TAR_SYMLINK)
		ret->link = api.archive_entry_symlink(entry);
	if ((ret->type == TAR_HARDLINK || ret->type == TAR_SYMLINK) && (!ret->link || !*ret->link))
		return err_set(e, EINVAL, "%s: a link to nothing", ret->name);
	if (size < 0)
		return err_set(e, EINVAL, "%s: its size is negative", ret->name);
	ret->size = ret->type == TAR_FILE ? (uint64_t)size : 0;
	ret->plain = t->plain;
	ret->mode = api.archive_entry_perm(entry);
	ret->mtime.tv_sec = api.archive_entry_mtime(entry);
	ret->mtime.tv_nsec = api.archive_entry_mtime_nsec(entry);
	if (ret->mtime.tv_nsec < 0 || ret->mtime.tv_nsec > 999999999)
		ret->mtime.tv_nsec = 0;
	(void)api.archive_entry_xattr_reset(entry);
	return 1;
}

/* The second look: at all bytes that were read since the headers began. */
static int tar_check_headers(struct tar *t)
{
	if (t->n_kept > 0) {
		tar_keep(t, t->block, t->n_block);
		return special_check(t->kept, t->n_kept, &t->failed);
	}
	if (t->header_at < t->block_at || t->header_at - t->block_at >= (int64_t)t->n_block)
		return 0;
	return special_check(t->block + (t->header_at - t->block_at),
			     t->n_block - (size_t)(t->header_at - t->block_at), &t->failed);
}

/* What is left of the last entry goes first: its bytes are none of the headers. */
static int tar_read_headers(struct tar *t)
{
	int r = t->in_entry ? api.archive_read_data_skip(t->archive) : ARCHIVE_OK;

	t->in_entry = false;
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN && r != ARCHIVE_EOF)
		return r;
	t->n_kept = 0;
	t->header_at = api.archive_filter_bytes(t->archive, 0);
	t->in_header = true;
	r = api.archive_read_next_header(t->archive, &t->entry);
	t->in_header = false;
	t->in_entry = r == ARCHIVE_OK || r == ARCHIVE_WARN;
	t->plain = r != ARCHIVE_EOF && !err_is_set(&t->failed) && tar_check_headers(t) > 0;
	return r;
}

/* "Retry" would skip a damaged header, and with it the entry. */
int tar_next(struct tar *t, struct tar_entry *ret, struct err *e)
{
	int r = tar_read_headers(t);

	if (err_is_set(&t->failed) || (r != ARCHIVE_EOF && r != ARCHIVE_OK && r != ARCHIVE_WARN))
		return tar_fail(t, "tar", e);
	if (r == ARCHIVE_EOF)
		return 0;
	return tar_entry_fill(t, ret, e);
}

int tar_data(struct tar *t, const void **ret, size_t *ret_len, uint64_t *ret_offset, struct err *e)
{
	la_int64_t offset = 0;
	int r = api.archive_read_data_block(t->archive, ret, ret_len, &offset);

	if (r == ARCHIVE_EOF)
		return 0;
	if ((r != ARCHIVE_OK && r != ARCHIVE_WARN) || offset < 0)
		return tar_fail(t, "tar", e);
	*ret_offset = (uint64_t)offset;
	return 1;
}

bool tar_has_xattrs(struct tar *t)
{
	return api.archive_entry_xattr_count(t->entry) > 0;
}

int tar_xattr(struct tar *t, const char **ret_name, const void **ret_value, size_t *ret_len)
{
	int r = api.archive_entry_xattr_next(t->entry, ret_name, ret_value, ret_len);

	return r == ARCHIVE_OK && *ret_name;
}

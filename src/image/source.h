/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - inside image/: where the bytes of an image come from.
 *
 *	detect.c   what is it?  sets up the source
 *	members.c  the members of an outer tar (libarchive)
 *	blob.c     the bytes of one file, member or layout entry, as they lie there
 *	decode.c   decompression, codecs.c and gzip.c its libraries
 *	stream.c   blob -> digest -> decompression -> diff_id, ahead.c the thread for it
 *	docker.c, oci.c   which blobs make the image
 */
#ifndef GPURUN_IMAGE_SOURCE_H
#define GPURUN_IMAGE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>
#include <gpurun/image.h>

#include "decode.h"

#define DOCUMENT_MAX        (4U << 20)    /* a manifest, index or config */
#define ARCHIVE_MEMBERS_MAX 100000        /* names in an archive of images */
#define ARCHIVE_LINKS_MAX   8             /* links followed from one member to another */
#define SPOOL_MAX           (64ULL << 30) /* a compressed archive, written out uncompressed */
#define INDEX_BLOCK         (16U << 10)   /* bytes read at a time while only headers are wanted */

/* One member of an archive of images. */
struct member {
	const char *name; /* cleaned: no "./" in front, no "/" behind */
	const char *link; /* another member this one is a link to, or NULL */
	int64_t offset;   /* of its first header in the archive */
	int64_t size;
	bool regular;
};

enum source_kind {
	SOURCE_FILE,    /* the file is the one blob, a layer */
	SOURCE_ARCHIVE, /* a tar whose members are the blobs */
	SOURCE_LAYOUT,  /* a directory below which the blobs lie */
};

struct image_source {
	struct arena *a;
	const struct image_ref *ref;
	const char *label; /* the object of messages */
	enum source_kind kind;
	int fd;       /* the caller's */
	int spool_fd; /* ours: what @fd holds, uncompressed; or -1 */
	int64_t size; /* of the file that is read */
	struct member *members;
	size_t n_members, cap_members;
	struct window_turn *turn; /* the one thing that streams of several threads share */
};

/** source_fd - the file that is read: the spool when there is one */
static inline int source_fd(const struct image_source *s)
{
	return s->spool_fd >= 0 ? s->spool_fd : s->fd;
}

/* ---- digests (digest.c) ---------------------------------------------------------------- */

/** digest_parse - the hex part of "sha256:HEX"; everything else is refused, with @what */
int digest_parse(const char *text, const char *what, const char **ret_hex, struct err *e);

/* ---- archives (members.c) -------------------------------------------------------------- */

int members_load(struct err *e);

/** head_is_tar - do these bytes start with a tar header whose checksum is right? */
bool head_is_tar(const uint8_t *p, size_t n);

/**
 * members_index - read the headers of the uncompressed archive into s->members
 * @all: it has been called one: take members of any name, not only of telling ones
 * Return: 1 when it is an archive of images, 0 for any other tar, -errno
 */
int members_index(struct image_source *s, bool all, struct err *e);

/** members_peek - the same from the first telling name of a stream that cannot seek */
int members_peek(struct image_source *s, struct image_stream *st, struct err *e);

/** members_find - a member by name, links followed; -ENOENT, -ELOOP, -EISDIR without a message */
int members_find(const struct image_source *s, const char *name, const struct member **ret);

/** members_are_layout - are the files of an OCI layout among the members? */
bool members_are_layout(const struct image_source *s);

/* ---- blobs (blob.c) -------------------------------------------------------------------- */

struct blob {
	const struct image_source *s;
	const char *name;
	int own_fd;          /* closed with the blob, or -1 */
	struct archive *tar; /* positioned in the member, or NULL for a file */
	struct tar_input *tar_input;
	int64_t file_pos;  /* of the next byte to read from the file */
	int64_t pos, size; /* in the blob */
	uint8_t *buf;      /* DECODE_BLOCK bytes: what is not compressed is handed on in it */
	size_t block;
};

/** blob_open - @name: member or path below the layout; NULL: the file itself */
int blob_open(const struct image_source *s, const char *name, struct arena *a, struct blob *b,
	      struct err *e);
ssize_t blob_read(struct blob *b, const void **ret_block, struct err *e);
void blob_close(struct blob *b);

/** blob_size - is it there, as a regular file, and how large? -errno with a message */
int blob_size(const struct image_source *s, const char *name, int64_t *ret, struct err *e);

/* members.c: the two ends of a blob that is a member */
int member_open(const struct image_source *s, const struct member *m, struct arena *a,
		struct blob *b, struct err *e);
ssize_t member_read(struct blob *b, const void **ret_block, struct err *e);
void member_close(struct blob *b);

/** file_read - the next block of the source's file or the layout's, at b->file_pos */
ssize_t file_read(struct blob *b, const void **ret_block);

/* ---- streams (stream.c) ---------------------------------------------------------------- */

/** stream_open - a blob, decompressed, without any digest; NULL: the file itself */
int stream_open(const struct image_source *s, const char *name, struct image_stream **ret,
		struct err *e);

/** stream_open_raw - a blob as it lies there, no digest, no decompression */
int stream_open_raw(const struct image_source *s, const char *name, struct image_stream **ret,
		    struct err *e);

/**
 * source_read_document - a whole document of at most DOCUMENT_MAX bytes, NUL-terminated
 * @digest, @size: what it must have, or NULL and -1
 * @ret_digest: the digest it has; may be NULL
 */
int source_read_document(struct image_source *s, const char *name, const char *digest, int64_t size,
			 const char **ret_text, size_t *ret_len, char ret_digest[IMAGE_ID_HEX + 1],
			 struct err *e);

/* ---- front ends ------------------------------------------------------------------------ */

int docker_open(struct image_source *s, const char *arch, struct image_manifest *ret,
		struct err *e);
int oci_open(struct image_source *s, const char *arch, struct image_manifest *ret, struct err *e);

/**
 * manifest_set_config - parse the config document, check it against the machine and the layers
 * @text: NULL when the image has none
 */
int manifest_set_config(struct image_source *s, const char *text, size_t len, const char *arch,
			struct image_manifest *m, struct err *e);

/* ---- choosing among several images (choose.c) ------------------------------------------ */

/* One of the images of an archive; two with the same @key or the same @group are one image. */
struct choice {
	struct strv names;
	const char *key;   /* what it is: a digest, the name of its config */
	const char *group; /* one image for several platforms, or NULL */
	size_t position;   /* what "@N" means */
	bool chosen;
	const char *name; /* the one of @names that was meant, or NULL */
};

/** choose_by_tag - mark the choices that s->ref->tag (or its absence) means */
int choose_by_tag(struct image_source *s, struct choice *c, size_t n, struct err *e);

/** choose_hint - say how this one is named */
void choose_hint(const struct image_source *s, const struct choice *c, struct err *e);

int sha256_load(struct err *e);

#endif

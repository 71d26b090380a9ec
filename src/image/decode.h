/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode.h - decompression: formats are recognised by their first bytes, streams that follow
 * one another are one, and what is cut off is an error.
 */
#ifndef GPURUN_IMAGE_DECODE_H
#define GPURUN_IMAGE_DECODE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>

#define DECODE_BLOCK        (256U << 10)
#define XZ_MEMORY_MAX       (256ULL << 20) /* xz -9 takes 65 MiB */
#define ZSTD_WINDOW_LOG_MAX 27             /* 128 MiB, as the zstd command does */

/* What every stream may take at once: zstd's level 19 and what is usual; xz -6 takes 9 MiB. */
#define WINDOW_FREE (8ULL << 20)
#define XZ_FREE     (16ULL << 20)

/**
 * struct window_turn - streams that need more than that take turns: at most one of an image
 * The one whose turn it is keeps it until decoder_close(), and needs nothing of those that wait.
 */
struct window_turn {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	bool taken;
};

void window_turn_init(struct window_turn *w);
void window_turn_end(struct window_turn *w);

/* What a codec is given and leaves behind, as in every one of these libraries. */
struct codec_io {
	const uint8_t *in;
	size_t n_in;
	uint8_t *out;
	size_t n_out;
	bool wide; /* memory for a large window may be taken */
};

/* A step that has done nothing yet, and would take that memory: call again when it may. */
#define CODEC_WIDE 2

/**
 * struct codec - one format of compression
 * @tool: the command that undoes it
 * @begin: start the first stream; the state is zeroed
 * @again: start a further one in the state of the last; NULL: @end and @begin
 * @step: decode some; 1 at the end of a stream, 0, CODEC_WIDE, or -errno (-EBADMSG: the data are
 *	bad, -E2BIG: they need more memory than is allowed, -ENOMEM: than there is)
 * @end: give the library's memory back
 * @otherwise: what reads the same where this one's library is not there, or NULL
 * A format without @begin is known and refused.
 */
struct codec {
	const char *name, *tool;
	size_t state_size;
	int (*load)(struct err *e);
	int (*begin)(void *state);
	int (*again)(void *state);
	int (*step)(void *state, struct codec_io *io);
	void (*end)(void *state);
	const struct codec *otherwise;
};

extern const struct codec codec_isal, codec_zlib; /* both read gzip */

/** codec_find - the format of these first bytes, NULL when it is none of ours */
const struct codec *codec_find(const uint8_t *p, size_t n);

/** codec_load - load its library, or change to the codec that needs another one */
int codec_load(const struct codec **c, struct err *e);

/** codecs_load - zlib now; the others as far as they are there */
int codecs_load(struct err *e);

/** codec_advance - so much was taken, and so much was made of it */
static inline void codec_advance(struct codec_io *io, size_t taken, size_t made)
{
	io->in += taken;
	io->n_in -= taken;
	io->out += made;
	io->n_out -= made;
}

/** codec_clamp - for libraries that count in unsigned int */
static inline unsigned int codec_clamp(size_t n)
{
	return n > UINT32_MAX ? UINT32_MAX : (unsigned int)n;
}

struct decoder {
	const char *label; /* the object of messages */
	ssize_t (*fill)(void *arg, const void **ret_block, struct err *e);
	void *arg;
	const struct codec *codec; /* NULL: bytes pass through */
	struct arena *a;
	void *state;
	uint8_t *out; /* DECODE_BLOCK bytes of the caller's; may be another one for each read */
	size_t n_out; /* bytes of this block so far */
	struct codec_io io;
	struct window_turn *turn; /* of the source, or NULL: nobody else */
	enum { DECODE_START, DECODE_PASS, DECODE_STREAM, DECODE_BETWEEN, DECODE_END } phase;
	bool eof;     /* no input will follow */
	bool begun;   /* state holds something of the library's */
	bool pending; /* the library may hold output back */
};

/** decoder_init - the state is taken from @a; d->out is set by the caller */
void decoder_init(struct decoder *d, struct arena *a, const char *label,
		  ssize_t (*fill)(void *arg, const void **ret_block, struct err *e), void *arg);

/**
 * decoder_read - the next block, at most DECODE_BLOCK bytes; 0 at the end of the input; -errno
 * It lies in d->out, or where the input lay when nothing is compressed.
 */
ssize_t decoder_read(struct decoder *d, const void **ret_block, struct err *e);
void decoder_close(struct decoder *d);

#endif

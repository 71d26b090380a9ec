// SPDX-License-Identifier: Apache-2.0
/*
 * stream.c - a layer on its way: the bytes of the blob are hashed, decompressed by what they
 * are (not by what a media type calls them), and hashed again; ahead of the reader in a second
 * thread where that is worth it, otherwise as they are asked for.
 */
#include <errno.h>
#include <inttypes.h>

#include <gpurun/fd.h>
#include <gpurun/json.h>
#include <gpurun/str.h>

#include "ahead.h"
#include "decode.h"
#include "source.h"

#define STREAM_AHEAD_MIN (1 << 20) /* bytes of a blob that are worth a thread */
#define STREAM_ARENA     ((AHEAD_BLOCKS + 4) * (size_t)DECODE_BLOCK)

struct image_stream {
	const struct image_source *s;
	struct arena *a; /* its own: this struct and all of its buffers, gone with it */
	const struct image_layer *layer;
	struct blob blob;
	struct decoder decoder;
	struct sha256 *blob_hash, *diff_hash; /* or NULL */
	const void *input;                    /* of the decoder: the last block of the blob */
	size_t n_input;
	struct ahead *ahead;   /* who makes the blocks, or NULL: the reader does */
	uint8_t *buf;          /* DECODE_BLOCK bytes, when the reader does */
	int failed;            /* -errno of the first failure; it stays */
	_Atomic uint64_t done; /* bytes of the blob: another thread may ask */
};

static struct image_stream *stream_new(const struct image_source *s)
{
	struct arena *a = arena_new(STREAM_ARENA);
	struct image_stream *st = ARENA_NEW(a, struct image_stream);

	st->s = s;
	st->a = a;
	st->blob.own_fd = -1;
	return st;
}

/*
 * The decoder's input.  A block of the blob is hashed when the decoder is done with it: when
 * nothing turns out to be compressed, the digest of the tar is that of the blob.
 */
static ssize_t stream_fill(void *arg, const void **ret_block, struct err *e)
{
	struct image_stream *st = arg;
	ssize_t n;

	if (st->blob_hash && st->decoder.codec)
		sha256_update(st->blob_hash, st->input, st->n_input);
	n = blob_read(&st->blob, ret_block, e);
	st->input = *ret_block;
	st->n_input = n > 0 ? (size_t)n : 0;
	st->done = (uint64_t)st->blob.pos;
	return n;
}

/*
 * The next block of the tar, in *@buf.  What is not compressed lies in the blob's buffer, and
 * the two change places; libarchive may have put a piece of it together elsewhere.
 */
static ssize_t stream_make(void *arg, uint8_t **buf, const void **ret_block, struct err *e)
{
	struct image_stream *st = arg;
	uint8_t *out = *buf, *in = st->blob.buf;
	const uint8_t *p;
	ssize_t n;

	st->decoder.out = out;
	n = decoder_read(&st->decoder, ret_block, e);
	p = *ret_block;
	if (n <= 0 || p == out)
		return n;
	if (p >= in && p < in + DECODE_BLOCK) {
		*buf = in;
		st->blob.buf = out;
	} else {
		*ret_block = memcpy(out, p, (size_t)n);
	}
	return n;
}

static void stream_hash(void *arg, const void *block, size_t n)
{
	struct image_stream *st = arg;

	if (st->diff_hash)
		sha256_update(st->diff_hash, block, n);
}

int stream_open(const struct image_source *s, const char *name, struct image_stream **ret,
		struct err *e)
{
	struct image_stream *st = stream_new(s);
	int r = blob_open(s, name, st->a, &st->blob, e);

	decoder_init(&st->decoder, st->a,
		     name ? arena_printf(st->a, "%s: %s", s->label, name) : s->label, stream_fill,
		     st);
	st->decoder.turn = s->turn;
	if (r < 0) {
		image_layer_close(st);
		return r;
	}
	*ret = st;
	return 0;
}

int stream_open_raw(const struct image_source *s, const char *name, struct image_stream **ret,
		    struct err *e)
{
	int r = stream_open(s, name, ret, e);

	if (r == 0)
		(*ret)->decoder.phase = DECODE_PASS;
	return r;
}

/* A digest of the blob when one is expected, one of the tar always. */
static int layer_hashes(struct image_stream *st, struct err *e)
{
	if (st->layer->digest) {
		st->blob_hash = sha256_new(e);
		if (!st->blob_hash)
			return -ENOENT;
	}
	st->diff_hash = sha256_new(e);
	return st->diff_hash ? 0 : -ENOENT;
}

int image_layer_open(struct image_source *s, const struct image_layer *l, struct image_stream **ret,
		     struct err *e)
{
	static const struct ahead_ops ops = { stream_make, stream_hash };
	struct image_stream *st;
	int r = stream_open(s, l->blob, &st, e);

	if (r < 0)
		return r;
	st->layer = l;
	if (l->size >= 0 && st->blob.size != l->size)
		r = err_set(e, EINVAL, "%s: has %jd bytes, its descriptor says %jd",
			    st->decoder.label, (intmax_t)st->blob.size, (intmax_t)l->size);
	else
		r = layer_hashes(st, e);
	if (r < 0) {
		image_layer_close(st);
		return r;
	}
	if (st->blob.size >= STREAM_AHEAD_MIN)
		st->ahead = ahead_start(st->a, &ops, st);
	*ret = st;
	return 0;
}

/* The next block of the tar by the reader itself. */
static ssize_t stream_read(struct image_stream *st, const void **ret_block, struct err *e)
{
	ssize_t n;

	if (!st->buf)
		st->buf = arena_alloc(st->a, DECODE_BLOCK);
	n = stream_make(st, &st->buf, ret_block, e);
	if (n > 0)
		stream_hash(st, *ret_block, (size_t)n);
	return n;
}

ssize_t image_layer_read(struct image_stream *st, const void **ret_block, struct err *e)
{
	ssize_t n;

	if (st->failed)
		return err_set(e, -st->failed, "%s: reading failed before", st->s->label);
	n = st->ahead ? ahead_read(st->ahead, ret_block, e) : stream_read(st, ret_block, e);
	if (n < 0)
		st->failed = (int)n;
	return n;
}

/* Compare what was computed with what was promised; both may be absent. */
static int digest_compare(const struct image_stream *st, const char *what, const char *want,
			  const char *have, struct err *e)
{
	if (!want || str_eq(want, have))
		return 0;
	return err_set(e, EINVAL, "%s: the %s is sha256:%s, not sha256:%s", st->decoder.label, what,
		       have, want);
}

int image_layer_finish(struct image_stream *st, char ret_diff_id[IMAGE_ID_HEX + 1], struct err *e)
{
	char blob[IMAGE_ID_HEX + 1], diff[IMAGE_ID_HEX + 1];
	const char *digest = diff;
	const void *block;
	ssize_t n;
	int r;

	do
		n = image_layer_read(st, &block, e);
	while (n > 0);
	if (n < 0)
		return (int)n;
	sha256_hex(st->diff_hash, diff);
	if (st->blob_hash && st->decoder.codec) {
		sha256_hex(st->blob_hash, blob);
		digest = blob;
	}
	r = digest_compare(st, "digest", st->layer->digest, digest, e);
	if (r == 0)
		r = digest_compare(st, "diff_id", st->layer->diff_id, diff, e);
	if (r == 0 && ret_diff_id)
		memcpy(ret_diff_id, diff, sizeof(diff));
	return r;
}

void image_layer_close(struct image_stream *st)
{
	if (!st)
		return;
	ahead_stop(st->ahead);
	decoder_close(&st->decoder);
	blob_close(&st->blob);
	sha256_free(st->blob_hash);
	sha256_free(st->diff_hash);
	arena_free(st->a);
}

void image_layer_progress(const struct image_stream *st, uint64_t *ret_done, uint64_t *ret_total)
{
	*ret_done = st->done;
	*ret_total = (uint64_t)st->blob.size;
}

/* ---- documents ------------------------------------------------------------------------- */

static void stream_closep(struct image_stream **st)
{
	image_layer_close(*st);
}

static void sha256_freep(struct sha256 **h)
{
	sha256_free(*h);
}

static int document_digest(const struct image_source *s, const char *name, const char *text,
			   size_t len, const char *want, char ret[IMAGE_ID_HEX + 1], struct err *e)
{
	__attribute__((cleanup(sha256_freep))) struct sha256 *h = sha256_new(e);

	if (!h)
		return -ENOENT;
	sha256_update(h, text, len);
	sha256_hex(h, ret);
	if (!want || str_eq(want, ret))
		return 0;
	return err_set(e, EINVAL, "%s: %s: the digest is sha256:%s, not sha256:%s", s->label, name,
		       ret, want);
}

int source_read_document(struct image_source *s, const char *name, const char *digest, int64_t size,
			 const char **ret_text, size_t *ret_len, char ret_digest[IMAGE_ID_HEX + 1],
			 struct err *e)
{
	__attribute__((cleanup(stream_closep))) struct image_stream *st = NULL;
	char hex[IMAGE_ID_HEX + 1];
	const void *block = NULL;
	size_t len = 0;
	ssize_t n;
	char *text;
	int r;

	r = stream_open_raw(s, name, &st, e);
	if (r < 0)
		return r;
	if (st->blob.size > DOCUMENT_MAX)
		return err_set(e, EFBIG, "%s: %s is larger than %u bytes", s->label, name,
			       DOCUMENT_MAX);
	if (size >= 0 && st->blob.size != size)
		return err_set(e, EINVAL, "%s: %s has %jd bytes, its descriptor says %jd", s->label,
			       name, (intmax_t)st->blob.size, (intmax_t)size);
	text = arena_alloc(s->a, (size_t)st->blob.size + 1);
	while ((n = image_layer_read(st, &block, e)) > 0) {
		memcpy(text + len, block, (size_t)n);
		len += (size_t)n;
	}
	if (n < 0)
		return (int)n;
	r = document_digest(s, name, text, len, digest, hex, e);
	if (r < 0)
		return r;
	if (ret_digest)
		memcpy(ret_digest, hex, sizeof(hex));
	*ret_text = text;
	*ret_len = len;
	return 0;
}

int image_libs_load(struct err *e)
{
	int r;

	if ((r = json_load(e)) < 0 || (r = sha256_load(e)) < 0 || (r = members_load(e)) < 0)
		return r;
	return codecs_load(e);
}

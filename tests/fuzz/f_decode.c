/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a compressed stream, in pieces of any size, with and without the thread that reads
 * ahead: the same bytes and the same verdict as from the format's own library, which is called
 * here with all of it at once.  The last byte chooses, so that the rest may be a file.
 */
#include <bzlib.h>
#include <errno.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "../../src/image/ahead.h"
#include "../../src/image/decode.h"
#include "fuzz.h"

#define OUT_MAX (2U << 20) /* a small input can make gigabytes */
#define IN_MAX  (64U << 10)
#define FIRST   16 /* bytes of the first piece at least: formats are known by them */

/* struct outcome - @r: 0 all of it, -EBADMSG, -E2BIG: more than OUT_MAX; @maybe: ISA-L may differ;
 * @piece: bytes that zstd gets at a time */
struct outcome {
	uint8_t *out;
	size_t n;
	int r;
	bool maybe;
	size_t piece;
};

struct pieces {
	const uint8_t *p;
	size_t n, piece, first;
	void *last;
};

/* Each piece in memory of its own: nothing lies behind it.  By the first one the format is known. */
static ssize_t pieces_fill(void *arg, const void **ret_block, struct err *e)
{
	struct pieces *f = arg;
	size_t want = f->first ? f->first : f->piece, n = f->n < want ? f->n : want;

	(void)e;
	f->first = 0;
	free(f->last);
	f->last = n ? malloc(n) : NULL;
	if (n == 0)
		return 0;
	*ret_block = memcpy(f->last, f->p, n);
	f->p += n;
	f->n -= n;
	return (ssize_t)n;
}

/* ---- the libraries themselves ----------------------------------------------------------- */

/* One stream: 1 at its end, 0 when it has none, -EBADMSG; -E2BIG */
typedef int stream_fn(const uint8_t **p, size_t *n, struct outcome *o);

static int stream_gzip(const uint8_t **p, size_t *n, struct outcome *o)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)*p,
		       .avail_in = (unsigned int)*n,
		       .next_out = o->out + o->n,
		       .avail_out = (unsigned int)(OUT_MAX - o->n) };
	int r;

	must(inflateInit2(&z, 15 + 16) == Z_OK);
	r = inflate(&z, Z_FINISH);
	/* ISA-L takes codes with unused words, as long as nobody uses them */
	if (z.msg && (strstr(z.msg, "set") || strstr(z.msg, "symbols")))
		o->maybe = true;
	*p += *n - z.avail_in;
	*n = z.avail_in;
	o->n = OUT_MAX - z.avail_out;
	(void)inflateEnd(&z);
	if (r == Z_STREAM_END)
		return 1;
	return r == Z_BUF_ERROR || r == Z_OK ? (z.avail_out ? 0 : -E2BIG) : -EBADMSG;
}

static int stream_xz(const uint8_t **p, size_t *n, struct outcome *o)
{
	lzma_stream x = LZMA_STREAM_INIT;
	lzma_ret r;

	x.next_in = *p;
	x.avail_in = *n;
	x.next_out = o->out + o->n;
	x.avail_out = OUT_MAX - o->n;
	must(lzma_stream_decoder(&x, XZ_MEMORY_MAX, 0) == LZMA_OK);
	do
		r = lzma_code(&x, LZMA_RUN);
	while (r == LZMA_OK && x.avail_in && x.avail_out);
	*p += *n - x.avail_in;
	*n = x.avail_in;
	o->n = OUT_MAX - x.avail_out;
	lzma_end(&x);
	if (r == LZMA_STREAM_END)
		return 1;
	return r == LZMA_OK || r == LZMA_BUF_ERROR ? (x.avail_out ? 0 : -E2BIG) : -EBADMSG;
}

static int stream_bzip2(const uint8_t **p, size_t *n, struct outcome *o)
{
	bz_stream b = { .next_in = (char *)(uintptr_t)*p,
			.avail_in = (unsigned int)*n,
			.next_out = (char *)o->out + o->n,
			.avail_out = (unsigned int)(OUT_MAX - o->n) };
	unsigned int had_in, had_out;
	int r;

	must(BZ2_bzDecompressInit(&b, 0, 0) == BZ_OK);
	do {
		had_in = b.avail_in;
		had_out = b.avail_out;
		r = BZ2_bzDecompress(&b);
	} while (r == BZ_OK && (b.avail_in != had_in || b.avail_out != had_out));
	*p += *n - b.avail_in;
	*n = b.avail_in;
	o->n = OUT_MAX - b.avail_out;
	(void)BZ2_bzDecompressEnd(&b);
	if (r == BZ_STREAM_END)
		return 1;
	return r == BZ_OK ? (b.avail_out ? 0 : -E2BIG) : -EBADMSG;
}

static int stream_zstd(const uint8_t **p, size_t *n, struct outcome *o)
{
	ZSTD_DStream *d = ZSTD_createDStream();
	ZSTD_inBuffer in = { *p, 0, 0 };
	ZSTD_outBuffer out = { o->out, OUT_MAX, o->n };
	size_t r, had_in, had_out;

	must(d &&
	     !ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)));
	do {
		had_in = in.pos;
		had_out = out.pos;
		in.size = in.pos + (o->piece < *n - in.pos ? o->piece : *n - in.pos);
		r = ZSTD_decompressStream(d, &out, &in);
	} while (!ZSTD_isError(r) && r && (in.pos != had_in || out.pos != had_out));
	ZSTD_freeDStream(d);
	*p += in.pos;
	*n -= in.pos;
	o->n = out.pos;
	if (ZSTD_isError(r))
		return -EBADMSG;
	return r == 0 ? 1 : out.pos == OUT_MAX ? -E2BIG : 0;
}

static stream_fn *stream_of(const struct codec *c)
{
	static const struct {
		const char *name;
		stream_fn *fn;
	} all[] = { { "gzip", stream_gzip },
		    { "xz", stream_xz },
		    { "bzip2", stream_bzip2 },
		    { "zstd", stream_zstd } };

	for (size_t i = 0; i < ELEMENTS(all); i++)
		if (str_eq(all[i].name, c->name))
			return all[i].fn;
	return NULL;
}

/* Stream behind stream, NULs between them. */
static struct outcome directly(struct arena *a, stream_fn *stream, const uint8_t *p, size_t n,
			       size_t piece)
{
	struct outcome o = { .out = arena_alloc(a, OUT_MAX), .piece = piece };
	int r;

	do {
		r = stream(&p, &n, &o);
		for (; r == 1 && n && !*p; n--)
			p++;
	} while (r == 1 && n);
	o.r = r == 1 ? 0 : r == -E2BIG ? r : -EBADMSG;
	return o;
}

/* ---- ours ------------------------------------------------------------------------------- */

static ssize_t make(void *arg, uint8_t **buf, const void **ret_block, struct err *e)
{
	struct decoder *d = arg;
	ssize_t n;

	d->out = *buf;
	n = decoder_read(d, ret_block, e);
	if (n > 0 && *ret_block != *buf) /* what is not compressed lies where the input does */
		*ret_block = memcpy(*buf, *ret_block, (size_t)n);
	return n;
}

static void hash(void *arg, const void *block, size_t n)
{
	(void)arg;
	must(block && n);
}

static struct outcome ours(struct arena *a, const struct codec *c, struct pieces f, bool thread)
{
	static const struct ahead_ops ops = { make, hash };
	struct outcome o = { .out = arena_alloc(a, OUT_MAX) };
	uint8_t *buf = arena_alloc(a, DECODE_BLOCK);
	struct ahead *ahead = NULL;
	struct err e = { 0 };
	struct decoder d;
	const void *block;
	ssize_t n;

	decoder_init(&d, a, "x", pieces_fill, &f);
	if (c == &codec_zlib) { /* what is taken where ISA-L is not there */
		must(c->load(&e) == 0);
		d.codec = c;
		d.state = arena_alloc(a, c->state_size);
		must(c->begin(d.state) == 0);
		d.begun = true;
		d.phase = DECODE_STREAM;
	}
	if (thread)
		ahead = ahead_start(a, &ops, &d);
	while ((n = ahead ? ahead_read(ahead, &block, &e) : make(&d, &buf, &block, &e)) > 0) {
		must((size_t)n <= DECODE_BLOCK);
		if ((size_t)n > OUT_MAX - o.n) {
			o.r = -E2BIG;
			break;
		}
		memcpy(o.out + o.n, block, (size_t)n);
		o.n += (size_t)n;
	}
	ahead_stop(ahead);
	decoder_close(&d);
	free(f.last);
	must((n < 0) == (err_is_set(&e) != 0));
	if (n < 0)
		o.r = -EBADMSG;
	return o;
}

static bool same(const struct outcome *lib, const struct outcome *we)
{
	if (lib->r == -E2BIG || we->r == -E2BIG)
		return true;
	return lib->r == we->r &&
	       (lib->r < 0 || (lib->n == we->n && memcmp(lib->out, we->out, lib->n) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { SIZE_MAX, 4096, 7, 1 };
	_cleanup_arena_ struct arena *a = arena_new((size_t)64 << 20);
	struct outcome lib, we;
	const struct codec *c;
	struct pieces f;
	uint8_t how;

	if (size < 2 || size > IN_MAX)
		return 0;
	how = data[--size];
	f = (struct pieces){ .p = data, .n = size, .piece = steps[how & 3], .first = FIRST };
	c = codec_find(data, size < FIRST ? size : FIRST);
	if (!c || !stream_of(c)) {
		we = ours(a, c, f, how & 4);
		must(c ? we.r < 0 : we.r == 0 && we.n == size && !memcmp(we.out, data, size));
		return 0;
	}
	lib = directly(a, stream_of(c), data, size, SIZE_MAX);
	we = ours(a, c, f, how & 4);
	/* a frame that ends with an empty block may say any size, unless zstd has all of it */
	if (!same(&lib, &we) && str_eq(c->name, "zstd"))
		lib = directly(a, stream_of(c), data, size, 1);
	must(same(&lib, &we) || (lib.maybe && we.r == 0));
	if (str_eq(c->name, "gzip")) {
		we = ours(a, &codec_zlib, f, how & 4);
		must(same(&lib, &we));
	}
	return 0;
}

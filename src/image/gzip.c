// SPDX-License-Identifier: Apache-2.0
/*
 * gzip.c - gzip by ISA-L, which takes a third of zlib's time, and by zlib where it is not there.
 *
 * zlib reads the header in both cases: ISA-L forgets what it saw when a header comes in pieces,
 * and takes flags that have no meaning.  Both compare CRC and length of every stream.  They
 * differ in two things.  zlib refuses a code that has unused words, ISA-L only their use; and a
 * fault in the last bytes of all may be bad data to one and the end of cut off data to the other.
 */
#include <errno.h>

#define ZLIB_CONST /* the input pointer is const, as it should be */
#include <isa-l/igzip_lib.h>
#include <zlib.h>

#include <gpurun/lib.h>
#include <gpurun/str.h>

#include "decode.h"

#define GZIP_WINDOW (15 + 16) /* the largest window, a gzip header and its trailer */

#define ZLIB_FUNCS(X) X(inflateInit2_) X(inflateReset) X(inflate) X(inflateEnd)
struct zlib_api {
	ZLIB_FUNCS(LIB_POINTER)
};
#define ZLIB_ENTRY(f) LIB_ENTRY(zlib_api, f)
static const struct lib_func zlib_funcs[] = { ZLIB_FUNCS(ZLIB_ENTRY) };
static struct zlib_api zlib_api;

#define ISAL_FUNCS(X) X(isal_inflate_init) X(isal_inflate_reset) X(isal_inflate)
struct isal_api {
	ISAL_FUNCS(LIB_POINTER)
	bool missing;
};
#define ISAL_ENTRY(f) LIB_ENTRY(isal_api, f)
static const struct lib_func isal_funcs[] = { ISAL_FUNCS(ISAL_ENTRY) };
static struct isal_api isal_api;

struct isal_state {
	z_stream header; /* used up to the end of the header */
	bool in_body;
	struct inflate_state body;
};

/* ---- zlib ------------------------------------------------------------------------------ */

static int zlib_load(struct err *e)
{
	if (zlib_api.inflateEnd)
		return 0;
	return lib_load("libz.so.1", "zlib1g", zlib_funcs, ELEMENTS(zlib_funcs), &zlib_api, e);
}

static int zlib_begin(void *state)
{
	z_stream *z = state;

	*z = (z_stream){ 0 };
	if (zlib_api.inflateInit2_(z, GZIP_WINDOW, ZLIB_VERSION, (int)sizeof(*z)) != Z_OK)
		return -ENOMEM;
	return 0;
}

static int zlib_again(void *state)
{
	return zlib_api.inflateReset(state) == Z_OK ? 0 : -ENOMEM;
}

static int zlib_inflate(z_stream *z, int flush, struct codec_io *io)
{
	unsigned int n_in = codec_clamp(io->n_in), n_out = codec_clamp(io->n_out);
	int r;

	z->next_in = io->in;
	z->avail_in = n_in;
	z->next_out = io->out;
	z->avail_out = n_out;
	r = zlib_api.inflate(z, flush);
	codec_advance(io, n_in - z->avail_in, n_out - z->avail_out);
	if (r == Z_STREAM_END)
		return 1;
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	return r == Z_OK || r == Z_BUF_ERROR ? 0 : -EBADMSG;
}

static int zlib_step(void *state, struct codec_io *io)
{
	return zlib_inflate(state, Z_NO_FLUSH, io);
}

static void zlib_end(void *state)
{
	zlib_api.inflateEnd(state);
}

const struct codec codec_zlib = {
	.name = "gzip",
	.tool = "gzip",
	.state_size = sizeof(z_stream),
	.load = zlib_load,
	.begin = zlib_begin,
	.again = zlib_again,
	.step = zlib_step,
	.end = zlib_end,
};

/* ---- ISA-L ----------------------------------------------------------------------------- */

/* Asked once: behind the sandbox's door it cannot be found any more, and need not be looked for. */
static int isal_load(struct err *e)
{
	int r = zlib_load(e);

	if (r < 0 || isal_api.isal_inflate)
		return r;
	if (isal_api.missing)
		return err_set(e, ENOENT, "libisal.so.2 is not there");
	r = lib_load("libisal.so.2", "libisal2", isal_funcs, ELEMENTS(isal_funcs), &isal_api, e);
	isal_api.missing = r < 0;
	return r;
}

static int isal_begin(void *state)
{
	struct isal_state *s = state;

	s->in_body = false;
	isal_api.isal_inflate_init(&s->body);
	s->body.crc_flag = ISAL_GZIP_NO_HDR_VER;
	return zlib_begin(&s->header);
}

static int isal_again(void *state)
{
	struct isal_state *s = state;

	s->in_body = false;
	isal_api.isal_inflate_reset(&s->body);
	return zlib_again(&s->header);
}

/* With Z_BLOCK zlib stops behind the header, and says so. */
#define ZLIB_AT_BLOCK 128

static int isal_header(struct isal_state *s, struct codec_io *io)
{
	int r = zlib_inflate(&s->header, Z_BLOCK, io);

	s->in_body = r == 0 && (s->header.data_type & ZLIB_AT_BLOCK);
	return r;
}

/* The library's pointers are not const; it does not write to its input. */
static int isal_step(void *state, struct codec_io *io)
{
	struct isal_state *s = state;
	struct inflate_state *b = &s->body;
	unsigned int n_in, n_out;
	int r;

	if (!s->in_body) {
		r = isal_header(s, io);
		if (r < 0 || io->n_in == 0)
			return r;
	}
	n_in = codec_clamp(io->n_in);
	n_out = codec_clamp(io->n_out);
	b->next_in = (uint8_t *)(uintptr_t)io->in;
	b->avail_in = n_in;
	b->next_out = io->out;
	b->avail_out = n_out;
	r = isal_api.isal_inflate(b);
	codec_advance(io, n_in - b->avail_in, n_out - b->avail_out);
	if (r != ISAL_DECOMP_OK)
		return -EBADMSG;
	return b->block_state == ISAL_BLOCK_FINISH;
}

static void isal_end(void *state)
{
	zlib_end(&((struct isal_state *)state)->header);
}

const struct codec codec_isal = {
	.name = "gzip",
	.tool = "gzip",
	.state_size = sizeof(struct isal_state),
	.load = isal_load,
	.begin = isal_begin,
	.again = isal_again,
	.step = isal_step,
	.end = isal_end,
	.otherwise = &codec_zlib,
};

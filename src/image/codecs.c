// SPDX-License-Identifier: Apache-2.0
/*
 * codecs.c - formats of compression, by their own libraries (gzip in gzip.c).
 *
 * Not by libarchive's filters: its gzip filter checks neither CRC nor length, and its xz filter
 * switches the limit on memory off.  libarchive depends on the same libraries, so they cost
 * nothing more.
 */
#include <errno.h>
#include <string.h>

#include <bzlib.h>
#include <lzma.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <gpurun/lib.h>
#include <gpurun/str.h>

#include "decode.h"

/* ---- xz -------------------------------------------------------------------------------- */

#define XZ_FUNCS(X) X(lzma_stream_decoder) X(lzma_memlimit_set) X(lzma_code) X(lzma_end)
struct xz_api {
	XZ_FUNCS(LIB_POINTER)
};
#define XZ_ENTRY(f) LIB_ENTRY(xz_api, f)
static const struct lib_func xz_funcs[] = { XZ_FUNCS(XZ_ENTRY) };
static struct xz_api xz_api;

static int xz_load(struct err *e)
{
	if (xz_api.lzma_end)
		return 0;
	return lib_load("liblzma.so.5", "liblzma5", xz_funcs, ELEMENTS(xz_funcs), &xz_api, e);
}

static int xz_begin(void *state)
{
	lzma_stream *x = state;

	*x = (lzma_stream)LZMA_STREAM_INIT;
	return xz_api.lzma_stream_decoder(x, XZ_FREE, 0) == LZMA_OK ? 0 : -ENOMEM;
}

static int xz_step(void *state, struct codec_io *io)
{
	lzma_stream *x = state;
	lzma_ret r;

	x->next_in = io->in;
	x->avail_in = io->n_in;
	x->next_out = io->out;
	x->avail_out = io->n_out;
	r = xz_api.lzma_code(x, LZMA_RUN);
	/* at the limit the library waits for a higher one */
	if (r == LZMA_MEMLIMIT_ERROR && io->wide &&
	    xz_api.lzma_memlimit_set(x, XZ_MEMORY_MAX) == LZMA_OK)
		r = xz_api.lzma_code(x, LZMA_RUN);
	codec_advance(io, io->n_in - x->avail_in, io->n_out - x->avail_out);
	if (r == LZMA_STREAM_END)
		return 1;
	if (r == LZMA_MEMLIMIT_ERROR)
		return io->wide ? -E2BIG : CODEC_WIDE;
	if (r == LZMA_MEM_ERROR)
		return -ENOMEM;
	return r == LZMA_OK || r == LZMA_BUF_ERROR ? 0 : -EBADMSG;
}

static void xz_end(void *state)
{
	xz_api.lzma_end(state);
}

static const struct codec codec_xz = {
	.name = "xz",
	.tool = "xz",
	.state_size = sizeof(lzma_stream),
	.load = xz_load,
	.begin = xz_begin,
	.step = xz_step,
	.end = xz_end,
};

/* ---- bzip2 ----------------------------------------------------------------------------- */

#define BZIP2_FUNCS(X) X(BZ2_bzDecompressInit) X(BZ2_bzDecompress) X(BZ2_bzDecompressEnd)
struct bzip2_api {
	BZIP2_FUNCS(LIB_POINTER)
};
#define BZIP2_ENTRY(f) LIB_ENTRY(bzip2_api, f)
static const struct lib_func bzip2_funcs[] = { BZIP2_FUNCS(BZIP2_ENTRY) };
static struct bzip2_api bzip2_api;

/* Debian's own name for it is libbz2.so.1.0; this one is there too, and on other systems. */
static int bzip2_load(struct err *e)
{
	if (bzip2_api.BZ2_bzDecompressEnd)
		return 0;
	return lib_load("libbz2.so.1", "libbz2-1.0", bzip2_funcs, ELEMENTS(bzip2_funcs), &bzip2_api,
			e);
}

static int bzip2_begin(void *state)
{
	bz_stream *b = state;

	*b = (bz_stream){ 0 };
	return bzip2_api.BZ2_bzDecompressInit(b, 0, 0) == BZ_OK ? 0 : -ENOMEM;
}

/* The library's pointers are not const; it does not write to its input. */
static int bzip2_step(void *state, struct codec_io *io)
{
	bz_stream *b = state;
	unsigned int n_in = codec_clamp(io->n_in), n_out = codec_clamp(io->n_out);
	int r;

	b->next_in = (char *)(uintptr_t)io->in;
	b->avail_in = n_in;
	b->next_out = (char *)io->out;
	b->avail_out = n_out;
	r = bzip2_api.BZ2_bzDecompress(b);
	codec_advance(io, n_in - b->avail_in, n_out - b->avail_out);
	if (r == BZ_STREAM_END)
		return 1;
	if (r == BZ_MEM_ERROR)
		return -ENOMEM;
	return r == BZ_OK ? 0 : -EBADMSG;
}

static void bzip2_end(void *state)
{
	bzip2_api.BZ2_bzDecompressEnd(state);
}

static const struct codec codec_bzip2 = {
	.name = "bzip2",
	.tool = "bzip2",
	.state_size = sizeof(bz_stream),
	.load = bzip2_load,
	.begin = bzip2_begin,
	.step = bzip2_step,
	.end = bzip2_end,
};

/* ---- zstd ------------------------------------------------------------------------------ */

#define ZSTD_FUNCS(X)                                                                              \
	X(ZSTD_createDStream)                                                                      \
	X(ZSTD_DCtx_setParameter)                                                                  \
	X(ZSTD_decompressStream) X(ZSTD_freeDStream) X(ZSTD_isError) X(ZSTD_getErrorCode)
struct zstd_api {
	ZSTD_FUNCS(LIB_POINTER)
};
#define ZSTD_ENTRY(f) LIB_ENTRY(zstd_api, f)
static const struct lib_func zstd_funcs[] = { ZSTD_FUNCS(ZSTD_ENTRY) };
static struct zstd_api zstd_api;

static int zstd_load(struct err *e)
{
	if (zstd_api.ZSTD_isError)
		return 0;
	return lib_load("libzstd.so.1", "libzstd1", zstd_funcs, ELEMENTS(zstd_funcs), &zstd_api, e);
}

/* RFC 8878, 3.1.1.1: magic, descriptor, window or (one segment) dictionary id and contents' size */
#define ZSTD_HEAD     18
#define ZSTD_SEGMENT  0x20
#define ZSTD_MAGIC_AT 4

/* struct zstd_state - the decoder, and what a frame begins with */
struct zstd_state {
	ZSTD_DStream *d;
	uint8_t head[ZSTD_HEAD];
	size_t n_head;
	bool known; /* its window is, and may be used */
};

static int zstd_begin(void *state)
{
	struct zstd_state *s = state;

	*s = (struct zstd_state){ .d = zstd_api.ZSTD_createDStream() };
	if (!s->d || zstd_api.ZSTD_isError(zstd_api.ZSTD_DCtx_setParameter(
			     s->d, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)))
		return -ENOMEM;
	return 0;
}

/* The size of the contents, as far as it says something about the window. */
static uint64_t zstd_contents(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = n; i > 0; i--)
		v = v << 8 | p[i - 1];
	return n == 2 ? v + 256 : v;
}

/*
 * The window of the frame: 1 when it is known, 0 when more of the header must come.  The library
 * takes the memory when it has seen the same bytes, not before.
 */
static int zstd_window(const struct zstd_state *s, uint64_t *ret)
{
	static const uint8_t magic[ZSTD_MAGIC_AT] = { 0x28, 0xb5, 0x2f, 0xfd };
	static const uint8_t dict[] = { 0, 1, 2, 4 }, contents[] = { 1, 2, 4, 8 };
	const uint8_t *p = s->head + ZSTD_MAGIC_AT + 1;
	uint8_t how;
	size_t skip, n;

	*ret = 0;
	if (memcmp(s->head, magic, s->n_head < sizeof(magic) ? s->n_head : sizeof(magic)) != 0)
		return 1; /* one that is skipped, or none */
	if (s->n_head < ZSTD_MAGIC_AT + 2)
		return 0;
	how = s->head[ZSTD_MAGIC_AT];
	if (!(how & ZSTD_SEGMENT)) {
		*ret = (1ULL << (10 + (*p >> 3))) / 8 * (8 + (*p & 7));
		return 1;
	}
	skip = dict[how & 3];
	n = contents[how >> 6];
	if (s->n_head < ZSTD_MAGIC_AT + 1 + skip + n)
		return 0;
	*ret = zstd_contents(p + skip, n);
	return 1;
}

/* Look at what comes; CODEC_WIDE when this frame must wait for its turn. */
static int zstd_look(struct zstd_state *s, const struct codec_io *io)
{
	size_t had = s->n_head, n = ZSTD_HEAD - had;
	uint64_t window;

	if (s->known)
		return 0;
	n = n < io->n_in ? n : io->n_in;
	memcpy(s->head + had, io->in, n);
	s->n_head += n;
	s->known = zstd_window(s, &window) == 1;
	if (!s->known || window <= WINDOW_FREE || io->wide)
		return 0;
	s->known = false;
	s->n_head = had;
	return CODEC_WIDE;
}

static int zstd_fail(size_t r)
{
	const ZSTD_ErrorCode code = zstd_api.ZSTD_getErrorCode(r);

	if (code == ZSTD_error_memory_allocation)
		return -ENOMEM;
	return code == ZSTD_error_frameParameter_windowTooLarge ? -E2BIG : -EBADMSG;
}

/* Frames without content (zstd:chunked has them) end like any other. */
static int zstd_step(void *state, struct codec_io *io)
{
	struct zstd_state *s = state;
	int look = zstd_look(s, io);
	ZSTD_inBuffer in = { io->in, io->n_in, 0 };
	ZSTD_outBuffer out = { io->out, io->n_out, 0 };
	size_t r;

	if (look != 0)
		return look;
	r = zstd_api.ZSTD_decompressStream(s->d, &out, &in);
	codec_advance(io, in.pos, out.pos);
	if (zstd_api.ZSTD_isError(r))
		return zstd_fail(r);
	if (r == 0) {
		s->known = false;
		s->n_head = 0;
	}
	return r == 0;
}

static void zstd_end(void *state)
{
	zstd_api.ZSTD_freeDStream(((struct zstd_state *)state)->d);
}

/* The library goes on with the next frame by itself. */
static int zstd_again(void *state)
{
	(void)state;
	return 0;
}

static const struct codec codec_zstd = {
	.name = "zstd",
	.tool = "zstd",
	.state_size = sizeof(struct zstd_state),
	.load = zstd_load,
	.begin = zstd_begin,
	.again = zstd_again,
	.step = zstd_step,
	.end = zstd_end,
};

/* ---- the table ------------------------------------------------------------------------- */

static const struct codec codec_lz4 = { .name = "lz4", .tool = "lz4" };
static const struct codec codec_lzip = { .name = "lzip", .tool = "lzip" };

static const struct {
	size_t offset, n;
	const char *magic;
	const struct codec *codec;
} magics[] = {
	{ 0, 2, "\x1f\x8b", &codec_isal },
	{ 0, 4, "\x28\xb5\x2f\xfd", &codec_zstd },
	/* a zstd frame that is skipped; the first byte is one of sixteen */
	{ 1, 3, "\x2a\x4d\x18", &codec_zstd },
	{ 0, 6,
	  "\xfd"
	  "7zXZ\0",
	  &codec_xz },
	/* "BZh9" alone could begin the name of a file: the first block or the end mark decides */
	{ 4, 6, "1AY&SY", &codec_bzip2 },
	{ 4, 6, "\x17\x72\x45\x38\x50\x90", &codec_bzip2 },
	{ 0, 4, "\x04\x22\x4d\x18", &codec_lz4 },
	{ 0, 5, "LZIP\x01", &codec_lzip },
};

const struct codec *codec_find(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < ELEMENTS(magics); i++)
		if (n >= magics[i].offset + magics[i].n &&
		    memcmp(p + magics[i].offset, magics[i].magic, magics[i].n) == 0)
			return magics[i].codec;
	return NULL;
}

int codec_load(const struct codec **c, struct err *e)
{
	struct err ignored = { 0 };

	if ((*c)->otherwise && (*c)->load(&ignored) < 0)
		*c = (*c)->otherwise;
	return (*c)->load(e);
}

/* What is missing is said when an image needs it: lib_load() names library and package then. */
int codecs_load(struct err *e)
{
	struct err ignored = { 0 };

	for (size_t i = 0; i < ELEMENTS(magics); i++)
		if (magics[i].codec->load)
			magics[i].codec->load(&ignored);
	return codec_zlib.load(e);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * gzip by ISA-L and by zlib: the same bytes, the same verdict, the same message.  But a fault in
 * the last bytes of all may be bad data to zlib and to ISA-L, which wants more input before it
 * looks at what it has, the end of data that are cut off.
 */
#include <errno.h>

#include "../../src/image/decode.h"
#include "images.h"

#define WHOLE     (1U << 20)
#define HEAD      10 /* bytes of gzip's header without anything optional */
#define ZEROS     (24U << 20)
#define FLIPS     1500
#define LAST      16 /* bytes: the trailer and what ISA-L takes at a time */
#define FLAG_HCRC 2

/* An input that is handed out in pieces, each in memory of its own: nothing lies behind it. */
struct feed {
	struct bytes b;
	size_t pos, piece;
	void *last;
};

static ssize_t feed_fill(void *arg, const void **ret_block, struct err *e)
{
	struct feed *f = arg;
	size_t n = f->b.n - f->pos;

	(void)e;
	n = n < f->piece ? n : f->piece;
	free(f->last);
	f->last = n ? malloc(n) : NULL;
	if (n == 0)
		return 0;
	*ret_block = memcpy(f->last, f->b.p + f->pos, n);
	f->pos += n;
	return (ssize_t)n;
}

struct verdict {
	ssize_t r;
	uint64_t n, hash; /* of what came out */
	char msg[ERR_MSG_MAX];
};

static struct verdict decode(const struct codec *c, struct bytes b, size_t piece)
{
	_cleanup_arena_ struct arena *a = arena_new(4U << 20);
	struct feed f = { .b = b, .piece = piece };
	struct verdict v = { .hash = 14695981039346656037U };
	struct err e = { 0 };
	struct decoder d;
	const void *block;

	decoder_init(&d, a, "x", feed_fill, &f);
	d.out = arena_alloc(a, DECODE_BLOCK);
	d.codec = c;
	d.state = arena_alloc(a, c->state_size);
	d.phase = DECODE_STREAM;
	d.begun = true;
	if (c->load(&e) < 0 || c->begin(d.state) < 0)
		die(e.msg);
	while ((v.r = decoder_read(&d, &block, &e)) > 0) {
		v.n += (uint64_t)v.r;
		for (ssize_t i = 0; i < v.r; i++)
			v.hash = (v.hash ^ ((const uint8_t *)block)[i]) * 1099511628211U;
	}
	decoder_close(&d);
	free(f.last);
	memcpy(v.msg, e.msg, sizeof(v.msg));
	return v;
}

static bool same(const struct verdict *x, const struct verdict *y)
{
	if (x->r < 0)
		return x->r == y->r && strcmp(x->msg, y->msg) == 0;
	return x->r == y->r && x->n == y->n && x->hash == y->hash;
}

/* Both codecs, the input whole and in pieces; the verdict, which is one for all of them. */
static struct verdict both(struct bytes b, const char *what, int *ret_differ)
{
	static const size_t pieces[] = { WHOLE, 4096, 7, 1 };
	struct verdict first = decode(&codec_zlib, b, WHOLE);

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct verdict z = decode(&codec_zlib, b, pieces[i]);
		struct verdict l = decode(&codec_isal, b, pieces[i]);

		if (same(&first, &z) && same(&first, &l))
			continue;
		++*ret_differ;
		diag("%s, pieces of %zu: zlib %zd \"%s\", in pieces %zd \"%s\", ISA-L %zd \"%s\"",
		     what, pieces[i], first.r, first.msg, z.r, z.msg, l.r, l.msg);
	}
	return first;
}

static void good(struct bytes b, size_t n, const char *what)
{
	int differ = 0;
	struct verdict v = both(b, what, &differ);

	ok(v.r == 0 && v.n == n && !differ, "%s: %ju bytes by both %s", what, (uintmax_t)v.n,
	   v.msg);
}

static void bad(struct bytes b, const char *text, const char *what)
{
	int differ = 0;
	struct verdict v = both(b, what, &differ);

	ok(v.r == -EINVAL && strstr(v.msg, text) && !differ, "%s: %s", what, v.msg);
}

static uint32_t random_next(uint32_t *x)
{
	*x = *x * 1103515245 + 12345;
	return *x >> 8;
}

/* Words that come again, so that there are matches of all kinds; @mask 255: noise. */
static struct bytes sample(size_t n, uint32_t mask)
{
	struct bytes b = { 0 };
	uint32_t x = 7;

	while (b.n < n) {
		uint32_t r = random_next(&x);
		uint8_t c = (uint8_t)(r & mask);

		if (mask != 255 && b.n > 100 && r % 5 == 0) {
			size_t back = 1 + random_next(&x) % (b.n < 30000 ? b.n - 1 : 30000);
			size_t len = random_next(&x) % 200;

			len = len < back ? len : back;
			bytes_add(&b, bytes_cut(b, b.n - back, b.n - back + len).p, len);
		} else {
			bytes_add(&b, &c, 1);
		}
	}
	b.n = n;
	return b;
}

static void test_good(void)
{
	struct bytes text = sample(700000, 63), noise = sample(300000, 255);
	struct bytes small = bytes_of("hello"), gz = filter("gzip -nc", small), many = { 0 };

	good(filter("gzip -1c", text), text.n, "gzip -1");
	good(filter("gzip -6c", text), text.n, "gzip -6");
	good(filter("gzip -9c", text), text.n, "gzip -9");
	good(filter("gzip -c", noise), noise.n, "stored blocks");
	good(filter("gzip -c", (struct bytes){ 0 }), 0, "nothing");
	good(gz, small.n, "fixed codes");
	good(bytes_join(gz, filter("gzip -c", text)), small.n + text.n, "two streams");
	good(bytes_join(gz, bytes_join(bytes_zero(999), gz)), 2 * small.n, "padding between");
	for (int i = 0; i < 300; i++)
		bytes_add(&many, gz.p, gz.n);
	good(many, 300 * small.n, "300 streams");
	good(filter("gzip -c", bytes_zero(ZEROS)), ZEROS, "a thousand to one");
}

/* ---- headers --------------------------------------------------------------------------- */

static uint32_t crc32_of(struct bytes b)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < b.n; i++) {
		crc ^= b.p[i];
		for (int k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return ~crc;
}

/* "hello" behind a header with these flags and fields; with the CRC of it when it is flagged. */
static struct bytes headed(uint8_t flags, const char *fields, size_t n, uint32_t crc_xor)
{
	struct bytes gz = filter("gzip -nc", bytes_of("hello")), h = bytes_cut(gz, 0, HEAD);
	uint8_t crc[2];

	h.p[3] = flags;
	bytes_add(&h, fields, n);
	crc[0] = (uint8_t)(crc32_of(h) ^ crc_xor);
	crc[1] = (uint8_t)(crc32_of(h) >> 8);
	if (flags & FLAG_HCRC)
		bytes_add(&h, crc, sizeof(crc));
	return bytes_join(h, bytes_cut(gz, HEAD, gz.n));
}

static void test_headers(void)
{
	static const char extra[] = "\x05\x00"
				    "extra";
	static const char all[] = "\x05\x00"
				  "extraname\0comment";
	struct bytes h = headed(0, "", 0, 0);

	good(headed(4, extra, 7, 0), 5, "an extra field");
	good(headed(8, "name", 5, 0), 5, "a name");
	good(headed(16, "comment", 8, 0), 5, "a comment");
	good(headed(2, "", 0, 0), 5, "a CRC of the header");
	good(headed(31, all, sizeof(all), 0), 5, "everything");
	bad(headed(2, "", 0, 1), "bad gzip data", "a wrong CRC of the header");
	bad(headed(31, all, sizeof(all), 4), "bad gzip data", "the same of a long one");
	bad(headed(32, "", 0, 0), "bad gzip data", "a flag without meaning");
	h.p[2] = 7;
	bad(h, "bad gzip data", "another method");
	bad(bytes_cut(headed(31, all, sizeof(all), 0), 0, 20), "cut off", "half a header");
	bad(bytes_join(headed(0, "", 0, 0), bytes_of("\x1f")), "cut off", "one byte behind");
	bad(bytes_join(headed(0, "", 0, 0), bytes_of("garbage")), "bad gzip data",
	    "garbage behind");
}

/* ---- damage ---------------------------------------------------------------------------- */

static void test_cuts(void)
{
	struct bytes gz = filter("gzip -c", sample(1500, 63)), b;
	int differ = 0, wrong = 0;

	for (size_t n = 1; n < gz.n; n++) {
		struct verdict v = both(bytes_cut(gz, 0, n), text_of("%zu bytes", n), &differ);

		wrong += v.r != -EINVAL || !strstr(v.msg, "cut off");
	}
	ok(!differ && !wrong, "every cut of %zu bytes is one", gz.n);
	for (size_t i = gz.n - 8; i < gz.n; i++) {
		b = bytes_cut(gz, 0, gz.n);
		b.p[i] ^= 1;
		bad(b, "bad gzip data", text_of("byte %zu of the trailer", i - (gz.n - 8)));
	}
}

static void test_flips(const char *command, size_t size, uint32_t mask)
{
	struct bytes gz = filter(command, sample(size, mask));
	struct verdict whole = decode(&codec_zlib, gz, WHOLE), v;
	int differ = 0, wrong = 0;
	uint32_t x = 99;

	for (int i = 0; i < FLIPS; i++) {
		size_t bit = random_next(&x) % (8 * (gz.n - HEAD - LAST)) + 8 * (size_t)HEAD;
		struct bytes b = bytes_cut(gz, 0, gz.n);

		b.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
		v = both(b, text_of("bit %zu", bit), &differ);
		wrong += v.r == 0;
	}
	/* where the bits of the last byte end nobody looks at the rest of it */
	for (size_t bit = 8 * (gz.n - LAST); bit < 8 * gz.n; bit++) {
		struct bytes b = bytes_cut(gz, 0, gz.n);

		b.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
		v = decode(&codec_isal, b, WHOLE);
		wrong += v.r == 0 && !same(&v, &whole);
		differ += v.r != decode(&codec_zlib, b, WHOLE).r;
	}
	is_int(differ, 0, "%s: %d bits fall over: verdicts that differ", command, FLIPS);
	is_int(wrong, 0, "%s: none gives other bytes", command);
}

static int load_nothing(struct err *e)
{
	return err_set(e, ENOENT, "no such library");
}

static void test_choice(void)
{
	const struct codec *c = codec_find((const uint8_t *)"\x1f\x8b", 2);
	struct codec missing = codec_isal;
	struct err e = { 0 };

	is_int(codec_load(&c, &e), 0, "a library for gzip %s", e.msg);
	ok(c == &codec_isal, "it is ISA-L's");
	missing.load = load_nothing;
	c = &missing;
	is_int(codec_load(&c, &e), 0, "ISA-L is missing");
	ok(c == &codec_zlib && !*e.msg, "zlib takes its place, and nothing is said");
	missing.otherwise = NULL;
	c = &missing;
	is_int(codec_load(&c, &e), -ENOENT, "nothing takes its place: %s", e.msg);
}

int main(void)
{
	test_choice();
	test_good();
	test_headers();
	test_cuts();
	test_flips("gzip -nc", 400, 63);
	test_flips("gzip -nc", 3000, 255);
	return done_testing();
}

// SPDX-License-Identifier: Apache-2.0
/* Compression and digests: what is read of a layer, and what is refused. */
#include <errno.h>
#include <pthread.h>

#include "../../src/image/decode.h"
#include "images.h"

static const struct {
	const char *name, *command;
	size_t magic; /* bytes by which the format is recognised */
} formats[] = {
	{ "gzip", "gzip -c", 2 },
	{ "zstd", "zstd -q -c", 4 },
	{ "xz", "xz -c", 6 },
	{ "bzip2", "bzip2 -c", 10 },
};

/* A layer that does not shrink to nothing. */
static struct bytes big_layer(size_t n)
{
	struct bytes data = { 0 }, t = { 0 };
	uint32_t x = 12345;

	for (size_t i = 0; i < n; i++) {
		uint8_t c;

		x = x * 1103515245 + 12345;
		c = (uint8_t)(x >> 24) & 15;
		bytes_add(&data, &c, 1);
	}
	tar_add(&t, "data", '0', NULL, data);
	tar_end(&t);
	return t;
}

static void reads_as(struct bytes file, struct bytes tar, const char *what, const char *format)
{
	struct opened o;
	char hex[IMAGE_ID_HEX + 1] = "";
	struct bytes have = { 0 };

	image_try(&o, file, "");
	is_int(o.r, 0, "%s: %s is a plain image %s", format, what, o.e.msg);
	if (o.r == 0) {
		ok(o.m.n_layers == 1 && !o.m.config_id[0] && !o.m.name, "%s: of one layer", format);
		is_int(layer_read(&o, 0, &have, hex), 0, "%s: read to the end %s", format, o.e.msg);
		ok(have.n == tar.n && memcmp(have.p, tar.p, tar.n) == 0, "%s: the same bytes",
		   format);
		is_str(hex, digest_of(tar), "%s: its diff_id", format);
	}
	image_done(&o);
}

/* The error may come at opening or while the layer is read; it must come. */
static void fails(struct bytes file, const char *text, const char *what, const char *format)
{
	struct opened o;
	int r;

	image_try(&o, file, "");
	r = o.r < 0 ? o.r : layer_read(&o, 0, NULL, NULL);
	ok(r < 0 && strstr(o.e.msg, text), "%s: %s: %s", format, what, o.e.msg);
	image_done(&o);
}

static void test_format(const char *name, const char *command, size_t magic)
{
	struct bytes tar = big_layer(700000), half = bytes_cut(tar, 0, tar.n / 2), zeros = { 0 };
	struct bytes rest = bytes_cut(tar, tar.n / 2, tar.n), whole = filter(command, tar), bent;
	struct bytes two = bytes_join(filter(command, half), filter(command, rest));
	static const uint8_t nul[1000];
	size_t cuts[] = { whole.n - 1, whole.n - 3, whole.n / 2, 2000, 20 };

	bytes_add(&zeros, nul, sizeof(nul));
	reads_as(whole, tar, "one stream", name);
	reads_as(two, tar, "two streams in a row", name);
	reads_as(bytes_join(whole, filter(command, (struct bytes){ 0 })), tar,
		 "an empty second stream", name);
	reads_as(bytes_join(whole, zeros), tar, "padding behind", name);
	reads_as(bytes_join(filter(command, half), bytes_join(zeros, filter(command, rest))), tar,
		 "padding between", name);
	fails(bytes_join(whole, bytes_of("garbage behind it")), "", "garbage behind", name);
	fails(bytes_join(whole, bytes_cut(whole, 0, magic)), "", "the beginning of a second stream",
	      name);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
		fails(bytes_cut(whole, 0, cuts[i]), "", text_of("cut off at %zu", cuts[i]), name);
	bent = bytes_cut(whole, 0, whole.n);
	bent.p[bent.n / 2] ^= 0x20;
	fails(bent, "", "a bit that fell over", name);
	fails(filter(command, bytes_of("this is no tar, however it is compressed")), "tar",
	      "no tar inside", name);
}

/* gzip's trailer is a CRC and a length, four bytes each. */
static void test_gzip_trailer(void)
{
	struct bytes tar = tar_layer("a", "b"), whole = filter("gzip -c", tar), b;

	b = bytes_cut(whole, 0, whole.n);
	b.p[b.n - 8] ^= 1;
	fails(b, "bad gzip data", "a wrong CRC", "gzip");
	b = bytes_cut(whole, 0, whole.n);
	b.p[b.n - 4] ^= 1;
	fails(b, "bad gzip data", "a wrong length", "gzip");
	fails(bytes_cut(whole, 0, whole.n - 8), "cut off", "no trailer", "gzip");
}

static void test_zstd(void)
{
	/* magic, no content size, a window of 1 GiB, an empty last block */
	static const uint8_t wide[] = { 0x28, 0xb5, 0x2f, 0xfd, 0, 20 << 3, 1, 0, 0 };
	static const uint8_t skippable[] = { 0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c' };
	struct bytes tar = tar_layer("a", "b"), whole = filter("zstd -q -c", tar), frame = { 0 };
	struct bytes window = { 0 }, bent;

	bytes_add(&frame, skippable, sizeof(skippable));
	reads_as(bytes_join(frame, whole), tar, "a skippable frame in front", "zstd");
	reads_as(bytes_join(whole, frame), tar, "a skippable frame behind", "zstd");
	fails(bytes_join(whole, bytes_cut(frame, 0, 9)), "cut off", "half a skippable frame behind",
	      "zstd");
	bytes_add(&window, wide, sizeof(wide));
	fails(bytes_join(whole, window), "take too much memory", "a window of 1 GiB", "zstd");
	bent = filter("zstd -q --check -c", tar);
	bent.p[bent.n - 1] ^= 1;
	fails(bent, "bad zstd data", "a wrong checksum", "zstd");
}

static void test_limits(void)
{
	struct bytes tar = tar_layer("a", "b");

	fails(filter("xz -c --lzma2=preset=0,dict=512MiB", tar), "memory",
	      "a dictionary of 512 MiB", "xz");
	reads_as(filter("xz -9 -c", tar), tar, "xz -9", "xz");
	reads_as(filter("xz -c -C none", tar), tar, "xz without a check", "xz");
}

/* ---- large windows take turns ----------------------------------------------------------- */

static ssize_t fill_once(void *arg, const void **ret_block, struct err *e)
{
	struct bytes *b = arg;
	ssize_t n = (ssize_t)b->n;

	(void)e;
	*ret_block = b->p;
	b->n = 0;
	return n;
}

/* struct reader - a decoder over bytes in memory, and how its first block went */
struct reader {
	struct arena *a;
	struct decoder d;
	struct bytes left;
	struct err e;
	ssize_t n;
};

static void *reader_run(void *arg)
{
	struct reader *r = arg;
	const void *block;

	r->n = decoder_read(&r->d, &block, &r->e);
	return NULL;
}

static void reader_begin(struct reader *r, struct bytes b, struct window_turn *turn)
{
	*r = (struct reader){ .a = arena_new(1U << 20), .left = b };
	decoder_init(&r->d, r->a, "x", fill_once, &r->left);
	r->d.out = arena_alloc(r->a, DECODE_BLOCK);
	r->d.turn = turn;
}

static void reader_end(struct reader *r)
{
	decoder_close(&r->d);
	arena_free(r->a);
}

static void test_turns(const char *command, bool wide)
{
	struct bytes b = filter(command, big_layer(300000));
	struct reader first, second;
	struct window_turn turn;
	pthread_t thread;

	window_turn_init(&turn);
	reader_begin(&first, b, &turn);
	reader_run(&first);
	ok(first.n > 0 && turn.taken == wide, "%s: %s %s", command, wide ? "a turn" : "no turn",
	   first.e.msg);
	reader_begin(&second, b, &turn);
	if (pthread_create(&thread, NULL, reader_run, &second) != 0)
		die("pthread_create");
	reader_end(&first);
	pthread_join(thread, NULL);
	ok(second.n > 0 && turn.taken == wide, "%s: another one after it", command);
	reader_end(&second);
	ok(!turn.taken, "%s: given back", command);
	window_turn_end(&turn);
}

static void test_windows(void)
{
	test_turns("zstd -q -c", false);
	test_turns("zstd -q -c --long=23", false);
	test_turns("zstd -q -c --long=24", true);
	test_turns("zstd -q -c --long=27", true);
	test_turns("xz -c", false);
	test_turns("xz -c --lzma2=preset=0,dict=32MiB", true);
	test_turns("gzip -c", false);
	test_turns("bzip2 -c", false);
}

/* ---- promises: digest, size, diff_id --------------------------------------------------- */

static void promise(const struct image_layer *l, struct bytes file, const char *text,
		    const char *what)
{
	struct opened o;
	int r;

	image_try(&o, file, "");
	if (o.r == 0)
		o.m.layers[0].digest = l->digest;
	if (o.r == 0) {
		o.m.layers[0].diff_id = l->diff_id;
		o.m.layers[0].size = l->size;
	}
	r = o.r ? o.r : layer_read(&o, 0, NULL, NULL);
	if (text)
		ok(r == -EINVAL && strstr(o.e.msg, text), "%s: %s", what, o.e.msg);
	else
		is_int(r, 0, "%s %s", what, o.e.msg);
	image_done(&o);
}

static void test_promises(const char *command)
{
	struct bytes tar = tar_layer("a", "b"), other = tar_layer("a", "c");
	struct bytes blob = command ? filter(command, tar) : tar;
	struct image_layer l = { .digest = digest_of(blob),
				 .diff_id = digest_of(tar),
				 .size = (int64_t)blob.n };
	const char *how = command ? command : "uncompressed";

	promise(&l, blob, NULL, text_of("%s: digest, size and diff_id are right", how));
	l.digest = digest_of(other);
	promise(&l, blob, "the digest is", text_of("%s: wrong digest", how));
	l.digest = digest_of(blob);
	l.diff_id = digest_of(other);
	promise(&l, blob, "the diff_id is", text_of("%s: wrong diff_id", how));
	l.diff_id = digest_of(tar);
	l.size++;
	promise(&l, blob, "its descriptor says", text_of("%s: wrong size", how));
	l.size = -1;
	promise(&l, blob, NULL, text_of("%s: no size", how));
	l.digest = NULL;
	l.diff_id = digest_of(other);
	promise(&l, blob, "the diff_id is", text_of("%s: wrong diff_id, no digest", how));
}

/* image_layer_finish() alone reads what nobody asked for: the digest covers the whole blob. */
static void test_finish(void)
{
	struct bytes tar = big_layer(900000);
	char hex[IMAGE_ID_HEX + 1] = "";
	uint64_t done = 0, total = 0;
	struct image_stream *st;
	struct opened o;
	const void *block;

	image_try(&o, filter("gzip -c", tar), "");
	is_int(image_layer_open(o.s, &o.m.layers[0], &st, &o.e), 0, "open %s", o.e.msg);
	image_layer_progress(st, &done, &total);
	ok(done == 0 && total > 0, "nothing read yet of %ju bytes", (uintmax_t)total);
	ok(image_layer_read(st, &block, &o.e) > 0, "one block");
	image_layer_progress(st, &done, &total);
	ok(done > 0 && done <= total, "progress");
	is_int(image_layer_finish(st, hex, &o.e), 0, "finish %s", o.e.msg);
	is_str(hex, digest_of(tar), "the diff_id of all of it");
	image_layer_progress(st, &done, &total);
	ok(done == total, "all of the blob was read");
	image_layer_close(st);
	image_done(&o);
}

/* Two streams of one source at a time, and what is used again after closing. */
static void test_streams(void)
{
	struct bytes tar = big_layer(600000), have[2] = { { 0 }, { 0 } };
	struct image_stream *st[2];
	struct opened o;
	const void *block;
	ssize_t n = 0;

	image_try(&o, filter("gzip -c", tar), "");
	for (int i = 0; i < 2; i++)
		ok(image_layer_open(o.s, &o.m.layers[0], &st[i], &o.e) == 0, "stream %d", i);
	for (int more = 1; more;) {
		more = 0;
		for (int i = 0; i < 2; i++) {
			n = image_layer_read(st[i], &block, &o.e);
			if (n > 0)
				bytes_add(&have[i], block, (size_t)n);
			more |= n > 0;
		}
	}
	for (int i = 0; i < 2; i++) {
		ok(have[i].n == tar.n && memcmp(have[i].p, tar.p, tar.n) == 0, "bytes of %d", i);
		image_layer_close(st[i]);
	}
	for (int i = 0; i < 20; i++)
		if (layer_read(&o, 0, NULL, NULL) < 0)
			n = -1;
	is_int(n, 0, "read again and again");
	image_done(&o);
}

/* A failure stays a failure. */
static void test_failed(void)
{
	struct bytes gz = filter("gzip -c", big_layer(600000));
	struct image_stream *st;
	struct opened o;
	const void *block;
	ssize_t n;

	gz.p[gz.n - 6] ^= 1;
	image_try(&o, gz, "");
	is_int(image_layer_open(o.s, &o.m.layers[0], &st, &o.e), 0, "open");
	while ((n = image_layer_read(st, &block, &o.e)) > 0)
		;
	is_int(n, -EINVAL, "%s", o.e.msg);
	is_int(image_layer_read(st, &block, &o.e), -EINVAL, "read again");
	is_int(image_layer_finish(st, NULL, &o.e), -EINVAL, "finish");
	image_layer_close(st);
	image_done(&o);
}

int main(void)
{
	struct bytes tar = tar_layer("etc/hostname", "x");

	reads_as(tar, tar, "a tar", "none");
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		test_format(formats[i].name, formats[i].command, formats[i].magic);
	test_gzip_trailer();
	test_zstd();
	test_limits();
	test_windows();
	test_promises(NULL);
	test_promises("gzip -c");
	test_promises("zstd -q -c");
	test_finish();
	test_streams();
	test_failed();
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives that are long, deep, sparse, odd or broken, unpacked flat: what comes out, what is
 * refused, and that work grows with the archive only.
 */
#include <errno.h>

#include "../../src/store/unpack.h"
#include "../../src/store/view.h"
#include "layers.h"

/** struct bed - a directory to unpack into, and how the last archive went */
struct bed {
	char *path;
	int top, root, trash, list;
	struct arena *a;
	int r;
	struct err e;
	struct tree t;
	struct unpack_skipped skipped;
};

static int sub(struct bed *b, const char *name)
{
	if (mkdirat(b->top, name, 0755) < 0)
		die(name);
	return openat(b->top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void bed_begin(struct bed *b)
{
	*b = (struct bed){ .path = quick_dir(), .a = arena_new(1U << 30) };
	b->top = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->root = sub(b, "fs");
	b->trash = sub(b, "trash");
	b->list = openat(b->top, "list", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	b->r = tree_begin(&b->t, b->a, b->root, b->trash, b->list, false);
}

static void bed_add(struct bed *b, struct bytes layer, bool above)
{
	struct memory m = { .b = layer, .step = 10240 };
	const struct tar_input in = { memory_read, &m };
	_Atomic uint64_t entries = 0;

	if (above)
		tree_layer(&b->t);
	b->r = unpack_layer(b->a, &b->t, &in, &entries, &b->skipped, &b->e);
}

static void bed_finish(struct bed *b)
{
	if (b->r == 0)
		b->r = tree_end(&b->t, b->a);
	tree_close(&b->t);
}

static void bed_end(struct bed *b)
{
	close(b->top);
	close(b->root);
	close(b->trash);
	close(b->list);
	arena_free(b->a);
	temp_remove(b->path);
}

static void bed_one(struct bed *b, struct bytes layer)
{
	bed_begin(b);
	bed_add(b, layer, false);
	bed_finish(b);
}

static const char *repeat(const char *s, int n)
{
	struct bytes b = { 0 };

	for (int i = 0; i < n; i++)
		bytes_add(&b, s, strlen(s));
	return (char *)b.p;
}

static void unpacks(struct bytes layer, const char *want, const char *what)
{
	struct bed b;

	bed_one(&b, layer);
	ok(b.r == 0, "%s: %s", what, b.e.msg);
	is_str(tree_text(b.root, false), want, "%s", what);
	bed_end(&b);
}

static void fails(struct bytes layer, const char *text, const char *what)
{
	struct bed b;

	bed_one(&b, layer);
	ok(b.r < 0 && strstr(b.e.msg, text), "%s: %s", what, b.e.msg);
	bed_end(&b);
}

/* ---- names ------------------------------------------------------------------------------ */

static void test_names(void)
{
	static const int lengths[] = { 99, 100, 101, 155, 200, 255 };
	const char *name;
	struct bed b;
	struct stat st;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		name = repeat("n", lengths[i]);
		unpacks(layer_of(text_of("f %s 1", name)), text_of("%s=1", name),
			text_of("N1 a name of %d bytes, pax", lengths[i]));
		unpacks(layer_of(text_of("F %s 1", name)), text_of("%s=1", name),
			text_of("N1 a name of %d bytes, GNU", lengths[i]));
	}
	fails(layer_of(text_of("f %s 1", repeat("n", 256))), "too long", "N2 256 bytes");
	name = repeat("directory/", 400);
	bed_one(&b, layer_of(text_of("f %sx 1", name)));
	ok(b.r == 0 && fstatat(b.root, text_of("%sx", name), &st, 0) == 0, "N1 4001 bytes: %s",
	   b.e.msg);
	bed_end(&b);
	fails(layer_of(text_of("f %sx 1", repeat("directory/", 410))), "too long", "N1 4101 bytes");
	name = repeat("d/", 2000);
	bed_one(&b, layer_of(text_of("f %sx 1; f %sy 2", name, name)));
	ok(b.r == 0 && fstatat(b.root, text_of("%sy", name), &st, 0) == 0, "N10 2000 levels: %s",
	   b.e.msg);
	bed_end(&b);
	unpacks(layer_of(text_of("F %s 1", repeat("l", 150))), text_of("%s=1", repeat("l", 150)),
		"N12 GNU");
	unpacks(layer_of(text_of("l x %s", repeat("t", 300))), text_of("x->%s", repeat("t", 300)),
		"a long link target, pax");
	unpacks(layer_of(text_of("L x %s", repeat("t", 300))), text_of("x->%s", repeat("t", 300)),
		"a long link target, GNU");
	unpacks(layer_of("x path %c3%a4%ff; f y 1"), "\xc3\xa4\xff=1",
		"pax names are bytes, UTF-8 or not");
	unpacks(layer_of("x hdrcharset BINARY; x path %ff%fe; f y 1"), "\xff\xfe=1",
		"and so with hdrcharset");
	unpacks(layer_of("x linkpath %c3%a4; l x y"), "x->\xc3\xa4", "link targets as well");
}

static void test_links(void)
{
	struct bytes spec = { 0 };

	for (int i = 0; i < 45; i++) {
		const char *s = text_of("l a%d a%d;", i, i + 1);

		bytes_add(&spec, s, strlen(s));
	}
	bytes_add(&spec, "d a45;", 6);
	fails(layer_of(text_of("%s f a0/x 1", spec.p)), "Too many", "L8 46 links in a row");
	fails(layer_of(text_of("%s f a3/x 1", spec.p)), "Too many", "L8 42 links in a row");
	{
		struct bed b;
		struct stat st;

		bed_one(&b, layer_of(text_of("%s f a5/x 1", spec.p)));
		ok(b.r == 0 && fstatat(b.root, "a45/x", &st, 0) == 0, "L8 40 links in a row: %s",
		   b.e.msg);
		bed_end(&b);
	}
}

/* ---- broken archives -------------------------------------------------------------------- */

static struct bytes cut(struct bytes b, size_t n)
{
	b.n = n;
	return b;
}

static struct bytes changed(struct bytes b, size_t at, const char *with, size_t n)
{
	memcpy(b.p + at, with, n);
	return b;
}

/* The header's checksum made right again. */
static struct bytes summed(struct bytes b)
{
	unsigned int sum = 0;

	memset(b.p + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += b.p[i];
	snprintf((char *)b.p + 148, 8, "%06o", sum & 0777777);
	return b;
}

static void test_broken(void)
{
	const char *spec = "f a hello; f b world";

	fails(cut(layer_of(spec), 300), "tar", "S1 cut in the first header");
	fails(cut(layer_of(spec), 514), "a", "S1 cut in the contents");
	fails(cut(layer_of(spec), 1300), "tar", "S1 cut in the second header");
	unpacks(cut(layer_of(spec), 2048), "a=hello b=world", "no zero blocks at the end");
	unpacks(cut(layer_of(spec), 2560), "a=hello b=world", "S15 only one zero block");
	fails(changed(layer_of(spec), 150, "77", 2), "tar", "S14 a wrong checksum");
	unpacks(layer_of(""), "", "S16 nothing but zero blocks");
	unpacks((struct bytes){ .p = (uint8_t *)text_of("%s", "") }, "", "S16 zero bytes");
	fails(summed(changed(layer_of(spec), 124,
			     "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12)),
	      "tar", "S12 a negative size");
	fails(summed(changed(layer_of(spec), 124,
			     "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff", 12)),
	      "", "S13 a size of 8 EiB");
	unpacks(layer_of("x size 5; f a hello"), "a=hello", "S6 the same size twice");
	fails(layer_of("x size 99999; f a hello"), "", "S6 a pax size beyond the end");
	fails(cut(layer_of("x comment x; f a 1"), 1000), "tar", "S11 cut in a pax header");
	unpacks(layer_of("x comment hello; x unknown.key 1; f a 1"), "a=1", "unknown pax records");
}

/* A pax record whose length lies. */
static void test_malformed_pax(void)
{
	struct bytes t = { 0 };

	tar_header(&t, "pax", 'x', 0644, 0, "", 9);
	tar_pad(&t, "99 path=b\n", 9);
	tar_header(&t, "a", '0', 0644, 0, "", 0);
	tar_end(&t);
	fails(t, "tar", "a pax record whose length lies");
}

/* ---- sparse files and attributes -------------------------------------------------------- */

static void test_sparse(void)
{
	struct bed b;
	struct stat st;
	char byte = 0;
	int fd;

	bed_one(&b, layer_of("x GNU.sparse.major 1; x GNU.sparse.minor 0; x GNU.sparse.name s;"
			     "x GNU.sparse.realsize 10000000;"
			     "f GNUSparseFile.0/s 1%0a5000000%0a3%0a"));
	ok(b.r < 0, "sparse 1.0 whose map is cut: %s", b.e.msg);
	bed_end(&b);
	bed_one(&b, layer_of("x GNU.sparse.size 100000000; x GNU.sparse.numblocks 1;"
			     "x GNU.sparse.map 50000000,3; f s abc"));
	fd = openat(b.root, "s", O_RDONLY | O_CLOEXEC);
	ok(b.r == 0 && fd >= 0 && fstat(fd, &st) == 0, "sparse 0.1: %s", b.e.msg);
	is_int(st.st_size, 100000000, "its size");
	ok(st.st_blocks < 1000, "its holes take no room (%lld blocks)", (long long)st.st_blocks);
	ok(pread(fd, &byte, 1, 50000001) == 1 && byte == 'b', "its contents");
	close(fd);
	bed_end(&b);
	fails(layer_of("x GNU.sparse.size 9000000000000000; x GNU.sparse.numblocks 1;"
		       "x GNU.sparse.map 0,3; f s abc"),
	      "large", "S7 a file of 8 PiB");
}

static void test_times(void)
{
	static const struct {
		const char *spec;
		long long sec;
		long nsec;
	} times[] = {
		{ "x mtime -86400; f a 1", -86400, 0 },
		{ "x mtime 2147483648; f a 1", 2147483648LL, 0 },
		{ "x mtime 4294967296.5; f a 1", 4294967296LL, 500000000 },
		{ "x mtime 12345.123456789; f a 1", 12345, 123456789 },
		{ "x mtime 12345.5; d a; f a/b 1", 12345, 500000000 },
		{ "x mtime 12345.5; l a b", 12345, 500000000 },
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct stat st = { 0 };
		struct bed b;

		bed_one(&b, layer_of(times[i].spec));
		ok(b.r == 0 && fstatat(b.root, "a", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			   st.st_mtim.tv_sec == times[i].sec && st.st_mtim.tv_nsec == times[i].nsec,
		   "A4 %s: %lld.%09ld %s", times[i].spec, (long long)st.st_mtim.tv_sec,
		   st.st_mtim.tv_nsec, b.e.msg);
		bed_end(&b);
	}
}

static void test_xattrs(void)
{
	const char *big = repeat("v", 60000);
	struct bytes spec = { 0 };
	struct bed b;

	bed_one(&b, layer_of("x SCHILY.xattr.user.bin a%00b=c; f a 1"));
	is_int(b.r, 0, "an attribute with NUL and =");
	is_int(fgetxattr(openat(b.root, "a", O_RDONLY | O_CLOEXEC), "user.bin", text_of("%16d", 0),
			 16),
	       5, "is whole");
	bed_end(&b);
	for (int i = 0; i < 15; i++) {
		const char *s = text_of("x SCHILY.xattr.user.a%d %s;", i, big);

		bytes_add(&spec, s, strlen(s));
	}
	bed_one(&b, layer_of(text_of("%s f a 1", spec.p)));
	ok(b.r == 0, "S10 attributes of 900 kB: %s", b.e.msg);
	bed_end(&b);
	bed_one(&b, layer_of("x SCHILY.xattr.user.x v; l a b; c dev/null 1 3"));
	ok(b.r == 0 && b.skipped.xattrs == 1 && b.skipped.devices == 1,
	   "what is left out is counted");
	bed_end(&b);
}

/* ---- work ------------------------------------------------------------------------------- */

/* Searching the directory for every mark would be 800 million looks, and the test minutes long. */
static void test_linear(void)
{
	const int n = 20000;
	struct bytes files = { 0 }, opaque = { 0 };
	struct bed b;

	tar_add(&files, "d", '5', NULL, (struct bytes){ 0 });
	for (int i = 0; i < n; i++) {
		tar_add(&files, text_of("d/%d", i), '0', NULL, (struct bytes){ 0 });
		tar_add(&opaque, text_of("d/n%d", i), '0', NULL, (struct bytes){ 0 });
		tar_add(&opaque, "d/.wh..wh..opq", '0', NULL, (struct bytes){ 0 });
		tar_add(&opaque, ".wh.d", '0', NULL, (struct bytes){ 0 });
	}
	tar_end(&files);
	tar_end(&opaque);
	bed_begin(&b);
	bed_add(&b, files, false);
	bed_add(&b, opaque, true);
	bed_finish(&b);
	is_int(b.r, 0, "W23 %d opaque marks and whiteouts of one directory", n);
	{
		const struct view v = { .fs = { b.root }, .n = 1 };
		size_t layer, wrong = 0;
		struct stat st;

		for (int i = 0; i < n; i++)
			wrong += view_stat(&v, text_of("d/%d", i), &st, &layer) != -ENOENT ||
				 view_stat(&v, text_of("d/n%d", i), &st, &layer) != 0;
		is_int((int)wrong, 0, "hid the old files and kept the new ones");
	}
	bed_end(&b);
}

/* EMLINK is far away on most file systems, so 70000 links are made. */
static void test_many_links(void)
{
	struct bytes t = { 0 };
	struct bed b;

	tar_add(&t, "first", '0', NULL, bytes_of("x"));
	for (int i = 0; i < 70000; i++)
		tar_add(&t, text_of("l%d", i), '1', "first", (struct bytes){ 0 });
	tar_end(&t);
	bed_one(&b, t);
	ok(b.r == 0 && faccessat(b.root, "l69999", F_OK, 0) == 0, "70000 links to one file: %s",
	   b.e.msg);
	bed_end(&b);
}

int main(void)
{
	struct err e = { 0 };

	umask(0);
	if (unpack_load(&e) < 0) {
		diag("%s", e.msg);
		return 1;
	}
	test_names();
	test_links();
	test_broken();
	test_malformed_pax();
	test_sparse();
	test_times();
	test_xattrs();
	test_linear();
	test_many_links();
	return done_testing();
}

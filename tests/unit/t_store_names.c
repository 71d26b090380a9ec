/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pure parts of store/: names of entries, the record, the list, the set of paths, names of
 * images as file names.
 */
#include <errno.h>

#include "../../src/store/listing.h"
#include "../../src/store/record.h"
#include "../../src/store/seen.h"
#include "../../src/store/store_private.h"
#include "../../src/store/whiteout.h"
#include "images.h"

static const struct {
	const char *raw;
	int r;
	enum name_kind kind;
	const char *path;
} names[] = {
	{ "a", 0, NAME_PLAIN, "a" },
	{ "./a//b/./c/", 0, NAME_PLAIN, "a/b/c" },
	{ "/a", 0, NAME_PLAIN, "a" },
	{ "...", 0, NAME_PLAIN, "..." },
	{ "a/..b", 0, NAME_PLAIN, "a/..b" },
	{ ".", 0, NAME_ROOT, "" },
	{ "./", 0, NAME_ROOT, "" },
	{ "////", 0, NAME_ROOT, "" },
	{ "", -EINVAL, 0, NULL },
	{ "..", -EINVAL, 0, NULL },
	{ "a/../b", -EINVAL, 0, NULL },
	{ "/..", -EINVAL, 0, NULL },
	{ ".wh.a", 0, NAME_WHITEOUT, "a" },
	{ "d/.wh.a", 0, NAME_WHITEOUT, "d/a" },
	{ "d/.wh.a/", 0, NAME_WHITEOUT, "d/a" },
	{ "d/.wh..a", 0, NAME_WHITEOUT, "d/.a" },
	{ "d/.wh....", 0, NAME_WHITEOUT, "d/..." },
	{ ".wh.", -EINVAL, 0, NULL },
	{ "d/.wh..", -EINVAL, 0, NULL },
	{ "d/.wh...", -EINVAL, 0, NULL },
	{ ".wh.a/b", -EINVAL, 0, NULL },
	{ ".wh..wh..opq", 0, NAME_OPAQUE, "" },
	{ "d/e/.wh..wh..opq", 0, NAME_OPAQUE, "d/e" },
	{ ".wh..wh..opq/x", 0, NAME_IGNORED, NULL },
	{ ".wh..wh.plnk", 0, NAME_IGNORED, NULL },
	{ ".wh..wh.plnk/1.2", 0, NAME_IGNORED, NULL },
	{ "d/.wh..wh.aufs", 0, NAME_IGNORED, NULL },
	{ ".wh", 0, NAME_PLAIN, ".wh" },
	{ "a.wh.b", 0, NAME_PLAIN, "a.wh.b" },
};

static void test_names(void)
{
	struct bytes deep = { 0 };
	struct name n;
	const char *why;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int r = name_parse(names[i].raw, &n, &why);

		ok(r == names[i].r && (r < 0 || n.kind == names[i].kind) &&
			   (r < 0 || !names[i].path || strcmp(n.path, names[i].path) == 0),
		   "\"%s\"", names[i].raw);
	}
	for (int i = 0; i < 2047; i++)
		bytes_add(&deep, "a/", 2);
	is_int(name_parse((char *)deep.p, &n, &why), 0, "4093 bytes");
	bytes_add(&deep, "bcd", 3);
	is_int(name_parse((char *)deep.p, &n, &why), -ENAMETOOLONG, "4097 bytes");
	deep.n = 0;
	for (int i = 0; i < 255; i++)
		bytes_add(&deep, "x", 1);
	is_int(name_parse((char *)deep.p, &n, &why), 0, "a component of 255 bytes");
	bytes_add(&deep, "x", 1);
	is_int(name_parse((char *)deep.p, &n, &why), -ENAMETOOLONG, "a component of 256 bytes");
}

/* ---- the record ------------------------------------------------------------------------- */

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BOOT  "01234567-89ab-cdef-0123-456789abcdef"

static struct record sample(struct arena *a)
{
	struct record r = { .boot = BOOT, .unpacked = -5 };

	memcpy(r.image.id, HEX64, sizeof(r.image.id));
	r.image.name = "a/b:c";
	r.image.form = IMAGE_FORM_LAYERS;
	r.image.bytes = UINT64_MAX;
	r.image.entries = 3;
	r.image.apt = true;
	strv_push(a, &r.lowers, HEX64);
	strv_push(a, &r.image.diff_ids, HEX64);
	strv_push(a, &r.image.diff_ids, HEX64);
	strv_push(a, &r.image.config.env, "A=");
	strv_push(a, &r.image.config.env, "B=x=y\nz");
	strv_push(a, &r.image.config.cmd, "");
	strv_push(a, &r.image.config.cmd, "end");
	r.image.config.workdir = "/w";
	r.image.config.stop_signal = 15;
	r.image.passwd = "root:x:0:0::/:/bin/sh\n";
	r.image.group = "";
	r.abi = true;
	r.image.abi.libc = IMAGE_LIBC_GLIBC;
	r.image.abi.glibc = UINT32_MAX;
	r.image.abi.glibc32 = true;
	r.image.abi.libdir = "/usr/lib64";
	r.image.abi.ld_cache = "0:etc/ld.so.cache";
	strv_push(a, &r.image.abi.drivers, "/usr/lib64/libcuda.so.1");
	strv_push(a, &r.image.abi.compat, "/a");
	strv_push(a, &r.image.abi.compat, "/b");
	r.image.abi.compat_note = "{}";
	return r;
}

/* What came later is not there when it is zero, as in the records of before. */
static void test_record_later(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct record r = sample(a), back;
	size_t len, again;
	const char *text, *second;

	text = record_format(a, &r, &len);
	is_int(record_parse(a, text, len, &back), 0, "a record with all there is");
	ok(back.abi && back.image.abi.libc == IMAGE_LIBC_GLIBC && back.image.abi.glibc32 &&
		   back.image.abi.glibc == UINT32_MAX && back.image.abi.compat.n == 2,
	   "comes back");
	memset(&r.image.abi, 0, sizeof(r.image.abi));
	r.abi = false;
	text = record_format(a, &r, &len);
	ok(!memmem(text, len, "abi=", 4) && !memmem(text, len, "libc", 4), "an old one is short");
	is_int(record_parse(a, text, len, &back), 0, "and is read");
	ok(!back.abi && back.image.abi.libc == IMAGE_LIBC_NONE && !back.image.abi.libdir,
	   "with nothing known");
	second = record_format(a, &back, &again);
	ok(again == len && memcmp(text, second, len) == 0, "and is the same again");
}

static void test_record(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct record r = sample(a), back;
	size_t len, again, accepted = 0;
	const char *text = record_format(a, &r, &len), *second;
	char *copy;

	is_int(record_parse(a, text, len, &back), 0, "what is written can be read");
	second = record_format(a, &back, &again);
	ok(again == len && memcmp(text, second, len) == 0, "and is the same again");
	is_int(back.unpacked, -5, "a time before 1970");
	is_int((int)back.image.config.cmd.n, 2, "empty words and \"end\" in lists");
	is_str(back.image.config.env.v[1], "B=x=y\nz", "values may hold = and line ends");
	ok(!back.image.config.user, "absent stays absent");
	is_int(memcmp(text + RECORD_BOOT_OFFSET, BOOT, RECORD_BOOT), 0, "where the boot id stands");
	for (size_t n = 0; n < len; n++)
		accepted += record_parse(a, text, n, &back) == 0;
	is_int((int)accepted, 0, "cut anywhere it is refused");
	is_int(record_parse(a, text_of("%s", "no record"), 10, &back), -EBADMSG, "noise");
	copy = arena_alloc(a, len + 8);
	memcpy(copy, text, len);
	is_int(record_parse(a, copy, len + 4, &back), -EBADMSG, "something behind the end");
	copy[sizeof(RECORD_MAGIC) + 4] = 'o'; /* bootoid= */
	is_int(record_parse(a, copy, len, &back), -EBADMSG, "an unknown key");
}

static void test_record_values(void)
{
	static const struct {
		const char *from, *to, *what;
	} changes[] = {
		{ "id=0", "id=G", "an id that is not hex" },
		{ "form=layers", "form=circle", "an unknown form" },
		{ "entries=3", "entries=x", "a number that is none" },
		{ "apt=1", "apt=2", "a bool that is none" },
		{ "stop_signal=15", "stop_signal=-5", "a negative signal" },
		{ "lower=0", "lower=/", "a lower that is no id" },
		{ "boot=0", "boot=z", "a boot id that is none" },
		{ "unpacked=-5", "unpacked=+5", "a number with a plus" },
		{ "entries=3", "entries=03", "a number with a leading zero" },
		{ "abi=1", "abi=0", "zero where it is left out" },
		{ "libc=glibc", "libc=none", "none where it is left out" },
		{ "libc=glibc", "libc=dietlibc", "an unknown C library" },
		{ "glibc=4294967295", "glibc=4294967296", "a version that is too large" },
		{ "glibc=4294967295", "glibc=0", "a version that is left out" },
		{ "glibc32=1", "glibc32=0", "a flag that is left out" },
		{ "libdir=", "lib=", "an unknown key among them" },
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		_cleanup_arena_ struct arena *a = arena_new(0);
		struct record r = sample(a), back;
		size_t len, n = strlen(changes[i].from), m = strlen(changes[i].to);
		const char *text = record_format(a, &r, &len);
		const char *at = memmem(text, len, changes[i].from, n);
		struct bytes out = { 0 };

		if (!at)
			die(changes[i].from);
		bytes_add(&out, text, (size_t)(at - text));
		bytes_add(&out, changes[i].to, m);
		bytes_add(&out, at + n, len - n - (size_t)(at - text));
		is_int(record_parse(a, (char *)out.p, out.n, &back), -EBADMSG, "%s",
		       changes[i].what);
	}
}

/* ---- the list --------------------------------------------------------------------------- */

static void test_listing(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	int fd = memfd_create("list", MFD_CLOEXEC);
	struct listing_header h = { LAYER_IMPLIED, 7, 1ULL << 40 }, back;
	struct listing_entry e = {
		.type = LISTING_FILE, .mode = 0644, .size = 5, .crc = 0xdeadbeef
	};
	struct listing_writer w;
	struct listing_reader r;
	size_t n = 0;

	is_int(listing_begin(a, fd, &w), 0, "begin");
	is_int(listing_open(a, fd, &r, &back), -EBADMSG, "unfinished, it is no list");
	for (size_t i = 0; i < 5000; i++) {
		e.path = text_of("dir %zu/\n%0*zu", i, (int)(i % 200), i);
		if (listing_add(&w, &e) < 0)
			break;
	}
	e = (struct listing_entry){
		.type = LISTING_HARD, .path = "h", .target = "t", .mtime = { -7, 5 }
	};
	is_int(listing_add(&w, &e), 0, "a hard link");
	is_int(listing_end(&w, &h), 0, "end");
	is_int(listing_open(a, fd, &r, &back), 0, "finished");
	ok((back.flags & LAYER_IMPLIED) && back.entries == 7 && back.bytes == 1ULL << 40, "header");
	while (listing_next(&r, &e) == 1 && e.type == LISTING_FILE &&
	       strcmp(e.path, text_of("dir %zu/\n%0*zu", n, (int)(n % 200), n)) == 0 &&
	       e.crc == 0xdeadbeef && e.size == 5 && e.mode == 0644)
		n++;
	is_int((int)n, 5000, "all records");
	ok(e.type == LISTING_HARD && strcmp(e.target, "t") == 0 && e.mtime.tv_sec == -7 &&
		   e.mtime.tv_nsec == 5,
	   "the hard link");
	is_int(listing_next(&r, &e), 0, "the end");
	ok(ftruncate(fd, lseek(fd, 0, SEEK_END) - 1) == 0, "the last byte is lost");
	listing_rewind(a, fd, &r);
	while ((n = (size_t)listing_next(&r, &e)) == 1)
		;
	is_int((int)n, -EBADMSG, "that is noticed");
	close(fd);
}

static void test_seen(void)
{
	static const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	uint8_t data[15];
	struct seen s;
	size_t found = 0, wrong = 0;

	for (uint8_t i = 0; i < 15; i++)
		data[i] = i;
	ok(siphash(key, data, 15) == 0xa129ca6149be45e5, "SipHash-2-4 of its authors' example");
	seen_begin(&s);
	for (int i = 0; i < 50000; i++) {
		const char *path = text_of("some/path/%d", i);

		found += seen_add(&s, 'c', path, strlen(path));
	}
	is_int((int)found, 50000, "50000 paths are new");
	for (int i = 0; i < 50000; i++) {
		const char *path = text_of("some/path/%d", i);

		wrong += !seen_has(&s, 'c', path, strlen(path)) ||
			 seen_has(&s, 'o', path, strlen(path)) ||
			 seen_add(&s, 'c', path, strlen(path));
	}
	is_int((int)wrong, 0, "and known afterwards, in their category");
	seen_end(&s);
}

static void test_encode(void)
{
	static const char *const plain[] = { "debian", "a/b:c", "..",  ".",
					     "100%",   "%2F",   "x.y", "\xff\n" };
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct bytes longest = { 0 };

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		const char *file = name_encode(a, plain[i]);

		ok(file && !strchr(file, '/') && *file != '.' &&
			   strcmp(name_decode(a, file), plain[i]) == 0,
		   "%s as a file: %s", plain[i], file);
	}
	for (int i = 0; i < 256; i++)
		bytes_add(&longest, "x", 1);
	ok(!name_encode(a, (char *)longest.p), "256 bytes are too long");
	ok(!name_encode(a, ""), "nothing is no name");
}

int main(void)
{
	test_names();
	test_record();
	test_record_later();
	test_record_values();
	test_listing();
	test_seen();
	test_encode();
	return done_testing();
}

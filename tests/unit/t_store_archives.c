/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives that are long, deep, sparse, odd or broken, in both forms: what comes out, what is
 * refused and in which words, and that work grows with the archive only.
 */
#include "../../src/store/special.h"
#include "../../src/store/view.h"
#include "bed.h"
#include "forms.h"

static struct forms_run run;

/* What was tried, for forms_complete() */
static struct form_case tried[512];
static size_t n_tried;

/* One layer that can stand alone: @want is its tree, or "!" and the words with which it fails. */
static void becomes(struct bytes layer, const char *want, const char *what)
{
	struct form_case *c = &tried[n_tried++];

	if (n_tried > sizeof(tried) / sizeof(tried[0]))
		die("too many cases");
	*c = (struct form_case){ .what = what, .form = 'L', .want = want };
	run.bottom = layer;
	form_check(c, &run);
}

static void unpacks(struct bytes layer, const char *want, const char *what)
{
	becomes(layer, want, what);
}

static void fails(struct bytes layer, const char *text, const char *what)
{
	becomes(layer, text_of("!%s", text), what);
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
	unpacks(layer_of(text_of("f %sx 1", name)), "?", "N1 4001 bytes in both forms");
	fails(layer_of(text_of("f %sx 1", repeat("directory/", 410))), "too long", "N1 4101 bytes");
	name = repeat("d/", 2000);
	bed_one(&b, layer_of(text_of("f %sx 1; f %sy 2", name, name)));
	ok(b.r == 0 && fstatat(b.root, text_of("%sy", name), &st, 0) == 0, "N10 2000 levels: %s",
	   b.e.msg);
	bed_end(&b);
	unpacks(layer_of(text_of("f %sx 1; f %sy 2", name, name)), "?", "N10 in both forms");
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

static void test_broken(void)
{
	const char *spec = "f a hello; f b world";

	fails(cut(layer_of(spec), 300), "tar", "S1 cut in the first header");
	fails(cut(layer_of(spec), 514), "a", "S1 cut in the contents");
	fails(cut(layer_of(spec), 1300), "tar", "S1 cut in the second header");
	unpacks(cut(layer_of(spec), 2048), "a=hello b=world", "no zero blocks at the end");
	unpacks(cut(layer_of(spec), 2560), "a=hello b=world", "S15 only one zero block");
	unpacks(bytes_join(layer_of(spec), bytes_of(repeat("garbage ", 640))), "a=hello b=world",
		"S3 garbage behind the end");
	unpacks(bytes_join(layer_of(spec), bytes_zero(9999)), "a=hello b=world",
		"S3b NULs behind the end");
	fails(changed(layer_of(spec), 1024 + 150, "77", 2), "Damaged", "S14b of the second header");
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

/* ---- headers written by hand ------------------------------------------------------------ */

enum magic { USTAR, GNU, V7 };

/* One header and its contents; @at345 is what GNU keeps times in and ustar a prefix. */
static void raw(struct bytes *t, enum magic magic, char type, const char *name, const char *at345,
		struct bytes data, uint64_t size)
{
	static const char magics[][9] = { "ustar\00000", "ustar  ", "\0\0\0\0\0\0\0" };
	struct bytes h = { 0 };

	tar_header(&h, name, type, 0644, LAYER_MTIME, "", size);
	memcpy(h.p + 257, magics[magic], 8);
	memcpy(h.p + 345, at345, strlen(at345));
	summed(h);
	bytes_add(t, h.p, h.n);
	tar_pad(t, data.p, data.n);
}

static void raw_text(struct bytes *t, char type, const char *name, const char *text)
{
	raw(t, USTAR, type, name, "", bytes_of(text), strlen(text));
}

static struct bytes ended(struct bytes t)
{
	tar_end(&t);
	return t;
}

/* A special header with this body, and a file "a" behind it. */
static struct bytes behind(char type, const char *body, size_t n)
{
	struct bytes t = { 0 }, b = { 0 };

	bytes_add(&b, body, n);
	raw(&t, type == 'L' || type == 'K' ? GNU : USTAR, type, "special", "", b, n);
	raw_text(&t, '0', "a", "1");
	return ended(t);
}

static void test_magic(void)
{
	const struct bytes one = bytes_of("1");
	struct bytes t = { 0 };

	raw(&t, USTAR, '0', "a", "dir", one, 1);
	unpacks(ended(t), "dir/ dir/a=1", "N14 ustar has a prefix");
	t = (struct bytes){ 0 };
	raw(&t, GNU, '0', "a", "13451237654", one, 1);
	unpacks(ended(t), "a=1", "N14b GNU has times in its place");
	t = (struct bytes){ 0 };
	raw(&t, V7, '0', "a", "dir", one, 1);
	unpacks(ended(t), "a=1", "N14c the oldest has nothing there");
	t = (struct bytes){ 0 };
	raw(&t, V7, '\0', "d/", "", (struct bytes){ 0 }, 0);
	raw(&t, V7, '\0', "d/a", "", one, 1);
	unpacks(ended(t), "d/:0744 d/a=1", "a directory of the oldest form");
}

static void test_long_names(void)
{
	struct bytes t = behind('L', "long", 5), pax = { 0 };

	unpacks(t, "long=1", "N13 a long name that is short");
	t = (struct bytes){ 0 };
	raw(&t, GNU, 'L', "l", "", bytes_of("one"), 4);
	raw(&t, GNU, 'L', "l", "", bytes_of("two"), 4);
	raw_text(&t, '0', "a", "1");
	unpacks(ended(t), "two=1", "N13b of two the last counts");
	t = (struct bytes){ 0 };
	pax_add(&pax, "path", "pax", 3);
	raw(&t, GNU, 'L', "l", "", bytes_of("gnu"), 4);
	raw(&t, USTAR, 'x', "p", "", pax, pax.n);
	raw_text(&t, '0', "a", "1");
	fails(ended(t), "and a long name of GNU's", "N12 a name in pax and a long one");
	unpacks(layer_of("f a/; f b 2"), "a/:0744 b=2", "N8 a slash behind a file: a directory");
	fails(layer_of("f a/ 1; f b 2"), "Damaged tar archive", "N8b which has no contents");
	unpacks(layer_of("f a 1; x comment c; h b a; f c 2"), "a=1 b=1 c=2", "L6 a pax hard link");
	fails(layer_of("x path a%00b; f y 1"), "a NUL in the path", "N11 NUL in a pax name");
	fails(layer_of("x linkpath a%00b; l y z"), "a NUL in the linkpath", "N11b and in a target");
	unpacks(behind('L', "a\0b", 4), "a=1", "N11c a GNU name ends at NUL");
}

/* ---- pax records ------------------------------------------------------------------------ */

static void malformed(const char *body, const char *what)
{
	fails(behind('x', body, strlen(body)), "tar: malformed pax header", what);
}

static void test_pax(void)
{
	malformed("99 path=b\n", "S6 CVE-2025-62518 a record longer than its header");
	malformed("9 path=bXX\n", "S6 one that does not end where it says");
	malformed("10 pathbb\n10 size=99\n", "S6 CVE-2025-62518 one without =, then a size");
	malformed("11 path=b\n\n\n5\n", "S6 one without a blank");
	malformed("6 =ab\n", "S6 one without a key");
	malformed("0 path=b\n", "S6 one of length 0");
	malformed("path=b\n", "S6 one without a length");
	malformed("99999999999999999999999999 path=b\n", "S6 a length that overflows");
	malformed("9 path=b\n ", "S6 blanks behind");
	unpacks(behind('x', "", 0), "a=1", "an empty pax header");
	unpacks(behind('g', "11 comment=\n", 0), "a=1", "an empty global header");
	unpacks(layer_of("x comment hello; x unknown.key 1; f a 1"), "a=1", "unknown pax records");
	unpacks(behind('g', "13 comment=x\n", 13), "a=1", "a global header");
	fails(behind('g', "9 path=b\n", 9), "a global pax header with a path",
	      "a global header with a name");
	fails(behind('g', "10 size=9\n", 10), "a global pax header with a size",
	      "a global header with a size");
}

/* An archive within a file, which a reader that goes by the other size takes for entries. */
static void test_two_sizes(void)
{
	struct bytes inner = { 0 }, t = { 0 }, pax = { 0 };

	raw_text(&inner, '0', "evil", "2");
	pax_add(&pax, "size", "1024", 4);
	raw(&t, USTAR, 'x', "p", "", pax, pax.n);
	raw(&t, USTAR, '0', "a", "", inner, 0);
	unpacks(ended(t), "a=evil", "S6 CVE-2025-62518 a size in pax, none in ustar");
	t = pax = (struct bytes){ 0 };
	pax_add(&pax, "size", "0", 1);
	raw(&t, USTAR, 'x', "p", "", pax, pax.n);
	raw(&t, USTAR, '0', "a", "", inner, inner.n);
	unpacks(ended(t), "a= evil=2", "S6 CVE-2025-62518 a size in ustar, 0 in pax: pax counts");
	fails(layer_of("x size -1; f a hello"), "the size in a pax header is no size",
	      "S12 a negative size in pax");
	fails(layer_of("x size 99999999999999999999; f a hello"), "tar", "S13 one that overflows");
	fails(layer_of("x size 1e3; f a hello"), "is no size", "S6 one that is no number");
}

static void test_types(void)
{
	static const struct {
		char type;
		const char *want, *what;
	} types[] = {
		{ '7', "a=1 b=2", "contiguous: a file" },
		{ '\0', "a=1 b=2", "of the oldest kind" },
		{ 'Z', "a=1 b=2", "unknown" },
		{ 's', "a=1 b=2", "A7 unknown, as a socket might be" },
		{ 'D', "a/:0744 b=2", "a dumped directory" },
		{ 'M', "!a kind of entry that is not known", "of many volumes" },
		{ 'N', "a=1 b=2", "old long names" },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct bytes t = { 0 };

		raw_text(&t, types[i].type, "a", "1");
		raw_text(&t, '0', "b", "2");
		becomes(ended(t), types[i].want, types[i].what);
	}
}

/*
 * A size where there is nothing to be of that size.  With so many bytes behind it the archive is
 * one that two readers take for different ones.
 */
static void test_contents(void)
{
	static const struct {
		char type;
		const char *want, *what;
	} types[] = {
		{ '1', "a=1 first=1 last=2", "L6 a hard link with a size" },
		{ '2', "a->first first=1 last=2", "S6 a link with a size" },
		{ '4', "first=1 last=2", "S6 a device with a size" },
		{ '5', "a/ first=1 last=2", "S6 a directory with a size" },
		{ '6', "a|:0755 first=1 last=2", "S6 a pipe with a size" },
	};

	for (size_t i = 0; i < 2 * sizeof(types) / sizeof(types[0]); i++) {
		const char type = types[i / 2].type;
		struct bytes t = { 0 }, h = { 0 };

		raw_text(&t, '0', "first", "1");
		tar_header(&h, "a", type, 0755, LAYER_MTIME,
			   type == '1' || type == '2' ? "first" : "", 5);
		bytes_add(&t, summed(h).p, h.n);
		if (i % 2)
			tar_pad(&t, "hello", 5);
		raw_text(&t, '0', "last", "2");
		becomes(ended(t), i % 2 ? "!Damaged tar archive" : types[i / 2].want,
			text_of("%s%s", types[i / 2].what, i % 2 ? ", and contents" : ""));
	}
}

/* pax has hard links with contents: the link counts. */
static void test_hardlink_contents(void)
{
	struct bytes t = { 0 }, pax = { 0 }, h = { 0 };

	raw_text(&t, '0', "first", "1");
	pax_add(&pax, "comment", "c", 1);
	raw(&t, USTAR, 'x', "p", "", pax, pax.n);
	tar_header(&h, "a", '1', 0644, LAYER_MTIME, "first", 5);
	bytes_add(&t, summed(h).p, h.n);
	tar_pad(&t, "hello", 5);
	raw_text(&t, '0', "last", "2");
	unpacks(ended(t), "a=1 first=1 last=2", "L6 a pax hard link with contents");
}

/* What a user cannot have, or may not have, is left out. */
static void test_attributes(void)
{
	static const struct {
		const char *spec, *want, *what;
	} specs[] = {
		{ "f:4755 a 1; f:2755 b 2; d:6755 c; p:7777 p", "a=1:0755 b=2:0755 c/ p|:0777",
		  "A1 set-id bits" },
		{ "x SCHILY.xattr.security.capability %01%00%00%02%ff; f a 1", "a=1",
		  "A2 capabilities of a file" },
		{ "x SCHILY.acl.access user::rwx,user:0:rwx,group::---,mask::rwx,other::---;"
		  "x SCHILY.acl.default user::rwx,group::rwx,other::rwx; d d; f d/a 1",
		  "d/:0700 d/a=1", "A3 access lists" },
		{ "x SCHILY.xattr.system.posix_acl_access %02%00%00%00; f a 1", "a=1",
		  "A3b as an attribute" },
		{ "x uid 4294967295; x gid 4294967295; f a 1; x uid 4294967296; f b 2;"
		  "x uid -1; f c 3; x uid 99999999999999999999; f d 4",
		  "a=1 b=2 c=3 d=4", "A5 owners of any number" },
		{ "c d/null 1 3; c a 8 0; c e 99999 99999; f b 1", "b=1", "A6 device nodes" },
		{ "x SCHILY.xattr.user.a v; l l a; x SCHILY.xattr.user.a v; p p", "l->a p|",
		  "A8 attributes of links and pipes" },
		{ "x LIBARCHIVE.xattr.user.a dg; f a 1", "a=1", "A8b attributes in base64" },
		{ "d:0000:5 d; f d/a 1; d:0500:6 e; d:0000 e/f; f e/f/b 2",
		  "d/:0700 d/a=1 e/:0700 e/f/:0700 e/f/b=2", "P3 closed directories" },
		{ "f:0000 a 1; f:0111 b 2", "a=1:0600 b=2:0711", "P4 closed files" },
		{ "f a/b/c 1; d:1777:5 a/b; d:0711:6 a", "a/:0711 a/b/:1777 a/b/c=1",
		  "P5 a parent is described afterwards" },
		{ "d:0755:12345 a; f a/b 1; d:0755:54321 a/c; f a/c/d 2; f a/e 3",
		  "a/ a/b=1 a/c/ a/c/d=2 a/e=3", "P6 times of directories" },
		{ "d:0700:77 .; f a 1; d:0711:78 ./", "a=1", "P7 the root has a mode" },
		{ "f a 1; f a/b/c 2", "a/ a/b/ a/b/c=2", "P2 a file as parent" },
		{ "f a/b/c 2; f a/b/d/e 3", "a/ a/b/ a/b/c=2 a/b/d/ a/b/d/e=3", "P1 no parents" },
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		becomes(layer_of(specs[i].spec), specs[i].want, specs[i].what);
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

/* A map of holes in the form @major.@minor, as the contents begin with it. */
static const char *sparse(const char *map)
{
	return text_of("x GNU.sparse.major 1; x GNU.sparse.minor 0; x GNU.sparse.name s;"
		       "x GNU.sparse.realsize 100; f GNUSparseFile.0/s %s",
		       map);
}

static void test_sparse_maps(void)
{
	static const struct {
		const char *spec, *want, *what;
	} maps[] = {
		{ "x GNU.sparse.size 6; x GNU.sparse.numblocks 2; x GNU.sparse.map 0,1,5,1;"
		  "f s ab",
		  "s=a", "S7 a hole" },
		{ "x GNU.sparse.size 6; x GNU.sparse.numblocks 2; x GNU.sparse.map 5,1,0,1;"
		  "f s ab",
		  "!Invalid argument", "S7 pieces out of order" },
		{ "x GNU.sparse.size 6; x GNU.sparse.numblocks 2; x GNU.sparse.map 0,2,1,2;"
		  "f s abcd",
		  "!Invalid argument", "S7 pieces that overlap" },
		{ "x GNU.sparse.size 2; x GNU.sparse.numblocks 1; x GNU.sparse.map 5,3; f s abc",
		  "!Invalid argument", "S7 a piece behind the end" },
		{ "x GNU.sparse.size 6; x GNU.sparse.map 0,99999999999999999999; f s ab", "s=ab",
		  "S7 a piece of absurd length" },
		{ "x GNU.sparse.size 9000000000000000; x GNU.sparse.numblocks 1;"
		  "x GNU.sparse.map 8999999999999990,1; f s a",
		  "!File too large", "S7 a piece behind 8 PiB" },
		{ "x GNU.sparse.size 1x; x GNU.sparse.numblocks 1; x GNU.sparse.map 0,1; f s a",
		  "!the GNU.sparse.size in a pax header is no size", "S7 a size that is none" },
	};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		becomes(layer_of(maps[i].spec), maps[i].want, maps[i].what);
	fails(layer_of(sparse("99999999999999%0a0%0a1%0a")), "tar",
	      "S7 CVE-2025-58183 a map of absurd length");
	fails(layer_of(sparse("1%0a5000000%0a3%0a")), "tar", "S7 a map that is cut");
	fails(layer_of(sparse("x%0a")), "tar", "S7 a map that is none");
}

/* What is no map of holes says nothing of a file's length, whatever it is called. */
static void test_real_size(void)
{
	struct bytes gnu = layer_of("f s abc");
	struct stat st = { 0 };
	struct bed b;

	gnu = changed(gnu, 257, "ustar  ", 8);
	gnu = summed(changed(gnu, 483, "00000004200", 12));
	bed_one(&b, gnu);
	ok(b.r == 0 && fstatat(b.root, "s", &st, 0) == 0 && st.st_size == 3,
	   "GNU's real size of a plain file: %lld bytes %s", (long long)st.st_size, b.e.msg);
	bed_end(&b);
	becomes(layer_of("x SCHILY.realsize 9; f s abc"), "s=abc", "star's real size of one");
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

		becomes(layer_of(times[i].spec), "?", text_of("A4 %s", times[i].spec));
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

int main(void)
{
	forms_begin(&run);
	test_names();
	test_links();
	test_broken();
	test_magic();
	test_long_names();
	test_pax();
	test_two_sizes();
	test_types();
	test_contents();
	test_hardlink_contents();
	test_attributes();
	test_sparse();
	test_sparse_maps();
	test_real_size();
	test_times();
	test_xattrs();
	forms_complete(tried, n_tried, 'L', 8, 8, "");
	forms_complete(tried, n_tried, 'N', 1, 14, " N3 N4 N5 N6 N7 N9 ");
	forms_complete(tried, n_tried, 'P', 1, 7, "");
	forms_complete(tried, n_tried, 'S', 1, 17, " S2 S4 S5 S8 S9 S10 S17 ");
	forms_complete(tried, n_tried, 'A', 1, 8, "");
	printf("# %d generated archives in both forms\n", run.archives);
	return done_testing();
}

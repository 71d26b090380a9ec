/* SPDX-License-Identifier: Apache-2.0 */
/* ld.so.cache: made by hand, damaged in every byte, and held against ldconfig and ld.so. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "../../src/gpu/ldcache.h"
#include "tap.h"

#define CACHE  "/etc/ld.so.cache"
#define X86_64 0x0303U
#define I386   0x0003U

#define HWCAPS(i)    ((uint64_t)1 << 62 | (i)) /* the variant of the subdirectory @i */
#define ISA_LEVEL(n) ((uint64_t)(n) << 32)

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void test_compare(void)
{
	static const struct {
		const char *a, *b;
		int want;
	} rows[] = {
		{ "libz.so.1", "libz.so.1", 0 },
		{ "libz.so.1", "libz.so.01", 0 },
		{ "libz.so.10", "libz.so.9", 1 },
		{ "libz.so", "libz.so.1", -1 },
		{ "liba.so", "libb.so", -1 },
		{ "libz3.so", "libz.so", 1 }, /* a digit is behind every other character */
		{ "libz3.so", "libzz.so", 1 },
		{ "lib2a", "lib2b", -1 },
		{ "lib2", "lib", 1 },
		{ "", "0", -1 },
		{ "", "", 0 },
		{ "libx.so.550.163.01", "libx.so.550.54.14", 1 },
		{ "libx.so.4294967297", "libx.so.1", 0 }, /* as ld.so's int overflows */
		{ "libx.so.2147483648", "libx.so.1", 1 },
		{ "libx.so.4294967295", "libx.so.1", -1 },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		is_int(sign(ldcache_compare(rows[i].a, rows[i].b)), rows[i].want, "%s and %s",
		       rows[i].a, rows[i].b);
		is_int(sign(ldcache_compare(rows[i].b, rows[i].a)), -rows[i].want,
		       "the other way round");
	}
}

struct line {
	uint32_t flags;
	uint64_t hardware;
	const char *name, *path;
};

static const struct line lines[] = {
	{ X86_64, 0, "libz.so.10", "/usr/lib/libz.so.10" },
	{ X86_64, 0, "libz.so.9", "/usr/lib/libz.so.9" },
	{ X86_64, HWCAPS(0), "liby.so.1", "/usr/lib/glibc-hwcaps/x86-64-v3/liby.so.1" },
	{ X86_64, 0, "liby.so.1", "/usr/lib/liby.so.1" },
	{ X86_64, 0, "liby.so.1", "/opt/lib/liby.so.1" },
	{ I386, 0, "liby.so.1", "/usr/lib32/liby.so.1" },
	{ X86_64, 0, "libcuda.so.01", "/image/libcuda.so.01" },
};

struct file {
	char b[4096];
	size_t n, start; /* of the new format */
};

static void put(struct file *f, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		f->b[f->n++] = (char)(v >> 8 * i);
}

static size_t text(struct file *f, size_t at, const char *s)
{
	memcpy(f->b + at, s, strlen(s) + 1);
	return at + strlen(s) + 1;
}

/* A cache of these lines; @old entries of the old format in front, SIZE_MAX: without it. */
static void build(struct file *f, const struct line *v, size_t n, size_t old, uint8_t order)
{
	size_t start, at;

	memset(f, 0, sizeof(*f));
	if (old != SIZE_MAX) {
		f->n = text(f, 0, "ld.so-1.7.0");
		put(f, old, 4);
		f->n += 12 * old;
		f->n = (f->n + 7) / 8 * 8;
	}
	start = f->start = f->n;
	memcpy(f->b + start, "glibc-ld.so.cache1.1", 20);
	f->n += 20;
	put(f, n, 4);
	put(f, 0, 4);
	put(f, order, 1);
	f->n = start + 48;
	at = f->n + 24 * n;
	for (size_t i = 0; i < n; i++) {
		put(f, v[i].flags, 4);
		put(f, at - start, 4);
		at = text(f, at, v[i].name);
		put(f, at - start, 4);
		at = text(f, at, v[i].path);
		put(f, 0, 4);
		put(f, v[i].hardware, 8);
	}
	f->n = at;
}

/* Append the extensions: a section that nobody knows, and the names of subdirectories. */
static void extend(struct file *f, const char *const *names, size_t n)
{
	size_t where[LDCACHE_HWCAPS_MAX + 1];

	for (size_t i = 0; i < n; i++) {
		where[i] = f->n;
		f->n = text(f, f->n, names[i]);
	}
	f->n = (f->n + 3) / 4 * 4;
	memcpy(f->b + f->start + 32, &(uint32_t){ (uint32_t)f->n }, 4);
	put(f, 0xeaa42174, 4);
	put(f, 2, 4);
	put(f, 77, 4);
	put(f, 0, 8);
	put(f, 9, 4);
	put(f, 1, 4);
	put(f, 0, 4);
	put(f, f->n + 8, 4);
	put(f, 4 * n, 4);
	for (size_t i = 0; i < n; i++)
		put(f, where[i], 4);
}

static void check_lines(const struct ld_cache *c)
{
	is_int(c->n, ELEMENTS(lines) - 1, "all but the one for special hardware");
	is_str(ldcache_find(c, X86_64, "libz.so.9"), "/usr/lib/libz.so.9", "found");
	is_str(ldcache_find(c, X86_64, "liby.so.1"), "/usr/lib/liby.so.1", "the first of equals");
	is_str(ldcache_find(c, I386, "liby.so.1"), "/usr/lib32/liby.so.1", "by its flags");
	is_str(ldcache_find(c, I386, "libz.so.9"), NULL, "not for this machine");
	is_str(ldcache_find(c, X86_64, "libcuda.so.1"), "/image/libcuda.so.01",
	       "a name as ld.so compares names");
	is_str(ldcache_find(c, X86_64, "libnone.so"), NULL, "not there");
}

static void test_parse(struct arena *a)
{
	static struct line turned[ELEMENTS(lines)];
	struct ld_cache c = { 0 };
	struct file f;

	build(&f, lines, ELEMENTS(lines), SIZE_MAX, 2);
	is_int(ldcache_parse(a, f.b, f.n, &c), 0, "the new format");
	check_lines(&c);
	for (size_t old = 0; old < 3; old++) {
		build(&f, lines, ELEMENTS(lines), old, 0);
		is_int(ldcache_parse(a, f.b, f.n, &c), 0, "behind the old one, %zu entries", old);
		check_lines(&c);
	}
	for (size_t i = 0; i < ELEMENTS(lines); i++)
		turned[i] = lines[(i * 3 + 2) % ELEMENTS(lines)];
	build(&f, turned, ELEMENTS(lines), SIZE_MAX, 2);
	is_int(ldcache_parse(a, f.b, f.n, &c), 0, "in any order");
	{
		const char *const names[] = { c.v[0].name, "libnothing.so.1", NULL };
		struct ld_cache some;

		is_int(ldcache_parse_some(a, f.b, f.n, names, &some), 0, "some of them");
		ok(some.n >= 1 && some.n < c.n && str_eq(some.v[0].name, c.v[0].name) &&
			   str_eq(some.v[0].path, c.v[0].path),
		   "the ones that are named");
		is_int(ldcache_parse_some(a, f.b, f.n, names + 1, &some), 0,
		       "one that is not there");
		is_int((long long)some.n, 0, "none");
	}
	is_int(c.n, ELEMENTS(lines) - 1, "as many");
	for (size_t i = 0; i + 1 < c.n; i++)
		ok(ldcache_compare(c.v[i].name, c.v[i + 1].name) >= 0, "sorted: %s, %s",
		   c.v[i].name, c.v[i + 1].name);
	build(&f, lines, ELEMENTS(lines), SIZE_MAX, 3);
	is_int(ldcache_parse(a, f.b, f.n, &c), -EBADMSG, "big endian");
	build(&f, lines, 0, SIZE_MAX, 2);
	is_int(ldcache_parse(a, f.b, f.n, &c), 0, "an empty one");
	is_int(c.n, 0, "has no entries");
	is_int(ldcache_parse(a, "", 0, &c), -EBADMSG, "an empty file");
	is_int(ldcache_parse(a, "ld.so-1.7.0\0\0\0\0\0\0", 18, &c), -EBADMSG,
	       "the old format only");
}

static void test_change(struct arena *a)
{
	struct ld_cache c = { 0 }, again = { 0 };
	struct file f;
	const char *out;
	size_t len;

	build(&f, lines, ELEMENTS(lines), SIZE_MAX, 2);
	(void)ldcache_parse(a, f.b, f.n, &c);
	ldcache_put(a, &c, &(struct ld_entry){ X86_64, "libcuda.so.1", "/new/libcuda.so.1", 0 }, 1);
	is_int(c.n, ELEMENTS(lines) - 1, "in place of what ld.so takes for the same name");
	ldcache_put(a, &c, &(struct ld_entry){ X86_64, "liby.so.1", "/new/liby.so.1", 0 }, 1);
	is_int(c.n, ELEMENTS(lines) - 2, "in place of both");
	ldcache_put(a, &c, &(struct ld_entry){ X86_64, "libz.so.99", "/new/other-name", 0 }, 1);
	ldcache_put(a, &c, &(struct ld_entry){ X86_64, "a", "/new/first", 0 }, 1);
	ldcache_put(a, &c, &(struct ld_entry){ X86_64, "a", "/new/a", 0 }, 1);
	is_int(c.n, ELEMENTS(lines), "two more");
	out = ldcache_format(a, &c, &len);
	is_int(ldcache_parse(a, out, len, &again), 0, "written and read");
	is_int(again.n, c.n, "as many");
	for (size_t i = 0; i < again.n && i < c.n; i++)
		ok(again.v[i].flags == c.v[i].flags && str_eq(again.v[i].name, c.v[i].name) &&
			   str_eq(again.v[i].path, c.v[i].path),
		   "%s => %s", again.v[i].name, again.v[i].path);
	is_str(ldcache_find(&again, X86_64, "libcuda.so.1"), "/new/libcuda.so.1", "the new one");
	is_str(ldcache_find(&again, X86_64, "liby.so.1"), "/new/liby.so.1", "the new one");
	is_str(ldcache_find(&again, I386, "liby.so.1"), "/usr/lib32/liby.so.1", "of others: kept");
	is_str(ldcache_find(&again, X86_64, "a"), "/new/a", "the last put");
}

/* Variants for better processors, in the order in which ld.so wants them, and what is left out. */
static const char *const dirs[] = { "x86-64-v2", "x86-64-v3" };
static const struct line variants[] = {
	{ X86_64, HWCAPS(0), "liby.so.1", "/lib/glibc-hwcaps/x86-64-v2/liby.so.1" },
	{ X86_64, HWCAPS(1) | ISA_LEVEL(3), "liby.so.1", "/lib/glibc-hwcaps/x86-64-v3/liby.so.1" },
	{ X86_64, 0, "liby.so.1", "/lib/liby.so.1" },
	{ I386, HWCAPS(1), "liby.so.1", "/lib32/glibc-hwcaps/x86-64-v3/liby.so.1" },
	{ X86_64, HWCAPS(1), "libx.so.1", "/lib/glibc-hwcaps/x86-64-v3/libx.so.1" },
	{ X86_64, HWCAPS(2), "liby.so.1", "/no/such/subdirectory" },
	{ X86_64, HWCAPS(0) | (uint64_t)1 << 42, "liby.so.1", "/no/such/bit" },
	{ X86_64, (uint64_t)1 << 61, "liby.so.1", "/lib/haswell/liby.so.1" },
};
enum { VARIANTS = ELEMENTS(variants), VARIANTS_KEPT = 5 };

static void check_variants(const struct ld_cache *c)
{
	is_int(c->n, VARIANTS_KEPT, "those that ld.so can tell");
	is_int(c->hwcaps.n, ELEMENTS(dirs), "the names of the subdirectories");
	for (size_t i = 0; i < c->n && i < VARIANTS; i++) {
		is_str(c->v[i].path, variants[i].path, "in ld.so's order");
		ok(c->v[i].hardware == variants[i].hardware, "for the same hardware");
	}
	is_str(ldcache_find(c, X86_64, "liby.so.1"), "/lib/liby.so.1", "the one for all");
	is_str(ldcache_find(c, X86_64, "libx.so.1"), NULL, "none for all");
}

static void test_variants(struct arena *a)
{
	static struct line turned[VARIANTS];
	struct ld_cache c = { 0 }, again = { 0 };
	struct file f;
	const char *out;
	uint32_t at;
	size_t len;

	for (size_t i = 0; i < VARIANTS; i++)
		turned[i] = variants[(i * 3 + 2) % VARIANTS];
	for (size_t old = 0; old < 4; old++) {
		build(&f, turned, VARIANTS, old < 3 ? old : SIZE_MAX, 2);
		extend(&f, dirs, ELEMENTS(dirs));
		is_int(ldcache_parse(a, f.b, f.n, &c), 0, "a cache with variants");
		check_variants(&c);
	}
	out = ldcache_format(a, &c, &len);
	memcpy(&at, out + 32, 4);
	ok(at && at % 4 == 0 && at < len, "the extensions are aligned");
	is_int(ldcache_parse(a, out, len, &again), 0, "written and read");
	check_variants(&again);
	ldcache_put(a, &c, &(struct ld_entry){ X86_64, "liby.so.1", "/new/liby.so.1", 0 }, 1);
	is_int(c.n, VARIANTS_KEPT - 2, "in place of one and its variants");
	is_str(c.v[0].path, "/new/liby.so.1", "where they were");
	is_str(c.v[1].path, variants[3].path, "variants of another machine: kept");
	is_str(c.v[2].path, variants[4].path, "variants of another library: kept");
}

/* What has no variants is written as if there were no such thing. */
static void test_no_variants(struct arena *a)
{
	struct ld_cache with = { 0 }, without = { 0 };
	const char *out[2];
	struct file f;
	size_t len[2];

	build(&f, variants + 2, 1, SIZE_MAX, 2);
	is_int(ldcache_parse(a, f.b, f.n, &without), 0, "without extensions");
	extend(&f, dirs, ELEMENTS(dirs));
	is_int(ldcache_parse(a, f.b, f.n, &with), 0, "with extensions that nothing needs");
	out[0] = ldcache_format(a, &without, &len[0]);
	out[1] = ldcache_format(a, &with, &len[1]);
	ok(len[0] == len[1] && memcmp(out[0], out[1], len[0]) == 0, "the same bytes");
	is_int(*(const uint32_t *)(const void *)(out[0] + 32), 0, "no extensions");
}

/* One 32-bit word of the extensions changed: ld.so would see no names, we do not either. */
static void test_damaged_names(struct arena *a)
{
	static const struct {
		size_t at;
		uint32_t value;
		const char *what;
	} rows[] = {
		{ 0, 0xeaa42175, "another magic" },
		{ 4, 1, "no names" },
		{ 4, 0x10000000, "more sections than bytes" },
		{ 16, UINT32_MAX, "another section that ends behind the file" },
		{ 20, UINT32_MAX, "another section larger than the file" },
		{ 24, 2, "another tag" },
		{ 32, UINT32_MAX - 3, "names behind the file" },
		{ 32, 1, "names not aligned" },
		{ 36, 0, "names of no bytes" },
		{ 36, 7, "half a name" },
		{ 36, 12, "more names than bytes" },
		{ 40, UINT32_MAX, "a name behind the file" },
		{ 40, 47, "an empty name" },
		{ 44, 1, "not sorted" },
	};
	const char *same[] = { "x86-64-v2", "x86-64-v2" }, *many[LDCACHE_HWCAPS_MAX + 1];
	struct ld_cache c = { 0 };
	struct file f, bad;
	uint32_t at;

	build(&f, variants, VARIANTS, SIZE_MAX, 2);
	extend(&f, dirs, ELEMENTS(dirs));
	memcpy(&at, f.b + 32, 4);
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		bad = f;
		memcpy(bad.b + at + rows[i].at, &rows[i].value, 4);
		ok(ldcache_parse(a, bad.b, bad.n, &c) == 0 && c.n == 1 && c.hwcaps.n == 0, "%s",
		   rows[i].what);
	}
	build(&f, variants, VARIANTS, SIZE_MAX, 2);
	extend(&f, same, ELEMENTS(same));
	ok(ldcache_parse(a, f.b, f.n, &c) == 0 && c.n == 1, "a name twice");
	for (size_t i = 0; i < ELEMENTS(many); i++)
		many[i] = arena_printf(a, "%03zu", i);
	for (size_t over = 0; over < 2; over++) {
		build(&f, variants, VARIANTS, SIZE_MAX, 2);
		extend(&f, many, LDCACHE_HWCAPS_MAX + over);
		is_int(ldcache_parse(a, f.b, f.n, &c), 0, "%u names", LDCACHE_HWCAPS_MAX);
		is_int(c.hwcaps.n, over ? 0 : LDCACHE_HWCAPS_MAX, "at most so many");
	}
}

static void test_from_nothing(struct arena *a)
{
	struct ld_cache c = { 0 }, again = { 0 };
	const char *out;
	size_t len;

	out = ldcache_format(a, &c, &len);
	is_int(ldcache_parse(a, out, len, &again), 0, "an empty cache is one, too");
	for (int i = 0; i < 1000; i++) {
		const char *name = arena_printf(a, "lib%d.so.%d", i * 7919 % 1000, i % 10);

		ldcache_put(a, &c,
			    &(struct ld_entry){ X86_64, name, arena_printf(a, "/%s", name), 0 }, 1);
	}
	out = ldcache_format(a, &c, &len);
	is_int(ldcache_parse(a, out, len, &again), 0, "a thousand entries");
	is_int(again.n, 1000, "all of them");
	is_str(ldcache_find(&again, X86_64, "lib919.so.1"), "/lib919.so.1", "one of them");
	is_int(ldcache_flags(EM_X86_64), X86_64, "flags of x86-64");
	is_int(ldcache_flags(EM_386), I386, "flags of i386");
	is_int(ldcache_flags(EM_AARCH64), 0x0a03, "flags of aarch64");
	is_int(ldcache_flags(EM_S390), 0, "none for others");
}

/* Refused, or something that can be searched, changed and written. */
static bool is_sane(const char *b, size_t n)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct ld_cache c = { 0 }, again = { 0 };
	char *copy = arena_alloc(a, n); /* AddressSanitizer knows its end */
	const char *out;
	size_t len;

	memcpy(copy, b, n);
	if (ldcache_parse(a, copy, n, &c) < 0)
		return c.n == 0;
	(void)ldcache_find(&c, X86_64, "liby.so.1");
	ldcache_put(a, &c, &(struct ld_entry){ X86_64, "liby.so.1", "/new", 0 }, 1);
	out = ldcache_format(a, &c, &len);
	return ldcache_parse(a, out, len, &again) == 0 && again.n == c.n;
}

static void check_damaged(struct file *f)
{
	static const uint8_t masks[] = { 0xff, 0x01, 0x80, 0x10 };
	size_t bad = 0;

	for (size_t n = 0; n < f->n; n++)
		bad += !is_sane(f->b, n);
	is_int(bad, 0, "every truncation of %zu bytes", f->n);
	for (size_t i = 0; i < f->n; i++)
		for (size_t m = 0; m < ELEMENTS(masks); m++) {
			f->b[i] = (char)(f->b[i] ^ masks[m]);
			bad += !is_sane(f->b, f->n);
			f->b[i] = (char)(f->b[i] ^ masks[m]);
		}
	is_int(bad, 0, "every byte changed");
}

static void test_damaged(void)
{
	struct file f;

	build(&f, lines, ELEMENTS(lines), 1, 2);
	check_damaged(&f);
	for (size_t old = 0; old < 2; old++) {
		build(&f, variants, VARIANTS, old ? old : SIZE_MAX, 2);
		extend(&f, dirs, ELEMENTS(dirs));
		check_damaged(&f);
	}
}

/* Many entries that share one long path cost more than the file is large. */
static void test_limits(struct arena *a)
{
	size_t n = 8192, path = 4000, at = 48 + 24 * n, len = at + 2 + path + 1;
	char *b = arena_alloc(a, len);
	struct ld_cache c = { 0 };
	struct file f = { .n = 0 };

	build(&f, NULL, 0, SIZE_MAX, 2);
	memcpy(b, f.b, 48);
	memcpy(b + 20, &(uint32_t){ (uint32_t)n }, 4);
	for (size_t i = 0; i < n; i++) {
		f.n = 0;
		put(&f, X86_64, 4);
		put(&f, at, 4);
		put(&f, at + 2, 4);
		memcpy(b + 48 + 24 * i, f.b, 12);
	}
	b[at] = 'a';
	memset(b + at + 2, '/', path);
	is_int(ldcache_parse(a, b, len, &c), -EBADMSG, "strings used again and again");
	memcpy(b + 20, &(uint32_t){ 100 }, 4);
	is_int(ldcache_parse(a, b, len, &c), 0, "some times are fine");
	memset(b + at, 'a', 2);
	is_int(ldcache_parse(a, b, len, &c), -EBADMSG, "a name without end");
}

static const char *output(struct arena *a, const char *command)
{
	FILE *p = popen(command, "r");
	char *out = arena_alloc(a, 1 << 20);
	size_t n = p ? fread(out, 1, (1 << 20) - 1, p) : 0;

	out[n] = '\0';
	return p && pclose(p) == 0 ? out : NULL;
}

static bool read_cache(struct arena *a, struct ld_cache *ret)
{
	char *b = NULL;
	size_t len = 0;

	if (file_read_text(AT_FDCWD, CACHE, a, LDCACHE_FILE_MAX, &b, &len) < 0)
		return false;
	is_int(ldcache_parse(a, b, len, ret), 0, "this machine's cache");
	return true;
}

/* ldconfig prints what it has for bits of the processor, too: "(libc6,x86-64, hwcap: 0x...)". */
static void test_ldconfig(struct arena *a, const struct ld_cache *c)
{
	const char *want =
		output(a, "LC_ALL=C PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null | "
			  "sed -n '/hwcap: 0x/d;s/^\t\\(.*\\) (.*) => \\(.*\\)/\\1 \\2/p'");
	char *got = arena_alloc(a, 1 << 20), *p = got;

	if (!want || !*want) {
		skip("no ldconfig that prints " CACHE);
		return;
	}
	for (size_t i = 0; i < c->n; i++)
		p += sprintf(p, "%s %s\n", c->v[i].name, c->v[i].path);
	ok(str_eq(got, want), "the same %zu libraries in the same order as ldconfig -p", c->n);
}

/*
 * In a mount namespace where @file is the cache: ourselves again, to see what dlopen finds.
 * Exit status 77: the namespace cannot be had.
 */
static int run_with_cache(const char *file, const char *name, const char *path)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		int flags = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS;

		if (unshare(flags) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount(file, CACHE, NULL, MS_BIND, NULL) < 0)
			_exit(77);
		execl("/proc/self/exe", "t_gpu_ldcache", "find", name, path, NULL);
		_exit(1);
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The other end of it: is @path what @name leads to? */
static int find(const char *name, const char *path)
{
	void *lib = dlopen(name, RTLD_NOW);
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "re");
	int r = 2;

	if (!lib || !maps)
		return 3;
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, path))
			r = 0;
	(void)fclose(maps);
	return r;
}

static void copy_file(const char *from, const char *to)
{
	_cleanup_fd_ int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char b[8192];
	ssize_t n;

	while ((n = fd_read_up_to(in, b, sizeof(b))) > 0)
		if (fd_write_all(out, b, (size_t)n) < 0)
			abort();
	if (n < 0)
		abort();
}

static uint32_t own_flags(void)
{
#if defined(__aarch64__)
	return ldcache_flags(EM_AARCH64);
#else
	return ldcache_flags(EM_X86_64);
#endif
}

static void write_file(const char *file, const void *b, size_t len)
{
	_cleanup_fd_ int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || fd_write_all(fd, b, len) < 0)
		abort();
}

/* A library under a new name, and this machine's zlib in another place, through ld.so. */
static void test_linker(struct arena *a, struct ld_cache *c)
{
	uint32_t flags = own_flags();
	const char *any = ldcache_find(c, flags, "libutil.so.1");
	const char *kept = ldcache_find(c, flags, "libz.so.1");
	char dir[] = "/tmp/t_gpu_ldcache-XXXXXX";
	const char *lib, *file, *out;
	size_t len;
	int r;

	if (!any || !mkdtemp(dir)) {
		skip("no libutil.so.1 to try it with");
		return;
	}
	lib = arena_printf(a, "%s/libgpurun-test.so.550.163.01", dir);
	file = arena_printf(a, "%s/cache", dir);
	copy_file(any, lib);
	for (int i = 0; i < 150; i++)
		ldcache_put(a, c,
			    &(struct ld_entry){ flags, arena_printf(a, "libgpurun-test%d.so.1", i),
						lib, 0 },
			    1);
	ldcache_put(a, c, &(struct ld_entry){ flags, "libgpurun-test.so.1", lib, 0 }, 1);
	ldcache_put(a, c, &(struct ld_entry){ flags, "libutil.so.1", lib, 0 }, 1);
	out = ldcache_format(a, c, &len);
	write_file(file, out, len);
	r = run_with_cache(file, "libgpurun-test.so.1", lib);
	if (r == 77) {
		skip("no mount namespace");
	} else {
		is_int(r, 0, "ld.so finds a name that was put in");
		is_int(run_with_cache(file, "libgpurun-test149.so.1", lib), 0, "another one");
		is_int(run_with_cache(file, "libutil.so.1", lib), 0, "and one that was replaced");
		if (kept)
			is_int(run_with_cache(file, "libz.so.1", "/libz.so."), 0,
			       "the others are where they were");
	}
	(void)unlink(lib);
	(void)unlink(file);
	(void)rmdir(dir);
}

static bool has_variants(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt") &&
	       ldcache_compare(gnu_get_libc_version(), "2.33") >= 0;
#else
	return false;
#endif
}

/* A cache with variants through ld.so: as it came, merged, and when the driver has the library. */
static void test_linker_variants(struct arena *a, const char *any)
{
	static const char name[] = "libgpurun-test.so.1", sub[] = "x86-64-v2";
	char dir[] = "/tmp/t_gpu_ldcache-XXXXXX";
	const char *names[] = { sub, "x86-64-vision" }, *file, *paths[4], *out;
	struct line v[3] = { { X86_64, HWCAPS(0), name, NULL },
			     { X86_64, HWCAPS(1), name, NULL },
			     { X86_64, 0, name, NULL } };
	struct ld_cache c = { 0 };
	struct file f;
	size_t len;

	if (!any || !has_variants() || !mkdtemp(dir)) {
		skip("no variants of libraries on this machine");
		return;
	}
	file = arena_printf(a, "%s/cache", dir);
	for (size_t i = 0; i < ELEMENTS(paths); i++) {
		paths[i] = arena_printf(a, "%s/%zu.so", dir, i);
		copy_file(any, paths[i]);
		if (i < ELEMENTS(v))
			v[i].path = paths[i];
	}
	build(&f, v, ELEMENTS(v), SIZE_MAX, 2);
	extend(&f, names, ELEMENTS(names));
	write_file(file, f.b, f.n);
	if (run_with_cache(file, name, paths[0]) == 77) {
		skip("no mount namespace");
	} else {
		is_int(run_with_cache(file, name, paths[0]), 0, "ld.so takes the variant");
		is_int(ldcache_parse(a, f.b, f.n, &c), 0, "read");
		ldcache_put(a, &c, &(struct ld_entry){ X86_64, "libother.so.1", paths[3], 0 }, 1);
		out = ldcache_format(a, &c, &len);
		write_file(file, out, len);
		is_int(run_with_cache(file, name, paths[0]), 0, "and still after the merge");
		is_int(run_with_cache(file, "libother.so.1", paths[3]), 0, "the other is there");
		ldcache_put(a, &c, &(struct ld_entry){ X86_64, name, paths[3], 0 }, 1);
		out = ldcache_format(a, &c, &len);
		write_file(file, out, len);
		is_int(run_with_cache(file, name, paths[3]), 0, "the driver's goes before it");
	}
	for (size_t i = 0; i < ELEMENTS(paths); i++)
		(void)unlink(paths[i]);
	(void)unlink(file);
	(void)rmdir(dir);
}

int main(int argc, char **argv)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct ld_cache c = { 0 };

	if (argc == 4 && str_eq(argv[1], "find"))
		return find(argv[2], argv[3]);
	test_compare();
	test_parse(a);
	test_change(a);
	test_variants(a);
	test_no_variants(a);
	test_damaged_names(a);
	test_from_nothing(a);
	test_damaged();
	test_limits(a);
	if (read_cache(a, &c)) {
		test_ldconfig(a, &c);
		test_linker_variants(a, ldcache_find(&c, own_flags(), "libutil.so.1"));
		test_linker(a, &c);
	} else {
		skip("no " CACHE);
	}
	return done_testing();
}

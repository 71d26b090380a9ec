/* SPDX-License-Identifier: Apache-2.0 */
/* base/str: prefixes, splitting, patterns, near words, lexical paths. */
#include "tap.h"

#include <gpurun/str.h>

static struct arena *a;

static void test_split(void)
{
	static const struct {
		const char *s, *joined;
		size_t n;
	} rows[] = {
		{ "", "<>", 1 },
		{ "a", "<a>", 1 },
		{ "a:b", "<a><b>", 2 },
		{ ":", "<><>", 2 },
		{ "a::b", "<a><><b>", 3 },
		{ ":a:", "<><a><>", 3 },
		{ "a,b:c", "<a,b><c>", 2 },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct strv v = { 0 };
		const char *joined = "";

		str_split(a, rows[i].s, ':', &v);
		for (size_t j = 0; j < v.n; j++)
			joined = arena_printf(a, "%s<%s>", joined, v.v[j]);
		is_str(joined, rows[i].joined, "the fields of '%s'", rows[i].s);
		is_int(v.n, rows[i].n, "the count of '%s'", rows[i].s);
		ok(v.v[v.n] == NULL, "the end of '%s'", rows[i].s);
	}
}

static void test_glob(void)
{
	static const struct {
		const char *pattern, *s;
		bool match;
	} rows[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "**", "", true },
		{ "?", "", false },
		{ "?", "a", true },
		{ "a", "ab", false },
		{ "ab", "a", false },
		{ "*", "anything/at.all", true },
		{ "lib*.so.?", "libcuda.so.1", true },
		{ "lib*.so.?", "libcuda.so.10", false },
		{ "*.so", "a.so.so", true },
		{ "*.so", "a.so.s", false },
		{ "a*b*c", "aXbYbZc", true },
		{ "a*b*c", "aXbYbZ", false },
		{ "*ab", "aab", true },
		{ "*aab", "aaab", true },
		{ "a*", "b", false },
		{ "[a]", "a", false },
		{ "[a]", "[a]", true },
		{ "\\*", "\\x", true },
		{ "*?", "", false },
		{ "*?*", "x", true },
		{ "a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  false },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		is_int(str_glob(rows[i].pattern, rows[i].s), rows[i].match, "'%s' on '%s'",
		       rows[i].pattern, rows[i].s);
}

static void test_nearest(void)
{
	static const char *const words[] = { "run",    "images", "inspect", "version",
					     "volume", "verify", "rm",      NULL };
	static const char *const none[] = { NULL };
	static const struct {
		const char *s, *want;
	} rows[] = {
		{ "image", "images" },
		{ "imgaes", "images" },
		{ "vresion", "version" },
		{ "volumes", "volume" },
		{ "rn", "run" },
		{ "ru", "run" },
		{ "rum", "run" },
		{ "images", "images" },
		{ "kubernetes", NULL },
		{ "", NULL },
		{ "x", NULL },
		{ "xyz", NULL },
		{ "verfiy", "verify" },
	};
	char giant[4096];

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		is_str(str_nearest(rows[i].s, words), rows[i].want, "near to '%s'", rows[i].s);
	memset(giant, 'i', sizeof(giant) - 1);
	giant[sizeof(giant) - 1] = '\0';
	is_str(str_nearest(giant, words), NULL, "a giant word");
	is_str(str_nearest("run", none), NULL, "an empty list");
}

static void test_clean(void)
{
	static const struct {
		const char *path, *want;
	} rows[] = {
		{ "", "/" },
		{ "/", "/" },
		{ "//", "/" },
		{ ".", "/" },
		{ "..", "/" },
		{ "/..", "/" },
		{ "/../../x", "/x" },
		{ "/a/", "/a" },
		{ "a/b", "/a/b" },
		{ "/a//b/./c", "/a/b/c" },
		{ "/a/../b", "/b" },
		{ "/a/b/../../..", "/" },
		{ "/a/...", "/a/..." },
		{ "/a/.b", "/a/.b" },
		{ "/a/..b", "/a/..b" },
		{ "/a/b/..", "/a" },
		{ "./a/./", "/a" },
		{ "/a/b/../c/../d", "/a/d" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		is_str(path_clean(a, rows[i].path), rows[i].want, "clean '%s'", rows[i].path);
	is_str(path_join(a, "/a", "b"), "/a/b", "join");
	is_str(path_join(a, "/a/", "b/"), "/a/b", "join with slashes");
	is_str(path_join(a, "/a", "/b"), "/b", "an absolute name stands alone");
	is_str(path_join(a, "/a", "../../b"), "/b", "join stops at the root");
	is_str(path_join(a, "/a", ""), "/a", "join nothing");
	is_str(path_join(a, "", "b"), "/b", "join to nothing");
}

static void test_below(void)
{
	static const struct {
		const char *path, *dir;
		bool below;
	} rows[] = {
		{ "/a/b", "/a", true },    { "/a", "/a", true },    { "/ab", "/a", false },
		{ "/a", "/ab", false },    { "/a", "/a/b", false }, { "/", "/", true },
		{ "/a", "/", true },       { "/", "/a", false },    { "/a/b", "/a/", true },
		{ "/a//b", "/a/b", true }, { "a", "/a", false },    { "/a", "a", false },
		{ "a/b", "a", true },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		is_int(path_below(rows[i].path, rows[i].dir), rows[i].below, "'%s' below '%s'",
		       rows[i].path, rows[i].dir);
	is_str(path_base("/a/b"), "b", "base");
	is_str(path_base("b"), "b", "base without a slash");
	is_str(path_base("/"), "", "base of the root");
}

static void test_small(void)
{
	struct strv list = { 0 };

	ok(!strv_has(&list, "a"), "nothing is in an empty list");
	strv_push(a, &list, "ab");
	strv_push(a, &list, "");
	ok(strv_has(&list, "ab") && strv_has(&list, "") && !strv_has(&list, "a"), "whole words");
	is_str(path_dir(a, "/usr/lib/x"), "/usr/lib", "the directory");
	is_str(path_dir(a, "/x"), "/", "of an entry of the root");
	ok(num_is_decimal("0") && num_is_decimal("0123456789"), "digits");
	ok(!num_is_decimal("") && !num_is_decimal("1a") && !num_is_decimal("-1"), "no digits");
}

/* FIPS 180-4, and lengths around the end of a block (against coreutils' sha256sum) */
static void test_digest(void)
{
	static const struct {
		size_t n;
		const char *hex;
	} of_a[] = { { 55, "9f4390f8d30c2dd92ec9f095b65e2b9a" },
		     { 56, "b35439a4ac6f0948b6d6f9e3c6af0f5f" },
		     { 63, "7d3e74a05d7db15bce4ad9ec0658ea98" },
		     { 64, "ffe054fe7ae0cb6dc65c3af9b61d5209" },
		     { 119, "31eba51c313a5c08226adf18d4a359cf" },
		     { 1000, "41edece42d63e8d9bf515a9ba6932e1c" } };
	char hex[HEX_DIGEST_LEN + 1], text[1000];

	memset(text, 'a', sizeof(text));
	hex_digest(NULL, 0, hex);
	is_str(hex, "e3b0c44298fc1c149afbf4c8996fb924", "the digest of nothing");
	hex_digest("abc", 3, hex);
	is_str(hex, "ba7816bf8f01cfea414140de5dae2223", "of abc");
	for (size_t i = 0; i < ELEMENTS(of_a); i++) {
		hex_digest(text, of_a[i].n, hex);
		is_str(hex, of_a[i].hex, "of %zu times a", of_a[i].n);
	}
}

int main(void)
{
	a = arena_new(0);
	is_str(str_after("--gpus=1", "--gpus="), "1", "behind a prefix");
	is_str(str_after("--gpu", "--gpus="), NULL, "no prefix");
	is_str(str_after("x", ""), "x", "the empty prefix");
	ok(str_eq("a", "a") && !str_eq("a", "ab"), "str_eq");
	test_split();
	test_glob();
	test_nearest();
	test_clean();
	test_below();
	test_small();
	test_digest();
	arena_free(a);
	return done_testing();
}

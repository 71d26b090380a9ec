/* SPDX-License-Identifier: Apache-2.0 */
/* base/json: what is accepted, what is refused and why, and the writer read back. */
#include "tap.h"

#include <gpurun/json.h>
#include <gpurun/str.h>

#include <errno.h>

static struct arena *a;

static const struct json *parse(const char *text, size_t len, struct err *e)
{
	const struct json *tree = NULL;

	*e = (struct err){ 0 };
	return json_parse(a, text, len, "x.json", &tree, e) == 0 ? tree : NULL;
}

static const struct json *parse_str(const char *text)
{
	struct err e;

	return parse(text, strlen(text), &e);
}

static const char *const accepted[] = {
	"{}",
	"[]",
	"null",
	"true",
	"0",
	"-1.5e3",
	"123",
	"\"x\"",
	" \r\n\t{ \"a\" : [ 1 , 2 ] } \r\n\t",
	"{\"a\":{\"a\":{\"a\":1}}}",
	"[{\"a\":1},{\"a\":2}]",
	"{\"a:b\":\"c:d\\\":\"}",
	"{\"\":1}",
	"\"\\\\u0000\"",
	"\"\\ud83d\\ude00\"",
	"\"\\ud800\"", /* json-c writes U+FFFD for it */
	"\"\xf0\x9f\x98\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"",
	"{\"a\":1,\"A\":2}",
};

#define CHARACTER "a character that JSON does not know"
#define NUMBER    "a number that JSON does not know"

static const struct {
	const char *text, *why;
} refused[] = {
	{ "", "not JSON" },
	{ " ", "not JSON" },
	{ "{", "not JSON" },
	{ "[1,]", "not JSON" },
	{ "[1,2", "not JSON" },
	{ "{\"a\":1,}", "not JSON" },
	{ "{\"a\"}", "not JSON" },
	{ "{\"a\":}", "not JSON" },
	{ "{a:1}", "not JSON" },
	{ "{'a':1}", CHARACTER },
	{ "'a'", CHARACTER },
	{ "[1] x", CHARACTER },
	{ "[1] true", "not JSON" },
	{ "1-", NUMBER },
	{ "1true", "not JSON" },
	{ "]", "not JSON" },
	{ "[1}", "not JSON" },
	{ "{\"a\",1}", "not JSON" },
	{ "[1:2]", "not JSON" },
	{ ",", "not JSON" },
	{ "[,1]", "not JSON" },
	{ "[1 2]", "not JSON" },
	{ "[\"a\"\"b\"]", "not JSON" },
	{ "{1:2}", "not JSON" },
	{ "{}{}", "not JSON" },
	{ "1 2", "not JSON" },
	{ "// x\n1", CHARACTER },
	{ "/* x */1", CHARACTER },
	{ "True", CHARACTER },
	{ "nul", "not JSON" },
	{ "nullx", CHARACTER },
	{ "NULL", CHARACTER },
	{ "01", NUMBER },
	{ "-01", NUMBER },
	{ "+1", CHARACTER },
	{ "-", NUMBER },
	{ "1.", NUMBER },
	{ ".5", CHARACTER },
	{ "1e", NUMBER },
	{ "[1e+]", NUMBER },
	{ "0x10", CHARACTER },
	{ "[1.2.3]", CHARACTER },
	{ "[--1]", NUMBER },
	{ "\"\\x\"", "not JSON" },
	{ "\"\\u12g4\"", "not JSON" },
	{ "\xef\xbb\xbf{}", CHARACTER },
	{ "{\"a\":1,\"a\":2}", "a member name is there twice" },
	{ "{\"a\":1,\"\\u0061\":2}", "a member name is there twice" },
	{ "{\"a\":null,\"a\":null}", "a member name is there twice" },
	{ "{\"x\":[{\"a\":{},\"b\":0,\"a\":1}]}", "a member name is there twice" },
	{ "\"\\u0000\"", "a NUL in a string" },
	{ "{\"a\\u0000b\":1}", "a NUL in a string" },
	{ "\"\\\\\\u0000\"", "a NUL in a string" },
	{ "\"a\nb\"", "a control character in a string" },
	{ "\"a\tb\"", "a control character in a string" },
	{ "\"\x1f\"", "a control character in a string" },
	{ "\"\xff\"", "a string is not UTF-8" },
	{ "\"\xc0\x80\"", "a string is not UTF-8" },
	{ "\"\xc1\xbf\"", "a string is not UTF-8" },
	{ "\"\xe0\x9f\xbf\"", "a string is not UTF-8" },
	{ "\"\xed\xa0\x80\"", "a string is not UTF-8" },
	{ "\"\xf4\x90\x80\x80\"", "a string is not UTF-8" },
	{ "\"\xf8\x88\x80\x80\x80\"", "a string is not UTF-8" },
	{ "\"\xe2\x82\"", "a string is not UTF-8" },
	{ "\"\xe2\x82", "a string is not UTF-8" },
	{ "{\"\xff\":1}", "a string is not UTF-8" },
	{ "[\x80]", CHARACTER },
	{ "\"abc", "the text ends inside a string" },
	{ "\"abc\\", "the text ends inside a string" },
	{ "NaN", CHARACTER },
	{ "[nan]", "not JSON" },
	{ "Infinity", CHARACTER },
	{ "[-Infinity]", NUMBER },
	{ "[1e999]", "a number without a finite value" },
};

static void test_refused(void)
{
	struct err e;

	for (size_t i = 0; i < ELEMENTS(accepted); i++) {
		ok(parse(accepted[i], strlen(accepted[i]), &e), "accepts %s", accepted[i]);
		is_str(e.msg, "", "and says nothing");
	}
	for (size_t i = 0; i < ELEMENTS(refused); i++) {
		const struct json *tree = (const struct json *)1;
		const char *text = refused[i].text;

		e = (struct err){ 0 };
		is_int(json_parse(a, text, strlen(text), "x.json", &tree, &e), -EINVAL,
		       "refuses %s", text);
		ok(strstr(e.msg, refused[i].why), "because: %s", refused[i].why);
		if (!strstr(e.msg, refused[i].why))
			diag("%s", e.msg);
		ok(tree == (const struct json *)1, "and leaves the result alone");
	}
	ok(!parse("[1,\0 2]", 7, &e), "refuses a NUL byte");
	ok(!parse("1\0", 2, &e), "refuses a NUL byte at the end");
	ok(parse("12345", 2, &e)->num == 12, "reads no byte behind the length");
	ok(!parse("{}", 1, &e), "nor a bracket");
	is_int(json_parse(a, "{", 1, "x.json", NULL, NULL), -EINVAL, "no record");
	(void)parse("{\n\"a\": 1,\n\"b\": ]\n}", 18, &e);
	ok(strstr(e.msg, "x.json: not JSON: ") == e.msg, "the message names the document");
	ok(strstr(e.msg, "in line 3"), "and the line: %s", e.msg);
	(void)parse("{\n\"a\": \"\xff\"}", 12, &e);
	ok(strstr(e.msg, "in line 2"), "the scan too: %s", e.msg);
}

/* @n arrays inside each other, the innermost with or without a value */
static bool nested_parses(size_t n, bool value)
{
	char *text = arena_alloc(a, 2 * n + 2);
	struct err e;

	memset(text, '[', n);
	text[n] = value ? '1' : ' ';
	memset(text + n + 1, ']', n);
	return parse(text, 2 * n + 1, &e) != NULL;
}

static void test_limits(void)
{
	size_t n = JSON_SIZE_MAX + 1;
	struct arena *mine = arena_new((size_t)256 << 20);
	char *text = arena_alloc(mine, n);
	const struct json *tree;
	struct err e = { 0 };

	ok(nested_parses(JSON_DEPTH_MAX, false), "the deepest nesting");
	ok(nested_parses(JSON_DEPTH_MAX, true), "the deepest nesting, with a value");
	ok(!nested_parses(JSON_DEPTH_MAX + 1, false), "one deeper");
	ok(!nested_parses(100000, false), "much deeper");
	memset(text, ' ', n);
	memcpy(text, "[]", 2);
	is_int(json_parse(mine, text, n - 1, "x", &tree, &e), 0, "the largest document");
	is_int(json_parse(mine, text, n, "x", &tree, &e), -EFBIG, "one byte more");
	is_str(e.msg, "x: larger than 4 MiB", "the message");
	for (size_t i = 0; i < n; i++)
		text[i] = i % 2 ? '1' : ',';
	text[0] = '[';
	text[2 * (size_t)JSON_COUNT_MAX - 2] = ']';
	is_int(json_parse(mine, text, 2 * (size_t)JSON_COUNT_MAX - 1, "x", &tree, &e), 0,
	       "the most values");
	is_int(tree->count, JSON_COUNT_MAX - 1, "all of them");
	text[2 * (size_t)JSON_COUNT_MAX - 2] = ',';
	text[2 * (size_t)JSON_COUNT_MAX] = ']';
	is_int(json_parse(mine, text, 2 * (size_t)JSON_COUNT_MAX + 1, "x", &tree, &e), -EINVAL,
	       "one more");
	ok(strstr(e.msg, "too many values"), "the message");
	arena_free(mine);
}

static void test_tree(void)
{
	const struct json *t = parse_str("{\"s\":\"a\\u00e9\\n\",\"i\":-42,\"b\":true,\"d\":1.5,"
					 "\"n\":null,\"v\":[\"x\",\"y\"],\"o\":{\"k\":\"v\"},"
					 "\"mixed\":[\"x\",1],\"e\":[]}");
	const struct json *v;
	struct strv list = { 0 };

	is_int(t->type, JSON_OBJECT, "an object");
	is_int(t->count, 9, "its members");
	is_str(t->child->key, "s", "the first in the order of the text");
	is_str(t->child->next->key, "i", "the second");
	is_str(json_str(t, "s"), "a\xc3\xa9\n", "a string");
	is_int(json_get(t, "i")->num, -42, "a number");
	is_int(json_get(t, "b")->type, JSON_BOOL, "a boolean");
	is_int(json_get(t, "b")->num, 1, "which is true");
	ok(json_get(t, "d")->type == JSON_DOUBLE && json_get(t, "d")->dbl > 1.4, "a double");
	ok(!json_get(t, "n"), "null is as absent");
	ok(!json_get(t, "absent") && !json_get(NULL, "s"), "absent");
	ok(!json_get(json_get(t, "v"), "s"), "no member of an array");
	is_str(json_str(t, "i"), NULL, "a number is no string");
	is_str(json_str(json_get(t, "o"), "k"), "v", "a member of a member");
	v = json_get(t, "v");
	ok(v->count == 2 && !v->child->key && !v->child->next->next, "an array");
	is_int(json_strv(a, t, "v", &list), 0, "strings");
	ok(list.n == 2 && str_eq(list.v[1], "y") && !list.v[2], "both");
	is_int(json_strv(a, t, "mixed", &list), -EINVAL, "not only strings");
	is_int(json_strv(a, t, "s", &list), -EINVAL, "no array");
	is_int(list.n, 2, "the result is not touched");
	is_int(json_strv(a, t, "absent", &list), 0, "absent strings");
	is_int(json_strv(a, t, "n", &list), 0, "null strings");
	is_int(json_strv(a, t, "e", &list), 0, "no strings");
	is_int(list.n, 0, "an empty list");
}

static void test_numbers(void)
{
	const struct json *t = parse_str("[9223372036854775807,-9223372036854775808,"
					 "18446744073709551615,9223372036854775808,0,-0,1e2]");
	const struct json *v = t->child;

	ok(v->type == JSON_INT && v->num == INT64_MAX, "INT64_MAX");
	v = v->next;
	ok(v->type == JSON_INT && v->num == INT64_MIN, "INT64_MIN");
	v = v->next;
	ok(v->type == JSON_DOUBLE && v->dbl >= 18446744073709551615.0, "UINT64_MAX is a double");
	v = v->next;
	ok(v->type == JSON_DOUBLE && v->dbl > 9.2e18, "INT64_MAX + 1 too");
	v = v->next;
	ok(v->type == JSON_INT && v->num == 0, "0");
	v = v->next->next;
	ok(v->type == JSON_DOUBLE && v->dbl > 99, "an exponent");
}

static void write_some(struct jsonw *w)
{
	jsonw_begin_object(w, NULL);
	jsonw_str(w, "s", "a\"b\\c\n\x01\x7f/\xc3\xa9");
	jsonw_str(w, "bad", "x\xff\xed\xa0\x80y\xe2\x82");
	jsonw_str(w, "k\"\n", NULL);
	jsonw_int(w, "min", INT64_MIN);
	jsonw_uint(w, "max", UINT64_MAX);
	jsonw_begin_array(w, "v");
	jsonw_bool(w, NULL, true);
	jsonw_bool(w, NULL, false);
	jsonw_begin_object(w, NULL);
	jsonw_end_object(w);
	jsonw_begin_array(w, NULL);
	jsonw_end_array(w);
	jsonw_end_array(w);
	jsonw_end_object(w);
}

#define FFFD "\xef\xbf\xbd"

static void test_writer(void)
{
	struct jsonw w = { .a = a };
	struct jsonw c = { .a = a, .compact = true };
	const char *text;
	struct err e;
	size_t len;

	write_some(&w);
	text = jsonw_text(&w, &len);
	is_str(text,
	       "{\n"
	       "  \"s\": \"a\\\"b\\\\c\\n\\u0001\\u007f/\xc3\xa9\",\n"
	       "  \"bad\": \"x" FFFD FFFD FFFD FFFD "y" FFFD FFFD "\",\n"
	       "  \"k\\\"\\n\": null,\n"
	       "  \"min\": -9223372036854775808,\n"
	       "  \"max\": 18446744073709551615,\n"
	       "  \"v\": [\n"
	       "    true,\n"
	       "    false,\n"
	       "    {},\n"
	       "    []\n"
	       "  ]\n"
	       "}\n",
	       "pretty");
	is_int(len, strlen(text), "its length");
	ok(parse(text, len, &e), "it is JSON: %s", e.msg);
	write_some(&c);
	text = jsonw_text(&c, NULL);
	ok(strchr(text, '\n') == text + strlen(text) - 1, "compact: one line");
	is_str(json_str(parse_str(text), "s"), "a\"b\\c\n\x01\x7f/\xc3\xa9", "compact: read back");
	is_str(strstr(text, "\"v\""), "\"v\": [true, false, {}, []]}\n", "compact: commas");
}

/* Every byte, and a document larger than the first buffer many times over. */
static void test_writer_large(void)
{
	struct jsonw w = { .a = a };
	const struct json *t, *v;
	bool same = true;
	char s[512];
	size_t len;
	const char *text;
	struct err e;

	jsonw_begin_array(&w, NULL);
	for (int i = 1; i < 256; i++) {
		memset(s, i, sizeof(s) - 1);
		s[sizeof(s) - 1] = '\0';
		jsonw_str(&w, NULL, s);
	}
	jsonw_end_array(&w);
	text = jsonw_text(&w, &len);
	t = parse(text, len, &e);
	ok(t && t->count == 255, "every byte can be written and read: %s", e.msg);
	if (!t)
		return;
	v = t->child;
	for (int i = 1; i < 128; i++, v = v->next)
		same &= v->str[0] == i && strlen(v->str) == sizeof(s) - 1;
	ok(same, "ASCII comes back as it was");
	for (; v; v = v->next)
		same &= strncmp(v->str, FFFD FFFD, 6) == 0;
	ok(same, "other bytes come back as U+FFFD");
}

int main(void)
{
	struct err e = { 0 };

	a = arena_new(0);
	if (json_load(&e) < 0) {
		ok(strstr(e.hint, "libjson-c5"), "the hint names the package");
		skip("%s", e.msg);
		return done_testing();
	}
	test_refused();
	test_limits();
	test_tree();
	test_numbers();
	test_writer();
	test_writer_large();
	arena_free(a);
	return done_testing();
}

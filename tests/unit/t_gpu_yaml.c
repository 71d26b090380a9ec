/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_parse(): what becomes which value, and what is refused. */
#include <errno.h>

#include <gpurun/str.h>

#include "../../src/gpu/yaml.h"
#include "tap.h"

/* A value as one line: {key: value, ...}, [..], "text", 12, true, ~ */
static const char *text_of(struct arena *a, const struct json *v)
{
	const char *t = "";

	switch (v->type) {
	case JSON_NULL:
		return "~";
	case JSON_BOOL:
		return v->num ? "true" : "false";
	case JSON_INT:
		return arena_printf(a, "%lld", (long long)v->num);
	case JSON_STRING:
		return arena_printf(a, "\"%s\"", v->str);
	case JSON_DOUBLE:
		return "double";
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	for (const struct json *c = v->child; c; c = c->next)
		t = arena_printf(a, "%s%s%s%s%s", t, *t ? ", " : "", c->key ? c->key : "",
				 c->key ? ": " : "", text_of(a, c));
	return arena_printf(a, v->type == JSON_OBJECT ? "{%s}" : "[%s]", t);
}

static const struct good {
	const char *text, *value;
} goods[] = {
	{ "a", "\"a\"" },
	{ "---\na\n...\n", "\"a\"" },
	{ "%YAML 1.1\n---\na\n", "\"a\"" },
	{ "\xef\xbb\xbf"
	  "a: b",
	  "{a: \"b\"}" },
	{ "a: 1\nb:\n- 2\n-   c: d\n    e: ''\n- []\nf: {g: h, i: [j, k]}\n",
	  "{a: 1, b: [2, {c: \"d\", e: \"\"}, []], f: {g: \"h\", i: [\"j\", \"k\"]}}" },
	{ "[~, null, Null, NULL, \"~\", 'null', nULL]", "[~, ~, ~, ~, \"~\", \"null\", \"nULL\"]" },
	{ "a:\nb: # nothing\n", "{a: ~, b: ~}" },
	{ "[true, True, FALSE, \"true\", yes, on, tRUE]",
	  "[true, true, false, \"true\", \"yes\", \"on\", \"tRUE\"]" },
	{ "[0, 438, -1, 9223372036854775807, -9223372036854775807]",
	  "[0, 438, -1, 9223372036854775807, -9223372036854775807]" },
	{ "['438', 0666, 00, 0x1f, 1.5, 1e3, +1, 1_000, -, 9223372036854775808]",
	  "[\"438\", \"0666\", \"00\", \"0x1f\", \"1.5\", \"1e3\", \"+1\", \"1_000\", \"-\", "
	  "\"9223372036854775808\"]" },
	{ "a: 0.5.0", "{a: \"0.5.0\"}" },
	{ "a: >\n  x\n  y\nb: |\n  1\n", "{a: \"x y\n\", b: \"1\n\"}" },
	{ "{\"a\": \"\\u00e9\\n\", \"1\": 2}", "{a: \"\xc3\xa9\n\", 1: 2}" },
};

static const struct bad {
	const char *text, *reason;
} bads[] = {
	{ "", "it is empty in line 1" },
	{ "# nothing\n", "it is empty" },
	{ "--- a\n--- b\n", "a second document in line 2" },
	{ "a: &x 1\nb: *x\n", "an anchor or a tag in line 1" },
	{ "a: &x {}\n", "an anchor or a tag" },
	{ "a: &x []\n", "an anchor or a tag" },
	{ "a: *x\n", "an alias in line 1" },
	{ "a: !!str 1\n", "an anchor or a tag" },
	{ "a: !t {}\n", "an anchor or a tag" },
	{ "a: !t []\n", "an anchor or a tag" },
	{ "a: 1\nb: 2\na: 3\n", "a key is there twice in line 3" },
	{ "{a: 1, \"a\": 2}", "a key is there twice" },
	{ "[a]: 1", "a key that is no string" },
	{ "? {a: b}\n: 1", "a key that is no string" },
	{ "1: a", "a key that is no string" },
	{ "~: a", "a key that is no string" },
	{ "&x a: 1", "an anchor or a tag" },
	{ "*x : 1", "a key that is no string" },
	{ "a: \"\\0\"", "a NUL in a string" },
	{ "a: \"\\", "line 1" },
	{ "a: [1", "did not find expected" },
	{ "a: 1\n b: 2\n", "line 2" },
	{ "\ta: 1", "line 1" },
	{ "a: \xff\xfe", "line 1" },
	{ "a: \x01", "line 1" },
};

static void test_values(struct arena *a)
{
	for (size_t i = 0; i < ELEMENTS(goods); i++) {
		const struct json *v = NULL;
		struct err e = { 0 };
		int r = yaml_parse(a, goods[i].text, strlen(goods[i].text), "f.yaml", &v, &e);

		is_str(r < 0 ? e.msg : text_of(a, v), goods[i].value, "value %zu", i);
	}
}

static void test_refused(struct arena *a)
{
	for (size_t i = 0; i < ELEMENTS(bads); i++) {
		const struct json *v = NULL;
		struct err e = { 0 };
		int r = yaml_parse(a, bads[i].text, strlen(bads[i].text), "f.yaml", &v, &e);

		ok(r == -EINVAL && !v && str_after(e.msg, "f.yaml: not accepted as YAML: ") &&
			   strstr(e.msg, bads[i].reason),
		   "%zu: %s", i, bads[i].reason);
		if (r != -EINVAL || !strstr(e.msg, bads[i].reason))
			diag("%d: %s", r, e.msg);
	}
}

/* @n times @s */
static char *times(struct arena *a, const char *s, size_t n)
{
	size_t len = strlen(s);
	char *t = arena_alloc(a, n * len + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(t + i * len, s, len);
	return t;
}

static int parse(struct arena *a, const char *text, struct err *e)
{
	const struct json *v = NULL;

	*e = (struct err){ 0 };
	return yaml_parse(a, text, strlen(text), "f.yaml", &v, e);
}

static void test_limits(struct arena *a)
{
	const char *deep = arena_printf(a, "%sx%s", times(a, "[", YAML_DEPTH_MAX),
					times(a, "]", YAML_DEPTH_MAX));
	const char *many = arena_printf(a, "[x%s]", times(a, ",x", YAML_COUNT_MAX - 2));
	struct err e;

	is_int(parse(a, deep, &e), 0, "as deep as it may be");
	is_int(parse(a, arena_printf(a, "[%s]", deep), &e), -EINVAL, "one deeper");
	ok(strstr(e.msg, "too deep"), "%s", e.msg);
	is_int(parse(a, times(a, "[", 100000), &e), -EINVAL, "deep beyond measure");
	is_int(parse(a, many, &e), 0, "as many values as there may be");
	is_int(parse(a, arena_printf(a, "[y,%s", many + 1), &e), -EINVAL, "one more");
	ok(strstr(e.msg, "too many values"), "%s", e.msg);
	is_int(parse(a, times(a, " ", YAML_SIZE_MAX + 1), &e), -EFBIG, "a file too large");
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);

	test_values(a);
	test_refused(a);
	test_limits(a);
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables and files of them.
 */
#include "../../src/cli/opt.h"
#include "tap.h"

static struct arena *arena;
static struct err err;

static const char *parsed(const char *text, size_t len)
{
	struct strv v = { 0 };
	const char *s = "";

	memset(&err, 0, sizeof(err));
	if (opt_env_file_parse(arena, text, len, &v, &err) < 0)
		return arena_printf(arena, "error: %s", err.msg);
	for (size_t i = 0; i < v.n; i++)
		s = arena_printf(arena, "%s[%s]", s, v.v[i]);
	return s;
}

static const char *file(const char *text)
{
	return parsed(text, strlen(text));
}

static void test_files(void)
{
	is_str(file(""), "", "an empty file");
	is_str(file("A=b\nC=d\n"), "[A=b][C=d]", "two lines");
	is_str(file("A=b"), "[A=b]", "no newline at the end");
	is_str(file("A=b\r\nC\r\n"), "[A=b][C]", "the lines of another system");
	is_str(file("# x\n\n  \t\n  # y\nA=b\n"), "[A=b]", "comments and blank lines");
	is_str(file("  A=b"), "[A=b]", "blanks in front");
	is_str(file("A= b # c \n"), "[A= b # c ]", "everything behind '=' is the value");
	is_str(file("A=\"b c\"\n"), "[A=\"b c\"]", "quotes too");
	is_str(file("A\n"), "[A]", "the host's value");
	is_str(file("A=\n"), "[A=]", "an empty value");
	is_str(file("A=b=c\n"), "[A=b=c]", "the first '=' counts");
	is_str(file("\xef\xbb\xbf"
		    "A=b\n"),
	       "[A=b]", "a byte order mark");
	is_str(file("A=b\n=c\n"), "error: line 2: '=c': the name of the variable is missing",
	       "no name");
	is_str(file("A B=c\n"), "error: line 1: 'A B': a blank in the name of a variable",
	       "a blank in the name");
	is_str(parsed("A=b\0c\n", 6), "error: line 1: a NUL byte: not a text file", "a NUL");
}

static void test_limit(void)
{
	size_t n = 2 * (OPT_LIST_MAX + 1);
	char *text = arena_alloc(arena, n + 1);

	for (size_t i = 0; i < n; i += 2) {
		text[i] = 'A';
		text[i + 1] = '\n';
	}
	is_str(parsed(text, n), "error: line 4097: more than 4096 variables", "too many");
	ok(parsed(text, n - 2)[0] == '[', "just not too many");
}

static void test_option(void)
{
	struct ask asked = { 0 };
	const struct opt_in in = { .a = arena, .ask = &asked, .cwd = "/" };
	const struct opt *env = opt_find("env", 3, VERB_RUN);
	const struct opt *env_file = opt_find("env-file", 8, VERB_EXEC);

	is_int(opt_apply_value(&in, env, "A=b c", &err), 0, "-e A=b");
	is_int(opt_apply_value(&in, env, "A", &err), 0, "-e A");
	is_int((int)asked.request.env.n, 2, "both are there");
	memset(&err, 0, sizeof(err));
	ok(opt_apply_value(&in, env, "=b", &err) < 0, "-e =b");
	is_str(err.msg, "'=b': the name of the variable is missing", "its message");
	memset(&err, 0, sizeof(err));
	ok(opt_apply_value(&in, env_file, "/nonexistent/file", &err) < 0,
	   "a file that is not there");
	is_str(err.msg, "/nonexistent/file: No such file or directory", "its message");
	memset(&err, 0, sizeof(err));
	ok(opt_apply_value(&in, env_file, "/", &err) < 0 && err.msg[0], "a directory: %s", err.msg);
}

int main(void)
{
	arena = arena_new(0);
	test_files();
	test_limit();
	test_option();
	arena_free(arena);
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap.h - Test Anything Protocol for unit tests, one header, one test program each.
 *
 *	int main(void)
 *	{
 *		ok(1 + 1 == 2, "addition");
 *		is_int(strlen("abc"), 3, "length of %s", "abc");
 *		is_str(path_base("/a/b"), "b", "the base name");
 *		return done_testing();
 *	}
 *
 * A test that cannot run here says skip(); with GPURUN_MUST_WORK=1 in the environment (CI, where
 * everything has to be there) that is a failure.
 */
#ifndef GPURUN_TAP_H
#define GPURUN_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAP_UNUSED       __attribute__((unused))
#define TAP_PRINTF(f, a) __attribute__((unused, format(printf, f, a)))

static int tap_run, tap_failed, tap_planned;

/** plan_tests - say beforehand how many tests there will be (optional, checked at the end) */
static TAP_UNUSED void plan_tests(int n)
{
	tap_planned = n;
	printf("1..%d\n", n);
	fflush(stdout);
}

/** diag - a remark, shown to the person who runs the tests */
static TAP_PRINTF(1, 2) void diag(const char *fmt, ...)
{
	va_list ap;

	fputs("# ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* A test's name on one line; '#' would start a directive. */
static __attribute__((format(printf, 1, 0))) void tap_name(const char *fmt, va_list ap)
{
	char name[512];

	vsnprintf(name, sizeof(name), fmt, ap);
	for (char *p = name; *p; p++) {
		if (*p == '\n' || *p == '#')
			*p = '_';
	}
	fputs(name, stdout);
}

static __attribute__((format(printf, 4, 0))) bool tap_result(bool pass, const char *file, int line,
							     const char *fmt, va_list ap)
{
	printf("%s %d - ", pass ? "ok" : "not ok", ++tap_run);
	tap_name(fmt, ap);
	fputc('\n', stdout);
	fflush(stdout); /* a test that forks must not print its buffer twice */
	if (!pass) {
		tap_failed++;
		diag("failed at %s line %d", file, line);
	}
	return pass;
}

static TAP_PRINTF(4, 5) bool tap_ok(bool pass, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)tap_result(pass, file, line, fmt, ap);
	va_end(ap);
	return pass;
}

static TAP_PRINTF(5, 6) bool tap_is_int(long long got, long long want, const char *file, int line,
					const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!tap_result(got == want, file, line, fmt, ap))
		diag("got %lld, want %lld", got, want);
	va_end(ap);
	return got == want;
}

static TAP_PRINTF(5, 6) bool tap_is_str(const char *got, const char *want, const char *file,
					int line, const char *fmt, ...)
{
	bool pass = got && want ? strcmp(got, want) == 0 : got == want;
	va_list ap;

	va_start(ap, fmt);
	if (!tap_result(pass, file, line, fmt, ap)) {
		diag("got  \"%s\"", got ? got : "(null)");
		diag("want \"%s\"", want ? want : "(null)");
	}
	va_end(ap);
	return pass;
}

/** ok - one test; is_int, is_str - with both values shown on failure.  All return "passed". */
#define ok(cond, ...) tap_ok(!!(cond), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...)                                                                     \
	tap_is_int((long long)(got), (long long)(want), __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...) tap_is_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)

/** skip - count one test as not possible here, with the reason */
static TAP_PRINTF(1, 2) void skip(const char *fmt, ...)
{
	const char *must = getenv("GPURUN_MUST_WORK");
	bool fail = must && strcmp(must, "1") == 0;
	va_list ap;

	printf("%s %d %s ", fail ? "not ok" : "ok", ++tap_run, fail ? "- must work:" : "# SKIP");
	va_start(ap, fmt);
	tap_name(fmt, ap);
	va_end(ap);
	fputc('\n', stdout);
	fflush(stdout);
	tap_failed += fail;
}

/** done_testing - the last line; returns main's exit status */
static TAP_UNUSED int done_testing(void)
{
	if (!tap_planned)
		printf("1..%d\n", tap_run);
	else if (tap_planned != tap_run)
		diag("planned %d tests but ran %d", tap_planned, tap_run);
	if (tap_failed)
		diag("%d of %d tests failed", tap_failed, tap_run);
	fflush(stdout);
	return tap_failed || tap_run == 0 || (tap_planned && tap_planned != tap_run);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* base/arena: zeroes, alignment, limits, the seal, growing vectors. */
#include "tap.h"

#include <gpurun/arena.h>
#include <gpurun/fd.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Run @f in a child with stderr in @ret (of @size bytes); the wait status. */
static int in_child(void (*f)(void), char *ret, size_t size)
{
	int p[2], status = -1;
	ssize_t n;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		struct rlimit none = { 0, 0 };

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)dup2(p[1], STDERR_FILENO);
		(void)signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would exit instead */
		f();
		_exit(0);
	}
	(void)close(p[1]);
	n = fd_read_up_to(p[0], ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
	(void)close(p[0]);
	(void)waitpid(pid, &status, 0);
	return status;
}

static void over_the_limit(void)
{
	struct arena *a = arena_new(4096);

	for (int i = 0; i < 4096; i++)
		(void)arena_alloc(a, 64);
}

static void one_too_large(void)
{
	(void)arena_alloc(arena_new(4096), (size_t)1 << 40);
}

static void largest_size(void)
{
	(void)arena_alloc(arena_new(4096), SIZE_MAX);
}

static void product_overflows(void)
{
	(void)arena_calloc(arena_new(4096), SIZE_MAX / 2, 3);
}

static void absurd_limit(void)
{
	(void)arena_new(SIZE_MAX - 5);
}

static void write_sealed(void)
{
	struct arena *a = arena_new(0);
	char *p = arena_strdup(a, "x");

	if (arena_seal(a) == 0)
		*(volatile char *)p = 'y';
}

static void alloc_sealed(void)
{
	struct arena *a = arena_new(0);

	if (arena_seal(a) == 0)
		(void)arena_alloc(a, 1);
}

static const struct death {
	const char *name;
	void (*f)(void);
	int exit_status, signal;
	const char *says;
} deaths[] = {
	{ "many small objects", over_the_limit, 125, 0, "the limit is reached (64 bytes wanted)" },
	{ "one large object", one_too_large, 125, 0, "the limit is reached" },
	{ "SIZE_MAX", largest_size, 125, 0, "the limit is reached" },
	{ "a product that overflows", product_overflows, 125, 0, "a size overflows" },
	{ "an absurd limit", absurd_limit, 125, 0, "the limit is absurd" },
	{ "a write after the seal", write_sealed, 0, SIGSEGV, "" },
	{ "an allocation after the seal", alloc_sealed, 0, SIGSEGV, "" },
};

static void test_deaths(void)
{
	char text[512];

	for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
		const struct death *d = &deaths[i];
		int status = in_child(d->f, text, sizeof(text));

		if (d->signal) {
			ok(WIFSIGNALED(status) && WTERMSIG(status) == d->signal, "%s: signal %d",
			   d->name, d->signal);
			continue;
		}
		ok(WIFEXITED(status) && WEXITSTATUS(status) == d->exit_status, "%s: status %d",
		   d->name, d->exit_status);
		ok(strstr(text, d->says), "%s: says why", d->name);
		ok(strchr(text, '\n') == text + strlen(text) - 1, "%s: one line", d->name);
	}
}

static void test_alloc(void)
{
	struct arena *a = arena_new(0);
	bool aligned = true, zeroed = true, apart = true;
	char *before = NULL;

	for (size_t size = 0; size < 200; size++) {
		char *p = arena_alloc(a, size);

		aligned &= ((uintptr_t)p & 15) == 0;
		apart &= p != before;
		for (size_t i = 0; i < size; i++)
			zeroed &= p[i] == 0;
		memset(p, 0xff, size);
		before = p;
	}
	ok(aligned, "every object is aligned to 16");
	ok(zeroed, "every object is zeroed");
	ok(apart, "every object has an address of its own, of 0 bytes too");
	arena_free(a);
	arena_free(NULL);
	a = arena_new(1);
	memset(arena_alloc(a, 1), 'x', 1);
	ok(true, "a limit of one byte gives at least that");
	arena_free(a);
	a = arena_new((size_t)1 << 20);
	memset(arena_alloc(a, (size_t)1 << 20 >> 1), 'x', (size_t)1 << 19);
	ok(true, "half of the limit in one object");
	arena_free(a);
}

static void test_text(struct arena *a)
{
	is_str(arena_strdup(a, ""), "", "strdup of nothing");
	is_str(arena_strdup(a, "abc"), "abc", "strdup");
	is_str(arena_strndup(a, "abcdef", 3), "abc", "strndup cuts");
	is_str(arena_strndup(a, "ab", 300), "ab", "strndup stops at the NUL");
	is_str(arena_strndup(a, "ab", SIZE_MAX), "ab", "strndup with no bound");
	is_str(arena_strndup(a, "ab", 0), "", "strndup of nothing");
	is_str(arena_printf(a, "%s-%d", "x", 42), "x-42", "printf");
	is_int(strlen(arena_printf(a, "%5000s", "x")), 5000, "a long printf");
	is_str(arena_printf(a, "%s", ""), "", "an empty printf");
}

static void test_vectors(struct arena *a)
{
	struct strv s = { 0 };
	struct {
		int *v;
		size_t n, cap;
	} list = { 0 };
	bool ended = true, kept = true;

	for (int i = 0; i < 1000; i++) {
		strv_push(a, &s, arena_printf(a, "%d", i));
		ended &= s.v[s.n] == NULL;
		VEC_PUSH(a, list.v, list.n, list.cap, i);
	}
	ok(ended, "a strv always ends in NULL");
	is_int(s.n, 1000, "a strv counts");
	is_str(s.v[0], "0", "the first string");
	is_str(s.v[999], "999", "the last string");
	for (int i = 0; i < 1000; i++)
		kept &= list.v[i] == i;
	ok(kept && list.n == 1000, "VEC_PUSH keeps what was pushed");
	ok(arena_grow(a, NULL, 0, 4, 8), "growing nothing");
}

static void test_extend(struct arena *a)
{
	char *p = arena_extend(a, NULL, 0, 5), *q, *other;

	memcpy(p, "1234", 5);
	q = arena_extend(a, p, 5, 5000);
	ok(q == p, "the last allocation grows where it is");
	memset(q + 5, 'x', 4995);
	other = arena_alloc(a, 1);
	ok(other >= q + 5000 && *other == '\0', "what comes next lies behind it, zeroed");
	q = arena_extend(a, p, 5000, 10000);
	ok(q != p && strncmp(q, "1234", 5) == 0 && q[4999] == 'x' && q[5000] == '\0',
	   "another one is copied");
	ok(strncmp(p, "1234", 5) == 0 && *other == '\0', "and what was there stays");
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_alloc();
	test_text(a);
	test_vectors(a);
	test_extend(a);
	test_deaths();
	is_int(arena_seal(a), 0, "the seal");
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.c - one mmap, one bump pointer.
 *
 * The header lives at the start of the reservation itself, so that arena_seal() also protects
 * the bump pointer: an allocation from a sealed arena faults at once.  Nothing is ever reused,
 * so fresh pages are the zeroes that arena_alloc() promises.
 */
#include <gpurun/arena.h>
#include <gpurun/err.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define ARENA_ASAN 1
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_GAP            16 /* poisoned bytes behind every object */
#define arena_poison(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define arena_unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define ARENA_GAP            0
#define arena_poison(p, n)   ((void)(p), (void)(n))
#define arena_unpoison(p, n) ((void)(p), (void)(n))
#endif

#define ARENA_LIMIT_DEFAULT ((size_t)64 << 20)
#define ARENA_ALIGN         ((size_t)16)

struct arena {
	size_t size; /* of the mapping */
	size_t used; /* from its start, this header included; always a multiple of ARENA_ALIGN */
};

_Static_assert(_Alignof(max_align_t) <= ARENA_ALIGN, "ARENA_ALIGN is too small");

/*
 * The one place outside of main that ends the process and writes past log.h: nothing that
 * reports an error properly could be trusted to work without memory.
 */
static __attribute__((noreturn)) void arena_die(const char *reason, size_t wanted)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "gpurun: memory: %s (%zu bytes wanted)\n", reason,
			 wanted);

	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		_exit(EXIT_GPURUN);
	_exit(EXIT_GPURUN);
}

static size_t arena_round(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

struct arena *arena_new(size_t limit)
{
	size_t page = getauxval(AT_PAGESZ);
	size_t size = limit ? limit : ARENA_LIMIT_DEFAULT;
	struct arena *a;

	if (size > SIZE_MAX / 2)
		arena_die("the limit is absurd", size);
	size = arena_round(size + sizeof(*a), page);
	/*
	 * Linux 6.7 and later lay a mapping of this size at a multiple of 2 MiB; where transparent
	 * huge pages are always used, the first byte would cost a huge page.  Never in a stack.
	 */
	a = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (a == MAP_FAILED)
		arena_die("no address space", size);
	a->size = size;
	a->used = arena_round(sizeof(*a), ARENA_ALIGN);
	return a;
}

void arena_free(struct arena *a)
{
	size_t size;

	if (!a)
		return;
	size = a->size;
	arena_unpoison(a, a->used);
	(void)munmap(a, size);
}

int arena_seal(struct arena *a)
{
	return mprotect(a, a->size, PROT_READ) < 0 ? -errno : 0;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t left = a->size - a->used;
	size_t need;
	char *p;

	if (size > left)
		arena_die("the limit is reached", size);
	need = arena_round((size ? size : 1) + ARENA_GAP, ARENA_ALIGN);
	if (need > left)
		arena_die("the limit is reached", size);
	p = (char *)a + a->used;
	a->used += need;
	arena_poison(p + size, need - size);
	return p;
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		arena_die("a size overflows", SIZE_MAX);
	return arena_alloc(a, total);
}

void *arena_grow(struct arena *a, const void *p, size_t n, size_t cap, size_t size)
{
	void *q = arena_calloc(a, cap, size);

	if (n)
		memcpy(q, p, n * size);
	return q;
}

void *arena_extend(struct arena *a, void *p, size_t n, size_t size)
{
	size_t have = arena_round((n ? n : 1) + ARENA_GAP, ARENA_ALIGN);

	if (!p)
		return arena_alloc(a, size);
	if ((char *)p + have != (char *)a + a->used)
		return arena_grow(a, p, n, size, 1);
	arena_unpoison(p, have);
	a->used -= have; /* and what is taken now lies in the same place */
	return arena_alloc(a, size);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p;

	if (len == SIZE_MAX)
		arena_die("a size overflows", len);
	p = arena_alloc(a, len + 1);
	memcpy(p, s, len);
	return p;
}

/* Printed to where it will be: the rest of the arena is room enough, and nobody's yet. */
char *arena_printf(struct arena *a, const char *fmt, ...)
{
	size_t left = a->size - a->used;
	char *p = (char *)a + a->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(p, left, fmt, ap);
	va_end(ap);
	if (n < 0)
		arena_die("a text is too long", SIZE_MAX);
	return arena_alloc(a, (size_t)n + 1);
}

void strv_push(struct arena *a, struct strv *s, const char *str)
{
	if (s->n + 1 >= s->cap) {
		s->cap = s->cap ? s->cap * 2 : 8;
		s->v = arena_grow(a, s->v, s->n, s->cap, sizeof(*s->v));
	}
	s->v[s->n++] = str;
	s->v[s->n] = NULL;
}

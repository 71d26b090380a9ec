/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - memory with one lifetime.
 *
 * Everything that ends in the plan lives in the plan's arena; a worker has an arena of its own.
 * One reservation of address space, a bump pointer, no free of single objects.  Allocation does
 * not fail towards the caller: a request over the limit prints one line and ends the process
 * with status 125, because no path of a launcher could do anything better.
 */
#ifndef GPURUN_ARENA_H
#define GPURUN_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena;

/** arena_new - reserve @limit bytes of address space (0: 64 MiB); pages are taken when touched */
struct arena *arena_new(size_t limit);

/** arena_free - give everything back; accepts NULL */
void arena_free(struct arena *a);

/** arena_seal - make the arena read-only: a later write is a SIGSEGV; -errno on failure */
int arena_seal(struct arena *a);

/** arena_alloc - zeroed memory, aligned for any type; never NULL */
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));

/** arena_calloc - as arena_alloc() for @n objects, with the overflow check */
void *arena_calloc(struct arena *a, size_t n, size_t size) __attribute__((returns_nonnull));

/** arena_grow - a copy of @n objects at @p with room for @cap (>= @n); the old copy is left */
void *arena_grow(struct arena *a, const void *p, size_t n, size_t cap, size_t size)
	__attribute__((returns_nonnull));

/** arena_extend - @n bytes at @p made @size (>= @n): in their place when they were allocated last */
void *arena_extend(struct arena *a, void *p, size_t n, size_t size)
	__attribute__((returns_nonnull));

char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t n) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), returns_nonnull));

#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_calloc((a), (n), sizeof(type)))

/* A growing vector of strings; v[n] is always NULL once something was pushed. */
struct strv {
	const char **v;
	size_t n, cap;
};

void strv_push(struct arena *a, struct strv *s, const char *str);

/* The same for any object: VEC_PUSH(arena, list.v, list.n, list.cap, value). */
#define VEC_PUSH(a, v_, n_, cap_, value)                                                           \
	do {                                                                                       \
		if ((n_) == (cap_)) {                                                              \
			(cap_) = (cap_) ? (cap_)*2 : 8;                                            \
			(v_) = arena_grow((a), (v_), (n_), (cap_), sizeof(*(v_)));                 \
		}                                                                                  \
		(v_)[(n_)++] = (value);                                                            \
	} while (0)

static inline void arena_freep(struct arena **a)
{
	arena_free(*a);
}
#define _cleanup_arena_ __attribute__((cleanup(arena_freep)))

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what fuzzers share: the entry point, an oracle, and bytes as choices and texts.
 */
#ifndef GPURUN_FUZZ_H
#define GPURUN_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gpurun/arena.h>
#include <gpurun/str.h>

#define FUZZ_UNUSED __attribute__((unused))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

static FUZZ_UNUSED _Noreturn void fuzz_finding(const char *what, const char *file, int line)
{
	(void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

/* What does not hold is a finding. */
#define must(holds) ((holds) ? (void)0 : fuzz_finding(#holds, __FILE__, __LINE__))

/** struct feed - the input, taken from its beginning; when it is used up all choices are 0 */
struct feed {
	struct arena *a;
	const uint8_t *p;
	size_t n;
};

static FUZZ_UNUSED unsigned int feed_pick(struct feed *f, unsigned int below)
{
	if (f->n == 0)
		return 0;
	f->n--;
	return *f->p++ % below;
}

/* What is left up to the next byte @end, which is skipped. */
static FUZZ_UNUSED char *feed_text(struct feed *f, uint8_t end, size_t *ret_len)
{
	const uint8_t *stop = f->n ? memchr(f->p, end, f->n) : NULL;
	size_t n = stop ? (size_t)(stop - f->p) : f->n;
	char *s = arena_strndup(f->a, (const char *)f->p, n);

	f->p += n + (stop != NULL);
	f->n -= n + (stop != NULL);
	if (ret_len)
		*ret_len = strlen(s);
	return s;
}

#endif

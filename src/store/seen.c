/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen.c - open addressing with linear probing; half full at most.
 */
#include "seen.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define SEEN_FIRST ((size_t)1 << 12)

static uint64_t rotl(uint64_t v, int n)
{
	return (v << n) | (v >> (64 - n));
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
}

uint64_t siphash(const uint64_t key[2], const void *data, size_t n)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
			  key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL };
	const char *p = data;
	uint64_t m;

	for (size_t left = n; left >= 8; left -= 8, p += 8) {
		memcpy(&m, p, 8);
		sip_word(v, m);
	}
	m = 0;
	memcpy(&m, p, n % 8);
	sip_word(v, m | (uint64_t)n << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* One arena a table, so that the old one can go. */
static void seen_table(struct seen *s, size_t cap)
{
	s->arena = arena_new(cap * sizeof(*s->slots) + 4096);
	s->slots = ARENA_ARRAY(s->arena, uint64_t, cap);
	s->cap = cap;
}

void seen_begin(struct seen *s)
{
	struct timespec now;

	memset(s, 0, sizeof(*s));
	if (getrandom(s->key, sizeof(s->key), GRND_NONBLOCK) != (ssize_t)sizeof(s->key)) {
		/* early in boot; a guessable key only makes whiteouts of hostile images inexact */
		(void)clock_gettime(CLOCK_REALTIME, &now);
		s->key[0] ^= (uint64_t)now.tv_nsec;
	}
	seen_table(s, SEEN_FIRST);
}

void seen_end(struct seen *s)
{
	arena_free(s->arena);
	s->arena = NULL;
}

/* The slot that holds @h, or the free one where it belongs. */
static uint64_t *seen_slot(const struct seen *s, uint64_t h)
{
	size_t i = (size_t)h & (s->cap - 1);

	while (s->slots[i] && s->slots[i] != h)
		i = (i + 1) & (s->cap - 1);
	return &s->slots[i];
}

static uint64_t seen_hash(const struct seen *s, char tag, const char *path, size_t n)
{
	uint64_t key[2] = { s->key[0], s->key[1] ^ (unsigned char)tag };
	uint64_t h = siphash(key, path, n);

	return h ? h : 1;
}

static void seen_grow(struct seen *s)
{
	struct seen old = *s;

	seen_table(s, old.cap * 2);
	for (size_t i = 0; i < old.cap; i++) {
		if (old.slots[i])
			*seen_slot(s, old.slots[i]) = old.slots[i];
	}
	arena_free(old.arena);
}

bool seen_add(struct seen *s, char tag, const char *path, size_t n)
{
	uint64_t h = seen_hash(s, tag, path, n);
	uint64_t *slot = seen_slot(s, h);

	if (*slot)
		return false;
	*slot = h;
	if (++s->n > s->cap / 2)
		seen_grow(s);
	return true;
}

bool seen_has(const struct seen *s, char tag, const char *path, size_t n)
{
	return *seen_slot(s, seen_hash(s, tag, path, n)) != 0;
}

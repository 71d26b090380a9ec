/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table with open addressing; nothing is ever taken out. */
#include "names.h"

#include <stdint.h>

#include <gpurun/str.h>

#define NAMES_ROOM 256U

/* FNV-1a: the names are of a root's files, whose number is bounded where they are listed. */
static size_t names_hash(const char *name)
{
	uint32_t h = 2166136261U;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619U;
	return h;
}

/* Where @name is, or would be. */
static const char **names_slot(const struct names *s, const char *name)
{
	size_t i = names_hash(name) & (s->room - 1);

	while (s->v[i] && !str_eq(s->v[i], name))
		i = (i + 1) & (s->room - 1);
	return &s->v[i];
}

static void names_grow(struct arena *a, struct names *s)
{
	struct names wider = { .n = s->n, .room = s->room ? 2 * s->room : NAMES_ROOM };

	wider.v = ARENA_ARRAY(a, const char *, wider.room);
	for (size_t i = 0; i < s->room; i++)
		if (s->v[i])
			*names_slot(&wider, s->v[i]) = s->v[i];
	*s = wider;
}

bool names_have(const struct names *s, const char *name)
{
	return s->n && *names_slot(s, name);
}

bool names_add(struct arena *a, struct names *s, const char *name)
{
	const char **slot;

	if (2 * s->n >= s->room)
		names_grow(a, s);
	slot = names_slot(s, name);
	if (*slot)
		return false;
	*slot = name;
	s->n++;
	return true;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * choose.c - which of several images is meant.
 *
 * A tag means the image that bears exactly this name; else the one with the same name as docker
 * completes it ("debian" is docker.io/library/debian:latest); else the one whose name ends in
 * this tag.  "@N" is the position in the manifest or index.  Without a tag there must be one.
 */
#include <errno.h>

#include <gpurun/str.h>

#include "source.h"

#define CHOOSE_NAMES_SHOWN 8

enum name_match { MATCH_NONE, MATCH_TAG, MATCH_COMPLETED, MATCH_EXACT };

/* The tag behind the last component, or NULL. */
static const char *name_tag(const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *colon = strchr(slash ? slash : name, ':');

	return colon ? colon + 1 : NULL;
}

/* The name as docker would complete it, without what it would put in front. */
static const char *name_complete(struct arena *a, const char *name)
{
	static const char *const implied[] = { "docker.io/", "index.docker.io/" };
	const char *rest = NULL;

	for (size_t i = 0; i < ELEMENTS(implied) && !rest; i++)
		rest = str_after(name, implied[i]);
	rest = rest ? rest : name;
	if (str_after(rest, "library/"))
		rest = str_after(rest, "library/");
	return name_tag(rest) ? rest : arena_printf(a, "%s:latest", rest);
}

static enum name_match name_match(struct arena *a, const char *want, const char *have)
{
	const char *tag = name_tag(have);

	if (str_eq(want, have))
		return MATCH_EXACT;
	if (str_eq(name_complete(a, want), name_complete(a, have)))
		return MATCH_COMPLETED;
	return tag && str_eq(want, tag) ? MATCH_TAG : MATCH_NONE;
}

/* How well @want names it; without @want every image is as good. */
static enum name_match choice_match(struct arena *a, const char *want, struct choice *c)
{
	enum name_match best = MATCH_NONE;

	c->name = c->names.n ? c->names.v[0] : NULL;
	for (size_t i = 0; want && i < c->names.n; i++) {
		enum name_match m = name_match(a, want, c->names.v[i]);

		if (m <= best)
			continue;
		best = m;
		c->name = c->names.v[i];
	}
	return best;
}

static bool choices_are_one(const struct choice *x, const struct choice *y)
{
	return str_eq(x->key, y->key) || (x->group && y->group && str_eq(x->group, y->group));
}

static const char *choice_name(struct arena *a, const struct choice *c)
{
	return c->names.n ? c->names.v[0] : arena_printf(a, "@%zu", c->position);
}

/* "a:1, b:2, @2, ...": what belongs to one image is named once */
static const char *choices_list(struct arena *a, const struct choice *c, size_t n)
{
	const char *list = "";
	size_t shown = 0, k;

	for (size_t i = 0; i < n; i++) {
		for (k = 0; k < i && !choices_are_one(&c[k], &c[i]); k++)
			;
		if (k < i)
			continue;
		if (shown++ == CHOOSE_NAMES_SHOWN)
			return arena_printf(a, "%s, ...", list);
		list = arena_printf(a, "%s%s%.120s", list, *list ? ", " : "",
				    choice_name(a, &c[i]));
	}
	return list;
}

/* The prefix that makes others read it as it was read now. */
static const char *choose_prefix(const struct image_source *s)
{
	if (s->kind == SOURCE_LAYOUT)
		return "oci";
	if (s->ref->transport != IMAGE_DOCKER_ARCHIVE && members_are_layout(s))
		return "oci-archive";
	return "docker-archive";
}

void choose_hint(const struct image_source *s, const struct choice *c, struct err *e)
{
	err_hint(e, "gpurun %s:%s:%s", choose_prefix(s), s->label, choice_name(s->a, c));
}

static int choose_fail_none(const struct image_source *s, const struct choice *c, size_t n,
			    struct err *e)
{
	err_set(e, ENOENT, "%s: no image %s in it; it holds %s", s->label, s->ref->tag,
		choices_list(s->a, c, n));
	choose_hint(s, c, e);
	return -ENOENT;
}

/* Several are marked: are they one image? */
static int choose_check_one(const struct image_source *s, const struct choice *c, size_t n,
			    struct err *e)
{
	const struct choice *first = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!c[i].chosen)
			continue;
		first = first ? first : &c[i];
		if (choices_are_one(first, &c[i]))
			continue;
		err_set(e, EINVAL, "%s: holds several images, name one of: %s", s->label,
			choices_list(s->a, c, n));
		choose_hint(s, c, e);
		return -EINVAL;
	}
	return 0;
}

static int choose_by_position(const struct image_source *s, struct choice *c, size_t n,
			      struct err *e)
{
	uint64_t position;
	size_t hits = 0;

	if (num_u64(s->ref->tag + 1, UINT32_MAX, &position) < 0)
		return err_set(e, EINVAL, "%s: %s is no position", s->label, s->ref->tag);
	for (size_t i = 0; i < n; i++) {
		c[i].chosen = c[i].position == position;
		c[i].name = c[i].names.n ? c[i].names.v[0] : NULL;
		hits += c[i].chosen;
	}
	return hits ? 0 : choose_fail_none(s, c, n, e);
}

int choose_by_tag(struct image_source *s, struct choice *c, size_t n, struct err *e)
{
	const char *tag = s->ref->tag;
	enum name_match *match = ARENA_ARRAY(s->a, enum name_match, n);
	enum name_match best = MATCH_NONE;

	if (n == 0)
		return err_set(e, EINVAL, "%s: holds no image", s->label);
	if (tag && *tag == '@')
		return choose_by_position(s, c, n, e);
	for (size_t i = 0; i < n; i++) {
		match[i] = choice_match(s->a, tag, &c[i]);
		best = match[i] > best ? match[i] : best;
	}
	if (tag && best == MATCH_NONE)
		return choose_fail_none(s, c, n, e);
	for (size_t i = 0; i < n; i++)
		c[i].chosen = match[i] == best;
	return choose_check_one(s, c, n, e);
}

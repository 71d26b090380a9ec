/* SPDX-License-Identifier: Apache-2.0 */
/*
 * require_judge.c - the grammar of NVIDIA_REQUIRE_*, and what it means (pure):
 *
 *	requirement := term *(" " term)		one of them
 *	term        := factor *("," factor)	all of them
 *	factor      := property op value
 *	property    := "cuda" | "driver" | "arch" | "brand"
 *	op          := "=" | "!=" | "<" | "<=" | ">" | ">="
 *
 * The text comes from an image: it is walked where it lies and nothing is allocated by it.
 */
#include "require.h"

#include <stdint.h>
#include <strings.h>

#include <gpurun/str.h>

/* Cut what is before the next @sep off @rest, whose s is NULL behind the last; false there. */
static bool text_cut(struct require_text *rest, char sep, struct require_text *ret)
{
	const char *end;

	if (!rest->s)
		return false;
	end = memchr(rest->s, sep, rest->n);
	ret->s = rest->s;
	ret->n = end ? (size_t)(end - rest->s) : rest->n;
	rest->s = end ? end + 1 : NULL;
	rest->n -= end ? ret->n + 1 : ret->n;
	return true;
}

static bool text_is(struct require_text t, const char *word)
{
	return strlen(word) == t.n && strncasecmp(t.s, word, t.n) == 0;
}

/* Numbers with single dots between them. */
static bool is_version(struct require_text t)
{
	struct require_text number;

	while (text_cut(&t, '.', &number)) {
		if (number.n == 0)
			return false;
		for (size_t i = 0; i < number.n; i++)
			if (number.s[i] < '0' || number.s[i] > '9')
				return false;
	}
	return true;
}

/* The next number of a version, 0 behind the last; the greatest there is for one too long. */
static uint64_t version_number(struct require_text *rest)
{
	struct require_text number;
	uint64_t v = 0;

	if (!text_cut(rest, '.', &number))
		return 0;
	for (size_t i = 0; i < number.n; i++)
		if (__builtin_mul_overflow(v, 10U, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(number.s[i] - '0'), &v))
			return UINT64_MAX;
	return v;
}

static int version_order(struct require_text a, struct require_text b)
{
	while (a.s || b.s) {
		uint64_t m = version_number(&a), n = version_number(&b);

		if (m != n)
			return m < n ? -1 : 1;
	}
	return 0;
}

static const struct {
	const char *name;
	bool word; /* compared as a word, equal or not; else as a version */
} properties[REQUIRE_PROPERTIES] = {
	[REQUIRE_CUDA] = { "cuda", false },
	[REQUIRE_DRIVER] = { "driver", false },
	[REQUIRE_ARCH] = { "arch", false },
	[REQUIRE_BRAND] = { "brand", true },
};

/* For which orders of fact and value it holds; the longer ones are tried first. */
static const struct op {
	const char *text;
	bool less, equal, greater;
} ops[] = {
	{ "!=", true, false, true }, { "<=", true, true, false }, { ">=", false, true, true },
	{ "=", false, true, false }, { "<", true, false, false }, { ">", false, false, true },
};

static bool op_holds(const struct op *op, int order)
{
	return order < 0 ? op->less : order > 0 ? op->greater : op->equal;
}

struct factor {
	size_t property;
	const struct op *op;
	struct require_text value;
};

static bool factor_parse(struct require_text t, struct factor *ret)
{
	struct require_text name = { t.s, 0 };
	size_t op = 0, used;

	while (name.n < t.n && !strchr("!<>=", t.s[name.n]))
		name.n++;
	ret->property = 0;
	while (ret->property < REQUIRE_PROPERTIES && !text_is(name, properties[ret->property].name))
		ret->property++;
	/* may look at the character behind the text: a separator or the NUL, and no operator */
	while (op < ELEMENTS(ops) && !str_after(t.s + name.n, ops[op].text))
		op++;
	if (ret->property == REQUIRE_PROPERTIES || op == ELEMENTS(ops))
		return false;
	used = name.n + strlen(ops[op].text);
	if (used >= t.n)
		return false;
	ret->op = &ops[op];
	ret->value = (struct require_text){ t.s + used, t.n - used };
	if (properties[ret->property].word)
		return ret->op->less == ret->op->greater;
	return is_version(ret->value);
}

/* What is not understood counts as met: the tools that images are made for skip it as well. */
static enum require_verdict factor_judge(struct require_judgement *j, struct require_text t)
{
	struct require_text have;
	struct factor f;
	int order;

	if (!factor_parse(t, &f)) {
		if (!j->odd.s)
			j->odd = t;
		return REQUIRE_MET;
	}
	j->speaks_of[f.property] = true;
	if (!j->have[f.property])
		return REQUIRE_UNKNOWN;
	have = (struct require_text){ j->have[f.property], strlen(j->have[f.property]) };
	if (properties[f.property].word)
		order = !text_is(f.value, have.s);
	else if (is_version(have))
		order = version_order(have, f.value);
	else
		return REQUIRE_UNKNOWN;
	return op_holds(f.op, order) ? REQUIRE_MET : REQUIRE_UNMET;
}

static enum require_verdict term_judge(struct require_judgement *j, struct require_text term)
{
	enum require_verdict least = REQUIRE_MET;
	struct require_text factor;

	while (text_cut(&term, ',', &factor)) {
		enum require_verdict v = factor.n ? factor_judge(j, factor) : REQUIRE_MET;

		if (v < least)
			least = v;
	}
	return least;
}

/* All terms are looked at, also where the first decides, for what they speak of. */
enum require_verdict require_judge(struct require_judgement *j, const char *requirement)
{
	struct require_text rest = { requirement, strlen(requirement) }, term;
	enum require_verdict greatest = REQUIRE_UNMET;

	while (text_cut(&rest, ' ', &term)) {
		enum require_verdict v;

		if (!term.n)
			continue;
		if (j->terms++ == 0)
			j->first = term;
		v = term_judge(j, term);
		if (v > greatest)
			greatest = v;
	}
	return j->terms ? greatest : REQUIRE_MET;
}

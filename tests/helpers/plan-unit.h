/* SPDX-License-Identifier: Apache-2.0 */
/* plan-unit.h - what the unit tests of plan_build() share. */
#ifndef PLAN_UNIT_H
#define PLAN_UNIT_H

#include "plan-case.h"
#include "tap.h"

static struct arena *arena;

static struct plan_case fresh(void)
{
	struct plan_case c;

	case_init(&c, arena);
	return c;
}

/* The plan is refused with a message that holds @word. */
static __attribute__((unused)) void refused(struct plan_case *c, const char *word, const char *what)
{
	int r = case_build(c);

	ok(r < 0 && strstr(c->e.msg, word) && !strchr(c->e.msg, '\n'), "%s: %s", what, c->e.msg);
}

static void built(struct plan_case *c, const char *what)
{
	int r = case_build(c);

	ok(r == 0, "%s %s", what, c->e.msg);
	if (r < 0)
		exit(1);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_ps.c - "gpurun ps": the containers of this user that run now.
 */
#include <gpurun/json.h>
#include <gpurun/str.h>

#include "answer.h"
#include "cmd.h"
#include "record.h"

#define COMMAND_SHOWN 48

/* At most COMMAND_SHOWN bytes, not cut inside of a UTF-8 character. */
static const char *shorten(struct arena *a, const char *s)
{
	size_t n = strlen(s);

	if (n <= COMMAND_SHOWN)
		return s;
	n = COMMAND_SHOWN;
	while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return arena_printf(a, "%.*s...", (int)n, s);
}

/* How many commands of a step run in it; in others there is one, and what it starts. */
static const char *ranks(struct arena *a, const struct state *st)
{
	return st->step[0] ? arena_printf(a, "%zu", st->n_ranks) : "-";
}

static void print_table(struct answer *w, const struct state *v, size_t n)
{
	static const char *const head[] = { "ID",  "NAME", "STEP",  "RANKS",
					    "PID", "AGE",  "IMAGE", "COMMAND" };
	struct strv cells = { 0 };

	for (size_t i = 0; i < ELEMENTS(head); i++)
		strv_push(w->a, &cells, head[i]);
	for (size_t i = 0; i < n; i++) {
		strv_push(w->a, &cells, v[i].id);
		strv_push(w->a, &cells, v[i].name[0] ? v[i].name : "-");
		strv_push(w->a, &cells, v[i].step[0] ? v[i].step : "-");
		strv_push(w->a, &cells, ranks(w->a, &v[i]));
		strv_push(w->a, &cells, arena_printf(w->a, "%d", v[i].payload));
		strv_push(w->a, &cells, answer_age(w->a, v[i].created));
		strv_push(w->a, &cells, v[i].image);
		strv_push(w->a, &cells, shorten(w->a, v[i].command));
	}
	answer_table(w, cells.v, cells.n, ELEMENTS(head));
}

static void print_json(struct answer *w, const struct state *v, size_t n)
{
	struct jsonw j = { .a = w->a };

	jsonw_begin_array(&j, NULL);
	for (size_t i = 0; i < n; i++) {
		jsonw_begin_object(&j, NULL);
		record_members(&j, &v[i]);
		jsonw_end_object(&j);
	}
	jsonw_end_array(&j);
	answer_add(w, jsonw_text(&j, NULL));
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	struct answer w = { .a = in->a };
	struct strv dirs = { 0 };
	struct state *v = NULL;
	size_t n = 0;
	int r = place_states(in->a, &dirs, e);

	(void)ret_status;
	if (r >= 0)
		r = state_list(in->a, &dirs, &v, &n, e);
	if (r < 0)
		return r;
	if (in->ask->json)
		print_json(&w, v, n);
	else
		print_table(&w, v, n);
	return answer_write(&w, e);
}

const struct cmd cmd_ps = {
	.name = "ps",
	.operands = "",
	.summary = "containers that run now",
	.verb = VERB_PS,
	.run = run,
};

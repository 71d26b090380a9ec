/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_complete.c - the hidden "gpurun __complete -- WORD...", which the shells' completions ask.
 *
 * The words are those behind "gpurun" up to the cursor, the last one (maybe empty) is being
 * typed.  The answer is one candidate a line, a tab and its description where there is one,
 * and a last line that says what else fits: ":files", ":dirs" or ":none".  Mistakes are no
 * errors here: whatever cannot be found out is left out.
 */
#include <stdlib.h>

#include <gpurun/profile.h>
#include <gpurun/str.h>

#include "answer.h"
#include "cmd.h"

#define CAPS_MAX 64

static const char *const signals[] = { "HUP",  "INT",  "QUIT", "KILL", "USR1", "USR2",
				       "TERM", "CONT", "STOP", "TSTP", "WINCH" };

struct completion {
	const struct cmd_in *in;
	const struct cmd *cmd;
	struct answer w;
	const char *prefix; /* "--gpus=" in front of every candidate, or "" */
	const char *typed;  /* what a candidate starts with (behind the prefix) */
	const char *also;   /* the last line */
};

static void candidate(struct completion *c, const char *text, const char *description)
{
	if (!str_after(text, c->typed) || strpbrk(text, "\t\n"))
		return;
	answer_printf(&c->w, "%s%s%s%s\n", c->prefix, text, description ? "\t" : "",
		      description ? answer_plain(c->w.a, description) : "");
}

static void complete_verbs(struct completion *c)
{
	for (const struct cmd *const *v = cmds; *v; v++)
		if (!(*v)->hidden)
			candidate(c, (*v)->name, (*v)->summary);
}

static void complete_options(struct completion *c)
{
	for (const struct opt_group *const *g = opt_groups; *g; g++) {
		for (size_t i = 0; i < (*g)->n; i++) {
			const struct opt *o = &(*g)->rows[i];

			if (!o->help || !(o->verbs & c->cmd->verb))
				continue;
			candidate(c, arena_printf(c->w.a, "--%s", o->name), o->help);
			for (size_t k = 0; k < OPT_ALIASES && o->alias[k]; k++)
				candidate(c, arena_printf(c->w.a, "--%s", o->alias[k]), o->help);
		}
	}
}

static void complete_images(struct completion *c)
{
	struct store_entry *v = NULL;
	struct store *s = NULL;
	size_t n = 0;

	if (place_store_open(c->in, &s, NULL) < 0)
		return;
	if (store_list(s, c->w.a, &v, &n, NULL) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].names.n; k++)
			candidate(c, v[i].names.v[k], "image in the store");
	store_close(s);
}

static void complete_containers(struct completion *c)
{
	struct strv dirs = { 0 };
	struct state *v = NULL;
	size_t n = 0;

	if (place_states(c->w.a, &dirs, NULL) < 0 || state_list(c->w.a, &dirs, &v, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (v[i].step[0])
			candidate(c, v[i].step, v[i].command);
		if (v[i].name[0])
			candidate(c, v[i].name, v[i].command);
		candidate(c, v[i].id, v[i].command);
	}
}

static void complete_caps(struct completion *c)
{
	for (int cap = 0; cap < CAPS_MAX; cap++)
		if (profile_cap_name(cap))
			candidate(c, profile_cap_name(cap), NULL);
}

static void complete_kind(struct completion *c, enum opt_complete kind, const char *const *words)
{
	switch (kind) {
	case COMPLETE_NONE:
		break;
	case COMPLETE_WORDS:
		for (size_t i = 0; words && words[i]; i++)
			candidate(c, words[i], NULL);
		break;
	case COMPLETE_FILE:
		c->also = strchr(c->typed, ':') ? ":none" : ":files";
		break;
	case COMPLETE_DIR:
		c->also = ":dirs";
		break;
	case COMPLETE_CONTAINER:
		complete_containers(c);
		break;
	case COMPLETE_IMAGE:
		complete_images(c);
		if (c->cmd == &cmd_run || c->cmd == &cmd_inspect)
			c->also = ":files";
		break;
	case COMPLETE_SIGNAL:
		for (size_t i = 0; i < ELEMENTS(signals); i++)
			candidate(c, signals[i], NULL);
		break;
	case COMPLETE_CAP:
		complete_caps(c);
		break;
	case COMPLETE_ULIMIT:
		for (size_t i = 0; opt_ulimit_name(i); i++)
			candidate(c, arena_printf(c->w.a, "%s=", opt_ulimit_name(i)), NULL);
		break;
	}
}

/* The words in front of the one that is typed. */
struct before {
	const struct opt *pending; /* its value is what is typed */
	size_t operands;
	bool options; /* may still come */
};

/* Options whose values change what is completed (--store) are taken. */
static void take(const struct completion *c, const struct opt *o, const char *value)
{
	const struct opt_in oi = {
		.a = c->w.a, .ask = c->in->ask, .cwd = place_cwd(c->w.a), .home = getenv("HOME")
	};

	if (o->verbs & VERB_IMAGES)
		(void)opt_apply_value(&oi, o, value, NULL);
}

/* The option of a word whose value is the next word, or NULL. */
static const struct opt *open_option(const struct completion *c, const char *word)
{
	const struct opt *o = NULL;

	if (word[0] == '-' && word[1] == '-')
		return strchr(word, '=') ? NULL
					 : opt_find(word + 2, strlen(word + 2), c->cmd->verb);
	for (const char *p = word + 1; *p; p++) {
		o = opt_find_short(*p, c->cmd->verb);
		if (!o || (o->arg != OPT_FLAG && p[1]))
			return NULL;
	}
	return o;
}

static struct before look_before(const struct completion *c, const char *const *words, size_t n)
{
	struct before b = { .options = true };

	for (size_t i = 0; i < n; i++) {
		const struct opt *o;

		if (b.pending) {
			take(c, b.pending, words[i]);
			b.pending = NULL;
		} else if (b.options && str_eq(words[i], "--")) {
			b.options = false;
		} else if (b.options && words[i][0] == '-' && words[i][1]) {
			o = open_option(c, words[i]);
			b.pending = o && o->arg == OPT_VALUE ? o : NULL;
		} else {
			b.operands++;
			b.options = b.options && !c->cmd->stop;
		}
	}
	return b;
}

static void complete_operand(struct completion *c, size_t operands)
{
	if (c->cmd->stop && operands > 0)
		c->also = ":files"; /* the command's own words */
	else if (c->cmd == &cmd_help)
		complete_verbs(c);
	else if (c->cmd->max < 0 || operands < (size_t)c->cmd->max)
		complete_kind(c, c->cmd->complete, NULL);
	if (c->cmd == &cmd_inspect && operands == 0)
		complete_containers(c);
}

/* "--gpus=au" */
static void complete_inline(struct completion *c, const char *word)
{
	const char *eq = strchr(word, '=');
	const struct opt *o = opt_find(word + 2, (size_t)(eq - word) - 2, c->cmd->verb);

	if (!o)
		return;
	c->prefix = arena_strndup(c->w.a, word, (size_t)(eq - word) + 1);
	c->typed = eq + 1;
	complete_kind(c, o->complete, o->words);
}

static void complete(struct completion *c, const char *const *words, size_t n)
{
	struct before b = look_before(c, words, n - 1);
	const char *typed = words[n - 1];

	c->typed = typed;
	if (b.pending)
		complete_kind(c, b.pending->complete, b.pending->words);
	else if (b.options && str_after(typed, "--") && strchr(typed, '='))
		complete_inline(c, typed);
	else if (b.options && typed[0] == '-')
		complete_options(c);
	else
		complete_operand(c, b.operands);
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	struct completion c = {
		.in = in, .cmd = &cmd_run, .w = { .a = in->a }, .prefix = "", .also = ":none"
	};
	const struct opt_in oi = {
		.a = in->a, .ask = in->ask, .cwd = place_cwd(in->a), .home = getenv("HOME")
	};
	const char *const *words = in->words;
	const struct cmd *verb;
	size_t n = 0;

	(void)ret_status;
	if (words[0] && str_eq(words[0], "--"))
		words++;
	while (words[n])
		n++;
	if (n == 0)
		return 0;
	(void)config_load(&oi, VERB_IMAGES, NULL);
	verb = n > 1 ? cmd_find(words[0]) : NULL;
	if (verb)
		c.cmd = verb;
	if (n == 1) {
		c.typed = words[0];
		complete_verbs(&c);
	}
	complete(&c, verb ? words + 1 : words, verb ? n - 1 : n);
	answer_printf(&c.w, "%s\n", c.also);
	return answer_write(&c.w, e);
}

const struct cmd cmd_complete = {
	.name = "__complete",
	.operands = "-- WORD...",
	.summary = "what the shell's completion asks",
	.verb = VERB_OTHER,
	.max = -1,
	.raw = true,
	.hidden = true,
	.run = run,
};

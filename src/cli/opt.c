/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt.c - find options in the table, cut a command line into a list of them, apply the list.
 */
#include <ctype.h>
#include <errno.h>

#include <gpurun/str.h>

#include "opt.h"

const struct opt_group *const opt_groups[] = {
	&opt_group_gpus,    &opt_group_files,   &opt_group_identity, &opt_group_environment,
	&opt_group_process, &opt_group_network, &opt_group_limits,   &opt_group_security,
	&opt_group_output,  &opt_group_verbs,   &opt_group_foreign,  NULL,
};

static bool name_is(const struct opt *o, const char *name, size_t len)
{
	if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
		return true;
	for (size_t i = 0; i < OPT_ALIASES && o->alias[i]; i++)
		if (strlen(o->alias[i]) == len && memcmp(o->alias[i], name, len) == 0)
			return true;
	return false;
}

const struct opt *opt_find(const char *name, size_t len, unsigned int verbs)
{
	for (const struct opt_group *const *g = opt_groups; *g; g++)
		for (size_t i = 0; i < (*g)->n; i++)
			if (((*g)->rows[i].verbs & verbs) && name_is(&(*g)->rows[i], name, len))
				return &(*g)->rows[i];
	return NULL;
}

const struct opt *opt_find_short(char c, unsigned int verbs)
{
	for (const struct opt_group *const *g = opt_groups; *g; g++)
		for (size_t i = 0; i < (*g)->n; i++)
			if (((*g)->rows[i].verbs & verbs) && (*g)->rows[i].short_name == c)
				return &(*g)->rows[i];
	return NULL;
}

const char *opt_nearest(struct arena *a, const char *name, unsigned int verbs)
{
	struct strv names = { 0 };

	for (const struct opt_group *const *g = opt_groups; *g; g++) {
		for (size_t i = 0; i < (*g)->n; i++) {
			const struct opt *o = &(*g)->rows[i];

			if (!o->help || !(o->verbs & verbs))
				continue;
			strv_push(a, &names, o->name);
			for (size_t k = 0; k < OPT_ALIASES && o->alias[k]; k++)
				strv_push(a, &names, o->alias[k]);
		}
	}
	return names.n ? str_nearest(name, names.v) : NULL;
}

int opt_bool_parse(const char *text, bool *ret)
{
	static const char *const on[] = { "true", "yes", "on", "1" };
	static const char *const off[] = { "false", "no", "off", "0" };

	for (size_t i = 0; i < ELEMENTS(on); i++) {
		if (str_eq(text, on[i]) || str_eq(text, off[i])) {
			*ret = str_eq(text, on[i]);
			return 0;
		}
	}
	return -EINVAL;
}

/* The words that are still to be read. */
struct scan {
	struct arena *a;
	const char *const *next;
	unsigned int verbs;
	struct opt_line *line;
};

static void push_item(struct scan *s, const struct opt *o, const char *typed, const char *value)
{
	struct opt_item item = { .opt = o, .typed = typed, .value = value };

	VEC_PUSH(s->a, s->line->items, s->line->n_items, s->line->cap_items, item);
}

/* The value behind @typed: @inline_value, or the next word. */
static int take_value(struct scan *s, const struct opt *o, const char *typed,
		      const char *inline_value, struct err *e)
{
	if (o->arg == OPT_VALUE && !inline_value) {
		if (!*s->next)
			return err_set(e, EINVAL, "%s: wants a value (%s)", typed, o->metavar);
		inline_value = *s->next++;
	}
	if (!inline_value)
		inline_value = o->arg == OPT_FLAG ? "true" : "";
	push_item(s, o, typed, inline_value);
	return 0;
}

static int unknown_option(struct scan *s, const char *typed, const char *name, struct err *e)
{
	const char *near = opt_nearest(s->a, name, s->verbs);

	err_set(e, EINVAL, "%s: no such option", typed);
	if (near)
		err_hint(e, "did you mean --%s?", near);
	else
		err_hint(e, "--help lists them");
	return -EINVAL;
}

/* "--name", "--name=value", "--name value" */
static int scan_long(struct scan *s, const char *word, struct err *e)
{
	const char *name = word + 2, *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	const char *typed = arena_strndup(s->a, word, len + 2);
	const struct opt *o = opt_find(name, len, s->verbs);

	if (!o)
		return unknown_option(s, typed, typed + 2, e);
	return take_value(s, o, typed, eq ? eq + 1 : NULL, e);
}

/* "-i", "-it", "-v value", "-vvalue", "-v=value"; messages give the long name */
static int scan_short(struct scan *s, const char *word, struct err *e)
{
	for (const char *p = word + 1; *p; p++) {
		const char typed[] = { '-', *p, '\0' };
		const struct opt *o = opt_find_short(*p, s->verbs);
		const char *rest = p[1] == '=' ? p + 2 : p + 1;
		const char *name;
		bool has_rest = p[1] == '=' || (o && o->arg != OPT_FLAG && p[1]);

		if (!o)
			return unknown_option(s, isprint((unsigned char)*p) ? typed : word,
					      word + 1, e);
		name = arena_printf(s->a, "--%s", o->name);
		if (has_rest || o->arg != OPT_FLAG)
			return take_value(s, o, name, has_rest ? rest : NULL, e);
		push_item(s, o, name, "true");
	}
	return 0;
}

int opt_scan(struct arena *a, const char *const *args, unsigned int verbs, bool stop,
	     struct opt_line *ret, struct err *e)
{
	struct scan s = { .a = a, .next = args, .verbs = verbs, .line = ret };
	bool options = true;

	while (*s.next) {
		const char *word = *s.next++;
		int r = 0;

		if (options && str_eq(word, "--")) {
			options = false;
		} else if (options && word[0] == '-' && word[1] == '-') {
			r = scan_long(&s, word, e);
		} else if (options && word[0] == '-' && word[1]) {
			r = scan_short(&s, word, e);
		} else {
			strv_push(a, &ret->operands, word);
			options = options && !stop;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int opt_apply_value(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	if (!value[0] && o->arg != OPT_OPTIONAL && !(o->flags & OPTF_EMPTY))
		return err_set(e, EINVAL, "the value is empty");
	if (strlen(value) > OPT_VALUE_MAX)
		return err_set(e, E2BIG, "the value is longer than %u bytes", OPT_VALUE_MAX);
	return o->set(in, o, value, e);
}

int opt_apply(const struct opt_in *in, const struct opt_line *line, unsigned int flags,
	      struct err *e)
{
	for (size_t i = 0; i < line->n_items; i++) {
		const struct opt_item *item = &line->items[i];
		int r;

		if ((item->opt->flags & flags) != flags)
			continue;
		r = opt_apply_value(in, item->opt, item->value, e);
		if (r < 0) {
			err_wrap(e, "%s", item->typed);
			return r;
		}
	}
	return 0;
}

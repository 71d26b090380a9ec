/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of --gpus, and nothing else:
 *
 *	choice = "auto" | "none" | "all" | "count=" N | [ "device=" ] item *( "," item )
 *	item   = index | [dddd:]bb:dd.f | UUID or a unique prefix of it, from "GPU-" or "MIG-" on
 *	       | GPU ":" MIG | "MIG-" UUID of the GPU "/" GI "/" CI
 *	choice =/ name *( "," name )			; CDI: vendor/class=name
 *
 * Docker's form is a line of CSV: '"device=0,1",driver=nvidia,capabilities=gpu', with quotes
 * inside the shell's.  The quotes are taken off: a word without '=' belongs to the key before it.
 */
#include <ctype.h>
#include <errno.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>

#include "choose.h"

#define SEL_TEXT_MAX 4096U
#define SEL_FORMS                                                                                  \
	"auto, none, all, count=N, or a list of indexes, GPU and MIG UUIDs, PCI addresses, "       \
	"GPU:MIG pairs or CDI names"

struct sel_parser {
	struct arena *a;
	struct gpu_sel sel;
	unsigned int parts; /* words, counts and lists; there must be one */
	const struct sel_key *key;
	struct err *e;
};

/* Words that stand for a whole choice. */
static const struct sel_word {
	const char *word;
	enum gpu_sel_kind kind;
} sel_words[] = {
	{ "auto", GPU_SEL_AUTO },
	{ "none", GPU_SEL_NONE },
	{ "all", GPU_SEL_ALL },
};

static int sel_refuse(struct sel_parser *p, const char *what, const char *why)
{
	err_set(p->e, EINVAL, "%s: %s", what, why);
	err_hint(p->e, "--gpus takes " SEL_FORMS);
	return -EINVAL;
}

/* "0-3" */
static bool is_range(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n && s[n] == '-' && num_is_decimal(s + n + 1);
}

/* Are @x and @y the same item?  Numbers by value, all else in any case. */
static bool sel_same(const char *x, const char *y)
{
	if (num_is_decimal(x) && num_is_decimal(y)) {
		x += strspn(x, "0");
		y += strspn(y, "0");
	}
	for (; *x && tolower((unsigned char)*x) == tolower((unsigned char)*y); x++, y++)
		;
	return *x == *y;
}

static int sel_take_item(struct sel_parser *p, const char *text)
{
	struct strv *items = &p->sel.items;
	enum gpu_sel_kind kind;
	struct sel_item item;

	if (!*text)
		return sel_refuse(p, p->sel.text, "an empty item in the list");
	if (is_range(text)) {
		err_set(p->e, EINVAL, "%s: ranges are not accepted", text);
		err_hint(p->e, "name each GPU, as in --gpus 0,1,2");
		return -EINVAL;
	}
	if (sel_item_parse(text, &item) < 0)
		return sel_refuse(p, text, "not understood");
	kind = item.kind == SEL_CDI ? GPU_SEL_CDI : GPU_SEL_LIST;
	if (items->n && kind != p->sel.kind)
		return err_set(p->e, EINVAL,
			       "%s: CDI names and other names of GPUs do not go together",
			       p->sel.text);
	for (size_t i = 0; i < items->n; i++)
		if (kind == GPU_SEL_CDI ? str_eq(items->v[i], text) : sel_same(items->v[i], text))
			return err_set(p->e, EINVAL, "%s: %s is named twice", p->sel.text, text);
	if (items->n == GPU_MAX)
		return err_set(p->e, E2BIG, "more than %u GPUs are named", GPU_MAX);
	p->parts += !items->n;
	p->sel.kind = kind;
	strv_push(p->a, items, text);
	return 0;
}

/* "0", "all" */
static int sel_take_device(struct sel_parser *p, const char *text)
{
	for (size_t i = 0; i < ELEMENTS(sel_words); i++) {
		if (!str_eq(text, sel_words[i].word))
			continue;
		p->sel.kind = sel_words[i].kind;
		p->parts++;
		return 0;
	}
	return sel_take_item(p, text);
}

static int sel_take_count(struct sel_parser *p, const char *text)
{
	uint64_t n = 0;

	p->parts++;
	if (str_eq(text, "all") || str_eq(text, "-1")) {
		p->sel.kind = GPU_SEL_ALL;
		return 0;
	}
	if (num_u64(text, GPU_MAX, &n) < 0)
		return err_set(p->e, EINVAL, "%s: the count is a number up to %u, or all",
			       p->sel.text, GPU_MAX);
	p->sel.kind = n ? GPU_SEL_COUNT : GPU_SEL_NONE;
	p->sel.count = (unsigned int)n;
	return 0;
}

static int sel_take_driver(struct sel_parser *p, const char *text)
{
	if (str_eq(text, "nvidia"))
		return 0;
	return err_set(p->e, ENOTSUP, "driver=%s: the only driver here is nvidia", text);
}

static int sel_take_capability(struct sel_parser *p, const char *text)
{
	if (str_eq(text, "gpu") || str_eq(text, "nvidia"))
		return 0;
	err_set(p->e, ENOTSUP, "capabilities=%s: driver capabilities have an option of their own",
		text);
	err_hint(p->e, "--gpu-caps %s", text);
	return -ENOTSUP;
}

static int sel_take_options(struct sel_parser *p, const char *text)
{
	return err_set(p->e, ENOTSUP, "options=%s: driver options are not supported", text);
}

static const struct sel_key {
	const char *key;
	int (*take)(struct sel_parser *p, const char *text);
	bool list; /* words behind the next comma belong to it, too */
} sel_keys[] = {
	{ "device=", sel_take_device, true },    { "count=", sel_take_count, false },
	{ "driver=", sel_take_driver, false },   { "capabilities=", sel_take_capability, true },
	{ "options=", sel_take_options, false },
};

/* What stands between two commas. */
static int sel_take_field(struct sel_parser *p, const char *field)
{
	for (size_t i = 0; i < ELEMENTS(sel_keys); i++) {
		const char *text = str_after(field, sel_keys[i].key);

		if (!text)
			continue;
		p->key = &sel_keys[i];
		return p->key->take(p, text);
	}
	if (p->key && p->key->list)
		return p->key->take(p, field);
	return sel_take_device(p, field);
}

/* @text without the quotes of CSV, which stand around whole fields only; NULL: elsewhere, too */
static const char *sel_unquote(struct arena *a, const char *text)
{
	char *out = arena_strdup(a, text), *to = out;
	bool quoted = false;

	for (const char *s = text; *s; s++) {
		bool edge = quoted ? !s[1] || s[1] == ',' : s == text || s[-1] == ',';

		if (*s != '"')
			*to++ = *s;
		else if (edge)
			quoted = !quoted;
		else
			return NULL;
	}
	*to = '\0';
	return quoted ? NULL : out;
}

int gpu_sel_parse(struct arena *a, const char *text, struct gpu_sel *ret, struct err *e)
{
	struct sel_parser p = { .a = a, .sel.text = arena_strdup(a, text), .e = e };
	struct strv fields = { 0 };
	const char *body;

	if (strlen(text) > SEL_TEXT_MAX)
		return err_set(e, E2BIG, "longer than %u characters", SEL_TEXT_MAX);
	body = sel_unquote(a, text);
	if (!body)
		return sel_refuse(&p, text, "the quotes do not fit");
	str_split(a, body, ',', &fields);
	for (size_t i = 0; i < fields.n; i++) {
		int r = sel_take_field(&p, fields.v[i]);

		if (r < 0)
			return r;
	}
	if (p.parts == 0)
		return sel_refuse(&p, text, "says of no GPU that it is wanted");
	if (p.parts > 1)
		return sel_refuse(&p, text, "more than one of a word, a count and a list");
	p.sel.bare_number = num_is_decimal(body) && body[strspn(body, "0")];
	*ret = p.sel;
	return 0;
}

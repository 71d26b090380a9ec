/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_images.c - "gpurun images": what the store holds.
 */
#include <gpurun/json.h>
#include <gpurun/str.h>

#include "answer.h"
#include "cmd.h"

#define ID_SHOWN 12

static const char *form_name(enum image_form f)
{
	static const char *const names[] = {
		[IMAGE_FORM_LAYERS] = "layers",
		[IMAGE_FORM_FLAT] = "flat",
		[IMAGE_FORM_DIR] = "directory",
	};

	return names[f];
}

static const char *names_text(struct arena *a, const struct store_entry *s)
{
	const char *t = s->image.name ? s->image.name : "-";

	for (size_t i = 0; i < s->names.n; i++)
		t = i ? arena_printf(a, "%s, %s", t, s->names.v[i]) : s->names.v[i];
	return t;
}

static void print_table(struct answer *w, const struct store_entry *v, size_t n)
{
	static const char *const head[] = { "NAME", "ID", "SIZE", "FORM", "AGE", "STATE" };
	struct strv cells = { 0 };

	for (size_t i = 0; i < ELEMENTS(head); i++)
		strv_push(w->a, &cells, head[i]);
	for (size_t i = 0; i < n; i++) {
		strv_push(w->a, &cells, names_text(w->a, &v[i]));
		strv_push(w->a, &cells, arena_strndup(w->a, v[i].image.id, ID_SHOWN));
		strv_push(w->a, &cells, answer_size(w->a, v[i].image.bytes));
		strv_push(w->a, &cells, form_name(v[i].image.form));
		strv_push(w->a, &cells, answer_age(w->a, v[i].created));
		strv_push(w->a, &cells, v[i].in_use ? "in use" : v[i].read_only ? "read-only" : "");
	}
	answer_table(w, cells.v, cells.n, ELEMENTS(head));
}

static void json_entry(struct jsonw *j, const struct store_entry *s)
{
	jsonw_begin_object(j, NULL);
	jsonw_str(j, "id", s->image.id);
	jsonw_str(j, "name", s->image.name);
	jsonw_begin_array(j, "names");
	for (size_t i = 0; i < s->names.n; i++)
		jsonw_str(j, NULL, s->names.v[i]);
	jsonw_end_array(j);
	jsonw_str(j, "form", form_name(s->image.form));
	jsonw_uint(j, "bytes", s->image.bytes);
	jsonw_uint(j, "entries", s->image.entries);
	jsonw_int(j, "created", s->created);
	jsonw_bool(j, "read_only", s->read_only);
	jsonw_bool(j, "in_use", s->in_use);
	jsonw_end_object(j);
}

static void print_json(struct answer *w, const struct store_entry *v, size_t n)
{
	struct jsonw j = { .a = w->a };

	jsonw_begin_array(&j, NULL);
	for (size_t i = 0; i < n; i++)
		json_entry(&j, &v[i]);
	jsonw_end_array(&j);
	answer_add(w, jsonw_text(&j, NULL));
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	struct answer w = { .a = in->a };
	struct store_entry *v = NULL;
	struct store *s = NULL;
	size_t n = 0;
	int r = place_store_open(in, &s, e);

	(void)ret_status;
	if (r < 0)
		return r;
	r = store_list(s, in->a, &v, &n, e);
	store_close(s);
	if (r < 0)
		return r;
	if (in->ask->json)
		print_json(&w, v, n);
	else
		print_table(&w, v, n);
	return answer_write(&w, e);
}

const struct cmd cmd_images = {
	.name = "images",
	.operands = "",
	.summary = "what the store holds",
	.verb = VERB_IMAGES,
	.run = run,
};

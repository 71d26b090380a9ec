/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_inspect.c - "gpurun inspect IMAGE|CONTAINER": what an image says of itself, or what was
 * decided for a container that runs.  A running container wins over an image of that name.
 */
#include <errno.h>

#include <gpurun/elf.h>
#include <gpurun/fd.h>
#include <gpurun/log.h>
#include <gpurun/str.h>

#include "answer.h"
#include "cmd.h"
#include "launch.h"
#include "record.h"

/* ---- containers ------------------------------------------------------------------------- */

static void line(struct answer *w, const char *key, const char *value)
{
	if (value && value[0])
		answer_printf(w, "%-12s %s\n", key, answer_plain(w->a, value));
}

/* Where the container's files come from: one row an operation, with its reason. */
static void print_ops(struct answer *w, const struct json *plan)
{
	const struct json *ops = json_get(json_get(plan, "container"), "ops");
	struct strv cells = { 0 };

	for (const struct json *op = ops ? ops->child : NULL; op; op = op->next) {
		static const char *const keys[] = { "op", "dst", "src", "why" };

		for (size_t i = 0; i < ELEMENTS(keys); i++) {
			const char *text = json_str(op, keys[i]);

			strv_push(w->a, &cells, text ? text : "");
		}
	}
	answer_add(w, "\n");
	answer_table(w, cells.v, cells.n, 4);
}

static void print_container(struct answer *w, const struct state *st, const struct json *plan)
{
	const struct json *process = json_get(plan, "process");
	const struct json *gpus = json_get(plan, "gpus");

	line(w, "id", st->id);
	line(w, "name", st->name);
	line(w, "image", st->image);
	line(w, "command", st->command);
	line(w, "step", st->step);
	if (st->step[0])
		line(w, "ranks", arena_printf(w->a, "%zu", st->n_ranks));
	line(w, "pid", arena_printf(w->a, "%d", st->payload));
	if (st->launcher)
		line(w, "launcher", arena_printf(w->a, "%d", st->launcher));
	line(w, "age", answer_age(w->a, st->created));
	line(w, "cwd", json_str(process, "cwd"));
	line(w, "seccomp", json_str(process, "seccomp"));
	for (const struct json *g = gpus ? gpus->child : NULL; g; g = g->next)
		line(w, "gpu", g->str);
	print_ops(w, plan);
}

static void json_container(struct answer *w, const struct state *st)
{
	struct jsonw j = { .a = w->a };
	const char *head, *end;
	size_t n;

	jsonw_begin_object(&j, NULL);
	record_members(&j, st);
	jsonw_end_object(&j);
	head = jsonw_text(&j, &n);
	/* the plan is JSON already: it takes the place of the closing brace */
	end = strrchr(head, '}');
	while (end && end > head && end[-1] == '\n')
		end--;
	answer_printf(w, "%.*s,\n  \"plan\": %s}\n", end ? (int)(end - head) : (int)n, head,
		      st->plan);
}

/* ---- images ----------------------------------------------------------------------------- */

static void lines(struct answer *w, const char *key, const struct strv *values)
{
	for (size_t i = 0; i < values->n; i++)
		line(w, key, values->v[i]);
}

/* "glibc 2.36" */
static const char *libc_text(struct arena *a, const struct image_abi *abi)
{
	static const char *const names[] = {
		[IMAGE_LIBC_NONE] = "none", [IMAGE_LIBC_GLIBC] = "glibc", [IMAGE_LIBC_MUSL] = "musl"
	};

	if (!abi->glibc)
		return names[abi->libc];
	return arena_printf(a, "%s %u.%u", names[abi->libc], ELF_VERSION_MAJOR(abi->glibc),
			    ELF_VERSION_MINOR(abi->glibc));
}

/* The driver versions whose libcuda is there for forward compatibility: usually one, or none. */
static struct strv compat_versions(struct arena *a, const struct image_abi *abi)
{
	struct strv ret = { 0 };

	for (size_t i = 0; i < abi->compat.n; i++) {
		const char *version = str_after(path_base(abi->compat.v[i]), "libcuda.so.");

		if (version && strchr(version, '.'))
			strv_push(a, &ret, version);
	}
	return ret;
}

static void print_abi(struct answer *w, const struct image_abi *abi)
{
	const struct strv compat = compat_versions(w->a, abi);

	line(w, "C library", libc_text(w->a, abi));
	lines(w, "driver", &abi->drivers);
	lines(w, "CUDA compat", &compat);
}

static void print_image(struct answer *w, const struct image *m)
{
	const struct image_config *c = &m->config;

	line(w, "name", m->name);
	line(w, "id", m->id);
	line(w, "created", c->created);
	line(w, "author", c->author);
	line(w, "platform",
	     arena_printf(w->a, "%s/%s", c->os ? c->os : "-",
			  c->architecture ? c->architecture : "-"));
	if (m->bytes)
		line(w, "size",
		     arena_printf(w->a, "%s in %llu entries", answer_size(w->a, m->bytes),
				  (unsigned long long)m->entries));
	lines(w, "layer", &m->diff_ids);
	lines(w, "directory", &m->lowers);
	print_abi(w, &m->abi);
	lines(w, "entrypoint", &c->entrypoint);
	lines(w, "cmd", &c->cmd);
	line(w, "workdir", c->workdir);
	line(w, "user", c->user);
	if (c->stop_signal)
		line(w, "stop signal", arena_printf(w->a, "%d", c->stop_signal));
	lines(w, "env", &c->env);
	lines(w, "volume", &c->volumes);
	lines(w, "label", &c->labels);
}

static void json_list(struct jsonw *j, const char *key, const struct strv *values)
{
	jsonw_begin_array(j, key);
	for (size_t i = 0; i < values->n; i++)
		jsonw_str(j, NULL, values->v[i]);
	jsonw_end_array(j);
}

static void json_abi(struct answer *w, struct jsonw *j, const struct image_abi *abi)
{
	const struct strv compat = compat_versions(w->a, abi);

	jsonw_begin_object(j, "abi");
	jsonw_str(j, "libc", libc_text(w->a, abi));
	jsonw_bool(j, "glibc_32bit", abi->glibc32);
	jsonw_str(j, "libdir", abi->libdir);
	jsonw_str(j, "ld_cache", abi->ld_cache);
	json_list(j, "drivers", &abi->drivers);
	json_list(j, "cuda_compat", &compat);
	jsonw_end_object(j);
}

static void json_image(struct answer *w, const struct image *m)
{
	const struct image_config *c = &m->config;
	struct jsonw j = { .a = w->a };

	jsonw_begin_object(&j, NULL);
	jsonw_str(&j, "id", m->id);
	jsonw_str(&j, "name", m->name);
	jsonw_uint(&j, "bytes", m->bytes);
	jsonw_uint(&j, "entries", m->entries);
	json_list(&j, "diff_ids", &m->diff_ids);
	json_list(&j, "directories", &m->lowers);
	json_abi(w, &j, &m->abi);
	jsonw_begin_object(&j, "config");
	json_list(&j, "env", &c->env);
	json_list(&j, "entrypoint", &c->entrypoint);
	json_list(&j, "cmd", &c->cmd);
	jsonw_str(&j, "workdir", c->workdir);
	jsonw_str(&j, "user", c->user);
	jsonw_int(&j, "stop_signal", c->stop_signal);
	json_list(&j, "labels", &c->labels);
	json_list(&j, "volumes", &c->volumes);
	jsonw_str(&j, "created", c->created);
	jsonw_str(&j, "author", c->author);
	jsonw_str(&j, "os", c->os);
	jsonw_str(&j, "architecture", c->architecture);
	jsonw_end_object(&j);
	jsonw_end_object(&j);
	answer_add(w, jsonw_text(&j, NULL));
}

/* As run would take it; an archive that is not in the store yet is unpacked. */
static int image_find(const struct cmd_in *in, const char *what, struct image *ret, struct err *e)
{
	struct store_ensure_options o = { .abi = true, .quiet = in->ask->request.quiet };
	struct image_ref ref = { 0 };
	struct host host = { 0 };
	struct store *s = NULL;
	int lock = -1, r = image_ref_parse(in->a, what, &ref, e);

	if (r >= 0)
		r = place_host(in->a, &host, e);
	if (r >= 0)
		r = place_store_open(in, &s, e);
	if (r < 0)
		return r;
	o.arch = host.arch;
	o.form_flat = !store_overlay(s);
	r = store_ensure(s, in->a, &ref, &o, ret, &lock, e);
	(void)fd_close(lock);
	/* by the beginning of its id, as "gpurun images" prints it */
	if (r < 0 && e->topic == ERR_TOPIC_NOT_FOUND && store_find(s, in->a, what, ret) >= 0) {
		*e = (struct err){ 0 };
		r = 0;
	}
	store_close(s);
	return r;
}

/* ------------------------------------------------------------------------------------------ */

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	const char *what = in->ask->request.args.v[0];
	struct answer w = { .a = in->a };
	const struct json *plan = NULL;
	struct image image = { 0 };
	struct state st = { 0 };
	struct err none = { 0 };
	int r = record_find(in->a, what, &st, &plan, &none);

	(void)ret_status;
	if (r >= 0) {
		if (in->ask->json)
			json_container(&w, &st);
		else
			print_container(&w, &st, plan);
		return answer_write(&w, e);
	}
	if (none.topic != ERR_TOPIC_NOT_FOUND) {
		*e = none;
		return r;
	}
	r = image_find(in, what, &image, e);
	if (r < 0)
		return r;
	if (in->ask->json)
		json_image(&w, &image);
	else
		print_image(&w, &image);
	return answer_write(&w, e);
}

const struct cmd cmd_inspect = {
	.name = "inspect",
	.operands = "IMAGE|CONTAINER",
	.summary = "an image's configuration, or what was decided for a running container",
	.verb = VERB_INSPECT,
	.min = 1,
	.max = 1,
	.complete = COMPLETE_IMAGE,
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_doctor.c - "gpurun doctor [IMAGE]": look at everything once, then let each check of each
 * layer say its line.
 *
 * What cannot be looked at is itself a finding: nothing here ends the program but a wrong command
 * line.  The status is 1 when a check failed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <gpurun/fd.h>
#include <gpurun/json.h>
#include <gpurun/str.h>

#include "answer.h"
#include "doctor.h"

#define STATUS_FAILED 1
#define LINE_FILE_MAX (64U << 10) /* a file of which one line is wanted */
#define NAME_WIDTH    22

static const struct check_layer *const layers[] = {
	&doctor_layer_host,  &doctor_layer_gpu,       &doctor_layer_job,
	&doctor_layer_image, &doctor_layer_container,
};

static const char *const status_names[FINDING_STATUSES] = {
	[FINDING_OK] = "ok",
	[FINDING_WARN] = "warn",
	[FINDING_FAIL] = "fail",
	[FINDING_SKIP] = "skip",
};

/* ---- findings --------------------------------------------------------------------------- */

struct finding doctor_found(const struct doctor *d, enum finding_status status, const char *fix,
			    const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return (struct finding){ .status = status, .why = arena_strdup(d->a, text), .fix = fix };
}

struct finding doctor_error(const struct doctor *d, enum finding_status status, const struct err *e)
{
	return (struct finding){
		.status = status,
		.why = arena_strdup(d->a, e->msg),
		.fix = e->hint[0] ? arena_strdup(d->a, e->hint) : NULL,
	};
}

/* ---- looking ---------------------------------------------------------------------------- */

bool doctor_has(const struct doctor *d, const char *path)
{
	return host_has(&d->root, path);
}

const char *doctor_line(const struct doctor *d, const char *path)
{
	_cleanup_fd_ int fd = root_open(d->root.fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	char *text = NULL;

	if (fd < 0 || fd_read_text(fd, d->a, LINE_FILE_MAX, &text, NULL) < 0)
		return NULL;
	return arena_strndup(d->a, text, strcspn(text, "\n"));
}

bool doctor_no_gpu(const struct doctor *d)
{
	return !d->host.gpus.n && !d->host.gpus.on_bus;
}

bool doctor_with_image(const struct doctor *d)
{
	return d->q->args.n > 0;
}

/* NVML may take seconds and wakes the GPUs; a doctor may. */
static void look_gpus(struct doctor *d)
{
	if (doctor_no_gpu(d) && !d->q->driver_root)
		return;
	if (place_driver(d->a, d->q->driver_root, &d->root, d->host.gpus.driver_version,
			 GPU_CAP_ALL, &d->driver, &d->driver_failed) < 0 ||
	    doctor_no_gpu(d))
		return;
	if (!d->driver.libnvidia_ml)
		err_set(&d->nvml_failed, ENOENT, "libnvidia-ml.so.1: not found on this host");
	else
		(void)gpu_nvml_look(d->a, d->driver.libnvidia_ml, &d->host.gpus, &d->nvml_failed);
}

static void look_store(struct doctor *d)
{
	if (place_store_open(d->in, &d->store, &d->store_failed) < 0) {
		d->store = NULL;
		return;
	}
	d->host.overlay = store_overlay(d->store);
}

static int look_host(struct doctor *d, struct err *e)
{
	struct err ignored = { 0 };
	int r;

	d->root =
		(struct sysroot){ .fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), .label = "" };
	if (d->root.fd < 0)
		return err_sys(e, errno, "/");
	r = host_probe(d->a, &d->root, (const char *const *)environ, &d->host, e);
	if (r < 0)
		return r;
	host_limits(d->a, &d->root, &d->host);
	(void)host_subids(d->a, &d->root, &d->host, &ignored);
	if (place_state(d->a, &d->state_dir, &d->state_failed) < 0)
		d->state_dir = NULL;
	doctor_try(d->state_dir ? arena_printf(d->a, "%s/mnt", d->state_dir) : "/tmp", &d->trials);
	look_store(d);
	look_gpus(d);
	/* behind NVML, which knows the MIG devices that a job's list may name */
	(void)allotment_make(d->a, &d->host, &d->job, &d->job_failed);
	return 0;
}

/* Which GPUs "gpurun run" would take; a word that is no choice is a wrong command line. */
static int look_choice(struct doctor *d, struct err *e)
{
	struct strv warnings = { 0 };
	const char *note = NULL;
	int r = gpu_sel_parse(d->a, d->q->gpus ? d->q->gpus : "auto", &d->sel, e);

	if (r < 0) {
		err_wrap(e, "--gpus");
		return r;
	}
	(void)gpu_select(d->a, &d->host.gpus, &d->sel, &d->job.visible, &d->chosen, &warnings,
			 &note, &d->choice_failed);
	return 0;
}

/* The image is unpacked here, where the progress is seen, and stays locked for the container. */
static void look_image(struct doctor *d, const char *name, int *lock)
{
	const struct store_ensure_options o = {
		.arch = d->host.arch,
		.form_flat = !d->host.overlay,
		.abi = true,
		.quiet = d->q->quiet,
	};
	struct image_ref ref;

	if (!d->store || image_ref_parse(d->a, name, &ref, &d->image_failed) < 0)
		return;
	if (store_ensure(d->store, d->a, &ref, &o, &d->image, lock, &d->image_failed) < 0)
		return;
	doctor_probe(d, &d->probe);
}

/* ---- what a check needs ------------------------------------------------------------------ */

static bool no_module(const struct doctor *d)
{
	return !d->host.gpus.driver_version;
}

static bool no_driver(const struct doctor *d)
{
	return !d->driver.version;
}

static bool no_store(const struct doctor *d)
{
	return !d->store;
}

static bool no_image(const struct doctor *d)
{
	return !d->image.lowers.n;
}

static bool no_choice(const struct doctor *d)
{
	return !d->chosen.n && d->sel.kind != GPU_SEL_CDI;
}

static bool no_start(const struct doctor *d)
{
	return !d->probe.started;
}

static const struct need {
	unsigned int need;
	bool (*missing)(const struct doctor *d);
	const char *why;
} needs[] = {
	{ NEED_GPU, doctor_no_gpu, "no GPU on this machine" },
	{ NEED_MODULE, no_module, "the NVIDIA kernel module is not loaded" },
	{ NEED_DRIVER, no_driver, "no driver libraries" },
	{ NEED_STORE, no_store, "no store" },
	{ NEED_IMAGE, no_image, "no image" },
	{ NEED_CHOICE, no_choice, "no GPU is chosen" },
	{ NEED_START, no_start, "no container was started" },
};

static struct finding check_run(struct doctor *d, const struct check *c)
{
	for (size_t i = 0; i < ELEMENTS(needs); i++)
		if (c->needs & needs[i].need && needs[i].missing(d))
			return doctor_skip(d, "%s", needs[i].why);
	return c->run(d);
}

/* ---- the answer -------------------------------------------------------------------------- */

struct tally {
	unsigned int n[FINDING_STATUSES];
};

static void write_text(struct answer *w, const char *name, const struct finding *f)
{
	answer_printf(w, "  %-5s %-*s %s\n", status_names[f->status], NAME_WIDTH, name,
		      answer_plain(w->a, f->why));
	if (f->fix)
		answer_printf(w, "        fix: %s\n", answer_plain(w->a, f->fix));
}

static void write_json(struct jsonw *w, const char *layer, const char *name,
		       const struct finding *f)
{
	jsonw_begin_object(w, NULL);
	jsonw_str(w, "layer", layer);
	jsonw_str(w, "name", name);
	jsonw_str(w, "status", status_names[f->status]);
	jsonw_str(w, "why", f->why);
	jsonw_str(w, "fix", f->fix);
	jsonw_end_object(w);
}

static void write_summary(struct answer *w, const struct tally *t, bool with_image)
{
	answer_printf(w, "%u ok, %u warning%s, %u failed, %u skipped", t->n[FINDING_OK],
		      t->n[FINDING_WARN], t->n[FINDING_WARN] == 1 ? "" : "s", t->n[FINDING_FAIL],
		      t->n[FINDING_SKIP]);
	answer_add(w, with_image ? "\n" : "; gpurun doctor IMAGE looks into a container, too\n");
}

static int answer_all(struct doctor *d, struct tally *t, struct err *e)
{
	struct answer text = { .a = d->a };
	struct jsonw json = { .a = d->a };
	size_t len = 0;

	jsonw_begin_array(&json, NULL);
	for (size_t i = 0; i < ELEMENTS(layers); i++) {
		const struct check_layer *layer = layers[i];

		if (layer->there && !layer->there(d))
			continue;
		answer_printf(&text, "%s\n", layer->name);
		for (size_t k = 0; k < layer->n; k++) {
			struct finding f = check_run(d, &layer->rows[k]);

			t->n[f.status]++;
			write_text(&text, layer->rows[k].name, &f);
			write_json(&json, layer->name, layer->rows[k].name, &f);
		}
	}
	jsonw_end_array(&json);
	write_summary(&text, t, doctor_with_image(d));
	if (d->in->ask->json)
		text = (struct answer){ .a = d->a,
					.buf = arena_strdup(d->a, jsonw_text(&json, &len)),
					.len = len };
	return answer_write(&text, e);
}

/* ---- the verb ---------------------------------------------------------------------------- */

static int examine(struct doctor *d, int *lock, int *ret_status, struct err *e)
{
	struct tally t = { 0 };
	int r = look_host(d, e);

	if (r >= 0)
		r = look_choice(d, e);
	if (r < 0)
		return r;
	if (doctor_with_image(d))
		look_image(d, d->q->args.v[0], lock);
	r = answer_all(d, &t, e);
	*ret_status = t.n[FINDING_FAIL] ? STATUS_FAILED : 0;
	return r;
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	struct doctor *d = ARENA_NEW(in->a, struct doctor);
	int lock = -1, r;

	d->in = in;
	d->a = in->a;
	d->q = &in->ask->request;
	d->root.fd = -1;
	r = examine(d, &lock, ret_status, e);
	(void)fd_close(lock);
	(void)fd_close(d->root.fd);
	store_close(d->store);
	return r;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.operands = "[IMAGE]",
	.summary = "check this machine, and with IMAGE a container, layer by layer",
	.verb = VERB_DOCTOR,
	.max = 1,
	.complete = COMPLETE_IMAGE,
	.run = run,
};

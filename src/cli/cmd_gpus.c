/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_gpus.c - "gpurun gpus": what GPUs there are, which of them may be used, and why not the
 * rest.  NVML is asked for more where it can be; what it cannot tell is no error.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <gpurun/driver.h>
#include <gpurun/fd.h>
#include <gpurun/host.h>
#include <gpurun/log.h>
#include <gpurun/str.h>

#include "cmd.h"
#include "gpus.h"

bool gpus_is_automatic(const struct gpus *v, const struct gpu *g, const struct gpu_mig *m)
{
	for (size_t i = 0; i < v->automatic.n; i++) {
		const struct gpu_choice *c = &v->automatic.v[i];

		/* a whole GPU is chosen with all its MIG devices */
		if (c->gpu == g && (!m || !c->mig || c->mig == m))
			return !m || !m->denied;
	}
	return false;
}

/* Whoever asks who uses a GPU may wait for the site's directory server: the name is the answer. */
const char *gpus_user(struct arena *a, pid_t pid)
{
	const struct passwd *p;
	struct stat st;

	if (stat(arena_printf(a, "/proc/%d", pid), &st) < 0)
		return NULL;
	p = getpwuid(st.st_uid); /* cppcheck-suppress getpwuidCalled ; there is one thread */
	return p ? arena_strdup(a, p->pw_name) : arena_printf(a, "%u", st.st_uid);
}

/* ---- looking ---------------------------------------------------------------------------- */

/* The host, and the driver that NVML is part of. */
static int look(const struct cmd_in *in, struct host *ret, struct gpu_driver *ret_driver,
		struct err *e)
{
	const char *path = in->ask->request.sysroot;
	_cleanup_fd_ int fd = open(path ? path : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct sysroot root = { .fd = fd, .label = path ? path : "" };
	int r;

	if (fd < 0)
		return err_sys(e, errno, "%s", path ? path : "/");
	r = host_probe(in->a, &root, (const char *const *)environ, ret, e);
	if (r < 0)
		return r;
	return place_driver(in->a, in->ask->request.driver_root, &root, ret->gpus.driver_version, 0,
			    ret_driver, e);
}

/* NVML counts only what it may open: without a usable GPU it would say nothing but that. */
static bool ask_nvml(const struct cmd_in *in, const struct gpu_driver *driver, struct gpu_set *set)
{
	struct err e = { 0 };

	if (in->ask->request.sysroot || !allotment_usable(set))
		return false;
	if (!driver->libnvidia_ml)
		(void)err_set(&e, ENOENT, "libnvidia-ml.so.1: not found%s%s",
			      driver->root[0] ? " below " : "", driver->root);
	else if (gpu_nvml_look(in->a, driver->libnvidia_ml, set, &e) == 0)
		return true;
	log_note("memory, processes and MIG devices are not known: %s", e.msg);
	if (e.hint[0])
		log_hint("%s", e.hint);
	return false;
}

/* From here on the host's GPUs are the job's. */
static void allot(const struct cmd_in *in, struct host *h, struct gpus *v)
{
	const char *what, *warning;
	struct err e = { 0 };

	if (allotment_make(in->a, h, &v->job, &e) < 0)
		log_warn("%s", e.msg);
	what = h->gpus.n ? allotment_describe(in->a, h) : NULL;
	if (what)
		log_note("%s", answer_plain(in->a, what));
	if (v->job.note)
		log_note("%s", v->job.note);
	warning = gpu_step_warning(in->a, &h->gpus, &v->job.visible);
	if (warning)
		log_warn("%s", warning);
}

static void choose_automatic(const struct cmd_in *in, struct gpus *v)
{
	const struct gpu_visible *visible = &v->job.visible;
	struct gpu_sel sel = { 0 };
	struct strv ignored = { 0 }; /* the table says why a GPU is not used */
	const char *note = NULL;
	struct err e = { 0 };

	if (gpu_sel_parse(in->a, "auto", &sel, &e) < 0 ||
	    gpu_select(in->a, v->set, &sel, visible, &v->automatic, &ignored, &note, &e) < 0)
		log_warn("%s", e.msg);
	else if (visible->devices && !visible->job && v->set->n)
		log_note("--gpus auto is narrowed by CUDA_VISIBLE_DEVICES=%s",
			 answer_plain(in->a, visible->devices));
}

static void say_none(const struct gpu_set *set)
{
	if (set->n)
		return;
	if (!set->on_bus) {
		log_note("there is no GPU on this host");
		return;
	}
	log_warn("a GPU is on the PCI bus, but its driver is not loaded");
	log_hint("sudo modprobe nvidia");
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	struct answer w = { .a = in->a };
	struct host h = { 0 };
	struct gpu_driver driver = { 0 };
	struct gpus v = { .host = &h, .set = &h.gpus };
	int r = look(in, &h, &driver, e);

	(void)ret_status;
	if (r < 0)
		return r;
	say_none(&h.gpus);
	v.nvml = ask_nvml(in, &driver, &h.gpus);
	allot(in, &h, &v);
	choose_automatic(in, &v);
	if (in->ask->json)
		gpus_json(&w, &v);
	else
		gpus_table(&w, &v);
	return answer_write(&w, e);
}

const struct cmd cmd_gpus = {
	.name = "gpus",
	.operands = "",
	.summary = "the GPUs of this host: which may be used, and why not the rest",
	.verb = VERB_GPUS,
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_gpus.c - the GPUs of "gpurun run": which, what of the host comes with them, and whether
 * the image gets on with it.
 *
 * What is asked for by name (--gpus 0) must work, or nothing is started.  Under "auto" what does
 * not work is a warning, and the command runs without GPUs: it may not need one.
 */
#include <errno.h>

#include <gpurun/fd.h>
#include <gpurun/log.h>
#include <gpurun/str.h>

#include "allotment.h"
#include "launch.h"

#define MPS_DIR      "/tmp/nvidia-mps"
#define LD_CACHE_MAX (16U << 20)

static void say_warnings(const struct launch *l, const struct strv *warnings)
{
	for (size_t i = 0; !l->mute && i < warnings->n; i++)
		log_warn("%s", warnings->v[i]);
}

static void say_note(const struct launch *l, const char *note)
{
	if (note && !l->mute)
		log_note("%s", note);
}

/* ---- which --------------------------------------------------------------------------------- */

/* --device with a CDI name stands for --gpus where nothing else is said. */
static int parse_choice(struct launch *l, struct err *e)
{
	const char *text = l->q->gpus ? l->q->gpus : l->q->cdi.n ? "none" : "auto";
	int r = gpu_sel_parse(l->a, text, &l->sel, e);

	if (r < 0) {
		err_wrap(e, "--gpus");
		return r;
	}
	if (l->sel.kind == GPU_SEL_CDI)
		l->cdi = l->sel.items;
	for (size_t i = 0; i < l->q->cdi.n; i++)
		strv_push(l->a, &l->cdi, l->q->cdi.v[i]);
	return 0;
}

static const char *mps_dir(const struct launch *l)
{
	const char *dir = l->q->mps && !*l->q->mps
				  ? host_getenv(&l->host, "CUDA_MPS_PIPE_DIRECTORY")
				  : l->q->mps;

	return !l->q->mps ? NULL : dir && dir[0] == '/' ? dir : MPS_DIR;
}

static void set_options(struct launch *l, struct err *e)
{
	const struct request *q = l->q;
	struct gpu_options *o = &l->gpu_options;

	*o = (struct gpu_options){
		.ask = l->sel.kind == GPU_SEL_NONE && q->cdi.n
			       ? "--device"
			       : arena_printf(l->a, "--gpus %s", l->sel.text),
		.explicit = l->sel.kind != GPU_SEL_AUTO,
		.caps = GPU_CAP_DEFAULT,
		.mps = mps_dir(l),
		.gds = q->gds,
		.gdrcopy = q->gdrcopy,
		.mofed = q->mofed,
		.nvswitch = q->nvswitch,
		.imex = q->imex,
		.driver_root = q->driver_root,
		.no_require = q->no_require,
		.look_only = q->dry_run,
	};
	if (q->gpu_caps)
		(void)gpu_caps_parse(q->gpu_caps, &o->caps, e); /* checked when it was read */
	if (q->cuda_compat && str_eq(q->cuda_compat, "never"))
		o->compat = GPU_COMPAT_NEVER;
	else if (q->cuda_compat && str_eq(q->cuda_compat, "always"))
		o->compat = GPU_COMPAT_ALWAYS;
}

/* The driver's files, looked at once, when something needs them. */
static int look_driver(struct launch *l, struct err *e)
{
	if (l->driver.root)
		return 0;
	/* the image may still add harmless capabilities: take_image_caps() */
	return place_driver(l->a, l->q->driver_root, &l->root, l->host.gpus.driver_version,
			    l->gpu_options.caps | (l->q->gpu_caps ? 0 : GPU_CAP_HARMLESS),
			    &l->driver, e);
}

/* NVML, for what only it tells; @required: the choice cannot be made without. */
static int ask_nvml(struct launch *l, bool required, struct err *e)
{
	struct err failed = { 0 };
	int r = look_driver(l, &failed);

	if (r >= 0 && !l->driver.libnvidia_ml)
		r = err_set(&failed, ENOENT, "libnvidia-ml.so.1: not found on this host");
	if (r >= 0)
		r = gpu_nvml_look(l->a, l->driver.libnvidia_ml, &l->host.gpus, &failed);
	if (r >= 0)
		return 0;
	if (required) {
		err_wrap(&failed, "--gpus %s", l->sel.text);
		*e = failed;
		return r;
	}
	log_debug(1, "NVML: %s", failed.msg);
	return 0;
}

static void name_gpus(struct launch *l)
{
	for (size_t i = 0; i < l->chosen.n; i++) {
		const struct gpu *g = l->chosen.v[i].gpu;
		const struct gpu_mig *m = l->chosen.v[i].mig;

		strv_push(l->a, &l->gpu_names,
			  m ? arena_printf(l->a, "%d:%d %s %s", g->index, m->index,
					   m->uuid ? m->uuid : "-", g->pci)
			    : arena_printf(l->a, "%d %s %s", g->index, g->uuid ? g->uuid : "-",
					   g->pci));
	}
	for (size_t i = 0; i < l->cdi.n; i++)
		strv_push(l->a, &l->gpu_names, l->cdi.v[i]);
}

/* A choice that cannot work is no choice; only "auto" comes here with a driver that is not there. */
static int look_chosen(struct launch *l, struct strv *warnings, struct err *e)
{
	int r = look_driver(l, e);

	if (r >= 0)
		r = gpu_look(l->a, &l->root, &l->held, &l->driver, &l->gpu_options, &l->sight,
			     warnings, e);
	if (r >= 0 && !l->sight.driver)
		l->chosen.n = l->held.n = 0;
	return r;
}

/*
 * CDI files know of no job.  Where no device cgroup keeps us from the GPUs of other jobs, their
 * names are not to reach them, either.
 */
static int check_cdi(const struct launch *l, struct err *e)
{
	const struct gpu_set *set = &l->host.gpus;
	const struct gpu_nodes *nodes = &l->sight.nodes;

	if (set->allotted != GPU_ALLOTTED_LIST && set->allotted != GPU_ALLOTTED_NONE)
		return 0;
	for (size_t i = 0; i < nodes->n * set->n; i++) {
		const struct gpu_node *node = &nodes->v[i / set->n];
		const struct gpu *g = &set->v[i % set->n];

		if (g->denied_errno == EPERM && g->node.rdev && g->node.rdev == node->rdev)
			return err_set(e, EPERM, "%s: %s: %s", l->gpu_options.ask, node->path,
				       g->denied);
	}
	return 0;
}

/* What CDI files name comes on top of what was chosen. */
static int look_choice(struct launch *l, struct strv *warnings, struct err *e)
{
	int r = l->held.n ? look_chosen(l, warnings, e) : 0;

	if (r >= 0 && l->cdi.n)
		r = cdi_look(l->a, &l->root, host_getenv(&l->host, "HOME"), &l->cdi,
			     &l->gpu_options, &l->sight, warnings, e);
	if (r >= 0 && l->cdi.n && !l->driver.root && l->sight.driver)
		l->driver = *l->sight.driver;
	return r < 0 || !l->cdi.n ? r : check_cdi(l, e);
}

/* "--gpus 2" means two GPUs to docker and the one with index 2 to nvidia-smi and to us. */
static void hint_count(const struct launch *l, int r, struct err *e)
{
	const char *n = l->sel.text;

	if (!l->sel.bare_number)
		return;
	if (r >= 0 && !l->mute)
		log_hint("--gpus %s is the GPU with that index; for a number of GPUs: --gpus "
			 "count=%s",
			 n, n);
	else if (r < 0 && !e->hint[0])
		err_hint(e, "that is an index; for a number of GPUs: --gpus count=%s", n);
}

/* What comes with GPUs and was asked for by name must not be left out in silence. */
static void warn_requests(const struct launch *l)
{
	const struct request *q = l->q;
	const struct {
		bool asked;
		const char *option;
	} rows[] = {
		{ q->mps, "--mps" },     { q->gds, "--gds" },           { q->gdrcopy, "--gdrcopy" },
		{ q->mofed, "--mofed" }, { q->nvswitch, "--nvswitch" }, { q->imex, "--imex" },
	};

	for (size_t i = 0; !l->held.n && !l->mute && i < ELEMENTS(rows); i++)
		if (rows[i].asked)
			log_warn("%s: left out, because no GPU is used", rows[i].option);
}

/* From here on the GPUs of the host are those of the job. */
static int allot(struct launch *l, struct allotment *ret, struct err *e)
{
	const struct gpu_visible visible = allotment_visible(&l->host);

	if (gpu_allot_needs_nvml(&l->host.gpus, &visible)) {
		int r = ask_nvml(l, true, e);

		if (r < 0)
			return r;
	}
	return allotment_make(l->a, &l->host, ret, e);
}

static int choose(struct launch *l, const struct gpu_visible *visible, struct strv *warnings,
		  struct err *e)
{
	const char *note = NULL;
	bool required = false;
	int r = 0;

	if (gpu_select_needs_nvml(&l->host.gpus, &l->sel, visible, &required))
		r = ask_nvml(l, required, e);
	if (r >= 0)
		r = gpu_select(l->a, &l->host.gpus, &l->sel, visible, &l->chosen, warnings, &note,
			       e);
	if (r >= 0)
		say_note(l, note);
	return r;
}

/*
 * What the container holds, and which of it is ours.  A container that is shared holds the GPUs
 * of all ranks, also when this one has none.
 */
static int hold(struct launch *l, const struct allotment *job, struct err *e)
{
	struct gpu_visible visible = job->visible;
	int r = 0;

	(void)e;
	l->held = l->chosen;
	if (!visible.job || l->sel.kind == GPU_SEL_NONE || l->sel.kind == GPU_SEL_CDI)
		return 0;
	if (l->share)
		r = gpu_step_union(l->a, &job->all, &l->host.gpus, &visible, &l->held);
	if (l->sel.kind != GPU_SEL_AUTO)
		visible.devices = NULL;
	l->gpu_list = gpu_list_inside(l->a, &l->chosen, &l->held, &visible);
	return r;
}

/* What the job's GPUs let one say. */
static void say_job(const struct launch *l, const struct allotment *job)
{
	const char *warning = gpu_step_warning(l->a, &l->host.gpus, &job->visible);

	if (!l->chosen.n || l->mute)
		return;
	say_note(l, job->note);
	if (warning)
		log_warn("%s", warning);
}

int launch_choose_gpus(struct launch *l, struct err *e)
{
	struct allotment job = { 0 };
	struct strv warnings = { 0 };
	int r = parse_choice(l, e);

	if (r < 0)
		return r;
	set_options(l, e);
	if (l->sel.kind != GPU_SEL_NONE || l->cdi.n)
		r = allot(l, &job, e);
	if (r >= 0)
		r = choose(l, &job.visible, &warnings, e);
	if (r >= 0)
		r = hold(l, &job, e);
	if (r >= 0)
		r = look_choice(l, &warnings, e);
	hint_count(l, r, e);
	if (r < 0)
		return r;
	say_warnings(l, &warnings);
	say_job(l, &job);
	warn_requests(l);
	name_gpus(l);
	return 0;
}

/* ---- the image's side -------------------------------------------------------------------- */

static bool has_gpus(const struct launch *l)
{
	return l->held.n || l->cdi.n;
}

/* The image's environment with what -e adds: for conditions, never for devices. */
static struct strv image_environment(const struct launch *l)
{
	struct strv env = { 0 };

	for (size_t i = 0; i < l->image.config.env.n; i++)
		strv_push(l->a, &env, l->image.config.env.v[i]);
	for (size_t i = 0; i < l->q->env.n; i++)
		strv_push(l->a, &env, l->q->env.v[i]);
	return env;
}

/*
 * An image may ask for driver capabilities (NVIDIA_DRIVER_CAPABILITIES).  What brings libraries
 * only is given; what would bring device nodes is for the user to say.
 */
static void take_image_caps(struct launch *l)
{
	const struct strv *env = &l->image.config.env;
	struct err ignored = { 0 };
	uint32_t caps = 0;

	if (l->q->gpu_caps)
		return;
	for (size_t i = 0; i < env->n; i++) {
		const char *value = str_after(env->v[i], "NVIDIA_DRIVER_CAPABILITIES=");

		if (!value || !*value || gpu_caps_parse(value, &caps, &ignored) < 0)
			continue;
		/* "all" is what an image says that does not know what it wants */
		if (caps & ~(uint32_t)GPU_CAP_HARMLESS && !str_eq(value, "all") && !l->mute)
			log_note("the image asks for %s; to give it: --gpu-caps %s",
				 gpu_caps_text(l->a, caps),
				 gpu_caps_text(l->a, l->gpu_options.caps | caps));
		l->gpu_options.caps |= caps & GPU_CAP_HARMLESS;
	}
}

static bool names_requirement(const struct strv *env)
{
	for (size_t i = 0; i < env->n; i++)
		if (str_after(env->v[i], "NVIDIA_REQUIRE_") ||
		    str_after(env->v[i], "CUDA_VERSION="))
			return true;
	return false;
}

/* NVIDIA_REQUIRE_* and its kin. */
static int check_requirement(struct launch *l, struct strv *warnings, struct err *e)
{
	const struct strv env = image_environment(l);
	struct gpu_facts f = { .driver = l->driver.version, .chosen = &l->chosen };
	struct err failed = { 0 };
	int r;

	if (l->gpu_options.no_require || !l->driver.version || !names_requirement(&env))
		return 0;
	if (!gpu_cuda_version(f.driver, &f.cuda_major, &f.cuda_minor) && l->driver.libcuda &&
	    gpu_cuda_ask(l->driver.libcuda, &f.cuda_major, &f.cuda_minor, &failed) < 0)
		log_debug(1, "%s", failed.msg);
	if (l->chosen.n && gpu_require_needs_nvml(&env, &f))
		(void)ask_nvml(l, false, e);
	failed = (struct err){ 0 };
	r = gpu_require_check(l->a, &env, &f, warnings, &failed);
	if (r >= 0)
		return 0;
	if (l->gpu_options.explicit) {
		*e = failed;
		return r;
	}
	strv_push(l->a, warnings, arena_strdup(l->a, failed.msg));
	return 0;
}

int launch_fit_gpus(struct launch *l, struct err *e)
{
	struct strv warnings = { 0 };
	int r;

	if (!has_gpus(l))
		return 0;
	take_image_caps(l);
	r = check_requirement(l, &warnings, e);
	say_warnings(l, &warnings);
	return r;
}

/*
 * The ld.so.cache that the container would have without GPUs: that of what is kept, else the
 * image's.  One that cannot be read is none.
 */
static void read_ld_cache(struct launch *l, struct gpu_target *t)
{
	const char *path = l->image.abi.ld_cache;
	char *text = NULL;

	if (l->keep_dir) {
		_cleanup_fd_ int top = -1, fd = -1;

		top = open(path_join(l->a, l->keep_dir, l->host.overlay ? "u" : "fs"),
			   O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd = top < 0 ? -1 : root_open(top, "etc/ld.so.cache", O_RDONLY | O_NONBLOCK, 0);
		if (fd >= 0 && fd_read_text(fd, l->a, LD_CACHE_MAX, &text, &t->ld_cache_len) == 0) {
			t->ld_cache = text;
			return;
		}
	}
	if (path &&
	    file_read_text(AT_FDCWD, path, l->a, LD_CACHE_MAX, &text, &t->ld_cache_len) == 0)
		t->ld_cache = text;
}

int launch_inject_gpus(struct launch *l, struct err *e)
{
	struct gpu_target t = {
		.abi = &l->image.abi,
		.frozen = l->host.overlay ? l->image.foreign : !l->keep_dir,
	};
	struct strv warnings = { 0 };
	int r;

	l->gpu = (struct edits){ .source = "gpu" };
	if (!has_gpus(l))
		return 0;
	read_ld_cache(l, &t);
	r = gpu_edits(l->a, &l->held, &l->sight, &l->gpu_options, &t, &l->gpu, &warnings, e);
	for (size_t i = 0; i < warnings.n; i++)
		if (!l->mute && !launch_was_said(l, warnings.v[i]))
			log_warn("%s", warnings.v[i]);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_run.c - "gpurun [run] IMAGE [COMMAND...]": the five stages in their order.
 *
 *	ask	the request is there when run() is called (main.c)
 *	look	the host and its GPUs, the image
 *	decide	plan_build(): a pure function, its result is sealed
 *	do	run_plan()
 *	report	exit status, one message, one hint
 *
 * Two things are found out only by trying: whether the kernel mounts an overlay for us, and
 * whether it lets us have a fresh /proc.  When one is refused nothing has happened yet; the
 * snapshot of the host is corrected, and what follows is decided again.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gpurun/layers.h>
#include <gpurun/log.h>
#include <gpurun/run.h>
#include <gpurun/str.h>

#include "answer.h"
#include "cmd.h"
#include "launch.h"

#define COMMAND_MAX 4096

static int look_image(struct launch *l, struct err *e)
{
	int r = image_ref_parse(l->a, l->q->image, &l->ref, e);

	if (r >= 0)
		r = place_store_open(l->in, &l->store, e);
	if (r < 0)
		return r;
	if (!l->q->sysroot)
		l->host.overlay = store_overlay(l->store);
	return launch_get_image(l, e);
}

/* A bundle says itself what is mounted, and where it is written. */
static int look(struct launch *l, struct err *e)
{
	int r = launch_look(l, e);

	if (r >= 0)
		r = launch_audit_open(l, e);
	if (r >= 0 && !l->bundle)
		r = launch_look_job(l, e);
	if (r >= 0)
		r = launch_choose_gpus(l, e);
	if (r >= 0)
		r = launch_choose_seccomp(l, e);
	if (r >= 0)
		r = l->bundle ? launch_take_bundle(l, e) : look_image(l, e);
	if (r >= 0)
		r = launch_fit_gpus(l, e);
	return r < 0 || l->bundle ? r : launch_make_places(l, e);
}

static int decide(struct launch *l, struct arena *a, const struct plan **ret, struct err *e)
{
	const struct plan_input in = {
		.request = l->q,
		.host = &l->host,
		.image = &l->image,
		.gpu = &l->gpu,
		.gpu_list = l->gpu_list,
		.job = &l->job,
		.keep_dir = l->keep_dir,
		.scratch_dir = l->scratch_dir,
		.top_entries = &l->top_entries,
		.gpu_names = &l->gpu_names,
		.n_gpus = l->chosen.n,
		.missing_word = l->bundle ? NULL : launch_missing_word(l),
		.bundle = l->bundle,
		.seccomp = &l->seccomp,
		.nodes = l->nodes,
	};

	int r = launch_inject_gpus(l, e);

	return r < 0 ? r : plan_build(a, &in, ret, e);
}

static void say_layers(struct arena *a, const struct plan *p)
{
	struct plan_layer v[PLAN_LAYERS_MAX];
	size_t n = log_verbose() ? plan_layers(a, p, v) : 0;

	for (size_t i = 0; i < n; i++)
		log_debug(1, "layer %s: %s: %s", v[i].name, v[i].on ? "on" : "off", v[i].text);
}

static void say(struct launch *l, const struct plan *p)
{
	if (l->mute)
		return;
	for (size_t i = 0; i < p->warnings.n; i++)
		if (!launch_was_said(l, p->warnings.v[i]))
			log_warn("%s", p->warnings.v[i]);
	for (size_t i = 0; i < p->notes.n; i++)
		if (!launch_was_said(l, p->notes.v[i]))
			log_note("%s", p->notes.v[i]);
	say_layers(l->a, p);
}

/* ---- the record ------------------------------------------------------------------------- */

struct record {
	struct launch *l;
	const struct plan *plan;
	const char *text; /* the plan as JSON */
};

/* The container is being made: who runs it need not wait for this. */
static void prepare(void *arg)
{
	struct record *rec = arg;

	state_sweep(rec->l->a, &rec->l->home, &rec->l->state);
	rec->text = plan_dump(rec->l->a, rec->plan);
}

static void publish(void *arg, pid_t payload, pid_t init)
{
	struct record *rec = arg;
	struct state *st = &rec->l->state;
	int r;

	st->launcher = getpid();
	st->payload = payload;
	st->payload_start = run_pid_start(payload);
	r = state_publish(rec->l->a, rec->l->state_fd, st, rec->text);
	if (r < 0)
		log_warn("%s: not written: %s (ps, exec and kill do not see this container)",
			 st->id, err_text(-r));
	log_debug(1, "container %s: pid %d, init %d", st->id, payload, init);
}

/* For people: the words with a blank between, at most COMMAND_MAX bytes or one word more. */
static const char *command_text(struct arena *a, const struct strv *argv)
{
	struct answer text = { .a = a };

	for (size_t i = 0; i < argv->n && text.len < COMMAND_MAX; i++) {
		if (i)
			answer_add(&text, " ");
		answer_add(&text, argv->v[i]);
	}
	return arena_strndup(a, text.buf ? text.buf : "", COMMAND_MAX);
}

/* In a step the processes are Slurm's to signal and to wait for, unless a reaper was asked for. */
static bool is_rank(const struct launch *l, const struct plan *p)
{
	return l->host.job.kind == JOB_STEP && !(p->container.namespaces & CLONE_NEWPID);
}

static void describe(struct launch *l, const struct plan *p)
{
	struct state *st = &l->state;

	st->name = l->q->name ? l->q->name : "";
	st->image = l->q->image;
	st->image_id = l->image.id;
	st->step = is_rank(l, p) ? l->host.job.step : "";
	st->command = command_text(l->a, &p->process.argv);
}

static int reserve(struct launch *l, struct err *e)
{
	if (l->state_fd >= 0)
		return 0;
	return state_begin(&l->home, &l->state, &l->state_fd, e);
}

/* ---- do, and report ------------------------------------------------------------------------ */

static int print_plan(struct launch *l, const struct plan *p, struct err *e)
{
	struct answer w = { .a = l->a };

	answer_add(&w, plan_dump(l->a, p));
	return answer_write(&w, e);
}

/* A command that failed, or could not be found, may have wanted what the plan says. */
static void report(const struct plan *p, int r, int status, struct err *e)
{
	if (!p->failure_hint)
		return;
	if (r < 0 && e->status == EXIT_NOT_FOUND)
		err_hint(e, "%s", p->failure_hint);
	else if (r >= 0 && status != 0)
		log_hint("%s", p->failure_hint);
}

/* A rank of a step becomes its command; elsewhere the command is a child, and supervised. */
static int perform(struct launch *l, const struct plan *p, int *ret_status, struct err *e)
{
	struct record rec = { .l = l, .plan = p };
	const struct run_hooks hooks = { .meanwhile = prepare, .started = publish, .arg = &rec };
	int r;

	describe(l, p);
	launch_audit_look(l);
	if (is_rank(l, p))
		return launch_step(l, p, ret_status, e);
	r = reserve(l, e);
	if (r >= 0)
		r = launch_audit_start(l, p, l->state.id, e);
	return r < 0 ? r : run_plan(p, &hooks, ret_status, e);
}

/* One plan, from the decision to the end of the command. */
static int attempt(struct launch *l, int *ret_status, struct err *e)
{
	const struct plan *p = NULL;
	int r;

	arena_free(l->plan_arena);
	l->plan_arena = arena_new(0);
	r = decide(l, l->plan_arena, &p, e);
	if (r < 0)
		return r;
	r = arena_seal(l->plan_arena);
	if (r < 0)
		return err_sys(e, -r, "the plan cannot be sealed");
	if (l->q->dry_run)
		return print_plan(l, p, e);
	say(l, p);
	r = perform(l, p, ret_status, e);
	report(p, r, *ret_status, e);
	return r;
}

/*
 * Correct the snapshot by what was refused: 1: decide again, 0: there is nothing else to try.
 * The new plan brings the note that the user reads, or an error where --pid private was asked.
 */
static int fall_back(struct launch *l, const struct err *refused, struct err *e)
{
	int r;

	if (l->inside)
		return 0;
	if (refused->topic == ERR_TOPIC_OVERLAY && launch_drop_scratch(l)) {
		log_debug(1, "%s: deciding again with scratch in memory", refused->msg);
		return 1;
	}
	if (refused->topic == ERR_TOPIC_OVERLAY && l->host.overlay) {
		l->host.overlay = false;
		log_debug(1, "%s: deciding again without overlay", refused->msg);
		r = launch_get_image(l, e);
		if (r >= 0)
			r = launch_make_places(l, e);
		return r < 0 ? r : 1;
	}
	if (refused->topic == ERR_TOPIC_DEVICES && !l->host.cgroup_refused) {
		l->host.cgroup_refused = arena_strdup(l->a, refused->msg);
		return 1; /* the plan says it */
	}
	if (refused->topic == ERR_TOPIC_PROC && l->host.proc_fresh) {
		l->host.proc_fresh = false;
		log_debug(1, "%s: deciding again with the host's /proc", refused->msg);
		return 1;
	}
	return 0;
}

static int launch(struct launch *l, int *ret_status, struct err *e)
{
	int r = look(l, e);

	if (r < 0)
		return r;
	for (;;) {
		struct err refused = { 0 };
		int again;

		r = attempt(l, ret_status, &refused);
		if (r >= 0)
			return r;
		again = fall_back(l, &refused, e);
		if (again < 0)
			return again;
		if (again == 0) {
			*e = refused;
			return r;
		}
	}
}

/* Slurm tells a signal from an exit status of 128 and more: end as the command ended. */
static void die_of(int sig)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t set;

	(void)setrlimit(RLIMIT_CORE, &no_core); /* the core that matters is the command's */
	(void)signal(sig, SIG_DFL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, sig);
	(void)raise(sig);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int launch_run(const struct cmd_in *in, const struct oci_bundle *bundle, const char *const *env,
	       int *ret_status, struct err *e)
{
	struct launch l = { .in = in,
			    .a = in->a,
			    .q = &in->ask->request,
			    .bundle = bundle,
			    .environ = env,
			    .image_lock = -1,
			    .keep_lock = -1,
			    .scratch_lock = -1,
			    .state_fd = -1,
			    .home = { .fd = -1 },
			    .root = { .fd = -1 } };
	int r = launch(&l, ret_status, e);

	launch_audit_end(&l, r < 0 ? e->status : *ret_status);
	launch_end(&l);
	if (r >= 0 && l.signal)
		die_of(l.signal);
	return r;
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	return launch_run(in, NULL, (const char *const *)environ, ret_status, e);
}

const struct cmd cmd_run = {
	.name = "run",
	.operands = "IMAGE [COMMAND [ARG...]]",
	.summary = "start a command in an image",
	.verb = VERB_RUN,
	.min = 1,
	.max = -1,
	.stop = true,
	.complete = COMPLETE_IMAGE,
	.run = run,
};

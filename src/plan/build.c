/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_build(): every decision, section by section, none of them with a system call.
 */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <gpurun/str.h>

#include "build.h"

#define NOTE_MAX 1024

/*
 * The table "In a job and outside".  In a job several processes of the machine belong together:
 * what they share memory by stays the host's.
 */
static const struct plan_place places[] = {
	[JOB_NONE] = { .pid = NS_PRIVATE, .ipc = NS_PRIVATE, .uts = NS_PRIVATE },
	[JOB_BATCH] = { .pid = NS_PRIVATE, .ipc = NS_HOST, .uts = NS_HOST, .job = true },
	[JOB_STEP] = { .pid = NS_HOST,
		       .ipc = NS_HOST,
		       .uts = NS_HOST,
		       .job = true,
		       .exec = true,
		       .keep_fds = true },
};

const struct plan_place *plan_place_of(enum job_kind kind)
{
	return &places[kind];
}

void plan_op(struct builder *b, enum plan_phase phase, struct op op)
{
	struct op_list *l = &b->phases[phase];

	VEC_PUSH(b->a, l->v, l->n, l->cap, op);
}

static __attribute__((format(printf, 2, 0))) const char *plan_vprintf(struct builder *b,
								      const char *fmt, va_list ap)
{
	char text[NOTE_MAX];

	vsnprintf(text, sizeof(text), fmt, ap);
	return arena_strdup(b->a, text);
}

const char *plan_why(struct builder *b, const char *fmt, ...)
{
	const char *s;
	va_list ap;

	va_start(ap, fmt);
	s = plan_vprintf(b, fmt, ap);
	va_end(ap);
	return s;
}

void plan_note(struct builder *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strv_push(b->a, &b->p->notes, plan_vprintf(b, fmt, ap));
	va_end(ap);
}

void plan_warn(struct builder *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strv_push(b->a, &b->p->warnings, plan_vprintf(b, fmt, ap));
	va_end(ap);
}

uint64_t plan_half_memory(const struct host *h)
{
	uint64_t memory = h->mem_total;

	if (h->mem_limit && (!memory || h->mem_limit < memory))
		memory = h->mem_limit;
	return memory / 2;
}

/* A private PID namespace, unless the host's is wanted or no fresh proc is to be had. */
static int plan_pid_namespace(struct builder *b, struct err *e)
{
	enum ns_mode pid = b->req->pid ? b->req->pid : b->place->pid;

	b->pid_private = pid == NS_PRIVATE;
	if (!b->pid_private || b->host->proc_fresh)
		return 0;
	if (b->req->pid == NS_PRIVATE) {
		err_set(e, EPERM,
			"--pid private: the kernel refuses a fresh /proc here (the one around us "
			"is partly hidden)");
		err_hint(e, "see the processes of the host: --pid host");
		return -EPERM;
	}
	plan_note(b, "no fresh /proc can be mounted here: the processes of the host are visible "
		     "inside");
	b->pid_private = false;
	return 0;
}

int plan_namespaces(struct builder *b, struct err *e)
{
	struct plan_container *c = &b->p->container;
	enum ns_mode ipc = b->req->ipc ? b->req->ipc : b->place->ipc;
	enum ns_mode uts = b->req->uts ? b->req->uts : b->place->uts;
	bool uts_private = uts == NS_PRIVATE || b->req->hostname;
	int r = plan_pid_namespace(b, e);

	if (r < 0)
		return r;
	if (b->req->hostname && b->req->uts == NS_HOST)
		return err_set(e, EINVAL, "--hostname %s: not with --uts host", b->req->hostname);
	if (b->req->mps && b->req->ipc == NS_PRIVATE)
		return err_set(e, EINVAL,
			       "--mps: not with --ipc private (clients share memory with the "
			       "daemon)");
	b->ipc_private = ipc == NS_PRIVATE && !b->req->mps;
	b->net_private = b->req->net == NET_NONE;
	c->namespaces = CLONE_NEWUSER | CLONE_NEWNS;
	if (b->pid_private)
		c->namespaces |= CLONE_NEWPID;
	if (b->ipc_private)
		c->namespaces |= CLONE_NEWIPC;
	if (uts_private)
		c->namespaces |= CLONE_NEWUTS;
	if (b->net_private)
		c->namespaces |= CLONE_NEWNET;
	c->loopback_up = b->net_private;
	c->hostname = b->req->hostname;
	return 0;
}

/* Does a program of the image's own run: its ENTRYPOINT, or its CMD? */
static bool workdir_of_image(const struct request *q, const struct image_config *c)
{
	if (q->entrypoint)
		return false;
	return c->entrypoint.n > 0 || q->args.n == 0;
}

/* Does the command start in the host's current directory? */
static bool workdir_is_cwd(const struct builder *b)
{
	if (!b->bind_cwd || b->req->cwd == TRI_ON || !b->place->job)
		return b->bind_cwd;
	return b->host->cwd && plan_is_shown(b, b->host->cwd) &&
	       !workdir_of_image(b->req, &b->image->config);
}

/*
 * Where the command starts: -w, else the bound current directory, else the image's.  In a job the
 * current directory is there unasked: a program of the image's own starts where the image says.
 */
static int plan_workdir(struct builder *b, struct err *e)
{
	struct plan_process *pr = &b->p->process;
	const char *w = b->req->workdir;

	if (w && w[0] != '/') {
		err_set(e, EINVAL, "--workdir %s: not an absolute path", w);
		return -EINVAL;
	}
	if (!w && workdir_is_cwd(b)) {
		pr->cwd = path_clean(b->a, b->host->cwd);
		return 0;
	}
	if (!w)
		w = b->image->config.workdir;
	pr->cwd = path_join(b->a, "/", w && *w ? w : "/");
	pr->cwd_create = !str_eq(pr->cwd, "/");
	return 0;
}

static int plan_fds(struct builder *b, struct err *e)
{
	struct plan_process *pr = &b->p->process;
	const struct request *req = b->req;

	for (size_t i = 0; i < req->n_preserve_fds; i++)
		if (req->preserve_fds[i] < 3 || req->preserve_fds[i] > PLAN_FD_MAX)
			return err_set(e, EINVAL,
				       "--preserve-fd %d: 3 is the lowest (0 to 2 always stay)",
				       req->preserve_fds[i]);
	pr->n_preserve_fds = req->n_preserve_fds;
	if (req->n_preserve_fds)
		pr->preserve_fds = arena_grow(b->a, req->preserve_fds, req->n_preserve_fds,
					      req->n_preserve_fds, sizeof(*req->preserve_fds));
	return 0;
}

int plan_terminal(struct builder *b, struct err *e)
{
	struct plan_process *pr = &b->p->process;

	if (b->place->exec && b->req->tty == TRI_ON) {
		err_set(e, EINVAL,
			"--tty: not in a step, whose terminal is the launcher's to make");
		err_hint(e, "srun --pty gpurun ...");
		return -EINVAL;
	}
	if (b->req->tty == TRI_AUTO)
		pr->tty = b->host->stdin_tty && b->host->stdout_tty && !b->place->exec;
	else
		pr->tty = b->req->tty == TRI_ON;
	/* a PID namespace ends with its first process: somebody has to wait for it */
	pr->exec = b->place->exec && !b->pid_private && !b->req->audit_end;
	/* a bundle says by itself what is handed on */
	pr->keep_fds = b->place->keep_fds && !b->in->bundle;
	pr->init = b->pid_private && !b->req->no_init;
	pr->stop_signal = b->image->config.stop_signal > 0 ? b->image->config.stop_signal : SIGTERM;
	return 0;
}

/* seccomp, no_new_privs and the Landlock device list. */
static int plan_security(struct builder *b, struct err *e)
{
	struct plan_process *pr = &b->p->process;
	bool possible = b->host->landlock_abi >= 5;

	pr->no_new_privs = true;
	if (b->in->seccomp) {
		pr->seccomp = b->in->seccomp->prog;
		pr->seccomp_len = b->in->seccomp->len;
		pr->seccomp_name = b->in->seccomp->name;
		pr->seccomp_digest = b->in->seccomp->digest;
	} else {
		pr->seccomp_name = "unconfined";
	}
	if (b->req->landlock == TRI_ON && !possible)
		return err_set(
			e, ENOTSUP,
			"--security-opt landlock=on: the kernel has no device list (Landlock "
			"ABI %d, 5 is needed)",
			b->host->landlock_abi);
	if (b->req->landlock == TRI_ON && b->req->nested)
		return err_set(e, EINVAL,
			       "--security-opt landlock=on: not with --nested (Landlock forbids "
			       "every mount inside)");
	/* two Landlock domains cannot read each other's memory, which CMA and CUDA IPC need */
	pr->landlock_dev = possible && !b->req->nested && !b->shared && b->req->landlock != TRI_OFF;
	/* the host's control groups belong to root: not to be mounted, where that can be tried */
	b->p->container.no_cgroupns =
		b->real_root && (b->req->nested || !pr->seccomp || pr->seccomp_digest);
	/* file systems of a job take their credentials from the job's: AFS, CIFS */
	pr->keyring = !b->place->job;
	return 0;
}

int plan_texts(struct builder *b, struct err *e)
{
	struct plan *p = b->p;

	(void)e;
	p->image_id = b->image->id;
	p->image_name = b->image->name;
	for (size_t i = 0; b->in->gpu_names && i < b->in->gpu_names->n; i++)
		strv_push(b->a, &p->gpus, b->in->gpu_names->v[i]);
	if (!b->in->missing_word || !b->host->cwd)
		return 0;
	if (!plan_is_bound(b, b->host->cwd))
		p->failure_hint =
			plan_why(b,
				 "%s is in the current directory of the host, which is not "
				 "mounted: add -C",
				 b->in->missing_word);
	else if (b->place->job && !str_eq(p->process.cwd, b->host->cwd) && !b->req->workdir)
		p->failure_hint =
			plan_why(b,
				 "%s is in the current directory of the host, and the image's own "
				 "program starts in %s: add -C",
				 b->in->missing_word, p->process.cwd);
	return 0;
}

typedef int plan_section(struct builder *b, struct err *e);

static plan_section *const image_sections[] = {
	plan_share,    plan_namespaces,  plan_identity, plan_rootfs,
	plan_files,    plan_base_mounts, plan_devices,  plan_user_mounts,
	plan_masks,    plan_order,       plan_argv,     plan_workdir,
	plan_terminal, plan_environment, plan_caps,     plan_limits,
	plan_fds,      plan_security,    plan_hidden,   plan_dev_filter,
	plan_texts,    plan_share_key,   NULL,
};

static plan_section *const bundle_sections[] = {
	plan_share,      bundle_namespaces,
	bundle_identity, bundle_rootfs,
	bundle_mounts,   plan_devices,
	bundle_devices,  bundle_masks,
	plan_order,      plan_argv,
	bundle_workdir,  bundle_terminal,
	bundle_caps,     bundle_environment,
	bundle_limits,   plan_fds,
	plan_security,   plan_hidden,
	plan_dev_filter, bundle_texts,
	plan_share_key,  NULL,
};

int plan_build(struct arena *a, const struct plan_input *in, const struct plan **ret, struct err *e)
{
	plan_section *const *section = in->bundle ? bundle_sections : image_sections;
	struct builder b = {
		.a = a,
		.in = in,
		.req = in->request,
		.host = in->host,
		.image = in->image,
		.place = plan_place_of(in->host->job.kind),
		.p = ARENA_NEW(a, struct plan),
		.real_root = in->host->uid == 0,
	};
	int r = 0;

	for (; *section && r >= 0; section++)
		r = (*section)(&b, e);
	if (r >= 0)
		r = plan_check(b.p, e);
	if (r < 0)
		return r;
	*ret = b.p;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_oci_run.c - "gpurun oci-run --bundle DIR ID": a bundle of the OCI runtime specification.
 *
 * The stages are those of "gpurun run": config.json fills the request as far as the two have the
 * same words, and the plan has sections of its own for the rest.  A launcher that starts an OCI
 * runtime (Slurm's oci.conf) gives it nearly no environment: which job this is, which rank, and
 * which GPUs, stands in process.env.  So that is the environment in which the host is looked at;
 * our own counts where it says nothing.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/profile.h>
#include <gpurun/str.h>

#include "cmd.h"
#include "launch.h"

#define ID_MAX 64

static int read_bundle(struct arena *a, const char *dir, struct oci_bundle *ret, struct err *e)
{
	const char *file = path_join(a, dir, OCI_CONFIG);
	char *text = NULL;
	size_t len = 0;
	int r = file_read_text(AT_FDCWD, file, a, OCI_CONFIG_MAX, &text, &len);

	return r < 0 ? err_sys(e, -r, "%s", file) : oci_bundle_read(a, dir, text, len, ret, e);
}

/* It names the container to ps, exec and kill. */
static int check_id(const char *id, struct err *e)
{
	if (!*id || strlen(id) > ID_MAX)
		return err_set(e, EINVAL, "oci-run: the id has 1 to %d characters", ID_MAX);
	for (const char *s = id; *s; s++)
		if (!isalnum((unsigned char)*s) && (s == id || !strchr("_.+-", *s)))
			return err_set(e, EINVAL,
				       "oci-run: %s: an id has letters, digits, '.', '_', '+' and "
				       "'-', and starts with a letter or a digit",
				       id);
	return 0;
}

/* ---- annotations ---------------------------------------------------------------------------- */

static int check_word(const struct oci_bundle *b, const char *key, const char *value,
		      const char *const *words, struct err *e)
{
	struct err unknown = { 0 };

	for (const char *const *w = words; value && *w; w++)
		if (str_eq(value, *w))
			return 0;
	if (!value)
		return 0;
	opt_unknown(&unknown, value, words);
	*e = unknown;
	err_wrap(e, "%s: annotations: org.gpurun.%s", b->file, key);
	return -EINVAL;
}

/* The texts are options; --gpus is read, and refused, where it is for "run". */
static int take_annotations(struct request *q, const struct oci_bundle *b, struct err *e)
{
	uint32_t caps = 0;
	int r = check_word(b, "cuda-compat", b->cuda_compat, OPT_WORDS("auto", "never", "always"),
			   e);

	if (r >= 0)
		r = check_word(b, "share", b->share, OPT_WORDS("step", "none"), e);
	if (r >= 0 && b->gpu_caps) {
		r = gpu_caps_parse(b->gpu_caps, &caps, e);
		if (r < 0)
			err_wrap(e, "%s: annotations: org.gpurun.gpu-caps", b->file);
	}
	q->gpus = b->gpus;
	q->gpu_caps = b->gpu_caps;
	q->cuda_compat = b->cuda_compat;
	q->share = b->share;
	return r;
}

/* ---- the request ------------------------------------------------------------------------------ */

static enum ns_mode ns_mode_of(const struct oci_bundle *b, uint64_t flag)
{
	return b->namespaces & flag ? NS_PRIVATE : NS_HOST;
}

/*
 * A process 1 of its own ends with its rank, so that the ranks of a step cannot share a container
 * whose list has a PID namespace: each gets its own.
 */
static int fill_request(struct request *q, const struct oci_bundle *b, const char *id,
			struct err *e)
{
	int r = take_annotations(q, b, e);

	if (r < 0)
		return r;
	q->image = b->dir;
	q->name = id;
	q->args = b->args;
	q->root = b->uid == 0;
	q->tty = b->terminal ? TRI_ON : TRI_OFF;
	q->hostname = b->hostname;
	q->pid = ns_mode_of(b, CLONE_NEWPID);
	q->ipc = ns_mode_of(b, CLONE_NEWIPC);
	q->uts = ns_mode_of(b, CLONE_NEWUTS);
	q->net = b->namespaces & CLONE_NEWNET ? NET_NONE : NET_HOST;
	if (!q->share && q->pid == NS_PRIVATE)
		q->share = "none";
	return 0;
}

/* ---- a stage of the launch ---------------------------------------------------------------------- */

int launch_take_bundle(struct launch *l, struct err *e)
{
	const struct oci_bundle *b = l->bundle;
	const struct store_ensure_options o = { .arch = l->host.arch,
						.abi = l->chosen.n || l->cdi.n };
	struct profile p = { 0 };
	int r = store_directory(l->a, b->root, &o, &l->image, e);

	if (r < 0) {
		err_wrap(e, "%s: root.path", b->file);
		return r;
	}
	l->image.name = b->dir;
	if (!b->seccomp)
		return 0;
	r = profile_compile_json(l->a, b->seccomp, arena_printf(l->a, "%s: linux.seccomp", b->file),
				 &p, e);
	if (r >= 0)
		l->seccomp = (struct plan_seccomp){ .prog = p.prog, .len = p.len, .name = p.name };
	return r;
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	struct request *q = &in->ask->request;
	const char *id = q->args.v[0];
	struct oci_bundle b = { 0 };
	int r;

	if (!in->ask->bundle) {
		err_set(e, EINVAL, "oci-run: no bundle named");
		err_hint(e, "gpurun oci-run --bundle DIR %s", id);
		return -EINVAL;
	}
	r = check_id(id, e);
	if (r >= 0)
		r = read_bundle(in->a, in->ask->bundle, &b, e);
	if (r >= 0)
		r = fill_request(q, &b, id, e);
	if (r < 0)
		return r;
	return launch_run(in, &b, oci_environ(in->a, &b.env, (const char *const *)environ),
			  ret_status, e);
}

const struct cmd cmd_oci_run = {
	.name = "oci-run",
	.operands = "ID",
	.summary = "run a bundle of the OCI runtime specification",
	.verb = VERB_OCI_RUN,
	.min = 1,
	.max = 1,
	.run = run,
};

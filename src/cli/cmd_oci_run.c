/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_oci_run.c - "gpurun oci-run --bundle DIR ID": a bundle of the OCI runtime specification.
 *
 * The stages are those of "gpurun run": config.json fills the request as far as the two have the
 * same words, and the plan has sections of its own for the rest.  A launcher that starts an OCI
 * runtime (Slurm's oci.conf) gives it nearly no environment: which job this is, which rank, and
 * which GPUs, stands in process.env.  So that is the environment in which the host is looked at;
 * our own counts where it says nothing.
 *
 * An image's author can write process.env as well, and in a step some layers are off.  So it is
 * believed only where our own environment comes from a launcher, too, and of the descriptors that
 * came to us it gets the one by which MPI finds its launcher, if that is a socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/profile.h>
#include <gpurun/str.h>

#include "cmd.h"
#include "launch.h"

static int read_bundle(struct arena *a, const char *dir, struct oci_bundle *ret, struct err *e)
{
	const char *file = path_join(a, dir, OCI_CONFIG);
	char *text = NULL;
	size_t len = 0;
	int r = file_read_text(AT_FDCWD, file, a, OCI_CONFIG_MAX, &text, &len);

	return r < 0 ? err_sys(e, -r, "%s", file) : oci_bundle_read(a, dir, text, len, ret, e);
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
	if (r < 0)
		return r;
	l->seccomp = (struct plan_seccomp){ .prog = p.prog, .len = p.len, .name = p.name };
	l->seccomp.digest = seccomp_digest(l->a, &l->seccomp);
	return 0;
}

/* ---- what process.env may say ------------------------------------------------------------------- */

static bool is_launched(void)
{
	static const char *const variables[] = {
		"SLURM_PROCID", "SLURM_JOB_ID", "PMIX_RANK", "PMI_RANK", "PALS_RANKID",
	};

	for (size_t i = 0; i < ELEMENTS(variables); i++)
		if (getenv(variables[i]))
			return true;
	return false;
}

/* The launcher's socket, as --preserve-fd would keep it. */
static void keep_pmi(struct arena *a, const struct strv *env, struct request *q)
{
	for (size_t i = 0; i < env->n; i++) {
		const char *value = str_after(env->v[i], "PMI_FD=");
		uint64_t fd = 0;
		struct stat st;

		if (value && num_u64(value, INT_MAX, &fd) == 0 && fd > STDERR_FILENO &&
		    opt_fd_inherited((int)fd) && fstat((int)fd, &st) == 0 && S_ISSOCK(st.st_mode))
			VEC_PUSH(a, q->preserve_fds, q->n_preserve_fds, q->cap_preserve_fds,
				 (int)fd);
	}
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	const char *const *env = (const char *const *)environ;
	struct request *q = &in->ask->request;
	const char *id = q->args.v[0];
	struct oci_bundle b = { 0 };
	int r;

	if (!in->ask->bundle) {
		err_set(e, EINVAL, "oci-run: no bundle named");
		err_hint(e, "gpurun oci-run --bundle DIR %s", id);
		return -EINVAL;
	}
	r = read_bundle(in->a, in->ask->bundle, &b, e);
	if (r >= 0)
		r = oci_request(&b, id, q, e);
	if (r < 0)
		return r;
	if (is_launched()) {
		keep_pmi(in->a, &b.env, q);
		env = oci_environ(in->a, &b.env, env);
	}
	return launch_run(in, &b, env, ret_status, e);
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

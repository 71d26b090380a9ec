/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process half alone: one more process in a container that runs.
 */
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>

#include <gpurun/str.h>

#include "build.h"

int plan_exec(struct arena *a, const struct plan_exec_input *in, const struct plan **ret,
	      struct err *e)
{
	struct plan *p = ARENA_NEW(a, struct plan);
	struct plan_process *pr = &p->process;
	uint64_t add = 0;
	int r;

	if (in->argv->n == 0 || !in->argv->v[0][0])
		return err_set(e, EINVAL, "exec: no command given");
	if (in->cwd && in->cwd[0] != '/')
		return err_set(e, EINVAL, "--workdir %s: not an absolute path", in->cwd);
	for (size_t i = 0; i < in->argv->n; i++)
		strv_push(a, &pr->argv, in->argv->v[i]);
	for (size_t i = 0; i < in->container_env->n; i++)
		if (env_name_length(in->container_env->v[i]))
			env_put(a, &pr->env, in->container_env->v[i]);
	r = env_apply_options(a, in->host, in->env, &pr->env, e);
	if (r >= 0 && in->cap_add)
		r = caps_parse(in->cap_add, "--cap-add", &add, e);
	if (r >= 0)
		r = caps_check_real_root(in->host, in->caps.bounding | add, e);
	if (r < 0)
		return r;
	if (in->host->uid == 0 && (in->caps.bounding | add) & UINT64_C(1) << CAP_SYS_ADMIN)
		return err_set(e, EPERM,
			       "CAP_SYS_ADMIN: not when started by root: it could take away the "
			       "masks of /proc and /sys");
	if (!env_get(&pr->env, "PATH"))
		env_put(a, &pr->env, "PATH=" ENV_PATH_DEFAULT);
	if (in->tty && !env_get(&pr->env, "TERM"))
		env_put(a, &pr->env, "TERM=xterm");
	pr->path = env_get(&pr->env, "PATH");
	pr->cwd = path_clean(a, in->cwd ? in->cwd : "/");
	pr->caps.keep = in->caps.keep | add;
	pr->caps.bounding = in->caps.bounding | add;
	pr->caps.ambient = in->uid_inside == 0 ? 0 : pr->caps.keep;
	pr->no_new_privs = true;
	pr->landlock_dev = in->landlock_dev;
	pr->keyring = in->keyring;
	pr->tty = in->tty;
	pr->stop_signal = SIGTERM;
	pr->seccomp_name = "unconfined";
	if (in->seccomp) {
		pr->seccomp = in->seccomp->prog;
		pr->seccomp_len = in->seccomp->len;
		pr->seccomp_name = in->seccomp->name;
	}
	p->container.uid_inside = in->uid_inside;
	p->container.devices.cgroup = in->devices_cgroup;
	*ret = p;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_exec.c - "gpurun exec CONTAINER COMMAND...": one more process in a running container, which
 * may be that of a step ("JOB.STEP").
 *
 * What the container decided stays as its record says it: ids, capabilities, seccomp, Landlock and
 * environment.  Only the process half of a plan is made, and only that is performed.
 */
#include <errno.h>

#include <gpurun/host.h>
#include <gpurun/run.h>
#include <gpurun/str.h>

#include "cmd.h"
#include "launch.h"
#include "record.h"

/* Everything that plan_exec() is asked with. */
struct exec_parts {
	const struct cmd_in *in;
	struct state state;
	const struct json *plan;
	struct host host;
	struct strv argv, env, recorded_env, container_env;
	struct plan_seccomp seccomp;
	struct plan_exec_input input;
};

/* -u: a container has one id, so that is the only one to be had. */
static int check_user(const struct request *q, int64_t uid, struct err *e)
{
	uint64_t wanted = 0;
	const char *colon;
	char number[16] = "";
	size_t n;

	if (!q->user)
		return 0;
	colon = strchr(q->user, ':');
	n = colon ? (size_t)(colon - q->user) : strlen(q->user);
	if (n < sizeof(number))
		memcpy(number, q->user, n);
	if (num_u64(str_eq(number, "root") ? "0" : number, UINT32_MAX, &wanted) >= 0 &&
	    (int64_t)wanted == uid)
		return 0;
	err_set(e, ENOTSUP, "--user %s: the only id inside this container is %lld", q->user,
		(long long)uid);
	err_hint(e, "start the container with that id: gpurun -u %s ...", q->user);
	return -ENOTSUP;
}

/*
 * What makes a process one certain rank of its step: the record has them of the rank that made the
 * container, and a second process that took itself for it would disturb the first.
 */
static const char *const rank_variables[] = {
	"PMI*",         "OMPI_COMM_WORLD_*", "OMPI_MCA_orte_*",
	"PALS_RANKID",  "PALS_LOCAL_*",      "MPI_LOCALRANKID",
	"SLURM_PROCID", "SLURM_LOCALID",     "SLURM_TASK_PID",
};

static bool is_rank_variable(const char *entry)
{
	char name[64] = "";
	size_t n = strcspn(entry, "=");

	if (n < sizeof(name))
		memcpy(name, entry, n);
	for (size_t i = 0; i < ELEMENTS(rank_variables); i++)
		if (str_glob(rank_variables[i], name))
			return true;
	return false;
}

static void list_add(struct arena *a, struct strv *to, const struct strv *from, size_t first)
{
	for (size_t i = first; i < from->n; i++)
		strv_push(a, to, from->v[i]);
}

/*
 * The cgroup in which the container's device filter is in force.  Whose launcher is gone has none
 * any more, nor has it long to live.
 */
static int find_cgroup(struct exec_parts *x, struct err *e)
{
	const struct json *devices = json_get(json_get(x->plan, "container"), "devices");
	const char *cgroup = json_str(devices, "cgroup");

	if (!cgroup)
		return 0;
	x->input.devices_cgroup = run_leaf_path(x->in->a, cgroup, x->state.launcher);
	return x->input.devices_cgroup ? 0 : err_set(e, ESRCH, "%s: has ended", x->state.id);
}

/* A profile that is a file may have been written since, also by the container. */
static int choose_seccomp(struct exec_parts *x, const struct json *process, const char *name,
			  struct err *e)
{
	const char *then = json_str(process, "seccomp_digest"), *now;
	int r = seccomp_choose(x->in->a, name, &x->seccomp, e);

	if (r < 0)
		return r;
	now = x->seccomp.digest;
	if (then ? now && str_eq(now, then) : !now)
		return 0;
	err_set(e, ESTALE, "%s: is not the profile that the container was started with", name);
	err_hint(e, "restore the file, from the directory in which it was given");
	return -ESTALE;
}

/* The parts of the record that decide about a process. */
static int read_record(struct exec_parts *x, struct err *e)
{
	const struct json *process = json_get(x->plan, "process");
	const struct json *landlock = json_get(process, "landlock_dev");
	const struct json *keyring = json_get(process, "keyring");
	const char *seccomp = json_str(process, "seccomp"), *cwd = json_str(process, "cwd");
	const struct request *q = &x->in->ask->request;
	int64_t uid = record_uid(x->plan);
	int r;

	if (!seccomp || !cwd || !landlock || !keyring || uid < 0 ||
	    record_caps(x->plan, &x->input.caps) < 0 ||
	    json_strv(x->in->a, process, "env", &x->recorded_env) < 0)
		return err_set(e, EINVAL, "%s: its record is of another version of gpurun",
			       x->state.id);
	r = check_user(q, uid, e);
	if (r >= 0)
		r = find_cgroup(x, e);
	if (r >= 0)
		r = choose_seccomp(x, process, seccomp, e);
	x->input.uid_inside = (uid_t)uid;
	x->input.cwd = q->workdir ? q->workdir : cwd;
	x->input.landlock_dev = landlock->num != 0;
	x->input.keyring = keyring->num != 0;
	return r;
}

static bool wants_tty(const struct exec_parts *x)
{
	enum tri t = x->in->ask->request.tty;

	return t == TRI_AUTO ? x->host.stdin_tty && x->host.stdout_tty : t == TRI_ON;
}

static int gather(struct exec_parts *x, struct err *e)
{
	const struct request *q = &x->in->ask->request;
	int r = record_find(x->in->a, q->args.v[0], &x->state, &x->plan, e);

	if (r >= 0)
		r = place_host(x->in->a, &x->host, e);
	if (r >= 0)
		r = read_record(x, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < x->recorded_env.n; i++)
		if (!x->state.step[0] || !is_rank_variable(x->recorded_env.v[i]))
			strv_push(x->in->a, &x->container_env, x->recorded_env.v[i]);
	list_add(x->in->a, &x->argv, &q->args, 1);
	list_add(x->in->a, &x->env, &q->env_file, 0);
	list_add(x->in->a, &x->env, &q->env, 0);
	x->input.host = &x->host;
	x->input.argv = &x->argv;
	x->input.container_env = &x->container_env;
	x->input.env = &x->env;
	x->input.tty = wants_tty(x);
	x->input.cap_add = &q->cap_add;
	x->input.seccomp = &x->seccomp;
	return 0;
}

/*
 * Is it still in the container, and is that the one of which the record tells the truth?  Whoever
 * reaches the files of a step can write both; the label is the kernel's word.  A rank that has not
 * executed its command yet lets nobody look.
 */
static bool can_enter(const struct sys_peer *rank, const char *label)
{
	struct sys_peer now = { .pid = 0 };

	return run_peer_in(rank->pid, label) > 0 && run_peer(rank->pid, &now) >= 0 &&
	       now.start == rank->start && now.user_ns == rank->user_ns &&
	       now.mnt_ns == rank->mnt_ns;
}

/* Through any of the ranks: each of them may end at any moment. */
static int enter_step(const struct exec_parts *x, const struct plan *p, int *ret_status,
		      struct err *e)
{
	const char *label = record_label(x->in->a, x->state.key, x->state.plan);
	struct sys_peer *ranks = NULL;
	size_t n = 0;
	int r = state_step_peers(x->in->a, &x->state, &ranks, &n, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct err here = { 0 };

		if (!can_enter(&ranks[i], label))
			continue;
		r = run_exec(p, ranks[i].pid, ranks[i].start, ret_status, &here);
		if (r == -ESRCH)
			continue;
		*e = here;
		return r;
	}
	err_set(e, EPERM, "%s: none of its %zu processes can be entered through", x->state.id, n);
	err_hint(e, "they have ended, or are about to start: see gpurun ps, and try again");
	return -EPERM;
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct exec_parts x = { .in = in };
	const struct plan *p = NULL;
	int r = gather(&x, e);

	if (r >= 0 && !x.input.landlock_dev)
		launch_seal(in);
	if (r >= 0)
		r = plan_exec(a, &x.input, &p, e);
	if (r < 0)
		return r;
	r = arena_seal(a);
	if (r < 0)
		return err_sys(e, -r, "the plan cannot be sealed");
	if (x.state.step[0])
		return enter_step(&x, p, ret_status, e);
	return run_exec(p, x.state.payload, x.state.payload_start, ret_status, e);
}

const struct cmd cmd_exec = {
	.name = "exec",
	.operands = "CONTAINER COMMAND [ARG...]",
	.summary = "start one more command in a running container",
	.verb = VERB_EXEC,
	.min = 2,
	.max = -1,
	.stop = true,
	.complete = COMPLETE_CONTAINER,
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_step.c - a rank of a step: who is in the step's container already, and becoming the
 * command there.
 *
 * Nobody stays behind to hold a lock or to keep a record, so both are the step's file: a slot for
 * each rank, locked while a rank looks for the others and enters (state.h).
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/log.h>
#include <gpurun/run.h>
#include <gpurun/str.h>

#include "launch.h"
#include "record.h"

struct rank {
	struct launch *l;
	const char *key;
	const struct plan *plan;
	const char *text; /* the plan as JSON, when the container is to be made */
	int lock;
};

/* Asked before the container is made: the plan that is in its record is the one in its label. */
static const char *label(void *arg)
{
	struct rank *rank = arg;

	rank->text = plan_dump(rank->l->a, rank->plan);
	return record_label(rank->l->a, rank->key, rank->text);
}

/* Is this a rank that will talk to the others, by what its launcher left for it? */
static bool is_wired(const struct host *h)
{
	static const char *const variables[] = { "PMI_RANK", "PMI_FD", "PMIX_RANK" };

	for (size_t i = 0; i < ELEMENTS(variables); i++)
		if (host_getenv(h, variables[i]))
			return h->job.local_size != 1;
	return false;
}

/*
 * Ranks of one image in two containers do not reach each other's memory: MPI is slow then, or
 * stops without a word.  It is nobody's wish, but what another directory of a rank can lead to.
 */
static void warn_split(const struct rank *rank)
{
	const struct launch *l = rank->l;
	struct err ignored = { 0 };
	struct strv dirs = { 0 };
	struct state *v = NULL;
	size_t n = 0;

	if (!rank->plan->container.share_key || !is_wired(&l->host))
		return;
	strv_push(l->a, &dirs, l->host.state_dir);
	if (state_list(l->a, &dirs, &v, &n, &ignored) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(v[i].step, l->state.step) ||
		    !str_eq(v[i].image_id, l->state.image_id) ||
		    !str_eq(v[i].image, l->state.image))
			continue;
		log_warn("step %s: its ranks are in several containers and cannot read each "
			 "other's memory",
			 l->state.step);
		log_hint("give all ranks the same options; their current directories, and those "
			 "that TMPDIR and its like name, below one that they share");
		return;
	}
}

/* The container is made: its record is for ps, exec and inspect, so its loss is only said. */
static int publish(void *arg, const struct sys_peer *first, struct err *e)
{
	const struct rank *rank = arg;
	struct launch *l = rank->l;
	int r;

	(void)e;
	warn_split(rank);
	l->state.payload = first->pid;
	l->state.payload_start = first->start;
	r = state_step_publish(l->host.state_dir, rank->key, &l->state, rank->text);
	if (r < 0)
		log_warn("%s: not written: %s (ps, exec and inspect do not see this container)",
			 rank->key, err_text(-r));
	return 0;
}

/* From here on the paths are the container's. */
static int take_slot(void *arg, const struct sys_peer *self, bool made, struct err *e)
{
	const struct rank *rank = arg;
	int r = state_step_add(rank->lock, self);

	rank->l->inside = true;
	rank->l->keep_lock = fd_close(rank->l->keep_lock); /* the next rank finds us here */
	log_debug(1, "container %s: %s by pid %d", rank->key, made ? "made" : "joined", self->pid);
	return r < 0 ? err_sys(e, -r, "the step's file %s", rank->key) : 0;
}

/* A second container would mount the directory of --keep under the first one's feet. */
static int check_keep(const struct launch *l, struct err *e)
{
	const char *user = l->keep_dir ? record_step_using(l->a, NULL, l->keep_dir) : NULL;

	if (!user)
		return 0;
	err_set(e, EBUSY, "--keep %s: %s is using it in another container", l->q->keep, user);
	err_hint(e, "gpurun ps shows which; ranks share one when their options are the same");
	return -EBUSY;
}

int launch_step(struct launch *l, const struct plan *p, int *ret_status, struct err *e)
{
	_cleanup_fd_ int lock = -1;
	struct rank rank = { .l = l, .key = p->container.share_key, .plan = p };
	struct run_share share = {
		.made = publish, .inside = take_slot, .label = label, .arg = &rank
	};
	struct sys_peer *peers = NULL;
	int r;

	/* a container of our own has a key that no other process can have */
	if (!rank.key)
		rank.key = arena_printf(l->a, "%s-%016x", l->host.job.step, (unsigned int)getpid());
	/* before the lock: whoever reads the lines may be slow, and all ranks would wait for it */
	r = launch_audit_start(l, p, rank.key, e);
	if (r >= 0)
		r = state_step_open(l->a, l->host.state_dir, rank.key, &lock, e);
	if (r < 0)
		return r;
	r = state_step_ranks(l->a, lock, &peers, &share.n_ranks);
	if (r < 0)
		return err_sys(e, -r, "the step's file %s", rank.key);
	if (share.n_ranks == 0) {
		r = check_keep(l, e);
		if (r < 0)
			return r;
	}
	rank.lock = share.lock = lock;
	share.container = record_label(l->a, rank.key, NULL);
	share.ranks = peers;
	l->state.created = time(NULL);
	return run_step(p, &share, ret_status, &l->signal, &l->inside, e);
}

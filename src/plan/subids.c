/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --userns subid: the caller is root inside, the ids from 1 on are the caller's subordinate ids.
 * Then the image's User can be followed and programs may change ids; the price is two setuid
 * helpers at every start, and files on the host that belong to ids which are nobody's.
 */
#include <errno.h>
#include <linux/capability.h>

#include <gpurun/str.h>

#include "build.h"

/* What root of the mapped ids keeps: podman's set. */
static const int subid_caps[] = {
	CAP_CHOWN,   CAP_DAC_OVERRIDE,     CAP_FOWNER,     CAP_FSETID,
	CAP_KILL,    CAP_NET_BIND_SERVICE, CAP_SETFCAP,    CAP_SETGID,
	CAP_SETPCAP, CAP_SETUID,           CAP_SYS_CHROOT,
};

uint64_t subids_caps(void)
{
	uint64_t set = 0;

	for (size_t i = 0; i < ELEMENTS(subid_caps); i++)
		set |= UINT64_C(1) << subid_caps[i];
	return set;
}

/* 0 is the caller, then the ranges one behind the other; the first id that is not mapped */
static uint32_t subids_ranges(struct plan_idrange *to, size_t *n, uint32_t outside, uint32_t start,
			      uint32_t count)
{
	uint32_t next = 0;

	if (*n == 0)
		to[(*n)++] = (struct plan_idrange){ 0, outside, 1 };
	for (size_t i = 0; i < *n; i++)
		next += to[i].count;
	if (count > UINT32_MAX - 1 - next)
		count = UINT32_MAX - 1 - next;
	if (count)
		to[(*n)++] = (struct plan_idrange){ next, start, count };
	return next + count;
}

static int subids_refuse(struct builder *b, struct err *e)
{
	if (b->req->keep)
		return err_set(e, ENOTSUP,
			       "--userns subid: not with --keep (its files would "
			       "belong to ids that you cannot remove)");
	if (b->in->scratch_dir)
		return err_set(e, ENOTSUP, "--userns subid: not with a scratch directory on disk");
	return 0;
}

int subids_identity(struct builder *b, uint32_t *ret_uids, uint32_t *ret_gids, struct err *e)
{
	struct plan_container *c = &b->p->container;
	const struct host_subids *s = &b->host->subids;
	int r = subids_refuse(b, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n_uids; i++)
		*ret_uids = subids_ranges(c->uid_ranges, &c->n_uid_ranges, b->host->uid,
					  s->uids[i].start, s->uids[i].count);
	for (size_t i = 0; i < s->n_gids; i++)
		*ret_gids = subids_ranges(c->gid_ranges, &c->n_gid_ranges, b->host->gid,
					  s->gids[i].start, s->gids[i].count);
	return 0;
}

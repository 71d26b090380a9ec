/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities inside: none, unless asked for.  They count in the container's own user namespace
 * only, where a single id is mapped: they reach the user's own files and nothing else.
 */
#include <errno.h>
#include <linux/capability.h>

#include <gpurun/profile.h>
#include <gpurun/str.h>

#include "build.h"

#define CAP_BIT(cap) (UINT64_C(1) << (cap))

/* What --root keeps, so that apt and dpkg can write everywhere in the image. */
static const int root_caps[] = { CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID };

int caps_parse(const struct strv *names, const char *option, uint64_t *ret, struct err *e)
{
	*ret = 0;
	for (size_t i = 0; i < names->n; i++) {
		int cap = profile_cap(names->v[i]);

		if (cap < 0 || cap > 63) {
			err_set(e, EINVAL, "%s %s: no such capability", option, names->v[i]);
			if (str_eq(names->v[i], "CAP_ALL") || str_eq(names->v[i], "ALL"))
				err_hint(e, "name those that the command needs");
			return -EINVAL;
		}
		*ret |= CAP_BIT(cap);
	}
	return 0;
}

int caps_check_real_root(const struct host *h, uint64_t caps, struct err *e)
{
	if (h->uid != 0 || !(caps & CAP_BIT(CAP_SYS_ADMIN)))
		return 0;
	return err_set(e, EPERM,
		       "--cap-add CAP_SYS_ADMIN: not when started by root: it could take away the "
		       "masks of /proc and /sys");
}

/* Bits of --cap-drop, where ALL is everything. */
static int caps_parse_drop(const struct strv *names, uint64_t *ret, struct err *e)
{
	for (size_t i = 0; i < names->n; i++) {
		if (str_eq(names->v[i], "CAP_ALL") || str_eq(names->v[i], "ALL")) {
			*ret = UINT64_MAX;
			return 0;
		}
	}
	return caps_parse(names, "--cap-drop", ret, e);
}

int plan_caps(struct builder *b, struct err *e)
{
	struct plan_caps *c = &b->p->process.caps;
	uint64_t add, drop, keep = 0;
	int r = caps_parse(&b->req->cap_add, "--cap-add", &add, e);

	if (r >= 0)
		r = caps_parse_drop(&b->req->cap_drop, &drop, e);
	if (r < 0)
		return r;
	r = caps_check_real_root(b->host, add, e);
	if (r < 0)
		return r;
	for (size_t i = 0; b->root && i < ELEMENTS(root_caps); i++)
		keep |= CAP_BIT(root_caps[i]);
	if (b->subid)
		keep = subids_caps();
	keep = (keep & ~drop) | add;
	c->bounding = keep;
	/* another id of the ranges has what was added, root's set only by becoming root again */
	c->keep = b->subid && b->uid != 0 ? add : keep;
	c->ambient = b->uid == 0 ? 0 : c->keep;
	return 0;
}

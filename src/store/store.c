/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - open and close.
 */
#include "store_private.h"

#include <gpurun/fd.h>

int store_open(struct arena *a, const struct store_options *o, struct store **ret, struct err *e)
{
	struct store *s = ARENA_NEW(a, struct store);
	int r;

	s->arena = a;
	s->uid = o->uid;
	s->own.fd = -1;
	s->overlay = -1;
	r = place_open(s, o, e);
	if (r < 0)
		return r;
	s->own.users = o->users;
	place_open_read_only(s, o->ro_list);
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	s->own.fd = fd_close(s->own.fd);
	for (size_t i = 0; i < s->n_ro; i++)
		s->ro[i].fd = fd_close(s->ro[i].fd);
	s->n_ro = 0;
}

const char *store_path(const struct store *s)
{
	return s->own.path;
}

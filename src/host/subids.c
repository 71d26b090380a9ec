/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subordinate ids: lines "NAME-OR-UID:START:COUNT" of /etc/subuid and /etc/subgid, subuid(5).
 * The files only say what may be asked for; newuidmap(1) checks it again.
 */
#include <errno.h>

#include <gpurun/str.h>

#include "look.h"

#define SUBID_TEXT_MAX (1U << 20)

/* One line; 0 when it is not ours or not a line. */
static int subid_line(struct arena *a, const char *line, const struct host *h, uint32_t *ret_start,
		      uint32_t *ret_count)
{
	struct strv f = { 0 };
	uint64_t start, count;

	str_split(a, line, ':', &f);
	if (f.n != 3)
		return 0;
	if (!str_eq(f.v[0], h->user) && !str_eq(f.v[0], arena_printf(a, "%u", h->uid)))
		return 0;
	if (num_u64(f.v[1], UINT32_MAX, &start) < 0 || num_u64(f.v[2], UINT32_MAX, &count) < 0)
		return 0;
	if (count == 0 || start + count > UINT32_MAX)
		return 0;
	*ret_start = (uint32_t)start;
	*ret_count = (uint32_t)count;
	return 1;
}

/* The user's ranges in the file @path; their number, at most HOST_SUBIDS_MAX. */
static size_t subid_file(struct arena *a, const struct sysroot *root, const char *path,
			 const struct host *h, uint32_t ret[HOST_SUBIDS_MAX][2])
{
	struct strv lines = { 0 };
	size_t n = 0;
	char *text;

	if (look_text(a, root, path, SUBID_TEXT_MAX, &text, NULL) < 0)
		return 0;
	str_split(a, text, '\n', &lines);
	for (size_t i = 0; i < lines.n && n < HOST_SUBIDS_MAX; i++)
		n += (size_t)subid_line(a, lines.v[i], h, &ret[n][0], &ret[n][1]);
	return n;
}

int host_subids(struct arena *a, const struct sysroot *root, struct host *h, struct err *e)
{
	uint32_t v[HOST_SUBIDS_MAX][2];
	struct host_subids *s = &h->subids;

	s->n_uids = subid_file(a, root, "/etc/subuid", h, v);
	for (size_t i = 0; i < s->n_uids; i++) {
		s->uids[i].start = v[i][0];
		s->uids[i].count = v[i][1];
	}
	s->n_gids = subid_file(a, root, "/etc/subgid", h, v);
	for (size_t i = 0; i < s->n_gids; i++) {
		s->gids[i].start = v[i][0];
		s->gids[i].count = v[i][1];
	}
	if (s->n_uids && s->n_gids)
		return 0;
	err_set(e, ENOENT, "--userns subid: %s has no subordinate ids in %s", h->user,
		s->n_uids ? "/etc/subgid" : "/etc/subuid");
	err_hint(e,
		 "as root run usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s, "
		 "or leave the option out",
		 h->user);
	return -ENOENT;
}

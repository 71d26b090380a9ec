/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - read the plan in a container's record (the JSON that plan_dump() wrote).
 */
#include <errno.h>

#include <gpurun/profile.h>
#include <gpurun/str.h>

#include "cmd.h"
#include "record.h"

int record_find(struct arena *a, const char *what, struct state *ret, const struct json **ret_plan,
		struct err *e)
{
	struct strv dirs = { 0 };
	int r = place_states(a, &dirs, e);

	if (r >= 0)
		r = state_find(a, &dirs, what, ret, e);
	if (r < 0)
		return r;
	return json_parse(a, ret->plan, strlen(ret->plan), "record of the container", ret_plan, e);
}

void record_members(struct jsonw *w, const struct state *st)
{
	jsonw_str(w, "id", st->id);
	jsonw_str(w, "name", st->name);
	jsonw_str(w, "step", st->step);
	jsonw_uint(w, "ranks", st->n_ranks);
	jsonw_str(w, "image", st->image);
	jsonw_str(w, "command", st->command);
	jsonw_int(w, "launcher", st->launcher);
	jsonw_int(w, "payload", st->payload);
	jsonw_int(w, "created", st->created);
}

int64_t record_uid(const struct json *plan)
{
	const struct json *map = json_get(json_get(plan, "container"), "uid_map");
	const struct json *inside = map ? json_get(map->child, "inside") : NULL;

	return inside && inside->type == JSON_INT ? inside->num : -1;
}

static int caps_set(const struct json *list, uint64_t *ret)
{
	for (const struct json *c = list ? list->child : NULL; c; c = c->next) {
		int cap = c->type == JSON_STRING ? profile_cap(c->str) : (int)c->num;

		if (cap < 0 || cap > 63)
			return -EINVAL;
		*ret |= 1ULL << cap;
	}
	return 0;
}

int record_caps(const struct json *plan, struct plan_caps *ret)
{
	const struct json *caps = json_get(json_get(plan, "process"), "caps");
	int r = caps_set(json_get(caps, "bounding"), &ret->bounding);

	if (r >= 0)
		r = caps_set(json_get(caps, "keep"), &ret->keep);
	return r < 0 ? r : caps_set(json_get(caps, "ambient"), &ret->ambient);
}

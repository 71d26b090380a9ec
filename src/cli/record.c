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
	const char *dir = NULL;
	int r = place_state(a, &dir, e);

	if (r >= 0)
		r = state_find(a, dir, what, ret, e);
	if (r < 0)
		return r;
	return json_parse(a, ret->plan, strlen(ret->plan), "record of the container", ret_plan, e);
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

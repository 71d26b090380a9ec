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

const char *record_label(struct arena *a, const char *key, const char *plan_json)
{
	char whose[HEX_DIGEST_LEN + 1], plan[HEX_DIGEST_LEN + 1] = "";

	hex_digest(key, strlen(key), whose);
	if (plan_json)
		hex_digest(plan_json, strlen(plan_json), plan);
	return arena_printf(a, "gpurun-%s-%s", whose, plan);
}

/* Is what the container writes below @dir? */
static bool writes_below(struct arena *a, const struct state *st, const char *dir)
{
	const struct json *plan = NULL, *root;
	const char *upper;
	struct strv lowers = { 0 };

	if (json_parse(a, st->plan, strlen(st->plan), "record", &plan, NULL) < 0)
		return false;
	root = json_get(json_get(plan, "container"), "root");
	upper = json_str(root, "upper");
	if (upper)
		return path_below(upper, dir);
	return json_strv(a, root, "lowers", &lowers) >= 0 && lowers.n &&
	       path_below(lowers.v[0], dir);
}

const char *record_step_using(void *arg, const char *id, const char *dir)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct strv dirs = { 0 };
	struct state *v = NULL;
	size_t n = 0;

	if (place_states(a, &dirs, NULL) < 0 || state_list(a, &dirs, &v, &n, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (!v[i].step[0])
			continue; /* its launcher holds the locks */
		if (id ? str_eq(v[i].image_id, id) : writes_below(a, &v[i], dir))
			return arena_printf(arg, "step %s", v[i].step);
	}
	return NULL;
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

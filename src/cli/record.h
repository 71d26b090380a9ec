/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - what the verbs on running containers read from the plan in a container's record.
 */
#ifndef GPURUN_CLI_RECORD_H
#define GPURUN_CLI_RECORD_H

#include <gpurun/json.h>
#include <gpurun/plan.h>
#include <gpurun/state.h>

/** record_find - a running container and its plan's JSON */
int record_find(struct arena *a, const char *what, struct state *ret, const struct json **ret_plan,
		struct err *e);

/**
 * record_step_using - the step of which a living container uses the image @id, or writes into the
 * directory @dir or below it; NULL: none.  For struct store_users: @arg is the answer's arena.
 */
const char *record_step_using(void *arg, const char *id, const char *dir);

/**
 * record_label - by what a container of a step is known: whose it is, and the plan that it was made
 * with, as digests of both; without @plan_json the first part, with which each such label begins
 */
const char *record_label(struct arena *a, const char *key, const char *plan_json);

/** record_members - what ps and inspect tell of a container in JSON, into an open object */
void record_members(struct jsonw *w, const struct state *st);

/** record_uid - the id that the container's one mapped id has inside */
int64_t record_uid(const struct json *plan);

/** record_caps - the capability sets; -EINVAL for a name that is not known */
int record_caps(const struct json *plan, struct plan_caps *ret);

#endif

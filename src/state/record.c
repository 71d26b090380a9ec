/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - the text of a container's record, written and read.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/uio.h>

#include <gpurun/json.h>
#include <gpurun/str.h>

#include "state_file.h"

#define PLAN_MARK "\n\"plan\":"

/* The members, without the brace that ends the object; their length. */
static const char *head_format(struct arena *a, const struct state *st, size_t *ret_len)
{
	struct jsonw w = { .a = a, .compact = true };
	const char *head, *end;

	jsonw_begin_object(&w, NULL);
	jsonw_str(&w, "id", st->id);
	jsonw_str(&w, "name", st->name);
	jsonw_str(&w, "image", st->image);
	jsonw_str(&w, "command", st->command);
	jsonw_int(&w, "launcher", st->launcher);
	jsonw_int(&w, "payload", st->payload);
	jsonw_uint(&w, "payload_start", st->payload_start);
	jsonw_int(&w, "created", st->created);
	jsonw_str(&w, "step", st->step ? st->step : "");
	jsonw_str(&w, "image_id", st->image_id ? st->image_id : "");
	jsonw_end_object(&w);
	head = jsonw_text(&w, ret_len);
	end = strrchr(head, '}'); /* the object's own: jsonw_text() ends with it and a newline */
	*ret_len = end ? (size_t)(end - head) : *ret_len;
	return head;
}

int state_write(struct arena *a, int fd, const struct state *st, const char *plan_json)
{
	static const char mark[] = "," PLAN_MARK, end[] = "}\n";
	const char *plan = plan_json ? plan_json : "null";
	struct iovec v[] = {
		{ .iov_len = 0 },
		{ .iov_base = (void *)(uintptr_t)mark, .iov_len = sizeof(mark) - 1 },
		{ .iov_base = (void *)(uintptr_t)plan, .iov_len = strlen(plan) },
		{ .iov_base = (void *)(uintptr_t)end, .iov_len = sizeof(end) - 1 },
	};
	size_t n = 0;
	ssize_t w;

	v[0].iov_base = (void *)(uintptr_t)head_format(a, st, &v[0].iov_len);
	for (size_t i = 0; i < ELEMENTS(v); i++)
		n += v[i].iov_len;
	if (n > STATE_RECORD_MAX)
		return -EFBIG;
	do
		w = writev(fd, v, (int)ELEMENTS(v));
	while (w < 0 && errno == EINTR);
	if (w < 0)
		return -errno;
	return (size_t)w == n ? 0 : -ENOSPC;
}

static int64_t member_int(const struct json *obj, const char *key, int64_t max)
{
	const struct json *v = json_get(obj, key);

	return v && v->type == JSON_INT && v->num >= 0 && v->num <= max ? v->num : -1;
}

static const char *member_text(const struct json *obj, const char *key)
{
	const char *s = json_str(obj, key);

	return s ? s : "";
}

/* Cut the plan's text out of the record: the head is closed in its place. */
static char *cut_plan(struct arena *a, char *text, const char **ret_head)
{
	char *mark = strstr(text, "," PLAN_MARK), *plan, *end;

	if (!mark)
		return NULL;
	plan = mark + strlen("," PLAN_MARK);
	end = strrchr(plan, '}');
	if (!end)
		return NULL;
	*end = '\0';
	*mark = '\0';
	*ret_head = arena_printf(a, "%s}", text);
	return plan;
}

int state_parse(struct arena *a, char *text, struct state *ret)
{
	const char *head = NULL, *plan = cut_plan(a, text, &head);
	const struct json *j = NULL;
	const char *id;
	int r;

	if (!plan)
		return -EINVAL;
	r = json_parse(a, head, strlen(head), "record", &j, NULL);
	if (r < 0)
		return r;
	id = member_text(j, "id");
	if (!state_id_valid(id))
		return -EINVAL;
	memcpy(ret->id, id, sizeof(ret->id));
	ret->name = member_text(j, "name");
	ret->image = member_text(j, "image");
	ret->command = member_text(j, "command");
	ret->launcher = (pid_t)member_int(j, "launcher", INT_MAX);
	ret->payload = (pid_t)member_int(j, "payload", INT_MAX);
	ret->payload_start = (uint64_t)member_int(j, "payload_start", INT64_MAX);
	ret->created = member_int(j, "created", INT64_MAX);
	ret->step = member_text(j, "step");
	ret->image_id = member_text(j, "image_id");
	ret->key = "";
	ret->plan = plan;
	if (ret->created < 0)
		return -EINVAL;
	/* the payload of a step's container is one of its ranks, and nobody launches it */
	return ret->step[0] || (ret->launcher > 0 && ret->payload > 0) ? 0 : -EINVAL;
}

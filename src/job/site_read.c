/* SPDX-License-Identifier: Apache-2.0 */
/* site_read.c - a tree of JSON becomes a file of site.d. */
#include <errno.h>
#include <stddef.h>

#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "site.h"

#define BIT(kind) (1U << (kind))

static const struct when_row {
	const char *name;
	unsigned int bits;
} when_rows[] = {
	{ "job", BIT(JOB_BATCH) | BIT(JOB_STEP) },
	{ "step", BIT(JOB_STEP) },
	{ "batch", BIT(JOB_BATCH) },
	{ "always", BIT(JOB_NONE) | BIT(JOB_BATCH) | BIT(JOB_STEP) },
};

static int read_when(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	const char *s = NULL;
	int err = json_read_string(r, v, at, &s);

	for (size_t i = 0; err == 0 && i < ELEMENTS(when_rows); i++) {
		if (str_eq(s, when_rows[i].name)) {
			*(unsigned int *)to = when_rows[i].bits;
			return 0;
		}
	}
	return err < 0 ? err : json_read_refuse(r, at, "none of job, step, batch, always");
}

static int read_bool(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	int err = json_read_flag(r, v, at, NULL);

	if (err == 0)
		*(bool *)to = v->num != 0;
	return err;
}

/* For people: one text, or one for each line. */
static int read_comment(struct json_reader *r, const struct json *v, const struct json_at *at,
			void *to)
{
	const char *s;
	struct strv lines = { 0 };

	(void)to;
	return v->type == JSON_STRING ? json_read_string(r, v, at, &s)
				      : json_read_strings(r, v, at, &lines);
}

static int read_pattern(struct json_reader *r, const struct json *v, const struct json_at *at,
			void *to)
{
	const char *s = NULL;
	int err = json_read_path(r, v, at, &s);

	if (err == 0)
		strv_push(r->a, to, s);
	return err;
}

static int read_patterns(struct json_reader *r, const struct json *v, const struct json_at *at,
			 void *to)
{
	return json_read_list(r, v, at, read_pattern, to);
}

static int read_node(struct json_reader *r, const struct json *v, const struct json_at *at,
		     void *to)
{
	static const struct json_member members[] = {
		{ "comment", read_comment, 0, false },
		{ "path", json_read_path, 0, true },
	};
	const char *path = NULL;
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &path);

	if (err < 0)
		return err;
	if (!str_after(path, "/dev/"))
		return json_read_refuse(r, at, "a device node outside of /dev");
	strv_push(r->a, to, path);
	return 0;
}

static int read_nodes(struct json_reader *r, const struct json *v, const struct json_at *at,
		      void *to)
{
	return json_read_list(r, v, at, read_node, to);
}

/* Nothing set-uid and no device node comes in by a mount, and mounts below come along, always. */
static const struct option_row {
	const char *name;
	uint64_t attrs;
} option_rows[] = {
	{ "ro", MOUNT_ATTR_RDONLY },
	{ "rw", 0 },
	{ "noexec", MOUNT_ATTR_NOEXEC },
	{ "nosuid", 0 },
	{ "nodev", 0 },
	{ "rbind", 0 },
};

static int read_option(struct json_reader *r, const struct json *v, const struct json_at *at,
		       void *to)
{
	const char *s = NULL;
	int err = json_read_string(r, v, at, &s);

	for (size_t i = 0; err == 0 && i < ELEMENTS(option_rows); i++) {
		if (str_eq(s, option_rows[i].name)) {
			*(uint64_t *)to |= option_rows[i].attrs;
			return 0;
		}
	}
	return err < 0 ? err : json_read_refuse(r, at, "not an option");
}

static int read_options(struct json_reader *r, const struct json *v, const struct json_at *at,
			void *to)
{
	return json_read_list(r, v, at, read_option, to);
}

static int read_mount(struct json_reader *r, const struct json *v, const struct json_at *at,
		      void *to)
{
	static const struct json_member members[] = {
		{ "comment", read_comment, 0, false },
		{ "hostPath", json_read_path, offsetof(struct site_mount, src), true },
		{ "containerPath", json_read_path, offsetof(struct site_mount, dst), false },
		{ "options", read_options, offsetof(struct site_mount, attrs), false },
		{ "if_exists", read_bool, offsetof(struct site_mount, if_exists), false },
	};
	struct site_file *f = to;
	struct site_mount m = { 0 };
	int err = json_read_object(r, v, at, members, ELEMENTS(members), &m);

	if (err < 0)
		return err;
	if (!m.dst)
		m.dst = m.src;
	if (!job_may_bind(m.dst) || path_below(m.dst, "/dev"))
		return json_read_refuse(
			r, at,
			arena_printf(r->a, "%s: nothing of the host can be mounted there", m.dst));
	VEC_PUSH(r->a, f->mounts, f->n_mounts, f->cap_mounts, m);
	return 0;
}

static int read_mounts(struct json_reader *r, const struct json *v, const struct json_at *at,
		       void *to)
{
	return json_read_list(r, v, at, read_mount, to);
}

int site_read(struct arena *a, const struct json *doc, const char *path, const char *name,
	      struct site_file *ret, struct err *e)
{
	static const struct json_member members[] = {
		{ "comment", read_comment, 0, false },
		{ "when", read_when, offsetof(struct site_file, when), false },
		{ "with_contain", read_bool, offsetof(struct site_file, contained), false },
		{ "if_exists", read_patterns, offsetof(struct site_file, if_exists), false },
		{ "mounts", read_mounts, 0, false },
		{ "deviceNodes", read_nodes, offsetof(struct site_file, nodes), false },
		{ "env", json_read_variables, offsetof(struct site_file, env), false },
		{ "env_prepend", json_read_variables, offsetof(struct site_file, env_prepend),
		  false },
		{ "libraries", read_patterns, offsetof(struct site_file, libraries), false },
	};
	struct json_reader reader = { .a = a, .file = path, .e = e };
	struct site_file f = { .path = path, .name = name, .when = when_rows[0].bits };
	int r = json_read_object(&reader, doc, NULL, members, ELEMENTS(members), &f);

	if (r == 0)
		*ret = f;
	return r;
}

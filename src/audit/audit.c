/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c - the lines of --audit: opened early, written at the start and at the end.
 * gpurun-audit(5) describes every member; lines.c writes them.
 */
#include <errno.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "lines.h"

struct audit {
	struct arena *a;
	struct target target;
	struct lines lines;
};

int audit_open(struct arena *a, const char *target, struct audit **ret, struct err *e)
{
	_cleanup_fd_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct audit *w = ARENA_NEW(a, struct audit);
	int r;

	if (root < 0)
		return err_sys(e, errno, "/");
	w->a = a;
	r = target_open(a, target, &w->target, e);
	if (r < 0)
		return r;
	look_open(a, root, &w->lines.look);
	*ret = w;
	return 0;
}

static int write_line(struct audit *w, const char *line, size_t len, const struct line_fields *f,
		      struct err *e)
{
	int r = target_write(w->a, &w->target, line, len, f->v, f->n);

	return r < 0 ? err_sys(e, -r, "--audit %s", w->target.name) : 0;
}

int audit_start(struct audit *w, const struct audit_facts *f, struct err *e)
{
	struct line_fields fields;
	size_t len;
	const char *line = lines_start(w->a, &w->lines, f, &fields, &len);

	return write_line(w, line, len, &fields, e);
}

int audit_end(struct audit *w, const struct audit_facts *f, const struct audit_result *r,
	      struct err *e)
{
	struct line_fields fields;
	size_t len;
	const char *line = lines_end(w->a, &w->lines, f, r, &fields, &len);

	return write_line(w, line, len, &fields, e);
}

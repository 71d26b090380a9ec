/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.h - the JSON of --audit; private to src/audit/.
 */
#ifndef GPURUN_AUDIT_LINES_H
#define GPURUN_AUDIT_LINES_H

#include <time.h>

#include <gpurun/audit.h>

#include "look.h"
#include "target.h"

#define LINES_VERSION  1
#define LINES_TEXT_MAX 4096 /* bytes of one text: a path, a word */

/* What the journal gets beside the line. */
#define LINE_FIELDS_MAX 12
struct line_fields {
	struct target_field v[LINE_FIELDS_MAX];
	size_t n;
};

/* What the second line needs of the first. */
struct lines {
	struct look look;
	struct timespec started;
	struct rusage before;    /* of children that ended before the command began */
	struct look_usage usage; /* of the cgroup then */
};

/** lines_start - the line at the start, with its newline; notes in @l when that was */
const char *lines_start(struct arena *a, struct lines *l, const struct audit_facts *f,
			struct line_fields *ret_fields, size_t *ret_len);

/** lines_end - the line at the end */
const char *lines_end(struct arena *a, const struct lines *l, const struct audit_facts *f,
		      const struct audit_result *r, struct line_fields *ret_fields,
		      size_t *ret_len);

#endif

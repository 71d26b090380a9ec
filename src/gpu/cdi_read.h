/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdi_read.h - trees of JSON or YAML read strictly, by tables; private to src/gpu/.
 */
#ifndef GPURUN_GPU_CDI_READ_H
#define GPURUN_GPU_CDI_READ_H

#include <stdbool.h>

#include <gpurun/json.h>

#define CDI_LIST_MAX 4096U /* entries of one list */

/* Where we are: "devices[2].containerEdits.mounts[0].hostPath" */
struct cdi_at {
	const struct cdi_at *up;
	const char *name; /* of a member; NULL: an element of a list */
	size_t index;
};

struct cdi_reader {
	struct arena *a;
	const char *file;
	struct err *e;
};

/* Check the value @v and put it at @to. */
typedef int cdi_read_fn(struct cdi_reader *r, const struct json *v, const struct cdi_at *at,
			void *to);

/* struct cdi_member - of an object; its value goes to @offset of what the object becomes */
struct cdi_member {
	const char *name;
	cdi_read_fn *read;
	size_t offset;
	bool required;
};

/** cdi_read_refuse - the error "FILE: PLACE: @reason"; returns -EINVAL */
int cdi_read_refuse(struct cdi_reader *r, const struct cdi_at *at, const char *reason);

/** cdi_read_object - its members by the table of @n; unknown ones are errors */
int cdi_read_object(struct cdi_reader *r, const struct json *v, const struct cdi_at *at,
		    const struct cdi_member *members, size_t n, void *to);

/** cdi_read_list - each element by @read, which puts it behind those before */
int cdi_read_list(struct cdi_reader *r, const struct json *v, const struct cdi_at *at,
		  cdi_read_fn *read, void *to);

/* A string without control characters to a const char *, an absolute path (cleaned). */
cdi_read_fn cdi_read_string, cdi_read_path;
/* One string more to a struct strv, a list of them. */
cdi_read_fn cdi_read_one_string, cdi_read_strings;
/* Of the right type, and not kept: nobody needs it. */
cdi_read_fn cdi_read_number, cdi_read_flag;

#endif

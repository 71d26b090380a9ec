/* SPDX-License-Identifier: Apache-2.0 */
/* add.c - operations, put where edits.h wants them. */
#include <gpurun/driver.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

/* Nothing set-uid comes in by a bind of ours, and no device node but by name. */
#define BIND_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

bool job_may_bind(const char *path)
{
	static const char *const ours[] = { "/proc", "/sys", GPU_DIR };

	for (size_t i = 0; i < ELEMENTS(ours); i++)
		if (path_below(path, ours[i]))
			return false;
	return path[0] == '/' && !str_eq(path, "/") && !str_eq(path, "/dev");
}

static void add(struct job_builder *b, struct op_list *to, struct op op)
{
	VEC_PUSH(b->a, to->v, to->n, to->cap, op);
}

void job_add_bind(struct job_builder *b, const char *src, const char *dst, uint64_t attrs,
		  uint32_t flags, const char *why)
{
	struct stat st;
	bool directory = job_stat(b, src, &st) == 0 && S_ISDIR(st.st_mode);

	add(b, directory ? &b->ed.ops : &b->ed.files,
	    (struct op){
		    .kind = OP_BIND,
		    .src = src,
		    .dst = dst,
		    .attrs = attrs | BIND_ATTRS,
		    .flags = flags | (directory ? OPF_RECURSIVE : 0U),
		    .why = why,
	    });
}

int job_add_nodes(struct job_builder *b, const char *pattern, const char *why)
{
	struct strv paths = { 0 };
	int n = 0, r = job_glob(b, pattern, &paths);

	for (size_t i = 0; r >= 0 && i < paths.n; i++) {
		struct stat st;

		if (job_stat(b, paths.v[i], &st) < 0 || !job_is_node(b, &st))
			continue;
		add(b, &b->ed.ops,
		    (struct op){
			    .kind = OP_BIND_DEV,
			    .src = paths.v[i],
			    .dst = paths.v[i],
			    .rdev = S_ISCHR(st.st_mode) ? st.st_rdev : 0,
			    .why = why,
		    });
		n++;
	}
	return r < 0 ? r : n;
}

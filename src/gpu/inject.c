/* SPDX-License-Identifier: Apache-2.0 */
/* What the chosen GPUs put into the container (pure). */
#include <gpurun/driver.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

static void inject_node(struct arena *a, struct edits *ed, const struct gpu_node *node,
			const char *why)
{
	struct op op = {
		.kind = OP_BIND_DEV,
		.src = node->path,
		.dst = node->path,
		.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
		.rdev = node->rdev,
		.why = why,
	};

	VEC_PUSH(a, ed->ops.v, ed->ops.n, ed->ops.cap, op);
}

int gpu_edits(struct arena *a, const struct gpu_choices *chosen, const struct gpu_sight *sight,
	      const struct gpu_options *o, const struct gpu_target *t, struct edits *ret,
	      struct strv *ret_warn, struct err *e)
{
	struct edits ed = { .source = "gpu" };

	(void)t;
	(void)ret_warn;
	(void)e;
	for (size_t i = 0; i < sight->nodes.n; i++)
		inject_node(a, &ed, &sight->nodes.v[i],
			    arena_printf(a, "nvidia driver (%s)", o->ask));
	for (size_t i = 0; i < chosen->n; i++)
		inject_node(a, &ed, &chosen->v[i].gpu->node,
			    arena_printf(a, "gpu %d (%s)", chosen->v[i].gpu->index, o->ask));
	if (chosen->n)
		strv_push(a, &ed.env, "NVIDIA_VISIBLE_DEVICES=void");
	*ret = ed;
	return 0;
}

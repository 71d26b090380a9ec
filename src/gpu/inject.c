/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the chosen GPUs put into the container (pure).
 *
 * The order of the operations:
 *
 *   files  our tmpfs, the driver's libraries in it, the merged ld.so.cache; programs, data files
 *	    and sockets at their own paths; files that CDI names
 *   ops    device nodes, links below /dev, the masked /proc/driver/nvidia, and last directories
 *	    of the host
 *
 * Nothing comes from the image but names and the bytes of its ld.so.cache.
 */
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "inject.h"

#define BIND_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

void inject_file(struct injector *in, struct op op)
{
	VEC_PUSH(in->a, in->ed.files.v, in->ed.files.n, in->ed.files.cap, op);
}

void inject_op(struct injector *in, struct op op)
{
	VEC_PUSH(in->a, in->ed.ops.v, in->ed.ops.n, in->ed.ops.cap, op);
}

/* ---- device nodes ---------------------------------------------------------------------------- */

static bool has_node(const struct injector *in, const char *path)
{
	for (size_t i = 0; i < in->ed.ops.n; i++)
		if (in->ed.ops.v[i].kind == OP_BIND_DEV && str_eq(in->ed.ops.v[i].dst, path))
			return true;
	return false;
}

/* Once: MIG devices share the node of their GPU and that of their GPU instance. */
static void inject_node(struct injector *in, const struct gpu_node *node, const char *why)
{
	const char *dst = node->dst ? node->dst : node->path;

	if (!node->path || !*node->path || has_node(in, dst))
		return;
	inject_op(in, (struct op){
			      .kind = OP_BIND_DEV,
			      .src = node->path,
			      .dst = dst,
			      .rdev = node->rdev,
			      .why = why,
		      });
}

static void inject_mig_nodes(struct injector *in, const struct gpu_mig *m, const char *why)
{
	for (size_t i = 0; i < ELEMENTS(m->access); i++)
		inject_node(in, &m->access[i], why);
}

const char *inject_why(struct injector *in, const struct gpu_choice *c)
{
	const struct gpu *g = c->gpu;

	if (g->index < 0)
		return arena_printf(in->a, "gpu %s of other ranks (%s)", g->pci, in->o->ask);
	if (c->mig && c->mig->index >= 0)
		return arena_printf(in->a, "gpu %d:%d (%s)", g->index, c->mig->index, in->o->ask);
	return arena_printf(in->a, "gpu %d (%s)", g->index, in->o->ask);
}

/* The node of the GPU, and those of its MIG devices: of the chosen one, or of all. */
static void inject_choice(struct injector *in, const struct gpu_choice *c)
{
	const struct gpu *g = c->gpu;
	const char *why = inject_why(in, c);

	inject_node(in, &g->node, why);
	if (c->mig)
		inject_mig_nodes(in, c->mig, why);
	for (size_t i = 0; !c->mig && i < g->n_migs; i++)
		if (!g->migs[i].denied)
			inject_mig_nodes(in, &g->migs[i], why);
}

/* "LINK\tTARGET" below /dev. */
static void inject_link(struct injector *in, const char *line)
{
	const char *tab = strchr(line, '\t');

	if (!tab)
		return;
	inject_op(in, (struct op){
			      .kind = OP_SYMLINK,
			      .dst = arena_strndup(in->a, line, (size_t)(tab - line)),
			      .data = tab + 1,
			      .data_len = strlen(tab + 1),
			      .why = in->why,
		      });
}

static void inject_devices(struct injector *in)
{
	const struct gpu_nodes *nodes = &in->sight->nodes;

	for (size_t i = 0; i < nodes->n; i++) {
		const char *by = nodes->v[i].why;

		if (!by || !*by)
			by = in->why;
		else if (str_after(by, "--"))
			by = arena_printf(in->a, "nvidia driver (%s)", by);
		inject_node(in, &nodes->v[i], by);
	}
	for (size_t i = 0; i < in->chosen->n; i++)
		inject_choice(in, &in->chosen->v[i]);
	for (size_t i = 0; i < in->sight->links.n; i++)
		inject_link(in, in->sight->links.v[i]);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static void inject_list(struct op_list *to, struct arena *a, const struct op_list *from)
{
	for (size_t i = 0; i < from->n; i++)
		VEC_PUSH(a, to->v, to->n, to->cap, from->v[i]);
}

/* "ro PATH", "rw PATH": host directories and files, with what is mounted below them. */
static void inject_binds(struct injector *in)
{
	for (size_t i = 0; i < in->sight->binds.n; i++) {
		const char *line = in->sight->binds.v[i];
		const char *path = str_after(line, "rw ");
		uint64_t attrs = BIND_ATTRS;

		if (!path) {
			path = str_after(line, "ro ");
			attrs |= MOUNT_ATTR_RDONLY;
		}
		if (path)
			inject_op(in, (struct op){
					      .kind = OP_BIND,
					      .src = path,
					      .dst = path_clean(in->a, path),
					      .attrs = attrs,
					      .flags = OPF_RECURSIVE,
					      .why = in->why,
				      });
	}
}

/*
 * NVIDIA_VISIBLE_DEVICES=void: another runtime inside, to which the variable is an order, gives
 * no devices of its own accord.
 */
static void inject_env(struct injector *in)
{
	strv_push(in->a, &in->ed.env, "NVIDIA_VISIBLE_DEVICES=void");
	strv_push(in->a, &in->ed.env,
		  arena_printf(in->a, "NVIDIA_DRIVER_CAPABILITIES=%s",
			       gpu_caps_text(in->a, in->o->caps)));
	for (size_t i = 0; i < in->sight->env.n; i++)
		strv_push(in->a, &in->ed.env, in->sight->env.v[i]);
}

int gpu_edits(struct arena *a, const struct gpu_choices *chosen, const struct gpu_sight *sight,
	      const struct gpu_options *o, const struct gpu_target *t, struct edits *ret,
	      struct strv *ret_warn, struct err *e)
{
	const char *version = sight->driver ? sight->driver->version : NULL;
	const char *what = version || chosen->n ? "nvidia driver" : "CDI";
	struct injector in = {
		.a = a,
		.chosen = chosen,
		.sight = sight,
		.o = o,
		.t = t,
		.why = arena_printf(a, "%s%s%s (%s)", what, version ? " " : "",
				    version ? version : "", o->ask),
		.warn = ret_warn,
		.ed = { .source = "gpu" },
	};

	(void)e;
	inject_libs(&in);
	inject_files(&in);
	inject_list(&in.ed.files, a, &sight->files);
	inject_devices(&in);
	inject_proc(&in);
	inject_binds(&in);
	inject_list(&in.ed.ops, a, &sight->dirs);
	inject_env(&in);
	*ret = in.ed;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/driver/nvidia with the chosen GPUs only: a tmpfs over the kernel's directory, copies of
 * the three texts, and the chosen GPUs' directories bound from the host.
 *
 * The copy of params says ModifyDeviceFiles: 0, or NVML and CUDA, run as root inside, would make
 * device nodes (mknod, chmod) of their own accord.
 */
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "inject.h"

#define PROC_DRIVER "/proc/driver"
#define PROC_NVIDIA PROC_DRIVER "/nvidia"
#define PROC_PARAMS PROC_NVIDIA "/params"
#define PROC_MIG    PROC_NVIDIA "/capabilities/gpu%d/mig/gi%d"

#define PROC_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define PROC_SIZE  (UINT64_C(1) << 20)

static void proc_file(struct injector *in, const char *dst, const char *text, uint32_t flags)
{
	if (text)
		inject_op(in, (struct op){
				      .kind = OP_FILE,
				      .dst = dst,
				      .mode = 0444,
				      .data = text,
				      .data_len = strlen(text),
				      .flags = flags,
				      .why = in->why,
			      });
}

/* A directory or file of the host's proc at the same path; once. */
static void proc_bind(struct injector *in, const char *path, const char *why)
{
	for (size_t i = 0; i < in->ed.ops.n; i++)
		if (str_eq(in->ed.ops.v[i].dst, path))
			return;
	inject_op(in, (struct op){
			      .kind = OP_BIND,
			      .src = path,
			      .dst = path,
			      .attrs = PROC_ATTRS | MOUNT_ATTR_RDONLY,
			      .flags = OPF_OPTIONAL,
			      .why = why,
		      });
}

/* NVML finds an instance's node by these. */
static void proc_mig(struct injector *in, const struct gpu *g, const struct gpu_mig *m,
		     const char *why)
{
	proc_bind(in, arena_printf(in->a, PROC_MIG "/access", g->minor, m->gi), why);
	proc_bind(in, arena_printf(in->a, PROC_MIG "/ci%d/access", g->minor, m->gi, m->ci), why);
}

static void proc_choice(struct injector *in, const struct gpu_choice *c)
{
	const struct gpu *g = c->gpu;
	const char *why = inject_why(in, &(struct gpu_choice){ .gpu = g });

	proc_bind(in, path_join(in->a, PROC_NVIDIA "/gpus", g->pci), why);
	if (c->mig)
		proc_mig(in, g, c->mig, why);
	for (size_t i = 0; !c->mig && i < g->n_migs; i++)
		if (!g->migs[i].denied)
			proc_mig(in, g, &g->migs[i], why);
}

void inject_proc(struct injector *in)
{
	const struct gpu_sight *s = in->sight;

	if (!in->chosen->n && !s->proc_params)
		return;
	if (!in->chosen->n && !s->proc_hidden) {
		/* devices by CDI name: which directories are theirs is not known */
		proc_file(in, PROC_PARAMS, s->proc_params, OPF_BIND_FILE | OPF_OPTIONAL);
		return;
	}
	inject_op(in, (struct op){
			      .kind = OP_TMPFS,
			      .dst = s->proc_hidden ? PROC_DRIVER : PROC_NVIDIA,
			      .attrs = PROC_ATTRS,
			      .size = PROC_SIZE,
			      .mode = 0555,
			      .why = in->why,
		      });
	proc_file(in, PROC_PARAMS, s->proc_params, 0);
	proc_file(in, PROC_NVIDIA "/version", s->proc_version, 0);
	proc_file(in, PROC_NVIDIA "/registry", s->proc_registry, 0);
	for (size_t i = 0; i < in->chosen->n; i++)
		proc_choice(in, &in->chosen->v[i]);
}

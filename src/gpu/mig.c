/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MIG: the slices of a GPU, as the kernel module lists them, without NVML.
 *
 *	/proc/driver/nvidia/capabilities/gpu1/mig/gi2/access		 a GPU instance
 *	/proc/driver/nvidia/capabilities/gpu1/mig/gi2/ci0/access	 a compute instance of it
 *
 * A MIG device is a compute instance.  Who uses it opens the GPU's node and, to read, the
 * capability nodes of both instances, whose minors the files tell.  "gpu1" is the device minor,
 * not the index.  The UUID, the index and the profile are known to NVML only.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <gpurun/str.h>

#include "backend.h"
#include "nvidia.h"

#define MIG_PROC          NVIDIA_PROC "/capabilities"
#define MIG_INSTANCE_MAX  255U
#define MIG_INSTANCES_MAX 128U /* of a GPU; the module has numbers for 15 times 8 */

/* "gi12" with "gi": 12; -1: another name */
static int mig_number(const char *name, const char *prefix)
{
	const char *digits = str_after(name, prefix);
	uint64_t v;

	return digits && num_u64(digits, MIG_INSTANCE_MAX, &v) == 0 ? (int)v : -1;
}

/* The capability node that belongs to the directory @dir; returns why it cannot be used. */
static const char *mig_access(struct arena *a, const struct sysroot *root, int major,
			      const char *dir, struct gpu_node *node, int *ret_error)
{
	const char *file = arena_printf(a, "%s/access", dir);
	const char *text = gpu_read(a, root, file);
	int minor = text ? nvidia_cap_parse(a, text) : -1;

	*node = (struct gpu_node){ .path = "", .why = "" };
	*ret_error = ENODEV;
	if (minor < 0)
		return arena_printf(a, "%s: no device minor", file);
	node->path = arena_printf(a, "/dev/nvidia-caps/nvidia-cap%d", minor);
	return node_check(a, root, R_OK, major, minor, node, ret_error);
}

/* The compute instances of one GPU instance, in the directory @dir. */
static void mig_read_instance(struct arena *a, const struct sysroot *root, int major,
			      const char *dir, int gi, struct gpu *g)
{
	struct strv names = { 0 };
	struct gpu_node node;
	const char *denied;
	int error;

	if (gpu_list_dir(a, root, dir, &names) < 0)
		return;
	denied = mig_access(a, root, major, dir, &node, &error);
	for (size_t i = 0; i < names.n && g->n_migs < MIG_INSTANCES_MAX; i++) {
		struct gpu_mig m = { .gi = gi, .index = -1, .access = { node } };
		const char *own;

		m.ci = mig_number(names.v[i], "ci");
		if (m.ci < 0)
			continue;
		own = mig_access(a, root, major, arena_printf(a, "%s/%s", dir, names.v[i]),
				 &m.access[1], &m.denied_errno);
		m.denied = g->denied ? g->denied : denied ? denied : own;
		if (g->denied || denied)
			m.denied_errno = g->denied ? g->denied_errno : error;
		VEC_PUSH(a, g->migs, g->n_migs, g->cap_migs, m);
	}
}

static int mig_compare(const void *x, const void *y)
{
	const struct gpu_mig *a = x, *b = y;

	return a->gi != b->gi ? a->gi - b->gi : a->ci - b->ci;
}

static void mig_read_gpu(struct arena *a, const struct sysroot *root, int major, struct gpu *g)
{
	const char *dir = arena_printf(a, MIG_PROC "/gpu%d/mig", g->minor);
	struct strv names = { 0 };

	if (gpu_list_dir(a, root, dir, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		int gi = mig_number(names.v[i], "gi");

		if (gi >= 0)
			mig_read_instance(a, root, major, arena_printf(a, "%s/%s", dir, names.v[i]),
					  gi, g);
	}
	if (g->n_migs > 1)
		qsort(g->migs, g->n_migs, sizeof(*g->migs), mig_compare);
}

/* The GPU with that minor, or NULL. */
static struct gpu *mig_owner(struct gpu *v, size_t n, int minor)
{
	for (size_t i = 0; minor >= 0 && i < n; i++)
		if (v[i].minor == minor)
			return &v[i];
	return NULL;
}

/* Major of the capability nodes; it is given out when the module is loaded. */
static int mig_major(struct arena *a, const struct sysroot *root)
{
	const char *devices = gpu_read(a, root, "/proc/devices");

	return devices ? nvidia_major_parse(a, devices, "nvidia-caps") : -1;
}

void nvidia_look_migs(struct arena *a, const struct sysroot *root, struct gpu *v, size_t n)
{
	struct strv names = { 0 };
	int major = -1;

	/* one listing says for all GPUs that there is nothing to see */
	if (gpu_list_dir(a, root, MIG_PROC, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		struct gpu *g = mig_owner(v, n, mig_number(names.v[i], "gpu"));

		if (!g || g->n_migs)
			continue;
		if (major < 0)
			major = mig_major(a, root);
		mig_read_gpu(a, root, major, g);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NVIDIA back end: what /proc/driver/nvidia says, without NVML and without opening a device
 * (either would wake the GPU and run a setuid helper).
 *
 *	/proc/driver/nvidia/version
 *	/proc/driver/nvidia/gpus/0000:3b:00.0/information
 *
 * nvidia-smi's index is the position in PCI order among the GPUs that this process may open; the
 * minor number is the order in which the driver met the devices.  They differ on real machines.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "backend.h"
#include "nvidia.h"

#define NVIDIA_PROC   "/proc/driver/nvidia"
#define NVIDIA_VENDOR 0x10deU

#define NVIDIA_CTL "/dev/nvidiactl" /* NVML and CUDA open it first: without it no GPU */

/* Why the node @path cannot be used, for people. */
static const char *nvidia_reason(struct arena *a, const char *path, int error)
{
	switch (error) {
	case ENOENT:
		return arena_printf(a, "%s: node missing", path);
	case EPERM:
		return arena_printf(a, "%s: %s (device cgroup)", path, err_text(EPERM));
	case EACCES:
		return arena_printf(a, "%s: %s (file mode)", path, err_text(EACCES));
	case ENODEV:
		return arena_printf(a, "%s: not a character device", path);
	default:
		return arena_printf(a, "%s: %s", path, err_text(error));
	}
}

/* Fill node, denied and denied_errno of a GPU whose minor is known. */
static void nvidia_look_node(struct arena *a, const struct sysroot *root, struct gpu *g)
{
	const char *path = arena_printf(a, "/dev/nvidia%d", g->minor);
	dev_t expected = makedev(NVIDIA_MAJOR, (unsigned int)g->minor);
	int r = node_look(a, root, path, &g->node.rdev);

	g->node.path = path;
	if (r == 0 && g->node.rdev != expected) {
		g->denied = arena_printf(a, "%s: is device %u:%u, expected %u:%u", path,
					 major(g->node.rdev), minor(g->node.rdev), major(expected),
					 minor(expected));
	} else if (r < 0) {
		g->denied = nvidia_reason(a, path, -r);
		g->denied_errno = -r;
	}
}

/* One GPU by its directory name; -EINVAL when that is no PCI address. */
static int nvidia_read_gpu(struct arena *a, const struct sysroot *root, const char *name,
			   struct gpu *ret)
{
	const char *path = arena_printf(a, NVIDIA_PROC "/gpus/%s/information", name);
	const char *text = gpu_read(a, root, path);
	struct gpu g = { .backend = gpu_backend_nvidia.name, .index = -1, .pci = name };
	struct nvidia_info info;
	struct pci_address pci;

	if (pci_parse(name, &pci) < 0)
		return -EINVAL;
	nvidia_info_parse(a, text ? text : "", &info);
	g.minor = info.minor;
	g.uuid = info.uuid;
	g.model = info.model ? info.model : "NVIDIA GPU";
	if (info.excluded)
		g.denied = "excluded (GPU Excluded: Yes)";
	else if (g.minor < 0)
		g.denied = arena_printf(a, "%s: no device minor", path);
	else
		nvidia_look_node(a, root, &g);
	*ret = g;
	return 0;
}

static int nvidia_compare(const void *x, const void *y)
{
	struct pci_address a = { 0 }, b = { 0 };

	(void)pci_parse(((const struct gpu *)x)->pci, &a);
	(void)pci_parse(((const struct gpu *)y)->pci, &b);
	return pci_compare(&a, &b);
}

/* Why none of the GPUs can be used, or NULL; @ret_error: its errno. */
static const char *nvidia_look_control(struct arena *a, const struct sysroot *root, int *ret_error)
{
	dev_t rdev;
	int r = node_look(a, root, NVIDIA_CTL, &rdev);

	*ret_error = -r;
	return r < 0 ? nvidia_reason(a, NVIDIA_CTL, -r) : NULL;
}

static int nvidia_probe(struct arena *a, const struct sysroot *root, struct gpu_set *set,
			struct err *e)
{
	const char *version = gpu_read(a, root, NVIDIA_PROC "/version");
	struct strv names = { 0 };
	size_t first = set->n;
	const char *denied;
	int index = 0, error;

	if (version)
		set->driver_version = nvidia_version_parse(a, version);
	if (gpu_list_dir(a, root, NVIDIA_PROC "/gpus", &names) < 0) {
		set->on_bus |= pci_has_display(a, root, NVIDIA_VENDOR);
		return 0;
	}
	if (names.n > GPU_MAX)
		return err_set(e, E2BIG, NVIDIA_PROC "/gpus: more than %u entries", GPU_MAX);
	for (size_t i = 0; i < names.n; i++) {
		struct gpu g;

		if (nvidia_read_gpu(a, root, names.v[i], &g) == 0)
			VEC_PUSH(a, set->v, set->n, set->cap, g);
	}
	if (set->n == first)
		return 0;
	set->on_bus = true;
	qsort(set->v + first, set->n - first, sizeof(*set->v), nvidia_compare);
	denied = nvidia_look_control(a, root, &error);
	for (size_t i = first; i < set->n; i++) {
		struct gpu *g = &set->v[i];

		if (!g->denied && denied) {
			g->denied = denied;
			g->denied_errno = error;
		}
		if (!g->denied)
			g->index = index++;
	}
	return 0;
}

const struct gpu_backend gpu_backend_nvidia = {
	.name = "nvidia",
	.probe = nvidia_probe,
};

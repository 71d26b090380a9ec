/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NVIDIA back end: what /proc/driver/nvidia says, without NVML and without opening a device
 * (either would wake the GPU and run a setuid helper).
 *
 *	/proc/driver/nvidia/version
 *	/proc/driver/nvidia/gpus/0000:3b:00.0/information
 *	/proc/driver/nvidia/capabilities (mig.c)
 *
 * nvidia-smi's index is the position in PCI order among the GPUs that this process may open; the
 * minor number is the order in which the driver met the devices.  They differ on real machines.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "backend.h"
#include "nvidia.h"

#define NVIDIA_VENDOR 0x10deU

/* One GPU by its directory name; -EINVAL when that is no PCI address. */
static int nvidia_read_gpu(struct arena *a, const struct sysroot *root, const char *name,
			   struct gpu *ret)
{
	const char *path = arena_printf(a, NVIDIA_PROC "/gpus/%s/information", name);
	const char *text = gpu_read(a, root, path);
	struct gpu g = { .backend = gpu_backend_nvidia.name,
			 .index = -1,
			 .pci = name,
			 .node = { .path = "", .why = "" } };
	struct nvidia_info info;
	struct pci_address pci;

	if (pci_parse(name, &pci) < 0)
		return -EINVAL;
	nvidia_info_parse(a, text ? text : "", &info);
	g.minor = info.minor;
	g.uuid = info.uuid;
	g.model = info.model ? info.model : "NVIDIA GPU";
	if (g.minor >= 0) {
		g.node.path = arena_printf(a, "/dev/nvidia%d", g.minor);
		g.denied = node_check(a, root, R_OK | W_OK, NVIDIA_MAJOR, g.minor, &g.node,
				      &g.denied_errno);
	} else {
		g.denied = arena_printf(a, "%s: no device minor", path);
		g.denied_errno = ENODEV;
	}
	if (info.excluded) {
		g.denied = "excluded (GPU Excluded: Yes)";
		g.denied_errno = 0;
	}
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

/* NVML and CUDA open nvidiactl first: without it there is no GPU.  @ret_error as node_check() */
static const char *nvidia_check_control(struct arena *a, const struct sysroot *root, int *ret_error)
{
	struct gpu_node ctl = { .path = "/dev/nvidiactl" };

	return node_check(a, root, R_OK | W_OK, NVIDIA_MAJOR, NVIDIA_MINOR_CTL, &ctl, ret_error);
}

/* Numbers as nvidia-smi gives them: in the order of PCI, of those that can be opened. */
static void nvidia_number(struct arena *a, const struct sysroot *root, struct gpu *v, size_t n)
{
	int index = 0, error;
	const char *denied = nvidia_check_control(a, root, &error);

	qsort(v, n, sizeof(*v), nvidia_compare);
	for (size_t i = 0; i < n; i++) {
		if (!v[i].denied && denied) {
			v[i].denied = denied;
			v[i].denied_errno = error;
		}
		if (!v[i].denied)
			v[i].index = index++;
	}
}

static int nvidia_probe(struct arena *a, const struct sysroot *root, struct gpu_set *set,
			struct err *e)
{
	const char *version = gpu_read(a, root, NVIDIA_PROC "/version");
	struct strv names = { 0 };
	size_t first = set->n;

	if (version) { /* else there is no driver, and it lists no GPUs */
		set->driver_version = nvidia_version_parse(a, version);
		(void)gpu_list_dir(a, root, NVIDIA_PROC "/gpus", &names);
	}
	if (names.n > GPU_MAX)
		return err_set(e, E2BIG, NVIDIA_PROC "/gpus: more than %u entries", GPU_MAX);
	for (size_t i = 0; i < names.n; i++) {
		struct gpu g;

		if (nvidia_read_gpu(a, root, names.v[i], &g) == 0)
			VEC_PUSH(a, set->v, set->n, set->cap, g);
	}
	if (set->n == first) {
		set->on_bus |= pci_has_display(a, root, NVIDIA_VENDOR);
		return 0;
	}
	set->on_bus = true;
	nvidia_number(a, root, set->v + first, set->n - first);
	nvidia_look_migs(a, root, set->v + first, set->n - first);
	return 0;
}

const struct gpu_backend gpu_backend_nvidia = {
	.name = "nvidia",
	.probe = nvidia_probe,
};

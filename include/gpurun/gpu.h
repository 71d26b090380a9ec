/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu.h - the GPUs of the host, which of them were chosen, and what a choice puts into the
 * container.  A back end (NVIDIA first) is a row of gpu_backends[]: a name, probe, edits.
 */
#ifndef GPURUN_GPU_H
#define GPURUN_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <gpurun/edits.h>
#include <gpurun/err.h>

/* Everything that a probe reads is below this directory; "/" is just the usual one. */
struct sysroot {
	int fd;            /* O_PATH directory */
	const char *label; /* "" for the real root, else its path, for messages */
};

struct gpu_node {
	const char *path; /* on the host, e.g. /dev/nvidia0 */
	dev_t rdev;
};

/**
 * struct gpu - one GPU of the host
 * @index:  as nvidia-smi shows it to this process: PCI order among the accessible ones; -1 when
 *	    it is not accessible
 * @minor:  device minor; never assumed equal to @index
 * @denied: NULL, or why it cannot be used ("/dev/nvidia1: Operation not permitted (device
 *	    cgroup)", "node missing", "excluded")
 */
struct gpu {
	const char *backend; /* "nvidia" */
	int index;
	int minor;
	const char *uuid;  /* "GPU-..." or NULL */
	const char *pci;   /* "0000:3b:00.0" */
	const char *model; /* "NVIDIA A100-SXM4-40GB" */
	const char *denied;
	int denied_errno; /* ENOENT: node missing, EPERM: device cgroup, EACCES: file mode, 0: other */
	struct gpu_node node;
};

struct gpu_set {
	struct gpu *v;
	size_t n, cap;
	/* nodes that every container with a GPU of this back end needs (nvidiactl, uvm, ...) */
	struct gpu_node *common;
	size_t n_common, cap_common;
	bool on_bus;                /* a GPU is on the PCI bus, whether or not a driver is loaded */
	const char *driver_version; /* or NULL */
};

/** gpu_probe_all - look below @root, no library loaded, no device opened */
int gpu_probe_all(struct arena *a, const struct sysroot *root, struct gpu_set *ret, struct err *e);

/* What --gpus asks for. */
enum gpu_sel_kind { GPU_SEL_AUTO, GPU_SEL_NONE, GPU_SEL_ALL, GPU_SEL_LIST, GPU_SEL_COUNT };

struct gpu_sel {
	enum gpu_sel_kind kind;
	struct strv items; /* LIST: "0", "GPU-8a...", "0000:3b:00.0", in the order given */
	unsigned int count;
	const char *text; /* as typed */
	bool bare_number; /* --gpus 2: docker means a count, we mean an index: one hint */
};

/**
 * gpu_sel_parse - the grammar of --gpus (pure); docker's inner quotes are taken off
 * Errors: -EINVAL naming the word and what is accepted; -ENOTSUP for forms that are known but
 * not built yet (MIG, CDI names), which says so.
 */
int gpu_sel_parse(struct arena *a, const char *text, struct gpu_sel *ret, struct err *e);

/**
 * gpu_select - which GPUs (pure)
 * @visible: value of CUDA_VISIBLE_DEVICES outside a job, or NULL; narrows GPU_SEL_AUTO only
 * @ret: chosen ones in PCI order, pointing into @set
 * @ret_warn: strings to be said (a GPU without driver or node under "auto")
 * Errors: an unknown index lists the GPUs present and why the others are not usable.
 */
int gpu_select(struct arena *a, const struct gpu_set *set, const struct gpu_sel *sel,
	       const char *visible, const struct gpu ***ret, size_t *ret_n, struct strv *ret_warn,
	       struct err *e);

/** gpu_edits - what the chosen GPUs put into the container (pure) */
int gpu_edits(struct arena *a, const struct gpu_set *set, const struct gpu *const *chosen, size_t n,
	      const struct gpu_sel *sel, struct edits *ret, struct err *e);

#endif

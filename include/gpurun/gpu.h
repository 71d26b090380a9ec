/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gpu.h - the GPUs of the host, and which of them were chosen.  A back end (NVIDIA first) is a
 * row of gpu_backends[].
 *
 *	gpu_probe_all()   look: which GPUs are there, which can we use       (no library loaded)
 *	gpu_sel_parse()   ask:  what --gpus says                             (pure)
 *	gpu_nvml_look()   look: only where gpu_select_needs_nvml() says so   (a forked child)
 *	gpu_select()      decide: which GPUs                                 (pure)
 *
 * What a job gives: allot.h.  What a choice puts into the container: driver.h.
 */
#ifndef GPURUN_GPU_H
#define GPURUN_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>

/* Everything that a probe reads is below this directory; "/" is just the usual one. */
struct sysroot {
	int fd;            /* O_PATH directory */
	const char *label; /* "" for the real root, else its path, for messages */
};

struct gpu_node {
	const char *path; /* on the host, e.g. /dev/nvidia0 */
	dev_t rdev;
	const char *why; /* "" or what wants it beside the GPU: "--gdrcopy", "CDI NAME" */
	const char *dst; /* path inside, or NULL: the same */
};
struct gpu_nodes {
	struct gpu_node *v;
	size_t n, cap;
};

/* A MIG device: a compute instance of a GPU instance. */
struct gpu_mig {
	int gi, ci;                /* as in /proc/driver/nvidia/capabilities/gpuMINOR/mig/giG/ciC */
	int index;                 /* NVML's, behind the colon of "0:1"; -1 until gpu_nvml_look() */
	const char *uuid;          /* "MIG-..."; NULL until gpu_nvml_look() */
	const char *profile;       /* "1g.5gb", or NULL */
	struct gpu_node access[2]; /* /dev/nvidia-caps/nvidia-capN of the GI and of the CI */
	const char *denied;        /* NULL, or why it cannot be used */
	int denied_errno;
};

/* What only NVML tells; present when gpu_nvml_look() filled it. */
struct gpu_nvml {
	bool known;
	bool mig_mode;          /* also without an instance */
	const char *brand;      /* "Tesla", "GeForce", ... as NVIDIA_REQUIRE_* spells it, or NULL */
	int cc_major, cc_minor; /* CUDA compute capability, 0.0: unknown */
	uint64_t memory_total, memory_used; /* bytes */
	uint64_t energy; /* mJ since the driver was loaded, of the whole GPU; 0: unknown */
	int utilization; /* per cent, -1: unknown */
	struct gpu_user {
		pid_t pid;
		uint64_t memory; /* bytes, 0: unknown */
	} * users;
	size_t n_users, cap_users;
	uint64_t links; /* bit N: an NVLink leads to the GPU with index N among all of the set */
};

/**
 * struct gpu - one GPU of the host
 * @index:  as nvidia-smi shows it to this process: PCI order among the accessible ones; -1 when
 *	    it is not accessible, or not the job's (gpu_allot())
 * @number: @index as it was probed, which is what a job's lists count
 * @minor:  device minor; never assumed equal to @index
 * @denied: NULL, or why it cannot be used ("/dev/nvidia1: Operation not permitted (device
 *	    cgroup)", "node missing", "excluded")
 */
struct gpu {
	const char *backend; /* "nvidia" */
	int index, number;
	int minor;
	const char *uuid;  /* "GPU-..." or NULL */
	const char *pci;   /* "0000:3b:00.0" */
	const char *model; /* "NVIDIA A100-SXM4-40GB" */
	const char *denied;
	int denied_errno; /* ENOENT: node missing, EPERM: device cgroup, or not the job's, EACCES:
			   * file mode, 0: other */
	struct gpu_node node;
	struct gpu_mig *migs; /* of a GPU in MIG mode */
	size_t n_migs, cap_migs;
	struct gpu_nvml nvml;
};

/* What says which GPUs are the job's; see gpu_allot(). */
enum gpu_allotted {
	GPU_ALLOTTED_ALL,    /* nothing: we are in no job, or it may use what it can open */
	GPU_ALLOTTED_FILTER, /* a device cgroup: it denies some */
	GPU_ALLOTTED_LIST,   /* CUDA_VISIBLE_DEVICES: no cgroup denies any */
	GPU_ALLOTTED_NONE,   /* a Slurm job without the variable: none was given */
};

struct gpu_set {
	struct gpu *v;
	size_t n, cap;
	enum gpu_allotted allotted;
	bool on_bus;                /* a GPU is on the PCI bus, whether or not a driver is loaded */
	const char *driver_version; /* of the kernel module, or NULL */
};

/* One chosen thing: a whole GPU (with all its MIG devices), or one MIG device of it. */
struct gpu_choice {
	const struct gpu *gpu;
	const struct gpu_mig *mig; /* NULL: the whole GPU */
};
struct gpu_choices {
	struct gpu_choice *v;
	size_t n, cap;
};

/** gpu_probe_all - look below @root, no library loaded, no device opened */
int gpu_probe_all(struct arena *a, const struct sysroot *root, struct gpu_set *ret, struct err *e);

/* What --gpus asks for. */
enum gpu_sel_kind {
	GPU_SEL_AUTO,
	GPU_SEL_NONE,
	GPU_SEL_ALL,
	GPU_SEL_LIST,
	GPU_SEL_COUNT,
	GPU_SEL_CDI,
};

struct gpu_sel {
	enum gpu_sel_kind kind;
	struct strv
		items; /* LIST: "0", "GPU-8a...", "0000:3b:00.0", "MIG-...", "0:1"; CDI: names */
	unsigned int count;
	const char *text; /* as typed */
	bool bare_number; /* --gpus 2: docker means a count, we an index: one hint (not for 0) */
};

/**
 * gpu_sel_parse - the grammar of --gpus (pure); docker's inner quotes are taken off
 * Errors: -EINVAL naming the word and what is accepted.
 */
int gpu_sel_parse(struct arena *a, const char *text, struct gpu_sel *ret, struct err *e);

/* What the host's environment says to GPU_SEL_AUTO. */
struct gpu_visible {
	const char *devices; /* CUDA_VISIBLE_DEVICES, or NULL */
	const char *order;   /* CUDA_DEVICE_ORDER, or NULL */
	bool job;            /* in a job: says which GPUs were given */
	bool slurm;          /* of Slurm's: without the variable none was given */
	int node_gpus;       /* GPUs that the job has on this node, -1: unknown */
	int local_size;      /* ranks of the step on this node, -1: unknown */
};

/**
 * gpu_select_needs_nvml - can the choice be made without NVML? (pure)
 * @visible: as for gpu_select()
 * @ret_required: without an answer of NVML gpu_select() will fail; else it is only worse
 */
bool gpu_select_needs_nvml(const struct gpu_set *set, const struct gpu_sel *sel,
			   const struct gpu_visible *visible, bool *ret_required);

/**
 * gpu_nvml_look - ask the driver's libnvidia-ml in a forked, limited child; fills @set
 * Initialises the GPUs and may take seconds; the child is killed after GPU_NVML_SECONDS.
 * Errors: -errno and what to do; @set is unchanged then.
 */
#define GPU_NVML_SECONDS 20
int gpu_nvml_look(struct arena *a, const char *libnvidia_ml, struct gpu_set *set, struct err *e);

/**
 * gpu_select - which GPUs (pure)
 * @visible: or NULL; narrows GPU_SEL_AUTO only
 * @ret: in PCI order (MIG devices in the order of their instances), pointing into @set
 * @ret_warn: strings to be said (a GPU without driver or node under "auto" or "all"); @ret_note:
 *	      which GPUs count=N took
 * Errors: an unknown index lists the GPUs present and why the others are not usable.
 */
int gpu_select(struct arena *a, const struct gpu_set *set, const struct gpu_sel *sel,
	       const struct gpu_visible *visible, struct gpu_choices *ret, struct strv *ret_warn,
	       const char **ret_note, struct err *e);

#endif

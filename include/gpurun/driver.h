/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.h - what the chosen GPUs bring into a container: nodes, the host's driver libraries,
 * programs and files; and whether the image will get on with them.
 *
 *	gpu_look()           look: driver files and nodes for the chosen ones
 *	gpu_require_check()  decide: does the image want a newer driver      (pure)
 *	gpu_edits()          decide: what goes into the container            (pure)
 *	cdi_look()           look: the same from CDI files
 */
#ifndef GPURUN_DRIVER_H
#define GPURUN_DRIVER_H

#include <gpurun/edits.h>
#include <gpurun/gpu.h>

/* In the container: our own tmpfs, and what is in it. */
#define GPU_DIR       "/.gpurun"
#define GPU_LIB_DIR   GPU_DIR "/lib64"
#define GPU_LIB32_DIR GPU_DIR "/lib32"
#define GPU_BIN_DIR   GPU_DIR "/bin"

/* Driver capabilities, as NVIDIA_DRIVER_CAPABILITIES names them. */
enum {
	GPU_CAP_COMPUTE = 1 << 0,
	GPU_CAP_UTILITY = 1 << 1,
	GPU_CAP_VIDEO = 1 << 2,
	GPU_CAP_GRAPHICS = 1 << 3,
	GPU_CAP_DISPLAY = 1 << 4,
	GPU_CAP_NGX = 1 << 5,
	GPU_CAP_COMPAT32 = 1 << 6,
	GPU_CAP_ALL = (1 << 7) - 1,
	GPU_CAP_DEFAULT = GPU_CAP_COMPUTE | GPU_CAP_UTILITY,
	/* those that bring libraries only, no device node: an image may ask for them */
	GPU_CAP_HARMLESS = GPU_CAP_DEFAULT | GPU_CAP_VIDEO | GPU_CAP_NGX | GPU_CAP_COMPAT32,
};

enum gpu_compat { GPU_COMPAT_AUTO, GPU_COMPAT_NEVER, GPU_COMPAT_ALWAYS };

/* What was asked beside the choice. */
struct gpu_options {
	const char *ask; /* "--gpus 0,1", "--gpus auto": for messages and struct op.why */
	bool explicit;   /* --gpus was given and is not auto: what is missing is an error */
	uint32_t caps;   /* GPU_CAP_*, implied ones added (gpu_caps_parse) */
	enum gpu_compat compat;
	const char *mps; /* pipe directory of MPS, or NULL */
	bool gds, gdrcopy, mofed, nvswitch;
	const char *imex;        /* "all" or a comma list of channels, or NULL */
	const char *driver_root; /* --driver-root: absolute, or NULL */
	bool no_require;
	bool look_only; /* --dry-run: no nvidia-modprobe is run */
};

/** gpu_caps_parse - "compute,utility", "all" (pure), implied ones added; -EINVAL lists the names */
int gpu_caps_parse(const char *text, uint32_t *ret, struct err *e);
/** gpu_caps_text - "compute,utility" */
const char *gpu_caps_text(struct arena *a, uint32_t caps);

/* A file of the host's driver. */
enum gpu_file_kind { GPU_FILE_LIB, GPU_FILE_BIN, GPU_FILE_DATA, GPU_FILE_SOCKET };
struct gpu_file {
	enum gpu_file_kind kind;
	uint32_t caps;   /* wanted by any of these; with bits 32 only under COMPAT32 as well */
	const char *src; /* host path, links resolved */
	/* LIB: name below the library directory ("libcuda.so.550.163.01"); else the path inside */
	const char *dst;
	struct strv links;     /* LIB: other names of it: the soname, "libcuda.so" */
	unsigned int bits;     /* LIB, BIN: 32 or 64 */
	uint32_t glibc_needed; /* LIB, BIN: ELF_VERSION(), 0: none */
};

/**
 * struct gpu_driver - the user-space driver below a driver root
 * @module: version of the kernel module, or NULL
 * @version: of the libraries, or NULL when there are none; @others: further versions found
 */
struct gpu_driver {
	const char *root; /* "" or the driver root, for messages */
	const char *module, *version;
	struct strv others;
	uint16_t machine; /* EM_* of libcuda or libnvidia-ml */
	struct gpu_file *files;
	size_t n_files, cap_files;
	const char *libcuda, *libnvidia_ml; /* host paths, for children that load them; or NULL */
	struct strv searched;               /* directories, when nothing was found */
};

/* What was looked at on the host once it was known what is wanted. */
struct gpu_sight {
	const struct gpu_driver *driver; /* its libraries fit to the kernel module; or NULL */
	struct gpu_nodes nodes;          /* nvidiactl, uvm, dri, caps, ...; not those of the GPUs */
	struct strv links;               /* "LINK\tTARGET", absolute LINK below /dev */
	struct strv binds; /* host directories and files at the same path, "ro PATH", "rw PATH" */
	struct op_list files, dirs; /* of CDI files: as files and ops of struct edits */
	struct strv env;            /* "K=V" */
	const char *proc_params, *proc_version, *proc_registry; /* texts, or NULL */
	bool proc_hidden; /* /proc/driver is not the kernel's own: a fresh /proc shows none of it */
};

/**
 * gpu_driver_look - the driver's files below @root (the driver root)
 * @module: version of the kernel module, preferred where several are installed; or NULL
 * @caps: files that none of these wants may be left out; 0: libcuda and libnvidia_ml are enough
 * Return: 0, also when nothing was found (version NULL, searched says where); -errno
 */
int gpu_driver_look(struct arena *a, const struct sysroot *root, const char *module, uint32_t caps,
		    struct gpu_driver *ret, struct err *e);

/**
 * gpu_look - nodes by capability and on request, procfs texts, whether libraries and kernel
 * module fit; has the host's nvidia-modprobe make /dev/nvidia-uvm when it is missing
 * @driver: of gpu_driver_look()
 * Errors: no libraries, or of another version than the kernel module (when o->explicit; else a
 *	   warning and sight.driver NULL); a node on request that is missing
 */
int gpu_look(struct arena *a, const struct sysroot *root, const struct gpu_choices *chosen,
	     const struct gpu_driver *driver, const struct gpu_options *o, struct gpu_sight *ret,
	     struct strv *ret_warn, struct err *e);

/**
 * cdi_look - the same for CDI device names ("nvidia.com/gpu=0"), from the CDI files below @root
 * (/etc/cdi, /var/run/cdi, ~/.config/cdi); hooks are data and never run
 * @ret: is added to; the libraries of gpu_look() stay where a file brings others of their names
 * Errors: an unknown name lists the names there are and the files that could not be read
 */
int cdi_look(struct arena *a, const struct sysroot *root, const char *home,
	     const struct strv *names, const struct gpu_options *o, struct gpu_sight *ret,
	     struct strv *ret_warn, struct err *e);
/** cdi_is_name - "vendor/class=name" (pure) */
bool cdi_is_name(const char *text);

/* The image's side, for gpu_edits(): see struct image_abi in image.h. */
struct image_abi;
struct gpu_target {
	const struct image_abi *abi;
	const void *ld_cache; /* bytes of the image's /etc/ld.so.cache, or NULL */
	size_t ld_cache_len;
	bool frozen; /* nothing can be written into the image's own directories */
};

/**
 * gpu_edits - what the chosen GPUs put into the container (pure)
 * @chosen: may be empty (CDI); @ret_warn: to be said, one line each
 */
int gpu_edits(struct arena *a, const struct gpu_choices *chosen, const struct gpu_sight *sight,
	      const struct gpu_options *o, const struct gpu_target *t, struct edits *ret,
	      struct strv *ret_warn, struct err *e);

/* What NVIDIA_REQUIRE_* is compared with. */
struct gpu_facts {
	const char *driver;               /* "550.163.01" */
	int cuda_major, cuda_minor;       /* of the driver; 0: unknown */
	const struct gpu_choices *chosen; /* brand and compute capability */
};

/**
 * gpu_cuda_version - the CUDA version of a driver, by its branch, without loading it (pure)
 * Return: false for a branch that the table does not know
 */
bool gpu_cuda_version(const char *driver, int *ret_major, int *ret_minor);

/** gpu_cuda_ask - the same from the driver's libcuda, loaded in a forked, limited child */
int gpu_cuda_ask(const char *libcuda, int *ret_major, int *ret_minor, struct err *e);

/**
 * gpu_require_needs_nvml - does the answer of gpu_require_check() depend on what only NVML
 * knows, brand or arch? (pure)  Mostly not: a driver that is new enough settles it.
 */
bool gpu_require_needs_nvml(const struct strv *env, const struct gpu_facts *f);

/**
 * gpu_require_check - the image's NVIDIA_REQUIRE_* and CUDA_VERSION against the driver (pure)
 * @env: "K=V" of the image, -e applied; NVIDIA_DISABLE_REQUIRE in it ends the check
 * Errors: -ENOEXEC: not met, says the condition and what is there; a condition that is not
 * understood is a warning.
 */
int gpu_require_check(struct arena *a, const struct strv *env, const struct gpu_facts *f,
		      struct strv *ret_warn, struct err *e);

#endif

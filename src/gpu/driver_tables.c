/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_tables.c - the files of NVIDIA's user-space driver.
 *
 * What is in no table and never goes into a container:
 *   nvidia-modprobe	set-uid root on the host, loads kernel modules
 *   nvidia-persistenced, nv-fabricmanager
 *			daemons, one for a host; a container talks to the host's over its socket
 *   gsp_*.bin		firmware: the kernel loads it from the host's /lib/firmware, no process
 *			of a container ever opens it (and it would be 60 MB of names)
 *   vendor-neutral loaders (libGL, libEGL, libOpenCL, ...)
 *			the image's job: the host's are built for the host's glibc
 */
#include <gpurun/str.h>

#include "driver_tables.h"

#define C   GPU_CAP_COMPUTE
#define U   GPU_CAP_UTILITY
#define V   GPU_CAP_VIDEO
#define G   GPU_CAP_GRAPHICS
#define D   GPU_CAP_DISPLAY
#define NGX GPU_CAP_NGX

/*
 * A place that is a link to another one is looked at once.  Before all of them comes what the
 * root's ld.so.cache says, so the order matters only without one.
 */
const struct driver_place driver_places[] = {
#if defined(__aarch64__)
	{ "/usr/lib/aarch64-linux-gnu", 64, NULL },
	{ "/usr/lib/aarch64-linux-gnu/nvidia/current", 64, NULL },
#else
	{ "/usr/lib/x86_64-linux-gnu", 64, NULL },
	{ "/usr/lib/x86_64-linux-gnu/nvidia/current", 64, NULL },
#endif
	{ "/usr/lib64", 64, NULL },
	{ "/usr/lib64/nvidia", 64, NULL }, /* older packages of RHEL */
	{ "/usr/local/nvidia/lib64", 64,
	  "/usr/local/nvidia/bin" }, /* GKE, Container-Optimized OS */
	{ "/run/opengl-driver/lib", 64, "/run/current-system/sw/bin" }, /* NixOS */
	{ "/usr/lib", 64, NULL },                                       /* Arch */
	{ "/lib64", 64, NULL },
#if defined(__x86_64__)
	{ "/usr/lib/i386-linux-gnu", 32, NULL },
	{ "/usr/lib/i386-linux-gnu/nvidia/current", 32, NULL },
	{ "/usr/lib32", 32, NULL },
	{ "/usr/lib", 32, NULL }, /* RHEL */
#endif
};
const size_t driver_n_places = ELEMENTS(driver_places);

/* Libraries "STEM.so.VERSION"; 0: it stays on the host, for the reason given. */
static const struct lib_row {
	const char *stem;
	uint32_t caps;
} lib_rows[] = {
	{ "libcuda", C },
	{ "libcudadebugger", C },
	{ "libnvidia-compiler", C }, /* OpenCL's, until 4xx */
	{ "libnvidia-fatbinaryloader", C },
	{ "libnvidia-gpucomp", C | G },
	{ "libnvidia-nvvm", C },
	{ "libnvidia-nvvm70", C },
	{ "libnvidia-opencl", C },
	{ "libnvidia-pkcs11", C }, /* confidential computing; loaded by libcuda by its file name */
	{ "libnvidia-pkcs11-openssl3", C },
	{ "libnvidia-ptxjitcompiler", C },
	{ "libnvidia-tileiras", C },
	{ "libnvidia-allocator", C | G }, /* also GBM's back end: gbm/nvidia-drm_gbm.so */

	{ "libnvidia-cfg", U | D }, /* the X driver asks it as well */
	{ "libnvidia-ml", U },
	{ "libnvidia-nscq", U },
	{ "libnvidia-sandboxutils", U },

	{ "libnvcuvid", V },
	{ "libnvidia-encode", V },
	{ "libnvidia-opticalflow", V },
	{ "libvdpau_nvidia", V },

	{ "libEGL_nvidia", G },
	{ "libGLESv1_CM_nvidia", G },
	{ "libGLESv2_nvidia", G },
	{ "libGLX_nvidia", G },
	{ "libnvidia-cbl", G },
	{ "libnvidia-eglcore", G },
	{ "libnvidia-fbc", G },
	{ "libnvidia-glcore", G },
	{ "libnvidia-glsi", G },
	{ "libnvidia-glvkspirv", G },
	{ "libnvidia-ifr", G },
	{ "libnvidia-rtcore", G },
	{ "libnvidia-tls", G },
	{ "libnvidia-vksc-core", G },
	{ "libnvidia-vulkan-producer", G },
	{ "libnvoptix", G },

	{ "libnvidia-ngx", NGX },

	/* loaders: the image's own, or none */
	{ "libEGL", 0 },
	{ "libGL", 0 },
	{ "libGLESv1_CM", 0 },
	{ "libGLESv2", 0 },
	{ "libGLX", 0 },
	{ "libGLdispatch", 0 },
	{ "libOpenCL", 0 },
	{ "libOpenGL", 0 },
	/* the X server's, at a path of its own: see driver_data[] */
	{ "libglx", 0 },
	{ "libglxserver_nvidia", 0 },
	{ "libnvidia-wfb", 0 },
	/* parts of nvidia-settings, of the installer, of a vGPU host */
	{ "libnvidia-gtk2", 0 },
	{ "libnvidia-gtk3", 0 },
	{ "libnvidia-installer", 0 },
	{ "libnvidia-vgpu", 0 },
	{ "libnvidia-vgxcfg", 0 },
};

/*
 * A library that carries the driver's version is a part of the driver, also when it is newer than
 * the table: a hand-written list that has aged is how containers come to miss a library.  It goes
 * with the default capabilities, because what nobody knows is better there than missing.
 */
uint32_t driver_lib_caps(const char *stem, size_t len)
{
	for (size_t i = 0; i < ELEMENTS(lib_rows); i++)
		if (strlen(lib_rows[i].stem) == len && strncmp(lib_rows[i].stem, stem, len) == 0)
			return lib_rows[i].caps;
	return GPU_CAP_DEFAULT;
}

/* Libraries that belong to the driver and have a version of their own, or none. */
static const struct lib_row unversioned_rows[] = {
	{ "libnvidia-api.so.1", G },
	{ "libnvidia-egl-*.so.*.*", G }, /* gbm, wayland, wayland2, xcb, xlib */
	{ "libnvidia-nvvm70.so.*", C },
};

uint32_t driver_lib_unversioned(const char *name)
{
	for (size_t i = 0; i < ELEMENTS(unversioned_rows); i++)
		if (str_glob(unversioned_rows[i].stem, name))
			return unversioned_rows[i].caps;
	return 0;
}

/* Names that programs load and that the host need not have. */
static const struct link_row {
	const char *stem, *link;
} link_rows[] = {
	{ "libcuda", "libcuda.so" }, /* Triton and others look for it in the cache */
	{ "libGLX_nvidia", "libGLX_indirect.so.0" },
	{ "libnvidia-opticalflow", "libnvidia-opticalflow.so" },
	{ "libvdpau_nvidia", "libvdpau_nvidia.so" }, /* libvdpau, outside of its own directory */
};

const char *driver_lib_link(const char *stem, size_t len)
{
	for (size_t i = 0; i < ELEMENTS(link_rows); i++)
		if (strlen(link_rows[i].stem) == len && strncmp(link_rows[i].stem, stem, len) == 0)
			return link_rows[i].link;
	return NULL;
}

const struct driver_program driver_programs[] = {
	{ "nvidia-smi", U },
	{ "nvidia-debugdump", U },
	{ "nvidia-cuda-mps-control", C },
	{ "nvidia-cuda-mps-server", C },
	{ "nvidia-imex", C }, /* memory shared between hosts; of use with --imex only */
	{ "nvidia-imex-ctl", C },
	{ "nvidia-xconfig", G },
};
const size_t driver_n_programs = ELEMENTS(driver_programs);

/* Where distributions and NVIDIA's installer put them first: most look-ups find nothing. */
const char *const driver_program_dirs[] = {
	"/usr/bin",
	"/usr/sbin",
	"/usr/local/bin",
	"/usr/local/sbin",
};
const size_t driver_n_program_dirs = ELEMENTS(driver_program_dirs);

/* As the XDG base directory specification orders them, after /etc. */
static const char *const config_dirs[] = { "/etc", "/usr/local/share", "/usr/share", NULL };
/* Below the library directories of distributions, where their X servers look. */
static const char *const xorg_dirs[] = {
#if defined(__x86_64__)
	"/usr/lib/x86_64-linux-gnu/nvidia/xorg",
	"/usr/lib/nvidia",
#endif
	"/usr/lib64/xorg/modules/drivers",
	"/usr/lib64/xorg/modules/extensions",
	"/usr/lib/xorg/modules/drivers",
	"/usr/lib/xorg/modules/extensions",
	NULL,
};

const struct driver_data driver_data[] = {
	{ "OpenCL/vendors/nvidia.icd", C, config_dirs, "/etc" },

	{ "vulkan/icd.d/nvidia_icd.json", G, config_dirs, "/etc" },
	{ "vulkan/icd.d/nvidia_icd.x86_64.json", G, config_dirs, "/etc" },
	{ "vulkan/icd.d/nvidia_icd.aarch64.json", G, config_dirs, "/etc" },
	{ "vulkan/icd.d/nvidia_layers.json", G, config_dirs, "/etc" },
	{ "vulkan/implicit_layer.d/nvidia_layers.json", G, config_dirs, "/etc" },
	{ "glvnd/egl_vendor.d/10_nvidia.json", G, config_dirs, "/usr/share" },
	{ "egl/egl_external_platform.d/09_nvidia_wayland2.json", G, config_dirs, "/usr/share" },
	{ "egl/egl_external_platform.d/10_nvidia_wayland.json", G, config_dirs, "/usr/share" },
	{ "egl/egl_external_platform.d/15_nvidia_gbm.json", G, config_dirs, "/usr/share" },
	{ "egl/egl_external_platform.d/20_nvidia_xcb.json", G, config_dirs, "/usr/share" },
	{ "egl/egl_external_platform.d/20_nvidia_xlib.json", G, config_dirs, "/usr/share" },
	{ "nvidia/nvoptix.bin", G, config_dirs, "/usr/share" },

	{ "X11/xorg.conf.d/10-nvidia.conf", D, config_dirs, "/usr/share" },
	{ "X11/xorg.conf.d/nvidia-drm-outputclass.conf", D, config_dirs, "/usr/share" },
	{ "nvidia_drv.so", D, xorg_dirs, NULL },
	{ "libglxserver_nvidia.so", D, xorg_dirs, NULL },
};
const size_t driver_n_data = ELEMENTS(driver_data);

/* libnvidia-ml has both paths built in.  The sockets of MPS are no part of the driver's files. */
const struct driver_socket driver_sockets[] = {
	{ "/run/nvidia-persistenced/socket", U },
	{ "/run/nvidia-fabricmanager/socket", U },
};
const size_t driver_n_sockets = ELEMENTS(driver_sockets);

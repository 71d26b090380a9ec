/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's programs, data files and sockets, at their own paths. */
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "inject.h"

#define ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

#define PROFILE_PATH      "/etc/nvidia/nvidia-application-profiles-rc.d/10-container.conf"
#define PROFILE_MINOR_MAX 63

/* Below the image's library directory, where its libgbm looks for a back end by name. */
#define GBM_BACKEND "gbm/nvidia-drm_gbm.so"
#define GBM_LIBRARY "libnvidia-allocator.so.1"

/* Sockets are connected to, which a read-only mount forbids. */
static const uint64_t kind_attrs[] = {
	[GPU_FILE_BIN] = ATTRS | MOUNT_ATTR_RDONLY,
	[GPU_FILE_DATA] = ATTRS | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC,
	[GPU_FILE_SOCKET] = ATTRS | MOUNT_ATTR_NOEXEC,
};

static void inject_at(struct injector *in, const struct gpu_file *f, const char *dst)
{
	inject_file(in, (struct op){
				.kind = OP_BIND,
				.src = f->src,
				.dst = dst,
				.attrs = kind_attrs[f->kind],
				.flags = OPF_OPTIONAL,
				.why = in->why,
			});
}

/* Return: was it a program that is in our own directory now? */
static bool inject_one(struct injector *in, const struct gpu_file *f)
{
	if (f->kind == GPU_FILE_LIB || !(f->caps & in->o->caps))
		return false;
	if (f->kind == GPU_FILE_BIN && !inject_fits(in, f))
		return false;
	inject_at(in, f, path_clean(in->a, f->dst));
	/* a root that cannot be written has no place for it, unless by chance */
	if (f->kind != GPU_FILE_BIN || !in->t->frozen)
		return false;
	inject_at(in, f, path_join(in->a, GPU_BIN_DIR, path_base(f->dst)));
	return true;
}

static void inject_gbm(struct injector *in)
{
	inject_file(in, (struct op){
				.kind = OP_SYMLINK,
				.dst = path_join(in->a, in->t->abi->libdir, GBM_BACKEND),
				.data = GPU_LIB_DIR "/" GBM_LIBRARY,
				.data_len = strlen(GPU_LIB_DIR "/" GBM_LIBRARY),
				.flags = OPF_OPTIONAL,
				.why = in->why,
			});
}

/*
 * EGL and Vulkan find GPUs by other ways than device nodes and fail on one whose node is not
 * there: the profile names those that are, by minor.  Bound, so that it never stays in a root
 * that is kept.
 */
static void inject_profile(struct injector *in)
{
	uint64_t minors = 0;
	const char *text;

	for (size_t i = 0; i < in->chosen->n; i++) {
		int minor = in->chosen->v[i].gpu->minor;

		if (minor >= 0 && minor <= PROFILE_MINOR_MAX)
			minors |= UINT64_C(1) << minor;
	}
	text = arena_printf(in->a,
			    "{\"profiles\":[{\"name\":\"_container_\",\"settings\":"
			    "[\"EGLVisibleDGPUDevices\",0x%llx]}],"
			    "\"rules\":[{\"pattern\":[],\"profile\":\"_container_\"}]}\n",
			    (unsigned long long)minors);
	inject_file(in, (struct op){
				.kind = OP_FILE,
				.dst = PROFILE_PATH,
				.mode = 0444,
				.data = text,
				.data_len = strlen(text),
				.flags = OPF_BIND_FILE | OPF_OPTIONAL,
				.why = in->why,
			});
}

void inject_files(struct injector *in)
{
	const struct gpu_driver *driver = in->sight->driver;
	bool programs = false;

	/* data for libraries that are not there is of no use */
	if (!driver || in->t->abi->libc != IMAGE_LIBC_GLIBC)
		return;
	for (size_t i = 0; i < driver->n_files; i++)
		programs |= inject_one(in, &driver->files[i]);
	if (programs)
		strv_push(in->a, &in->ed.env, "PATH=" GPU_BIN_DIR);
	if (!(in->o->caps & GPU_CAP_GRAPHICS))
		return;
	if (in->t->abi->libdir)
		inject_gbm(in);
	if (in->chosen->n)
		inject_profile(in);
}

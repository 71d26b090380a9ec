/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked at on the host once it is known that a GPU is used. */
#include <errno.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "ldcache.h"
#include "look.h"

#define PROC_NVIDIA  "/proc/driver/nvidia"
#define SEARCHED_MAX 4 /* directories that a message names */

#define MODULES "nvidia_uvm nvidia_drm nvidia_modeset nvidia"

void look_add_node(struct looker *l, const char *path, dev_t rdev, const char *why)
{
	struct gpu_node node = { .path = path, .rdev = rdev, .why = why };
	struct gpu_nodes *nodes = &l->sight.nodes;

	for (size_t i = 0; i < nodes->n; i++)
		if (str_eq(nodes->v[i].path, path))
			return;
	VEC_PUSH(l->a, nodes->v, nodes->n, nodes->cap, node);
}

bool look_exists(const struct looker *l, const char *path)
{
	_cleanup_fd_ int fd = root_open(l->root->fd, path, O_PATH, 0);

	return fd >= 0;
}

/* ---- do the libraries fit to the kernel module? ---------------------------------------------- */

static const char *searched_text(struct looker *l)
{
	const struct strv *dirs = &l->driver->searched;
	const char *text = "";

	for (size_t i = 0; i < dirs->n && i < SEARCHED_MAX; i++)
		text = arena_printf(l->a, "%s%s%s", text, i ? ", " : "", dirs->v[i]);
	return dirs->n > SEARCHED_MAX ? arena_printf(l->a, "%s, ...", text) : text;
}

/* What is missing is an error when GPUs were asked for, else a warning: no GPU then. */
static int refuse(struct looker *l, const char *text, const char *hint, struct err *e)
{
	if (!l->o->explicit) {
		strv_push(l->a, l->warn, arena_printf(l->a, "%s; no GPU is used", text));
		return 0;
	}
	err_set(e, ENOENT, "%s: %s", l->o->ask, text);
	err_hint(e, "%s", hint);
	return -ENOENT;
}

static int look_versions(struct looker *l, struct err *e)
{
	const char *module = l->driver->module, *libs = l->driver->version;
	const char *below = l->driver->root && l->driver->root[0]
				    ? arena_printf(l->a, " below %s", l->driver->root)
				    : "";

	if (!libs)
		return refuse(l,
			      arena_printf(l->a,
					   "the driver's libraries (libcuda.so.1) are not "
					   "there%s, looked in %s",
					   below, searched_text(l)),
			      "install the user-space part of the NVIDIA driver, or say where it "
			      "is: --driver-root DIR",
			      e);
	if (module && !str_eq(module, libs))
		return refuse(l,
			      arena_printf(l->a,
					   "the kernel module is of driver %s, the libraries%s are "
					   "of %s%s: CUDA would refuse to work",
					   module, below, libs,
					   ldcache_compare(libs, module) > 0
						   ? " (they were updated)"
						   : ""),
			      ldcache_compare(libs, module) > 0
				      ? "reboot, or load the new module: sudo rmmod " MODULES
					" && sudo modprobe nvidia"
				      : "install the libraries of the module's version, or say "
					"where they are: --driver-root DIR",
			      e);
	l->sight.driver = l->driver;
	return 0;
}

/* ---- /proc/driver/nvidia -------------------------------------------------------------------- */

/*
 * The params of the module, but that nobody shall make device nodes of his own accord; NVML and
 * CUDA take a missing text for permission.
 */
static const char *params_text(struct arena *a, const char *text)
{
	static const char key[] = "ModifyDeviceFiles:";
	const char *line = text ? strstr(text, key) : NULL;

	if (!line || (line != text && line[-1] != '\n'))
		return arena_printf(a, "%s 0\n%s", key, text ? text : "");
	return arena_printf(a, "%.*s%s 0%s", (int)(line - text), text, key,
			    line + strcspn(line, "\n"));
}

/* What is mounted over the kernel's directory is not in a fresh /proc. */
static bool is_hidden(const struct sysroot *root)
{
	_cleanup_fd_ int fd = root_open(root->fd, PROC_NVIDIA, O_PATH | O_DIRECTORY, 0);
	struct statfs fs;

	if (root->label[0])
		return false; /* a test's directory stands for a proc */
	return fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC;
}

void look_proc(struct arena *a, const struct sysroot *root, struct gpu_sight *sight)
{
	sight->proc_params = params_text(a, gpu_read(a, root, PROC_NVIDIA "/params"));
	sight->proc_version = gpu_read(a, root, PROC_NVIDIA "/version");
	sight->proc_registry = gpu_read(a, root, PROC_NVIDIA "/registry");
	sight->proc_hidden = is_hidden(root);
}

int gpu_look(struct arena *a, const struct sysroot *root, const struct gpu_choices *chosen,
	     const struct gpu_driver *driver, const struct gpu_options *o, struct gpu_sight *ret,
	     struct strv *ret_warn, struct err *e)
{
	struct looker l = {
		.a = a,
		.root = root,
		.chosen = chosen,
		.driver = driver,
		.o = o,
		.warn = ret_warn,
	};
	int r = look_versions(&l, e);

	*ret = l.sight;
	if (r < 0 || !l.sight.driver)
		return r;
	r = look_nodes(&l, e);
	if (r >= 0)
		r = look_requests(&l, e);
	if (r < 0)
		return r;
	look_dri(&l);
	look_proc(a, root, &l.sight);
	*ret = l.sight;
	return 0;
}

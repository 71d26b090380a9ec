/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device nodes beside those of the GPUs: with a driver capability, and on request.  What was
 * requested and is not there is an error that names the node and the remedy.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "look.h"

#define IMEX_DIR         "/dev/nvidia-caps-imex-channels"
#define IMEX_CHANNEL_MAX ((1U << 20) - 1)

/* ---- with a capability ----------------------------------------------------------------------- */

static const struct cap_node {
	const char *path;
	uint32_t caps; /* any of them; 0: always */
} cap_nodes[] = {
	{ "/dev/nvidiactl", 0 },
	{ LOOK_UVM, GPU_CAP_COMPUTE },
	{ "/dev/nvidia-uvm-tools", GPU_CAP_COMPUTE },
	{ "/dev/nvidia-modeset", GPU_CAP_GRAPHICS | GPU_CAP_DISPLAY },
};

/*
 * The module for unified memory is loaded, and its node made, by the first program that needs
 * it: by root's, or by anybody's through the set-uid nvidia-modprobe.  In a container there is
 * neither.
 */
int look_uvm(struct arena *a, const struct sysroot *root, bool look_only, dev_t *rdev)
{
	int r = node_look(a, root, LOOK_UVM, rdev);

	if (r == -ENOENT && !root->label[0] && !look_only && modprobe_uvm() == 0)
		r = node_look(a, root, LOOK_UVM, rdev);
	return r;
}

static int need_uvm(struct looker *l, struct err *e)
{
	dev_t rdev;
	int r = look_uvm(l->a, l->root, l->o->look_only, &rdev);

	if (r == 0)
		return 0;
	if (!l->o->explicit) {
		strv_push(l->a, l->warn,
			  arena_printf(l->a,
				       LOOK_UVM ": %s, CUDA will not work (sudo nvidia-modprobe "
						"-c 0 -u)",
				       err_text(-r)));
		return 0;
	}
	err_set(e, -r, LOOK_UVM ": %s, CUDA cannot work without it (%s)", err_text(-r), l->o->ask);
	if (r == -EPERM)
		node_hint(e, LOOK_UVM, r);
	else
		err_hint(e, "sudo nvidia-modprobe -c 0 -u");
	return r;
}

int look_nodes(struct looker *l, struct err *e)
{
	int r = l->o->caps & GPU_CAP_COMPUTE ? need_uvm(l, e) : 0;

	for (size_t i = 0; i < ELEMENTS(cap_nodes) && r >= 0; i++) {
		const struct cap_node *c = &cap_nodes[i];
		dev_t rdev;

		if (c->caps && !(c->caps & l->o->caps))
			continue;
		if (node_look(l->a, l->root, c->path, &rdev) == 0)
			look_add_node(l, c->path, rdev, "");
	}
	return r;
}

/* ---- on request ------------------------------------------------------------------------------- */

/*
 * The nodes of an option: @path itself, or with @numbered "PATH0", "PATH1", ... of which there
 * must be one.
 */
static const struct request_row {
	size_t asked; /* offset of the bool in struct gpu_options */
	const char *option, *path;
	bool numbered;
	const char *remedy;
} request_rows[] = {
	{ offsetof(struct gpu_options, gds), "--gds", "/dev/nvidia-fs", true,
	  "load GPUDirect Storage: sudo modprobe nvidia-fs" },
	{ offsetof(struct gpu_options, gdrcopy), "--gdrcopy", "/dev/gdrdrv", false,
	  "load GDRCopy: sudo modprobe gdrdrv" },
	{ offsetof(struct gpu_options, mofed), "--mofed", "/dev/infiniband/uverbs", true,
	  "load the InfiniBand drivers: sudo modprobe ib_uverbs" },
	{ offsetof(struct gpu_options, mofed), "--mofed", "/dev/infiniband/rdma_cm", false,
	  "load the RDMA connection manager: sudo modprobe rdma_ucm" },
	{ offsetof(struct gpu_options, nvswitch), "--nvswitch", "/dev/nvidia-nvswitchctl", false,
	  "only machines with NVSwitch have it; the fabric manager needs it, CUDA does not" },
	{ offsetof(struct gpu_options, nvswitch), "--nvswitch", "/dev/nvidia-nvswitch", true,
	  "only machines with NVSwitch have it; the fabric manager needs it, CUDA does not" },
};

static int request_error(struct err *e, const char *option, const char *path, int r,
			 const char *remedy)
{
	err_sys(e, -r, "%s: %s", option, path);
	if (r == -ENOENT)
		err_hint(e, "%s", remedy);
	else
		node_hint(e, path, r);
	return r;
}

/* The node @path, for @option. */
static int request_node(struct looker *l, const char *option, const char *path, const char *remedy,
			struct err *e)
{
	dev_t rdev;
	int r = node_look(l->a, l->root, path, &rdev);

	if (r < 0)
		return request_error(e, option, path, r, remedy);
	look_add_node(l, path, rdev, option);
	return 0;
}

/* All nodes "PREFIX<number>"; at least one. */
static int request_numbered(struct looker *l, const char *option, const char *prefix,
			    const char *remedy, struct err *e)
{
	const char *base = path_base(prefix);
	const char *dir = arena_strndup(l->a, prefix, (size_t)(base - prefix - 1));
	struct strv names = { 0 };
	size_t found = 0;
	int r = gpu_list_dir(l->a, l->root, dir, &names);

	if (r < 0)
		return request_error(e, option, dir, r, remedy);
	for (size_t i = 0; i < names.n; i++) {
		const char *number = str_after(names.v[i], base);

		if (!number || !num_is_decimal(number))
			continue;
		r = request_node(l, option, path_join(l->a, dir, names.v[i]), remedy, e);
		if (r < 0)
			return r;
		found++;
	}
	return found ? 0
		     : request_error(e, option, arena_printf(l->a, "%s0", prefix), -ENOENT, remedy);
}

static int request_row(struct looker *l, const struct request_row *row, struct err *e)
{
	if (!*(const bool *)((const char *)l->o + row->asked))
		return 0;
	return row->numbered ? request_numbered(l, row->option, row->path, row->remedy, e)
			     : request_node(l, row->option, row->path, row->remedy, e);
}

/* GPUDirect Storage asks udev's database and its own configuration file. */
static void request_gds_files(struct looker *l)
{
	static const char *const paths[] = { "/run/udev", "/etc/cufile.json" };

	for (size_t i = 0; i < ELEMENTS(paths); i++)
		if (look_exists(l, paths[i]))
			strv_push(l->a, &l->sight.binds, arena_printf(l->a, "ro %s", paths[i]));
}

/* "0,3", or "all" there are. */
static int request_imex(struct looker *l, struct err *e)
{
	static const char remedy[] =
		"root makes channels: channel 0 by NVreg_CreateImexChannel0=1 of the nvidia module";
	struct strv items = { 0 };

	if (str_eq(l->o->imex, "all"))
		return request_numbered(l, "--imex all", IMEX_DIR "/channel", remedy, e);
	str_split(l->a, l->o->imex, ',', &items);
	for (size_t i = 0; i < items.n; i++) {
		uint64_t n;
		int r = num_u64(items.v[i], IMEX_CHANNEL_MAX, &n);

		if (r < 0) {
			err_set(e, -r, "--imex %s: not a list of channels", l->o->imex);
			err_hint(e, "numbers from 0 to %u with commas between, or all",
				 IMEX_CHANNEL_MAX);
			return r;
		}
		r = request_node(l, "--imex",
				 arena_printf(l->a, IMEX_DIR "/channel%u", (unsigned int)n), remedy,
				 e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The pipe directory of a running MPS daemon, at the same path: clients write into it. */
static int request_mps(struct looker *l, struct err *e)
{
	const char *control = path_join(l->a, l->o->mps, "control");

	if (!look_exists(l, control)) {
		err_sys(e, ENOENT, "--mps: %s", control);
		err_hint(e,
			 "start the daemon: CUDA_MPS_PIPE_DIRECTORY=%s nvidia-cuda-mps-control "
			 "-d",
			 l->o->mps);
		return -ENOENT;
	}
	strv_push(l->a, &l->sight.binds, arena_printf(l->a, "rw %s", l->o->mps));
	strv_push(l->a, &l->sight.env, arena_printf(l->a, "CUDA_MPS_PIPE_DIRECTORY=%s", l->o->mps));
	return 0;
}

int look_requests(struct looker *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ELEMENTS(request_rows) && r >= 0; i++)
		r = request_row(l, &request_rows[i], e);
	if (r >= 0 && l->o->imex)
		r = request_imex(l, e);
	if (r >= 0 && l->o->mps)
		r = request_mps(l, e);
	if (r >= 0 && l->o->gds)
		request_gds_files(l);
	return r;
}

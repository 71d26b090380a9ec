/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdi-host.h - a machine with two GPUs and a driver, which CDI files of a test describe: a
 * directory of ours, and what cdi_look() makes of it.
 */
#ifndef GPURUN_CDI_HOST_H
#define GPURUN_CDI_HOST_H

#include "driver-tree.h"

#define CDI_LIBS "/usr/lib/vendor"

struct cdi_host {
	struct tree tree;
	struct gpu_options o;
	struct gpu_sight sight;
	struct strv warn;
	struct err e;
};

static void cdi_host_new(struct cdi_host *h, struct arena *a)
{
	*h = (struct cdi_host){
		.o = { .ask = "--gpus x", .explicit = true, .caps = GPU_CAP_DEFAULT }
	};
	tree_new(&h->tree, a);
	tree_text(&h->tree, "/dev/nvidia0", "c 195 0 rw");
	tree_text(&h->tree, "/dev/nvidia1", "c 195 1 rw");
	tree_text(&h->tree, "/dev/nvidiactl", "c 195 255 rw");
	tree_text(&h->tree, "/dev/nvidia-uvm", "c 509 0 rw");
	tree_text(&h->tree, "/dev/nvidia-caps/nvidia-cap3", "c 236 3 r");
	tree_text(&h->tree, "/dev/ro", "c 1 9 r");
	tree_text(&h->tree, "/dev/dri/card0", "c 226 0 EACCES");
	tree_text(&h->tree, "/dev/barred", "c 195 7 EPERM");
	tree_text(&h->tree, "/proc/driver/nvidia/params", "ModifyDeviceFiles: 1\n");
	tree_text(&h->tree, "/proc/driver/nvidia/version",
		  "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.163.01  Tue Apr  8 2025\n");
	tree_lib(&h->tree, CDI_LIBS "/libcuda.so.550.163.01", "libcuda.so.1");
	tree_lib(&h->tree, CDI_LIBS "/libnvidia-ml.so.550.163.01", "libnvidia-ml.so.1");
	tree_lib(&h->tree, "/usr/lib64/libcuda.so.550.163.01", "libcuda.so.1");
	tree_lib(&h->tree, "/usr/lib/xorg/libextra.so", "libextra.so");
	tree_text(&h->tree, CDI_LIBS "/libtext.so", "no library");
	tree_text(&h->tree, "/usr/bin/nvidia-smi", "program");
	tree_text(&h->tree, "/opt/vendor/lib/file", "file");
	tree_socket(&h->tree, "/run/vendor/socket");
}

static TAP_UNUSED void cdi_host_free(struct cdi_host *h)
{
	tree_free(&h->tree);
}

static TAP_UNUSED void cdi_host_away(struct cdi_host *h, const char *path)
{
	if (remove(tree_path(&h->tree, path)) < 0)
		diag("%s: %s", path, strerror(errno));
}

/* Look for the @names, with commas between; @h->sight is added to. */
static int cdi_host_look(struct cdi_host *h, const char *names)
{
	struct sysroot root = { open(h->tree.path, O_PATH | O_DIRECTORY | O_CLOEXEC),
				h->tree.path };
	struct strv v = { 0 };
	int r;

	str_split(h->tree.a, names, ',', &v);
	h->warn = (struct strv){ 0 };
	h->e = (struct err){ 0 };
	r = cdi_look(h->tree.a, &root, "/home/u", &v, &h->o, &h->sight, &h->warn, &h->e);
	fd_close(root.fd);
	return r;
}

/* What the one file "/etc/cdi/v.yaml" gives, afresh. */
static TAP_UNUSED int cdi_host_try(struct cdi_host *h, const char *yaml, const char *names)
{
	tree_text(&h->tree, "/etc/cdi/v.yaml", yaml);
	h->sight = (struct gpu_sight){ 0 };
	return cdi_host_look(h, names);
}

/* The sight as text, a line each, for comparison. */
static TAP_UNUSED const char *cdi_host_text(struct cdi_host *h)
{
	const struct gpu_sight *s = &h->sight;
	struct arena *a = h->tree.a;
	size_t below = strlen(h->tree.path);
	const char *t = "";

	for (size_t i = 0; i < s->nodes.n; i++)
		t = arena_printf(a, "%snode %s %s %llx %s\n", t, s->nodes.v[i].path,
				 s->nodes.v[i].dst, (unsigned long long)s->nodes.v[i].rdev,
				 s->nodes.v[i].why);
	for (size_t i = 0; i < s->links.n; i++)
		t = arena_printf(a, "%slink %s\n", t, s->links.v[i]);
	for (size_t i = 0; i < s->env.n; i++)
		t = arena_printf(a, "%senv %s\n", t, s->env.v[i]);
	for (size_t i = 0; s->driver && i < s->driver->n_files; i++) {
		const struct gpu_file *f = &s->driver->files[i];

		t = arena_printf(a, "%slib%u %s %s", t, f->bits, f->dst, f->src + below);
		for (size_t k = 0; k < f->links.n; k++)
			t = arena_printf(a, "%s %s", t, f->links.v[k]);
		t = arena_printf(a, "%s\n", t);
	}
	for (size_t i = 0; i < s->files.n + s->dirs.n; i++) {
		const struct op *op = i < s->files.n ? &s->files.v[i] : &s->dirs.v[i - s->files.n];

		t = arena_printf(a, "%s%s %s %s %llx %x\n", t, i < s->files.n ? "file" : "dir",
				 op->src ? op->src + below : op->data, op->dst,
				 (unsigned long long)op->attrs, op->flags);
	}
	return s->proc_params ? arena_printf(a, "%sparams %s", t, s->proc_params) : t;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor_container.c - layer "container": what the probe saw and did in one (doctor_probe.c).
 */
#include <errno.h>

#include <gpurun/str.h>

#include "doctor.h"

#define LIBRARY_DIR GPU_DIR "/" /* what gpurun put into the container */

/* CUresult values (cuda.h) with a known remedy. */
static const struct cuda_advice {
	int code;
	const char *fix;
} advices[] = {
	{ 2, "gpurun gpus shows who holds the GPU's memory" },
	{ 34, "the image's libcuda is the stub for linking: keep .../stubs out of LD_LIBRARY_PATH "
	      "(-e LD_LIBRARY_PATH=)" },
	{ 35, "a newer driver on the host, or an image with an older CUDA" },
	{ 46, "the GPU is in exclusive mode and in use: as root: nvidia-smi -c DEFAULT; or --mps" },
	{ 100, "dmesg | grep -i nvrm on the host; a CUDA_VISIBLE_DEVICES of your own (-e) must "
	       "count from 0" },
	{ 101, "unset CUDA_VISIBLE_DEVICES, or let it count from 0" },
	{ 304, "a system call was refused: try --security-opt seccomp=unconfined, and report it" },
	{ 802, "as root on the host: systemctl enable --now nvidia-fabricmanager" },
	{ 803, "reboot, or load the kernel module of the libraries' version" },
	{ 804, "--cuda-compat never: these GPUs do not take the image's compatibility libraries" },
	{ 805, "start the MPS daemon (nvidia-cuda-mps-control -d) and use --mps" },
	{ 999, "as root on the host: nvidia-modprobe -c 0 -u; then dmesg | grep -i nvrm" },
};

static const char *advice(int code)
{
	for (size_t i = 0; i < ELEMENTS(advices); i++)
		if (advices[i].code == code)
			return advices[i].fix;
	return NULL;
}

/* With MIG devices CUDA counts in its own way: of several it takes one. */
static bool has_mig(const struct doctor *d)
{
	for (size_t i = 0; i < d->chosen.n; i++)
		if (d->chosen.v[i].mig || d->chosen.v[i].gpu->n_migs)
			return true;
	return false;
}

static bool is_chosen(const struct doctor *d, const char *node)
{
	for (size_t i = 0; i < d->chosen.n; i++)
		if (str_eq(d->chosen.v[i].gpu->node.path, node))
			return true;
	return false;
}

static struct finding check_choice(struct doctor *d)
{
	const char *names = "";

	if (err_is_set(&d->choice_failed))
		return doctor_error(d, FINDING_FAIL, &d->choice_failed);
	for (size_t i = 0; i < d->chosen.n; i++) {
		const struct gpu_choice *c = &d->chosen.v[i];

		names = arena_printf(d->a, "%s%s%s %s", names, i ? ", " : "", c->gpu->pci,
				     c->mig && c->mig->uuid ? c->mig->uuid : c->gpu->model);
	}
	if (d->chosen.n)
		return doctor_ok(d, "--gpus %s: %s", d->sel.text, names);
	if (d->sel.kind == GPU_SEL_CDI)
		return doctor_ok(d, "--gpus %s: what the CDI files say", d->sel.text);
	if (doctor_no_gpu(d) || d->sel.kind == GPU_SEL_NONE)
		return doctor_skip(d, "none to be chosen");
	return doctor_fail(d, "see the layer gpu above; gpurun gpus", "--gpus %s: none",
			   d->sel.text);
}

static struct finding check_start(struct doctor *d)
{
	const struct probe *p = &d->probe;

	if (p->status < 0 && !p->error)
		return doctor_fail(d, "dmesg; gpurun run --verbose", "it did not end in time");
	if (!p->started)
		return doctor_fail(d, p->hint, "%s", p->error ? p->error : "it did not start");
	if (p->warning)
		return doctor_warn(d, p->warning_hint, "%s", p->warning);
	return doctor_ok(d, "it starts");
}

/* Is a layer in force?  As the start that was tried has it, and confirmed it. */
static bool has_layer(const struct probe *p, const char *name)
{
	for (size_t i = 0; i < p->layers.n; i++) {
		const char *rest = str_after(p->layers.v[i], name);

		if (rest && str_after(rest, ": on: "))
			return true;
	}
	return false;
}

/* How strong it is, in one line: what confines devices, and what is not there. */
static struct finding check_confinement(struct doctor *d)
{
	static const char *const devices[][2] = { { "landlock", " + Landlock" },
						  { "device cgroup", " + cgroup filter" } };
	const struct probe *p = &d->probe;
	const char *text, *missing = "";

	if (!p->layers.n)
		return doctor_skip(d, "it did not start");
	text = has_layer(p, "devices") ? "fresh /dev" : "the host's /dev";
	for (size_t i = 0; i < ELEMENTS(devices); i++)
		if (has_layer(p, devices[i][0]))
			text = arena_printf(d->a, "%s%s", text, devices[i][1]);
	for (size_t i = 0; i < p->layers.n; i++) {
		const char *mark = strstr(p->layers.v[i], ": off: ");

		if (mark)
			missing = arena_printf(d->a, "%s%s%.*s", missing, *missing ? ", " : "",
					       (int)(mark - p->layers.v[i]), p->layers.v[i]);
	}
	return doctor_ok(d, "devices: %s%s%s", text, *missing ? "; not there: " : "", missing);
}

/* What the probe's open(2) said of one node, against what should be. */
static const char *node_complaint(struct doctor *d, const char *path, int error)
{
	bool of_gpu = strncmp(path, "/dev/nvidia", 11) == 0 && path[11] >= '0' && path[11] <= '9';
	bool wanted = !of_gpu || is_chosen(d, path);

	if (wanted && error)
		return arena_printf(d->a, "%s: %s", path, err_text(error));
	if (!wanted && error != ENOENT)
		return arena_printf(d->a, "%s: can be seen, although it was not chosen", path);
	return NULL;
}

static struct finding check_nodes(struct doctor *d)
{
	const struct probe *p = &d->probe;
	const char *wrong = "";
	int error = 0;

	if (!p->ran)
		return doctor_skip(d, "the probe did not run");
	if (!p->n_nodes)
		return doctor_skip(d, "they are what the CDI files say");
	for (size_t i = 0; i < p->n_nodes; i++) {
		const char *text = node_complaint(d, p->nodes[i].path, p->nodes[i].error);

		if (!text)
			continue;
		wrong = arena_printf(d->a, "%s%s%s", wrong, *wrong ? "; " : "", text);
		error = p->nodes[i].error;
	}
	if (!*wrong)
		return doctor_ok(d, "the chosen ones open, others are not there");
	return doctor_fail(
		d, error == ENXIO ? "as root on the host: modprobe -a nvidia nvidia_uvm" : NULL,
		"%s", wrong);
}

/* Which libcuda the container's dynamic linker took: the host's, or one that the image brings. */
static struct finding check_libcuda(struct doctor *d)
{
	const struct probe *p = &d->probe;
	const char *path = p->libraries.n ? p->libraries.v[0] : NULL;

	if (p->linker)
		return doctor_fail(d,
				   d->driver.libcuda ? "remove what hides it: LD_LIBRARY_PATH, an "
						       "ld.so.conf of the image's own"
						     : "see the layer gpu above",
				   "%s", p->linker);
	if (!p->ran && p->error)
		return doctor_fail(d, "an image with glibc", "%s", p->error);
	if (!path)
		return doctor_fail(d, NULL, "the probe ended with status %d", p->status);
	if (!str_after(path, LIBRARY_DIR) && !strstr(path, "/compat/"))
		return doctor_warn(d, "-e LD_LIBRARY_PATH= , or remove the file from the image",
				   "%s: the image's own, not the host's", path);
	return doctor_ok(d, "%s", path);
}

static struct finding check_init(struct doctor *d)
{
	const struct probe *p = &d->probe;

	if (!p->ran)
		return doctor_skip(d, "libcuda was not loaded");
	if (p->init < 0)
		return doctor_fail(d, "dmesg | grep -i nvrm on the host",
				   "cuInit did not come back (status %d)", p->status);
	if (p->init > 0)
		return doctor_fail(d, advice(p->init), "cuInit: %d %s", p->init, p->init_text);
	if (p->count < 1)
		return doctor_fail(d, advice(100), "cuInit works, but there are no devices");
	if (d->chosen.n && (size_t)p->count != d->chosen.n && !has_mig(d))
		return doctor_warn(d, advice(101), "%zu GPUs are chosen, CUDA sees %d", d->chosen.n,
				   p->count);
	return doctor_ok(d, "CUDA %d.%d, %d device%s", p->driver / 1000, p->driver % 100 / 10,
			 p->count, p->count == 1 ? "" : "s");
}

static struct finding check_computing(struct doctor *d)
{
	const struct probe *p = &d->probe;

	if (p->init != 0 || p->count < 1)
		return doctor_skip(d, "no CUDA device");
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct probe_device *v = &p->devices[i];

		if (v->alloc)
			return doctor_fail(d, advice(v->alloc), "%s %s: memory: %d %s", v->pci,
					   v->name, v->alloc, v->alloc_text);
		if (v->kernel)
			return doctor_fail(d, advice(v->kernel), "%s %s: kernel: %d %s", v->pci,
					   v->name, v->kernel, v->kernel_text);
	}
	if (p->status != 0)
		return doctor_fail(d, NULL, "the probe ended with status %d", p->status);
	return doctor_ok(d, "%zu device%s gave memory and added numbers", p->n_devices,
			 p->n_devices == 1 ? "" : "s");
}

static const struct check rows[] = {
	{ "GPUs", NEED_IMAGE, check_choice },
	{ "start", NEED_IMAGE, check_start },
	{ "confinement", NEED_START, check_confinement },
	{ "device nodes", NEED_START | NEED_CHOICE, check_nodes },
	{ "libcuda", NEED_START | NEED_CHOICE, check_libcuda },
	{ "CUDA", NEED_START | NEED_CHOICE, check_init },
	{ "computing", NEED_START | NEED_CHOICE, check_computing },
};
const struct check_layer doctor_layer_container = { "container", rows, ELEMENTS(rows),
						    doctor_with_image };

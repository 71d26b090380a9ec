/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor_gpu.c - layer "gpu": does the driver work on the host, for this user?
 */
#include <errno.h>
#include <grp.h>
#include <sys/stat.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "doctor.h"

#define MODPROBE "/usr/bin/nvidia-modprobe"
#define UVM      "/dev/nvidia-uvm"

#define FIX_RELOAD                                                                                 \
	"reboot, or as root end everything that uses a GPU and run: rmmod nvidia_uvm nvidia_drm "  \
	"nvidia_modeset nvidia; modprobe nvidia"

static struct finding check_bus(struct doctor *d)
{
	const struct gpu_set *set = &d->host.gpus;
	const char *models = "";

	for (size_t i = 0; i < set->n; i++)
		if (!strstr(models, set->v[i].model))
			models = arena_printf(d->a, "%s%s%s", models, *models ? ", " : "",
					      set->v[i].model);
	if (!set->n)
		return doctor_ok(d, "an NVIDIA GPU is on the PCI bus");
	return doctor_ok(d, "%zu GPU%s: %s", set->n, set->n == 1 ? "" : "s", models);
}

static struct finding check_module(struct doctor *d)
{
	const char *version = d->host.gpus.driver_version;

	if (version)
		return doctor_ok(d, "%s", version);
	if (doctor_has(d, "/sys/module/nouveau"))
		return doctor_fail(d,
				   "install NVIDIA's driver, put 'blacklist nouveau' into "
				   "/etc/modprobe.d/nouveau.conf and reboot",
				   "the GPU is driven by nouveau, which has no CUDA");
	if (doctor_has(d, "/sys/module/nvidia"))
		return doctor_fail(d,
				   "leave the surrounding container, or let it show "
				   "/proc/driver/nvidia",
				   "loaded, but /proc/driver/nvidia is not there");
	return doctor_fail(d,
			   "as root: modprobe nvidia; if there is no such module, install "
			   "NVIDIA's driver",
			   "not loaded: /proc/driver/nvidia is not there");
}

/* ---- nodes ------------------------------------------------------------------------------- */

static const char *group_name(const struct doctor *d, gid_t gid)
{
	/* cppcheck-suppress getgrgidCalled ; there are no threads */
	const struct group *g = getgrgid(gid);

	return g ? arena_strdup(d->a, g->gr_name) : NULL;
}

/* The node is there and its mode keeps us out. */
static const char *fix_mode(const struct doctor *d, const char *path)
{
	_cleanup_fd_ int fd = root_open(d->root.fd, path, O_PATH, 0);
	const char *group = NULL;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 060) == 060 && st.st_gid != 0)
		group = group_name(d, st.st_gid);
	if (group)
		return arena_printf(d->a, "as root: usermod -aG %s %s; then log in anew", group,
				    d->host.user);
	return "as root: chmod 666 /dev/nvidia*, for good: options nvidia "
	       "NVreg_DeviceFileMode=0666 in /etc/modprobe.d";
}

static const char *fix_node(const struct doctor *d, const char *path, int error)
{
	switch (error) {
	case ENOENT:
		return str_eq(path, UVM) ? "as root: nvidia-modprobe -c 0 -u"
					 : "as root: nvidia-modprobe -c 0 (or nvidia-smi), which "
					   "makes the nodes";
	case EPERM:
		return d->host.job.kind == JOB_NONE
			       ? "let the service or the surrounding container have the device: "
				 "DeviceAllow=, --device"
			       : "ask for GPUs when the job is submitted (--gpus, --gres=gpu:1)";
	case EACCES:
		return fix_mode(d, path);
	default:
		return "as root: remove the node; nvidia-modprobe makes it anew";
	}
}

/* What keeps GPUs from being used, without those that a device cgroup takes: see below. */
static const struct gpu *first_denied(const struct doctor *d, bool by_cgroup)
{
	const struct gpu_set *set = &d->job.all;

	for (size_t i = 0; i < set->n; i++)
		if (set->v[i].denied && (set->v[i].denied_errno == EPERM) == by_cgroup)
			return &set->v[i];
	return NULL;
}

static size_t count_usable(const struct doctor *d)
{
	return allotment_usable(&d->job.all);
}

/* The node that a reason speaks of: that of the GPU, or the control node. */
static const char *denied_path(const struct doctor *d, const struct gpu *g)
{
	size_t n = strcspn(g->denied, ":");

	return g->denied[0] == '/' ? arena_strndup(d->a, g->denied, n)
				   : (g->node.path ? g->node.path : "/dev/nvidiactl");
}

static struct finding check_nodes(struct doctor *d)
{
	const struct gpu_set *set = &d->host.gpus;
	const struct gpu *g = first_denied(d, false);
	size_t usable = count_usable(d);
	const char *fix;

	if (!set->n)
		return doctor_fail(d, FIX_RELOAD,
				   "the kernel module knows no GPU: dmesg | grep NVRM");
	if (!g)
		return doctor_ok(d, "%zu of %zu GPUs can be opened", usable, set->n);
	fix = g->denied_errno ? fix_node(d, denied_path(d, g), g->denied_errno) : NULL;
	return doctor_found(d, usable ? FINDING_WARN : FINDING_FAIL, fix,
			    "%zu of %zu GPUs can be opened; %s: %s", usable, set->n, g->pci,
			    g->denied);
}

static struct finding check_cgroup(struct doctor *d)
{
	const struct gpu *g = first_denied(d, true);
	size_t usable = count_usable(d), denied = 0;

	for (size_t i = 0; i < d->job.all.n; i++)
		denied += d->job.all.v[i].denied_errno == EPERM;
	if (!g)
		return doctor_ok(d, "denies no GPU");
	if (usable && d->host.job.kind != JOB_NONE)
		return doctor_ok(d, "%zu of %zu GPUs are not this job's", denied, d->host.gpus.n);
	return doctor_found(d, usable ? FINDING_WARN : FINDING_FAIL,
			    fix_node(d, denied_path(d, g), EPERM), "%zu of %zu GPUs are denied; %s",
			    denied, d->host.gpus.n, g->denied);
}

static bool is_setuid(const struct doctor *d, const char *path)
{
	_cleanup_fd_ int fd = root_open(d->root.fd, path, O_PATH, 0);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_mode & S_ISUID && st.st_uid == 0;
}

static struct finding check_uvm(struct doctor *d)
{
	int error = faccessat(AT_FDCWD, UVM, R_OK | W_OK, AT_EACCESS) < 0 ? errno : 0;

	if (!error)
		return doctor_ok(d, "can be opened");
	if (error == ENOENT && (is_setuid(d, MODPROBE) || geteuid() == 0) &&
	    doctor_has(d, MODPROBE))
		return doctor_warn(d, fix_node(d, UVM, ENOENT),
				   UVM " is missing; " MODPROBE " is asked for it at a start");
	return doctor_fail(d, fix_node(d, UVM, error),
			   UVM ": %s: CUDA would say 999 (unknown "
			       "error)",
			   err_text(error));
}

static struct finding check_modprobe(struct doctor *d)
{
	if (is_setuid(d, MODPROBE))
		return doctor_ok(d, MODPROBE " is setuid root");
	if (doctor_has(d, MODPROBE))
		return doctor_skip(d, MODPROBE " is not setuid root: missing nodes are root's to "
					       "make");
	return doctor_skip(d, "not installed: missing nodes are root's to make");
}

/* ---- libraries --------------------------------------------------------------------------- */

static const char *join(struct arena *a, const struct strv *v)
{
	const char *s = "";

	for (size_t i = 0; i < v->n; i++)
		s = arena_printf(a, "%s%s%s", s, i ? ", " : "", v->v[i]);
	return s;
}

static struct finding check_libraries(struct doctor *d)
{
	const struct gpu_driver *v = &d->driver;
	const char *module = d->host.gpus.driver_version;

	if (err_is_set(&d->driver_failed))
		return doctor_error(d, FINDING_FAIL, &d->driver_failed);
	if (!v->root)
		return doctor_skip(d, "no GPU on this machine");
	if (!v->version)
		return doctor_fail(d,
				   "install the driver's libraries (apt-get install libcuda1 "
				   "libnvidia-ml1 nvidia-smi), or name them: --driver-root DIR",
				   "none found below %s in %s", *v->root ? v->root : "/",
				   join(d->a, &v->searched));
	if (module && !str_eq(module, v->version))
		return doctor_fail(
			d, FIX_RELOAD,
			"they are of version %s, the kernel module is %s: the driver was "
			"updated",
			v->version, module);
	if (!v->libcuda)
		return doctor_fail(d, "apt-get install libcuda1, or what brings libcuda.so.1",
				   "%s without libcuda", v->version);
	return doctor_ok(d, "%s: %zu files, libcuda is %s", v->version, v->n_files, v->libcuda);
}

static struct finding check_nvml(struct doctor *d)
{
	size_t known = 0;

	if (err_is_set(&d->nvml_failed))
		return doctor_error(d, FINDING_FAIL, &d->nvml_failed);
	for (size_t i = 0; i < d->host.gpus.n; i++)
		known += d->host.gpus.v[i].nvml.known;
	if (known < count_usable(d))
		return doctor_warn(d, "dmesg | grep -i nvrm", "answers for %zu of %zu GPUs", known,
				   count_usable(d));
	return doctor_ok(d, "answers for %zu GPU%s", known, known == 1 ? "" : "s");
}

static struct finding check_cuda(struct doctor *d)
{
	int major = 0, minor = 0;
	struct err e = { 0 };

	if (!d->driver.libcuda)
		return doctor_skip(d, "no libcuda");
	if (gpu_cuda_ask(d->driver.libcuda, &major, &minor, &e) < 0)
		return doctor_error(d, FINDING_FAIL, &e);
	return doctor_ok(d, "%d.%d is the newest that driver %s knows", major, minor,
			 d->driver.version);
}

/* ---- services ---------------------------------------------------------------------------- */

static struct finding check_persistence(struct doctor *d)
{
	if (doctor_has(d, "/run/nvidia-persistenced/socket"))
		return doctor_ok(d, "nvidia-persistenced runs");
	return doctor_warn(
		d, "as root: systemctl enable --now nvidia-persistenced",
		"nvidia-persistenced does not run: an idle GPU may take seconds to start");
}

static struct finding check_mig(struct doctor *d)
{
	size_t gpus = 0, devices = 0, named = 0;

	for (size_t i = 0; i < d->host.gpus.n; i++) {
		const struct gpu *g = &d->host.gpus.v[i];

		gpus += g->n_migs > 0;
		devices += g->n_migs;
		for (size_t k = 0; k < g->n_migs; k++)
			named += g->migs[k].uuid != NULL;
	}
	if (!devices)
		return doctor_skip(d, "no GPU has MIG devices");
	return doctor_ok(d, "%zu devices on %zu GPU%s%s", devices, gpus, gpus == 1 ? "" : "s",
			 named < devices ? ", without their UUIDs" : "");
}

static struct finding check_fabric(struct doctor *d)
{
	if (!doctor_has(d, "/dev/nvidia-nvswitchctl") &&
	    !doctor_has(d, "/proc/driver/nvidia-nvswitch/permissions"))
		return doctor_skip(d, "no NVSwitch");
	if (doctor_has(d, "/run/nvidia-fabricmanager/socket"))
		return doctor_ok(d, "runs");
	return doctor_warn(d, "as root: systemctl enable --now nvidia-fabricmanager",
			   "no socket in /run/nvidia-fabricmanager: with NVSwitches CUDA says 802 "
			   "(system not ready) until it runs");
}

static const struct check rows[] = {
	{ "bus", NEED_GPU, check_bus },
	{ "kernel module", NEED_GPU, check_module },
	{ "device nodes", NEED_GPU | NEED_MODULE, check_nodes },
	{ "device cgroup", NEED_GPU | NEED_MODULE, check_cgroup },
	{ "nvidia-uvm", NEED_GPU | NEED_MODULE, check_uvm },
	{ "nvidia-modprobe", NEED_GPU | NEED_MODULE, check_modprobe },
	{ "libraries", 0, check_libraries },
	{ "NVML", NEED_GPU | NEED_MODULE | NEED_DRIVER, check_nvml },
	{ "CUDA", NEED_DRIVER, check_cuda },
	{ "persistence", NEED_GPU | NEED_MODULE, check_persistence },
	{ "MIG", NEED_GPU | NEED_MODULE, check_mig },
	{ "fabric manager", NEED_GPU | NEED_MODULE, check_fabric },
};
const struct check_layer doctor_layer_gpu = { "gpu", rows, ELEMENTS(rows), NULL };

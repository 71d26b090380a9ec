/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvml.c - what only NVML tells: asked by a child, said in words when there is no answer.
 */
#include <errno.h>
#include <linux/capability.h>

#include <gpurun/str.h>

#include "nvml.h"

/* What NVML's return values mean for whoever reads the message. */
struct nvml_advice {
	int code, error;
	const char *text, *hint; /* @text NULL: what NVML says itself */
};

/* clang-format off */
static const struct nvml_advice advices[] = {
	{ 0,   ENOENT,	NULL, NULL }, /* the loader's own words */
	{ 4,   EACCES,	"the driver does not let this user in",
			"who may use the GPUs is in the modes of their nodes: ls -l /dev/nvidia*" },
	{ 9,   ENXIO,	"the NVIDIA kernel module is not loaded, or not reachable from here",
			"sudo modprobe nvidia" },
	{ 12,  ENOENT,	"it misses another library of the driver",
			"install all libraries of the driver, in one version" },
	{ 13,  ENOSYS,	"it is too old, or of another driver: a function is missing",
			"install all libraries of the driver, in one version" },
	{ 15,  EIO,	"a GPU is lost: it has fallen off the bus, or hangs",
			"dmesg | grep -i nvrm; the host must be rebooted" },
	{ 17,  EPERM,	"the operating system refuses the driver's control device",
			"the device cgroup of the job or container must allow /dev/nvidiactl" },
	{ 18,  ESTALE,	"its version is not that of the kernel module",
			"the driver was updated: reboot, or unload and load its kernel modules" },
	{ 999, EIO,	NULL, "dmesg | grep -i nvrm" },
};
/* clang-format on */

static const struct nvml_advice *advice_find(int code)
{
	for (size_t i = 0; i < ELEMENTS(advices); i++)
		if (advices[i].code == code)
			return &advices[i];
	return &advices[ELEMENTS(advices) - 1];
}

static int say_failed(struct err *e, const char *path, const struct nvml_record *r)
{
	const int code = r->u.failed.code;
	const char *said = r->u.failed.text;
	const struct nvml_advice *d = advice_find(code);

	if (code == 0)
		err_set(e, d->error, "%s: cannot be loaded: %s", path, said);
	else if (d->text)
		err_set(e, d->error, "%s: %s (NVML %d: %s)", path, d->text, code, said);
	else
		err_set(e, d->error, "%s: NVML %d: %s", path, code, said);
	if (d->hint)
		err_hint(e, "%s", d->hint);
	return -d->error;
}

int nvml_look_within(struct arena *a, const char *libnvidia_ml, unsigned int seconds,
		     struct gpu_set *set, struct err *e)
{
	/*
	 * Started by root: some figures of a GPU in MIG mode are for administrators, and a node
	 * may belong to somebody else.
	 */
	const struct forked f = {
		.run = nvml_ask,
		.arg = libnvidia_ml,
		.seconds = seconds,
		.caps = 1ULL << CAP_SYS_ADMIN | 1ULL << CAP_DAC_OVERRIDE,
	};
	const size_t max = NVML_RECORDS_MAX * sizeof(struct nvml_record);
	void *answer = arena_alloc(a, max);
	struct nvml_record failed;
	int sig;
	ssize_t n = forked_run(&f, answer, max, &sig);
	int r;

	if (n < 0)
		return forked_say(e, libnvidia_ml, &f, n, sig);
	r = nvml_take(a, answer, (size_t)n, set, &failed);
	if (r == -EREMOTEIO)
		return say_failed(e, libnvidia_ml, &failed);
	return r < 0 ? err_set(e, -r, "%s: the answer makes no sense", libnvidia_ml) : 0;
}

int gpu_nvml_look(struct arena *a, const char *libnvidia_ml, struct gpu_set *set, struct err *e)
{
	return nvml_look_within(a, libnvidia_ml, GPU_NVML_SECONDS, set, e);
}

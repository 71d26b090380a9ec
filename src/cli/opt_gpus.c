/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt_gpus.c - options of the group "GPUs".
 */
#include <errno.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>

#include "opt.h"

/*
 * --device PATH[:PATH[:PERMISSIONS]]: the form is checked here, the node by whoever binds it.
 * A CDI name is "vendor/class=name".
 */
static int set_device(const struct opt_in *in, const struct opt *o, const char *value,
		      struct err *e)
{
	struct strv f = { 0 };

	(void)o;
	if (cdi_is_name(value))
		return opt_list_add(in, &in->ask->request.cdi, value, e);
	str_split(in->a, value, ':', &f);
	if (f.n > 3)
		return err_set(e, EINVAL, "%s: more than PATH:PATH:PERMISSIONS", value);
	for (size_t i = 0; i < f.n && i < 2; i++) {
		bool permissions = i == 1 && f.n == 2 && f.v[1][0] != '/';

		if (f.v[i][0] != '/' && !permissions)
			return err_set(e, EINVAL, "%s: '%s' is not an absolute path", value,
				       f.v[i]);
	}
	if (f.n > 1 && f.v[f.n - 1][0] != '/') {
		const char *p = f.v[f.n - 1];

		if (!p[0] || p[strspn(p, "rwm")])
			return err_set(e, EINVAL, "%s: permissions are of the letters r, w and m",
				       value);
	}
	return opt_list_add(in, &in->ask->request.devices, value, e);
}

/* --gpu-caps: the names are checked here, what they bring is decided with the driver's files. */
static int set_gpu_caps(const struct opt_in *in, const struct opt *o, const char *value,
			struct err *e)
{
	uint32_t caps;
	int r = gpu_caps_parse(value, &caps, e);

	return r < 0 ? r : opt_set_text(in, o, value, e);
}

/* --mps[=DIR]: without a value the directory that the daemon uses when nobody says another. */
static int set_mps(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	return *value ? opt_set_path(in, o, value, e) : opt_set_text(in, o, value, e);
}

/* --imex: the numbers of channels, or all. */
static int set_imex(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	if (!str_eq(value, "all") && (value[strspn(value, "0123456789,")] || value[0] == ',' ||
				      strstr(value, ",,") || value[strlen(value) - 1] == ','))
		return err_set(e, EINVAL, "%s: not a list of channel numbers, nor all", value);
	return opt_set_text(in, o, value, e);
}

static const struct opt gpus_rows[] = {
	{ .name = "gpus",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN | VERB_DOCTOR,
	  .metavar = "WHICH",
	  .help = "auto, none, all, 0,1 (as nvidia-smi counts), count=N, UUID, PCI id, MIG, CDI "
		  "name",
	  .complete = COMPLETE_WORDS,
	  .words = OPT_WORDS("auto", "none", "all", "0", "0,1", "count=1"),
	  .set = opt_set_text,
	  OPT_REQ(gpus) },
	{ .name = "gpu-caps",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "LIST",
	  .help = "driver parts: compute,utility (default), graphics, video, display, ngx, "
		  "compat32, all",
	  .complete = COMPLETE_WORDS,
	  .words = OPT_WORDS("compute,utility", "compute,utility,graphics", "compute,utility,video",
			     "all"),
	  .set = set_gpu_caps,
	  OPT_REQ(gpu_caps) },
	{ .name = "no-require",
	  .verbs = VERB_RUN,
	  .help = "start although the image wants a newer driver (NVIDIA_REQUIRE_*)",
	  .set = opt_set_flag,
	  OPT_REQ(no_require) },
	{ .name = "cuda-compat",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "WHEN",
	  .help = "the image's forward compatibility libraries: auto, never, always",
	  .complete = COMPLETE_WORDS,
	  .words = OPT_WORDS("auto", "never", "always"),
	  .set = opt_set_word,
	  OPT_REQ(cuda_compat) },
	{ .name = "driver-root",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN | VERB_GPUS | VERB_DOCTOR,
	  .metavar = "DIR",
	  .help = "where the driver's libraries are, if not in /",
	  .complete = COMPLETE_DIR,
	  .set = opt_set_path,
	  OPT_REQ(driver_root) },
	{ .name = "mps",
	  .arg = OPT_OPTIONAL,
	  .verbs = VERB_RUN,
	  .metavar = "DIR",
	  .help = "be a client of the MPS daemon with that pipe directory; implies --ipc host",
	  .set = set_mps,
	  OPT_REQ(mps) },
	{ .name = "gds",
	  .verbs = VERB_RUN,
	  .help = "GPUDirect Storage: /dev/nvidia-fs*",
	  .set = opt_set_flag,
	  OPT_REQ(gds) },
	{ .name = "gdrcopy",
	  .verbs = VERB_RUN,
	  .help = "GDRCopy: /dev/gdrdrv",
	  .set = opt_set_flag,
	  OPT_REQ(gdrcopy) },
	{ .name = "mofed",
	  .verbs = VERB_RUN,
	  .help = "InfiniBand: /dev/infiniband/uverbs*, rdma_cm",
	  .set = opt_set_flag,
	  OPT_REQ(mofed) },
	{ .name = "nvswitch",
	  .verbs = VERB_RUN,
	  .help = "manage NVSwitches: /dev/nvidia-nvswitch*",
	  .set = opt_set_flag,
	  OPT_REQ(nvswitch) },
	{ .name = "imex",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "LIST",
	  .help = "IMEX channels: numbers, or all",
	  .set = set_imex,
	  OPT_REQ(imex) },
	{ .name = "device",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "PATH[:PATH[:rwm]]",
	  .help = "a device node of the host, at the same path or another one; or a CDI name",
	  .complete = COMPLETE_FILE,
	  .set = set_device },
};
const struct opt_group opt_group_gpus = { "GPUs", gpus_rows, ELEMENTS(gpus_rows) };

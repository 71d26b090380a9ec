/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt_files.c - options of the groups "GPUs" and "files".
 */
#include <errno.h>

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
	if (value[0] != '/' && strchr(value, '='))
		return err_set(e, ENOTSUP, "%s: CDI names are not supported by this version",
			       value);
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

static int set_scratch(const struct opt_in *in, const struct opt *o, const char *value,
		       struct err *e)
{
	if (str_eq(value, "tmpfs"))
		return opt_set_text(in, o, value, e);
	return opt_set_path(in, o, value, e);
}

static const struct opt gpus_rows[] = {
	{ .name = "gpus",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "WHICH",
	  .help = "auto, none, all, 0,1 (as nvidia-smi counts), count=N, device=0,1, UUID, PCI id",
	  .complete = COMPLETE_WORDS,
	  .words = OPT_WORDS("auto", "none", "all", "0", "0,1", "count=1"),
	  .set = opt_set_text,
	  OPT_REQ(gpus) },
	{ .name = "device",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "PATH[:PATH[:rwm]]",
	  .help = "a device node of the host, at the same path or another one",
	  .complete = COMPLETE_FILE,
	  .set = set_device },
	{ .name = "gpu-caps",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "LIST",
	  .set = opt_set_refused },
	{ .name = "no-require", .verbs = VERB_RUN, .set = opt_set_refused },
	{ .name = "cuda-compat",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "WHEN",
	  .set = opt_set_refused },
	{ .name = "mps", .arg = OPT_OPTIONAL, .verbs = VERB_RUN, .set = opt_set_refused },
	{ .name = "gds", .verbs = VERB_RUN, .set = opt_set_refused },
	{ .name = "gdrcopy", .verbs = VERB_RUN, .set = opt_set_refused },
	{ .name = "mofed", .verbs = VERB_RUN, .set = opt_set_refused },
	{ .name = "nvswitch", .verbs = VERB_RUN, .set = opt_set_refused },
	{ .name = "imex",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "LIST",
	  .set = opt_set_refused },
	{ .name = "driver-root",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "DIR",
	  .set = opt_set_refused },
};
const struct opt_group opt_group_gpus = { "GPUs", gpus_rows, ELEMENTS(gpus_rows) };

static const struct opt files_rows[] = {
	{ .name = "volume",
	  .short_name = 'v',
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "SRC[:DST[:OPTS]]",
	  .help = "bind a file or directory; DST left out: the same path",
	  .complete = COMPLETE_FILE,
	  .set = opt_set_volume },
	{ .name = "bind",
	  .short_name = 'B',
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "SRC[:DST[:OPTS]],...",
	  .help = "as --volume, also a comma list",
	  .complete = COMPLETE_FILE,
	  .set = opt_set_bind },
	{ .name = "mount",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "type=bind|tmpfs,KEY=VALUE,...",
	  .help = "the same in docker's long form: src=, dst=, ro, tmpfs-size=, tmpfs-mode=",
	  .complete = COMPLETE_WORDS,
	  .words = OPT_WORDS("type=bind,src=", "type=tmpfs,dst="),
	  .set = opt_set_mount },
	{ .name = "tmpfs",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "DST[:OPTS]",
	  .help = "an empty directory in memory: size=, mode=, exec, ...",
	  .set = opt_set_tmpfs },
	{ .name = "read-only",
	  .verbs = VERB_RUN,
	  .help = "nothing can be written to the image's tree",
	  .set = opt_set_flag,
	  OPT_REQ(read_only) },
	{ .name = "keep",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "NAME",
	  .help = "what the container writes stays under NAME and is there next time",
	  .set = opt_set_label,
	  OPT_REQ(keep) },
	{ .name = "workdir",
	  .short_name = 'w',
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN | VERB_EXEC,
	  .metavar = "DIR",
	  .help = "start in this directory of the container",
	  .set = opt_set_container,
	  OPT_REQ(workdir) },
	{ .name = "cwd",
	  .short_name = 'C',
	  .verbs = VERB_RUN,
	  .help = "bind the current directory and start there",
	  .set = opt_set_tri_on,
	  OPT_REQ(cwd) },
	{ .name = "no-cwd",
	  .verbs = VERB_RUN,
	  .help = "do not, not even in a job",
	  .set = opt_set_tri_off,
	  OPT_REQ(cwd) },
	{ .name = "home",
	  .short_name = 'H',
	  .verbs = VERB_RUN,
	  .help = "bind your home directory",
	  .set = opt_set_tri_on,
	  OPT_REQ(home) },
	{ .name = "no-home",
	  .verbs = VERB_RUN,
	  .help = "do not, not even in a job",
	  .set = opt_set_tri_off,
	  OPT_REQ(home) },
	{ .name = "contain",
	  .verbs = VERB_RUN,
	  .help = "none of the binds that a job brings by default",
	  .set = opt_set_flag,
	  OPT_REQ(contain) },
	{ .name = "shm-size",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "SIZE",
	  .help = "size of a private /dev/shm (default: half of the memory)",
	  .set = opt_set_size,
	  OPT_REQ(shm_size) },
	{ .name = "scratch",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "DIR|tmpfs",
	  .help = "where the tree's changes go until the end (default: memory)",
	  .complete = COMPLETE_DIR,
	  .set = set_scratch,
	  OPT_REQ(scratch) },
	{ .name = "store",
	  .arg = OPT_VALUE,
	  .verbs = VERB_STORE,
	  .metavar = "DIR",
	  .help = "where unpacked images are kept",
	  .complete = COMPLETE_DIR,
	  .set = opt_set_path,
	  OPT_REQ(store) },
};
const struct opt_group opt_group_files = { "files", files_rows, ELEMENTS(files_rows) };

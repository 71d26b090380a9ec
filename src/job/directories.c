/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directories.c - where a job keeps its files, and what variables of the user name.  Those that
 * a directory of the plan shows already (the current one, HOME) are left out there.
 */
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

/* Directories of the job beside TMPDIR: customs of sites. */
static const char *const job_variables[] = {
	"SLURM_TMPDIR",
	"PBS_JOBDIR",
};

/* Directories that make an image what it is: a variable does not put the host's in their place. */
static bool is_of_image(const char *path)
{
	static const char *const dirs[] = {
		"/bin", "/boot", "/etc",  "/lib", "/lib32", "/lib64",
		"/opt", "/run",  "/sbin", "/usr", "/var",
	};

	for (size_t i = 0; i < ELEMENTS(dirs); i++)
		if (str_eq(path, dirs[i]))
			return true;
	return false;
}

/*
 * At the same path, when it is there.  A directory can be written as outside; a file is read
 * (certificates).  Optional: an image that cannot be written may have no place for it.
 */
static void add_variable(struct job_builder *b, const char *name, const char *unset)
{
	const char *host = host_getenv(b->host, name), *value = host ? host : unset;
	const char *path = value && value[0] == '/' ? path_clean(b->a, value) : NULL;
	struct stat st;

	if (!path || !job_may_bind(path) || is_of_image(path) || job_stat(b, path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))
		job_add_bind(b, path, path, S_ISREG(st.st_mode) ? MOUNT_ATTR_RDONLY : 0,
			     OPF_OPTIONAL, arena_printf(b->a, "job: %s", name));
}

int job_directories(struct job_builder *b, struct err *e)
{
	bool slurm = b->host->job.launcher && str_eq(b->host->job.launcher, "slurm");

	(void)e;
	/* Slurm sets TMPDIR=/tmp where it is unset, but in a step for one task of a node only */
	add_variable(b, "TMPDIR", slurm ? "/tmp" : NULL);
	for (size_t i = 0; i < ELEMENTS(job_variables); i++)
		add_variable(b, job_variables[i], NULL);
	for (const char *const *p = host_path_variables; *p; p++)
		add_variable(b, *p, NULL);
	return 0;
}

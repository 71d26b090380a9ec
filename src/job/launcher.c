/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launcher.c - how a rank finds its launcher: what the launcher says by files.
 *
 * PMIx (Slurm's mpi/pmix, Open MPI's mpirun, PRRTE): a TCP port on loopback, and files in a
 * directory that the server and its clients map.  Without it PMIx_Init fails, after the look-up
 * of the job's data.  Open MPI's session directory is the same one, or below it.
 * PALS (also Slurm's mpi/cray_shasta, Flux): a file with the job's layout.
 * Hydra and PMI-2: an inherited descriptor or a TCP port; no files.
 */
#include <gpurun/str.h>

#include "build.h"

static const char *const directories[] = {
	"PMIX_SERVER_TMPDIR",
	"PMIX_SYSTEM_TMPDIR",
	"PALS_SPOOL_DIR",
	"PALS_APINFO",
};

/*
 * A client library takes its modules from what the server offers, unless it is older or newer
 * than the server; the parameters say the same to any version.
 */
static const struct parameter {
	const char *server, *client;
} parameters[] = {
	{ "PMIX_PTL_MODULE", "PMIX_MCA_ptl" },
	{ "PMIX_SECURITY_MODE", "PMIX_MCA_psec" },
	{ "PMIX_GDS_MODULE", "PMIX_MCA_gds" },
};

/* The host's /tmp as a whole comes in as TMPDIR, or not at all; what is there already, once. */
static bool is_wanted(const struct job_builder *b, const char *path)
{
	if (!path || !job_may_bind(path) || str_eq(path, "/tmp") || !host_has(b->root, path))
		return false;
	for (size_t i = 0; i < b->ed.ops.n; i++)
		if (path_below(path, b->ed.ops.v[i].dst))
			return false;
	return true;
}

int job_launcher(struct job_builder *b, struct err *e)
{
	(void)e;
	for (size_t i = 0; i < ELEMENTS(directories); i++) {
		const char *value = host_getenv(b->host, directories[i]);
		const char *path = value && value[0] == '/' ? path_clean(b->a, value) : NULL;

		if (is_wanted(b, path))
			job_add_bind(b, path, path, 0, 0,
				     arena_printf(b->a, "job: %s", directories[i]));
	}
	for (size_t i = 0; i < ELEMENTS(parameters); i++) {
		const char *value = host_getenv(b->host, parameters[i].server);

		if (value && *value && !host_getenv(b->host, parameters[i].client))
			strv_push(b->a, &b->ed.env,
				  arena_printf(b->a, "%s=%s", parameters[i].client, value));
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fabrics.c - fast networks, memory that ranks share through drivers, and what NCCL reads to know
 * the machine.  All of it is given where it is there: the nodes' own modes decide who may use it.
 */
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

#define VERBS       "/dev/infiniband/*"
#define VERBS_CONF  "/etc/libibverbs.d"
#define HUGEPAGES   "/dev/hugepages" /* and those of other sizes, "hugepages1G" */
#define TOPOLOGY    "/var/run/nvidia-topologyd/virtualTopology.xml"
#define WHY_FABRICS "job: fabrics"

/* @first: is there where any is; to look for it costs less than to read all names in /dev */
static const struct {
	const char *pattern, *first;
} nodes[] = {
	{ "/dev/gdrdrv", NULL },      /* GPU memory mapped by the CPU (GDRCopy) */
	{ "/dev/xpmem", NULL },       /* memory of other processes (Open MPI, UCX, Cray MPICH) */
	{ "/dev/knem", NULL },        /* the same, by copies */
	{ "/dev/cxi*", "/dev/cxi0" }, /* HPE Slingshot */
	{ "/dev/hfi1_*", "/dev/hfi1_0" }, /* Cornelis Omni-Path */
};

/* Files that the user or the site names for NCCL. */
static const char *const nccl_files[] = {
	"NCCL_TOPO_FILE",
	"NCCL_GRAPH_FILE",
	"NCCL_CONF_FILE",
};

/*
 * Verbs pin memory; the limit of the shell that submitted the job comes along with it, and is
 * seldom meant.  The text is the same for all ranks.
 */
static void warn_memlock(struct job_builder *b)
{
	rlim_t limit = b->host->rlimits[RLIMIT_MEMLOCK].rlim_max;
	bool slurm = b->host->job.launcher && str_eq(b->host->job.launcher, "slurm");

	if (limit == RLIM_INFINITY || b->host->job.local_rank > 0)
		return;
	strv_push(b->a, b->warn,
		  arena_printf(b->a,
			       "InfiniBand: at most %llu KiB of memory can be locked here (ulimit "
			       "-l), MPI and NCCL need more: %s",
			       (unsigned long long)limit >> 10,
			       slurm || b->host->job.id
				       ? "PropagateResourceLimitsExcept=MEMLOCK in slurm.conf, and "
					 "LimitMEMLOCK=infinity for slurmd"
				       : "memlock unlimited in /etc/security/limits.conf"));
}

/* NCCL looks in /var/run, which in most images is a link to /run. */
static void add_topology(struct job_builder *b)
{
	for (size_t i = 0; i < ELEMENTS(nccl_files); i++) {
		const char *value = host_getenv(b->host, nccl_files[i]);
		const char *path = value && value[0] == '/' ? path_clean(b->a, value) : NULL;
		struct stat st;

		if (path && job_may_bind(path) && job_stat(b, path, &st) == 0 &&
		    S_ISREG(st.st_mode))
			job_add_bind(b, path, path, MOUNT_ATTR_RDONLY, OPF_OPTIONAL,
				     arena_printf(b->a, "job: %s", nccl_files[i]));
	}
	if (host_has(b->root, TOPOLOGY))
		job_add_bind(b, TOPOLOGY, TOPOLOGY, MOUNT_ATTR_RDONLY, OPF_OPTIONAL, WHY_FABRICS);
}

int job_fabrics(struct job_builder *b, struct err *e)
{
	struct strv pages = { 0 };
	int verbs = job_add_nodes(b, VERBS, WHY_FABRICS);

	(void)e;
	if (verbs > 0) {
		if (host_has(b->root, VERBS_CONF))
			job_add_bind(b, VERBS_CONF, VERBS_CONF, MOUNT_ATTR_RDONLY, OPF_OPTIONAL,
				     WHY_FABRICS);
		warn_memlock(b);
	}
	for (size_t i = 0; i < ELEMENTS(nodes); i++)
		if (!nodes[i].first || host_has(b->root, nodes[i].first))
			(void)job_add_nodes(b, nodes[i].pattern, WHY_FABRICS);
	if (host_has(b->root, HUGEPAGES))
		(void)job_glob(b, HUGEPAGES "*", &pages);
	for (size_t i = 0; i < pages.n; i++)
		job_add_bind(b, pages.v[i], pages.v[i], 0, 0, "job: hugepages");
	add_topology(b);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* job_edits() without site.d: what a job brings on hosts with and without this and that. */
#include <errno.h>

#include <gpurun/sys.h>

#include "job-host.h"

static void no_job(struct arena *a)
{
	struct job_case c;

	job_case_new(&c, a);
	c.host.job = (struct host_job){ .kind = JOB_NONE };
	job_mkdir(&c, "/tmp/job");
	job_node(&c, "/dev/infiniband/uverbs0");
	job_node(&c, "/dev/xpmem");
	job_var(&c, "TMPDIR=/tmp/job");
	job_var(&c, "PMIX_SERVER_TMPDIR=/tmp/job");
	job_var(&c, "PMIX_GDS_MODULE=hash");
	is_int(job_look(&c), 0, "outside of a job");
	is_int(c.ed.files.n + c.ed.ops.n + c.ed.env.n + c.warn.n, 0, "nothing is brought there");
	job_case_free(&c);
}

static void launchers(struct arena *a)
{
	struct job_case c;
	const struct op *op;

	job_case_new(&c, a);
	job_mkdir(&c, "/var/spool/slurmd/pmix.7.0");
	job_mkdir(&c, "/var/spool/pals");
	job_put(&c, "/var/spool/elsewhere/apinfo", "");
	job_mkdir(&c, "/tmp");
	job_var(&c, "PMIX_SERVER_TMPDIR=/var/spool/slurmd/pmix.7.0/");
	job_var(&c, "PMIX_SYSTEM_TMPDIR=/tmp");
	job_var(&c, "PALS_SPOOL_DIR=/var/spool/pals");
	job_var(&c, "PALS_APINFO=/var/spool/elsewhere/apinfo");
	c.o.contain = true;
	is_int(job_look(&c), 0, "a launcher's directories");
	op = job_find(&c.ed.ops, "/var/spool/slurmd/pmix.7.0");
	ok(op && op->kind == OP_BIND && op->flags == OPF_RECURSIVE,
	   "PMIx's is bound, no matter what");
	ok(op && !(op->attrs & MOUNT_ATTR_RDONLY), "and can be written");
	is_str(op ? op->why : "", "job: PMIX_SERVER_TMPDIR", "with the variable as its reason");
	ok(job_find(&c.ed.ops, "/var/spool/pals"), "the directory of PALS");
	ok(job_find(&c.ed.files, "/var/spool/elsewhere/apinfo"), "its file");
	ok(!job_op(&c, "/tmp"), "not the whole /tmp");
	is_int(c.ed.env.n, 0, "no parameter without a module");
	c.environ.n--;
	job_put(&c, "/var/spool/pals/apinfo", "");
	job_var(&c, "PALS_APINFO=/var/spool/pals/apinfo");
	is_int(job_look(&c), 0, "a file in one of them");
	is_int(c.ed.files.n, 0, "comes with it");
	job_case_free(&c);
}

static void launcher_odd_values(struct arena *a)
{
	static const char *const values[] = {
		"", "/", "tmp", "/missing", "/proc/self", "/sys", "/.gpurun/x", "/dev", "/../..",
	};

	for (size_t i = 0; i < ELEMENTS(values); i++) {
		struct job_case c;

		job_case_new(&c, a);
		job_mkdir(&c, "/proc/self");
		job_mkdir(&c, "/sys");
		job_mkdir(&c, "/.gpurun/x");
		job_mkdir(&c, "/dev");
		job_var(&c, arena_printf(a, "PMIX_SERVER_TMPDIR=%s", values[i]));
		job_var(&c, arena_printf(a, "TMPDIR=%s", values[i]));
		ok(job_look(&c) == 0 && !c.ed.ops.n && !c.ed.files.n, "'%s' is not bound",
		   values[i]);
		job_case_free(&c);
	}
}

static void pmix_parameters(struct arena *a)
{
	struct job_case c;

	job_case_new(&c, a);
	job_var(&c, "PMIX_PTL_MODULE=tcp");
	job_var(&c, "PMIX_SECURITY_MODE=munge,native");
	job_var(&c, "PMIX_GDS_MODULE=ds21,ds12,hash");
	job_var(&c, "PMIX_MCA_gds=hash");
	is_int(job_look(&c), 0, "PMIx's modules");
	is_int(c.ed.env.n, 2, "parameters for two of them");
	is_str(c.ed.env.v[0], "PMIX_MCA_ptl=tcp", "the transport");
	is_str(c.ed.env.v[1], "PMIX_MCA_psec=munge,native", "the security");
	job_case_free(&c);
}

static void fabrics(struct arena *a)
{
	static const char *const nodes[] = {
		"/dev/infiniband/uverbs0",
		"/dev/infiniband/uverbs10",
		"/dev/infiniband/rdma_cm",
		"/dev/gdrdrv",
		"/dev/xpmem",
		"/dev/knem",
		"/dev/cxi0",
		"/dev/hfi1_0",
	};
	struct job_case c;
	const struct op *op;

	job_case_new(&c, a);
	for (size_t i = 0; i < ELEMENTS(nodes); i++)
		job_node(&c, nodes[i]);
	job_node(&c, "/dev/mem");
	job_node(&c, "/dev/cuse");
	job_put(&c, "/etc/libibverbs.d/mlx5.driver", "driver mlx5\n");
	job_mkdir(&c, "/dev/hugepages");
	job_mkdir(&c, "/dev/hugepages1G");
	c.o.contain = true;
	is_int(job_look(&c), 0, "fast networks");
	for (size_t i = 0; i < ELEMENTS(nodes); i++) {
		op = job_find(&c.ed.ops, nodes[i]);
		ok(op && op->kind == OP_BIND_DEV && !(op->attrs & MOUNT_ATTR_NODEV), "%s",
		   nodes[i]);
	}
	ok(!job_op(&c, "/dev/mem") && !job_op(&c, "/dev/cuse"), "and no other node");
	op = job_find(&c.ed.ops, "/etc/libibverbs.d");
	ok(op && op->attrs & MOUNT_ATTR_RDONLY && op->flags & OPF_OPTIONAL, "verbs' list");
	ok(job_find(&c.ed.ops, "/dev/hugepages") && job_find(&c.ed.ops, "/dev/hugepages1G"),
	   "huge pages of each size");
	is_int(c.warn.n, 0, "no warning where memory can be locked");
	job_case_free(&c);
}

static void fabrics_none(struct arena *a)
{
	struct job_case c;

	job_case_new(&c, a);
	job_put(&c, "/etc/libibverbs.d/mlx5.driver", "driver mlx5\n");
	job_mkdir(&c, "/dev/infiniband");
	c.host.rlimits[RLIMIT_MEMLOCK].rlim_max = 8 << 20;
	is_int(job_look(&c), 0, "without a fast network");
	is_int(c.ed.ops.n + c.ed.files.n + c.warn.n, 0, "verbs' list alone is of no use");
	job_case_free(&c);
}

static void memlock(struct arena *a)
{
	struct job_case c;

	job_case_new(&c, a);
	job_node(&c, "/dev/infiniband/uverbs0");
	c.host.rlimits[RLIMIT_MEMLOCK].rlim_max = 8 << 20;
	is_int(job_look(&c), 0, "little memory can be locked");
	is_int(c.warn.n, 1, "a warning");
	ok(c.warn.n && strstr(c.warn.v[0], "8192 KiB") &&
		   strstr(c.warn.v[0], "PropagateResourceLimitsExcept=MEMLOCK"),
	   "it names the limit and Slurm's setting");
	c.host.job.local_rank = 1;
	is_int(job_look(&c), 0, "the second rank of the node");
	is_int(c.warn.n, 0, "says nothing");
	c.host.job = (struct host_job){ .kind = JOB_STEP, .launcher = "pmix" };
	is_int(job_look(&c), 0, "without Slurm");
	ok(c.warn.n == 1 && !strstr(c.warn.v[0], "slurm"), "it is not the one to blame");
	job_case_free(&c);
}

static void nccl_files(struct arena *a)
{
	const char *topology = "/var/run/nvidia-topologyd/virtualTopology.xml";
	struct job_case c;
	const struct op *op;

	job_case_new(&c, a);
	job_put(&c, "/etc/topo.xml", "<system/>");
	job_mkdir(&c, "/etc/graph.xml");
	job_put(&c, topology, "<system/>");
	job_var(&c, "NCCL_TOPO_FILE=/etc/topo.xml");
	job_var(&c, "NCCL_GRAPH_FILE=/etc/graph.xml");
	job_var(&c, "NCCL_CONF_FILE=topo.xml");
	is_int(job_look(&c), 0, "NCCL's files");
	op = job_find(&c.ed.files, "/etc/topo.xml");
	ok(op && op->attrs & MOUNT_ATTR_RDONLY && op->flags & OPF_OPTIONAL,
	   "the named one, to be read, where there is a place");
	ok(job_find(&c.ed.files, topology), "the one of virtual machines");
	is_int(c.ed.files.n + c.ed.ops.n, 2, "no directory, no relative path");
	job_case_free(&c);
}

static void directories(struct arena *a)
{
	struct job_case c;
	const struct op *op;

	job_case_new(&c, a);
	job_mkdir(&c, "/local/7");
	job_mkdir(&c, "/data/hf");
	job_put(&c, "/etc/pki/ca.pem", "");
	job_put(&c, "/run/socket", "");
	job_var(&c, "TMPDIR=/local/7");
	job_var(&c, "HF_HOME=/data/../data/hf");
	job_var(&c, "SSL_CERT_FILE=/etc/pki/ca.pem");
	job_var(&c, "TORCH_HOME=/data/torch");
	job_var(&c, "TRITON_CACHE_DIR=relative");
	is_int(job_look(&c), 0, "directories that variables name");
	op = job_find(&c.ed.ops, "/local/7");
	ok(op && !(op->attrs & MOUNT_ATTR_RDONLY) && op->flags & OPF_OPTIONAL,
	   "TMPDIR, to be written");
	is_str(op ? op->why : "", "job: TMPDIR", "for its reason");
	ok(job_find(&c.ed.ops, "/data/hf"), "a cache, by the cleaned path");
	op = job_find(&c.ed.files, "/etc/pki/ca.pem");
	ok(op && op->attrs & MOUNT_ATTR_RDONLY, "certificates, to be read");
	is_int(c.ed.ops.n + c.ed.files.n, 3, "what is not there is left out");
	c.o.contain = true;
	is_int(job_look(&c), 0, "--contain");
	is_int(c.ed.ops.n + c.ed.files.n, 0, "leaves them all out");
	job_case_free(&c);
}

/* Ranks find each other by a hash over what comes out: the order must not be that of readdir. */
static void same_order(struct arena *a)
{
	struct job_case c;
	size_t at = 0;

	job_case_new(&c, a);
	for (int i = 9; i >= 0; i--)
		job_node(&c, arena_printf(a, "/dev/infiniband/uverbs%d", (i * 7) % 10));
	is_int(job_look(&c), 0, "ten adapters");
	for (size_t i = 0; i < c.ed.ops.n; i++)
		at += str_eq(c.ed.ops.v[i].dst, arena_printf(a, "/dev/infiniband/uverbs%zu", i));
	is_int(at, 10, "in the order of their names");
	job_case_free(&c);
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	no_job(a);
	launchers(a);
	launcher_odd_values(a);
	pmix_parameters(a);
	fabrics(a);
	fabrics_none(a);
	memlock(a);
	nccl_files(a);
	directories(a);
	same_order(a);
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* In which job we run, by the variables of Slurm, Open MPI, PRRTE, PALS and Hydra. */
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "../../src/host/look.h"
#include "tap.h"

#define VARS 12

static struct host_job job_of(struct arena *a, const char *const *environ)
{
	_cleanup_fd_ int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct sysroot root = { .fd = fd, .label = "" };
	struct host h = { .environ = environ, .hostname = "node7" };

	job_look(a, &root, &h);
	return h.job;
}

#define JOB(a, ...) job_of(a, (const char *const[]){ __VA_ARGS__, NULL })

static void test_kinds(struct arena *a)
{
	static const struct {
		const char *env[VARS];
		enum job_kind want;
		const char *step, *what;
	} rows[] = {
		{ { NULL }, JOB_NONE, NULL, "no variable" },
		{ { "SLURM_JOB_ID=" }, JOB_NONE, NULL, "an empty job id" },
		{ { "SLURM_JOB_ID=7" }, JOB_BATCH, NULL, "a batch script" },
		{ { "SLURM_JOB_ID=7", "SLURM_STEP_ID=0" }, JOB_STEP, "7.0", "the first step" },
		{ { "SLURM_JOB_ID=7", "SLURM_STEP_ID=4294967290" },
		  JOB_BATCH,
		  NULL,
		  "the shell of salloc" },
		{ { "SLURM_JOB_ID=7", "SLURM_STEP_ID=4294967279" },
		  JOB_STEP,
		  "7.4294967279",
		  "the last number of an ordinary step" },
		{ { "SLURM_JOB_ID=7", "SLURM_STEP_ID=x" }, JOB_BATCH, NULL, "no number" },
		{ { "SLURM_JOB_ID=7", "SLURM_STEP_ID=-1" }, JOB_BATCH, NULL, "below 0" },
		{ { "SLURM_STEP_ID=0" }, JOB_NONE, NULL, "a step without a job" },
		{ { "OMPI_COMM_WORLD_RANK=1", "PMIX_NAMESPACE=prterun-node7-12@1" },
		  JOB_STEP,
		  "prterun-node7-12@1",
		  "a rank of mpirun" },
		{ { "PMIX_NAMESPACE=12@1", "PMIX_RANK=0" }, JOB_STEP, "12@1", "one of prterun" },
		{ { "PMIX_NAMESPACE=12@1" }, JOB_NONE, NULL, "a name without a rank" },
		{ { "PALS_RANKID=0", "PALS_APID=ab-cd" }, JOB_STEP, "ab-cd", "a rank of PALS" },
		{ { "PMI_RANK=0" }, JOB_NONE, NULL, "PMI_RANK alone is anybody's" },
		{ { "SLURM_JOB_ID=7", "PALS_RANKID=0", "PALS_APID=x" },
		  JOB_STEP,
		  "x",
		  "a launcher in a batch script" },
		{ { "SLURM_JOB_ID=7", "SLURM_STEP_ID=3", "OMPI_COMM_WORLD_RANK=0" },
		  JOB_STEP,
		  "7.3",
		  "a launcher in a step: the step is Slurm's" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct host_job j = job_of(a, rows[i].env);

		is_int(j.kind, rows[i].want, "job: %s", rows[i].what);
		is_str(j.step, rows[i].step, "its step");
		ok(!!j.key == (j.kind == JOB_STEP), "its key");
	}
}

static void test_numbers(struct arena *a)
{
	static const struct {
		const char *env[VARS];
		int rank, size, local_rank, local_size;
		const char *launcher, *what;
	} rows[] = {
		{ { "SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURM_PROCID=5", "SLURM_LOCALID=1",
		    "SLURM_NODEID=1", "SLURM_STEP_NUM_TASKS=11", "SLURM_NTASKS=99",
		    "SLURM_STEP_TASKS_PER_NODE=4(x2),3", "SLURM_TASKS_PER_NODE=9" },
		  5,
		  11,
		  1,
		  4,
		  "slurm",
		  "srun" },
		{ { "SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURM_NTASKS=99", "SLURM_NODEID=0",
		    "SLURM_TASKS_PER_NODE=9" },
		  -1,
		  99,
		  -1,
		  9,
		  "slurm",
		  "the job's numbers where the step's are missing" },
		{ { "SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURM_PROCID=-2", "SLURM_LOCALID=x",
		    "SLURM_STEP_NUM_TASKS=99999999999", "SLURM_NODEID=0",
		    "SLURM_STEP_TASKS_PER_NODE=" },
		  -1,
		  -1,
		  -1,
		  -1,
		  "slurm",
		  "no numbers" },
		{ { "OMPI_COMM_WORLD_RANK=3", "OMPI_COMM_WORLD_SIZE=4",
		    "OMPI_COMM_WORLD_LOCAL_RANK=1", "OMPI_COMM_WORLD_LOCAL_SIZE=2" },
		  3,
		  4,
		  1,
		  2,
		  "pmix",
		  "mpirun" },
		{ { "PMI_RANK=3", "PMI_SIZE=4", "MPI_LOCALRANKID=1", "MPI_LOCALNRANKS=2" },
		  3,
		  4,
		  1,
		  2,
		  "hydra",
		  "Hydra" },
		{ { "PALS_RANKID=3", "PALS_APID=x", "PMI_SIZE=4", "PALS_LOCAL_RANKID=1",
		    "PALS_LOCAL_SIZE=2", "PMI_RANK=3" },
		  3,
		  4,
		  1,
		  2,
		  "pals",
		  "PALS" },
		{ { "SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURM_PROCID=5", "SLURM_LOCALID=1",
		    "PMIX_NAMESPACE=slurm.pmix.7.0", "PMIX_RANK=5", "PMI_RANK=5" },
		  5,
		  -1,
		  1,
		  -1,
		  "slurm",
		  "srun --mpi=pmix" },
		{ { "SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURM_PROCID=0", "SLURM_LOCALID=0",
		    "PMIX_NAMESPACE=12@1", "OMPI_COMM_WORLD_RANK=6", "OMPI_COMM_WORLD_SIZE=8",
		    "OMPI_COMM_WORLD_LOCAL_RANK=2", "OMPI_COMM_WORLD_LOCAL_SIZE=4" },
		  6,
		  8,
		  2,
		  4,
		  "slurm",
		  "mpirun, whose daemons srun has started" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct host_job j = job_of(a, rows[i].env);

		is_str(j.launcher, rows[i].launcher, "launcher: %s", rows[i].what);
		ok(j.rank == rows[i].rank && j.size == rows[i].size &&
			   j.local_rank == rows[i].local_rank && j.local_size == rows[i].local_size,
		   "its numbers: %d of %d, on the node %d of %d", j.rank, j.size, j.local_rank,
		   j.local_size);
	}
	is_int(JOB(a, "SLURM_JOB_ID=7", "SLURM_GPUS_ON_NODE=4").node_gpus, 4, "GPUs of a job");
	is_int(JOB(a, "SLURM_JOB_ID=7").node_gpus, -1, "and when nobody says");
}

static void test_tasks(struct arena *a)
{
	static const struct {
		const char *text;
		int node, want;
	} rows[] = {
		{ "8", 0, 8 },           { "8", 1, -1 },
		{ "4(x2),3", 0, 4 },     { "4(x2),3", 1, 4 },
		{ "4(x2),3", 2, 3 },     { "4(x2),3", 3, -1 },
		{ "", 0, -1 },           { "x", 0, -1 },
		{ "4(x", 0, -1 },        { "4(x2", 0, -1 },
		{ "4(x2)3", 0, -1 },     { "4(xx),3", 0, -1 },
		{ "4(x0),3", 0, 3 },     { ",", 0, -1 },
		{ "2147483648", 0, -1 }, { "1(x2147483647),2(x2147483647),3", 2147483647, 2 },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		is_int(job_tasks_on(a, rows[i].text, rows[i].node), rows[i].want,
		       "tasks of \"%s\" on node %d", rows[i].text, rows[i].node);
}

/* The key: the same in all ranks of a step, and in nobody else. */
static void test_key(struct arena *a)
{
	const char *key = JOB(a, "SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURM_PROCID=0").key;

	is_str(JOB(a, "SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURM_PROCID=1").key, key,
	       "two ranks have one key");
	ok(strstr(key, "user:[") && strstr(key, "mnt:[") && strstr(key, "pid:["),
	   "it names our namespaces: %s", key);
	ok(!str_eq(JOB(a, "SLURM_JOB_ID=7", "SLURM_STEP_ID=1").key, key), "another step");
	ok(!str_eq(JOB(a, "SLURM_JOB_ID=8", "SLURM_STEP_ID=0").key, key), "another job");
	ok(!str_eq(JOB(a, "SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURM_RESTART_COUNT=1").key, key),
	   "a job that was requeued");
	ok(!str_eq(JOB(a, "SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "SLURMD_NODENAME=x").key, key),
	   "another node");
	ok(str_after(JOB(a, "PMI_RANK=0", "MPI_LOCALNRANKS=2").step, "hydra-"),
	   "Hydra's ranks have their parent in common");
}

/* A name from the environment becomes the name of a file. */
static void test_names(struct arena *a)
{
	char name[300] = "PALS_APID=";
	const char *key;

	is_str(JOB(a, "PALS_RANKID=0", "PALS_APID=../../x y").step, "_._.._x_y",
	       "no path, no hidden file");
	is_str(JOB(a, "PALS_RANKID=0", "PALS_APID=-x").step, "_x", "no option");
	memset(name + strlen(name), 'y', sizeof(name) - strlen(name) - 1);
	is_int((long)strlen(JOB(a, "PALS_RANKID=0", name).step), 64, "a long one is cut");
	key = JOB(a, "PALS_RANKID=0", name).key;
	name[sizeof(name) - 2] = 'z';
	ok(!str_eq(JOB(a, "PALS_RANKID=0", name).key, key), "in the key it is whole");
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_kinds(a);
	test_numbers(a);
	test_tasks(a);
	test_key(a);
	test_names(a);
	return done_testing();
}

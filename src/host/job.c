/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In which job we run.  Slurm sets SLURM_JOB_ID everywhere in a job and SLURM_STEP_ID in the
 * tasks that srun starts; the batch script has none.  The steps that Slurm makes for itself have
 * numbers at the top of the range (slurm.h: 0xfffffff0 and above; the shell of salloc is
 * 0xfffffffa): a person works there, so it counts as the batch script does.
 *
 * Without a step of Slurm's the ranks of mpirun and its like are one.  A launcher that was started
 * in a step, or that starts its own daemons by srun, hands Slurm's variables on to all its ranks:
 * the step stays Slurm's then, and the numbers are the launcher's.
 */
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "look.h"

const char *const host_path_variables[] = {
	"HF_HOME",
	"TORCH_HOME",
	"TRITON_CACHE_DIR",
	"XDG_CACHE_HOME",
	"SSL_CERT_FILE",
	"CUDA_MPS_PIPE_DIRECTORY",
	NULL,
};

#define SLURM_STEP_NORMAL_MAX 0xffffffefU
#define JOB_NUMBER_MAX        INT32_MAX
#define STEP_NAME_MAX         64 /* of a file name that has more to hold */

enum { LAUNCHER_VARIABLES = 2 };

/*
 * What each launcher tells its ranks; the first variable that is there counts.  The first row
 * whose marks are all there is the one that started us.
 * @step: what names the launch, the same in all its ranks; without one it is the parent process
 */
static const struct launcher {
	const char *name;
	const char *marks[LAUNCHER_VARIABLES];
	const char *step;
	const char *rank[LAUNCHER_VARIABLES], *size[LAUNCHER_VARIABLES];
	const char *local_rank[LAUNCHER_VARIABLES], *local_size[LAUNCHER_VARIABLES];
} launchers[] = {
	{ .name = "pmix",
	  .marks = { "OMPI_COMM_WORLD_RANK" },
	  .step = "PMIX_NAMESPACE",
	  .rank = { "OMPI_COMM_WORLD_RANK" },
	  .size = { "OMPI_COMM_WORLD_SIZE" },
	  .local_rank = { "OMPI_COMM_WORLD_LOCAL_RANK" },
	  .local_size = { "OMPI_COMM_WORLD_LOCAL_SIZE" } },
	{ .name = "pals",
	  .marks = { "PALS_RANKID", "PALS_APID" },
	  .step = "PALS_APID",
	  .rank = { "PALS_RANKID" },
	  .size = { "PALS_SIZE", "PMI_SIZE" },
	  .local_rank = { "PALS_LOCAL_RANKID", "PMI_LOCAL_RANK" },
	  .local_size = { "PALS_LOCAL_SIZE", "PMI_LOCAL_SIZE" } },
	{ .name = "hydra",
	  .marks = { "PMI_RANK", "MPI_LOCALNRANKS" },
	  .rank = { "PMI_RANK" },
	  .size = { "PMI_SIZE" },
	  .local_rank = { "MPI_LOCALRANKID" },
	  .local_size = { "MPI_LOCALNRANKS" } },
	/* prterun of a program that is not Open MPI's */
	{ .name = "pmix",
	  .marks = { "PMIX_NAMESPACE", "PMIX_RANK" },
	  .step = "PMIX_NAMESPACE",
	  .rank = { "PMIX_RANK" } },
};

/* In a step of Slurm's, where no other launcher stands between. */
static const struct launcher slurm = {
	.name = "slurm",
	.rank = { "SLURM_PROCID" },
	.size = { "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS" },
	.local_rank = { "SLURM_LOCALID" },
};

/* The first of the variables that is a number, or -1. */
static int job_number(const struct host *h, const char *const *names)
{
	for (size_t i = 0; i < LAUNCHER_VARIABLES && names[i]; i++) {
		const char *value = host_getenv(h, names[i]);
		uint64_t n;

		if (value && num_u64(value, JOB_NUMBER_MAX, &n) == 0)
			return (int)n;
	}
	return -1;
}

static int job_variable(const struct host *h, const char *name)
{
	return job_number(h, (const char *const[LAUNCHER_VARIABLES]){ name });
}

int job_tasks_on(struct arena *a, const char *text, int node)
{
	struct strv groups = { 0 };
	int64_t left = node;

	str_split(a, text, ',', &groups);
	for (size_t i = 0; i < groups.n && left >= 0; i++) {
		const char *times = strstr(groups.v[i], "(x");
		size_t len = times ? (size_t)(times - groups.v[i]) : strlen(groups.v[i]);
		uint64_t tasks, nodes = 1;

		if (num_u64(arena_strndup(a, groups.v[i], len), JOB_NUMBER_MAX, &tasks) < 0)
			return -1;
		if (times) {
			size_t n = strcspn(times + 2, ")");

			if (!str_eq(times + 2 + n, ")") ||
			    num_u64(arena_strndup(a, times + 2, n), JOB_NUMBER_MAX, &nodes) < 0)
				return -1;
		}
		if (left < (int64_t)nodes)
			return (int)tasks;
		left -= (int64_t)nodes;
	}
	return -1;
}

/* Ranks of Slurm's step on this node, of "4(x2),3" and our place among the nodes. */
static int slurm_local_size(struct arena *a, const struct host *h)
{
	const char *text = host_getenv(h, "SLURM_STEP_TASKS_PER_NODE");
	int node = job_variable(h, "SLURM_NODEID");

	if (!text)
		text = host_getenv(h, "SLURM_TASKS_PER_NODE");
	return text && node >= 0 ? job_tasks_on(a, text, node) : -1;
}

/* The launcher that started us without Slurm, or between Slurm's step and us; or NULL. */
static const struct launcher *launcher_find(const struct host *h)
{
	for (size_t i = 0; i < ELEMENTS(launchers); i++) {
		const struct launcher *l = &launchers[i];
		bool all = true;

		for (size_t j = 0; j < LAUNCHER_VARIABLES && l->marks[j]; j++) {
			const char *value = host_getenv(h, l->marks[j]);

			all &= value && *value;
		}
		if (all)
			return l;
	}
	return NULL;
}

/* srun --mpi=pmix sets PMIX_NAMESPACE, too: the numbers there are Slurm's own. */
static bool launcher_is_slurm(const struct host *h, const struct launcher *l)
{
	const char *name = l && l->step ? host_getenv(h, l->step) : NULL;

	return !l || (str_eq(l->name, "pmix") && name && str_after(name, "slurm.pmix."));
}

static void job_numbers(struct arena *a, struct host *h, const struct launcher *l)
{
	struct host_job *j = &h->job;

	j->rank = job_number(h, l->rank);
	j->size = job_number(h, l->size);
	j->local_rank = job_number(h, l->local_rank);
	j->local_size = l == &slurm ? slurm_local_size(a, h) : job_number(h, l->local_size);
}

/* Also the name of a file: what could be another thing there becomes '_'. */
static const char *step_name(struct arena *a, const char *text)
{
	char *s = arena_strndup(a, text, STEP_NAME_MAX);

	for (char *c = s; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-",
			    *c) ||
		    (c == s && (*c == '.' || *c == '-')))
			*c = '_';
	return s;
}

/* Our parent, the launcher's daemon on this node, where nothing else names the launch. */
static const char *step_of_parent(struct arena *a, const struct sysroot *root,
				  const struct launcher *l)
{
	const char *parent = NULL;
	char *text;

	if (look_is_real(root))
		parent = arena_printf(a, "%d", getppid());
	else if (look_text(a, root, "/proc/self/status", HOST_TEXT_MAX, &text, NULL) == 0)
		parent = look_value(a, text, "PPid", ':');
	return arena_printf(a, "%s-%s", l->name, parent ? parent : "0");
}

/* Namespaces in which the ranks must find each other: two that differ here have nothing to share. */
static const char *job_namespaces(struct arena *a, const struct sysroot *root)
{
	static const char *const names[] = { "user", "mnt", "pid" };
	_cleanup_fd_ int dir = root_open(root->fd, "/proc/self/ns", O_PATH | O_DIRECTORY, 0);
	const char *text = "";

	for (size_t i = 0; i < ELEMENTS(names) && dir >= 0; i++) {
		char link[64];
		ssize_t n = readlinkat(dir, names[i], link, sizeof(link));

		text = arena_printf(a, "%s|%.*s", text, n > 0 ? (int)n : 0, link);
	}
	return text;
}

static const char *job_key(struct arena *a, const struct sysroot *root, const struct host *h,
			   const char *step)
{
	const char *restart = host_getenv(h, "SLURM_RESTART_COUNT");
	const char *node = host_getenv(h, "SLURMD_NODENAME");

	return arena_printf(a, "%s|%s|%s|%s%s", h->job.launcher, step, restart ? restart : "0",
			    node ? node : h->hostname, job_namespaces(a, root));
}

void job_look(struct arena *a, const struct sysroot *root, struct host *h)
{
	const char *id = host_getenv(h, "SLURM_JOB_ID");
	const char *step = host_getenv(h, "SLURM_STEP_ID");
	const struct launcher *l = launcher_find(h);
	struct host_job *j = &h->job;
	const char *full;
	uint64_t n;

	*j = (struct host_job){ .kind = JOB_NONE };
	j->rank = j->size = j->local_rank = j->local_size = -1;
	j->node_gpus = job_variable(h, "SLURM_GPUS_ON_NODE");
	j->id = id && *id ? id : NULL;
	if (j->id && step && num_u64(step, SLURM_STEP_NORMAL_MAX, &n) == 0) {
		full = arena_printf(a, "%s.%s", id, step);
		j->launcher = "slurm";
		job_numbers(a, h, launcher_is_slurm(h, l) ? &slurm : l);
	} else if (l) {
		full = l->step ? host_getenv(h, l->step) : NULL;
		if (!full || !*full)
			full = step_of_parent(a, root, l);
		j->launcher = l->name;
		job_numbers(a, h, l);
	} else {
		j->launcher = j->id ? "slurm" : NULL;
		j->kind = j->id ? JOB_BATCH : JOB_NONE;
		return;
	}
	j->kind = JOB_STEP;
	j->step = step_name(a, full);
	j->key = job_key(a, root, h, full);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h - a snapshot of the host: who we are, what the machine has, in which job we run.
 * Filled once by host_probe(), then constant; what is decided from it is decided in plan/.
 */
#ifndef GPURUN_HOST_H
#define GPURUN_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>
#include <gpurun/gpu.h>

/* The columns of the table "In a job and outside" (docs: gpurun(1)). */
enum job_kind { JOB_NONE, JOB_BATCH, JOB_STEP };

/**
 * struct host_job - the job that we run in, by the launcher's variables; numbers are -1 when unknown
 * @launcher: "slurm", "pmix" (Open MPI, PRRTE), "hydra", "pals"; NULL: none
 * @id:       of the job: SLURM_JOB_ID; or NULL
 * @step:     JOB_STEP: what the step is called in messages, in ps and in exec: "123.0" in Slurm,
 *	      else the launcher's own name for it
 * @key:      JOB_STEP: text that all ranks of the step on this node share and nobody else has:
 *	      launcher, step, restart count, node name, our mount and user namespace
 * @local_size: ranks of the step on this node
 * @node_gpus:  GPUs that the job has on this node (SLURM_GPUS_ON_NODE)
 */
struct host_job {
	enum job_kind kind;
	const char *launcher, *id, *step, *key;
	int rank, size, local_rank, local_size, node_gpus;
};

/*
 * Variables that name a directory or file of the host (HF_HOME, SSL_CERT_FILE, ...): bound in a
 * job, left out where it is not visible inside.  NULL-terminated.
 */
extern const char *const host_path_variables[];

/* What of the host the base profile mounts only where it is there. */
struct host_files {
	bool sys, mqueue;
};

/* Subordinate ids of the user, from /etc/subuid and /etc/subgid. */
#define HOST_SUBIDS_MAX 4
struct host_subids {
	struct {
		uint32_t start, count;
	} uids[HOST_SUBIDS_MAX], gids[HOST_SUBIDS_MAX];
	size_t n_uids, n_gids;
};

struct host {
	uid_t uid;
	gid_t gid;
	const char *user; /* name of uid in passwd, else $USER, else the number as text */
	const char *group;
	const char *home; /* from passwd, else $HOME, else "/" */
	const char *hostname;
	const char *cwd;  /* absolute, or NULL when it is gone */
	const char *arch; /* Go's name: "amd64", "arm64" */
	const char *const *environ;
	uint64_t mem_total;         /* bytes */
	uint64_t mem_limit;         /* bytes, memory limit of our cgroup, 0: none */
	const char *cgroup;         /* directory of our own in version 2, when we may put
				     * processes below it and are root or have devd */
	const char *cgroup_refused; /* set by the caller on ERR_TOPIC_DEVICES: why */
	bool devd;                  /* an ordinary user, outside of jobs: gpurun devd is there */
	struct rlimit rlimits[RLIM_NLIMITS]; /* unlimited unless host_limits() was called */
	bool stdin_tty, stdout_tty;
	const char *terminal; /* name of the one at stdin: "/dev/pts/3", or NULL */
	int landlock_abi;
	bool overlay; /* set by the caller from the store's probe, and cleared on ERR_TOPIC_OVERLAY */
	bool proc_fresh; /* true until the kernel refused one (ERR_TOPIC_PROC) */
	struct host_files files;
	const char *etc_hosts; /* text of /etc/hosts, or NULL; only from host_read_hosts() */
	struct host_job job;
	struct gpu_set gpus;
	struct host_subids subids; /* empty unless host_subids() was called */
	const char *state_dir;     /* see state.h; set by the caller */
};

/**
 * host_probe - take the snapshot
 * @root: below which everything is read.  For the real root, ids and cwd come from system
 *	  calls; for a test's directory from its proc/self/{status,cwd,environ} and
 *	  proc/sys/kernel/hostname, so that a plan is the same everywhere.
 * @env: environment of the caller (ignored for a test's directory that has proc/self/environ)
 */
int host_probe(struct arena *a, const struct sysroot *root, const char *const *env,
	       struct host *ret, struct err *e);

/*
 * What few starts ask for, and many calls would find out: not part of the snapshot until the
 * caller wants it.
 */

/** host_limits - the limits of this process, for --ulimit, a bundle's and a job's warnings */
void host_limits(struct arena *a, const struct sysroot *root, struct host *h);

/** host_read_hosts - the text of /etc/hosts, to which --add-host and --hostname add */
void host_read_hosts(struct arena *a, const struct sysroot *root, struct host *h);

/**
 * host_subids - look up the user's subordinate ids, for --userns subid; see subuid(5)
 * Errors: -ENOENT when the user has none, with the command that grants some.
 */
int host_subids(struct arena *a, const struct sysroot *root, struct host *h, struct err *e);

/** host_getenv - value of a variable of the snapshot, or NULL */
const char *host_getenv(const struct host *h, const char *name);

/** host_has - does @path exist below the root directory? (bind sources, scripts for the -C hint) */
bool host_has(const struct sysroot *root, const char *path);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In which job we run.  Slurm sets SLURM_JOB_ID everywhere in a job and SLURM_STEP_ID in the
 * tasks that srun starts; the batch script has none.  The steps that Slurm makes for itself have
 * numbers at the top of the range (slurm.h: 0xfffffff0 and above; the shell of salloc is
 * 0xfffffffa): a person works there, so it counts as the batch script does.
 */
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

void job_look(struct host *h)
{
	const char *id = host_getenv(h, "SLURM_JOB_ID");
	const char *step = host_getenv(h, "SLURM_STEP_ID");
	uint64_t n;

	h->job = (struct host_job){ .kind = JOB_NONE };
	if (!id || !id[0])
		return;
	h->job.id = id;
	h->job.kind = step && num_u64(step, SLURM_STEP_NORMAL_MAX, &n) == 0 ? JOB_STEP : JOB_BATCH;
}

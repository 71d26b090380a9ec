/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvml.h - what the child that asks NVML sends, and what is made of it; private to src/gpu/.
 *
 * The answer is a sequence of records of one size: for each GPU an NVML_GPU, behind it what
 * belongs to it (NVML_USER, NVML_LINK, NVML_MIG); at the end NVML_END.  A child that could not ask
 * sends one NVML_FAILED.  The same program is at both ends, but a library ran in the child, and so
 * nothing of it is believed unchecked.
 */
#ifndef GPURUN_GPU_NVML_H
#define GPURUN_GPU_NVML_H

#include <stdint.h>

#include <gpurun/gpu.h>

#include "forked.h"

#define NVML_TEXT_MAX    96 /* nvml.h: a UUID of version 2, a name */
#define NVML_GPUS_MAX    256U
#define NVML_USERS_MAX   8192U  /* processes on all GPUs together; more are left out */
#define NVML_LINKS_MAX   18U    /* of one GPU; NVML_NVLINK_MAX_LINKS */
#define NVML_MIGS_MAX    16U    /* of one GPU */
#define NVML_RECORDS_MAX 24576U /* more than the sum of those */

enum nvml_kind { NVML_GPU = 1, NVML_USER, NVML_LINK, NVML_MIG, NVML_END, NVML_FAILED };

/* Return values of NVML that mean something to us. */
enum { NVML_OK = 0, NVML_NOT_SUPPORTED = 3, NVML_TOO_SMALL = 7, NVML_NO_FUNCTION = 13 };

struct nvml_address {
	uint32_t domain, bus, slot;
};

struct nvml_record {
	uint32_t kind;
	union {
		struct {
			struct nvml_address pci;
			int32_t minor; /* -1: unknown */
			uint32_t brand;
			int32_t cc_major, cc_minor;
			int32_t utilization; /* -1: unknown */
			int32_t mig;         /* 1: in MIG mode */
			int32_t to_switch;   /* 1: an NVLink leads to a switch */
			uint64_t memory_total, memory_used;
			char uuid[NVML_TEXT_MAX];
			uint64_t energy; /* 0: unknown */
		} gpu;
		struct {
			int32_t pid;
			uint64_t memory;
		} user;
		struct nvml_address link; /* the GPU at the other end */
		struct {
			int32_t index, gi, ci;
			char uuid[NVML_TEXT_MAX];
			char profile[NVML_TEXT_MAX / 2];
		} mig;
		struct {
			int32_t code;             /* of NVML, or 0: the library cannot be loaded */
			char text[NVML_TEXT_MAX]; /* what the library or the loader says */
		} failed;
	} u;
};

/** nvml_ask - in the child: load the library at the path @arg and write its answer to @out */
void nvml_ask(const void *arg, int out);

/**
 * nvml_take - an answer of @len bytes into @set (pure)
 * Errors: -EBADMSG when it is none, -EREMOTEIO when the child failed: @ret_failed says how (the
 * text is clean).  @set is unchanged then.
 */
int nvml_take(struct arena *a, const void *answer, size_t len, struct gpu_set *set,
	      struct nvml_record *ret_failed);

/** nvml_look_within - gpu_nvml_look() with another limit of time */
int nvml_look_within(struct arena *a, const char *libnvidia_ml, unsigned int seconds,
		     struct gpu_set *set, struct err *e);

#endif

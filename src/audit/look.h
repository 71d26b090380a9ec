/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look.h - what the lines of --audit tell of the machine; private to src/audit/.
 */
#ifndef GPURUN_AUDIT_LOOK_H
#define GPURUN_AUDIT_LOOK_H

#include <stdint.h>

#include <gpurun/arena.h>

/* The hierarchies in which a figure of our cgroup may be found. */
enum look_hierarchy { LOOK_MEMORY, LOOK_CPUACCT, LOOK_UNIFIED, LOOK_HIERARCHIES };

/**
 * struct look - descriptors that stay good wherever our root is later
 * @cgroup: the path of our cgroup, where memory is counted, or NULL
 * @dirs:   its directories; -1: not there, or the root cgroup, which counts the whole machine
 */
struct look {
	const char *boot_id; /* or NULL */
	const char *cgroup;
	int dirs[LOOK_HIERARCHIES];
};

/* Of the whole cgroup; LOOK_UNKNOWN: cannot be read. */
#define LOOK_UNKNOWN UINT64_MAX
struct look_usage {
	uint64_t memory_peak;                      /* bytes */
	uint64_t cpu_us, user_us, system_us;       /* since the cgroup was made */
	uint64_t periods, throttled, throttled_us; /* of its CPU limit */
};

/** look_open - find boot id and cgroup below the root directory @rootfd */
void look_open(struct arena *a, int rootfd, struct look *ret);

/** look_read - the figures now */
void look_read(struct arena *a, const struct look *l, struct look_usage *ret);

void look_close(struct look *l);

#endif

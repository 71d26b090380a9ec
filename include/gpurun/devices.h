/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices.h - the devices that a container's processes may open, whatever nodes they find: decided
 * in plan/, put in force by run/ as a BPF program on a cgroup of the container's own (version 2).
 */
#ifndef GPURUN_DEVICES_H
#define GPURUN_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_RULES_MAX 256U
#define DEVICE_ANY       UINT32_MAX

/* Where the service listens that attaches the filter for ordinary users (gpurun devd). */
#define DEVICE_SOCKET "/run/gpurun/devd.sock"

/* struct device_rule.access; the numbers of the kernel's BPF_DEVCG_ACC_* */
enum { DEVICE_MKNOD = 1 << 0, DEVICE_READ = 1 << 1, DEVICE_WRITE = 1 << 2 };
#define DEVICE_RW (DEVICE_READ | DEVICE_WRITE)

/**
 * struct device_rule - one kind of node that may be opened; also in messages to gpurun devd
 * @type:  'c' or 'b'
 * @minor: or DEVICE_ANY
 */
struct device_rule {
	uint32_t type, major, minor, access;
};

/**
 * struct plan_devices - the device filter
 * @cgroup: directory below which the container's own cgroup is made; NULL: no filter.  In the plan
 *	    of gpurun exec: that cgroup itself, and no rules
 * @devd:   gpurun devd attaches it, not we
 * @off:    why there is no filter, or NULL
 */
struct plan_devices {
	const char *cgroup, *off;
	bool devd;
	struct device_rule *rules;
	size_t n;
};

/** devices_allow - what the filter answers: is all of @access granted by one rule? */
static inline bool devices_allow(const struct device_rule *rules, size_t n, struct device_rule node)
{
	for (size_t i = 0; i < n; i++)
		if (rules[i].type == node.type && rules[i].major == node.major &&
		    (rules[i].minor == node.minor || rules[i].minor == DEVICE_ANY) &&
		    !(node.access & ~rules[i].access))
			return true;
	return false;
}

#endif

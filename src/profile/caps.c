/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caps.c - the names of capabilities.  The numbers are the kernel's and never change; a new
 * capability is a new row.
 */
#include <gpurun/profile.h>

#include <errno.h>
#include <linux/capability.h>
#include <strings.h>

#include <gpurun/str.h>

/* linux/capability.h of the oldest headers that we build with ends before these. */
#ifndef CAP_PERFMON
#define CAP_PERFMON            38
#define CAP_BPF                39
#define CAP_CHECKPOINT_RESTORE 40
#endif

#define ROW(cap) [cap] = #cap

static const char *const cap_names[] = {
	ROW(CAP_CHOWN),
	ROW(CAP_DAC_OVERRIDE),
	ROW(CAP_DAC_READ_SEARCH),
	ROW(CAP_FOWNER),
	ROW(CAP_FSETID),
	ROW(CAP_KILL),
	ROW(CAP_SETGID),
	ROW(CAP_SETUID),
	ROW(CAP_SETPCAP),
	ROW(CAP_LINUX_IMMUTABLE),
	ROW(CAP_NET_BIND_SERVICE),
	ROW(CAP_NET_BROADCAST),
	ROW(CAP_NET_ADMIN),
	ROW(CAP_NET_RAW),
	ROW(CAP_IPC_LOCK),
	ROW(CAP_IPC_OWNER),
	ROW(CAP_SYS_MODULE),
	ROW(CAP_SYS_RAWIO),
	ROW(CAP_SYS_CHROOT),
	ROW(CAP_SYS_PTRACE),
	ROW(CAP_SYS_PACCT),
	ROW(CAP_SYS_ADMIN),
	ROW(CAP_SYS_BOOT),
	ROW(CAP_SYS_NICE),
	ROW(CAP_SYS_RESOURCE),
	ROW(CAP_SYS_TIME),
	ROW(CAP_SYS_TTY_CONFIG),
	ROW(CAP_MKNOD),
	ROW(CAP_LEASE),
	ROW(CAP_AUDIT_WRITE),
	ROW(CAP_AUDIT_CONTROL),
	ROW(CAP_SETFCAP),
	ROW(CAP_MAC_OVERRIDE),
	ROW(CAP_MAC_ADMIN),
	ROW(CAP_SYSLOG),
	ROW(CAP_WAKE_ALARM),
	ROW(CAP_BLOCK_SUSPEND),
	ROW(CAP_AUDIT_READ),
	ROW(CAP_PERFMON),
	ROW(CAP_BPF),
	ROW(CAP_CHECKPOINT_RESTORE),
};

int profile_cap(const char *name)
{
	size_t prefix = strlen("CAP_");

	if (strncasecmp(name, "CAP_", prefix) == 0)
		name += prefix;
	for (size_t i = 0; i < ELEMENTS(cap_names); i++) {
		if (strcasecmp(name, cap_names[i] + prefix) == 0)
			return (int)i;
	}
	return -EINVAL;
}

const char *profile_cap_name(int cap)
{
	return cap >= 0 && (size_t)cap < ELEMENTS(cap_names) ? cap_names[cap] : NULL;
}

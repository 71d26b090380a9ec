/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The snapshot of the host.  Everything is read below one root directory: "/" is just the usual
 * one, a directory of text files is another machine (tests/fixtures).
 */
#include <sys/sysinfo.h>
#include <unistd.h>

#include <gpurun/devices.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "look.h"

/* On the machine itself the root is our own, and nothing has to be kept below it. */
bool host_has(const struct sysroot *root, const char *path)
{
	_cleanup_fd_ int fd = -1;

	if (look_is_real(root))
		return faccessat(AT_FDCWD, path, F_OK, 0) == 0;
	fd = root_open(root->fd, path, O_PATH, 0);
	return fd >= 0;
}

static void host_look_files(const struct sysroot *root, struct host *h)
{
	/* /sys alone may be an empty mount point */
	h->files.sys = host_has(root, "/sys/kernel");
	/* the kernel has message queues, whether or not the host mounts them */
	h->files.mqueue = host_has(root, "/proc/sys/fs/mqueue");
}

void host_read_hosts(struct arena *a, const struct sysroot *root, struct host *h)
{
	char *text;

	if (look_text(a, root, "/etc/hosts", HOST_TEXT_MAX, &text, NULL) == 0)
		h->etc_hosts = text;
}

/* MemTotal of /proc/meminfo in bytes, 0 when it is not to be had. */
static uint64_t host_memory(struct arena *a, const struct sysroot *root)
{
	struct sysinfo info;
	const char *s;
	uint64_t kib;
	char *text;

	/* the kernel sums up all its counters for that file */
	if (look_is_real(root) && sysinfo(&info) == 0)
		return (uint64_t)info.totalram * info.mem_unit;
	if (look_text(a, root, "/proc/meminfo", HOST_TEXT_MAX, &text, NULL) < 0)
		return 0;
	s = look_value(a, text, "MemTotal", ':');
	if (!s || num_u64(arena_strndup(a, s, strcspn(s, " ")), UINT64_MAX >> 10, &kib) < 0)
		return 0;
	return kib << 10;
}

const char *host_getenv(const struct host *h, const char *name)
{
	const size_t n = strlen(name);

	for (const char *const *p = h->environ; p && *p; p++)
		if (**p == *name && strncmp(*p, name, n) == 0 && (*p)[n] == '=')
			return *p + n + 1;
	return NULL;
}

int host_probe(struct arena *a, const struct sysroot *root, const char *const *env,
	       struct host *ret, struct err *e)
{
	struct host h = { 0 };
	int r = kernel_look(a, root, &h, e);

	if (r == 0)
		r = self_look(a, root, env, &h, e);
	if (r < 0)
		return r;
	ids_look(a, root, &h);
	job_look(a, root, &h);
	h.mem_total = host_memory(a, root);
	h.devd = h.uid != 0 && h.job.kind == JOB_NONE && host_has(root, DEVICE_SOCKET);
	cgroup_look(a, root, &h);
	host_look_files(root, &h);
	r = gpu_probe_all(a, root, &h.gpus, e);
	if (r < 0)
		return r;
	*ret = h;
	return 0;
}

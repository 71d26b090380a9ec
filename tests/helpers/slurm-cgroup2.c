// SPDX-License-Identifier: Apache-2.0
/*
 * slurm-cgroup2.c - preloaded into slurmd: /proc/PID/cgroup without the lines of cgroup v1, as on a
 * machine that has v2 alone.  Slurm's cgroup/v2 plugin refuses to start where both are mounted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_FILE 16384

typedef int open_fn(const char *, int, ...);

static int is_cgroup_file(const char *path)
{
	size_t n = path ? strlen(path) : 0;

	return n > 7 && !strncmp(path, "/proc/", 6) && !strcmp(path + n - 7, "/cgroup");
}

/* The one line that begins with "0::". */
static int open_version_2(const char *path)
{
	open_fn *real = (open_fn *)dlsym(RTLD_NEXT, "open");
	char text[MAX_FILE];
	int fd = real(path, O_RDONLY | O_CLOEXEC);
	const char *line;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	line = strstr(text, "0::");
	while (line && line != text && line[-1] != '\n')
		line = strstr(line + 1, "0::");
	fd = memfd_create("cgroup", MFD_CLOEXEC);
	if (fd >= 0 && line && write(fd, line, strlen(line)) < 0)
		return -1;
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int open_as(const char *name, const char *path, int flags, va_list ap)
{
	open_fn *real = (open_fn *)dlsym(RTLD_NEXT, name);

	if (is_cgroup_file(path))
		return open_version_2(path);
	return real(path, flags, flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0);
}

#define OPEN(name)                                                                                 \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		va_list ap;                                                                        \
		int fd;                                                                            \
                                                                                                   \
		va_start(ap, flags);                                                               \
		fd = open_as(#name, path, flags, ap);                                              \
		va_end(ap);                                                                        \
		return fd;                                                                         \
	}

OPEN(open)
OPEN(open64)

#define FOPEN(name)                                                                                \
	FILE *name(const char *path, const char *mode)                                             \
	{                                                                                          \
		FILE *(*real)(const char *, const char *) = dlsym(RTLD_NEXT, #name);               \
		int fd;                                                                            \
                                                                                                   \
		if (!is_cgroup_file(path))                                                         \
			return real(path, mode);                                                   \
		fd = open_version_2(path);                                                         \
		return fd < 0 ? NULL : fdopen(fd, "r");                                            \
	}

FOPEN(fopen)
FOPEN(fopen64)

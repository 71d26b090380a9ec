/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look.c - our cgroup and its figures, in both versions of cgroups and where they are mixed.
 */
#include "look.h"

#include <gpurun/fd.h>
#include <gpurun/str.h>

#define LOOK_TEXT_MAX   (64U << 10)
#define LOOK_CGROUP_MAX 4096
#define USER_HZ_US      10000 /* the kernel's ABI has 100 ticks a second */

/*
 * @controller: in /proc/self/cgroup; "" is version 2
 * @not_root, @only_root: files that only other cgroups have, that only the root cgroup has
 */
static const struct hierarchy {
	const char *controller, *mount, *not_root, *only_root;
} hierarchies[LOOK_HIERARCHIES] = {
	[LOOK_MEMORY] = { "memory", "/sys/fs/cgroup/memory", NULL, "release_agent" },
	[LOOK_CPUACCT] = { "cpuacct", "/sys/fs/cgroup/cpuacct", NULL, "release_agent" },
	[LOOK_UNIFIED] = { "", "/sys/fs/cgroup", "cgroup.type", NULL },
};

/* Where a figure is; the first that can be read counts.  @key: the line, or NULL: the whole file */
#define FIGURE(hierarchy, file, key, mul, div, member)                                             \
	{                                                                                          \
		hierarchy, file, key, mul, div, offsetof(struct look_usage, member)                \
	}
static const struct figure {
	enum look_hierarchy hierarchy;
	const char *file, *key;
	uint32_t mul, div;
	size_t offset;
} figures[] = {
	FIGURE(LOOK_MEMORY, "memory.max_usage_in_bytes", NULL, 1, 1, memory_peak),
	FIGURE(LOOK_CPUACCT, "cpuacct.usage", NULL, 1, 1000, cpu_us),
	FIGURE(LOOK_CPUACCT, "cpuacct.stat", "user", USER_HZ_US, 1, user_us),
	FIGURE(LOOK_CPUACCT, "cpuacct.stat", "system", USER_HZ_US, 1, system_us),
	FIGURE(LOOK_UNIFIED, "memory.peak", NULL, 1, 1, memory_peak),
	FIGURE(LOOK_UNIFIED, "cpu.stat", "usage_usec", 1, 1, cpu_us),
	FIGURE(LOOK_UNIFIED, "cpu.stat", "user_usec", 1, 1, user_us),
	FIGURE(LOOK_UNIFIED, "cpu.stat", "system_usec", 1, 1, system_us),
	FIGURE(LOOK_UNIFIED, "cpu.stat", "nr_periods", 1, 1, periods),
	FIGURE(LOOK_UNIFIED, "cpu.stat", "nr_throttled", 1, 1, throttled),
	FIGURE(LOOK_UNIFIED, "cpu.stat", "throttled_usec", 1, 1, throttled_us),
};

/* ---- where ---------------------------------------------------------------------------- */

static char *read_text(struct arena *a, int rootfd, const char *path)
{
	_cleanup_fd_ int fd = root_open(rootfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	char *text = NULL;

	return fd >= 0 && fd_read_text(fd, a, LOOK_TEXT_MAX, &text, NULL) == 0 ? text : NULL;
}

/* "4:memory:/slurm/job_7", "3:cpu,cpuacct:/", "0::/user.slice": the path, or NULL */
static const char *line_path(struct arena *a, const char *line, const char *controller)
{
	struct strv names = { 0 };
	const char *list = strchr(line, ':');
	const char *path = list ? strchr(list + 1, ':') : NULL;

	if (!path)
		return NULL;
	str_split(a, arena_strndup(a, list + 1, (size_t)(path - list - 1)), ',', &names);
	return strv_has(&names, controller) ? path + 1 : NULL;
}

static const char *find_path(struct arena *a, const struct strv *lines, const char *controller)
{
	for (size_t i = 0; i < lines->n; i++) {
		const char *path = line_path(a, lines->v[i], controller);

		if (path && path[0] == '/' && strlen(path) <= LOOK_CGROUP_MAX)
			return path_clean(a, path);
	}
	return NULL;
}

static bool has_file(int dir, const char *name)
{
	_cleanup_fd_ int fd = root_open(dir, name, O_PATH, 0);

	return fd >= 0;
}

static int open_dir(struct arena *a, int rootfd, const struct hierarchy *h, const char *path)
{
	const char *full = arena_printf(a, "%s%s", h->mount, path);
	_cleanup_fd_ int dir = root_open(rootfd, full, O_PATH | O_DIRECTORY, 0);

	if (dir < 0 || (h->not_root && !has_file(dir, h->not_root)) ||
	    (h->only_root && has_file(dir, h->only_root)))
		return -1;
	return fd_take(&dir);
}

static const char *read_boot_id(struct arena *a, int rootfd)
{
	char *text = read_text(a, rootfd, "/proc/sys/kernel/random/boot_id");

	if (text)
		text[strcspn(text, "\n")] = '\0';
	return text;
}

void look_open(struct arena *a, int rootfd, struct look *ret)
{
	const char *text = read_text(a, rootfd, "/proc/self/cgroup");
	struct strv lines = { 0 };

	*ret = (struct look){ .boot_id = read_boot_id(a, rootfd) };
	str_split(a, text ? text : "", '\n', &lines);
	for (size_t i = 0; i < LOOK_HIERARCHIES; i++) {
		const char *path = find_path(a, &lines, hierarchies[i].controller);

		ret->dirs[i] = path ? open_dir(a, rootfd, &hierarchies[i], path) : -1;
		if (!ret->cgroup && i != LOOK_CPUACCT)
			ret->cgroup = path;
	}
}

/* ---- figures ---------------------------------------------------------------------------- */

/* The number behind "KEY " at the start of a line of @text, or the only one. */
static int find_number(struct arena *a, const char *text, const char *key, uint64_t *ret)
{
	struct strv lines = { 0 };

	str_split(a, text, '\n', &lines);
	for (size_t i = 0; i < lines.n; i++) {
		const char *s = key ? str_after(lines.v[i], key) : lines.v[i];

		if (s && key)
			s = str_after(s, " ");
		if (s)
			return num_u64(s, UINT64_MAX, ret);
	}
	return -1;
}

static uint64_t read_figure(struct arena *a, const char *text, const struct figure *f)
{
	uint64_t v;

	if (!text || find_number(a, text, f->key, &v) < 0 || v > UINT64_MAX / 2 / f->mul)
		return LOOK_UNKNOWN;
	return v * f->mul / f->div;
}

void look_read(struct arena *a, const struct look *l, struct look_usage *ret)
{
	const char *file = "", *text = NULL;

	memset(ret, 0xff, sizeof(*ret)); /* LOOK_UNKNOWN */
	for (size_t i = 0; i < ELEMENTS(figures); i++) {
		const struct figure *f = &figures[i];
		uint64_t *to = (uint64_t *)((char *)ret + f->offset);

		if (!str_eq(file, f->file)) {
			file = f->file;
			text = l->dirs[f->hierarchy] < 0
				       ? NULL
				       : read_text(a, l->dirs[f->hierarchy], file);
		}
		if (*to == LOOK_UNKNOWN)
			*to = read_figure(a, text, f);
	}
}

void look_close(struct look *l)
{
	for (size_t i = 0; i < LOOK_HIERARCHIES; i++)
		l->dirs[i] = fd_close(l->dirs[i]);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory limit that holds for us, and where a container may have a cgroup of its own.
 * /proc/self/cgroup names our cgroup in each hierarchy:
 *
 *	0::/user.slice/user-1000.slice/session-2.scope		version 2
 *	4:memory:/slurm/uid_1000/job_7				version 1
 *
 * Every ancestor may carry a memory limit of its own and the smallest one holds, so all of them are
 * read.  A directory that is not there (another cgroup namespace, a container whose own cgroup
 * is mounted at the top) is passed over.
 */
#include <fcntl.h>
#include <unistd.h>

#include <gpurun/str.h>

#include "look.h"

/* Where the memory controller may be found; the first hierarchy that names us is followed. */
static const struct hierarchy {
	const char *controller; /* in /proc/self/cgroup; "" is version 2 */
	const char *mount, *file;
} hierarchies[] = {
	{ "memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes" },
	{ "", "/sys/fs/cgroup", "memory.max" },
};

/* Version 1 says "no limit" with the largest multiple of the page size. */
#define CGROUP_UNLIMITED (UINT64_C(1) << 60)

/* Does the comma list @list (of length @n) hold @word? */
static bool list_has(const char *list, size_t n, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i <= n; i++) {
		size_t end = i;

		while (end < n && list[end] != ',')
			end++;
		if (end - i == len && strncmp(list + i, word, len) == 0)
			return true;
		i = end;
	}
	return false;
}

/* Our path in the hierarchy of @controller by the text of /proc/self/cgroup, or NULL. */
static const char *cgroup_path(struct arena *a, const char *text, const char *controller)
{
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		const char *list = memchr(line, ':', n);
		const char *path = NULL;

		if (list)
			path = memchr(list + 1, ':', n - (size_t)(list + 1 - line));
		if (path && list_has(list + 1, (size_t)(path - list - 1), controller))
			return arena_strndup(a, path + 1, (size_t)(line + n - path - 1));
		line += n + (line[n] == '\n');
	}
	return NULL;
}

/* The limit in one directory, UINT64_MAX when there is none to be read. */
static uint64_t cgroup_limit(struct arena *a, const struct sysroot *root,
			     const struct hierarchy *hi, const char *path)
{
	const char *text =
		look_line(a, root, arena_printf(a, "%s%s/%s", hi->mount, path, hi->file));
	uint64_t v;

	if (!text || num_u64(text, UINT64_MAX, &v) < 0 || v >= CGROUP_UNLIMITED)
		return UINT64_MAX;
	return v;
}

static uint64_t memory_limit(struct arena *a, const struct sysroot *root, const char *text)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < ELEMENTS(hierarchies); i++) {
		const char *path = cgroup_path(a, text, hierarchies[i].controller);
		char *dir;

		if (!path || strlen(path) > HOST_CGROUP_LEN)
			continue;
		dir = path_clean(a, path);
		if (str_eq(dir, "/"))
			*dir = '\0';
		for (;;) {
			uint64_t v = cgroup_limit(a, root, &hierarchies[i], dir);
			char *slash = strrchr(dir, '/');

			if (v < least)
				least = v;
			if (!slash)
				break;
			*slash = '\0';
		}
		break; /* a controller is in one hierarchy only */
	}
	return least == UINT64_MAX ? 0 : least;
}

/* May we start processes in cgroups below that one?  So says the kernel of who may write this. */
static bool may_divide(const struct sysroot *root, const char *dir, struct arena *a)
{
	const char *procs = arena_printf(a, "%s/cgroup.procs", dir);

	if (look_is_real(root))
		return faccessat(AT_FDCWD, procs, W_OK, 0) == 0;
	return host_has(root, procs);
}

/*
 * The directory of our cgroup in version 2.  Beside version 1 it has a mount of its own.  A path
 * with ".." is outside of our cgroup namespace.
 */
static const char *own_cgroup(struct arena *a, const struct sysroot *root, const char *text)
{
	const char *mount = str_after(text, "0::") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
	const char *path = cgroup_path(a, text, ""), *dir;

	if (!path || strlen(path) > HOST_CGROUP_LEN || strstr(path, "/.."))
		return NULL;
	dir = path_clean(a, arena_printf(a, "%s/%s", mount, path));
	return may_divide(root, dir, a) ? dir : NULL;
}

void cgroup_look(struct arena *a, const struct sysroot *root, struct host *h)
{
	char *text;

	if (look_text(a, root, "/proc/self/cgroup", HOST_TEXT_MAX, &text, NULL) < 0)
		return;
	h->mem_limit = memory_limit(a, root, text);
	if (h->job.kind == JOB_NONE && (h->uid == 0 || h->devd))
		h->cgroup = own_cgroup(a, root, text);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello-gpu - what a program inside a container sees: the GPU device nodes and whether each one
 * opens, the environment, the mounts, and what the process may do.
 *
 *	hello-gpu                everything
 *	hello-gpu PATH...        only these device nodes, "PATH ok" or "PATH ENXIO"
 *
 * The name of the error tells the cases apart: ENXIO the node is there and may be opened, but no
 * driver stands behind it; EPERM a device filter says no; EACCES file mode, a nodev mount or
 * Landlock; ENOENT it was never put here.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* Where GPU nodes live: directory, pattern of the names in it. */
static const struct place {
	const char *dir, *pattern;
} places[] = {
	{ "/dev", "nvidia*" }, { "/dev/nvidia-caps", "*" }, { "/dev/dri", "*" },
	{ "/dev", "kfd" },     { "/dev", "dxg" },
};

/* Prefixes of the lines of /proc/self/status that say what the process may do. */
static const char *const status_keys[] = {
	"Uid:", "Gid:", "Groups:", "Cap", "NoNewPrivs:", "Seccomp:",
};

/* Only a node is opened: a directory or a missing name is not a device that works. */
static void try_node(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	printf("%s %s\n", path, fd >= 0 ? "ok" : strerrorname_np(errno));
	if (fd >= 0)
		close(fd);
}

static int show_place(const struct place *p)
{
	struct dirent **names;
	int n = scandir(p->dir, &names, NULL, alphasort);
	int shown = 0;

	for (int i = 0; i < n; i++) {
		char path[sizeof(names[i]->d_name) + 32];

		if (names[i]->d_type == DT_CHR && !fnmatch(p->pattern, names[i]->d_name, 0)) {
			snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]->d_name);
			try_node(path);
			shown++;
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return shown;
}

/* Is this line of a file one that starts with one of the keys?  No keys: every line is. */
static int wanted(const char *line, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(line, keys[i], strlen(keys[i])))
			return 1;
	return n == 0;
}

static void show_file(const char *path, const char *const *keys, size_t n)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;

	if (!f) {
		printf("%s: %s\n", path, strerror(errno));
		return;
	}
	while (getline(&line, &cap, f) > 0)
		if (wanted(line, keys, n))
			fputs(line, stdout);
	free(line);
	fclose(f);
}

int main(int argc, char **argv)
{
	int shown = 0;

	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			try_node(argv[i]);
		return 0;
	}
	puts("# GPU device nodes");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		shown += show_place(&places[i]);
	if (!shown)
		puts("none");
	puts("# process");
	show_file("/proc/self/status", status_keys, sizeof(status_keys) / sizeof(status_keys[0]));
	puts("# environment");
	for (char **v = environ; *v; v++)
		puts(*v);
	puts("# mounts");
	show_file("/proc/self/mounts", NULL, 0);
	return 0;
}

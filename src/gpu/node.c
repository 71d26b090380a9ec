/* SPDX-License-Identifier: Apache-2.0 */
/* Device nodes, directories and text files below a root directory. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "backend.h"

#define DIR_NAMES_MAX 65536U

static void dir_closep(DIR **d)
{
	if (*d)
		closedir(*d);
}

char *gpu_read(struct arena *a, const struct sysroot *root, const char *path)
{
	_cleanup_fd_ int fd = root_open(root->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	char *text;

	if (fd < 0 || fd_read_text(fd, a, GPU_TEXT_MAX, &text, NULL) < 0)
		return NULL;
	return text;
}

int gpu_list_dir(struct arena *a, const struct sysroot *root, const char *path, struct strv *ret)
{
	_cleanup_fd_ int fd = root_open(root->fd, path, O_RDONLY | O_DIRECTORY, 0);
	__attribute__((cleanup(dir_closep))) DIR *d = NULL;
	struct dirent *de;

	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d)
		return -errno;
	(void)fd_take(&fd);
	while ((de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		if (ret->n >= DIR_NAMES_MAX)
			return -E2BIG;
		strv_push(a, ret, arena_strdup(a, de->d_name));
	}
	return 0;
}

/*
 * The node of a test's directory: "c 195 0 rw", or the name of the error with which a look at
 * it shall fail, alone ("EPERM") or in place of "rw".
 */
static int node_look_text(struct arena *a, const struct sysroot *root, const char *path,
			  dev_t *rdev)
{
	static const struct {
		const char *name;
		int error;
	} errors[] = { { "EPERM", EPERM },
		       { "EACCES", EACCES },
		       { "ENOENT", ENOENT },
		       { "ENODEV", ENODEV },
		       { "ENXIO", ENXIO } };
	char *text = gpu_read(a, root, path);
	struct strv words = { 0 };
	uint64_t major, minor;

	if (!text)
		return -ENOENT;
	text[strcspn(text, "\n")] = '\0';
	str_split(a, text, ' ', &words);
	if (words.n == 4 && str_eq(words.v[0], "c") && num_u64(words.v[1], 4095, &major) == 0 &&
	    num_u64(words.v[2], 1048575, &minor) == 0)
		*rdev = makedev((unsigned int)major, (unsigned int)minor);
	for (size_t i = 0; words.n && i < ELEMENTS(errors); i++)
		if (str_eq(words.v[words.n - 1], errors[i].name))
			return -errors[i].error;
	return words.n == 4 && str_eq(words.v[3], "rw") ? 0 : -ENODEV;
}

int node_look(struct arena *a, const struct sysroot *root, const char *path, dev_t *rdev)
{
	struct stat st;

	*rdev = 0;
	if (root->label[0])
		return node_look_text(a, root, path, rdev);
	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode))
		return -ENODEV;
	*rdev = st.st_rdev;
	return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) < 0 ? -errno : 0;
}

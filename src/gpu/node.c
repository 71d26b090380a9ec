/* SPDX-License-Identifier: Apache-2.0 */
/* Device nodes, directories and text files below a root directory. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "backend.h"

#define DIR_NAMES_MAX 65536U

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
	struct dirents ents;
	const char *name;
	int r;

	if (fd < 0)
		return fd;
	dirents_begin(&ents, fd);
	while ((r = dirents_next(&ents, &name, NULL)) > 0) {
		if (name[0] == '.')
			continue;
		if (ret->n >= DIR_NAMES_MAX)
			return -E2BIG;
		strv_push(a, ret, arena_strdup(a, name));
	}
	return r;
}

/* "rw" or "r": may a node with that word be opened for @access? */
static int node_text_access(const char *word, int access)
{
	if (str_eq(word, "rw"))
		return 0;
	if (str_eq(word, "r"))
		return access & W_OK ? -EACCES : 0;
	return -ENODEV;
}

/*
 * The node of a test's directory: "c 195 0 rw", or the name of the error with which a look at
 * it shall fail, alone ("EPERM") or in place of "rw".
 */
static int node_look_text(struct arena *a, const struct sysroot *root, const char *path, int access,
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
	return words.n == 4 ? node_text_access(words.v[3], access) : -ENODEV;
}

int node_look_access(struct arena *a, const struct sysroot *root, const char *path, int access,
		     dev_t *rdev)
{
	struct stat st;

	*rdev = 0;
	if (root->label[0])
		return node_look_text(a, root, path, access, rdev);
	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode))
		return -ENODEV;
	*rdev = st.st_rdev;
	return faccessat(AT_FDCWD, path, access, AT_EACCESS) < 0 ? -errno : 0;
}

int node_look(struct arena *a, const struct sysroot *root, const char *path, dev_t *rdev)
{
	return node_look_access(a, root, path, R_OK | W_OK, rdev);
}

const char *node_reason(struct arena *a, const char *path, int error)
{
	static const struct {
		int error;
		const char *why;
	} known[] = {
		{ ENOENT, "node missing" },
		{ EPERM, "Operation not permitted (device cgroup)" },
		{ EACCES, "Permission denied (file mode)" },
		{ ENODEV, "not a character device" },
	};

	for (size_t i = 0; i < ELEMENTS(known); i++)
		if (error == known[i].error)
			return arena_printf(a, "%s: %s", path, known[i].why);
	return arena_printf(a, "%s: %s", path, err_text(error));
}

const char *node_check(struct arena *a, const struct sysroot *root, int access, int major_,
		       int minor_, struct gpu_node *node, int *ret_error)
{
	int r = node_look_access(a, root, node->path, access, &node->rdev);
	int have_major = (int)major(node->rdev), have_minor = (int)minor(node->rdev);

	*ret_error = -r;
	if (r < 0)
		return node_reason(a, node->path, -r);
	if ((major_ < 0 || major_ == have_major) && (minor_ < 0 || minor_ == have_minor))
		return NULL;
	*ret_error = ENODEV;
	return arena_printf(a, "%s: is device %d:%d, expected %d:%d", node->path, have_major,
			    have_minor, major_ < 0 ? have_major : major_,
			    minor_ < 0 ? have_minor : minor_);
}

void node_hint(struct err *e, const char *path, int r)
{
	if (r == -EPERM)
		err_hint(e, "the device cgroup of this session or job does not allow it");
	else if (r == -EACCES)
		err_hint(e, "the node's owner, group and mode decide: ls -l %s", path);
}

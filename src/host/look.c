/* SPDX-License-Identifier: Apache-2.0 */
/* Text files below a root directory, for the other parts of the snapshot. */
#include <errno.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "look.h"

#define LOOK_LINE_MAX 256 /* that is read at once; a longer one takes longer */

int look_text(struct arena *a, const struct sysroot *root, const char *path, size_t max, char **ret,
	      size_t *ret_len)
{
	_cleanup_fd_ int fd = root_open(root->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0)
		return fd;
	return fd_read_text(fd, a, max, ret, ret_len);
}

/* A whole line has come with the first read, of which procfs and sysfs want no second. */
static const char *first_line(struct arena *a, const struct sysroot *root, const char *path)
{
	_cleanup_fd_ int fd = root_open(root->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	char text[LOOK_LINE_MAX];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	const char *end = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;

	return end ? arena_strndup(a, text, (size_t)(end - text)) : NULL;
}

const char *look_line(struct arena *a, const struct sysroot *root, const char *path)
{
	const char *line = first_line(a, root, path);
	char *text;

	if (line)
		return line;
	if (look_text(a, root, path, HOST_TEXT_MAX, &text, NULL) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

const char *look_value(struct arena *a, const char *text, const char *key, char separator)
{
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		const char *value = str_after(line, key);

		if (value) {
			value += strspn(value, " \t");
			if (*value == separator) {
				value++;
				value += strspn(value, " \t");
				return arena_strndup(a, value, strcspn(value, "\n"));
			}
		}
		line += n + (line[n] == '\n');
	}
	return NULL;
}

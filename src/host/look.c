/* SPDX-License-Identifier: Apache-2.0 */
/* Text files below a root directory, for the other parts of the snapshot. */
#include <errno.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "look.h"

int look_text(struct arena *a, const struct sysroot *root, const char *path, size_t max, char **ret,
	      size_t *ret_len)
{
	_cleanup_fd_ int fd = root_open(root->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0)
		return fd;
	return fd_read_text(fd, a, max, ret, ret_len);
}

const char *look_line(struct arena *a, const struct sysroot *root, const char *path)
{
	char *text;

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

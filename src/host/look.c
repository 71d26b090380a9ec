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

/* As a rule one read brings the whole line, and nobody waits for the end of the file. */
const char *look_line(struct arena *a, const struct sysroot *root, const char *path)
{
	_cleanup_fd_ int fd = root_open(root->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	char first[LOOK_LINE_MAX], *text;
	ssize_t n = fd < 0 ? -1 : pread(fd, first, sizeof(first), 0);
	const char *end = n > 0 ? memchr(first, '\n', (size_t)n) : NULL;

	if (end)
		return arena_strndup(a, first, (size_t)(end - first));
	if (fd < 0 || fd_read_text(fd, a, HOST_TEXT_MAX, &text, NULL) < 0)
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of our ids, from the text of /etc/passwd and /etc/group.  getpwuid() is not used: it
 * would load the name service modules of the site (and wait for its directory server) on every
 * start, for a name that is only shown.  A user that only a directory server knows is named by
 * $USER.
 */
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "look.h"

#define IDS_FIRST 2048 /* that is read at once; a longer file takes longer */

enum { PASSWD_NAME, PASSWD_PASSWORD, PASSWD_UID, PASSWD_GID, PASSWD_GECOS, PASSWD_HOME };

const struct strv *ids_find(struct arena *a, const char *text, uint64_t id)
{
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		const char *password = memchr(line, ':', n);
		const char *number = NULL;

		if (password)
			number = memchr(password + 1, ':', n - (size_t)(password + 1 - line));
		if (number) {
			const char *end = memchr(number + 1, ':', n - (size_t)(number + 1 - line));
			size_t len = (size_t)((end ? end : line + n) - (number + 1));
			uint64_t v;

			if (num_u64(arena_strndup(a, number + 1, len), UINT32_MAX, &v) == 0 &&
			    v == id) {
				struct strv *fields = ARENA_NEW(a, struct strv);

				str_split(a, arena_strndup(a, line, n), ':', fields);
				return fields;
			}
		}
		line += n + (line[n] == '\n');
	}
	return NULL;
}

/*
 * The fields of the line of @id in the file @path, or NULL.  The first line of an id counts, so
 * nothing is read beyond the block that has it.
 */
static const struct strv *ids_of_file(struct arena *a, const struct sysroot *root, const char *path,
				      uint64_t id)
{
	_cleanup_fd_ int fd = root_open(root->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	const struct strv *fields = NULL;
	char first[IDS_FIRST], *text;
	ssize_t n = fd < 0 ? -1 : pread(fd, first, sizeof(first), 0);

	while (n > 0 && first[n - 1] != '\n') /* a line that may go on */
		n--;
	if (n > 0) {
		first[n - 1] = '\0';
		fields = ids_find(a, first, id);
	}
	if (!fields && fd >= 0 && fd_read_text(fd, a, HOST_PASSWD_MAX, &text, NULL) == 0)
		fields = ids_find(a, text, id);
	return fields;
}

/* Field @i when it is there and not empty, else NULL. */
static const char *ids_field(const struct strv *fields, size_t i)
{
	return fields && i < fields->n && fields->v[i][0] ? fields->v[i] : NULL;
}

void ids_look(struct arena *a, const struct sysroot *root, struct host *h)
{
	const struct strv *user = ids_of_file(a, root, "/etc/passwd", h->uid);
	const struct strv *group = ids_of_file(a, root, "/etc/group", h->gid);
	const char *home = ids_field(user, PASSWD_HOME);

	h->user = ids_field(user, PASSWD_NAME);
	if (!h->user)
		h->user = host_getenv(h, "USER");
	if (!h->user || !h->user[0])
		h->user = arena_printf(a, "%u", h->uid);
	h->group = ids_field(group, PASSWD_NAME);
	if (!h->group)
		h->group = arena_printf(a, "%u", h->gid);
	if (!home || home[0] != '/')
		home = host_getenv(h, "HOME");
	h->home = home && home[0] == '/' ? path_clean(a, home) : "/";
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * untar.h - the least that creates the tree of a tar: names, modes, times and data.  No check of a
 * path, no whiteouts, owners or attributes: for measurements, with archives that one trusts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK    512
#define NAME_LEN 4096

struct directory {
	char *path;
	mode_t mode;
	struct timespec mtime;
};

struct untar {
	int root, fd; /* the directory to fill; the file being written or -1 */
	unsigned char header[BLOCK];
	size_t n_header;
	uint64_t left, pad; /* bytes of the entry's data, and after them */
	char type;
	char path[NAME_LEN], link[NAME_LEN]; /* of extended headers until the entry comes */
	char *ext;                           /* data of an extended header */
	size_t n_ext;
	struct timespec mtime;
	struct directory *dirs; /* modes and times come last: files would change the times */
	size_t n_dirs;
	uint64_t entries, bytes;
};

static void die(const char *what, const char *name)
{
	fprintf(stderr, "%s %s: %s\n", what, name, strerror(errno));
	exit(1);
}

static uint64_t untar_number(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	if (p[0] & 0x80) {
		for (size_t i = n - 8; i < n; i++)
			v = v << 8 | p[i];
		return v;
	}
	for (size_t i = 0; i < n; i++)
		if (p[i] >= '0' && p[i] <= '7')
			v = v * 8 + p[i] - '0';
	return v;
}

static void untar_copy(char ret[NAME_LEN], const char *from, size_t n)
{
	if (n >= NAME_LEN) {
		errno = ENAMETOOLONG;
		die("name", "in an archive");
	}
	memcpy(ret, from, n);
	ret[n] = '\0';
}

/* path, linkpath and mtime of "LENGTH KEY=VALUE\n" records */
static void untar_pax(struct untar *u)
{
	for (char *p = u->ext, *end = p + u->n_ext, *next, *key, *value; p < end; p = next) {
		next = p + strtoul(p, &key, 10);
		value = strchr(++key, '=');
		if (next <= p || next > end || !value++)
			return;
		if (!strncmp(key, "path=", 5))
			untar_copy(u->path, value, (size_t)(next - 1 - value));
		else if (!strncmp(key, "linkpath=", 9))
			untar_copy(u->link, value, (size_t)(next - 1 - value));
		else if (!strncmp(key, "mtime=", 6))
			u->mtime.tv_sec = strtol(value, NULL, 10);
	}
}

/* The data of an entry is there. */
static void untar_end(struct untar *u)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, u->mtime };

	if (u->fd >= 0) {
		if (futimens(u->fd, times) < 0 || close(u->fd) < 0)
			die("file", u->path);
		u->fd = -1;
	}
	if (u->type == 'x')
		untar_pax(u);
	else if (u->type == 'L')
		untar_copy(u->path, u->ext, strnlen(u->ext, u->n_ext));
	else if (u->type == 'K')
		untar_copy(u->link, u->ext, strnlen(u->ext, u->n_ext));
	if (strchr("xLK", u->type))
		return;
	u->path[0] = u->link[0] = '\0';
	u->mtime = (struct timespec){ 0 };
}

static void untar_directory(struct untar *u, mode_t mode)
{
	if (mkdirat(u->root, u->path, 0755) < 0 && errno != EEXIST)
		die("mkdir", u->path);
	if (!(u->n_dirs & (u->n_dirs - 1))) /* full at each power of two */
		u->dirs = realloc(u->dirs, (2 * u->n_dirs + 1) * sizeof(*u->dirs));
	u->dirs[u->n_dirs++] = (struct directory){ strdup(u->path), mode, u->mtime };
}

static void untar_create(struct untar *u, mode_t mode)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, u->mtime };

	switch (u->type) {
	case '5':
		untar_directory(u, mode);
		return;
	case '2':
		if (symlinkat(u->link, u->root, u->path) < 0 ||
		    utimensat(u->root, u->path, times, AT_SYMLINK_NOFOLLOW) < 0)
			die("symlink", u->path);
		return;
	case '1':
		if (linkat(u->root, u->link, u->root, u->path, 0) < 0)
			die("link", u->path);
		return;
	case '0':
		u->fd = openat(u->root, u->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (u->fd < 0)
			die("create", u->path);
		u->bytes += u->left;
	}
}

static void untar_header(struct untar *u)
{
	const unsigned char *h = u->header;

	if (!h[0])
		return;
	u->type = h[156] ? (char)h[156] : '0';
	u->left = untar_number(h + 124, 12);
	u->pad = -u->left % BLOCK;
	if (strchr("xgLK", u->type)) {
		u->ext = realloc(u->ext, u->left + 1);
		u->ext[u->left] = '\0';
		u->n_ext = 0;
		return;
	}
	if (!u->path[0] && !memcmp(h + 257, "ustar", 6) && h[345])
		snprintf(u->path, NAME_LEN, "%.155s/%.100s", h + 345, h);
	else if (!u->path[0])
		snprintf(u->path, NAME_LEN, "%.100s", h);
	if (!u->link[0])
		snprintf(u->link, NAME_LEN, "%.100s", h + 157);
	if (!u->mtime.tv_sec)
		u->mtime.tv_sec = (time_t)untar_number(h + 136, 12);
	u->entries++;
	untar_create(u, (mode_t)untar_number(h + 100, 8) & 07777);
}

static void untar_data(struct untar *u, const unsigned char *p, size_t n)
{
	if (u->fd >= 0) {
		for (ssize_t w; n; p += w, n -= (size_t)w)
			if ((w = write(u->fd, p, n)) < 0)
				die("write", u->path);
	} else if (u->ext && strchr("xgLK", u->type)) {
		memcpy(u->ext + u->n_ext, p, n);
		u->n_ext += n;
	}
}

static void untar_open(struct untar *u, const char *dir)
{
	*u = (struct untar){ .fd = -1 };
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		die("mkdir", dir);
	u->root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (u->root < 0)
		die("open", dir);
}

/* The next bytes of the archive, cut anywhere. */
static void untar_feed(struct untar *u, const unsigned char *p, size_t n)
{
	for (size_t k; n; p += k, n -= k) {
		if (u->left) {
			k = n < u->left ? n : u->left;
			untar_data(u, p, k);
			u->left -= k;
			if (!u->left)
				untar_end(u);
		} else if (u->pad) {
			k = n < u->pad ? n : u->pad;
			u->pad -= k;
		} else {
			k = n < BLOCK - u->n_header ? n : BLOCK - u->n_header;
			memcpy(u->header + u->n_header, p, k);
			u->n_header = (u->n_header + k) % BLOCK;
			if (u->n_header)
				continue;
			untar_header(u);
			if (!u->left)
				untar_end(u);
		}
	}
}

/* Modes and times of the directories; frees everything. */
static void untar_close(struct untar *u)
{
	while (u->n_dirs--) {
		struct directory *d = &u->dirs[u->n_dirs];
		const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, d->mtime };

		if (fchmodat(u->root, d->path, d->mode, 0) < 0 ||
		    utimensat(u->root, d->path, times, 0) < 0)
			die("directory", d->path);
		free(d->path);
	}
	free(u->dirs);
	free(u->ext);
	close(u->root);
}

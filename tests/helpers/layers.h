/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layers.h - layers written down as text, and trees read back as text.
 *
 * A layer is a list of entries separated by ';':
 *
 *	TYPE[:MODE[:MTIME]] NAME [REST]
 *
 * with the types d (directory), f (file, REST is its contents), l (link to REST), h (hard link
 * to REST), p (pipe), c (character device, REST is "MAJOR MINOR"), and x (no entry: the pax
 * record NAME=REST for the next one).  %XX in NAME and REST is a byte.  Names that do not fit
 * into the header go into a pax record, or, with type in capitals, into GNU's long name.
 */
#ifndef GPURUN_TEST_LAYERS_H
#define GPURUN_TEST_LAYERS_H

#include <ctype.h>
#include <sys/xattr.h>

#include "../../src/store/tar.h"
#include "../../src/store/walk.h"
#include "images.h"

#define LAYER_MTIME 1000000000

static UNUSED void tar_header(struct bytes *t, const char *name, char type, unsigned int mode,
			      long long mtime, const char *link, size_t size)
{
	char h[513] = { 0 };
	unsigned int sum = 0;

	memcpy(h, name, strnlen(name, 100));
	snprintf(h + 100, 8, "%07o", mode & 07777777);
	memcpy(h + 108, "0001000\0000001000", 16);
	snprintf(h + 124, 12, "%011zo", size & 07777777777);
	snprintf(h + 136, 12, "%011llo", (unsigned long long)mtime & 077777777777);
	memset(h + 148, ' ', 8);
	h[156] = type;
	memcpy(h + 157, link, strnlen(link, 100));
	memcpy(h + 257, "ustar\00000", 8);
	for (int i = 0; i < 512; i++)
		sum += (uint8_t)h[i];
	snprintf(h + 148, 8, "%06o", sum & 0777777);
	bytes_add(t, h, 512);
}

static UNUSED void tar_pad(struct bytes *t, const void *p, size_t n)
{
	static const uint8_t zeros[512];

	bytes_add(t, p, n);
	if (n % 512)
		bytes_add(t, zeros, 512 - n % 512);
}

/* One "LENGTH KEY=VALUE\n" */
static UNUSED void pax_add(struct bytes *pax, const char *key, const void *value, size_t n)
{
	size_t len = strlen(key) + n + 3, digits = 1;
	char number[32];

	while ((size_t)snprintf(number, sizeof(number), "%zu", len + digits) != digits)
		digits++;
	bytes_add(pax, number, digits);
	bytes_add(pax, " ", 1);
	bytes_add(pax, key, strlen(key));
	bytes_add(pax, "=", 1);
	bytes_add(pax, value, n);
	bytes_add(pax, "\n", 1);
}

/* "%2e" and the like; the length, since the bytes may hold NUL */
static UNUSED size_t unescape(char *s)
{
	char *out = s;
	const char *p;

	for (p = s; *p; p++) {
		unsigned int byte;

		if (*p == '%' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2]) &&
		    sscanf(p + 1, "%2x", &byte) == 1) {
			*out++ = (char)byte;
			p += 2;
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
	return (size_t)(out - s);
}

/* The next word, cut off; "" at the end. */
static UNUSED char *word(char **rest)
{
	char *start = *rest + strspn(*rest, " \t\n");
	char *end = start + strcspn(start, " \t\n");

	*rest = *end ? end + 1 : end;
	*end = '\0';
	return start;
}

static UNUSED void long_name(struct bytes *t, struct bytes *pax, bool gnu, char type,
			     const char *key, const char *name)
{
	if (gnu && strlen(name) >= 100) {
		tar_header(t, "././@LongLink", type, 0, 0, "", strlen(name) + 1);
		tar_pad(t, name, strlen(name) + 1);
	} else if (strlen(name) >= 100) {
		pax_add(pax, key, name, strlen(name));
	}
}

static UNUSED void layer_entry(struct bytes *t, struct bytes *pax, char *text)
{
	static const struct {
		char type, flag;
		unsigned int mode;
	} types[] = { { 'f', '0', 0644 }, { 'd', '5', 0755 }, { 'l', '2', 0777 },
		      { 'h', '1', 0644 }, { 'p', '6', 0644 }, { 'c', '3', 0666 } };
	char *how = word(&text), *name = word(&text);
	long long mtime = LAYER_MTIME;
	unsigned int mode = 0;
	bool gnu = isupper((unsigned char)*how);
	int given = sscanf(how + 1, ":%o:%lld", &mode, &mtime);
	const char *link;
	struct bytes data;

	text += strspn(text, " ");
	if (*how == 'x') {
		unescape(name);
		pax_add(pax, name, text, unescape(text));
		return;
	}
	if (!*how)
		return;
	unescape(name);
	data = (struct bytes){ .p = (uint8_t *)text, .n = unescape(text) };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].type != tolower((unsigned char)*how))
			continue;
		link = strchr("lh", types[i].type) ? text : "";
		long_name(t, pax, gnu, 'L', "path", name);
		long_name(t, pax, gnu, 'K', "linkpath", link);
		if (pax->n > 0) {
			tar_header(t, "pax", 'x', 0644, 0, "", pax->n);
			tar_pad(t, pax->p, pax->n);
			pax->n = 0;
		}
		if (types[i].type != 'f')
			data.n = 0;
		tar_header(t, name, types[i].flag, given > 0 ? mode : types[i].mode, mtime, link,
			   data.n);
		tar_pad(t, data.p, data.n);
		return;
	}
	die(how);
}

static UNUSED struct bytes layer_of(const char *spec)
{
	char *text = text_of("%s", spec), *next;
	struct bytes t = { 0 }, pax = { 0 };

	for (; text; text = next) {
		next = strchr(text, ';');
		if (next)
			*next++ = '\0';
		layer_entry(&t, &pax, text);
	}
	tar_end(&t);
	return t;
}

/* ---- as input --------------------------------------------------------------------------- */

/* Bytes handed out in pieces of @step (0: all at once). */
struct memory {
	struct bytes b;
	size_t at, step;
};

static UNUSED ssize_t memory_read(void *arg, const void **ret, struct err *e)
{
	struct memory *m = arg;
	size_t n = m->b.n - m->at;

	(void)e;
	if (m->step && n > m->step)
		n = m->step;
	*ret = m->b.p + m->at;
	m->at += n;
	return (ssize_t)n;
}

/* ---- trees as text ---------------------------------------------------------------------- */

#define LINES_MAX 4096

struct lines {
	const char *v[LINES_MAX];
	size_t n;
	bool full; /* with times and attributes */
};

/* The attributes that a container sees, "name=value," each */
static UNUSED const char *xattr_text(int dirfd, const char *name)
{
	char names[4096], value[4096], *out = text_of("%s", "");
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : flistxattr(fd, names, sizeof(names));

	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
		ssize_t len = fgetxattr(fd, names + i, value, sizeof(value) - 1);

		if (len < 0 || strncmp(names + i, "user.overlay.", 13) == 0 ||
		    strncmp(names + i, "user.", 5) != 0)
			continue;
		value[len] = '\0';
		out = text_of("%s%s=%s,", out, names + i, value);
	}
	if (fd >= 0)
		close(fd);
	return out;
}

static UNUSED const char *contents_text(int dirfd, const char *name)
{
	char *buf = arena_alloc(images_arena(), 4096);
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, 4095);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return "UNREADABLE";
	buf[n] = '\0';
	return buf;
}

static UNUSED int line_of(void *arg, const struct walk_entry *w)
{
	struct lines *l = arg;
	unsigned int mode = w->st.st_mode & 07777, usual = 0644;
	char target[4096] = "";
	char *line;

	switch (w->st.st_mode & S_IFMT) {
	case S_IFDIR:
		line = text_of("%s/", w->path);
		usual = 0755;
		break;
	case S_IFLNK:
		if (readlinkat(w->dirfd, w->name, target, sizeof(target) - 1) < 0)
			die(w->path);
		line = text_of("%s->%s", w->path, target);
		usual = 0777;
		break;
	case S_IFREG:
		line = text_of("%s=%s", w->path, contents_text(w->dirfd, w->name));
		break;
	case S_IFIFO:
		line = text_of("%s|", w->path);
		break;
	default:
		line = text_of("%s?%o", w->path, w->st.st_mode);
		break;
	}
	if (mode != usual)
		line = text_of("%s:%04o", line, mode);
	if (l->full)
		line = text_of("%s @%lld.%09ld %s", line, (long long)w->st.st_mtim.tv_sec,
			       w->st.st_mtim.tv_nsec, xattr_text(w->dirfd, w->name));
	if (l->n >= LINES_MAX)
		die("too many lines");
	l->v[l->n++] = line;
	return 0;
}

static UNUSED int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All below @fd, sorted, with a blank (or, when full, a line end) between them. */
static UNUSED const char *tree_text(int fd, bool full)
{
	struct lines *l = arena_alloc(images_arena(), sizeof(*l));
	struct bytes out = { 0 };
	int r;

	l->full = full;
	r = walk_tree(fd, line_of, l);
	if (r < 0)
		return text_of("walk: %s", strerror(-r));
	qsort(l->v, l->n, sizeof(*l->v), by_text);
	for (size_t i = 0; i < l->n; i++) {
		bytes_add(&out, l->v[i], strlen(l->v[i]));
		if (i + 1 < l->n || full)
			bytes_add(&out, full ? "\n" : " ", 1);
	}
	return out.n ? (const char *)out.p : "";
}

/* Where small trees are quickly made; user attributes must work there. */
static UNUSED char *quick_dir(void)
{
	char *dir = text_of("%s/gpurun-store.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR")
						      : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
										      : "/tmp");

	if (!mkdtemp(dir))
		die(dir);
	return dir;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * images.c - records of images, and the names that point to them.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "abi.h"
#include "rename.h"

#define ID_PREFIX_MIN 4
#define LINK_NAME_MAX (NAME_MAX + 32) /* one file in a directory of the store, or beside it */

/* How people shorten names; the first that the store knows counts. */
static const struct {
	const char *before, *after;
} name_forms[] = {
	{ "", "" },
	{ "", ":latest" },
	{ "docker.io/", "" },
	{ "docker.io/", ":latest" },
	{ "docker.io/library/", "" },
	{ "docker.io/library/", ":latest" },
	{ "localhost/", "" },
	{ "localhost/", ":latest" },
};

/* ---- names as file names ---------------------------------------------------------------- */

static const char hex_digits[] = "0123456789ABCDEF";

static bool name_char_plain(const char *name, const char *p)
{
	return *p != '/' && *p != '%' && (*p != '.' || p != name);
}

const char *name_encode(struct arena *a, const char *name)
{
	char *out = arena_alloc(a, strlen(name) * 3 + 1);
	size_t n = 0;

	for (const char *p = name; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (name_char_plain(name, p)) {
			out[n++] = *p;
		} else {
			out[n++] = '%';
			out[n++] = hex_digits[c >> 4];
			out[n++] = hex_digits[c & 15];
		}
	}
	return n > 0 && n <= NAME_MAX ? out : NULL;
}

/* 0..15, or -1 */
static int hex_value(char c)
{
	const char *p = c ? strchr(hex_digits, c) : NULL;

	return p ? (int)(p - hex_digits) : -1;
}

const char *name_decode(struct arena *a, const char *file)
{
	char *out = arena_alloc(a, strlen(file) + 1);
	size_t n = 0;

	for (const char *p = file; *p; p++) {
		int high = *p == '%' ? hex_value(p[1]) : -1;
		int low = high >= 0 ? hex_value(p[2]) : -1;

		if (low >= 0) {
			out[n++] = (char)(high * 16 + low);
			p += 2;
		} else {
			out[n++] = *p;
		}
	}
	return out;
}

/* ---- symbolic links to records ---------------------------------------------------------- */

int link_point(int dirfd, const char *name, const char *target)
{
	uint64_t serial = (uint64_t)getpid();
	char tmp[64];

	/* a pid is not enough: who shares the store may be in another namespace */
	(void)!getrandom(&serial, sizeof(serial), GRND_NONBLOCK);
	(void)snprintf(tmp, sizeof(tmp), LINK_NEW "%016" PRIx64, serial);
	if (symlinkat(target, dirfd, tmp) < 0)
		return -errno;
	if (renameat(dirfd, tmp, dirfd, name) < 0) {
		int r = -errno;

		(void)unlinkat(dirfd, tmp, 0);
		return r;
	}
	return 0;
}

bool link_read(const struct place *p, const char *dir, const char *name, char ret[NAME_MAX + 1])
{
	char path[LINK_NAME_MAX], target[LINK_NAME_MAX];
	const char *file;
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return false;
	n = readlinkat(p->fd, path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	file = str_after(target, "../" STORE_IMAGES "/");
	if (!file || !*file || strlen(file) > NAME_MAX || strchr(file, '/') || *file == '.')
		return false;
	memcpy(ret, file, strlen(file) + 1);
	return true;
}

static int link_record(const struct place *p, const char *dir, const char *name, const char *file)
{
	_cleanup_fd_ int fd = openat(p->fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char target[PATH_MAX];

	if (fd < 0)
		return -errno;
	if (link_read(p, dir, name, target) && str_eq(target, file))
		return 0;
	(void)snprintf(target, sizeof(target), "../" STORE_IMAGES "/%s", file);
	return link_point(fd, name, target);
}

int image_set_name(const struct place *p, struct arena *a, const char *name, const char *file)
{
	const char *encoded = name_encode(a, name);

	return encoded ? link_record(p, STORE_NAMES, encoded, file) : -ENAMETOOLONG;
}

int image_set_key(const struct place *p, const char *key, const char *file)
{
	return link_record(p, STORE_FILES, key, file);
}

/* ---- look-up ---------------------------------------------------------------------------- */

static bool file_is_id_prefix(const char *file, const char *hex, size_t n)
{
	return strlen(file) == IMAGE_ID_HEX && strncmp(file, hex, n) == 0;
}

/* The record whose id starts with @hex. */
static int image_by_id(const struct place *p, struct arena *a, const char *hex, const char **ret,
		       struct err *e)
{
	_cleanup_fd_ int fd =
		openat(p->fd, STORE_IMAGES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	size_t n = strlen(hex);
	const char *file, *found = NULL;
	struct dirents ents;

	if (n < ID_PREFIX_MIN || n > IMAGE_ID_HEX || !num_is_hex(hex, n) || fd < 0)
		return -ENOENT;
	dirents_begin(&ents, fd);
	while (dirents_next(&ents, &file, NULL) > 0) {
		if (!file_is_id_prefix(file, hex, n))
			continue;
		if (found)
			return err_set(e, ENOTUNIQ, "%s: several images have ids that start so",
				       hex);
		found = arena_strdup(a, file);
	}
	if (!found)
		return -ENOENT;
	*ret = found;
	return 0;
}

int image_by_name(const struct place *p, struct arena *a, const char *name, const char **ret,
		  struct err *e)
{
	const char *hex = str_after(name, "sha256:");
	char file[NAME_MAX + 1];

	for (size_t i = 0; i < ELEMENTS(name_forms) && !hex; i++) {
		const char *encoded = name_encode(a, arena_printf(a, "%s%s%s", name_forms[i].before,
								  name, name_forms[i].after));

		if (encoded && link_read(p, STORE_NAMES, encoded, file)) {
			*ret = arena_strdup(a, file);
			return 0;
		}
	}
	return image_by_id(p, a, hex ? hex : name, ret, e);
}

/* ---- records ---------------------------------------------------------------------------- */

void image_lowers(struct arena *a, const struct place *p, const struct record *r, struct strv *ret)
{
	const char *dir = r->image.form == IMAGE_FORM_LAYERS ? STORE_LAYERS : STORE_TREES;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < r->lowers.n; i++)
		strv_push(a, ret,
			  arena_printf(a, "%s/" STORE_VERSION "/%s/%s/fs", p->path, dir,
				       r->lowers.v[i]));
}

/* Open the record and lock it; one that rm has just unlinked is none. */
static int record_open(const struct place *p, const char *file, off_t *ret_size)
{
	_cleanup_fd_ int fd = -1;
	char path[LINK_NAME_MAX];
	struct stat st;
	int r;

	if (snprintf(path, sizeof(path), STORE_IMAGES "/%s", file) >= (int)sizeof(path))
		return -ENOENT;
	fd = openat(p->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = p->read_only ? 0 : lock_take(fd, false);
	if (r < 0 || fstat(fd, &st) < 0)
		return r < 0 ? r : -errno;
	*ret_size = st.st_size;
	return st.st_nlink == 0 ? -ENOENT : fd_take(&fd);
}

/* A machine that goes down leaves a file empty, or zeros in it; no string of a record is empty. */
static bool record_is_torn(const char *text, size_t len)
{
	static const char end[] = "\0end";

	return len < sizeof(end) || memcmp(text + len - sizeof(end), end, sizeof(end)) != 0 ||
	       *text == '\0' || memmem(text, len, "\0\0", 2);
}

static int say_damaged(const struct place *p, const char *file, const char *why, struct err *e)
{
	err_set(e, EBADMSG, "%s/" STORE_VERSION "/" STORE_IMAGES "/%s: the record is damaged: %s",
		p->path, file, why);
	err_hint(e, "gpurun rm %.12s", file);
	return -EBADMSG;
}

int image_load(const struct place *p, struct arena *a, const char *file, struct image *ret,
	       struct record *ret_record, int *ret_fd, struct err *e)
{
	off_t size = 0;
	_cleanup_fd_ int fd = record_open(p, file, &size);
	struct record rec = { .unpacked = 0 };
	size_t len;
	char *text;
	int r;

	if (fd < 0)
		return fd;
	r = fd_read_sized(fd, a, size, RECORD_MAX, &text, &len);
	if (r < 0)
		return say_damaged(p, file, err_text(-r), e);
	if (record_parse(a, text, len, &rec) < 0 || rec.lowers.n == 0) {
		bool torn = record_is_torn(text, len);

		(void)say_damaged(p, file,
				  torn ? "it was not written to its end" : err_text(EBADMSG), e);
		return torn ? -ESTALE : -EBADMSG;
	}
	image_lowers(a, p, &rec, &rec.image.lowers);
	rec.image.abi.ld_cache = abi_locate(a, &rec.image.lowers, rec.image.abi.ld_cache);
	rec.image.passwd = rec.image.passwd ? rec.image.passwd : "";
	rec.image.group = rec.image.group ? rec.image.group : "";
	*ret = rec.image;
	if (ret_record)
		*ret_record = rec;
	*ret_fd = fd_take(&fd);
	return 0;
}

int image_publish(const struct place *p, struct arena *a, int stage_fd, const char *file,
		  const struct record *r, struct err *e)
{
	char path[PATH_MAX];
	size_t len;
	const char *text = record_format(a, r, &len);
	_cleanup_fd_ int fd = openat(stage_fd, "record",
				     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : fd_write_all(fd, text, len);

	(void)snprintf(path, sizeof(path), STORE_IMAGES "/%s", file);
	if (err == 0)
		err = rename_new(stage_fd, "record", p->fd, path);
	if (err == -EEXIST && !image_stored(p, a, file))
		err = rename_new(stage_fd, "record", p->fd, path);
	if (err == -EEXIST)
		err = 0;
	if (err < 0)
		return err_sys(e, -err, "%s/" STORE_VERSION "/%s", p->path, path);
	return 0;
}

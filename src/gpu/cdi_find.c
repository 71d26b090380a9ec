/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdi_find.c - the directories with CDI files, and which of the files describe the devices.
 *
 * A device in a directory of a higher rank hides one of that name in a lower one.  Within a
 * directory nothing says which of two is meant, so neither is.  A file that is not accepted is
 * passed over; it is named when a device is missed.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "backend.h"
#include "cdi.h"
#include "yaml.h"

#define CDI_FILE_MAX  (1U << 20)
#define CDI_FILES_MAX 64U /* of one directory */
#define NAMES_SAID    8U  /* in a message */
#define BROKEN_SAID   3U

/* The highest first.  Those of the caller are below his home directory. */
static const struct cdi_place {
	const char *path;
	bool own;
} places[] = {
	{ ".config/cdi", true },
	{ "/var/run/cdi", false },
	{ "/run/cdi", false },
	{ "/etc/cdi", false },
};

/* The files of one directory. */
struct cdi_dir {
	const char *path;
	dev_t dev;
	ino_t ino;
	struct cdi_spec *v;
	size_t n, cap;
};

struct finder {
	struct arena *a;
	const struct sysroot *root;
	struct cdi_dir dirs[ELEMENTS(places)];
	size_t n;
	struct strv broken; /* one line each: what is wrong with which */
};

/* ---- files ---------------------------------------------------------------------------------- */

/*
 * Who can write the file can have any file of the host bound by whoever uses it.  In a test's
 * directory nothing is root's.
 */
static const char *distrust(const struct finder *f, const struct cdi_place *place,
			    const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	if (place->own && st->st_uid != 0 && st->st_uid != geteuid())
		return "not accepted: it is somebody else's";
	if (place->own && st->st_mode & S_IWOTH)
		return "not accepted: everybody can write it";
	if (place->own || f->root->label[0])
		return NULL;
	if (st->st_uid != 0)
		return "not accepted: it is not root's";
	return st->st_mode & (S_IWGRP | S_IWOTH) ? "not accepted: others than root can write it"
						 : NULL;
}

static int read_file(struct finder *f, const struct cdi_place *place, const char *path,
		     char **ret_text, size_t *ret_len, struct err *e)
{
	_cleanup_fd_ int fd = root_open(f->root->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	const char *why;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, fd < 0 ? -fd : errno, "%s", path);
	why = distrust(f, place, &st);
	if (why)
		return err_set(e, EPERM, "%s: %s", path, why);
	r = fd_read_text(fd, f->a, CDI_FILE_MAX, ret_text, ret_len);
	return r < 0 ? err_sys(e, -r, "%s", path) : 0;
}

static int read_spec(struct finder *f, const struct cdi_place *place, const char *path,
		     struct cdi_spec *ret, struct err *e)
{
	const struct json *doc = NULL;
	char *text = NULL;
	size_t len = 0;
	int r = read_file(f, place, path, &text, &len, e);

	if (r < 0)
		return r;
	r = str_glob("*.json", path) ? json_parse(f->a, text, len, path, &doc, e)
				     : yaml_parse(f->a, text, len, path, &doc, e);
	return r < 0 ? r : cdi_spec_read(f->a, doc, path, ret, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_known_dir(const struct finder *f, const struct stat *st)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->dirs[i].dev == st->st_dev && f->dirs[i].ino == st->st_ino)
			return true;
	return false;
}

/* All files of one directory; /run/cdi and /var/run/cdi are mostly the same. */
static void read_dir(struct finder *f, const struct cdi_place *place, const char *path)
{
	struct cdi_dir *dir = &f->dirs[f->n];
	struct strv names = { 0 };
	struct stat st;
	size_t files = 0;
	_cleanup_fd_ int fd = root_open(f->root->fd, path, O_PATH | O_DIRECTORY, 0);

	if (fd < 0 || fstat(fd, &st) < 0 || is_known_dir(f, &st))
		return;
	*dir = (struct cdi_dir){ .path = path, .dev = st.st_dev, .ino = st.st_ino };
	f->n++;
	if (gpu_list_dir(f->a, f->root, path, &names) < 0)
		strv_push(f->a, &f->broken, arena_printf(f->a, "%s: cannot be read", path));
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), by_name);
	for (size_t i = 0; i < names.n && files < CDI_FILES_MAX; i++) {
		struct cdi_spec spec;
		struct err e = { 0 };

		if (!str_glob("*.json", names.v[i]) && !str_glob("*.yaml", names.v[i]))
			continue;
		files++;
		if (read_spec(f, place, path_join(f->a, path, names.v[i]), &spec, &e) < 0)
			strv_push(f->a, &f->broken, arena_strdup(f->a, e.msg));
		else
			VEC_PUSH(f->a, dir->v, dir->n, dir->cap, spec);
	}
	if (files == CDI_FILES_MAX)
		strv_push(
			f->a, &f->broken,
			arena_printf(f->a, "%s: of many files the first %u", path, CDI_FILES_MAX));
}

/* ---- devices -------------------------------------------------------------------------------- */

static const struct cdi_device *find_device(const struct cdi_spec *spec, const char *name)
{
	const char *device = str_after(name, spec->kind);

	for (size_t i = 0; device && *device == '=' && i < spec->n; i++)
		if (str_eq(spec->v[i].name, device + 1))
			return &spec->v[i];
	return NULL;
}

/* Return: 1 found, 0 not there, -errno */
static int find_in_dir(const struct cdi_dir *dir, const char *name, struct cdi_found *ret,
		       struct err *e)
{
	ret->spec = NULL;
	for (size_t i = 0; i < dir->n; i++) {
		const struct cdi_device *device = find_device(&dir->v[i], name);

		if (!device)
			continue;
		if (ret->spec) {
			err_set(e, EEXIST, "%s: it is in %s and in %s", name, ret->spec->file,
				dir->v[i].file);
			err_hint(e, "remove one of the two files, or the device from one of them");
			return -EEXIST;
		}
		*ret = (struct cdi_found){ name, &dir->v[i], device };
	}
	return ret->spec != NULL;
}

static bool has_name(const struct strv *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (str_eq(names->v[i], name))
			return true;
	return false;
}

/* The names in one file, as many as a message has room for and one more. */
static void list_devices(const struct finder *f, const struct cdi_spec *spec, struct strv *ret)
{
	for (size_t i = 0; i < spec->n && ret->n <= NAMES_SAID; i++) {
		const char *name = arena_printf(f->a, "%s=%s", spec->kind, spec->v[i].name);

		if (!has_name(ret, name))
			strv_push(f->a, ret, name);
	}
}

/* Those of one kind, or those of all others. */
static void list_names(const struct finder *f, const char *wanted, bool same, struct strv *ret)
{
	for (size_t d = 0; d < f->n; d++) {
		for (size_t s = 0; s < f->dirs[d].n; s++) {
			const struct cdi_spec *spec = &f->dirs[d].v[s];
			const char *rest = str_after(wanted, spec->kind);

			if ((rest && *rest == '=') == same)
				list_devices(f, spec, ret);
		}
	}
}

/* The names that there are, those of the same kind first. */
static const char *names_text(const struct finder *f, const char *wanted)
{
	const char *text = "there are ";
	struct strv names = { 0 };

	list_names(f, wanted, true, &names);
	list_names(f, wanted, false, &names);
	for (size_t i = 0; i < names.n && i < NAMES_SAID; i++)
		text = arena_printf(f->a, "%s%s%s", text, i ? ", " : "", names.v[i]);
	if (!names.n)
		return "there is no CDI device on this host";
	return names.n > NAMES_SAID ? arena_printf(f->a, "%s, ...", text) : text;
}

static int refuse_unknown(const struct finder *f, const char *name, struct err *e)
{
	const char *broken = "";
	size_t said = f->broken.n < BROKEN_SAID ? f->broken.n : BROKEN_SAID;

	for (size_t i = 0; i < said; i++)
		broken = arena_printf(f->a, "%s; %s", broken, f->broken.v[i]);
	if (f->broken.n > said)
		broken = arena_printf(f->a, "%s; and %zu more files", broken, f->broken.n - said);
	err_set(e, ENOENT, "%s: no CDI file has it; %s%s", name, names_text(f, name), broken);
	if (str_after(name, "nvidia.com/gpu="))
		err_hint(e, "--gpus 0 needs no CDI file; to make one: nvidia-ctk cdi generate "
			    "--output=/etc/cdi/nvidia.yaml");
	else
		err_hint(e, "CDI files are looked for in /etc/cdi, /var/run/cdi and ~/.config/cdi");
	return -ENOENT;
}

/* Directories are read as far down as it takes. */
static int find_one(struct finder *f, const char *home, size_t *next, const char *name,
		    struct cdi_found *ret, struct err *e)
{
	for (size_t d = 0;; d++) {
		int r;

		while (d == f->n && *next < ELEMENTS(places)) {
			const struct cdi_place *place = &places[(*next)++];

			if (!place->own)
				read_dir(f, place, place->path);
			else if (home && home[0] == '/')
				read_dir(f, place, path_join(f->a, home, place->path));
		}
		if (d == f->n)
			return refuse_unknown(f, name, e);
		r = find_in_dir(&f->dirs[d], name, ret, e);
		if (r)
			return r < 0 ? r : 0;
	}
}

static bool has_found(const struct cdi_founds *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].name, name))
			return true;
	return false;
}

int cdi_find(struct arena *a, const struct sysroot *root, const char *home,
	     const struct strv *names, struct cdi_founds *ret, struct err *e)
{
	struct finder *f = ARENA_NEW(a, struct finder);
	size_t next = 0;

	f->a = a;
	f->root = root;
	for (size_t i = 0; i < names->n; i++) {
		struct cdi_found found;
		int r;

		if (has_found(ret, names->v[i]))
			continue;
		r = find_one(f, home, &next, names->v[i], &found, e);
		if (r < 0)
			return r;
		VEC_PUSH(a, ret->v, ret->n, ret->cap, found);
	}
	return 0;
}

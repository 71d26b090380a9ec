/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site.c - the files of /etc/gpurun/site.d, in the order of their names.
 *
 * Who can write one of them can have any file of the host bound by whoever starts a container:
 * they count only where nobody but root can.  A file that is wrong is an error everywhere, also
 * where it would not apply: better than on the one node where it does.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "site.h"

#define SITE_FILE_MAX  (1U << 20)
#define SITE_FILES_MAX 256U
#define SUFFIX         ".json"

/* The owner of the root directory is root, or stands for it: in a test's directory. */
static const char *distrust(const struct job_builder *b, const struct stat *st)
{
	struct stat top;

	if (st->st_uid != 0 && (fstat(b->root->fd, &top) < 0 || st->st_uid != top.st_uid))
		return "not accepted: it is not root's";
	return (st->st_mode & (S_IWGRP | S_IWOTH)) ? "not accepted: others than root can write it"
						   : NULL;
}

static int check_owner(const struct job_builder *b, int fd, bool directory, const char *path,
		       struct err *e)
{
	const char *why;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (!directory && !S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: not a regular file", path);
	why = distrust(b, &st);
	if (!why)
		return 0;
	err_set(e, EPERM, "%s: %s", path, why);
	err_hint(e, "sudo chown root %s; sudo chmod go-w %s", path, path);
	return -EPERM;
}

/* It becomes a directory in a list that is separated by ':'. */
static bool is_name(const char *s)
{
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("._-", *s))
			return false;
	return true;
}

static int add_file(struct job_builder *b, const char *path, struct err *e)
{
	_cleanup_fd_ int fd = root_open(b->root->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	const char *base = path_base(path);
	const char *name = arena_strndup(b->a, base, strlen(base) - strlen(SUFFIX));
	const struct json *doc = NULL;
	struct site_file f = { 0 };
	char *text = NULL;
	size_t len = 0;
	int r;

	if (fd < 0)
		return err_sys(e, -fd, "%s", path);
	if (!is_name(name))
		return err_set(e, EINVAL, "%s: the name may have letters, digits, '.', '_', '-'",
			       path);
	r = check_owner(b, fd, false, path, e);
	if (r < 0)
		return r;
	r = fd_read_text(fd, b->a, SITE_FILE_MAX, &text, &len);
	if (r < 0)
		return err_sys(e, -r, "%s", path);
	r = json_parse(b->a, text, len, path, &doc, e);
	if (r >= 0)
		r = site_read(b->a, doc, path, name, &f, e);
	return r < 0 ? r : site_apply(b, &f, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of the files; others than *.json, and hidden ones, are notes of somebody. */
static int list_files(struct job_builder *b, int fd, struct strv *ret, struct err *e)
{
	struct dirents ents;
	const char *name;
	int r;

	dirents_begin(&ents, fd);
	while ((r = dirents_next(&ents, &name, NULL)) > 0) {
		if (name[0] == '.' || !str_glob("*" SUFFIX, name))
			continue;
		if (ret->n >= SITE_FILES_MAX)
			return err_set(e, E2BIG, SITE_DIR ": more than %u files", SITE_FILES_MAX);
		strv_push(b->a, ret, path_join(b->a, SITE_DIR, name));
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_name);
	return r < 0 ? err_sys(e, -r, SITE_DIR) : 0;
}

int job_site(struct job_builder *b, struct err *e)
{
	_cleanup_fd_ int fd = root_open(b->root->fd, SITE_DIR, O_RDONLY | O_DIRECTORY, 0);
	struct strv files = { 0 };
	int r;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(e, -fd, SITE_DIR);
	r = list_files(b, fd, &files, e);
	if (r >= 0 && files.n)
		r = check_owner(b, fd, true, SITE_DIR, e);
	for (size_t i = 0; r >= 0 && i < files.n; i++)
		r = add_file(b, files.v[i], e);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hint.c - "gpurun image.tar python3 train.py" without -C: find the word that the user took
 * for granted.
 *
 * A word of the command counts when it is a relative path that stands in the caller's current
 * directory but not where the command would look for it: below its working directory, in a
 * mount or in the image.
 */
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "launch.h"

#define WORDS_MAX 64 /* words of the command that are looked at */

/* In a job it does, but for an ENTRYPOINT of the image. */
static bool starts_in_cwd(const struct launch *l)
{
	const struct request *q = l->q;

	if (q->cwd != TRI_AUTO)
		return q->cwd == TRI_ON;
	return l->host.job.kind != JOB_NONE && !q->contain &&
	       (q->entrypoint || !l->image.config.entrypoint.n);
}

static const char *workdir(const struct launch *l)
{
	const char *dir = l->q->workdir ? l->q->workdir : l->image.config.workdir;

	return dir ? dir : "/";
}

/* The mount with the longest destination that @path is below, or NULL. */
static const struct req_mount *mount_over(const struct request *q, const char *path)
{
	const struct req_mount *best = NULL;

	for (size_t i = 0; i < q->n_mounts; i++) {
		const struct req_mount *m = &q->mounts[i];

		if (path_below(path, m->dst) && (!best || strlen(m->dst) >= strlen(best->dst)))
			best = m;
	}
	return best;
}

static bool in_image(const struct launch *l, const char *path)
{
	for (size_t i = 0; i < l->image.lowers.n; i++) {
		_cleanup_fd_ int top = open(l->image.lowers.v[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		_cleanup_fd_ int fd = top < 0 ? -1 : root_open(top, path, O_PATH, 0);

		if (fd >= 0)
			return true;
	}
	return false;
}

static bool is_inside(const struct launch *l, const char *word)
{
	const char *path = path_join(l->a, workdir(l), word);
	const struct req_mount *m = mount_over(l->q, path);

	if (!m)
		return in_image(l, path);
	if (m->type == REQ_TMPFS)
		return false;
	return host_has(&l->root, arena_printf(l->a, "%s/%s", m->src, path + strlen(m->dst)));
}

/* The command itself is looked up along PATH unless it has a slash, or is an entrypoint's argument. */
static bool is_path_word(const struct launch *l, size_t i, const char *word)
{
	bool entrypoint = l->q->entrypoint ? l->q->entrypoint[0] : l->image.config.entrypoint.n > 0;

	if (!word[0] || word[0] == '-' || word[0] == '/')
		return false;
	return i > 0 || entrypoint || strchr(word, '/');
}

const char *launch_missing_word(const struct launch *l)
{
	const struct strv *args = &l->q->args;

	if (starts_in_cwd(l) || !l->host.cwd)
		return NULL;
	for (size_t i = 0; i < args->n && i < WORDS_MAX; i++) {
		const char *word = args->v[i];

		if (is_path_word(l, i, word) &&
		    host_has(&l->root, path_join(l->a, l->host.cwd, word)) && !is_inside(l, word))
			return word;
	}
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c - the living containers of a state directory, and the removal of what dead launchers
 * left there.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/state.h>
#include <gpurun/str.h>

#include "state_file.h"

#define IDS_SHOWN 8  /* of several that are called the same */
#define SWEEP_MAX 32 /* records that one start looks at */

/* The names of the records in @dirfd; what is no record is not ours to touch. */
static int names_read(struct arena *a, int dirfd, struct strv *ret)
{
	struct dirents ents;
	const char *name;
	int r = 0;

	if (lseek(dirfd, 0, SEEK_SET) < 0)
		return -errno;
	dirents_begin(&ents, dirfd);
	while (ret->n < STATE_FILES_MAX && (r = dirents_next(&ents, &name, NULL)) > 0)
		if (state_id_valid(name))
			strv_push(a, ret, arena_strdup(a, name));
	return r < 0 ? r : 0;
}

/*
 * Open a record: a descriptor when its launcher lives, -ENOENT when it is gone or was that of
 * a dead launcher, which removes it.
 */
static int open_living(int dirfd, const char *name)
{
	_cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat held, named;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? fd_take(&fd) : -errno;
	if (fstat(fd, &held) == 0 && fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    held.st_ino == named.st_ino && held.st_dev == named.st_dev)
		(void)unlinkat(dirfd, name, 0);
	return -ENOENT;
}

/* Of many, each start looks at some: hundreds of launchers would all look at one another. */
void state_sweep(struct arena *a, const struct state_home *home, const struct state *own)
{
	struct strv names = { 0 };
	size_t first = (unsigned char)own->id[0] * 256U + (unsigned char)own->id[1];

	if (names_read(a, home->fd, &names) < 0)
		return;
	for (size_t i = 0; i < names.n && i < SWEEP_MAX; i++) {
		const char *name = names.v[(first + i) % names.n];

		if (!str_eq(name, own->id))
			fd_close(open_living(home->fd, name));
	}
}

/* Read a living record; -EAGAIN for one that is reserved but not published yet; -errno */
static int read_living(struct arena *a, int dirfd, const char *name, struct state *ret)
{
	_cleanup_fd_ int fd = open_living(dirfd, name);
	int r = fd < 0 ? fd : state_witness(a, fd, ret);

	return r >= 0 && !str_eq(ret->id, name) ? -EINVAL : r;
}

static int by_age(const void *x, const void *y)
{
	const struct state *a = x, *b = y;

	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	return strcmp(a->id, b->id);
}

static int list_dir(struct arena *a, const char *dir, struct state_vec *ret)
{
	_cleanup_fd_ int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	size_t before = ret->n;
	struct strv names = { 0 };
	int r;

	if (dirfd < 0)
		return -errno;
	r = names_read(a, dirfd, &names);
	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		struct state st = { 0 };
		int one = read_living(a, dirfd, names.v[i], &st);

		if (one >= 0)
			VEC_PUSH(a, ret->v, ret->n, ret->cap, st);
		ret->starting += one == -EAGAIN;
	}
	if (r >= 0)
		r = state_step_list(a, dirfd, ret);
	for (size_t i = before; i < ret->n; i++)
		ret->v[i].dir = dir;
	return r;
}

static int list_dirs(struct arena *a, const struct strv *dirs, struct state_vec *ret, struct err *e)
{
	for (size_t i = 0; i < dirs->n; i++) {
		int r = list_dir(a, dirs->v[i], ret);

		if (r < 0)
			return err_sys(e, -r, "%s", dirs->v[i]);
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_age);
	return 0;
}

int state_list(struct arena *a, const struct strv *dirs, struct state **ret, size_t *ret_n,
	       struct err *e)
{
	struct state_vec all = { 0 };
	int r = list_dirs(a, dirs, &all, e);

	*ret = all.v;
	*ret_n = all.n;
	return r;
}

/* How well @what names @st: 0 not at all, 1 by a prefix of the id, 2 by the id, name or step. */
static int match(const struct state *st, const char *what)
{
	if (str_eq(st->id, what) || (st->name[0] && str_eq(st->name, what)) ||
	    (st->step[0] && str_eq(st->step, what)))
		return 2;
	return str_after(st->id, what) ? 1 : 0;
}

/* Several of them: the ids are what tells them apart. */
static int say_several(struct arena *a, const char *what, struct strv *ids, struct err *e)
{
	const char *list = ids->v[0];

	for (size_t i = 1; i < ids->n && i < IDS_SHOWN; i++)
		list = arena_printf(a, "%s, %s", list, ids->v[i]);
	err_set(e, ENOTUNIQ, "%s: %zu running containers are called that: %s%s", what, ids->n, list,
		ids->n > IDS_SHOWN ? ", ..." : "");
	err_hint(e, "name one by its id; gpurun ps lists them");
	return -ENOTUNIQ;
}

static int say_nobody(const char *what, struct err *e)
{
	err_set(e, ENOENT, "%s: no running container of that name, id or step", what);
	err_hint(e, "gpurun ps lists them");
	if (e)
		e->topic = ERR_TOPIC_NOT_FOUND;
	return -ENOENT;
}

/* Which of them is called that? @ret NULL: none */
static int choose(struct arena *a, const struct state_vec *all, const char *what,
		  const struct state **ret, struct err *e)
{
	struct strv ids = { 0 };
	int best = 1;

	*ret = NULL;
	for (size_t i = 0; i < all->n && what[0]; i++) {
		int m = match(&all->v[i], what);

		if (m < best)
			continue;
		ids.n = m > best ? 0 : ids.n;
		best = m;
		*ret = &all->v[i];
		strv_push(a, &ids, all->v[i].id);
	}
	return ids.n > 1 ? say_several(a, what, &ids, e) : 0;
}

/* Who sees what a command does may look for its record a moment before it is there. */
int state_find(struct arena *a, const struct strv *dirs, const char *what, struct state *ret,
	       struct err *e)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };
	const struct state *found = NULL;

	for (int ms = 0; ms <= STATE_STARTING_MS; ms++) {
		struct state_vec all = { 0 };
		int r = list_dirs(a, dirs, &all, e);

		if (r >= 0)
			r = choose(a, &all, what, &found, e);
		if (r < 0)
			return r;
		if (found || !all.starting || !what[0])
			break;
		(void)nanosleep(&moment, NULL);
	}
	if (!found)
		return say_nobody(what, e);
	*ret = *found;
	return 0;
}

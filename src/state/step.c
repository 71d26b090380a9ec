/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step.c - the containers of steps: who is in them, made, found and swept.
 *
 * Nobody supervises such a container, so no lock says that it lives: the processes named in its
 * file do.  The lock of the file serialises those who look and then enter; it is held through
 * execve(2), so whoever gets it meets no rank between its slot and its command.  The order is
 *
 *	rank:    open (or make), wait for the lock, look whether the name still leads to the file
 *	sweeper: open, try the lock, look whether the name still leads to it, find nobody alive,
 *		 unlink the record, then the file
 *
 * so a rank whose file was swept while it waited for the lock opens the new one, and a record
 * never belongs to another file than the one beside it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <gpurun/dirents.h>
#include <gpurun/fd.h>
#include <gpurun/state.h>
#include <gpurun/str.h>

#include "slots.h"
#include "state_file.h"

#define STEPS_DIR  "steps"
#define KEY_HEX    16
#define KEY_MAX    200  /* a file name with a suffix */
#define STEPS_MAX  4096 /* keys that are looked at */
#define RECORD_EXT ".json"
#define NEW_EXT    ".new" /* a record that is being written */

/* ---- names ------------------------------------------------------------------------------ */

/* A key is a file name of ours: printable, and ends in '-' and 16 hexadecimal digits. */
static bool key_valid(const char *key)
{
	size_t n = strlen(key);

	if (n <= KEY_HEX + 1 || n > KEY_MAX || key[0] == '.' || key[n - KEY_HEX - 1] != '-')
		return false;
	for (const char *c = key; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '/')
			return false;
	return num_is_hex(key + n - KEY_HEX, KEY_HEX);
}

/* The key in the name of a file of steps/: @name without its suffix; NULL: not one of ours. */
static const char *key_of_name(struct arena *a, const char *name)
{
	static const char *const suffixes[] = { RECORD_EXT, NEW_EXT, "" };
	size_t n = strlen(name);

	for (size_t i = 0; i < ELEMENTS(suffixes); i++) {
		size_t s = strlen(suffixes[i]);
		const char *key;

		if (n <= s || !str_eq(name + n - s, suffixes[i]))
			continue;
		key = arena_strndup(a, name, n - s);
		return key_valid(key) ? key : NULL;
	}
	return NULL;
}

static void key_id(const char *key, char ret[STATE_ID_LEN + 1])
{
	memcpy(ret, key + strlen(key) - STATE_ID_LEN, STATE_ID_LEN + 1);
}

static int steps_open(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Every key of which there is a file, once. */
static int keys_read(struct arena *a, int steps, struct strv *ret)
{
	_cleanup_fd_ int fd = openat(steps, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirents ents;
	const char *name;
	int r = 0;

	if (fd < 0)
		return -errno;
	dirents_begin(&ents, fd);
	while (ret->n < STEPS_MAX && (r = dirents_next(&ents, &name, NULL)) > 0) {
		const char *key = key_of_name(a, name);

		if (key && !strv_has(ret, key))
			strv_push(a, ret, key);
	}
	return r < 0 ? r : 0;
}

/* ---- the lock --------------------------------------------------------------------------- */

static int key_open(int steps, const char *key, int flags)
{
	int fd = openat(steps, key, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0600);

	return fd < 0 ? -errno : fd;
}

/* 0: the lock is ours, and the file still has its name; -ESTALE: it was swept; -errno */
static int key_lock(int fd, int how)
{
	struct stat st;

	while (flock(fd, how) < 0)
		if (errno != EINTR)
			return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_nlink == 0 ? -ESTALE : 0;
}

/* Remove what a step without a living rank left behind, unless somebody is just coming. */
static void sweep_one(int steps, const char *key)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	_cleanup_fd_ int fd = key_open(steps, key, O_CREAT);
	struct sys_peer *v = NULL;
	size_t n = 0;

	if (fd < 0 || key_lock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	if (slots_read(a, fd, &v, &n) >= 0 && slots_alive(v, n) > 0)
		return;
	(void)unlinkat(steps, arena_printf(a, "%s" NEW_EXT, key), 0);
	(void)unlinkat(steps, arena_printf(a, "%s" RECORD_EXT, key), 0);
	(void)unlinkat(steps, key, 0);
}

/*
 * All but those of @own's step: its ranks start together, and where each has a container of its
 * own they need not look at each other.
 */
static void sweep(struct arena *a, int steps, const char *own)
{
	const char *prefix = arena_strndup(a, own, strlen(own) - KEY_HEX);
	struct strv keys = { 0 };

	if (keys_read(a, steps, &keys) < 0)
		return;
	for (size_t i = 0; i < keys.n; i++)
		if (!str_after(keys.v[i], prefix))
			sweep_one(steps, keys.v[i]);
}

/* Open and lock the file, as often as it is swept away meanwhile; @ret_new: nobody was in it. */
static int open_locked(int steps, const char *key, bool *ret_new)
{
	for (;;) {
		_cleanup_fd_ int fd = key_open(steps, key, O_CREAT);
		struct stat st;
		int r = fd < 0 ? fd : key_lock(fd, LOCK_EX);

		if (r == -ESTALE)
			continue;
		if (r < 0)
			return r;
		*ret_new = fstat(fd, &st) == 0 && st.st_size == 0;
		return fd_take(&fd);
	}
}

int state_step_open(struct arena *a, const char *dir, const char *key, int *ret_fd, struct err *e)
{
	const char *path = path_join(a, dir, STEPS_DIR);
	_cleanup_fd_ int steps = steps_open(AT_FDCWD, path);
	bool fresh = false;
	int fd;

	if (!key_valid(key))
		return err_set(e, EINVAL, "%s: cannot be the name of a step's file", key);
	if (steps == -ENOENT && (mkdir(path, 0700) == 0 || errno == EEXIST))
		steps = steps_open(AT_FDCWD, path);
	if (steps < 0)
		return err_sys(e, -steps, "%s", path);
	fd = open_locked(steps, key, &fresh);
	if (fd < 0)
		return err_sys(e, -fd, "%s/%s", path, key);
	if (fresh)
		sweep(a, steps, key);
	*ret_fd = fd;
	return 0;
}

/* ---- ranks ------------------------------------------------------------------------------ */

int state_step_ranks(struct arena *a, int fd, struct sys_peer **ret, size_t *ret_n)
{
	struct sys_peer *v = NULL;
	size_t n = 0, alive = 0;
	int r = slots_read(a, fd, &v, &n);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		if (v[i].pid == 0)
			continue;
		if (alive ? kill(v[i].pid, 0) == 0 : slot_alive(&v[i]))
			v[alive++] = v[i];
		else
			r = slot_write(fd, i, NULL);
	}
	if (r < 0)
		return r;
	*ret = v;
	*ret_n = alive;
	return 0;
}

int state_step_add(int fd, const struct sys_peer *self)
{
	ssize_t i = slots_first_free(fd);

	return i < 0 ? (int)i : slot_write(fd, (size_t)i, self);
}

/* Wait until no rank is about to execute its command; with one that is stuck there, go on. */
static void wait_started(int fd)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int ms = 0; ms < STATE_STARTING_MS; ms++) {
		if (key_lock(fd, LOCK_EX | LOCK_NB) != -EWOULDBLOCK)
			return;
		(void)nanosleep(&moment, NULL);
	}
}

int state_step_peers(struct arena *a, const struct state *st, struct sys_peer **ret, size_t *ret_n,
		     struct err *e)
{
	const char *path = arena_printf(a, "%s/" STEPS_DIR "/%s", st->dir, st->key);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	wait_started(fd);
	r = slots_read(a, fd, ret, ret_n);
	if (r < 0)
		return err_sys(e, -r, "%s", path);
	*ret_n = slots_alive(*ret, *ret_n);
	if (*ret_n == 0)
		return err_set(e, ESRCH, "%s: all its commands have ended", st->id);
	return 0;
}

/* ---- the record ------------------------------------------------------------------------- */

static int write_new(struct arena *a, int steps, const char *name, const struct state *st,
		     const char *plan_json)
{
	_cleanup_fd_ int fd =
		openat(steps, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : state_write(a, fd, st, plan_json);
}

int state_step_publish(const char *dir, const char *key, const struct state *st,
		       const char *plan_json)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	const char *new = arena_printf(a, "%s" NEW_EXT, key);
	struct state record = *st;
	_cleanup_fd_ int steps = -1;
	int r;

	if (!key_valid(key))
		return -EINVAL;
	key_id(key, record.id);
	steps = steps_open(AT_FDCWD, path_join(a, dir, STEPS_DIR));
	if (steps < 0)
		return steps;
	r = write_new(a, steps, new, &record, plan_json);
	if (r >= 0 && renameat(steps, new, steps, arena_printf(a, "%s" RECORD_EXT, key)) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(steps, new, 0);
	return r;
}

/* The ranks without the lock: a listing waits for nobody. */
static int read_ranks(int steps, const char *key, struct state *ret)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	_cleanup_fd_ int fd = openat(steps, key, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct sys_peer *v = NULL;
	size_t n = 0;
	int r = fd < 0 ? -errno : slots_read(a, fd, &v, &n);

	if (r < 0)
		return r;
	ret->n_ranks = slots_alive(v, n);
	if (ret->n_ranks == 0 || !v)
		return -ESRCH;
	ret->payload = v[0].pid;
	ret->payload_start = v[0].start;
	return 0;
}

/* One container: its record, and instead of the rank that made it one that is alive. */
static int read_step(struct arena *a, int steps, const char *key, struct state *ret)
{
	struct state ranks = { 0 };
	char *text = NULL, id[STATE_ID_LEN + 1];
	int r = read_ranks(steps, key, &ranks);

	if (r >= 0)
		r = file_read_text(steps, arena_printf(a, "%s" RECORD_EXT, key), a,
				   STATE_RECORD_MAX, &text, NULL);
	if (r >= 0)
		r = state_parse(a, text, ret);
	if (r < 0)
		return r;
	key_id(key, id);
	if (!ret->step[0] || !str_eq(ret->id, id))
		return -EINVAL;
	ret->key = key;
	ret->n_ranks = ranks.n_ranks;
	ret->payload = ranks.payload;
	ret->payload_start = ranks.payload_start;
	return 0;
}

int state_step_list(struct arena *a, int dirfd, struct state_vec *ret)
{
	_cleanup_fd_ int steps = steps_open(dirfd, STEPS_DIR);
	struct strv keys = { 0 };
	int r;

	if (steps < 0)
		return steps == -ENOENT ? 0 : steps;
	r = keys_read(a, steps, &keys);
	for (size_t i = 0; r >= 0 && i < keys.n; i++) {
		struct state st = { 0 };
		int one = read_step(a, steps, keys.v[i], &st);

		if (one >= 0)
			VEC_PUSH(a, ret->v, ret->n, ret->cap, st);
		else if (one == -ESRCH || one == -ENOENT)
			sweep_one(steps, keys.v[i]);
	}
	return r;
}

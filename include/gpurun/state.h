/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.h - the containers of this user that run now: one directory of small files, each held
 * under an exclusive flock(2) by its launcher.  A file whose lock is free belongs to a dead
 * launcher and is removed by the next start, ps or prune.
 *
 * A file is a hint, for a process in a container may have written it: the record itself is sealed
 * memory of the launcher, which is asked whether it is one (src/state/witness.c).  In a step there
 * is no launcher: whoever enters a process through a slot, or by the record beside it, asks the
 * kernel what that process is in (run_peer_in).
 *
 *	STATE/          $XDG_RUNTIME_DIR/gpurun, else /dev/shm/gpurun-UID; in a job never a login
 *	                session's, /run/user/UID.  What stands there and is not ours is refused
 *	STATE/mnt/      empty, mode 0700: where a container's root is put together (in its own
 *	                mount namespace)
 *	STATE/ID        three numbers: the launcher's pid, its descriptors of this file and of the
 *	                record, which is JSON: members as in struct state plus "plan"
 *	STATE/steps/KEY       the ranks in the container of a step, one slot of fixed size each;
 *	                      locked by the rank that makes the container or enters it
 *	STATE/steps/KEY.json  its record, as above; its id is the end of KEY
 *
 * Nobody stays to hold a lock for a step: its container lives as long as one of the processes
 * named in the slots does.
 */
#ifndef GPURUN_STATE_H
#define GPURUN_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>
#include <gpurun/sys.h>

#define STATE_ID_LEN      12
#define STATE_STARTING_MS 2000

struct state {
	char id[STATE_ID_LEN + 1]; /* hex */
	const char *name;          /* label or "" */
	const char *image;         /* as typed */
	const char *command;       /* argv joined, for people */
	pid_t launcher, payload;   /* in the caller's PID namespace */
	uint64_t payload_start;    /* field 22 of /proc/PID/stat: guards against pid reuse */
	int64_t created;           /* seconds since the epoch */
	const char *step;          /* "123.0": a container of a step, payload is one of its ranks
				    * and launcher 0; else "" */
	const char *image_id;      /* of the image, or "" */
	size_t n_ranks;            /* live ones of a step */
	const char *dir, *key;     /* where the record is; of a step its file's name, else "" (only
				    * from state_list, state_find) */
	const char *plan;          /* JSON text, only from state_find */
};

/** struct state_home - a state directory, held open */
struct state_home {
	const char *path;
	int fd;
};

/** state_open - find or make it (0700, ours, no link) and its mnt/; the path in the arena */
int state_open(struct arena *a, const char *xdg_runtime_dir, uid_t uid, struct state_home *ret,
	       struct err *e);

/** state_dir - state_open() for those who want no more than its path */
int state_dir(struct arena *a, const char *xdg_runtime_dir, uid_t uid, const char **ret,
	      struct err *e);

/**
 * state_dirs - state_dir(), and the others that may hold records of the same user: a job does not
 * have the runtime directory of a login session, and a session may look for a job's containers.
 * A runtime directory that is not the session's own (/run/user/UID) stands alone.
 */
int state_dirs(struct arena *a, const char *xdg_runtime_dir, uid_t uid, struct strv *ret,
	       struct err *e);

/** state_dir_name - where state_dir() tries first, nothing is made or checked (--dry-run) */
const char *state_dir_name(struct arena *a, const char *xdg_runtime_dir, uid_t uid);

/** state_begin - reserve an id and its locked, empty file */
int state_begin(const struct state_home *home, struct state *st, int *ret_fd, struct err *e);

/** state_sweep - remove files of dead launchers: in each start, where it delays nobody */
void state_sweep(struct arena *a, const struct state_home *home, const struct state *own);

/**
 * state_publish - seal the record, and name it in the locked, empty file
 * Called when the payload is about to execute, which does not wait for it: a command may be seen
 * before its record is.  Nothing depends on the order but who looks for the record, and that waits
 * (state_find); nothing is unlocked or swept without one.
 */
int state_publish(struct arena *a, int fd, const struct state *st, const char *plan_json);

/** state_end - remove the record and release it */
void state_end(const struct state_home *home, const struct state *st, int fd);

/** state_list - the living ones in these directories, oldest first */
int state_list(struct arena *a, const struct strv *dirs, struct state **ret, size_t *ret_n,
	       struct err *e);

/**
 * state_find - one living container by id, unique id prefix, name, or step ("123.0")
 * While there are some that are just starting it is waited for, at most STATE_STARTING_MS.
 * Errors: ERR_TOPIC_NOT_FOUND; several are called that (their ids are in the message).
 */
int state_find(struct arena *a, const struct strv *dirs, const char *what, struct state *ret,
	       struct err *e);

/* ---- the container of a step -------------------------------------------------------------- */

/**
 * state_step_open - open or make STATE/steps/KEY and wait for its lock, without spinning
 * @key: ends in '-' and 16 hexadecimal digits
 * Files of steps without a living rank are removed when a new one is made.
 */
int state_step_open(struct arena *a, const char *dir, const char *key, int *ret_fd, struct err *e);

/**
 * state_step_ranks - the slots whose process is alive; frees the others
 * The first is the same process (pid and start time); of those behind it only the number is known
 * to be in use: to ask more of many would hold up the ranks that wait for the lock.
 */
int state_step_ranks(struct arena *a, int fd, struct sys_peer **ret, size_t *ret_n);

/** state_step_add - one more; works on the descriptor alone, wherever the root is now */
int state_step_add(int fd, const struct sys_peer *self);

/** state_step_publish - write STATE/steps/KEY.json, all of it or nothing */
int state_step_publish(const char *dir, const char *key, const struct state *st,
		       const char *plan_json);

/**
 * state_step_peers - the live ranks of a container of a step, for kill and exec
 * A rank that is about to execute its command is waited for, at most STATE_STARTING_MS: until it
 * has done so nobody can enter through it.
 */
int state_step_peers(struct arena *a, const struct state *st, struct sys_peer **ret, size_t *ret_n,
		     struct err *e);

#endif

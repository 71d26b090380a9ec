/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - perform a plan.  Nothing below src/run/ knows what was asked, only what is planned.
 */
#ifndef GPURUN_RUN_H
#define GPURUN_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <gpurun/err.h>
#include <gpurun/plan.h>
#include <gpurun/sys.h>

/**
 * struct run_hooks - what the caller wants to hear
 * @meanwhile: the container is being made by its first process: time for what has no haste.
 *	       Called in the launcher; may be NULL
 * @started: the payload is about to execute; @payload and @init are pids in the caller's PID
 *	     namespace (equal without a reaper).  Called in the launcher.
 */
struct run_hooks {
	void (*meanwhile)(void *arg);
	void (*started)(void *arg, pid_t payload, pid_t init);
	void *arg;
};

/**
 * run_plan - start the container, supervise it, clean up
 * @ret_status: exit status for our caller (the command's, or 128+n when it died of signal n)
 * Return: 0 when the command ran; -errno with @e filled when it did not (status 125, 126, 127
 * in @e); then nothing is left behind and the call may be repeated with another plan.
 */
int run_plan(const struct plan *p, const struct run_hooks *hooks, int *ret_status, struct err *e);

/**
 * run_exec - start one more process in a running container
 * @p: only p->process is performed
 * @target: a payload (never pid 1), with its start time as in struct state
 */
int run_exec(const struct plan *p, pid_t target, uint64_t target_start, int *ret_status,
	     struct err *e);

/**
 * struct run_share - how a rank finds the container of its step, and what it does there
 * @ranks: processes that may be inside, the one to try first in front
 * @lock:  descriptor of the step's locked file, close-on-exec, so that the lock is held until the
 *	   command runs; -1: the container is nobody else's
 * @made:  we have made the container; @first is a process that is in it and still ours.  Host
 *	   paths are what they were.
 * @inside: we are in it and about to execute; nothing but descriptors leads to the host any more
 * @container: how the label of this container begins; a rank that is in none of that label is not
 *	   entered through, whatever the slots say (run_peer_in)
 * @label: asked before the container is made: its whole label
 * Without process.exec both are called in the child that becomes the command.
 */
struct run_share {
	const struct sys_peer *ranks;
	size_t n_ranks;
	int lock;
	int (*made)(void *arg, const struct sys_peer *first, struct err *e);
	int (*inside)(void *arg, const struct sys_peer *self, bool made, struct err *e);
	const char *container;
	const char *(*label)(void *arg);
	void *arg;
};

/**
 * run_step - enter the container of a step, or make it first, and execute the command there
 * Joins the first of the ranks that is alive and the same (start time, namespaces); EPERM of one
 * that is alive means that it is about to execute: it is tried again for RUN_JOIN_SECONDS, a
 * second container is never made.  With process.exec it does not return when all goes well;
 * without, the command is a child and @ret_status, @ret_signal (0, or what it died of) are set.
 * @ret_inside: on failure: we are in the container already: print, and end with e->status
 */
#define RUN_JOIN_SECONDS 30
int run_step(const struct plan *p, const struct run_share *share, int *ret_status, int *ret_signal,
	     bool *ret_inside, struct err *e);

/** run_leaf_path - the cgroup below @cgroup that the container of this launcher has; or NULL */
const char *run_leaf_path(struct arena *a, const char *cgroup, pid_t launcher);

/** run_leaf_try - is a device filter to be had, as in the plan? It is made, read back and removed */
int run_leaf_try(const char *cgroup, bool devd, struct err *e);

/** run_leaf_prune - remove the cgroups that killed launchers of this user have left */
void run_leaf_prune(void);

/** run_devd_serve - gpurun devd: serve one connection */
int run_devd_serve(int sock, struct err *e);

/** run_peer - what identifies the process @pid now; -errno */
int run_peer(pid_t pid, struct sys_peer *ret);

/**
 * run_peer_in - is the process in a container of a step whose label begins so?
 * The kernel is asked, not the process: its user namespace is a child of ours, and the device of a
 * tmpfs that is mounted there has that name, which only the maker of the container could give.
 * Return: 1, 0 or -errno (EACCES, EPERM: it cannot be looked at, because it is about to execute)
 */
int run_peer_in(pid_t pid, const char *label);

/**
 * run_sealed - have this program run from a copy that nobody can write, if its file is the caller's
 * @argv, @env: what it is started with once more; what was done so far is done again
 * Does not return when it is copied; 0: it need not be, or is; -errno: it cannot be
 */
int run_sealed(const char *const *argv, char *const *env);

/** run_hands_on - does a launcher hand this signal on to its command? (SIGKILL, SIGABRT: no) */
bool run_hands_on(int sig);

/** run_pid_start - field 22 of /proc/PID/stat, 0 when there is no such process */
uint64_t run_pid_start(pid_t pid);

#endif

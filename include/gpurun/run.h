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

/**
 * struct run_hooks - what the caller wants to hear
 * @started: the payload is about to execute; @payload and @init are pids in the caller's PID
 *	     namespace (equal without a reaper).  Called in the launcher.
 */
struct run_hooks {
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

/** run_hands_on - does a launcher hand this signal on to its command? (SIGKILL, SIGABRT: no) */
bool run_hands_on(int sig);

/** run_pid_start - field 22 of /proc/PID/stat, 0 when there is no such process */
uint64_t run_pid_start(pid_t pid);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forked.h - a driver's library is loaded only by a child that is thrown away; private to
 * src/gpu/.
 *
 * Such a library starts threads, opens devices, runs nvidia-modprobe, prints, hangs on a broken
 * GPU, and now and then crashes.  The launcher must do none of these.
 */
#ifndef GPURUN_GPU_FORKED_H
#define GPURUN_GPU_FORKED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gpurun/err.h>

/**
 * struct forked - what the child shall do
 * @run:     writes its answer to the descriptor @out and returns
 * @seconds: of time, then it is killed
 * @caps:    capabilities (1 << CAP_*) that it keeps of those that we have
 */
struct forked {
	void (*run)(const void *arg, int out);
	const void *arg;
	unsigned int seconds;
	uint64_t caps;
};

/**
 * forked_run - call @f->run in a limited child and take its answer
 *
 * The child has an empty environment, "/" as its directory, /dev/null as stdin, stdout and
 * stderr, no descriptor of ours, a session of its own, default signals, no_new_privs and limits;
 * it dies with us.  It is gone when this returns, with all that it started in its session; only
 * one that the kernel itself holds (a GPU that is lost) is left to end when it can.
 * @answer, @max: whose bytes are not to be trusted
 * @ret_signal:   that the child died of, for -ECONNABORTED
 * Return: bytes of the answer; -ETIMEDOUT, -EMSGSIZE (more than @max bytes), -ECONNABORTED (died of
 * a signal), -EPROTO (ended without having returned), or -errno.
 */
ssize_t forked_run(const struct forked *f, void *answer, size_t max, int *ret_signal);

/** forked_say - those errors in words, about the library @path */
int forked_say(struct err *e, const char *path, const struct forked *f, ssize_t error, int sig);

#endif

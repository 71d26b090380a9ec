/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_file.h - the text of a record, and the walk over a directory of them.
 */
#ifndef GPURUN_STATE_FILE_H
#define GPURUN_STATE_FILE_H

#include <gpurun/state.h>

#define STATE_RECORD_MAX  (4U << 20) /* bytes of one record; a plan is some 30 KiB */
#define STATE_FILES_MAX   65536      /* names of one directory that are looked at */
#define STATE_WITNESS_MAX 64         /* three numbers */

/** state_id_valid - is this the name of a record (and no other file of the directory)? */
bool state_id_valid(const char *name);

/**
 * state_write - write a record into the empty file @fd: the members on the first line, the plan
 * behind "\n\"plan\":", so that the plan's own text is found again without being written anew
 */
int state_write(struct arena *a, int fd, const struct state *st, const char *plan_json);

/** state_parse - the opposite; @text is cut up by it; -errno for what is no record */
int state_parse(struct arena *a, char *text, struct state *ret);

/**
 * state_witness - the record that the process has which the file @file of a container names
 * Return: -EAGAIN: it is not published yet; -EPERM: there is no such witness; -errno
 */
int state_witness(struct arena *a, int file, struct state *ret);

struct state_vec {
	struct state *v;
	size_t n, cap;
	size_t starting; /* and so many more that are reserved */
};

/** state_step_list - add the living containers of steps below the state directory @dirfd */
int state_step_list(struct arena *a, int dirfd, struct state_vec *ret);

#endif

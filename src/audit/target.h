/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.h - where the lines of --audit go; private to src/audit/.
 */
#ifndef GPURUN_AUDIT_TARGET_H
#define GPURUN_AUDIT_TARGET_H

#include <gpurun/arena.h>
#include <gpurun/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct target_kind;

/* What a line is about, for targets that hold more than text: the journal's own fields. */
struct target_field {
	const char *key, *value; /* @value NULL: left out */
};

/**
 * struct target - an opened target
 * @offset:   of local time, seconds: what a line of syslog starts with.  Taken early, because
 *	      /etc/localtime is the image's in a container.
 * @root_dev, @root_ino: of "/" when it was opened: elsewhere no socket is connected again
 * @network:  a file on NFS, where appending is not one step
 */
struct target {
	const struct target_kind *kind;
	const char *name;
	int fd;
	long offset;
	dev_t root_dev;
	ino_t root_ino;
	bool network;
};

/** target_open - @text as in audit_open() */
int target_open(struct arena *a, const char *text, struct target *ret, struct err *e);

/**
 * target_write - one line
 * @line: its @len bytes, the last one a newline
 * Return: 0 or -errno.
 */
int target_write(struct arena *a, struct target *t, const char *line, size_t len,
		 const struct target_field *fields, size_t n_fields);

void target_close(struct target *t);

/** target_journal_text - the datagram for the journal (pure) */
const char *target_journal_text(struct arena *a, const char *line, size_t len,
				const struct target_field *fields, size_t n_fields,
				size_t *ret_len);

/** target_syslog_text - the same for syslog, a NUL behind it; @now: seconds of local time (pure) */
const char *target_syslog_text(struct arena *a, const char *line, size_t len, int64_t now,
			       pid_t pid, size_t *ret_len);

/** target_append - one line into the file @fd; @network: under a lock, for a while */
int target_append(int fd, bool network, const char *line, size_t len);

#endif

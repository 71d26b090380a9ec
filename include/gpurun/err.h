/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.h - the failure record.
 *
 * An error is born once, at the place that knows, with its object, its reason and (where there
 * is one) its remedy; it travels unchanged to whoever prints it.  The record is plain data
 * without pointers, so that it is also the wire format from the child to the launcher.
 */
#ifndef GPURUN_ERR_H
#define GPURUN_ERR_H

#include <stdint.h>

#define ERR_MSG_MAX  1536
#define ERR_HINT_MAX 512

/* What a caller may want to react to (everything else is only printed). */
enum err_topic {
	ERR_TOPIC_NONE = 0,
	ERR_TOPIC_OVERLAY,   /* the overlay root could not be mounted */
	ERR_TOPIC_PROC,      /* a fresh proc was refused by the kernel */
	ERR_TOPIC_NOT_FOUND, /* the named image or container does not exist */
	ERR_TOPIC_BUSY,      /* somebody holds the lock that was tried */
	ERR_TOPIC_DEVICES,   /* the device filter of a cgroup is not to be had */
};

/* Exit statuses of docker's convention. */
enum { EXIT_GPURUN = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

/**
 * struct err - one failure
 * @code:   errno value, 0 when there is none
 * @status: exit status that main returns, EXIT_GPURUN unless set otherwise
 * @topic:  enum err_topic
 * @msg:    "object: reason", without "gpurun:" and without a newline; empty: no error
 * @hint:   one command or sentence that fixes it, or empty
 */
struct err {
	int32_t code;
	int32_t status;
	uint32_t topic;
	char msg[ERR_MSG_MAX];
	char hint[ERR_HINT_MAX];
};

/**
 * err_set - fill a record; the text is complete, nothing is appended
 * @e:    record, may be NULL (then only the return value counts)
 * @code: errno value, 0 is taken for EINVAL in the return value
 * Return: -code, so that "return err_set(e, EINVAL, ...)" works.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** err_sys - as err_set(), with ": " and the text of @code appended */
int err_sys(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** err_hint - set the hint of a record that has a message; the first hint stays */
void err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** err_wrap - put "prefix: " in front of the message */
void err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** err_is_set - does the record hold an error? */
static inline int err_is_set(const struct err *e)
{
	return e && e->msg[0] != '\0';
}

/**
 * err_text - the text of an errno value, never translated, never allocated
 * (usable between clone3 and exec, where strerror is not)
 */
const char *err_text(int code);

#endif

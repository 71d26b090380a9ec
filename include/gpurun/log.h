/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - the only voice: everything that gpurun itself says goes to stderr through here.
 * Text: "gpurun: message" and at most one "hint: ..." line; JSON: one object a line.
 */
#ifndef GPURUN_LOG_H
#define GPURUN_LOG_H

#include <stdbool.h>

#include <gpurun/err.h>

enum log_color { LOG_COLOR_AUTO, LOG_COLOR_ALWAYS, LOG_COLOR_NEVER };

struct log_config {
	int verbose; /* 0, 1 (-v), 2 ... */
	bool quiet;  /* only errors */
	bool json;
	enum log_color color;
	bool no_color; /* NO_COLOR in the environment is set and not empty */
	bool dumb;     /* TERM in the environment is missing, empty or "dumb" */
};

void log_setup(const struct log_config *c);
int log_verbose(void);
bool log_quiet(void);

/** log_error - print a failure record (always) */
void log_error(const struct err *e);

/** log_warn, log_hint, log_note - unless quiet */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** log_debug - at --verbose given @level times or more */
void log_debug(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** log_progress - redraw one line on a terminal; NULL ends it; nothing elsewhere or when quiet */
void log_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** log_is_terminal - is stderr a terminal that progress may be drawn on? */
bool log_is_terminal(void);

#endif

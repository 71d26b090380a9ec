/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.h - a verb's answer: text for stdout, put together in memory and written at once, so
 * that a full disk or a closed pipe is an error and not half an answer.
 */
#ifndef GPURUN_CLI_ANSWER_H
#define GPURUN_CLI_ANSWER_H

#include <stdint.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>

struct answer {
	struct arena *a;
	char *buf;
	size_t len, cap;
};

void answer_add(struct answer *w, const char *text);
void answer_printf(struct answer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** answer_table - @n_cells cells in rows of @columns, the first row in capitals by the caller */
void answer_table(struct answer *w, const char *const *cells, size_t n_cells, size_t columns);

/** answer_write - to stdout */
int answer_write(const struct answer *w, struct err *e);

/** answer_plain - @s without control characters: names come from images and other programs */
const char *answer_plain(struct arena *a, const char *s);

/** answer_size - "1.5 GiB" */
const char *answer_size(struct arena *a, uint64_t bytes);

/** answer_age - "5 min" since @then (seconds since the epoch) */
const char *answer_age(struct arena *a, int64_t then);

#endif

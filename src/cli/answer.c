/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.c - put a verb's answer together and write it to stdout.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "answer.h"

#define TABLE_COLUMNS_MAX 16

void answer_add(struct answer *w, const char *text)
{
	size_t n = strlen(text);

	if (w->len + n + 1 > w->cap) {
		size_t cap = (w->len + n + 1) * 2;

		w->buf = arena_extend(w->a, w->buf, w->cap, cap);
		w->cap = cap;
	}
	memcpy(w->buf + w->len, text, n + 1);
	w->len += n;
}

void answer_printf(struct answer *w, const char *fmt, ...)
{
	va_list ap, again;
	char *text;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n >= 0) {
		text = arena_alloc(w->a, (size_t)n + 1);
		(void)vsnprintf(text, (size_t)n + 1, fmt, again);
		answer_add(w, text);
	}
	va_end(again);
}

/* Width on a terminal: bytes of UTF-8 that start a character. */
static int text_width(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void answer_table(struct answer *w, const char *const *cells, size_t n_cells, size_t columns)
{
	int widths[TABLE_COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < n_cells && columns <= TABLE_COLUMNS_MAX; i++) {
		int n = text_width(answer_plain(w->a, cells[i]));

		if (n > widths[i % columns])
			widths[i % columns] = n;
	}
	for (size_t i = 0; i < n_cells; i++) {
		const char *cell = answer_plain(w->a, cells[i]);

		if (i % columns == columns - 1)
			answer_printf(w, "%s\n", cell);
		else
			answer_printf(w, "%s%*s  ", cell, widths[i % columns] - text_width(cell),
				      "");
	}
}

int answer_write(const struct answer *w, struct err *e)
{
	int r = w->len ? fd_write_all(STDOUT_FILENO, w->buf, w->len) : 0;

	return r < 0 ? err_sys(e, -r, "standard output") : 0;
}

const char *answer_plain(struct arena *a, const char *s)
{
	char *plain = NULL;

	for (size_t i = 0; s[i]; i++) {
		if ((unsigned char)s[i] >= 0x20 && s[i] != 0x7f)
			continue;
		if (!plain)
			plain = arena_strdup(a, s);
		plain[i] = '?';
	}
	return plain ? plain : s;
}

const char *answer_size(struct arena *a, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	uint64_t tenths = bytes * 10;
	size_t u = 0;

	if (bytes > UINT64_MAX / 10)
		return "huge";
	while (tenths >= 10240 && u + 1 < ELEMENTS(units)) {
		tenths /= 1024;
		u++;
	}
	if (u == 0)
		return arena_printf(a, "%llu B", (unsigned long long)bytes);
	return arena_printf(a, "%llu.%llu %s", (unsigned long long)(tenths / 10),
			    (unsigned long long)(tenths % 10), units[u]);
}

const char *answer_age(struct arena *a, int64_t then)
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	int64_t age = (int64_t)time(NULL) - then;

	for (size_t i = 0; i < ELEMENTS(units); i++)
		if (age >= 2 * units[i].seconds || (units[i].seconds == 1 && age >= 0))
			return arena_printf(a, "%lld %s", (long long)(age / units[i].seconds),
					    units[i].unit);
	return "now";
}

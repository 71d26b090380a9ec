/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - a line of JSON in the words of the journal and of syslog (pure).
 */
#include "target.h"

#include <time.h>

#include <gpurun/str.h>

/* systemd's "Native Journal Protocol"; priority 6 is "informational" */
static const struct target_field journal_fixed[] = {
	{ "PRIORITY", "6" },
	{ "SYSLOG_IDENTIFIER", "gpurun" },
};

#define SIZE_BYTES 8

/*
 * KEY \n SIZE VALUE \n, the size as 64 bits in little-endian order: the form that takes any value,
 * also one with a newline in it.
 */
static char *put_field(char *to, const char *key, const char *value, size_t len)
{
	uint64_t size = len;

	to = mempcpy(to, key, strlen(key));
	*to++ = '\n';
	for (int i = 0; i < SIZE_BYTES; i++, size >>= 8)
		*to++ = (char)(unsigned char)(size & 0xff);
	to = mempcpy(to, value, len);
	*to++ = '\n';
	return to;
}

static size_t field_size(const char *key, size_t len)
{
	return strlen(key) + 1 + SIZE_BYTES + len + 1;
}

static size_t fields_size(const struct target_field *v, size_t n)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		if (v[i].value)
			size += field_size(v[i].key, strlen(v[i].value));
	return size;
}

static char *put_fields(char *to, const struct target_field *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].value)
			to = put_field(to, v[i].key, v[i].value, strlen(v[i].value));
	return to;
}

static size_t without_newline(const char *line, size_t len)
{
	return len && line[len - 1] == '\n' ? len - 1 : len;
}

const char *target_journal_text(struct arena *a, const char *line, size_t len,
				const struct target_field *fields, size_t n_fields, size_t *ret_len)
{
	const size_t n = without_newline(line, len);
	const size_t size = field_size("MESSAGE", n) +
			    fields_size(journal_fixed, ELEMENTS(journal_fixed)) +
			    fields_size(fields, n_fields);
	char *text = arena_alloc(a, size);
	char *to = put_field(text, "MESSAGE", line, n);

	to = put_fields(to, journal_fixed, ELEMENTS(journal_fixed));
	to = put_fields(to, fields, n_fields);
	*ret_len = (size_t)(to - text);
	return text;
}

/* RFC 3164, facility user, severity info: 1 * 8 + 6. */
const char *target_syslog_text(struct arena *a, const char *line, size_t len, int64_t now,
			       pid_t pid, size_t *ret_len)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	const time_t t = (time_t)now;
	struct tm tm = { .tm_mday = 1 };
	const char *text;

	(void)gmtime_r(&t, &tm); /* @now is local time already */
	text = arena_printf(a, "<14>%s %2d %02d:%02d:%02d gpurun[%d]: %.*s", months[tm.tm_mon],
			    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)pid,
			    (int)without_newline(line, len), line);
	*ret_len = strlen(text);
	return text;
}

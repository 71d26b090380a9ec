/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.c - filling the failure record.  Everything here may run between clone3 and exec: no
 * allocation, no lock, no translation; vsnprintf into the record is all that stdio gives.
 */
#include <gpurun/err.h>

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define ERR_CUT "..." /* the end of a text that did not fit */

/* Append formatted text at @at, marking the end when it does not fit; the new length. */
static __attribute__((format(printf, 4, 0))) size_t err_vput(char *buf, size_t size, size_t at,
							     const char *fmt, va_list ap)
{
	int n = vsnprintf(buf + at, size - at, fmt, ap);

	if (n < 0) {
		buf[at] = '\0';
		return at;
	}
	if ((size_t)n < size - at)
		return at + (size_t)n;
	memcpy(buf + size - sizeof(ERR_CUT), ERR_CUT, sizeof(ERR_CUT));
	return size - 1;
}

static __attribute__((format(printf, 4, 5))) size_t err_put(char *buf, size_t size, size_t at,
							    const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = err_vput(buf, size, at, fmt, ap);
	va_end(ap);
	return n;
}

/* A -errno that was passed as it came is taken for what was meant. */
static int err_code(int code)
{
	return code < 0 ? -code : code;
}

static void err_start(struct err *e, int code)
{
	e->code = code;
	e->status = EXIT_GPURUN;
	e->topic = ERR_TOPIC_NONE;
	e->msg[0] = '\0';
	e->hint[0] = '\0';
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	code = err_code(code);
	if (e) {
		err_start(e, code);
		va_start(ap, fmt);
		(void)err_vput(e->msg, sizeof(e->msg), 0, fmt, ap);
		va_end(ap);
	}
	return code ? -code : -EINVAL;
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	code = err_code(code);
	if (e) {
		err_start(e, code);
		va_start(ap, fmt);
		n = err_vput(e->msg, sizeof(e->msg), 0, fmt, ap);
		va_end(ap);
		(void)err_put(e->msg, sizeof(e->msg), n, ": %s", err_text(code));
	}
	return code ? -code : -EINVAL;
}

void err_hint(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!err_is_set(e) || e->hint[0])
		return;
	va_start(ap, fmt);
	(void)err_vput(e->hint, sizeof(e->hint), 0, fmt, ap);
	va_end(ap);
}

void err_wrap(struct err *e, const char *fmt, ...)
{
	char old[ERR_MSG_MAX];
	va_list ap;
	size_t n;

	if (!err_is_set(e))
		return;
	memcpy(old, e->msg, sizeof(old));
	va_start(ap, fmt);
	n = err_vput(e->msg, sizeof(e->msg), 0, fmt, ap);
	va_end(ap);
	(void)err_put(e->msg, sizeof(e->msg), n, ": %s", old);
}

/*
 * glibc's strerror translates and may allocate; strerrordesc_np (2.32) only looks up.  musl's
 * strerror is a look-up.  An older glibc keeps strerror, which is safe as long as the launcher
 * has a single thread: no lock can be held across clone3.
 */
#if !defined(__GLIBC__)
#define err_lookup strerror
#elif __GLIBC_PREREQ(2, 32)
#define err_lookup strerrordesc_np
#else
#define err_lookup strerror
#endif

const char *err_text(int code)
{
	const char *s = err_lookup(code);

	return s ? s : "Unknown error";
}

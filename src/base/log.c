/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - stderr and its manners.  One message is one write(2), so that the lines of many ranks
 * do not mix.  Messages quote image names, paths and environment of strangers: what could drive
 * a terminal is shown as \xNN.
 */
#include "utf8.h"

#include <gpurun/fd.h>
#include <gpurun/json.h>
#include <gpurun/log.h>
#include <gpurun/str.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define LOG_MSG_MAX    2048
#define LOG_LINE_MAX   12288               /* message and hint, every byte as \xNN */
#define LOG_JSON_LIMIT ((size_t)256 << 10) /* the same with JSON's escapes, grown by doubling */

#define LOG_ERASE "\r\033[K"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_NOTE, LOG_LEVEL_HINT, LOG_LEVEL_DEBUG };

static const struct log_style {
	const char *name;   /* in JSON */
	const char *prefix; /* in text */
	const char *color;
} log_styles[] = {
	[LOG_LEVEL_ERROR] = { "error", "gpurun:", "\033[1;31m" },
	[LOG_LEVEL_WARN] = { "warning", "gpurun:", "\033[1;33m" },
	[LOG_LEVEL_NOTE] = { "note", "gpurun:", "\033[1m" },
	[LOG_LEVEL_HINT] = { "hint", "hint:", "\033[36m" },
	[LOG_LEVEL_DEBUG] = { "debug", "gpurun:", "\033[2m" },
};

static struct log_state {
	struct log_config config;
	bool unseen; /* it has not been looked at what stderr is */
	bool color;
	bool terminal; /* progress may be drawn */
	bool drawn;    /* a progress line stands on the terminal */
} state;

void log_setup(const struct log_config *c)
{
	state.config = *c;
	state.unseen = true;
}

/* What stderr is, when there is something to say: most starts say nothing. */
static void look_at_stderr(void)
{
	const struct log_config *c = &state.config;
	int saved = errno;
	bool capable;

	if (!state.unseen)
		return;
	capable = !c->dumb && isatty(STDERR_FILENO);
	state.terminal = capable && !c->json && !c->quiet;
	state.color = c->color == LOG_COLOR_ALWAYS ||
		      (c->color == LOG_COLOR_AUTO && capable && !c->no_color);
	state.unseen = false;
	errno = saved;
}

int log_verbose(void)
{
	return state.config.verbose;
}

bool log_quiet(void)
{
	return state.config.quiet;
}

bool log_is_terminal(void)
{
	look_at_stderr();
	return state.terminal;
}

/* struct line - what one write(2) will say; text that does not fit is left out */
struct line {
	char buf[LOG_LINE_MAX];
	size_t len;
};

static void line_put(struct line *l, const char *s, size_t n)
{
	if (n > sizeof(l->buf) - l->len)
		return;
	memcpy(l->buf + l->len, s, n);
	l->len += n;
}

static void line_text(struct line *l, const char *s)
{
	line_put(l, s, strlen(s));
}

/* C0 (but the tab), DEL, C1 and what is not UTF-8 may not reach a terminal. */
static bool is_visible(const char *s, size_t n)
{
	unsigned char c = (unsigned char)s[0];

	if (n == 1)
		return c == '\t' || (c >= 0x20 && c != 0x7f);
	return n > 2 || (n == 2 && !(c == 0xc2 && (unsigned char)s[1] < 0xa0));
}

/* @s made visible, cut at @columns; every character is taken for one column wide. */
static void line_visible(struct line *l, const char *s, size_t columns)
{
	size_t left = strlen(s);

	while (left > 0) {
		size_t n = utf8_len(s, left);
		bool visible = is_visible(s, n);
		size_t width = visible ? 1 : 4;
		char hex[8];

		if (width > columns)
			return;
		if (visible) {
			line_put(l, s, n);
		} else {
			(void)snprintf(hex, sizeof(hex), "\\x%02x", (unsigned char)*s);
			line_text(l, hex);
			n = 1;
		}
		columns -= width;
		s += n;
		left -= n;
	}
}

static void line_styled(struct line *l, enum log_level level, const char *msg)
{
	const struct log_style *style = &log_styles[level];

	if (state.color)
		line_text(l, style->color);
	line_text(l, style->prefix);
	if (state.color)
		line_text(l, "\033[0m");
	line_text(l, " ");
	line_visible(l, msg, SIZE_MAX);
	line_text(l, "\n");
}

static void say_text(enum log_level level, const char *msg, const char *hint)
{
	struct line l;

	l.len = 0;
	look_at_stderr();
	if (state.drawn)
		line_text(&l, LOG_ERASE);
	state.drawn = false;
	line_styled(&l, level, msg);
	if (hint && *hint)
		line_styled(&l, LOG_LEVEL_HINT, hint);
	(void)fd_write_all(STDERR_FILENO, l.buf, l.len);
}

static void say_json(enum log_level level, const char *msg, const char *hint)
{
	_cleanup_arena_ struct arena *a = arena_new(LOG_JSON_LIMIT);
	struct jsonw w = { .a = a, .compact = true };
	const char *text;
	size_t n;

	jsonw_begin_object(&w, NULL);
	jsonw_str(&w, "level", log_styles[level].name);
	jsonw_str(&w, "msg", msg);
	if (hint && *hint)
		jsonw_str(&w, "hint", hint);
	jsonw_end_object(&w);
	text = jsonw_text(&w, &n);
	(void)fd_write_all(STDERR_FILENO, text, n);
}

static void say(enum log_level level, const char *msg, const char *hint)
{
	int saved = errno;

	if (state.config.json)
		say_json(level, msg, hint);
	else
		say_text(level, msg, hint);
	errno = saved;
}

static __attribute__((format(printf, 2, 0))) void vsay(enum log_level level, const char *fmt,
						       va_list ap)
{
	char msg[LOG_MSG_MAX];

	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	say(level, msg, NULL);
}

void log_error(const struct err *e)
{
	say(LOG_LEVEL_ERROR, err_is_set(e) ? e->msg : err_text(e->code), e->hint);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	if (state.config.quiet)
		return;
	va_start(ap, fmt);
	vsay(LOG_LEVEL_WARN, fmt, ap);
	va_end(ap);
}

void log_note(const char *fmt, ...)
{
	va_list ap;

	if (state.config.quiet)
		return;
	va_start(ap, fmt);
	vsay(LOG_LEVEL_NOTE, fmt, ap);
	va_end(ap);
}

void log_hint(const char *fmt, ...)
{
	va_list ap;

	if (state.config.quiet)
		return;
	va_start(ap, fmt);
	vsay(LOG_LEVEL_HINT, fmt, ap);
	va_end(ap);
}

void log_debug(int level, const char *fmt, ...)
{
	va_list ap;

	if (state.config.quiet || state.config.verbose < level)
		return;
	va_start(ap, fmt);
	vsay(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}

/* One column less than there are: a full line would wrap, and "\r" not come back to its start. */
static size_t terminal_columns(void)
{
	struct winsize ws;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_col < 2)
		return 79;
	return (size_t)ws.ws_col - 1;
}

void log_progress(const char *fmt, ...)
{
	char msg[LOG_MSG_MAX];
	struct line l;
	int saved = errno;
	va_list ap;

	if (!log_is_terminal() || (!fmt && !state.drawn))
		return;
	l.len = 0;
	line_text(&l, LOG_ERASE);
	if (fmt) {
		va_start(ap, fmt);
		(void)vsnprintf(msg, sizeof(msg), fmt, ap);
		va_end(ap);
		line_visible(&l, msg, terminal_columns());
	}
	state.drawn = fmt != NULL;
	(void)fd_write_all(STDERR_FILENO, l.buf, l.len);
	errno = saved;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* base/log: what reaches stderr, into a pipe and onto a terminal. */
#include "tap.h"

#include <gpurun/fd.h>
#include <gpurun/json.h>
#include <gpurun/log.h>
#include <gpurun/str.h>

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static char got[1 << 16];

static void read_all(int fd)
{
	size_t n = 0;
	ssize_t r;

	while ((r = read(fd, got + n, sizeof(got) - 1 - n)) > 0)
		n += (size_t)r;
	got[n] = '\0'; /* a terminal whose other side is closed ends in EIO */
}

/* @f, in a child whose stderr is @out; what it wrote, read from @in, in got. */
static void run_with(int in, int out, const struct log_config *c, void (*f)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)dup2(out, STDERR_FILENO);
		(void)close(out);
		if (c)
			log_setup(c);
		f();
		_exit(0);
	}
	(void)close(out);
	read_all(in);
	(void)close(in);
	(void)waitpid(pid, NULL, 0);
}

static void in_pipe(const struct log_config *c, void (*f)(void))
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		exit(1);
	run_with(p[0], p[1], c, f);
}

static void on_terminal(const struct log_config *c, unsigned short columns, void (*f)(void))
{
	struct winsize ws = { .ws_row = 24, .ws_col = columns };
	int in = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;
	int out;

	if (in < 0 || grantpt(in) < 0 || unlockpt(in) < 0)
		exit(1);
	out = open(ptsname(in), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (out < 0 || tcgetattr(out, &t) < 0)
		exit(1);
	t.c_oflag &= ~(tcflag_t)OPOST;
	(void)tcsetattr(out, TCSANOW, &t);
	(void)ioctl(out, TIOCSWINSZ, &ws);
	run_with(in, out, c, f);
}

static void say_everything(void)
{
	struct err e = { 0 };

	err_set(&e, ENOENT, "x.tar: not there");
	err_hint(&e, "ls");
	log_error(&e);
	log_warn("warn %d", 1);
	log_note("note");
	log_hint("hint");
	log_debug(1, "debug 1");
	log_debug(2, "debug 2");
	log_progress("progress");
	log_progress(NULL);
}

static void say_hostile(void)
{
	struct err e = { 0 };

	err_set(&e, EINVAL, "a\nb\r\033[2Jc\x7f\td\xc2\x9b\xc3\xa9\xff.");
	err_hint(&e, "x\ny");
	log_error(&e);
}

static void say_long(void)
{
	struct err e = { 0 };
	char text[8192];

	memset(text, 1, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&e, EINVAL, "%s", text);
	err_hint(&e, "%s", text);
	log_error(&e);
	log_note("%s", text);
}

static void say_code_only(void)
{
	struct err e = { .code = ENOSPC };

	log_error(&e);
}

static void draw(void)
{
	log_progress(NULL);
	log_progress("layer %d", 1);
	log_progress("layer %d of many, which is long", 2);
	log_note("note");
	log_progress("\xc3\xa9\xc3\xa9\xc3\xa9\033[2J");
	log_progress("0123456789abcdef\033[2J");
	log_progress(NULL);
	log_progress(NULL);
}

static void keep_errno(void)
{
	errno = ENOTTY;
	say_everything();
	if (errno != ENOTTY)
		log_note("errno was changed");
}

#define ERR   "gpurun: x.tar: not there\nhint: ls\n"
#define NOTES "gpurun: warn 1\ngpurun: note\nhint: hint\n"

static void test_text(void)
{
	static const struct log_config plain, quiet = { .quiet = true, .verbose = 2 },
					      v1 = { .verbose = 1 }, v2 = { .verbose = 2 };

	in_pipe(NULL, say_everything);
	is_str(got, ERR NOTES, "before log_setup");
	in_pipe(&plain, say_everything);
	is_str(got, ERR NOTES, "text");
	in_pipe(&v1, say_everything);
	is_str(got, ERR NOTES "gpurun: debug 1\n", "verbose");
	in_pipe(&v2, say_everything);
	is_str(got, ERR NOTES "gpurun: debug 1\ngpurun: debug 2\n", "twice verbose");
	in_pipe(&quiet, say_everything);
	is_str(got, ERR, "quiet: only the error, with its hint");
	in_pipe(&plain, say_code_only);
	is_str(got, "gpurun: No space left on device\n", "a record without a message");
	in_pipe(&plain, say_hostile);
	is_str(got,
	       "gpurun: a\\x0ab\\x0d\\x1b[2Jc\\x7f\td\\xc2\\x9b\xc3\xa9\\xff.\nhint: x\\x0ay\n",
	       "nothing drives the terminal");
	in_pipe(&plain, say_long);
	is_int(strlen(got),
	       strlen("gpurun: ...\nhint: ...\ngpurun: \n") +
		       4 * (ERR_MSG_MAX - 4 + ERR_HINT_MAX - 4 + 2047),
	       "long texts are cut where they are kept, not where they are printed");
	in_pipe(&plain, keep_errno);
	is_str(got, ERR NOTES, "errno is kept");
	log_setup(&v2);
	is_int(log_verbose(), 2, "log_verbose");
	ok(!log_quiet(), "not log_quiet");
	log_setup(&quiet);
	ok(log_quiet(), "log_quiet");
}

/* Every line of got is an object; the members of line @n as "level|msg|hint". */
static const char *json_line(struct arena *a, size_t n)
{
	struct strv lines = { 0 };
	const struct json *t;
	const char *hint;

	str_split(a, got, '\n', &lines);
	if (n + 1 >= lines.n || json_parse(a, lines.v[n], strlen(lines.v[n]), "line", &t, NULL) < 0)
		return NULL;
	hint = json_str(t, "hint");
	return arena_printf(a, "%s|%s|%s", json_str(t, "level"), json_str(t, "msg"),
			    hint ? hint : "-");
}

static void test_json(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	static const struct log_config json = { .json = true,
						.verbose = 1,
						.color = LOG_COLOR_ALWAYS };

	if (json_load(NULL) < 0) {
		skip("no library to read JSON with");
		return;
	}
	in_pipe(&json, say_everything);
	is_str(json_line(a, 0), "error|x.tar: not there|ls", "JSON: error");
	is_str(json_line(a, 1), "warning|warn 1|-", "JSON: warning");
	is_str(json_line(a, 2), "note|note|-", "JSON: note");
	is_str(json_line(a, 3), "hint|hint|-", "JSON: hint");
	is_str(json_line(a, 4), "debug|debug 1|-", "JSON: debug");
	is_str(json_line(a, 5), NULL, "JSON: no more");
	in_pipe(&json, say_hostile);
	is_str(json_line(a, 0), "error|a\nb\r\033[2Jc\x7f\td\xc2\x9b\xc3\xa9\xef\xbf\xbd.|x\ny",
	       "JSON: hostile");
	ok(!strchr(got, '\033'), "JSON: no escape as it was");
	in_pipe(&json, say_long);
	ok(json_line(a, 0) && json_line(a, 1), "JSON: long texts");
	on_terminal(&json, 80, draw);
	is_str(json_line(a, 0), "note|note|-", "JSON on a terminal: no progress line");
}

#define ERASE "\r\033[K"

static void test_terminal(void)
{
	static const struct log_config plain,
		never = { .color = LOG_COLOR_NEVER }, no_color = { .no_color = true },
		dumb = { .dumb = true }, quiet = { .quiet = true },
		always = { .color = LOG_COLOR_ALWAYS, .no_color = true };

	on_terminal(&never, 20, draw);
	is_str(got,
	       ERASE "layer 1" ERASE "layer 2 of many, wh" ERASE "gpurun: note\n" ERASE
		     "\xc3\xa9\xc3\xa9\xc3\xa9\\x1b[2J" ERASE "0123456789abcdef" ERASE,
	       "the progress line is redrawn, cut to the width, and gives way");
	on_terminal(&plain, 80, say_code_only);
	is_str(got, "\033[1;31mgpurun:\033[0m No space left on device\n", "colour");
	on_terminal(&no_color, 80, say_code_only);
	is_str(got, "gpurun: No space left on device\n", "NO_COLOR");
	on_terminal(&dumb, 80, draw);
	is_str(got, "gpurun: note\n", "a dumb terminal: no colour, no progress");
	on_terminal(&quiet, 80, draw);
	is_str(got, "", "quiet: no progress");
	in_pipe(&plain, draw);
	is_str(got, "gpurun: note\n", "a pipe: no colour, no progress");
	in_pipe(&always, say_code_only);
	is_str(got, "\033[1;31mgpurun:\033[0m No space left on device\n", "colour by order");
}

int main(void)
{
	test_text();
	test_json();
	test_terminal();
	return done_testing();
}

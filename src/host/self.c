/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who we are: by system calls on the machine, by the files of proc/self in a test's directory
 * (the kernel's own formats, so that a fixture can be copied from a real machine).
 */
#include <errno.h>
#include <limits.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "look.h"

/* Names in /proc/self/limits, in the kernel's order (fs/proc/base.c). */
static const struct limit_name {
	int resource;
	const char *name;
} limit_names[] = {
	{ RLIMIT_CPU, "Max cpu time" },
	{ RLIMIT_FSIZE, "Max file size" },
	{ RLIMIT_DATA, "Max data size" },
	{ RLIMIT_STACK, "Max stack size" },
	{ RLIMIT_CORE, "Max core file size" },
	{ RLIMIT_RSS, "Max resident set" },
	{ RLIMIT_NPROC, "Max processes" },
	{ RLIMIT_NOFILE, "Max open files" },
	{ RLIMIT_MEMLOCK, "Max locked memory" },
	{ RLIMIT_AS, "Max address space" },
	{ RLIMIT_LOCKS, "Max file locks" },
	{ RLIMIT_SIGPENDING, "Max pending signals" },
	{ RLIMIT_MSGQUEUE, "Max msgqueue size" },
	{ RLIMIT_NICE, "Max nice priority" },
	{ RLIMIT_RTPRIO, "Max realtime priority" },
	{ RLIMIT_RTTIME, "Max realtime timeout" },
};

/* In the background ("cmd &") a terminal is not to be had: SIGTTOU would stop us. */
static bool tty_is_ours(int fd)
{
	pid_t foreground;

	if (isatty(fd) != 1)
		return false;
	foreground = tcgetpgrp(fd);
	return foreground < 0 || foreground == getpgrp();
}

static int self_look_real(struct arena *a, const char *const *env, struct host *h)
{
	char cwd[PATH_MAX];

	h->uid = (uint32_t)getauxval(AT_EUID); /* nothing has changed them since the exec */
	h->gid = (uint32_t)getauxval(AT_EGID);
	h->environ = env;
	/* an unreachable directory is reported as "(unreachable)/..." */
	if (getcwd(cwd, sizeof(cwd)) && cwd[0] == '/')
		h->cwd = arena_strdup(a, cwd);
	h->stdin_tty = tty_is_ours(STDIN_FILENO);
	h->stdout_tty = isatty(STDOUT_FILENO) == 1;
	return 0;
}

/* The word at *@s (NUL-terminated in the arena), *@s behind it. */
static const char *self_word(struct arena *a, const char **s)
{
	const char *word = *s + strspn(*s, " \t");
	size_t n = strcspn(word, " \t\n");

	*s = word + n;
	return arena_strndup(a, word, n);
}

static rlim_t self_limit(const char *word)
{
	uint64_t v;

	return num_u64(word, RLIM_INFINITY, &v) == 0 ? (rlim_t)v : RLIM_INFINITY;
}

/* Limits by the text of /proc/self/limits; a limit without a line is unlimited. */
static void limits_of_text(struct arena *a, const char *text, struct host *h)
{
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");

		for (size_t i = 0; i < ELEMENTS(limit_names); i++) {
			const char *s = str_after(line, limit_names[i].name);
			struct rlimit *l = &h->rlimits[limit_names[i].resource];

			if (!s || (*s != ' ' && *s != '\t'))
				continue;
			l->rlim_cur = self_limit(self_word(a, &s));
			l->rlim_max = self_limit(self_word(a, &s));
		}
		line += n + (line[n] == '\n');
	}
}

void host_limits(struct arena *a, const struct sysroot *root, struct host *h)
{
	char *text;

	if (!look_is_real(root)) {
		if (look_text(a, root, "/proc/self/limits", HOST_TEXT_MAX, &text, NULL) == 0)
			limits_of_text(a, text, h);
		return;
	}
	for (int i = 0; i < RLIM_NLIMITS; i++)
		/* glibc and musl do not agree on the type of a resource */
		if (syscall(SYS_prlimit64, 0, i, NULL, &h->rlimits[i]) < 0)
			h->rlimits[i] = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
}

/* The effective id (second number) of a line "Uid:\t1000\t1000\t1000\t1000". */
static int self_id(struct arena *a, const char *status, const char *key, uint32_t *ret)
{
	const char *s = look_value(a, status, key, ':');
	uint64_t v;

	if (!s)
		return -EINVAL;
	self_word(a, &s);
	if (num_u64(self_word(a, &s), UINT32_MAX, &v) < 0)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

/* NUL-separated text as an environment. */
static const char *const *self_environ(struct arena *a, const char *text, size_t len)
{
	struct strv vars = { 0 };

	for (size_t i = 0; i < len; i += strlen(text + i) + 1)
		if (text[i])
			strv_push(a, &vars, text + i);
	if (!vars.v)
		return ARENA_ARRAY(a, const char *, 1);
	return vars.v;
}

static int self_look_test(struct arena *a, const struct sysroot *root, const char *const *env,
			  struct host *h, struct err *e)
{
	_cleanup_fd_ int self = root_open(root->fd, "/proc/self", O_PATH | O_DIRECTORY, 0);
	char cwd[PATH_MAX];
	char *text;
	size_t len;
	ssize_t n;

	if (look_text(a, root, "/proc/self/status", HOST_TEXT_MAX, &text, NULL) < 0 ||
	    self_id(a, text, "Uid", &h->uid) < 0 || self_id(a, text, "Gid", &h->gid) < 0)
		return err_set(e, EINVAL, "%s/proc/self/status: no lines Uid and Gid", root->label);
	h->environ = env;
	if (look_text(a, root, "/proc/self/environ", HOST_ENVIRON_MAX, &text, &len) == 0)
		h->environ = self_environ(a, text, len);
	n = self < 0 ? -1 : readlinkat(self, "cwd", cwd, sizeof(cwd));
	if (n > 0 && (size_t)n < sizeof(cwd) && cwd[0] == '/')
		h->cwd = arena_strndup(a, cwd, (size_t)n);
	return 0;
}

/* Its name in the host's devpts, where stdin is a terminal. */
static void self_terminal(struct arena *a, const struct sysroot *root, struct host *h)
{
	_cleanup_fd_ int fds = -1;
	char name[64];
	ssize_t n;

	if (!h->stdin_tty)
		return;
	fds = root_open(root->fd, "/proc/self/fd", O_PATH | O_DIRECTORY, 0);
	n = fds < 0 ? -1 : readlinkat(fds, "0", name, sizeof(name));
	if (n <= 0 || (size_t)n >= sizeof(name))
		return;
	h->terminal = arena_strndup(a, name, (size_t)n);
	if (!path_below(h->terminal, "/dev/pts"))
		h->terminal = NULL;
}

int self_look(struct arena *a, const struct sysroot *root, const char *const *env, struct host *h,
	      struct err *e)
{
	int r = look_is_real(root) ? self_look_real(a, env, h) : self_look_test(a, root, env, h, e);

	for (size_t i = 0; i < RLIM_NLIMITS; i++)
		h->rlimits[i] = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	if (r >= 0)
		self_terminal(a, root, h);
	return r;
}

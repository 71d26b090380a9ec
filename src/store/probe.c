/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c - can layers in this store be the lower directories of a rootless overlay?
 *
 * Only a real mount knows (Lustre refuses, GPFS mounts and then fails, old tmpfs lacks user
 * attributes): a child in namespaces of its own stacks two small layers, one with a whiteout
 * and an opaque directory, and looks at the outcome.  The answer is kept per device and kernel
 * release.
 */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "tree.h"
#include "userns.h"

#define PROBE_TEXT_MAX 256
#define PROBE_CONTENT  "seen through the overlay\n"

/* How the child ends. */
enum { PROBE_YES, PROBE_NO, PROBE_NO_NAMESPACE };

/* The bottom has files to be hidden and one to be seen, the top hides them. */
static bool build_layers(void)
{
	static const char *const dirs[] = { "bottom", "bottom/open", "bottom/opaque",
					    "top",    "top/open",    "top/opaque",
					    "m" };
	static const char *const files[] = { "bottom/open/hidden", "bottom/opaque/hidden",
					     "bottom/open/shown" };

	for (size_t i = 0; i < ELEMENTS(dirs); i++) {
		if (mkdir(dirs[i], 0700) < 0)
			return false;
	}
	for (size_t i = 0; i < ELEMENTS(files); i++) {
		_cleanup_fd_ int fd = open(files[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd < 0 || fd_write_all(fd, PROBE_CONTENT, strlen(PROBE_CONTENT)) < 0)
			return false;
	}
	return mknod("top/open/hidden", S_IFCHR, 0) == 0 &&
	       setxattr("top/opaque", TREE_OPAQUE, "y", 1, 0) == 0;
}

static bool looks_right(void)
{
	_cleanup_fd_ int fd = open("m/open/shown", O_RDONLY | O_CLOEXEC);
	char text[sizeof(PROBE_CONTENT)];
	struct stat st;

	return stat("m/open/hidden", &st) < 0 && errno == ENOENT &&
	       stat("m/opaque/hidden", &st) < 0 && errno == ENOENT && fd >= 0 &&
	       fd_read_up_to(fd, text, sizeof(text)) == (ssize_t)strlen(PROBE_CONTENT);
}

static int probe_child(int dir)
{
	if (userns_enter(dir) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return PROBE_NO_NAMESPACE;
	if (!build_layers() ||
	    mount("overlay", "m", "overlay", MS_RDONLY, "lowerdir=top:bottom,userxattr") < 0)
		return PROBE_NO;
	return looks_right() ? PROBE_YES : PROBE_NO;
}

static int probe_run(const struct place *p)
{
	_cleanup_fd_ int tmp = openat(p->fd, STORE_TMP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stage st = { .fd = -1, .lock = -1 };
	int status = 0;
	pid_t pid;

	if (tmp < 0 || stage_begin(tmp, "probe.", &st) < 0)
		return PROBE_NO_NAMESPACE;
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(probe_child(st.fd));
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	stage_end(&st);
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : PROBE_NO_NAMESPACE;
}

/* "DEVICE RELEASE " in front of the answer */
static void probe_key(const struct place *p, char *buf, size_t size)
{
	struct utsname u;

	(void)snprintf(buf, size, "%jx %.64s ", (uintmax_t)p->dev, uname(&u) < 0 ? "" : u.release);
}

/*
 * Can tmpfs hold user.* attributes (since 6.6)?  Without them an overlay whose upper is on
 * tmpfs answers EIO where a directory is made in the place of a removed one (6.1).
 */
static bool tmpfs_takes_xattrs(void)
{
	_cleanup_fd_ int fd = memfd_create("gpurun-probe", MFD_CLOEXEC);

	return fd < 0 || fsetxattr(fd, TREE_OPAQUE, "y", 1, 0) == 0 || errno != EOPNOTSUPP;
}

/* The answers: an overlay here, and its upper in memory. */
static const struct answer_row {
	const char *text;
	bool overlay, memory;
} answers[] = {
	{ "yes memory", true, true },
	{ "yes disk", true, false },
	{ "no memory", false, true },
	{ "no disk", false, false },
};

/* The text is that of a symbolic link: one call reads it, and it is never half written. */
static bool probe_cached(struct store *s, const char *key)
{
	char text[PROBE_TEXT_MAX];
	ssize_t n = readlinkat(s->own.fd, STORE_PROBE, text, sizeof(text) - 1);
	const char *answer;

	if (n < 0)
		return false;
	text[n] = '\0';
	answer = str_after(text, key);
	for (size_t i = 0; answer && i < ELEMENTS(answers); i++) {
		if (!str_eq(answer, answers[i].text))
			continue;
		s->overlay = answers[i].overlay;
		s->memory = answers[i].memory;
		return true;
	}
	return false;
}

static void probe_remember(const struct store *s, const char *key)
{
	char text[PROBE_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "%s%s %s", key, s->overlay ? "yes" : "no",
		       s->memory ? "memory" : "disk");
	(void)link_point(s->own.fd, STORE_PROBE, text);
}

bool store_overlay(struct store *s)
{
	char key[PROBE_TEXT_MAX / 2];
	int answer;

	if (s->overlay >= 0)
		return s->overlay;
	probe_key(&s->own, key, sizeof(key));
	if (probe_cached(s, key))
		return s->overlay;
	answer = probe_run(&s->own);
	s->overlay = answer == PROBE_YES;
	s->memory = tmpfs_takes_xattrs();
	/* without namespaces nothing was learnt about the file system */
	if (answer == PROBE_YES || answer == PROBE_NO)
		probe_remember(s, key);
	return s->overlay;
}

bool store_overlay_in_memory(struct store *s)
{
	(void)store_overlay(s);
	return s->memory;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.c - files and directories that hold images.
 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "seen.h"

static int absolute(struct arena *a, const char *path, const char **ret, struct err *e)
{
	char cwd[PATH_MAX];

	*ret = path;
	if (*path == '/')
		return 0;
	if (!getcwd(cwd, sizeof(cwd)))
		return err_sys(e, errno, "%s: the current directory", path);
	*ret = arena_printf(a, "%s/%s", cwd, path);
	return 0;
}

/* A layout has both files; index.json is the one that changes with the images in it. */
static int look_directory(struct arena *a, const struct image_ref *ref, struct source *s,
			  struct err *e)
{
	struct stat marker;
	bool layout = ref->transport != IMAGE_DIR &&
		      stat(arena_printf(a, "%s/oci-layout", s->path), &marker) == 0 &&
		      stat(arena_printf(a, "%s/index.json", s->path), &s->st) == 0;

	if (!layout && ref->transport == IMAGE_OCI)
		return err_set(e, EINVAL, "%s: no OCI layout: oci-layout or index.json is missing",
			       ref->text);
	if (!layout && ref->transport != IMAGE_DIR && ref->transport != IMAGE_AUTO)
		return err_set(e, EISDIR, "%s: a directory, an archive was expected", ref->text);
	s->kind = layout ? SOURCE_LAYOUT : SOURCE_ROOT;
	return 0;
}

int source_look(struct arena *a, const struct image_ref *ref, struct source *ret, struct err *e)
{
	struct source s = { .kind = SOURCE_NONE };
	int r;

	*ret = s;
	if (!ref->path)
		return 0;
	r = absolute(a, ref->path, &s.path, e);
	if (r < 0)
		return r;
	if (stat(s.path, &s.st) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return err_sys(e, errno, "%s", ref->text);
	}
	if (S_ISDIR(s.st.st_mode))
		r = look_directory(a, ref, &s, e);
	else if (!S_ISREG(s.st.st_mode))
		r = err_set(e, EINVAL, "%s: neither a file nor a directory", ref->text);
	else if (ref->transport == IMAGE_DIR || ref->transport == IMAGE_OCI)
		r = err_set(e, ENOTDIR, "%s: a file, a directory was expected", ref->text);
	else
		s.kind = SOURCE_FILE;
	if (r == 0)
		*ret = s;
	return r;
}

static int source_stat(const struct source *s, int fd, struct stat *ret)
{
	if (s->kind == SOURCE_LAYOUT)
		return fstatat(fd, "index.json", ret, 0) < 0 ? -errno : 0;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

int source_open(struct source *s, struct err *e)
{
	int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	_cleanup_fd_ int fd = open(s->path, s->kind == SOURCE_LAYOUT ? flags | O_DIRECTORY : flags);
	int r = fd < 0 ? -errno : source_stat(s, fd, &s->st);

	if (r < 0)
		return err_sys(e, -r, "%s", s->path);
	if (!S_ISREG(s->st.st_mode))
		return err_set(e, EINVAL, "%s: no regular file any more", s->path);
	return fd_take(&fd);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool source_changed(const struct source *s, int fd)
{
	struct stat now;

	return source_stat(s, fd, &now) < 0 || now.st_ino != s->st.st_ino ||
	       now.st_size != s->st.st_size || !same_time(&now.st_mtim, &s->st.st_mtim) ||
	       !same_time(&now.st_ctim, &s->st.st_ctim);
}

void source_key(const struct source *s, const struct image_ref *ref, const char *arch, bool flat,
		char ret[SOURCE_KEY_MAX])
{
	static const uint64_t key[2] = { 0x6770757275, 0x6e6b6579 }; /* not a secret */
	const struct stat *st = &s->st;
	uint64_t wanted = siphash(key, arch, strlen(arch));

	if (ref->tag)
		wanted = siphash((const uint64_t[2]){ wanted, key[1] }, ref->tag, strlen(ref->tag));
	(void)snprintf(ret, SOURCE_KEY_MAX, "%jx-%jx-%jx-%jx.%lx-%jx.%lx-%d.%016jx%s",
		       (uintmax_t)st->st_dev, (uintmax_t)st->st_ino, (uintmax_t)st->st_size,
		       (uintmax_t)st->st_mtim.tv_sec, (unsigned long)st->st_mtim.tv_nsec,
		       (uintmax_t)st->st_ctim.tv_sec, (unsigned long)st->st_ctim.tv_nsec,
		       (int)ref->transport, (uintmax_t)wanted, flat ? ".flat" : "");
}

/* Milliseconds since the ctime, by the clock that stamps it (a local one, we assume). */
static int64_t age_ms(const struct stat *st)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return 0;
	return (int64_t)(now.tv_sec - st->st_ctim.tv_sec) * 1000 +
	       (now.tv_nsec - st->st_ctim.tv_nsec) / 1000000;
}

bool source_settle(const struct source *s)
{
	int64_t age = age_ms(&s->st);
	struct timespec wait;

	if (age >= SOURCE_SETTLE_MS)
		return true;
	if (age < 0)
		return false; /* stamped by another machine's clock, or ours was set back */
	wait = (struct timespec){ .tv_nsec = (SOURCE_SETTLE_MS + 10 - age) * 1000000L };
	(void)nanosleep(&wait, NULL);
	return age_ms(&s->st) >= SOURCE_SETTLE_MS;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * witness.c - what a record is believed by.
 *
 * The files of a state directory are the user's, and so is every process in his containers.  One
 * of them that reaches the directory (by -v, --ipc host, a second mount of the same file system)
 * can write any file there and hold any lock: a directory that is covered in the container helps
 * where it is the right one, and proves nothing.  So a file there holds no record.  It says whose
 * memory does, and three things are asked of the kernel before that memory is read:
 *
 *	- the process is in our own user namespace: nothing in a container is, or gets there;
 *	- it is the one that took the lock on the file, and holds it still;
 *	- what it has under the number that the file names is memory that was sealed: nobody has
 *	  written it since the launcher did.
 *
 * A forged file may therefore name a launcher, but only with the record that is that launcher's,
 * whose id is another file's name.  It is opened by way of the directory of one process, so all
 * of this is about that process, however soon its number is used again.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "state_file.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define SEALS      (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define FDINFO_MAX 4096

struct witness {
	uint64_t pid, lock, memory; /* the last two are descriptors of its */
};

static int memory_open(void)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("gpurun-record", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("gpurun-record", flags);
	return fd < 0 ? -errno : fd;
}

int state_publish(struct arena *a, int fd, const struct state *st, const char *plan_json)
{
	_cleanup_fd_ int memory = memory_open();
	char text[STATE_WITNESS_MAX];
	int n, r = memory < 0 ? memory : state_write(a, memory, st, plan_json);

	if (r >= 0 && fcntl(memory, F_ADD_SEALS, SEALS) < 0)
		r = -errno;
	if (r < 0)
		return r;
	n = snprintf(text, sizeof(text), "%d %d %d\n", st->launcher, fd, memory);
	r = fd_write_all(fd, text, (size_t)n);
	if (r >= 0)
		(void)fd_take(&memory); /* as long as this process lives */
	return r;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_outside(int proc)
{
	struct stat theirs, ours;

	return fstatat(proc, "ns/user", &theirs, 0) == 0 &&
	       stat("/proc/self/ns/user", &ours) == 0 && is_same_file(&theirs, &ours);
}

/* Has it the file open as this descriptor, and with it a lock that itself has taken? */
static bool holds_lock(struct arena *a, int proc, const struct witness *w, int file)
{
	const char *name = arena_printf(a, "fd/%u", (unsigned int)w->lock);
	const char *info = arena_printf(a, "fdinfo/%u", (unsigned int)w->lock);
	struct stat theirs, st;
	char *text = NULL;

	return fstatat(proc, name, &theirs, 0) == 0 && fstat(file, &st) == 0 &&
	       is_same_file(&theirs, &st) &&
	       file_read_text(proc, info, a, FDINFO_MAX, &text, NULL) >= 0 &&
	       strstr(text, arena_printf(a, " FLOCK  ADVISORY  WRITE %u ", (unsigned int)w->pid));
}

static bool is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS;
}

static int witness_parse(struct arena *a, const char *text, struct witness *ret)
{
	struct strv words = { 0 };
	size_t n = strlen(text);

	if (n == 0)
		return -EAGAIN;
	if (text[n - 1] != '\n')
		return -EINVAL;
	str_split(a, arena_strndup(a, text, n - 1), ' ', &words);
	if (words.n != 3 || num_u64(words.v[0], INT_MAX, &ret->pid) < 0 ||
	    num_u64(words.v[1], INT_MAX, &ret->lock) < 0 ||
	    num_u64(words.v[2], INT_MAX, &ret->memory) < 0)
		return -EINVAL;
	return 0;
}

int state_witness(struct arena *a, int file, struct state *ret)
{
	_cleanup_fd_ int proc = -1, memory = -1;
	struct witness w = { 0 };
	char *text = NULL;
	int r = fd_read_text(file, a, STATE_WITNESS_MAX, &text, NULL);

	if (r >= 0)
		r = witness_parse(a, text, &w);
	if (r < 0)
		return r;
	proc = open(arena_printf(a, "/proc/%u", (unsigned int)w.pid),
		    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0 || !is_outside(proc) || !holds_lock(a, proc, &w, file))
		return -EPERM;
	memory = openat(proc, arena_printf(a, "fd/%u", (unsigned int)w.memory),
			O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (memory < 0 || !is_sealed(memory))
		return -EPERM;
	r = fd_read_text(memory, a, STATE_RECORD_MAX, &text, NULL);
	if (r >= 0)
		r = state_parse(a, text, ret);
	return r >= 0 && ret->launcher != (pid_t)w.pid ? -EPERM : r;
}

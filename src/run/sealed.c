// SPDX-License-Identifier: Apache-2.0
/*
 * sealed.c - run from a copy that nobody can write.
 *
 * Until its command runs, a process inside is gpurun: an image whose command, or the interpreter of
 * whose script, is /proc/self/exe runs our file under a loader of its own, keeps it open, and writes
 * to it when no gpurun runs any more (CVE-2019-5736).  Landlock forbids that where there is one; a
 * file that is not the caller's has its mode.  For what is left, gpurun in somebody's own directory,
 * the file is copied to memory, sealed and executed from there, before anything is done.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/run.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static bool is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS;
}

/* Who owns a file can give himself the right to write it. */
static bool is_callers(int fd, const struct stat *st)
{
	return st->st_uid == geteuid() || faccessat(fd, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) == 0;
}

static int memory_open(void)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("gpurun", flags | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("gpurun", flags);
	return fd < 0 ? -errno : fd;
}

static int copy(int to, int from, off_t size)
{
	off_t done = 0;

	while (done < size) {
		ssize_t n = sendfile(to, from, &done, (size_t)(size - done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EIO;
	}
	return fcntl(to, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

int run_sealed(const char *const *argv, char *const *env)
{
	_cleanup_fd_ int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), memory = -1;
	struct stat st;
	int r;

	if (self < 0 || fstat(self, &st) < 0)
		return -errno;
	if (is_sealed(self)) {
		/* what was executed by a descriptor is called by its number */
		(void)prctl(PR_SET_NAME, "gpurun", 0, 0, 0);
		return 0;
	}
	if (!is_callers(self, &st))
		return 0;
	memory = memory_open();
	if (memory < 0)
		return memory;
	r = copy(memory, self, st.st_size);
	if (r < 0)
		return r;
	(void)syscall(SYS_execveat, memory, "", argv, env, AT_EMPTY_PATH);
	return -errno;
}

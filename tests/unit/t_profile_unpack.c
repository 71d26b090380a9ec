/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the unpack worker does, behind its filter: libarchive reads a tar in every compression
 * from memory, a file is written below a directory, a thread runs.
 */
#include <gpurun/profile.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <linux/filter.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tap.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/lib.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#define DATA_SIZE (3U << 20)
#define TAR_MAX   (8U << 20)

#define ARCHIVE_FUNCS(X)                                                                           \
	X(archive_write_new)                                                                       \
	X(archive_write_set_format_pax)                                                            \
	X(archive_write_add_filter)                                                                \
	X(archive_write_open_memory)                                                               \
	X(archive_write_header)                                                                    \
	X(archive_write_data)                                                                      \
	X(archive_write_free)                                                                      \
	X(archive_entry_new)                                                                       \
	X(archive_entry_set_pathname)                                                              \
	X(archive_entry_set_filetype)                                                              \
	X(archive_entry_set_perm)                                                                  \
	X(archive_entry_set_size)                                                                  \
	X(archive_entry_free)                                                                      \
	X(archive_read_new)                                                                        \
	X(archive_read_support_filter_all)                                                         \
	X(archive_read_support_format_tar)                                                         \
	X(archive_read_open_memory)                                                                \
	X(archive_read_next_header)                                                                \
	X(archive_read_data)                                                                       \
	X(archive_read_free)

struct archive_api {
	ARCHIVE_FUNCS(LIB_POINTER)
};
#define ENTRY(f) LIB_ENTRY(archive_api, f)
static const struct lib_func funcs[] = { ARCHIVE_FUNCS(ENTRY) };

static struct archive_api api;
static unsigned char data[DATA_SIZE], tar[TAR_MAX], back[DATA_SIZE];

static const struct {
	const char *name;
	int filter;
} filters[] = {
	{ "none", ARCHIVE_FILTER_NONE },   { "gzip", ARCHIVE_FILTER_GZIP },
	{ "bzip2", ARCHIVE_FILTER_BZIP2 }, { "xz", ARCHIVE_FILTER_XZ },
	{ "zstd", ARCHIVE_FILTER_ZSTD },   { "lz4", ARCHIVE_FILTER_LZ4 },
};

/* A tar of one file of pseudo-random text; its size, 0 when this libarchive cannot. */
static size_t make_tar(int filter)
{
	struct archive *w = api.archive_write_new();
	struct archive_entry *e = api.archive_entry_new();
	size_t used = 0;
	bool good;

	api.archive_entry_set_pathname(e, "file");
	api.archive_entry_set_filetype(e, S_IFREG);
	api.archive_entry_set_perm(e, 0644);
	api.archive_entry_set_size(e, DATA_SIZE);
	good = api.archive_write_set_format_pax(w) == ARCHIVE_OK &&
	       api.archive_write_add_filter(w, filter) == ARCHIVE_OK &&
	       api.archive_write_open_memory(w, tar, sizeof(tar), &used) == ARCHIVE_OK &&
	       api.archive_write_header(w, e) == ARCHIVE_OK &&
	       api.archive_write_data(w, data, DATA_SIZE) == (la_ssize_t)DATA_SIZE;
	api.archive_entry_free(e);
	api.archive_write_free(w);
	return good ? used : 0;
}

/* 0 when the file comes out as it went in */
static int read_tar(size_t size)
{
	struct archive *r = api.archive_read_new();
	struct archive_entry *e = NULL;
	bool good;

	good = api.archive_read_support_filter_all(r) >= ARCHIVE_WARN &&
	       api.archive_read_support_format_tar(r) == ARCHIVE_OK &&
	       api.archive_read_open_memory(r, tar, size) == ARCHIVE_OK &&
	       api.archive_read_next_header(r, &e) == ARCHIVE_OK &&
	       api.archive_read_data(r, back, DATA_SIZE) == (la_ssize_t)DATA_SIZE &&
	       memcmp(data, back, DATA_SIZE) == 0;
	api.archive_read_free(r);
	return good ? 0 : 1;
}

static void *thread_main(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static int run_thread(size_t unused)
{
	pthread_t t;
	int ran = 0;

	(void)unused;
	return pthread_create(&t, NULL, thread_main, &ran) || pthread_join(t, NULL) || !ran;
}

/* The directory that the child fills; opened before the filter is there. */
static int dir_fd = -1;

static int make_files(size_t unused)
{
	const struct timespec times[2] = { { 1, 0 }, { 2, 0 } };
	struct open_how how = { .flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
				.mode = 0600,
				.resolve = RESOLVE_IN_ROOT };
	int fd = sys_openat2(dir_fd, "f", &how);

	(void)unused;
	if (fd < 0 || fd_write_all(fd, "text", 4) < 0 || ftruncate(fd, 100) < 0 ||
	    fchmod(fd, 0640) < 0 || futimens(fd, times) < 0 || close(fd) < 0)
		return 1;
	if (mkdirat(dir_fd, "d", 0700) < 0 || linkat(dir_fd, "f", dir_fd, "d/f", 0) < 0 ||
	    symlinkat("f", dir_fd, "l") < 0 || mknodat(dir_fd, "p", S_IFIFO | 0600, 0) < 0 ||
	    renameat2(dir_fd, "l", dir_fd, "d/l", RENAME_NOREPLACE) < 0 ||
	    utimensat(dir_fd, "d/l", times, AT_SYMLINK_NOFOLLOW) < 0)
		return 2;
	if (unlinkat(dir_fd, "f", 0) < 0 || unlinkat(dir_fd, "d/f", 0) < 0 ||
	    unlinkat(dir_fd, "d/l", 0) < 0 || unlinkat(dir_fd, "p", 0) < 0 ||
	    unlinkat(dir_fd, "d", AT_REMOVEDIR) < 0)
		return 3;
	return 0;
}

static int behind(int (*work)(size_t), size_t arg)
{
	struct profile p = profile_builtin(PROFILE_UNPACK);
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    sys_seccomp_filter(p.prog, p.len) < 0)
			_exit(254);
		_exit(work(arg));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -status;
	return WEXITSTATUS(status);
}

int main(void)
{
	char dir[] = "/tmp/t_profile_unpack.XXXXXX";
	struct err e = { 0 };
	uint32_t x = 1;

	for (size_t i = 0; i < DATA_SIZE; i++) {
		x = x * 1103515245U + 12345U;
		data[i] = (unsigned char)('a' + (x >> 16) % 26);
	}
	is_int(behind(run_thread, 0), 0, "a thread");
	dir_fd = mkdtemp(dir) ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	is_int(behind(make_files, 0), 0, "files, links and pipes below a directory");
	is_int(rmdir(dir), 0, "nothing is left");
	if (lib_load("libarchive.so.13", "libarchive13", funcs, ELEMENTS(funcs), &api, &e) < 0) {
		skip("libarchive: %s", e.msg);
		return done_testing();
	}
	for (size_t i = 0; i < ELEMENTS(filters); i++) {
		size_t size = make_tar(filters[i].filter);

		if (size)
			is_int(behind(read_tar, size), 0, "tar, %s", filters[i].name);
		else
			skip("tar, %s: this libarchive cannot write it", filters[i].name);
	}
	return done_testing();
}

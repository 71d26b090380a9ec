/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_scan.c - where the driver's libraries are.
 *
 * The root's ld.so.cache knows, where it has one: what it says of libcuda.so.1 and of
 * libnvidia-ml.so.1 is what a program outside of a container would load.  Debian's entry is four
 * links away from the file:
 *
 *	/usr/lib/x86_64-linux-gnu/libcuda.so.1
 *	-> /etc/alternatives/nvidia--libcuda.so.1-x86_64-linux-gnu
 *	-> /usr/lib/x86_64-linux-gnu/nvidia/current/libcuda.so.1
 *	-> libcuda.so.550.163.01
 *
 * and parts of the driver are in the first directory, parts in the last: both are looked at.
 * Absolute links mean the root's files, not the host's, so every path is one openat2 with
 * RESOLVE_IN_ROOT.  Without a cache, or when what it names is gone or of another version than
 * the kernel module, there are the places where distributions put the driver.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <gpurun/dirents.h>
#include <gpurun/elf.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "driver_scan.h"
#include "driver_tables.h"
#include "ldcache.h"

#define LD_SO_CACHE "/etc/ld.so.cache"

/* The libraries by which a directory is known to hold a driver, and which name its version. */
static const struct anchor {
	const char *soname, *prefix;
} anchors[] = {
	{ "libcuda.so.1", "libcuda.so." },
	{ "libnvidia-ml.so.1", "libnvidia-ml.so." },
};

unsigned int driver_machine(unsigned int bits)
{
#if defined(__aarch64__)
	return bits == 64 ? EM_AARCH64 : 0;
#else
	return bits == 64 ? EM_X86_64 : EM_386;
#endif
}

bool driver_is_version(const char *s)
{
	unsigned int dots = 0;
	size_t major = 0;

	while (s[major] >= '0' && s[major] <= '9')
		major++;
	for (const char *p = s + major; major >= 3 && *p == '.' && dots < 2; dots++) {
		size_t n = strspn(p + 1, "0123456789");

		if (n == 0)
			return false;
		p += 1 + n;
		if (*p == '\0')
			return true;
	}
	return false;
}

/* A failure that says nothing of the file but of this process. */
static bool is_our_failure(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOSYS;
}

const char *driver_host_path(struct arena *a, const char *host, int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n <= 0 || (size_t)n >= sizeof(path) || path[0] != '/')
		return NULL;
	path[n] = '\0';
	if (*host && !path_below(path, host))
		return NULL;
	return arena_strdup(a, path);
}

int driver_open(const struct driver_scan *s, const char *path, mode_t type, const char **ret_host)
{
	/* O_NONBLOCK: a FIFO in the place of a library must not hold us up */
	int flags = type == S_IFREG ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH;
	_cleanup_fd_ int fd = root_open(s->root->fd, path, flags, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != type || st.st_nlink == 0)
		return -ENOENT;
	*ret_host = driver_host_path(s->a, s->host, fd);
	return *ret_host ? fd_take(&fd) : -ENOENT;
}

int driver_open_dir(const struct driver_scan *s, const struct driver_dir *dir,
		    const char **ret_host)
{
	_cleanup_fd_ int fd = root_open(s->root->fd, dir->path, O_PATH | O_DIRECTORY, 0);

	if (fd < 0)
		return fd;
	*ret_host = driver_host_path(s->a, s->host, fd);
	return *ret_host ? fd_take(&fd) : -ENOENT;
}

int driver_open_lib(const struct driver_scan *s, const struct driver_dir *dir, int fd,
		    const char *host, const char *name, const char **ret_host)
{
	int lib = openat(fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);

	if (lib < 0)
		return driver_open(s, path_join(s->a, dir->path, name), S_IFREG, ret_host);
	*ret_host = path_join(s->a, host, name);
	return lib;
}

/* ---- directories ---------------------------------------------------------------------- */

/*
 * May @name be one that is looked for?  Most of the thousands of names in a library directory are
 * not, nor are the driver's own links but for these few.
 */
static bool may_be_driver(const char *name)
{
	const char *so = strncmp(name, "lib", 3) == 0 ? strstr(name, ".so") : NULL;

	if (!so)
		return false;
	if (so[3] == '.' && driver_is_version(so + 4))
		return true;
	if (strncmp(name, "libcuda", 7) != 0 && strncmp(name, "libnv", 5) != 0 &&
	    !strstr(name, "nvidia"))
		return false;
	for (size_t k = 0; k < ELEMENTS(anchors); k++)
		if (str_eq(name, anchors[k].soname))
			return true;
	return so[3] == '\0' || driver_lib_unversioned(name);
}

static int list_names(struct arena *a, int fd, struct strv *ret)
{
	struct dirents ents;
	unsigned char type;
	const char *name;
	int r;

	dirents_begin(&ents, fd);
	while ((r = dirents_next(&ents, &name, &type)) > 0) {
		if (!may_be_driver(name) ||
		    (type != DT_REG && type != DT_LNK && type != DT_UNKNOWN))
			continue;
		if (ret->n >= DRIVER_NAMES_MAX)
			return -E2BIG;
		strv_push(a, ret, arena_strdup(a, name));
	}
	return r;
}

static bool is_known_dir(const struct driver_scan *s, const struct stat *st)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].dev == st->st_dev && s->v[i].ino == st->st_ino)
			return true;
	return false;
}

/* Add the directory @path, unless it is one of those that are known.  Return: 0, -errno */
static int scan_dir(struct driver_scan *s, const char *path, struct err *e)
{
	struct driver_dir dir = { .path = path };
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r = 0;

	if (strv_has(&s->searched, path))
		return 0;
	strv_push(s->a, &s->searched, path);
	fd = root_open(s->root->fd, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		r = fd < 0 ? fd : -errno;
	else if (s->n < DRIVER_DIRS_MAX && !is_known_dir(s, &st))
		r = list_names(s->a, fd, &dir.names);
	else
		return 0;
	if (r == -E2BIG)
		return err_set(e, E2BIG, "%s%s: more than %u libraries", s->root->label, path,
			       DRIVER_NAMES_MAX);
	if (is_our_failure(r))
		return err_sys(e, -r, "%s%s", s->root->label, path);
	if (r < 0)
		return 0; /* not there, or not for us: no driver here */
	dir.dev = st.st_dev;
	dir.ino = st.st_ino;
	VEC_PUSH(s->a, s->v, s->n, s->cap, dir);
	return 0;
}

/* ---- versions ------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
	return strverscmp(*(const char *const *)b, *(const char *const *)a);
}

/* A version counts when its library is a whole file that this machine can load. */
static void note_version(struct driver_scan *s, const char *path, const char *version)
{
	struct elf_info elf = { 0 };
	const char *host;
	_cleanup_fd_ int fd = -1;

	if (strv_has(&s->versions, version))
		return;
	fd = driver_open(s, path, S_IFREG, &host);
	if (fd < 0 || elf_read(s->a, fd, &elf) < 0 || elf.bits != 64 ||
	    elf.machine != driver_machine(64))
		return;
	strv_push(s->a, &s->versions, version);
	qsort(s->versions.v, s->versions.n, sizeof(*s->versions.v), newest_first);
}

static bool is_found(const struct driver_scan *s)
{
	return s->want ? strv_has(&s->versions, s->want) : s->versions.n > 0;
}

/*
 * One of the two libraries in @dir: its versions, or else where the link to it leads.  A link
 * beside the file it would lead to is not followed, unless that is of no use.
 */
static int look_anchor(struct driver_scan *s, struct driver_dir dir, const struct anchor *anchor,
		       struct err *e)
{
	_cleanup_fd_ int fd = -1;
	const char *host = "";
	bool here = false;

	for (size_t i = 0; i < dir.names.n; i++) {
		const char *version = str_after(dir.names.v[i], anchor->prefix);

		if (!version || !driver_is_version(version))
			continue;
		note_version(s, path_join(s->a, dir.path, dir.names.v[i]), version);
		here = true;
	}
	if ((here && is_found(s)) || !strv_has(&dir.names, anchor->soname))
		return 0;
	fd = driver_open(s, path_join(s->a, dir.path, anchor->soname), S_IFREG, &host);
	return fd < 0 ? 0 : scan_dir(s, path_dir(s->a, host + strlen(s->host)), e);
}

/* Look at @path and at where its links lead. */
static int scan_place(struct driver_scan *s, const char *path, struct err *e)
{
	size_t first = s->n;
	int r = scan_dir(s, path, e);

	for (size_t i = first; r >= 0 && i < s->n; i++)
		for (size_t k = 0; k < ELEMENTS(anchors) && r >= 0; k++)
			r = look_anchor(s, s->v[i], &anchors[k], e);
	return r;
}

/* ---- the search ----------------------------------------------------------------------- */

static bool read_cache(struct driver_scan *s, struct ld_cache *ret)
{
	const char *names[ELEMENTS(anchors) + 1] = { NULL }, *host;
	_cleanup_fd_ int fd = driver_open(s, LD_SO_CACHE, S_IFREG, &host);
	size_t len;
	char *text;

	for (size_t k = 0; k < ELEMENTS(anchors); k++)
		names[k] = anchors[k].soname;
	return fd >= 0 && fd_read_text(fd, s->a, LDCACHE_FILE_MAX, &text, &len) >= 0 &&
	       ldcache_parse_some(s->a, text, len, names, ret) >= 0;
}

/* The directories that the root's ld.so.cache names for libraries of @bits. */
static int scan_cached(struct driver_scan *s, const struct ld_cache *cache, unsigned int bits,
		       struct err *e)
{
	uint32_t flags = ldcache_flags((uint16_t)driver_machine(bits));
	int r = 0;

	for (size_t k = 0; flags && k < ELEMENTS(anchors) && r >= 0; k++) {
		const char *path = ldcache_find(cache, flags, anchors[k].soname);

		if (path && path[0] == '/')
			r = scan_place(s, path_dir(s->a, path), e);
	}
	return r;
}

static int scan_places(struct driver_scan *s, unsigned int bits, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < driver_n_places && r >= 0; i++) {
		if (driver_places[i].bits != bits || (bits == 64 && is_found(s)))
			continue;
		r = scan_place(s, driver_places[i].dir, e);
	}
	return r;
}

/* Where the programs are that came with the libraries. */
static void note_programs(struct driver_scan *s)
{
	for (size_t i = 0; i < driver_n_places; i++) {
		for (size_t k = 0; driver_places[i].programs && k < s->n; k++) {
			if (str_eq(s->v[k].path, driver_places[i].dir) && s->v[k].names.n)
				strv_push(s->a, &s->programs, driver_places[i].programs);
		}
	}
}

const char *driver_root_path(struct arena *a, const struct sysroot *root)
{
	const char *path = driver_host_path(a, "", root->fd);

	return path && (!root->label[0] || str_eq(path, "/")) ? "" : path;
}

/* What is found is told as a path on the host; the root's is taken off where links are followed. */
static int find_root(struct driver_scan *s, struct err *e)
{
	s->host = driver_root_path(s->a, s->root);
	return s->host ? 0 : err_set(e, ENOENT, "/proc/self/fd: the files of the driver need it");
}

int driver_scan(struct driver_scan *s, struct err *e)
{
	struct ld_cache cache = { 0 };
	int r = find_root(s, e);
	bool cached;
	size_t n;

	if (r < 0)
		return r;
	if (read_cache(s, &cache))
		r = scan_cached(s, &cache, 64, e);
	cached = is_found(s);
	if (r >= 0)
		r = scan_places(s, 64, e);
	if (r < 0 || !s->versions.n)
		return r;
	if (s->caps & GPU_CAP_COMPAT32)
		r = cached ? scan_cached(s, &cache, 32, e) : scan_places(s, 32, e);
	n = s->caps & GPU_CAP_VIDEO ? s->n : 0;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = scan_dir(s, path_join(s->a, s->v[i].path, "vdpau"), e);
	note_programs(s);
	return r;
}

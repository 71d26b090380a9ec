// SPDX-License-Identifier: Apache-2.0
/*
 * detect.c - what is this file?  By its content, never by its name.
 *
 *	directory with oci-layout	an OCI layout
 *	tar, of telling names		an OCI archive when oci-layout is in it, else docker save
 *	any other tar			a root file system, the one layer
 *	compressed			the same after decompression: a root file system is read as
 *					a stream, an archive of images is written out first
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "decode.h"
#include "source.h"

#define HEAD_BYTES 2048

/* Image formats that are recognised in order to say what to do with them. */
static const struct {
	size_t offset, n;
	const char *magic, *what, *hint;
} foreign[] = {
	{ 0, 4, "hsqs", "a squashfs image, which is not read",
	  "unsquashfs -d DIR FILE, then gpurun dir:DIR" },
	{ 32, 9, "SIF_MAGIC", "an apptainer image (SIF), which is not read",
	  "apptainer build --sandbox DIR FILE, then gpurun dir:DIR" },
	{ 1024, 4, "\xe2\xe1\xf5\xe0", "an erofs image, which is not read", NULL },
	{ 0, 4,
	  "\x7f"
	  "ELF",
	  "a program, not an image", NULL },
};

static int detect_foreign(const struct image_source *s, const uint8_t *head, size_t n,
			  struct err *e)
{
	for (size_t i = 0; i < ELEMENTS(foreign); i++) {
		if (n < foreign[i].offset + foreign[i].n ||
		    memcmp(head + foreign[i].offset, foreign[i].magic, foreign[i].n) != 0)
			continue;
		err_set(e, ENOTSUP, "%s: %s", s->label, foreign[i].what);
		if (foreign[i].hint)
			err_hint(e, "%s", foreign[i].hint);
		return -ENOTSUP;
	}
	return 0;
}

/* ---- a compressed archive of images ---------------------------------------------------- */

static void stream_closep(struct image_stream **st)
{
	image_layer_close(*st);
}
#define _cleanup_stream_ __attribute__((cleanup(stream_closep)))

/*
 * A file without a name: O_TMPFILE, or one that is unlinked at once where that is not had.  By
 * openat2, as everything is opened here: the worker's seccomp filter has no other way.
 */
static int spool_create(int dirfd)
{
	int fd = root_open(dirfd, ".", O_TMPFILE | O_RDWR, 0600);
	char name[32];

	if (fd != -EOPNOTSUPP && fd != -EISDIR && fd != -EINVAL && fd != -ENOENT)
		return fd;
	snprintf(name, sizeof(name), "spool.%d", (int)getpid());
	fd = root_open(dirfd, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0600);
	if (fd >= 0 && unlinkat(dirfd, name, 0) < 0) {
		int r = -errno;

		fd_close(fd);
		return r;
	}
	return fd;
}

static int spool_fail(const struct image_source *s, int r, struct err *e)
{
	err_sys(e, -r, "%s: a compressed archive of images is decompressed first, and that fails",
		s->label);
	err_hint(e, "name a store with more room (--store DIR), or decompress the file yourself");
	return r;
}

static int spool_write(struct image_source *s, struct image_stream *st, int fd, struct err *e)
{
	const void *block;
	uint64_t total = 0;
	ssize_t n;
	int r;

	while ((n = image_layer_read(st, &block, e)) > 0) {
		total += (uint64_t)n;
		r = total > SPOOL_MAX ? -EFBIG : fd_write_all(fd, block, (size_t)n);
		if (r < 0)
			return spool_fail(s, r, e);
	}
	s->size = (int64_t)total;
	return (int)n;
}

static int spool_archive(struct image_source *s, int dirfd, struct err *e)
{
	_cleanup_stream_ struct image_stream *st = NULL;
	_cleanup_fd_ int fd = -1;
	int r;

	fd = spool_create(dirfd);
	if (fd < 0)
		return spool_fail(s, fd, e);
	r = stream_open(s, NULL, &st, e);
	if (r == 0)
		r = spool_write(s, st, fd, e);
	if (r == 0)
		s->spool_fd = fd_take(&fd);
	return r;
}

/* Does the compressed file hold an archive of images?  Decompresses no more than it must. */
static int peek_compressed(struct image_source *s, struct err *e)
{
	_cleanup_stream_ struct image_stream *st = NULL;
	int r = stream_open(s, NULL, &st, e);

	return r < 0 ? r : members_peek(s, st, e);
}

/* ---- the forms ------------------------------------------------------------------------- */

static int open_plain(struct image_source *s, struct image_manifest *ret, struct err *e)
{
	static const char *const wanted[] = {
		[IMAGE_DOCKER_ARCHIVE] = "a docker archive (no manifest.json in it)",
		[IMAGE_OCI_ARCHIVE] = "an OCI archive (no oci-layout and index.json in it)",
	};

	if (s->ref->transport != IMAGE_AUTO)
		return err_set(e, EINVAL, "%s: not %s", s->label, wanted[s->ref->transport]);
	if (s->ref->tag)
		return err_set(e, EINVAL, "%s: a plain root file system, it has no tags", s->label);
	s->kind = SOURCE_FILE;
	*ret = (struct image_manifest){ .layers = ARENA_NEW(s->a, struct image_layer),
					.n_layers = 1 };
	ret->layers[0].size = s->size;
	return 0;
}

static int open_archive(struct image_source *s, const char *arch, struct image_manifest *ret,
			struct err *e)
{
	enum image_transport t = s->ref->transport;
	bool layout = members_are_layout(s);

	if (t == IMAGE_OCI_ARCHIVE && !layout)
		return open_plain(s, ret, e);
	if (layout && t != IMAGE_DOCKER_ARCHIVE)
		return oci_open(s, arch, ret, e);
	return docker_open(s, arch, ret, e);
}

static int open_tar(struct image_source *s, const char *arch, struct image_manifest *ret,
		    struct err *e)
{
	int r;

	s->kind = SOURCE_ARCHIVE;
	r = members_index(s, s->ref->transport != IMAGE_AUTO, e);
	if (r < 0)
		return r;
	return r ? open_archive(s, arch, ret, e) : open_plain(s, ret, e);
}

static int open_compressed(struct image_source *s, int spool_dirfd, const char *arch,
			   struct image_manifest *ret, struct err *e)
{
	int r = s->ref->transport == IMAGE_AUTO ? peek_compressed(s, e) : 1;

	if (r < 0)
		return r;
	if (r == 0)
		return open_plain(s, ret, e);
	r = spool_archive(s, spool_dirfd, e);
	return r < 0 ? r : open_tar(s, arch, ret, e);
}

static int open_file(struct image_source *s, int spool_dirfd, const char *arch,
		     struct image_manifest *ret, struct err *e)
{
	uint8_t head[HEAD_BYTES];
	ssize_t n;
	int r;

	do
		n = pread(s->fd, head, sizeof(head), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, errno, "%s: cannot be read", s->label);
	if (n == 0)
		return err_set(e, EINVAL, "%s: the file is empty", s->label);
	r = detect_foreign(s, head, (size_t)n, e);
	if (r < 0)
		return r;
	if (head_is_tar(head, (size_t)n))
		return open_tar(s, arch, ret, e);
	if (codec_find(head, (size_t)n))
		return open_compressed(s, spool_dirfd, arch, ret, e);
	err_set(e, EINVAL, "%s: not an image", s->label);
	err_hint(e,
		 "an image is a tar (also gzip, xz, bzip2, zstd), docker save's or an OCI archive, "
		 "or a directory");
	return -EINVAL;
}

static int open_layout(struct image_source *s, const char *arch, struct image_manifest *ret,
		       struct err *e)
{
	if (s->ref->transport != IMAGE_AUTO && s->ref->transport != IMAGE_OCI) {
		err_set(e, EISDIR, "%s: a directory, not an archive", s->label);
		err_hint(e, "gpurun oci:%s", s->ref->path ? s->ref->path : "DIR");
		return -EISDIR;
	}
	s->kind = SOURCE_LAYOUT;
	return oci_open(s, arch, ret, e);
}

/* By what the descriptor is. */
static int open_any(struct image_source *s, int spool_dirfd, const char *arch,
		    struct image_manifest *ret, struct err *e)
{
	enum image_transport t = s->ref->transport;
	struct stat st;

	if (fstat(s->fd, &st) < 0)
		return err_sys(e, errno, "%s", s->label);
	if (t == IMAGE_REGISTRY || t == IMAGE_DIR)
		return err_set(e, ENOTSUP, "%s: not a file that holds an image", s->label);
	if (S_ISDIR(st.st_mode))
		return open_layout(s, arch, ret, e);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: neither a regular file nor a directory", s->label);
	if (t == IMAGE_OCI) {
		err_set(e, ENOTDIR, "%s: a file, not the directory of an OCI layout", s->label);
		err_hint(e, "gpurun oci-archive:%s", s->ref->path ? s->ref->path : "FILE");
		return -ENOTDIR;
	}
	s->size = st.st_size;
	return open_file(s, spool_dirfd, arch, ret, e);
}

int image_open(struct arena *a, int fd, const struct image_ref *ref, int spool_dirfd,
	       const char *arch, struct image_source **ret, struct image_manifest *ret_manifest,
	       struct err *e)
{
	struct image_source *s = ARENA_NEW(a, struct image_source);
	struct image_manifest m = { 0 };
	int r = members_load(e);

	if (r < 0)
		return r;
	s->a = a;
	s->ref = ref;
	s->label = ref->path ? ref->path : ref->text;
	s->fd = fd;
	s->spool_fd = -1;
	s->turn = ARENA_NEW(a, struct window_turn);
	window_turn_init(s->turn);
	r = open_any(s, spool_dirfd, arch, &m, e);
	if (r < 0) {
		image_close(s);
		return r;
	}
	*ret = s;
	*ret_manifest = m;
	return 0;
}

void image_close(struct image_source *s)
{
	if (!s)
		return;
	s->spool_fd = fd_close(s->spool_fd);
	window_turn_end(s->turn);
}

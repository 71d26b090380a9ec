/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as one of the documents that describe an image: manifest.json, index.json, or a
 * manifest or index below it (whose digest is made right, or nothing would ever be read).  The
 * first byte says which; its bits above choose among the images that are there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <gpurun/fd.h>
#include <gpurun/image.h>
#include <gpurun/str.h>

#define INPUT_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One ustar member, written to @fd. */
static void member(int fd, const char *name, const void *data, size_t n)
{
	static const char zeros[512];
	unsigned int sum = 0;
	char h[512] = { 0 };

	snprintf(h, 100, "%s", name);
	snprintf(h + 124, 12, "%011o", (unsigned int)n);
	memset(h + 148, ' ', 8);
	h[156] = '0';
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum & 0777777);
	if (fd_write_all(fd, h, sizeof(h)) < 0 || fd_write_all(fd, data, n) < 0 ||
	    fd_write_all(fd, zeros, (512 - n % 512) % 512) < 0)
		abort();
}

/* The document as a blob, and an index.json that names it as a @type. */
static void blob(int fd, const char *type, const uint8_t *data, size_t n)
{
	char hex[IMAGE_ID_HEX + 1], name[128], index[512];
	struct sha256 *h = sha256_new(NULL);

	sha256_update(h, data, n);
	sha256_hex(h, hex);
	sha256_free(h);
	snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
	member(fd, name, data, n);
	snprintf(index, sizeof(index),
		 "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image."
		 "%s.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu}]}",
		 type, hex, n);
	member(fd, "index.json", index, strlen(index));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_fd_ int fd = memfd_create("image", MFD_CLOEXEC);
	_cleanup_arena_ struct arena *a = arena_new((size_t)512 << 20);
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}", config[] = "{}";
	struct image_ref ref = { .path = "x", .text = "x" };
	struct image_manifest m = { 0 };
	static const char *const tags[] = { NULL, "a", "@1", "library/a:b" };
	struct image_source *s = NULL;
	const char *arch = "amd64";
	struct err e = { 0 };
	uint8_t what;

	if (size < 2 || size > INPUT_MAX)
		return 0;
	what = data[0];
	if (what >= '0' && what <= '9') { /* "3d": the same with a tag and an architecture */
		ref.tag = tags[(what - '0') % ELEMENTS(tags)];
		arch = what > '4' ? "arm64" : arch;
		what = *++data;
		size--;
	}
	if (what != 'd')
		member(fd, "oci-layout", layout, strlen(layout));
	member(fd, "blobs/sha256/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
	       config, strlen(config));
	if (what == 'd')
		member(fd, "manifest.json", data + 1, size - 1);
	else if (what == 'i')
		member(fd, "index.json", data + 1, size - 1);
	else
		blob(fd, what == 'm' ? "manifest" : "index", data + 1, size - 1);
	if (image_open(a, fd, &ref, -1, arch, &s, &m, &e) < 0 && !err_is_set(&e))
		abort();
	image_close(s);
	return 0;
}

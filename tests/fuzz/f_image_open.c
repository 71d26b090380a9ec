/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an image file: recognised, chosen, and its layers read. */
#include <stdlib.h>
#include <sys/mman.h>

#include <gpurun/fd.h>
#include <gpurun/image.h>

#define READ_MAX (8U << 20) /* of a layer: a small input can make gigabytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_layer(struct image_source *s, const struct image_layer *l)
{
	struct image_stream *st;
	struct err e = { 0 };
	const void *block;
	size_t total = 0;
	ssize_t n = 0;

	if (image_layer_open(s, l, &st, &e) == 0) {
		while (total < READ_MAX && (n = image_layer_read(st, &block, &e)) > 0)
			total += (size_t)n;
		if (n == 0)
			n = image_layer_finish(st, NULL, &e);
		image_layer_close(st);
	}
	if (n < 0 && !err_is_set(&e))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_fd_ int fd = memfd_create("image", MFD_CLOEXEC);
	_cleanup_fd_ int spool = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_arena_ struct arena *a = arena_new((size_t)512 << 20);
	struct image_ref ref = { .path = "x", .text = "x" };
	struct image_manifest m = { 0 };
	struct image_source *s;
	struct err e = { 0 };

	if (fd < 0 || fd_write_all(fd, data, size) < 0)
		abort();
	if (size && data[size - 1] & 1)
		ref.transport = IMAGE_DOCKER_ARCHIVE;
	if (image_open(a, fd, &ref, spool, "amd64", &s, &m, &e) < 0) {
		if (!err_is_set(&e))
			abort();
		return 0;
	}
	for (size_t i = 0; i < m.n_layers; i++)
		read_layer(s, &m.layers[i]);
	image_close(s);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the record of a running container: what is read comes back when it is written. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gpurun/fd.h>

#include "../../src/state/state_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void same(const char *x, const char *y)
{
	must(strcmp(x, y) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	struct state once = { .key = NULL }, again = { .key = NULL };
	_cleanup_fd_ int file = -1;
	char *text = arena_strndup(a, (const char *)data, size);

	if (state_parse(a, text, &once) < 0)
		return 0;
	file = memfd_create("record", MFD_CLOEXEC);
	must(state_write(a, file, &once, once.plan) == 0 && lseek(file, 0, SEEK_SET) == 0);
	must(fd_read_text(file, a, 2 * STATE_RECORD_MAX, &text, NULL) == 0);
	must(state_parse(a, text, &again) == 0);
	same(again.id, once.id);
	same(again.name, once.name);
	same(again.image, once.image);
	same(again.command, once.command);
	same(again.step, once.step);
	same(again.image_id, once.image_id);
	must(again.launcher == once.launcher && again.payload == once.payload &&
	     again.payload_start == once.payload_start && again.created == once.created);
	must(once.launcher > 0 || once.step[0]);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an ELF file: from memory and by pread the same is found, and a note. */
#include <stdlib.h>
#include <sys/mman.h>

#include <gpurun/elf.h>
#include <gpurun/fd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	_cleanup_fd_ int fd = memfd_create("elf", MFD_CLOEXEC);
	struct elf_info parsed = { 0 }, got = { 0 };
	const char *note;
	int r = elf_parse(a, data, size, &parsed);

	if (fd < 0 || fd_write_all(fd, data, size) < 0)
		abort();
	if (elf_read(a, fd, &got) != r || got.glibc_needed != parsed.glibc_needed ||
	    got.glibc_defined != parsed.glibc_defined)
		abort();
	(void)elf_note(a, fd, ".note.test", "TEST", &note);
	return 0;
}

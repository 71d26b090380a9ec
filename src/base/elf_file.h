/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_file.h - pieces of an ELF file, from memory or by pread.  Private to src/base/elf*.c.
 *
 * A reader asks for a few bytes at an offset and gets a pointer that is good until it asks
 * again through the same window.  Behind a descriptor stand two windows, one for tables and one
 * for strings, because a reader goes back and forth between the two: a library of any size is
 * read with a handful of system calls.
 */
#ifndef GPURUN_BASE_ELF_FILE_H
#define GPURUN_BASE_ELF_FILE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ELF_WINDOW 4096U

/* The windows need not be zeroed for each of a driver's files, where the compiler does that. */
#if __has_attribute(uninitialized)
#define ELF_UNSET __attribute__((uninitialized))
#else
#define ELF_UNSET
#endif

enum elf_slot { ELF_TABLES, ELF_STRINGS, ELF_SLOTS };

/* Where the fields of one class lie (elf(5)); a word is 4 bytes in the one, 8 in the other. */
struct elf_layout {
	unsigned int bits;
	size_t word;
	size_t ehdr, phoff, phentsize, phnum, shoff, shentsize, shnum, shstrndx;
	size_t phdr, p_type, p_offset, p_vaddr, p_filesz;
	size_t shdr, sh_name, sh_type, sh_offset, sh_size, sh_addralign;
};

struct elf_file {
	const uint8_t *mem; /* the whole file, or NULL: read from fd */
	int fd;
	uint64_t size;
	const struct elf_layout *layout;
	struct elf_window {
		uint64_t off;
		size_t len;
		uint8_t data[ELF_WINDOW];
	} windows[ELF_SLOTS];
};

/** elf_file_memory, elf_file_fd - begin: checks the identification, sets the layout */
int elf_file_memory(struct elf_file *f, const void *file, size_t len);
int elf_file_fd(struct elf_file *f, int fd);

/* elf_file_get(), where the window has to be moved */
int elf_file_load(struct elf_file *f, enum elf_slot slot, uint64_t off, size_t len,
		  const uint8_t **ret);

static inline bool elf_is_loaded(const struct elf_window *w, uint64_t off, size_t len)
{
	return off >= w->off && len <= w->len && off - w->off <= w->len - len;
}

/**
 * elf_file_get - @len (<= ELF_WINDOW / 2 for strings, <= ELF_WINDOW) bytes at @off
 * Return: 0; -EBADMSG when they are not in the file; -errno
 */
static inline int elf_file_get(struct elf_file *f, enum elf_slot slot, uint64_t off, size_t len,
			       const uint8_t **ret)
{
	struct elf_window *w = &f->windows[slot];

	if (f->mem || !elf_is_loaded(w, off, len))
		return elf_file_load(f, slot, off, len, ret);
	*ret = w->data + (off - w->off);
	return 0;
}

/** elf_file_copy - any number of bytes, past the windows */
int elf_file_copy(const struct elf_file *f, uint64_t off, void *buf, size_t len);

/** elf_file_str - the string at @off, shorter than @max and ended before @end; as good as long */
int elf_file_str(struct elf_file *f, enum elf_slot slot, uint64_t off, uint64_t end, size_t max,
		 const char **ret);

/** elf_number - @n bytes, the lowest first, wherever they lie */
static inline uint64_t elf_number(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	if (n == sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		return le64toh(v);
	}
	while (n--)
		v = v << 8 | p[n];
	return v;
}

static inline uint16_t elf_half(const uint8_t *p)
{
	return (uint16_t)elf_number(p, 2);
}

static inline uint32_t elf_word(const uint8_t *p)
{
	return (uint32_t)elf_number(p, 4);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf.h - what the dynamic linker would want to know of a program or a shared object, read
 * without loading it (elf(5), gABI chapter 5, LSB "symbol versions").
 *
 * The bytes may be hostile (an image's libc.so.6): every offset is checked against the file,
 * work and memory are bounded whatever the file says.
 */
#ifndef GPURUN_ELF_H
#define GPURUN_ELF_H

#include <stddef.h>
#include <stdint.h>

#include <gpurun/arena.h>

/* A version "2.34" as one number that can be compared. */
#define ELF_VERSION(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor))
#define ELF_VERSION_MAJOR(v)      ((unsigned int)((v) >> 16))
#define ELF_VERSION_MINOR(v)      ((unsigned int)((v)&0xffff))

/**
 * struct elf_info - one file
 * @glibc_needed:  the newest GLIBC_x.y that DT_VERNEED asks for, of whatever library; 0: none
 * @glibc_defined: the newest GLIBC_x.y in DT_VERDEF: the version of a libc.so.6; 0: none
 */
struct elf_info {
	unsigned int bits;  /* 32 or 64 */
	uint16_t machine;   /* EM_X86_64, EM_AARCH64, EM_386, ... */
	const char *interp; /* PT_INTERP, or NULL */
	const char *soname; /* DT_SONAME, or NULL */
	uint32_t glibc_needed, glibc_defined;
};

/** elf_parse - from the whole file in memory (pure); -EBADMSG: not an ELF file, or damaged */
int elf_parse(struct arena *a, const void *file, size_t len, struct elf_info *ret);

/** elf_read - from a regular file, reading only what is needed; -EBADMSG, -errno */
int elf_read(struct arena *a, int fd, struct elf_info *ret);

/**
 * elf_note - the description of the first note in the section @section (".note.cuda...")
 * @owner: its name must be this, or NULL
 * @ret: NUL-terminated copy, at most ELF_NOTE_MAX bytes
 * Return: 0; -ENOENT no such section or note; -EBADMSG, -errno
 */
#define ELF_NOTE_MAX (64U << 10)
int elf_note(struct arena *a, int fd, const char *section, const char *owner, const char **ret);

#endif

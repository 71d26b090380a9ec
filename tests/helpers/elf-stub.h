/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf-stub.h - ELF files with nothing in them but what a reader of headers wants to know, so that
 * tests need no compiler.  The dynamic linker would refuse them.
 */
#ifndef GPURUN_ELF_STUB_H
#define GPURUN_ELF_STUB_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__aarch64__)
#define STUB_MACHINE EM_AARCH64
#else
#define STUB_MACHINE EM_X86_64
#endif

/* @soname, @interp: or NULL; @glibc: "GLIBC_2.34" of DT_VERNEED, or NULL */
struct elf_stub {
	unsigned int bits;
	uint16_t machine;
	const char *soname, *interp, *glibc;
};

#define STUB_STRINGS_MAX 512

/* The string table: every text at its offset, 0 is "". */
struct stub_strings {
	char text[STUB_STRINGS_MAX];
	uint32_t len;
};

static uint32_t stub_string(struct stub_strings *s, const char *text)
{
	uint32_t at = s->len;

	if (!text)
		return 0;
	s->len += (uint32_t)snprintf(s->text + at, sizeof(s->text) - at, "%s", text) + 1;
	return at;
}

/* One file of class @C: everything in one segment that is loaded at address 0. */
#define STUB_DEFINE(C)                                                                             \
	struct stub_file_##C {                                                                     \
		Elf##C##_Ehdr eh;                                                                  \
		Elf##C##_Phdr ph[3];                                                               \
		Elf##C##_Dyn dyn[6];                                                               \
		Elf##C##_Verneed need;                                                             \
		Elf##C##_Vernaux aux;                                                              \
		struct stub_strings strings;                                                       \
	};                                                                                         \
                                                                                                   \
	static size_t stub_build_##C(const struct elf_stub *s, struct stub_file_##C *f)            \
	{                                                                                          \
		uint32_t base = offsetof(struct stub_file_##C, strings.text);                      \
		size_t n = 0;                                                                      \
		uint32_t interp;                                                                   \
                                                                                                   \
		*f = (struct stub_file_##C){ .strings.len = 1 };                                   \
		memcpy(f->eh.e_ident, ELFMAG, SELFMAG);                                            \
		f->eh.e_ident[EI_CLASS] = ELFCLASS##C;                                             \
		f->eh.e_ident[EI_DATA] = ELFDATA2LSB;                                              \
		f->eh.e_ident[EI_VERSION] = EV_CURRENT;                                            \
		f->eh.e_type = ET_DYN;                                                             \
		f->eh.e_machine = s->machine;                                                      \
		f->eh.e_version = EV_CURRENT;                                                      \
		f->eh.e_ehsize = sizeof(f->eh);                                                    \
		f->eh.e_phoff = offsetof(struct stub_file_##C, ph);                                \
		f->eh.e_phentsize = sizeof(f->ph[0]);                                              \
		f->eh.e_phnum = s->interp ? 3 : 2;                                                 \
		if (s->soname) {                                                                   \
			f->dyn[n].d_tag = DT_SONAME;                                               \
			f->dyn[n++].d_un.d_val = stub_string(&f->strings, s->soname);              \
		}                                                                                  \
		if (s->glibc) {                                                                    \
			f->dyn[n].d_tag = DT_VERNEED;                                              \
			f->dyn[n++].d_un.d_ptr = offsetof(struct stub_file_##C, need);             \
			f->need.vn_version = f->need.vn_cnt = 1;                                   \
			f->need.vn_aux = sizeof(f->need);                                          \
			f->need.vn_file = stub_string(&f->strings, "libc.so.6");                   \
			f->aux.vna_name = stub_string(&f->strings, s->glibc);                      \
		}                                                                                  \
		interp = base + stub_string(&f->strings, s->interp);                               \
		f->dyn[n].d_tag = DT_STRTAB;                                                       \
		f->dyn[n++].d_un.d_ptr = base;                                                     \
		f->dyn[n].d_tag = DT_STRSZ;                                                        \
		f->dyn[n++].d_un.d_val = f->strings.len;                                           \
		f->ph[0].p_type = PT_LOAD;                                                         \
		f->ph[0].p_filesz = f->ph[0].p_memsz = base + f->strings.len;                      \
		f->ph[1].p_type = PT_DYNAMIC;                                                      \
		f->ph[1].p_offset = f->ph[1].p_vaddr = offsetof(struct stub_file_##C, dyn);        \
		f->ph[1].p_filesz = f->ph[1].p_memsz = sizeof(f->dyn);                             \
		f->ph[2].p_type = PT_INTERP;                                                       \
		f->ph[2].p_offset = f->ph[2].p_vaddr = interp;                                     \
		f->ph[2].p_filesz = s->interp ? (uint32_t)strlen(s->interp) + 1 : 0;               \
		return base + f->strings.len;                                                      \
	}

STUB_DEFINE(32)
STUB_DEFINE(64)

/** elf_stub_write - write the file @path; 0, or -1 */
static __attribute__((unused)) int elf_stub_write(const char *path, const struct elf_stub *s)
{
	union {
		struct stub_file_32 f32;
		struct stub_file_64 f64;
	} u;
	size_t n = s->bits == 32 ? stub_build_32(s, &u.f32) : stub_build_64(s, &u.f64);
	FILE *f = fopen(path, "we");
	int r = f && fwrite(&u, 1, n, f) == n ? 0 : -1;

	if (f && fclose(f) != 0)
		r = -1;
	return r;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_file.c - bounded pieces of an ELF file.  No mmap: a file that shrinks under a mapping is
 * a SIGBUS, one that shrinks under pread is -EBADMSG.
 */
#include "elf_file.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <gpurun/fd.h>

#define ELF_LAYOUT(c)                                                                              \
	{                                                                                          \
		.bits = c, .word = c / 8, .ehdr = sizeof(Elf##c##_Ehdr),                           \
		.phoff = offsetof(Elf##c##_Ehdr, e_phoff),                                         \
		.phentsize = offsetof(Elf##c##_Ehdr, e_phentsize),                                 \
		.phnum = offsetof(Elf##c##_Ehdr, e_phnum),                                         \
		.shoff = offsetof(Elf##c##_Ehdr, e_shoff),                                         \
		.shentsize = offsetof(Elf##c##_Ehdr, e_shentsize),                                 \
		.shnum = offsetof(Elf##c##_Ehdr, e_shnum),                                         \
		.shstrndx = offsetof(Elf##c##_Ehdr, e_shstrndx), .phdr = sizeof(Elf##c##_Phdr),    \
		.p_type = offsetof(Elf##c##_Phdr, p_type),                                         \
		.p_offset = offsetof(Elf##c##_Phdr, p_offset),                                     \
		.p_vaddr = offsetof(Elf##c##_Phdr, p_vaddr),                                       \
		.p_filesz = offsetof(Elf##c##_Phdr, p_filesz), .shdr = sizeof(Elf##c##_Shdr),      \
		.sh_name = offsetof(Elf##c##_Shdr, sh_name),                                       \
		.sh_type = offsetof(Elf##c##_Shdr, sh_type),                                       \
		.sh_offset = offsetof(Elf##c##_Shdr, sh_offset),                                   \
		.sh_size = offsetof(Elf##c##_Shdr, sh_size),                                       \
		.sh_addralign = offsetof(Elf##c##_Shdr, sh_addralign),                             \
	}

static const struct elf_layout elf_layout_32 = ELF_LAYOUT(32);
static const struct elf_layout elf_layout_64 = ELF_LAYOUT(64);

static int elf_window_load(struct elf_file *f, struct elf_window *w, uint64_t off)
{
	uint64_t left = f->size - off;
	ssize_t r;

	w->len = 0;
	r = fd_pread_up_to(f->fd, w->data, left < ELF_WINDOW ? (size_t)left : ELF_WINDOW,
			   (off_t)off);
	if (r < 0)
		return (int)r;
	w->off = off;
	w->len = (size_t)r;
	return 0;
}

static int elf_is_inside(const struct elf_file *f, uint64_t off, size_t len)
{
	return len <= f->size && off <= f->size - len;
}

/*
 * Tables are walked upwards, so their window begins at what is asked for; the strings that
 * matter here lie close together in any order, so theirs has it in the middle.
 */
int elf_file_load(struct elf_file *f, enum elf_slot slot, uint64_t off, size_t len,
		  const uint8_t **ret)
{
	struct elf_window *w = &f->windows[slot], *other = &f->windows[!slot];
	uint64_t before = slot == ELF_STRINGS ? ELF_WINDOW / 2 : 0;
	int r;

	if (!elf_is_inside(f, off, len))
		return -EBADMSG;
	if (f->mem) {
		*ret = f->mem + off;
		return 0;
	}
	if (elf_is_loaded(other, off, len)) { /* a copy: what is in the other one may be moved */
		*w = *other;
		r = 0;
	} else {
		r = elf_window_load(f, w, off > before ? off - before : 0);
	}
	if (r < 0)
		return r;
	if (!elf_is_loaded(w, off, len)) /* it has become shorter */
		return -EBADMSG;
	*ret = w->data + (off - w->off);
	return 0;
}

int elf_file_copy(const struct elf_file *f, uint64_t off, void *buf, size_t len)
{
	ssize_t r;

	if (!elf_is_inside(f, off, len))
		return -EBADMSG;
	if (f->mem) {
		memcpy(buf, f->mem + off, len);
		return 0;
	}
	r = fd_pread_up_to(f->fd, buf, len, (off_t)off);
	if (r < 0)
		return (int)r;
	return (size_t)r == len ? 0 : -EBADMSG;
}

int elf_file_str(struct elf_file *f, enum elf_slot slot, uint64_t off, uint64_t end, size_t max,
		 const char **ret)
{
	const uint8_t *p;
	size_t n;
	int r;

	if (off >= end)
		return -EBADMSG;
	n = end - off < max ? (size_t)(end - off) : max;
	r = elf_file_get(f, slot, off, n, &p);
	if (r < 0)
		return r;
	if (!memchr(p, '\0', n))
		return -EBADMSG;
	*ret = (const char *)p;
	return 0;
}

/* What the dynamic linker looks at first, but for the machine, which is the caller's concern. */
static int elf_identify(struct elf_file *f)
{
	const uint8_t *id;
	int r = elf_file_get(f, ELF_TABLES, 0, EI_NIDENT, &id);

	if (r < 0)
		return r;
	if (memcmp(id, ELFMAG, SELFMAG) != 0 || id[EI_DATA] != ELFDATA2LSB ||
	    id[EI_VERSION] != EV_CURRENT)
		return -EBADMSG;
	if (id[EI_CLASS] != ELFCLASS32 && id[EI_CLASS] != ELFCLASS64)
		return -EBADMSG;
	f->layout = id[EI_CLASS] == ELFCLASS32 ? &elf_layout_32 : &elf_layout_64;
	return 0;
}

int elf_file_memory(struct elf_file *f, const void *file, size_t len)
{
	f->mem = file;
	f->fd = -1;
	f->size = len;
	return elf_identify(f);
}

int elf_file_fd(struct elf_file *f, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	f->mem = NULL;
	f->fd = fd;
	f->size = (uint64_t)st.st_size;
	for (size_t i = 0; i < ELF_SLOTS; i++)
		f->windows[i].off = f->windows[i].len = 0;
	return elf_identify(f);
}

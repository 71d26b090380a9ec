/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf_note.c - a note, found by the name of its section.  Nothing else distinguishes the notes
 * of one owner whose types are not published, and those who write them look for the section.
 */
#include <gpurun/elf.h>

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "elf_file.h"

#define ELF_NOTES_MAX 64U /* in one section */
#define ELF_OWNER_MAX 256U

struct elf_section {
	uint64_t name, type, off, size, align;
};

/* The section headers. */
struct elf_sections {
	uint64_t off;
	size_t n;
	struct elf_section names; /* the string table */
};

static int elf_section_read(struct elf_file *f, const struct elf_sections *s, size_t i,
			    struct elf_section *ret)
{
	const struct elf_layout *l = f->layout;
	uint64_t off;
	const uint8_t *p;
	int r;

	if (__builtin_add_overflow(s->off, i * l->shdr, &off))
		return -EBADMSG;
	r = elf_file_get(f, ELF_TABLES, off, l->shdr, &p);
	if (r < 0)
		return r;
	ret->name = elf_word(p + l->sh_name);
	ret->type = elf_word(p + l->sh_type);
	ret->off = elf_number(p + l->sh_offset, l->word);
	ret->size = elf_number(p + l->sh_size, l->word);
	ret->align = elf_number(p + l->sh_addralign, l->word);
	return 0;
}

/* -ENOENT: there are none (or more than a file with 16 bits of them can say). */
static int elf_sections_read(struct elf_file *f, struct elf_sections *ret)
{
	const struct elf_layout *l = f->layout;
	const uint8_t *p;
	size_t names, size;
	int r = elf_file_get(f, ELF_TABLES, 0, l->ehdr, &p);

	if (r < 0)
		return r;
	ret->off = elf_number(p + l->shoff, l->word);
	ret->n = elf_half(p + l->shnum);
	names = elf_half(p + l->shstrndx);
	size = elf_half(p + l->shentsize);
	if (ret->off == 0 || ret->n == 0 || names == SHN_UNDEF)
		return -ENOENT;
	if (size != l->shdr || names >= ret->n)
		return -EBADMSG;
	return elf_section_read(f, ret, names, &ret->names);
}

/* Does the string table have @name at @at? */
static int elf_section_is(struct elf_file *f, const struct elf_section *table, uint64_t at,
			  const char *name)
{
	size_t n = strlen(name) + 1;
	const uint8_t *p;
	uint64_t off;
	int r;

	if (at >= table->size || n > table->size - at || n > ELF_WINDOW / 2)
		return 0;
	if (__builtin_add_overflow(table->off, at, &off))
		return -EBADMSG;
	r = elf_file_get(f, ELF_STRINGS, off, n, &p);
	return r < 0 ? r : memcmp(p, name, n) == 0;
}

static int elf_section_find(struct elf_file *f, const char *name, struct elf_section *ret)
{
	struct elf_sections s;
	int r = elf_sections_read(f, &s);

	for (size_t i = 0; r == 0 && i < s.n; i++) {
		r = elf_section_read(f, &s, i, ret);
		if (r == 0 && ret->type == SHT_NOTE)
			r = elf_section_is(f, &s.names, ret->name, name);
	}
	if (r < 0)
		return r;
	return r ? 0 : -ENOENT;
}

/* One note: where its parts are in the file. */
struct elf_note {
	uint64_t name, desc, next;
	uint32_t namesz, descsz;
};

static uint64_t elf_align(uint64_t n, uint64_t to)
{
	return (n + to - 1) & ~(to - 1);
}

/* The note at @at of a section that ends at @end; the last may lack its padding. */
static int elf_note_read(struct elf_file *f, uint64_t at, uint64_t end, uint64_t align,
			 struct elf_note *ret)
{
	const uint8_t *p;
	int r;

	if (end - at < sizeof(Elf64_Nhdr))
		return -EBADMSG;
	r = elf_file_get(f, ELF_TABLES, at, sizeof(Elf64_Nhdr), &p);
	if (r < 0)
		return r;
	ret->namesz = elf_word(p + offsetof(Elf64_Nhdr, n_namesz));
	ret->descsz = elf_word(p + offsetof(Elf64_Nhdr, n_descsz));
	ret->name = at + sizeof(Elf64_Nhdr);
	ret->desc = at + elf_align(sizeof(Elf64_Nhdr) + (uint64_t)ret->namesz, align);
	if (ret->desc > end || ret->descsz > end - ret->desc)
		return -EBADMSG;
	ret->next = ret->desc + elf_align(ret->descsz, align);
	return 0;
}

/* The owner's name, which counts its NUL. */
static int elf_note_is(struct elf_file *f, const struct elf_note *note, const char *owner)
{
	size_t n = strlen(owner) + 1;
	const uint8_t *p;
	int r;

	if (note->namesz != n || n > ELF_OWNER_MAX)
		return 0;
	r = elf_file_get(f, ELF_TABLES, note->name, n, &p);
	return r < 0 ? r : memcmp(p, owner, n) == 0;
}

static int elf_note_find(struct elf_file *f, const struct elf_section *s, const char *owner,
			 struct elf_note *ret)
{
	uint64_t at = s->off, end, align = s->align == 8 ? 8 : 4;
	int r;

	if (__builtin_add_overflow(s->off, s->size, &end) || end > f->size)
		return -EBADMSG;
	for (size_t i = 0; at < end && i < ELF_NOTES_MAX; i++, at = ret->next) {
		r = elf_note_read(f, at, end, align, ret);
		if (r == 0 && owner)
			r = elf_note_is(f, ret, owner);
		else if (r == 0)
			r = 1;
		if (r)
			return r < 0 ? r : 0;
	}
	return -ENOENT;
}

int elf_note(struct arena *a, int fd, const char *section, const char *owner, const char **ret)
{
	struct elf_file f;
	struct elf_section s = { 0 };
	struct elf_note note = { 0 };
	char *desc;
	int r = elf_file_fd(&f, fd);

	if (r == 0)
		r = elf_section_find(&f, section, &s);
	if (r == 0)
		r = elf_note_find(&f, &s, owner, &note);
	if (r < 0)
		return r;
	if (note.descsz > ELF_NOTE_MAX)
		return -EFBIG;
	desc = arena_alloc(a, (size_t)note.descsz + 1);
	r = elf_file_copy(&f, note.desc, desc, note.descsz);
	if (r == 0)
		*ret = desc;
	return r;
}

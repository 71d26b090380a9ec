/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf.c - what the dynamic linker would want to know, found the way it finds it: program
 * headers, PT_DYNAMIC, and addresses in there translated through PT_LOAD.  Section headers are
 * for debuggers; a stripped library may have none.
 */
#include <gpurun/elf.h>

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>

#include <gpurun/str.h>

#include "elf_file.h"

#define ELF_PHDRS_MAX    256U
#define ELF_LOADS_MAX    64U
#define ELF_DYNAMIC_MAX  4096U /* entries */
#define ELF_VERSIONS_MAX 4096U /* names in a chain of versions */
#define ELF_NAME_MAX     1024U /* of a library or a version */

struct elf_segment {
	uint64_t off, addr, size; /* in the file */
};

/* What the program headers say. */
struct elf_segments {
	struct elf_segment loads[ELF_LOADS_MAX];
	size_t n_loads;
	struct elf_segment interp, dynamic;
	bool has_interp, has_dynamic;
};

/* What PT_DYNAMIC says; as in the dynamic linker the last entry of a kind counts. */
struct elf_dynamic {
	uint64_t strtab, strsz, soname, verneed, verdef;
	bool has_strtab, has_soname, has_verneed, has_verdef;
	uint64_t str_off, str_end; /* strtab in the file */
};

static int elf_segment_take(struct elf_segments *s, uint64_t type, struct elf_segment seg)
{
	if (type == PT_LOAD) {
		if (s->n_loads == ELF_LOADS_MAX)
			return -EBADMSG;
		s->loads[s->n_loads++] = seg;
	} else if (type == PT_DYNAMIC) {
		s->dynamic = seg;
		s->has_dynamic = true;
	} else if (type == PT_INTERP) {
		s->interp = seg;
		s->has_interp = true;
	}
	return 0;
}

static int elf_segments_read(struct elf_file *f, uint64_t off, size_t n, struct elf_segments *ret)
{
	const struct elf_layout *l = f->layout;
	const uint8_t *p;

	ret->n_loads = 0;
	ret->has_interp = ret->has_dynamic = false;
	for (size_t i = 0; i < n; i++, off += l->phdr) {
		struct elf_segment seg;
		int r = elf_file_get(f, ELF_TABLES, off, l->phdr, &p);

		if (r < 0)
			return r;
		seg.off = elf_number(p + l->p_offset, l->word);
		seg.addr = elf_number(p + l->p_vaddr, l->word);
		seg.size = elf_number(p + l->p_filesz, l->word);
		r = elf_segment_take(ret, elf_word(p + l->p_type), seg);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The place in the file of the @len bytes that are loaded at @addr. */
static int elf_translate(const struct elf_segments *s, uint64_t addr, uint64_t len, uint64_t *ret)
{
	for (size_t i = 0; i < s->n_loads; i++) {
		const struct elf_segment *seg = &s->loads[i];
		uint64_t at = addr - seg->addr;

		if (addr < seg->addr || at >= seg->size)
			continue;
		if (len > seg->size - at || __builtin_add_overflow(seg->off, at, ret))
			return -EBADMSG;
		return 0;
	}
	return -EBADMSG;
}

/* Entry @i of PT_DYNAMIC; 0 behind the last, 1 when there is one. */
static int elf_dynamic_entry(struct elf_file *f, const struct elf_segment *seg, size_t i,
			     uint64_t *ret_tag, uint64_t *ret_value)
{
	size_t word = f->layout->word;
	const uint8_t *p;
	int r;

	if (i >= seg->size / (2 * word))
		return 0;
	if (i >= ELF_DYNAMIC_MAX)
		return -EBADMSG;
	r = elf_file_get(f, ELF_TABLES, seg->off + i * 2 * word, 2 * word, &p);
	if (r < 0)
		return r;
	*ret_tag = elf_number(p, word);
	*ret_value = elf_number(p + word, word);
	return *ret_tag != DT_NULL;
}

static void elf_dynamic_take(struct elf_dynamic *d, uint64_t tag, uint64_t value)
{
	switch (tag) {
	case DT_STRTAB:
		d->strtab = value;
		d->has_strtab = true;
		break;
	case DT_STRSZ:
		d->strsz = value;
		break;
	case DT_SONAME:
		d->soname = value;
		d->has_soname = true;
		break;
	case DT_VERNEED:
		d->verneed = value;
		d->has_verneed = true;
		break;
	case DT_VERDEF:
		d->verdef = value;
		d->has_verdef = true;
		break;
	default:
		break;
	}
}

static int elf_dynamic_read(struct elf_file *f, const struct elf_segments *s,
			    struct elf_dynamic *ret)
{
	uint64_t tag, value;
	int r;

	*ret = (struct elf_dynamic){ 0 };
	for (size_t i = 0; (r = elf_dynamic_entry(f, &s->dynamic, i, &tag, &value)) > 0; i++)
		elf_dynamic_take(ret, tag, value);
	if (r == 0 && ret->has_strtab) {
		r = elf_translate(s, ret->strtab, ret->strsz, &ret->str_off);
		if (r == 0 && __builtin_add_overflow(ret->str_off, ret->strsz, &ret->str_end))
			r = -EBADMSG;
	}
	return r;
}

/* The string @at of the dynamic string table. */
static int elf_name(struct elf_file *f, const struct elf_dynamic *d, uint64_t at, const char **ret)
{
	if (at >= d->str_end - d->str_off) /* also when there is no table */
		return -EBADMSG;
	return elf_file_str(f, ELF_STRINGS, d->str_off + at, d->str_end, ELF_NAME_MAX, ret);
}

/* One number of at most four digits; the rest of the text, or NULL. */
static const char *elf_version_part(const char *s, uint32_t *ret)
{
	size_t n = strspn(s, "0123456789");
	uint32_t v = 0;

	if (n < 1 || n > 4)
		return NULL;
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (uint32_t)(s[i] - '0');
	*ret = v;
	return s + n;
}

/*
 * "GLIBC_2.34", "GLIBC_2.2.5" (2.2); 0 for the names of others and for GLIBC_PRIVATE.
 * GLIBC_ABI_DT_RELR stands for what glibc 2.36 brought: an older one refuses the library.
 */
static uint32_t elf_glibc_version(const char *name)
{
	const char *s = str_after(name, "GLIBC_");
	uint32_t major, minor;

	if (!s)
		return 0;
	if (str_eq(s, "ABI_DT_RELR"))
		return ELF_VERSION(2, 36);
	s = elf_version_part(s, &major);
	if (!s || *s != '.')
		return 0;
	s = elf_version_part(s + 1, &minor);
	return s && (*s == '\0' || *s == '.') ? ELF_VERSION(major, minor) : 0;
}

/*
 * DT_VERNEED and DT_VERDEF have one form: a chain of records, each with a chain of names.  Like
 * the dynamic linker we go by the links, not by the counts; a link leads forward or ends.
 */
struct elf_chain {
	size_t record, aux, next;        /* a record: its size, links to its names and on */
	size_t name, name_at, name_next; /* a name: size, text, link to the next */
};

/* The two classes have the same layout. */
static const struct elf_chain elf_verneed = {
	.record = sizeof(Elf64_Verneed),
	.aux = offsetof(Elf64_Verneed, vn_aux),
	.next = offsetof(Elf64_Verneed, vn_next),
	.name = sizeof(Elf64_Vernaux),
	.name_at = offsetof(Elf64_Vernaux, vna_name),
	.name_next = offsetof(Elf64_Vernaux, vna_next),
};
static const struct elf_chain elf_verdef = {
	.record = sizeof(Elf64_Verdef),
	.aux = offsetof(Elf64_Verdef, vd_aux),
	.next = offsetof(Elf64_Verdef, vd_next),
	.name = sizeof(Elf64_Verdaux),
	.name_at = offsetof(Elf64_Verdaux, vda_name),
	.name_next = offsetof(Elf64_Verdaux, vda_next),
};

/* The newest glibc version among the names of the record at @at. */
static int elf_chain_names(struct elf_file *f, const struct elf_dynamic *d,
			   const struct elf_chain *c, uint64_t at, size_t *budget, uint32_t *newest)
{
	const uint8_t *p;
	const char *name;
	uint32_t next, v;
	int r;

	do {
		if ((*budget)-- == 0)
			return -EBADMSG;
		r = elf_file_get(f, ELF_TABLES, at, c->name, &p);
		if (r < 0)
			return r;
		next = elf_word(p + c->name_next);
		r = elf_name(f, d, elf_word(p + c->name_at), &name);
		if (r < 0)
			return r;
		v = elf_glibc_version(name);
		if (v > *newest)
			*newest = v;
		at += next;
	} while (next);
	return 0;
}

static int elf_chain_read(struct elf_file *f, const struct elf_segments *s,
			  const struct elf_dynamic *d, const struct elf_chain *c, uint64_t addr,
			  uint32_t *ret)
{
	size_t budget = ELF_VERSIONS_MAX;
	const uint8_t *p;
	uint64_t at;
	uint32_t aux, next;
	int r = elf_translate(s, addr, c->record, &at);

	if (r < 0)
		return r;
	do {
		r = elf_file_get(f, ELF_TABLES, at, c->record, &p);
		if (r < 0)
			return r;
		aux = elf_word(p + c->aux);
		next = elf_word(p + c->next);
		r = elf_chain_names(f, d, c, at + aux, &budget, ret);
		if (r < 0)
			return r;
		at += next;
	} while (next);
	return 0;
}

/* Everything that PT_DYNAMIC leads to. */
static int elf_linking_read(struct elf_file *f, struct arena *a, const struct elf_segments *s,
			    struct elf_info *ret)
{
	struct elf_dynamic d;
	int r = elf_dynamic_read(f, s, &d);

	if (r == 0 && d.has_soname) {
		r = elf_name(f, &d, d.soname, &ret->soname);
		if (r == 0)
			ret->soname = arena_strdup(a, ret->soname);
	}
	if (r == 0 && d.has_verdef)
		r = elf_chain_read(f, s, &d, &elf_verdef, d.verdef, &ret->glibc_defined);
	if (r == 0 && d.has_verneed)
		r = elf_chain_read(f, s, &d, &elf_verneed, d.verneed, &ret->glibc_needed);
	return r;
}

static int elf_interp_read(struct elf_file *f, struct arena *a, const struct elf_segment *seg,
			   const char **ret)
{
	const char *path;
	uint64_t end;
	int r;

	if (__builtin_add_overflow(seg->off, seg->size, &end))
		return -EBADMSG;
	r = elf_file_str(f, ELF_TABLES, seg->off, end, PATH_MAX, &path);
	if (r == 0)
		*ret = arena_strdup(a, path);
	return r;
}

static int elf_info_read(struct elf_file *f, struct arena *a, struct elf_info *ret)
{
	const struct elf_layout *l = f->layout;
	struct elf_segments segments;
	struct elf_info info = { .bits = l->bits };
	const uint8_t *p;
	uint64_t phoff;
	size_t phnum;
	int r = elf_file_get(f, ELF_TABLES, 0, l->ehdr, &p);

	if (r < 0)
		return r;
	info.machine = elf_half(p + offsetof(Elf64_Ehdr, e_machine)); /* the same in both */
	phoff = elf_number(p + l->phoff, l->word);
	phnum = elf_half(p + l->phnum);
	if (phnum > ELF_PHDRS_MAX || (phnum && elf_half(p + l->phentsize) != l->phdr))
		return -EBADMSG;
	r = elf_segments_read(f, phoff, phnum, &segments);
	if (r == 0 && segments.has_interp)
		r = elf_interp_read(f, a, &segments.interp, &info.interp);
	if (r == 0 && segments.has_dynamic)
		r = elf_linking_read(f, a, &segments, &info);
	if (r == 0)
		*ret = info;
	return r;
}

int elf_parse(struct arena *a, const void *file, size_t len, struct elf_info *ret)
{
	struct elf_file f;
	int r = elf_file_memory(&f, file, len);

	return r < 0 ? r : elf_info_read(&f, a, ret);
}

int elf_read(struct arena *a, int fd, struct elf_info *ret)
{
	ELF_UNSET struct elf_file f; /* of which nothing is used that was not read */
	int r = elf_file_fd(&f, fd);

	return r < 0 ? r : elf_info_read(&f, a, ret);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ELF files made by hand in both classes, damaged in every byte, and those of this machine. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <sys/mman.h>

#include <gpurun/elf.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "tap.h"

#define BASE   0x10000U /* where the file is loaded: an address is no offset */
#define INTERP "/lib64/ld-test.so.2"
#define NOTE   "{\"format\":1}"

/* A file that grows. */
struct image {
	uint8_t b[1 << 17];
	size_t n;
	unsigned int bits;
	size_t phdrs, dynamic, notes; /* where they are */
};

static size_t put(struct image *f, uint64_t v, size_t n)
{
	size_t at = f->n;

	for (size_t i = 0; i < n; i++)
		f->b[f->n++] = i < sizeof(v) ? (uint8_t)(v >> 8 * i) : 0;
	return at;
}

static void word(struct image *f, uint64_t v)
{
	(void)put(f, v, f->bits / 8);
}

static size_t bytes(struct image *f, const void *p, size_t n)
{
	size_t at = f->n;

	memcpy(f->b + at, p, n);
	f->n += n;
	return at;
}

static void align(struct image *f)
{
	while (f->n % 8)
		(void)put(f, 0, 1);
}

/* Write over what is there. */
static void poke(struct image *f, size_t at, uint64_t v, size_t n)
{
	size_t end = f->n;

	f->n = at;
	(void)put(f, v, n);
	f->n = end;
}

static void segment(struct image *f, uint32_t type, uint64_t off, uint64_t size)
{
	(void)put(f, type, 4);
	if (f->bits == 64)
		(void)put(f, PF_R, 4);
	word(f, off);
	word(f, BASE + off);
	word(f, BASE + off);
	word(f, size);
	word(f, size);
	if (f->bits == 32)
		(void)put(f, PF_R, 4);
	word(f, 8);
}

static void section(struct image *f, uint32_t name, uint32_t type, uint64_t off, uint64_t size)
{
	(void)put(f, name, 4);
	(void)put(f, type, 4);
	word(f, 0);
	word(f, 0);
	word(f, off);
	word(f, size);
	(void)put(f, 0, 8);
	word(f, 4);
	word(f, 0);
}

static size_t note(struct image *f, const char *owner, const char *desc)
{
	size_t at = put(f, strlen(owner) + 1, 4);

	(void)put(f, strlen(desc), 4);
	(void)put(f, 1, 4);
	(void)bytes(f, owner, strlen(owner) + 1);
	while (f->n % 4)
		(void)put(f, 0, 1);
	(void)bytes(f, desc, strlen(desc));
	while (f->n % 4)
		(void)put(f, 0, 1);
	return at;
}

static const char strings[] = "\0libtest.so.1\0libc.so.6\0libm.so.6\0GLIBC_2.2.5\0GLIBC_2.34\0"
			      "GLIBC_PRIVATE\0GLIBC_2.9\0OTHER_9.9\0GLIBC_2.3x";

static uint32_t string(const char *s)
{
	for (const char *p = strings + 1; p < strings + sizeof(strings); p += strlen(p) + 1)
		if (strcmp(p, s) == 0)
			return (uint32_t)(p - strings);
	abort();
}

static void need(struct image *f, const char *version, uint32_t next)
{
	(void)put(f, 0, 8); /* hash, flags, index */
	(void)put(f, string(version), 4);
	(void)put(f, next, 4);
}

static size_t versions_needed(struct image *f)
{
	size_t at = put(f, 1, 2);

	(void)put(f, 3, 2);
	(void)put(f, string("libc.so.6"), 4);
	(void)put(f, 16, 4);
	(void)put(f, 16 + 3 * 16, 4); /* the next library */
	need(f, "GLIBC_2.2.5", 16);
	need(f, "GLIBC_PRIVATE", 16);
	need(f, "GLIBC_2.34", 0);
	(void)put(f, 1, 2);
	(void)put(f, 2, 2);
	(void)put(f, string("libm.so.6"), 4);
	(void)put(f, 16, 4);
	(void)put(f, 0, 4);
	need(f, "GLIBC_2.9", 16);
	need(f, "OTHER_9.9", 0);
	return at;
}

static size_t versions_defined(struct image *f)
{
	static const char *const names[] = { "libtest.so.1", "GLIBC_2.2.5", "GLIBC_2.9",
					     "GLIBC_2.3x" };
	size_t at = f->n;

	for (size_t i = 0; i < ELEMENTS(names); i++) {
		(void)put(f, 1, 2);
		(void)put(f, i == 0, 2);
		(void)put(f, i + 1, 2);
		(void)put(f, 1, 2);
		(void)put(f, 0, 4);
		(void)put(f, 20, 4);
		(void)put(f, i + 1 < ELEMENTS(names) ? 28 : 0, 4);
		(void)put(f, string(names[i]), 4);
		(void)put(f, 0, 4);
	}
	return at;
}

static void header(struct image *f, unsigned int bits)
{
	static const uint8_t magic[] = { 0x7f, 'E', 'L', 'F' };
	bool wide = bits == 64;

	memset(f, 0, sizeof(*f));
	f->bits = bits;
	(void)bytes(f, magic, sizeof(magic));
	(void)put(f, wide ? ELFCLASS64 : ELFCLASS32, 1);
	(void)put(f, ELFDATA2LSB, 1);
	(void)put(f, EV_CURRENT, 1);
	(void)put(f, 0, 9);
	(void)put(f, ET_DYN, 2);
	(void)put(f, wide ? EM_X86_64 : EM_386, 2);
	(void)put(f, EV_CURRENT, 4);
	word(f, 0);
	word(f, wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
	word(f, 0); /* sections: later */
	(void)put(f, 0, 4);
	(void)put(f, wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr), 2);
	(void)put(f, wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr), 2);
	(void)put(f, 3, 2);
	(void)put(f, wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr), 2);
	(void)put(f, 3, 2);
	(void)put(f, 2, 2);
}

static void entry(struct image *f, uint64_t tag, uint64_t value)
{
	word(f, tag);
	word(f, value);
}

/* Three notes in one section, and the section headers. */
static void sections(struct image *f)
{
	static const char names[] = "\0.note.test\0.shstrtab";
	size_t notes_end, str;

	f->notes = note(f, "Somebody", "no");
	(void)note(f, "TEST", NOTE);
	(void)note(f, "TEST", "a later one");
	notes_end = f->n;
	str = bytes(f, names, sizeof(names));
	align(f);
	poke(f, f->bits == 64 ? offsetof(Elf64_Ehdr, e_shoff) : offsetof(Elf32_Ehdr, e_shoff), f->n,
	     f->bits / 8);
	section(f, 0, SHT_NULL, 0, 0);
	section(f, 1, SHT_NOTE, f->notes, notes_end - f->notes);
	section(f, 12, SHT_STRTAB, str, sizeof(names));
}

/* A whole library. */
static void build(struct image *f, unsigned int bits)
{
	size_t interp, str, vneed, vdef, end, loaded;

	header(f, bits);
	f->phdrs = f->n;
	for (int i = 0; i < 3; i++)
		segment(f, PT_NULL, 0, 0);
	interp = bytes(f, INTERP, sizeof(INTERP));
	str = bytes(f, strings, sizeof(strings));
	align(f);
	vneed = versions_needed(f);
	vdef = versions_defined(f);
	align(f);
	f->dynamic = f->n;
	entry(f, DT_NEEDED, string("libc.so.6"));
	entry(f, DT_SONAME, string("libtest.so.1"));
	entry(f, DT_NEEDED, string("libm.so.6"));
	entry(f, DT_STRTAB, BASE + str);
	entry(f, DT_STRSZ, sizeof(strings));
	entry(f, DT_VERNEED, BASE + vneed);
	entry(f, DT_VERDEF, BASE + vdef);
	entry(f, DT_NULL, 0);
	entry(f, DT_NEEDED, 0xffff); /* behind the end: not looked at */
	loaded = f->n;
	sections(f);
	end = f->n;
	f->n = f->phdrs;
	segment(f, PT_LOAD, 0, loaded);
	segment(f, PT_DYNAMIC, f->dynamic, loaded - f->dynamic);
	segment(f, PT_INTERP, interp, sizeof(INTERP));
	f->n = end;
}

static int memory_file(const void *p, size_t n)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, p, n) < 0)
		abort();
	return fd;
}

static void check_info(const struct elf_info *i, unsigned int bits, const char *how)
{
	is_int(i->bits, bits, "%s %u: class", how, bits);
	is_int(i->machine, bits == 64 ? EM_X86_64 : EM_386, "%s %u: machine", how, bits);
	is_str(i->interp, INTERP, "%s %u: interpreter", how, bits);
	is_str(i->soname, "libtest.so.1", "%s %u: soname", how, bits);
	is_int(i->glibc_needed, ELF_VERSION(2, 34), "%s %u: newest needed", how, bits);
	is_int(i->glibc_defined, ELF_VERSION(2, 9), "%s %u: newest defined", how, bits);
}

static void test_made(struct arena *a, struct image *f, unsigned int bits)
{
	struct elf_info i = { 0 };
	_cleanup_fd_ int fd = -1;
	const char *text = NULL;

	build(f, bits);
	is_int(elf_parse(a, f->b, f->n, &i), 0, "parse %u", bits);
	check_info(&i, bits, "parse");
	fd = memory_file(f->b, f->n);
	i = (struct elf_info){ 0 };
	is_int(elf_read(a, fd, &i), 0, "read %u", bits);
	check_info(&i, bits, "read");
	is_int(elf_note(a, fd, ".note.test", "TEST", &text), 0, "note %u", bits);
	is_str(text, NOTE, "the first of its owner");
	is_int(elf_note(a, fd, ".note.test", NULL, &text), 0, "note of anybody");
	is_str(text, "no", "the first");
	is_int(elf_note(a, fd, ".note.test", "TES", &text), -ENOENT, "owner: the whole name");
	is_int(elf_note(a, fd, ".note.tes", NULL, &text), -ENOENT, "section: the whole name");
	is_int(elf_note(a, fd, ".shstrtab", NULL, &text), -ENOENT, "a section of another type");
}

/* Both ways to read agree, and nothing but success or -EBADMSG comes out. */
static bool is_sane(const uint8_t *b, size_t n)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	_cleanup_fd_ int fd = memory_file(b, n);
	struct elf_info i = { 0 }, k = { 0 };
	const char *text = NULL;
	int r = elf_parse(a, b, n, &i), s = elf_read(a, fd, &k);
	int t = elf_note(a, fd, ".note.test", "TEST", &text);

	if (r != s || (r && r != -EBADMSG) || i.glibc_needed != k.glibc_needed ||
	    i.glibc_defined != k.glibc_defined)
		return false;
	return t == 0 ? text != NULL : t == -ENOENT || t == -EBADMSG || t == -EFBIG;
}

static void test_damaged(struct image *f, unsigned int bits)
{
	static const uint8_t masks[] = { 0xff, 0x01, 0x80, 0x10 };
	size_t bad = 0;

	build(f, bits);
	for (size_t n = 0; n < f->n; n++)
		bad += !is_sane(f->b, n);
	is_int(bad, 0, "%u: every truncation of %zu bytes", bits, f->n);
	bad = 0;
	for (size_t i = 0; i < f->n; i++)
		for (size_t m = 0; m < ELEMENTS(masks); m++) {
			f->b[i] ^= masks[m];
			bad += !is_sane(f->b, f->n);
			f->b[i] ^= masks[m];
		}
	is_int(bad, 0, "%u: every byte changed", bits);
}

static int parse(struct arena *a, const struct image *f)
{
	struct elf_info i = { 0 };

	return elf_parse(a, f->b, f->n, &i);
}

static void test_refused(struct arena *a, struct image *f)
{
	_cleanup_fd_ int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_fd_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct elf_info i = { .bits = 7 };

	build(f, 64);
	f->b[EI_DATA] = ELFDATA2MSB;
	is_int(parse(a, f), -EBADMSG, "big endian");
	build(f, 64);
	f->b[EI_CLASS] = 3;
	is_int(parse(a, f), -EBADMSG, "a class that does not exist");
	is_int(elf_parse(a, "#!/bin/sh\n# a script\n", 21, &i), -EBADMSG, "a script");
	is_int(elf_parse(a, "", 0, &i), -EBADMSG, "an empty file");
	is_int(elf_read(a, dir, &i), -EISDIR, "a directory");
	is_int(elf_read(a, null, &i), -EINVAL, "a device");
	is_int(elf_read(a, -1, &i), -EBADF, "no descriptor");
	is_int(i.bits, 7, "nothing is written on failure");
}

static void test_static(struct arena *a, struct image *f)
{
	struct elf_info i = { 0 };

	build(f, 64);
	poke(f, f->phdrs + sizeof(Elf64_Phdr), PT_NULL, 4);
	poke(f, f->phdrs + 2 * sizeof(Elf64_Phdr), PT_NULL, 4);
	is_int(elf_parse(a, f->b, f->n, &i), 0, "neither PT_DYNAMIC nor PT_INTERP");
	ok(!i.interp && !i.soname && i.glibc_needed == 0, "a static program");
	poke(f, offsetof(Elf64_Ehdr, e_phnum), 0, 2);
	is_int(elf_parse(a, f->b, f->n, &i), 0, "no program headers at all");
	poke(f, offsetof(Elf64_Ehdr, e_shnum), 0, 2);
	{
		_cleanup_fd_ int fd = memory_file(f->b, f->n);
		const char *text;

		is_int(elf_note(a, fd, ".note.test", NULL, &text), -ENOENT, "no sections");
	}
}

/* A dynamic section of @n entries, the first two of which matter, in place of the one that is there. */
static void build_dynamic(struct image *f, size_t n)
{
	size_t end;

	build(f, 64);
	align(f);
	f->dynamic = f->n;
	entry(f, DT_STRTAB, BASE + sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr) + sizeof(INTERP));
	entry(f, DT_STRSZ, sizeof(strings));
	for (size_t i = 2; i < n; i++)
		entry(f, DT_NEEDED, string("libm.so.6"));
	end = f->n;
	f->n = f->phdrs;
	segment(f, PT_LOAD, 0, end);
	segment(f, PT_DYNAMIC, f->dynamic, end - f->dynamic);
	f->n = end;
}

static void test_limits(struct arena *a, struct image *f)
{
	build_dynamic(f, 4096);
	is_int(parse(a, f), 0, "4096 dynamic entries; the segment ends without DT_NULL");
	ok(is_sane(f->b, f->n), "by pread, too");
	build_dynamic(f, 4097);
	is_int(parse(a, f), -EBADMSG, "4097 are too many");
	build(f, 64);
	poke(f, offsetof(Elf64_Ehdr, e_phnum), 257, 2);
	is_int(parse(a, f), -EBADMSG, "257 program headers");
	build(f, 64);
	poke(f, f->phdrs + offsetof(Elf64_Phdr, p_filesz), 16, 8);
	is_int(parse(a, f), -EBADMSG, "addresses that no segment holds");
	build(f, 64);
	poke(f, f->phdrs + offsetof(Elf64_Phdr, p_offset), UINT64_MAX - 8, 8);
	is_int(parse(a, f), -EBADMSG, "an offset that overflows");
}

/* A note as large as allowed, and one larger. */
static void test_note_size(struct arena *a, struct image *f)
{
	static const size_t sizes[] = { ELF_NOTE_MAX, ELF_NOTE_MAX + 1 };
	static const int want[] = { 0, -EFBIG };

	for (size_t i = 0; i < ELEMENTS(sizes); i++) {
		size_t size = sizes[i], off;
		_cleanup_fd_ int fd = -1;
		const char *text = NULL;

		build(f, 64);
		poke(f, f->notes + 4, size, 4);
		off = f->n - 2 * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_size);
		poke(f, off, size + 64, 8);
		fd = memory_file(f->b, f->n);
		if (ftruncate(fd, 1 << 20) < 0)
			abort();
		is_int(elf_note(a, fd, ".note.test", NULL, &text), want[i], "%zu bytes", size);
	}
}

/* What readelf says, through a filter of the shell; "" when there is nothing. */
static const char *readelf(struct arena *a, const char *options, const char *file,
			   const char *filter)
{
	const char *command = arena_printf(a, "LC_ALL=C readelf -W %s %s 2>/dev/null | %s", options,
					   file, filter);
	FILE *p = popen(command, "r");
	char *out = arena_alloc(a, 65536);
	size_t n = p ? fread(out, 1, 65535, p) : 0;

	if (!p || pclose(p) != 0)
		return NULL;
	out[n] = '\0';
	return out;
}

static const char *version(struct arena *a, uint32_t v)
{
	return v ? arena_printf(a, "%u.%u\n", ELF_VERSION_MAJOR(v), ELF_VERSION_MINOR(v)) : "";
}

static void test_real(struct arena *a, const char *file)
{
	_cleanup_fd_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct elf_info i = { 0 };

	is_int(elf_read(a, fd, &i), 0, "%s", file);
	is_str(i.soname ? arena_printf(a, "%s\n", i.soname) : "",
	       readelf(a, "-d", file, "sed -n 's/.*(SONAME).*\\[\\(.*\\)\\]/\\1/p'"),
	       "its name, as readelf sees it");
	is_str(version(a, i.glibc_needed),
	       readelf(a, "-V", file,
		       "sed -n '/needs section/,$s/.*GLIBC_\\([0-9]*[.][0-9]*\\).*/\\1/p' | "
		       "sort -V | tail -n 1"),
	       "the version that it needs");
}

/* Of this program's C library: where it is, and its version; NULL: not of GNU. */
static const char *libc_version(struct arena *a, const char **ret_file)
{
	void *f = dlsym(RTLD_DEFAULT, "gnu_get_libc_version");
	const char *(*ask)(void);
	Dl_info libc;

	if (!f)
		return NULL;
	if (!dladdr(f, &libc))
		abort();
	memcpy(&ask, &f, sizeof(ask));
	*ret_file = arena_strdup(a, libc.dli_fname);
	return arena_printf(a, "%s\n", ask());
}

static void test_machine(struct arena *a)
{
	const char *libc = NULL, *want = libc_version(a, &libc);
	struct elf_info i = { 0 };
	_cleanup_fd_ int fd = -1;
	char self[PATH_MAX] = "";

	if (!readelf(a, "--version", "", "grep -q readelf")) {
		skip("no readelf");
		return;
	}
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		abort();
	test_real(a, self);
	if (!want) {
		skip("the C library is not GNU's");
		return;
	}
	test_real(a, libc);
	fd = open(libc, O_RDONLY | O_CLOEXEC);
	is_int(elf_read(a, fd, &i), 0, "%s", libc);
	is_str(version(a, i.glibc_defined), want, "libc.so.6 is of the version that it says");
	is_str(i.soname, "libc.so.6", "its soname");
	is_int(i.bits, 8 * sizeof(void *), "its class");
}

int main(void)
{
	static struct image f;
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_made(a, &f, 64);
	test_made(a, &f, 32);
	test_refused(a, &f);
	test_static(a, &f);
	test_limits(a, &f);
	test_note_size(a, &f);
	test_damaged(&f, 64);
	test_damaged(&f, 32);
	test_machine(a);
	return done_testing();
}

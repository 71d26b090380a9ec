/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is found out about an image's C library, ld.so.cache and driver libraries: the same from
 * layers, from the flattened tree and from a directory, nothing from outside of the image,
 * whatever its links say, and never again once it is recorded.
 */
#include <elf.h>
#include <sys/sysmacros.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include <gpurun/str.h>

#include "../../src/store/abi.h"
#include "../../src/store/record.h"
#include "stores.h"

#define LAYERS_MAX 4

/* ---- shared objects --------------------------------------------------------------------- */

#define NOTE      "{\"format\":1,\"driver\":[535]}"
#define NOTE_NAME ".note.cuda.fwd_compatibility"

/* The least that defines a version, or has a note. */
struct object {
	Elf64_Ehdr head;
	Elf64_Phdr load, dynamic;
	Elf64_Dyn dyn[5];
	Elf64_Verdef def;
	Elf64_Verdaux aux;
	char names[64];
	Elf64_Nhdr note;
	char owner[20], desc[64];
	Elf64_Shdr sections[3];
};

#define AT(member) offsetof(struct object, member)

static struct bytes object(uint16_t machine, const char *version, const char *note)
{
	struct object o = {
		.head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_DYN,
			  .e_machine = machine,
			  .e_version = EV_CURRENT,
			  .e_phoff = AT(load),
			  .e_shoff = AT(sections),
			  .e_ehsize = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 2,
			  .e_shentsize = sizeof(Elf64_Shdr),
			  .e_shnum = 3,
			  .e_shstrndx = 1 },
		.load = { .p_type = PT_LOAD, .p_filesz = sizeof(o), .p_memsz = sizeof(o) },
		.dynamic = { .p_type = PT_DYNAMIC,
			     .p_offset = AT(dyn),
			     .p_vaddr = AT(dyn),
			     .p_filesz = sizeof(o.dyn),
			     .p_memsz = sizeof(o.dyn) },
		.dyn = { { DT_STRTAB, { AT(names) } },
			 { DT_STRSZ, { sizeof(o.names) } },
			 { DT_VERDEF, { AT(def) } },
			 { DT_VERDEFNUM, { 1 } } },
		.def = { .vd_version = 1, .vd_ndx = 2, .vd_cnt = 1, .vd_aux = AT(aux) - AT(def) },
		.aux = { .vda_name = 1 },
		.note = { .n_namesz = sizeof("NVIDIA Corporation"), .n_type = 1 },
		.owner = "NVIDIA Corporation",
	};
	struct bytes b = { 0 };

	snprintf(o.names + 1, 20, "GLIBC_%s", version);
	snprintf(o.names + 20, 40, NOTE_NAME);
	if (note) {
		o.note.n_descsz = (Elf64_Word)strlen(note);
		memcpy(o.desc, note, strlen(note));
	}
	o.sections[1] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
				      .sh_offset = AT(names),
				      .sh_size = sizeof(o.names) };
	o.sections[2] = (Elf64_Shdr){ .sh_name = 20,
				      .sh_type = note ? SHT_NOTE : SHT_NULL,
				      .sh_offset = AT(note),
				      .sh_size = sizeof(o.note) + sizeof(o.owner) + sizeof(o.desc),
				      .sh_addralign = 4 };
	bytes_add(&b, &o, sizeof(o));
	return b;
}

/* What layers call by "$NAME" */
static struct bytes object_called(const char *name)
{
	switch (*name) {
	case '1':
		return object(EM_X86_64, "2.31", NULL);
	case '6':
		return object(EM_X86_64, "2.36", NULL);
	case 'a':
		return object(EM_AARCH64, "2.31", NULL);
	case 'n':
		return object(EM_X86_64, "2.2.5", NOTE);
	default:
		die(name);
		return (struct bytes){ 0 };
	}
}

/* A layer's text with "$NAME" as the bytes of an object */
static const char *expand(const char *spec)
{
	struct bytes out = { 0 };

	for (; *spec; spec++) {
		struct bytes o;

		if (*spec != '$') {
			bytes_add(&out, spec, 1);
			continue;
		}
		o = object_called(++spec);
		for (size_t i = 0; i < o.n; i++)
			bytes_add(&out, text_of("%%%02x", o.p[i]), 3);
	}
	return (char *)out.p;
}

/* ---- what was found, as text ------------------------------------------------------------ */

static void add_list(struct bytes *out, const char *key, const struct strv *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *text = text_of(" %s=%s", key, list->v[i]);

		bytes_add(out, text, strlen(text));
	}
}

/* Of the cache its contents, which tell whose file it is. */
static const char *abi_text(const struct image_abi *abi)
{
	static const char *const libc[] = { "none", "glibc", "musl" };
	const char *text = text_of("%s", libc[abi->libc]);
	struct bytes out = { 0 };

	if (abi->glibc)
		text = text_of("%s %u.%u", text, abi->glibc >> 16, abi->glibc & 0xffff);
	if (abi->libdir)
		text = text_of("%s %s", text, abi->libdir);
	if (abi->glibc32)
		text = text_of("%s +32", text);
	if (abi->ld_cache)
		text = text_of("%s cache=%s", text, contents_text(AT_FDCWD, abi->ld_cache));
	bytes_add(&out, text, strlen(text));
	add_list(&out, "driver", &abi->drivers);
	add_list(&out, "compat", &abi->compat);
	if (abi->compat_note)
		bytes_add(&out, " note", 5);
	if (abi->compat_note && strcmp(abi->compat_note, NOTE) != 0)
		bytes_add(&out, "?", 1);
	return (char *)out.p;
}

/* ---- images in layers ------------------------------------------------------------------- */

#define LIB  "usr/lib/x86_64-linux-gnu"
#define ROOT "d etc; d usr; d usr/lib; d usr/lib64; d usr/local; "
/* Debian since 12 */
#define MERGED                                                                                     \
	ROOT "f etc/ld.so.cache one; d " LIB "; l lib usr/lib; l lib64 usr/lib64; "                \
	     "l usr/lib64/ld-linux-x86-64.so.2 ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2; "     \
	     "f " LIB "/ld-linux-x86-64.so.2 x; f " LIB "/libc.so.6 $1"
#define IS_MERGED "glibc 2.31 /" LIB
#define MUSL      ROOT "d lib; f lib/ld-musl-x86_64.so.1 x"
#define CUDA      "usr/local/cuda-12.8"
#define COMPAT                                                                                     \
	"d usr; d usr/local; d etc; d etc/alternatives; l usr/local/cuda /etc/alternatives/cuda; " \
	"l etc/alternatives/cuda /" CUDA "; d " CUDA "; d " CUDA "/compat; "                       \
	"l " CUDA "/compat/libcuda.so libcuda.so.1; "                                              \
	"l " CUDA "/compat/libcuda.so.1 libcuda.so.570.1; f " CUDA "/compat/libcuda.so.570.1 $n; " \
	"f " CUDA "/compat/libnvidia-ptxjitcompiler.so.570.1 x; f " CUDA "/compat/README x"
#define IS_COMPAT                                                                                  \
	" compat=/" CUDA "/compat/libcuda.so.570.1"                                                \
	" compat=/" CUDA "/compat/libnvidia-ptxjitcompiler.so.570.1"

static const struct abi_case {
	const char *what, *want;
	const char *layers[LAYERS_MAX];
} cases[] = {
	/* C libraries */
	{ "nothing", "none", { "f a 1" } },
	{ "a merged /usr", IS_MERGED " cache=one", { MERGED } },
	{ "/lib and /usr/lib, versions in file names",
	  "glibc 2.31 /lib/x86_64-linux-gnu +32",
	  { "d lib64; l lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/ld-2.31.so; d lib;"
	    "d lib/x86_64-linux-gnu; f lib/x86_64-linux-gnu/ld-2.31.so x;"
	    "l lib/x86_64-linux-gnu/libc.so.6 libc-2.31.so; l lib/ld-linux.so.2 ../lib64/ld32;"
	    "f lib/x86_64-linux-gnu/libc-2.31.so $1; f lib64/ld32 x" } },
	{ "/usr/lib64",
	  "glibc 2.36 /usr/lib64",
	  { ROOT "l lib64 usr/lib64; f lib64/ld-linux-x86-64.so.2 x; f lib64/libc.so.6 $6" } },
	{ "the linker alone in /lib64",
	  "glibc 2.36 /usr/lib",
	  { ROOT "d lib64; f lib64/ld-linux-x86-64.so.2 x; f usr/lib/libc.so.6 $6" } },
	{ "beside the linker, in a place of its own",
	  "glibc 2.36 /opt/glibc/lib",
	  { MUSL "; d lib64; d opt; d opt/glibc; d opt/glibc/lib; f opt/glibc/lib/libc.so.6 $6;"
		 "l lib64/ld-linux-x86-64.so.2 /opt/glibc/lib/ld-linux-x86-64.so.2;"
		 "f opt/glibc/lib/ld-linux-x86-64.so.2 x" } },
	{ "libc.so.6 replaced above",
	  "glibc 2.36 /" LIB " cache=one",
	  { MERGED, "d usr; d usr/lib; d " LIB "; f " LIB "/libc.so.6 $6" } },
	{ "its directory replaced above",
	  "glibc 2.36 /" LIB " cache=one",
	  { MERGED, "d usr; d usr/lib; d " LIB "; f " LIB "/.wh..wh..opq;"
		    "f " LIB "/ld-linux-x86-64.so.2 x; f " LIB "/libc.so.6 $6" } },
	{ "the linker is gone above",
	  "none cache=one",
	  { MERGED, "d usr; d usr/lib64; f usr/lib64/.wh.ld-linux-x86-64.so.2" } },
	{ "the library is gone above",
	  "glibc cache=one",
	  { MERGED, "d usr; d usr/lib; d " LIB "; f " LIB "/.wh.libc.so.6" } },
	{ "for another machine",
	  "glibc",
	  { ROOT "l lib64 usr/lib64; f lib64/ld-linux-x86-64.so.2 x; f lib64/libc.so.6 $a" } },
	{ "another machine's first",
	  "glibc 2.31 /usr/lib64",
	  { ROOT "l lib64 usr/lib64; d lib; f lib64/ld-linux-x86-64.so.2 x; f lib64/libc.so.6 $1;"
		 "d lib/x86_64-linux-gnu; f lib/x86_64-linux-gnu/libc.so.6 $a" } },
	{ "a linker for another machine",
	  "none",
	  { ROOT "d lib; f lib/ld-linux-aarch64.so.1 x; f lib/libc.so.6 $a" } },
	{ "noise as libc.so.6",
	  "glibc",
	  { ROOT "l lib64 usr/lib64; f lib64/ld-linux-x86-64.so.2 x; f lib64/libc.so.6 noise" } },
	{ "musl", "musl", { MUSL } },
	{ "musl with a stand-in for glibc's linker",
	  "musl",
	  { MUSL "; d lib64; l lib64/ld-linux-x86-64.so.2 /lib/ld-musl-x86_64.so.1" } },
	{ "links out of the image",
	  "none",
	  { "l lib64 /proc/self/root/lib64; l lib ../../../../lib; d etc; l usr /../../usr" } },
	{ "a loop", "none", { "l lib64 lib; l lib lib64; l usr usr; l etc ./etc/." } },
	/* ld.so.cache */
	{ "the cache is gone above", IS_MERGED, { MERGED, "d etc; f etc/.wh.ld.so.cache" } },
	{ "gone and back",
	  IS_MERGED " cache=two",
	  { MERGED, "d etc; f etc/.wh.ld.so.cache", "d etc; f etc/ld.so.cache two" } },
	{ "/etc is another above", IS_MERGED, { MERGED, "d etc; f etc/.wh..wh..opq; f etc/x 1" } },
	{ "a link to a file below",
	  IS_MERGED " cache=real",
	  { MERGED "; d var; f var/cache real", "d etc; l etc/ld.so.cache ../../../var/cache" } },
	{ "a link to a file above",
	  "none cache=real",
	  { ROOT "l etc/ld.so.cache /var/cache", "d var; f var/cache real" } },
	{ "a link to the host's", "none", { "d etc; l etc/ld.so.cache /etc/ld.so.cache" } },
	{ "a link through proc",
	  "none",
	  { "d etc; l etc/ld.so.cache /proc/self/root/etc/ld.so.cache" } },
	{ "a link up and out",
	  "none",
	  { "d etc; l etc/ld.so.cache ../../../../../../../../../etc/passwd" } },
	{ "a pipe", "none", { "d etc; p etc/ld.so.cache" } },
	{ "a directory", "none", { "d etc; d etc/ld.so.cache; f etc/ld.so.cache/x 1" } },
	{ "empty", "none", { "d etc; f etc/ld.so.cache" } },
	{ "/etc is a file", "none", { "f etc 1" } },
	/* drivers */
	{ "drivers of its own",
	  IS_MERGED " cache=one driver=/" LIB "/libcuda.so.1 driver=/usr/local/nvidia/lib64/"
		    "libnvidia-ml.so.1",
	  { MERGED "; l " LIB "/libcuda.so.1 libcuda.so.535.1; f " LIB "/libcuda.so.535.1 x;"
		   "l " LIB "/libnvidia-ml.so.1 gone;"
		   "d usr/local/nvidia; d usr/local/nvidia/lib64;"
		   "f usr/local/nvidia/lib64/libnvidia-ml.so.1" } },
	{ "of which one is gone above",
	  IS_MERGED " cache=one",
	  { MERGED "; f " LIB "/libcuda.so.1 x",
	    "d usr; d usr/lib; d " LIB "; f " LIB "/.wh.libcuda.so.1" } },
	/* forward compatibility */
	{ "compatibility", "none" IS_COMPAT " note", { COMPAT } },
	{ "in two layers",
	  "none" IS_COMPAT " note",
	  { "d usr; d usr/local; d " CUDA "; d " CUDA "/compat; f " CUDA
	    "/compat/libnvidia-ptxjitcompiler.so.570.1 y",
	    COMPAT } },
	{ "two of libcuda",
	  "none compat=/" CUDA "/compat/libcuda.so.550.2" IS_COMPAT,
	  { COMPAT, "d usr; d usr/local; d " CUDA "; d " CUDA "/compat; f " CUDA
		    "/compat/libcuda.so.550.2 $n" } },
	{ "and one put aside",
	  "none compat=/" CUDA "/compat/libcuda.so.570.1"
	  " compat=/" CUDA "/compat/libcuda.so.570.1.old"
	  " compat=/" CUDA "/compat/libnvidia-ptxjitcompiler.so.570.1 note",
	  { COMPAT "; f " CUDA "/compat/libcuda.so.570.1.old x" } },
	{ "of which one is gone above",
	  "none" IS_COMPAT " note",
	  { COMPAT "; f " CUDA "/compat/libcuda.so.550.2 $n",
	    "d usr; d usr/local; d " CUDA "; d " CUDA "/compat; f " CUDA
	    "/compat/.wh.libcuda.so.550.2" } },
	{ "all of it gone above",
	  "none",
	  { COMPAT, "d usr; d usr/local; d " CUDA "; d " CUDA "/compat; f " CUDA
		    "/compat/.wh..wh..opq; f " CUDA "/compat/README 2" } },
	{ "without a note",
	  "none compat=/usr/local/cuda/compat/libcuda.so.1.1",
	  { "d usr; d usr/local; d usr/local/cuda; d usr/local/cuda/compat;"
	    "f usr/local/cuda/compat/libcuda.so.1.1 $1" } },
	{ "nothing that is no regular file or no library",
	  "none",
	  { "d usr; d usr/local; d usr/local/cuda; d usr/local/cuda/compat;"
	    "p usr/local/cuda/compat/libcuda.so.1.1; d usr/local/cuda/compat/libcuda.so.1.2;"
	    "l usr/local/cuda/compat/libcuda.so.1.3 /etc/passwd;"
	    "f usr/local/cuda/compat/libcuda.so%0a.1.4 $n;"
	    "f usr/local/cuda/compat/lib%2a.so.1 $n; f usr/local/cuda/compat/x.so.1 x" } },
	{ "compat is a link out",
	  "none",
	  { "d usr; d usr/local; d usr/local/cuda; l usr/local/cuda/compat "
	    "../../../../../usr/lib" } },
	{ "cuda is a link to the host's /proc",
	  "none",
	  { "d usr; d usr/local; l usr/local/cuda /proc/self/root/usr" } },
	{ "compat is a file",
	  "none",
	  { "d usr; d usr/local; d usr/local/cuda; f usr/local/cuda/compat x" } },
};

static size_t case_layers(const struct abi_case *c, const char *ret[LAYERS_MAX])
{
	size_t n = 0;

	for (; n < LAYERS_MAX && c->layers[n]; n++)
		ret[n] = expand(c->layers[n]);
	return n;
}

static void test_cases(struct bench *b)
{
	const char *layers[LAYERS_MAX], *path;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct abi_case *c = &cases[i];
		size_t n = case_layers(c, layers);

		path = bench_file(b, text_of("%zu.tar", i),
				  docker_archive(text_of("case:%zu", i), "{}", layers, n));
		if (bench_ensure(b, path) < 0)
			return ok(false, "%s: %s", c->what, b->e.msg), (void)0;
		is_str(abi_text(&b->image.abi), c->want, "%s", c->what);
		bench_ensure_form(b, path, true);
		is_str(abi_text(&b->image.abi), c->want, "the same, flattened");
		bench_ensure(b, text_of("dir:%s", b->image.lowers.v[0]));
		is_str(abi_text(&b->image.abi), c->want, "the same, as a directory");
		bench_ensure(b, text_of("case:%zu", i));
		is_str(abi_text(&b->image.abi), c->want, "the same, by name");
	}
}

/* Too many to be looked through are none: which of them were read would be chance. */
static void test_many(struct bench *b)
{
	struct bytes spec =
		bytes_of("d usr; d usr/local; d usr/local/cuda; d usr/local/cuda/compat");
	const char *layers[2];

	for (int i = 0; i < 200; i++) {
		const char *entry = text_of(";f usr/local/cuda/compat/lib%d.so.1 x", i);

		bytes_add(&spec, entry, strlen(entry));
	}
	layers[0] = (char *)spec.p;
	bench_ensure(b, bench_file(b, "200.tar", docker_archive("a:200", "{}", layers, 1)));
	is_int((int)b->image.abi.compat.n, 200, "200 libraries");
	layers[1] = text_of("d usr; d usr/local; d usr/local/cuda; d usr/local/cuda/compat");
	for (int i = 200; i < 257; i++)
		layers[1] = text_of("%s;f usr/local/cuda/compat/lib%d.so.1 x", layers[1], i);
	bench_ensure(b, bench_file(b, "257.tar", docker_archive("a:257", "{}", layers, 2)));
	is_int((int)b->image.abi.compat.n, 0, "257 in two layers");
}

/* ---- kept ------------------------------------------------------------------------------- */

static const char *record_path(struct bench *b)
{
	return text_of("%s/v1/images/%s", b->path, b->image.id);
}

/* As records were before: without the fields from "abi" on. */
static void make_old(const char *path)
{
	static const char key[] = "group=\0abi=1", end[] = "end";
	struct bytes text = bytes_zero(64 << 10);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text.p, text.n);
	uint8_t *at = n < 0 ? NULL : memmem(text.p, (size_t)n, key, sizeof(key));

	if (!at || pwrite(fd, end, sizeof(end), at + 7 - text.p) != sizeof(end) ||
	    ftruncate(fd, at + 7 + sizeof(end) - text.p) < 0)
		die(path);
	close(fd);
}

static void test_record(struct bench *b)
{
	const char *layers[] = { expand(MERGED), expand(COMPAT),
				 "d usr; d usr/lib; f usr/lib/libcuda.so.1 x" };
	const char *want = IS_MERGED " cache=one driver=/usr/lib/libcuda.so.1" IS_COMPAT " note";
	const char *path = bench_file(b, "kept.tar", docker_archive("kept", "{}", layers, 3));
	const char *old = b->path, *away = text_of("%s/v1/away", b->path);
	const char *dir;

	bench_ensure(b, path);
	is_str(abi_text(&b->image.abi), want, "looked at when unpacked");
	dir = text_of("%s/v1/%s", b->path, b->image.form == IMAGE_FORM_LAYERS ? "layers" : "trees");
	if (rename(dir, away) < 0)
		die(dir);
	is_int(bench_ensure(b, path), 0, "a warm start needs no file of the image");
	if (rename(away, dir) < 0)
		die(dir);
	is_str(abi_text(&b->image.abi), want, "and all is known");
	make_old(record_path(b));
	is_int(bench_ensure(b, path), 0, "a record of before is good");
	is_str(abi_text(&b->image.abi), want, "the tree is looked at");
	is_int(bench_ensure(b, "kept"), 0, "by name");
	is_str(abi_text(&b->image.abi), want, "too");
	/* the same store elsewhere, read only */
	bench_close(b);
	b->path = text_of("%s/own", b->dir);
	if (rename(old, text_of("%s/shared", b->dir)) < 0)
		die(old);
	bench_open(b, text_of("%s/shared", b->dir));
	is_int(bench_ensure(b, "kept"), 0, "in a store that is shared, a record of before");
	is_str(abi_text(&b->image.abi), want, "the tree is looked at");
	is_int(bench_ensure(b, "case:1"), 0, "another that tells");
	is_str(abi_text(&b->image.abi), cases[1].want, "what it was");
	ok(str_after(b->image.abi.ld_cache, text_of("%s/shared/", b->dir)),
	   "the cache is where the store is now");
}

static void test_locate(void)
{
	static const struct {
		const char *place, *want;
	} places[] = {
		{ "0:etc/ld.so.cache", "/a/etc/ld.so.cache" },
		{ "1:x", "/b/x" },
		{ "2:x", NULL },
		{ "-1:x", NULL },
		{ ":x", NULL },
		{ "x", NULL },
		{ "", NULL },
		{ "1:../../../etc/passwd", "/b/etc/passwd" },
		{ "1:/etc/../..", "/b/" },
	};
	const struct strv lowers = { .v = (const char *[]){ "/a", "/b", NULL }, .n = 2 };
	const struct strv none = { 0 };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		is_str(abi_locate(images_arena(), &lowers, places[i].place), places[i].want,
		       "\"%s\" in a record", places[i].place);
	ok(!abi_locate(images_arena(), &lowers, NULL), "nothing is nowhere");
	ok(!abi_locate(images_arena(), &none, "0:x"), "without directories, too");
}

/* ---- directories ------------------------------------------------------------------------ */

static void shell(struct bench *b, const char *script)
{
	if (system(text_of("set -e; cd '%s'; %s", b->dir, script)) != 0)
		die(script);
}

static void look_dir(struct bench *b)
{
	bench_ensure(b, text_of("dir:%s/root", b->dir));
}

/* What cannot be in the archives above: sizes, devices, files of the host behind links. */
static void test_directory(struct bench *b)
{
	struct bytes libc = object(EM_X86_64, "2.31", NULL);

	shell(b, "mkdir -p root/etc root/lib64 root/usr/local outside/compat");
	bench_file(b, "root/lib64/ld-linux-x86-64.so.2", libc);
	bench_file(b, "root/lib64/libc.so.6", libc);
	bench_file(b, "outside/compat/libcuda.so.1.1", libc);
	shell(b, "truncate -s 5G root/lib64/libc.so.6; truncate -s 16M root/etc/ld.so.cache");
	look_dir(b);
	is_int((int)b->image.abi.glibc, 2 << 16 | 31, "a libc.so.6 of 5 GB with nothing behind");
	ok(b->image.abi.ld_cache, "a cache of 16 MiB");
	shell(b, "truncate -s 100M root/etc/ld.so.cache");
	look_dir(b);
	ok(!b->image.abi.ld_cache, "one of 100 MB is none");
	shell(b, "echo x > outside/cache; ln -sf $PWD/outside/cache root/etc/ld.so.cache;"
		 "ln -s $PWD/outside root/usr/local/cuda");
	look_dir(b);
	is_str(abi_text(&b->image.abi), "glibc 2.31 /lib64", "absolute links to files of the host");
	shell(b, "ln -sfn ../outside root/up; ln -sf ../up/cache root/etc/ld.so.cache;"
		 "ln -sfn /up root/usr/local/cuda");
	look_dir(b);
	is_str(abi_text(&b->image.abi), "glibc 2.31 /lib64", "relative ones");
	shell(b, "rm root/lib64/libc.so.6; mkfifo root/lib64/libc.so.6");
	look_dir(b);
	is_str(abi_text(&b->image.abi), "glibc", "a pipe as libc.so.6");
	shell(b, "rm root/lib64/libc.so.6; ln -s libc.so.6 root/lib64/libc.so.6");
	look_dir(b);
	is_str(abi_text(&b->image.abi), "glibc", "a link to itself as libc.so.6");
	if (mknod(text_of("%s/root/usr/lib", b->dir), S_IFCHR | 0600, makedev(1, 3)) < 0) {
		skip("device nodes are root's");
		return;
	}
	shell(b, "rm root/etc/ld.so.cache; mv root/usr/lib root/etc/ld.so.cache");
	look_dir(b);
	is_str(abi_text(&b->image.abi), "glibc", "a device as cache");
}

/* The C library that runs this test. */
static void test_real(struct bench *b)
{
#if defined(__GLIBC__) && defined(__x86_64__)
	char path[PATH_MAX], *linker = realpath("/lib64/ld-linux-x86-64.so.2", path);
	const char *want;

	if (!linker) {
		skip("the machine's dynamic linker is not where the ABI wants it");
		return;
	}
	*strrchr(linker, '/') = '\0';
	shell(b,
	      text_of("mkdir -p real/lib64 real%s; cp -L %s/libc.so.6 real%s; "
		      "cp %s/ld-linux-x86-64.so.2 real%s; test -e real/lib64/ld-linux-x86-64.so.2 "
		      "|| ln -s %s/ld-linux-x86-64.so.2 real/lib64",
		      linker, linker, linker, linker, linker, linker));
	bench_ensure(b, text_of("dir:%s/real", b->dir));
	want = text_of("glibc %s %s", gnu_get_libc_version(), linker);
	is_str(abi_text(&b->image.abi), want, "the machine's own");
#else
	(void)b;
	skip("no glibc on x86-64 here");
#endif
}

int main(void)
{
	const struct log_config quiet = { .quiet = true };
	struct bench b;

	log_setup(&quiet);
	test_locate();
	bench_begin(&b);
	test_cases(&b);
	test_many(&b);
	test_directory(&b);
	test_real(&b);
	test_record(&b);
	bench_end(&b);
	return done_testing();
}

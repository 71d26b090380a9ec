/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ldcache.h - ld.so.cache as glibc's ldconfig writes it (sysdeps/generic/dl-cache.h), read and
 * written as data: no ldconfig, of the host or of the image, ever runs.  Private to src/gpu/.
 */
#ifndef GPURUN_GPU_LDCACHE_H
#define GPURUN_GPU_LDCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gpurun/arena.h>

#define LDCACHE_FILE_MAX    (16U << 20)
#define LDCACHE_ENTRIES_MAX 65536U
#define LDCACHE_NAME_MAX    1024U       /* of a library */
#define LDCACHE_STRINGS_MAX (16U << 20) /* all names and paths, as many times as they are used */
#define LDCACHE_HWCAPS_MAX  64U         /* subdirectories of glibc-hwcaps; x86-64 has 3 */

/*
 * struct ld_entry - one library
 * @hardware: 0, or of a variant in a subdirectory of glibc-hwcaps: the number of its name in
 *            struct ld_cache, and above it what else ld.so asks of the processor, as in the file
 */
struct ld_entry {
	uint32_t flags; /* 0x0303: x86-64 of libc6, 0x0003: i386, 0x0a03: aarch64 */
	const char *name, *path;
	uint64_t hardware;
};
/*
 * The entries are in ld.so's order at all times; equal ones in the order of their priority,
 * variants first.  @hwcaps: "x86-64-v3", ..., sorted.
 */
struct ld_cache {
	struct ld_entry *v;
	size_t n, cap;
	struct strv hwcaps;
};

/** ldcache_flags - of libraries for @machine (EM_*); 0: not known */
uint32_t ldcache_flags(uint16_t machine);

/**
 * ldcache_compare - ld.so's order of names: numbers count as numbers, behind any other character
 * Return: 0 also for "libx.so.1" and "libx.so.01", which are one name to ld.so
 */
int ldcache_compare(const char *a, const char *b);

/**
 * ldcache_parse - the entries of the new format (pure)
 * Accepts the old format with the new one behind it.  Names and paths point into @file.  Left
 * out: libraries for bits of the processor, as glibc wrote them until 2.36, and variants whose
 * subdirectory cannot be told, which ld.so does not use either.
 * Return: 0; -EBADMSG: no cache, or damaged, or over a limit
 */
int ldcache_parse(struct arena *a, const void *file, size_t len, struct ld_cache *ret);

/** ldcache_parse_some - the same, of no other names than the NULL-terminated @names */
int ldcache_parse_some(struct arena *a, const void *file, size_t len, const char *const *names,
		       struct ld_cache *ret);

/** ldcache_find - the path that ld.so would take for @name if it had no variants, or NULL */
const char *ldcache_find(const struct ld_cache *c, uint32_t flags, const char *name);

/**
 * ldcache_put - add @n entries, without variants; those of the same flags and name (to ld.so) go,
 * variants too
 */
void ldcache_put(struct arena *a, struct ld_cache *c, const struct ld_entry *entries, size_t n);

/** ldcache_format - a file of the new format only (pure) */
const char *ldcache_format(struct arena *a, const struct ld_cache *c, size_t *ret_len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ldcache.c - /etc/ld.so.cache.  The file is
 *
 *	char magic[20]		"glibc-ld.so.cache1.1"
 *	u32  entries, bytes of strings
 *	u8   byte order		2: little endian, 0: written before glibc 2.33
 *	u8   pad[3]
 *	u32  extension		offset of the extensions, 0: none
 *	u32  unused[3]
 *	struct { u32 flags, name, path, osversion; u64 hardware; } entry[]
 *	strings
 *
 * where names and paths are offsets from the magic.  Until glibc 2.32 ldconfig put a table of an
 * older format in front; no glibc since 2.2 needs it.  Extensions, since glibc 2.33:
 *
 *	u32  magic
 *	u32  sections
 *	struct { u32 tag, flags, offset, size; } section[]
 *
 * of which one matters: an array of u32, the offsets of the names of subdirectories of
 * glibc-hwcaps.  To ld.so all of these are offsets from the beginning of the file; ldconfig writes
 * those of the names from the magic, so behind an old table ld.so finds no variants.
 *
 * ld.so searches by bisection, so the order of the entries is part of the format: descending by
 * ldcache_compare(), then by flags; of equal ones the first counts.  Variants for better
 * processors come before the library for all: ld.so ends its search there.
 */
#include "ldcache.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include <gpurun/str.h>

#define OLD_MAGIC "ld.so-1.7.0"
#define NEW_MAGIC "glibc-ld.so.cache1.1"

#define OLD_HEADER 16U /* the magic, padded, and the number of entries */
#define OLD_ENTRY  12U
#define NEW_ALIGN  8U

#define ENDIAN_MASK    3U
#define ENDIAN_UNKNOWN 0U
#define ENDIAN_LITTLE  2U

#define EXTENSION_MAGIC 0xeaa42174U
#define EXTENSION_ALIGN 4U
#define TAG_HWCAPS      1U

/* The field "hardware" of a variant: this bit, an ISA level, an index into the names. */
#define HARDWARE_HWCAPS ((uint64_t)1 << 62)
#define HARDWARE_ISA    ((uint64_t)0x3ff << 32)
#define HARDWARE_INDEX  ((uint64_t)UINT32_MAX)

struct file_header {
	char magic[sizeof(NEW_MAGIC) - 1];
	uint32_t n, strings;
	uint8_t byte_order, pad[3];
	uint32_t extension, unused[3];
};
struct file_entry {
	uint32_t flags, name, path, osversion;
	uint64_t hardware;
};
struct file_extension {
	uint32_t magic, n;
};
struct file_section {
	uint32_t tag, flags, offset, size;
};
_Static_assert(sizeof(struct file_header) == 48, "the header of ld.so.cache");
_Static_assert(sizeof(struct file_entry) == 24, "an entry of ld.so.cache");

uint32_t ldcache_flags(uint16_t machine)
{
	static const struct {
		uint16_t machine;
		uint32_t flags;
	} table[] = {
		{ EM_X86_64, 0x0303 },
		{ EM_386, 0x0003 },
		{ EM_AARCH64, 0x0a03 },
	};

	for (size_t i = 0; i < ELEMENTS(table); i++)
		if (table[i].machine == machine)
			return table[i].flags;
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ld.so computes with an int and does not look for overflow; what sorts for it must do the same. */
static uint32_t number_take(const char **s)
{
	uint32_t v = 0;

	for (; is_digit(**s); (*s)++)
		v = v * 10 + (uint32_t)(**s - '0');
	return v;
}

int ldcache_compare(const char *a, const char *b)
{
	for (;;) {
		uint32_t m, n;
		bool digit;

		while (*a == *b && *a && !is_digit(*a)) {
			a++;
			b++;
		}
		digit = is_digit(*a);
		if (digit != is_digit(*b))
			return digit ? 1 : -1;
		if (!digit)
			return *a - *b;
		m = number_take(&a);
		n = number_take(&b);
		if (m != n)
			return (int32_t)(m - n);
	}
}

/* < 0: @x and its variants stand before @y. */
static int library_order(const struct ld_entry *x, const struct ld_entry *y)
{
	int r = ldcache_compare(y->name, x->name);

	if (r)
		return r;
	return x->flags == y->flags ? 0 : x->flags > y->flags ? -1 : 1;
}

/* Variants by the names of their subdirectories, then the library for all. */
static uint64_t variant_rank(const struct ld_entry *e)
{
	return e->hardware ? e->hardware & HARDWARE_INDEX : UINT64_MAX;
}

/* < 0: @x stands before @y. */
static int entry_order(const struct ld_entry *x, const struct ld_entry *y)
{
	uint64_t m = variant_rank(x), n = variant_rank(y);
	int r = library_order(x, y);

	if (r)
		return r;
	return m == n ? 0 : m < n ? -1 : 1;
}

/* Merge the sorted v[0..mid) and v[mid..n); @room for mid entries. */
static void entries_merge(struct ld_entry *v, size_t mid, size_t n, struct ld_entry *room)
{
	size_t i = 0, j = mid, k = 0;

	memcpy(room, v, mid * sizeof(*v));
	while (i < mid)
		v[k++] = j < n && entry_order(&v[j], &room[i]) < 0 ? v[j++] : room[i++];
}

/*
 * Merge sort: equal entries keep their places, a cache that ldconfig has sorted costs one
 * comparison an entry, and an order with contradictions (numbers that overflow) costs nothing
 * but the order.  qsort(3) promises none of the three.
 */
static void entries_sort(struct arena *a, struct ld_entry *v, size_t n)
{
	struct ld_entry *room = ARENA_ARRAY(a, struct ld_entry, n);

	for (size_t width = 1; width < n; width *= 2)
		for (size_t lo = 0; lo + width < n; lo += 2 * width) {
			size_t len = n - lo < 2 * width ? n - lo : 2 * width;

			if (entry_order(&v[lo + width], &v[lo + width - 1]) < 0)
				entries_merge(v + lo, width, len, room);
		}
}

/* Where the new format begins; NULL: nowhere. */
static const uint8_t *new_format(const uint8_t *file, size_t len)
{
	size_t at = 0;

	if (len >= OLD_HEADER && memcmp(file, OLD_MAGIC, sizeof(OLD_MAGIC) - 1) == 0) {
		uint32_t n;

		memcpy(&n, file + OLD_HEADER - sizeof(n), sizeof(n));
		at = OLD_HEADER + (size_t)le32toh(n) * OLD_ENTRY;
		at = (at + NEW_ALIGN - 1) / NEW_ALIGN * NEW_ALIGN;
	}
	if (at > len || len - at < sizeof(struct file_header) ||
	    memcmp(file + at, NEW_MAGIC, sizeof(NEW_MAGIC) - 1) != 0)
		return NULL;
	return file + at;
}

/* The string at @at, or NULL; its length is taken from what is left for all of them. */
static const char *string_get(const uint8_t *data, size_t len, uint32_t at, size_t max,
			      size_t *budget)
{
	const char *s = (const char *)data + at;
	size_t n;

	if (at >= len)
		return NULL;
	if (max > len - at)
		max = len - at;
	n = strnlen(s, max);
	if (n == 0 || n == max || n >= *budget)
		return NULL;
	*budget -= n + 1;
	return s;
}

/*
 * Where the offsets of the names are, and of how many bytes; NULL: nowhere, or ld.so would not
 * look at them.  @at 0 is no exception: the magic of the file is not that of extensions.
 */
static const uint8_t *hwcaps_find(const uint8_t *file, size_t len, size_t at, size_t *ret_size)
{
	const uint8_t *found = NULL;
	struct file_extension ext;
	struct file_section in;

	if (at % EXTENSION_ALIGN || at > len || len - at < sizeof(ext))
		return NULL;
	memcpy(&ext, file + at, sizeof(ext));
	at += sizeof(ext);
	if (le32toh(ext.magic) != EXTENSION_MAGIC || le32toh(ext.n) > (len - at) / sizeof(in))
		return NULL;
	for (size_t i = 0; i < le32toh(ext.n); i++) {
		size_t offset, size;

		memcpy(&in, file + at + i * sizeof(in), sizeof(in));
		offset = le32toh(in.offset);
		size = le32toh(in.size);
		if (offset > len || size > len - offset)
			return NULL;
		if (le32toh(in.tag) != TAG_HWCAPS)
			continue;
		found = offset % EXTENSION_ALIGN || size % sizeof(uint32_t) ? NULL : file + offset;
		*ret_size = size;
	}
	return found;
}

/* All the names or none: to ld.so a name is its place in a sorted list. */
static void hwcaps_read(struct arena *a, const uint8_t *file, size_t len, size_t at,
			struct strv *ret)
{
	size_t size = 0, budget = LDCACHE_STRINGS_MAX;
	const uint8_t *p = hwcaps_find(file, len, at, &size);
	struct strv names = { 0 };

	if (!p || size / sizeof(uint32_t) > LDCACHE_HWCAPS_MAX)
		return;
	for (size_t i = 0; i < size / sizeof(uint32_t); i++) {
		const char *name;
		uint32_t offset;

		memcpy(&offset, p + i * sizeof(offset), sizeof(offset));
		name = string_get(file, len, le32toh(offset), LDCACHE_NAME_MAX, &budget);
		if (!name || (i && strcmp(names.v[i - 1], name) >= 0))
			return;
		strv_push(a, &names, name);
	}
	*ret = names;
}

/* For every processor, or a variant whose name is known. */
static bool is_kept(uint64_t hardware, const struct strv *hwcaps)
{
	if (!hardware)
		return true;
	return (hardware & ~(HARDWARE_ISA | HARDWARE_INDEX)) == HARDWARE_HWCAPS &&
	       (hardware & HARDWARE_INDEX) < hwcaps->n;
}

/* @names: NULL-terminated, or NULL: any */
static bool is_wanted(const char *name, const char *const *names)
{
	while (names && *names && !str_eq(name, *names))
		names++;
	return !names || *names;
}

static int entries_read(struct arena *a, const uint8_t *data, size_t len, size_t n,
			const char *const *names, struct ld_cache *ret)
{
	const uint8_t *p = data + sizeof(struct file_header);
	size_t budget = LDCACHE_STRINGS_MAX;
	struct file_entry in;

	for (size_t i = 0; i < n; i++, p += sizeof(in)) {
		struct ld_entry out;

		memcpy(&in, p, sizeof(in)); /* behind the old format it may lie anywhere */
		out.hardware = le64toh(in.hardware);
		if (!is_kept(out.hardware, &ret->hwcaps))
			continue;
		out.flags = le32toh(in.flags);
		out.name = string_get(data, len, le32toh(in.name), LDCACHE_NAME_MAX, &budget);
		if (!out.name)
			return -EBADMSG;
		if (!is_wanted(out.name, names))
			continue;
		out.path = string_get(data, len, le32toh(in.path), PATH_MAX, &budget);
		if (!out.path)
			return -EBADMSG;
		VEC_PUSH(a, ret->v, ret->n, ret->cap, out);
	}
	return 0;
}

int ldcache_parse(struct arena *a, const void *file, size_t len, struct ld_cache *ret)
{
	return ldcache_parse_some(a, file, len, NULL, ret);
}

int ldcache_parse_some(struct arena *a, const void *file, size_t len, const char *const *names,
		       struct ld_cache *ret)
{
	const uint8_t *data = len <= LDCACHE_FILE_MAX ? new_format(file, len) : NULL;
	struct ld_cache cache = { 0 };
	struct file_header head;
	size_t n;
	int r;

	if (!data)
		return -EBADMSG;
	memcpy(&head, data, sizeof(head));
	hwcaps_read(a, file, len, le32toh(head.extension), &cache.hwcaps);
	len -= (size_t)(data - (const uint8_t *)file);
	n = le32toh(head.n);
	head.byte_order &= ENDIAN_MASK;
	if (head.byte_order != ENDIAN_UNKNOWN && head.byte_order != ENDIAN_LITTLE)
		return -EBADMSG;
	if (n > LDCACHE_ENTRIES_MAX || n > (len - sizeof(head)) / sizeof(struct file_entry))
		return -EBADMSG;
	if (n && !names) {
		cache.cap = n;
		cache.v = ARENA_ARRAY(a, struct ld_entry, n);
	}
	r = entries_read(a, data, len, n, names, &cache);
	if (r < 0)
		return r;
	if (cache.n)
		entries_sort(a, cache.v, cache.n);
	*ret = cache;
	return 0;
}

/* The first entry that does not stand before the library @key and its variants. */
static size_t library_place(const struct ld_cache *c, const struct ld_entry *key)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (library_order(&c->v[mid], key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const char *ldcache_find(const struct ld_cache *c, uint32_t flags, const char *name)
{
	struct ld_entry key = { .flags = flags, .name = name };

	for (size_t i = library_place(c, &key); i < c->n; i++) {
		if (library_order(&c->v[i], &key) != 0)
			break;
		if (!c->v[i].hardware)
			return c->v[i].path;
	}
	return NULL;
}

/* Of what is one library to ld.so the last; in its order.  Return: how many */
static size_t entries_settle(struct arena *a, struct ld_entry *v, size_t n)
{
	size_t last = 0;

	if (n)
		entries_sort(a, v, n);
	for (size_t i = 1; i < n; i++) {
		if (library_order(&v[i], &v[last]) != 0)
			last++;
		v[last] = v[i];
	}
	return n ? last + 1 : 0;
}

void ldcache_put(struct arena *a, struct ld_cache *c, const struct ld_entry *entries, size_t n)
{
	struct ld_entry *out = ARENA_ARRAY(a, struct ld_entry, c->n + n);
	struct ld_entry *in = ARENA_ARRAY(a, struct ld_entry, n);
	size_t at = 0, k = 0;

	memcpy(in, entries, n * sizeof(*in));
	n = entries_settle(a, in, n);
	for (size_t i = 0; i < n; i++) {
		int r = -1;

		while (at < c->n && (r = library_order(&c->v[at], &in[i])) < 0)
			out[k++] = c->v[at++];
		while (at < c->n && r == 0)
			r = ++at < c->n ? library_order(&c->v[at], &in[i]) : -1;
		out[k++] = in[i];
	}
	while (at < c->n)
		out[k++] = c->v[at++];
	c->v = out;
	c->n = k;
	c->cap = c->n;
}

/* How many bytes of @path come before @name, which it ends with; or all and its NUL. */
static size_t path_shared(const struct ld_entry *e)
{
	size_t path = strlen(e->path), name = strlen(e->name);

	if (name <= path && memcmp(e->path + path - name, e->name, name) == 0)
		return path - name;
	return path + 1;
}

static size_t string_write(char *file, size_t at, const char *s)
{
	size_t n = strlen(s) + 1;

	memcpy(file + at, s, n);
	return at + n;
}

/* Append the strings of an entry; a name that is the end of its path is not written twice. */
static size_t entry_write(struct file_entry *out, const struct ld_entry *e, char *file, size_t at)
{
	size_t name = at + path_shared(e), end = string_write(file, at, e->path);

	*out = (struct file_entry){
		.flags = htole32(e->flags),
		.path = htole32((uint32_t)at),
		.name = htole32((uint32_t)name),
		.hardware = htole64(e->hardware),
	};
	return name < end ? end : string_write(file, end, e->name);
}

/* The names that variants need, if there are variants. */
static struct strv hwcaps_used(const struct ld_cache *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].hardware)
			return c->hwcaps;
	return (struct strv){ 0 };
}

/* Append the extensions; @names: the offsets of @n names. */
static size_t extension_write(char *file, size_t at, const uint32_t *names, size_t n)
{
	struct file_extension ext = { .magic = htole32(EXTENSION_MAGIC), .n = htole32(1) };
	struct file_section section = { .tag = htole32(TAG_HWCAPS) };
	size_t size = n * sizeof(*names);

	section.offset = htole32((uint32_t)(at + sizeof(ext) + sizeof(section)));
	section.size = htole32((uint32_t)size);
	memcpy(file + at, &ext, sizeof(ext));
	memcpy(file + at + sizeof(ext), &section, sizeof(section));
	memcpy(file + at + sizeof(ext) + sizeof(section), names, size);
	return at + sizeof(ext) + sizeof(section) + size;
}

/* At most so many bytes. */
static size_t format_size(const struct ld_cache *c, const struct strv *hwcaps)
{
	size_t len = sizeof(struct file_header) + c->n * sizeof(struct file_entry) +
		     EXTENSION_ALIGN + sizeof(struct file_extension) + sizeof(struct file_section);

	for (size_t i = 0; i < c->n; i++)
		len += strlen(c->v[i].path) + strlen(c->v[i].name) + 2;
	for (size_t i = 0; i < hwcaps->n; i++)
		len += strlen(hwcaps->v[i]) + 1 + sizeof(uint32_t);
	return len;
}

const char *ldcache_format(struct arena *a, const struct ld_cache *c, size_t *ret_len)
{
	size_t start = sizeof(struct file_header) + c->n * sizeof(struct file_entry), at = start;
	struct file_header head = { .n = htole32((uint32_t)c->n), .byte_order = ENDIAN_LITTLE };
	struct strv hwcaps = hwcaps_used(c);
	uint32_t *names = ARENA_ARRAY(a, uint32_t, hwcaps.n);
	char *file = arena_alloc(a, format_size(c, &hwcaps));
	struct file_entry *out = (struct file_entry *)(file + sizeof(head));

	for (size_t i = 0; i < c->n; i++)
		at = entry_write(&out[i], &c->v[i], file, at);
	for (size_t i = 0; i < hwcaps.n; i++) {
		names[i] = htole32((uint32_t)at);
		at = string_write(file, at, hwcaps.v[i]);
	}
	memcpy(head.magic, NEW_MAGIC, sizeof(head.magic));
	head.strings = htole32((uint32_t)(at - start));
	if (hwcaps.n) {
		at = (at + EXTENSION_ALIGN - 1) / EXTENSION_ALIGN * EXTENSION_ALIGN;
		head.extension = htole32((uint32_t)at);
		at = extension_write(file, at, names, hwcaps.n);
	}
	memcpy(file, &head, sizeof(head));
	*ret_len = at;
	return file;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - write and read the record of an image; one table serves both.
 */
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <gpurun/str.h>

enum kind {
	K_BOOT,
	K_ID,    /* char[65]: 64 hex digits or "" */
	K_FORM,  /* enum image_form */
	K_LIBC,  /* enum image_libc */
	K_TEXT,  /* const char *, absent when NULL */
	K_LIST,  /* struct strv */
	K_HEXES, /* struct strv of ids */
	K_U32,
	K_U64,
	K_I64,
	K_INT,
	K_BOOL,
};

/* @later: came when there were records without it: absent is zero, and zero is not written */
static const struct field {
	const char *key;
	enum kind kind;
	bool later;
	size_t offset;
} fields[] = {
#define FIELD(key_, kind_, later_, member)                                                         \
	{                                                                                          \
		key_, kind_, later_, offsetof(struct record, member)                               \
	}
#define F(key_, kind_, member)       FIELD(key_, kind_, false, member)
#define F_LATER(key_, kind_, member) FIELD(key_, kind_, true, member)
	F("boot", K_BOOT, boot),
	F("id", K_ID, image.id),
	F("form", K_FORM, image.form),
	F("unpacked", K_I64, unpacked),
	F("bytes", K_U64, image.bytes),
	F("entries", K_U64, image.entries),
	F("apt", K_BOOL, image.apt),
	F("name", K_TEXT, image.name),
	F("lower", K_HEXES, lowers),
	F("diff_id", K_HEXES, image.diff_ids),
	F("env", K_LIST, image.config.env),
	F("entrypoint", K_LIST, image.config.entrypoint),
	F("cmd", K_LIST, image.config.cmd),
	F("workdir", K_TEXT, image.config.workdir),
	F("user", K_TEXT, image.config.user),
	F("stop_signal", K_INT, image.config.stop_signal),
	F("label", K_LIST, image.config.labels),
	F("volume", K_LIST, image.config.volumes),
	F("created", K_TEXT, image.config.created),
	F("author", K_TEXT, image.config.author),
	F("os", K_TEXT, image.config.os),
	F("architecture", K_TEXT, image.config.architecture),
	F("passwd", K_TEXT, image.passwd),
	F("group", K_TEXT, image.group),
	F_LATER("abi", K_BOOL, abi),
	F_LATER("libc", K_LIBC, image.abi.libc),
	F_LATER("glibc", K_U32, image.abi.glibc),
	F_LATER("glibc32", K_BOOL, image.abi.glibc32),
	F_LATER("libdir", K_TEXT, image.abi.libdir),
	F_LATER("ld_cache", K_TEXT, image.abi.ld_cache),
	F_LATER("driver", K_LIST, image.abi.drivers),
	F_LATER("compat", K_LIST, image.abi.compat),
	F_LATER("compat_note", K_TEXT, image.abi.compat_note),
	F_LATER("uptime", K_U64, uptime),
#undef F
#undef F_LATER
#undef FIELD
};

static const char *const form_names[] = {
	[IMAGE_FORM_LAYERS] = "layers", [IMAGE_FORM_FLAT] = "flat"
};

static const char *const libc_names[] = {
	[IMAGE_LIBC_NONE] = "none", [IMAGE_LIBC_GLIBC] = "glibc", [IMAGE_LIBC_MUSL] = "musl"
};

/* ---- writing ---------------------------------------------------------------------------- */

struct text {
	struct arena *arena;
	char *v;
	size_t n, cap;
};

static void put(struct text *t, const char *s, size_t n)
{
	if (t->n + n > t->cap) {
		t->cap = (t->n + n) * 2;
		t->v = arena_grow(t->arena, t->v, t->n, t->cap, 1);
	}
	memcpy(t->v + t->n, s, n);
	t->n += n;
}

static void put_value(struct text *t, const char *key, const char *value)
{
	put(t, key, strlen(key));
	put(t, "=", 1);
	put(t, value, strlen(value) + 1);
}

static void put_list(struct text *t, const char *key, const struct strv *list)
{
	for (size_t i = 0; i < list->n; i++)
		put_value(t, key, list->v[i]);
}

static void put_number(struct text *t, const struct field *f, bool negative, uint64_t v)
{
	char buf[32];

	if (v == 0 && f->later)
		return;
	(void)snprintf(buf, sizeof(buf), "%s%" PRIu64, negative ? "-" : "", v);
	put_value(t, f->key, buf);
}

static void put_field(struct text *t, const struct field *f, const struct record *r)
{
	const void *p = (const char *)r + f->offset;
	int64_t v;

	switch (f->kind) {
	case K_BOOT:
	case K_ID:
		put_value(t, f->key, p);
		break;
	case K_FORM:
		put_value(t, f->key, form_names[*(const enum image_form *)p]);
		break;
	case K_LIBC:
		if (*(const enum image_libc *)p != IMAGE_LIBC_NONE)
			put_value(t, f->key, libc_names[*(const enum image_libc *)p]);
		break;
	case K_TEXT:
		if (*(const char *const *)p)
			put_value(t, f->key, *(const char *const *)p);
		break;
	case K_LIST:
	case K_HEXES:
		put_list(t, f->key, p);
		break;
	case K_U32:
		put_number(t, f, false, *(const uint32_t *)p);
		break;
	case K_U64:
		put_number(t, f, false, *(const uint64_t *)p);
		break;
	case K_I64:
		v = *(const int64_t *)p;
		put_number(t, f, v < 0, v < 0 ? -(uint64_t)v : (uint64_t)v);
		break;
	case K_INT:
		put_number(t, f, false, (uint64_t) * (const int *)p);
		break;
	case K_BOOL:
		put_number(t, f, false, *(const bool *)p);
		break;
	}
}

const char *record_format(struct arena *a, const struct record *r, size_t *ret_len)
{
	struct text t = { .arena = a };

	put(&t, RECORD_MAGIC, sizeof(RECORD_MAGIC));
	for (size_t i = 0; i < ELEMENTS(fields); i++)
		put_field(&t, &fields[i], r);
	put(&t, "end", 4);
	*ret_len = t.n;
	return t.v;
}

/* ---- reading ---------------------------------------------------------------------------- */

static int get_number(const char *s, uint64_t max, uint64_t *ret)
{
	/* one spelling only, so that formatting gives the same record again */
	if (s[0] == '0' && s[1])
		return -EBADMSG;
	return num_u64(s, max, ret) < 0 ? -EBADMSG : 0;
}

static int get_i64(const char *s, int64_t *ret)
{
	bool negative = *s == '-';
	uint64_t v = 0;

	if (get_number(s + negative, INT64_MAX, &v) < 0 || (negative && v == 0))
		return -EBADMSG;
	*ret = negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

/* The place of @s among @names, or -EBADMSG. */
static int get_name(const char *s, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(s, names[i]))
			return (int)i;
	}
	return -EBADMSG;
}

static bool is_boot_id(const char *s)
{
	return strlen(s) == RECORD_BOOT && strspn(s, "0123456789abcdef-") == RECORD_BOOT;
}

static bool is_id(const char *s)
{
	return strlen(s) == IMAGE_ID_HEX && num_is_hex(s, IMAGE_ID_HEX);
}

static int get_list(struct arena *a, const char *s, struct strv *ret)
{
	if (ret->n >= RECORD_LIST_MAX)
		return -EBADMSG;
	strv_push(a, ret, s);
	return 0;
}

static int get_field(struct arena *a, const struct field *f, const char *s, struct record *r)
{
	void *p = (char *)r + f->offset;
	uint64_t v = 0;
	int err = 0;

	switch (f->kind) {
	case K_BOOT:
		if (!is_boot_id(s))
			return -EBADMSG;
		memcpy(p, s, RECORD_BOOT + 1);
		return 0;
	case K_ID:
		if (*s && !is_id(s))
			return -EBADMSG;
		memcpy(p, s, strlen(s) + 1);
		return 0;
	case K_FORM:
		err = get_name(s, form_names, ELEMENTS(form_names));
		*(enum image_form *)p = err < 0 ? IMAGE_FORM_LAYERS : (enum image_form)err;
		return err;
	case K_LIBC:
		err = get_name(s, libc_names, ELEMENTS(libc_names));
		*(enum image_libc *)p = err < 0 ? IMAGE_LIBC_NONE : (enum image_libc)err;
		return err;
	case K_TEXT:
		*(const char **)p = s;
		return 0;
	case K_HEXES:
		return is_id(s) ? get_list(a, s, p) : -EBADMSG;
	case K_LIST:
		return get_list(a, s, p);
	case K_U32:
		err = get_number(s, UINT32_MAX, &v);
		*(uint32_t *)p = (uint32_t)v;
		return err;
	case K_U64:
		return get_number(s, UINT64_MAX, p);
	case K_I64:
		return get_i64(s, p);
	case K_INT:
		err = get_number(s, INT32_MAX, &v);
		*(int *)p = (int)v;
		return err;
	case K_BOOL:
		err = get_number(s, 1, &v);
		*(bool *)p = v != 0;
		return err;
	}
	return -EBADMSG;
}

/* What may be there several times, or not at all. */
static bool field_is_list(const struct field *f)
{
	return f->kind == K_LIST || f->kind == K_HEXES;
}

static bool field_is_optional(const struct field *f)
{
	return field_is_list(f) || f->kind == K_TEXT || f->later;
}

/* Is @s how put_field() would spell what it leaves out? */
static bool field_is_left_out(const struct field *f, const char *s)
{
	if (field_is_list(f) || f->kind == K_TEXT || !f->later)
		return false;
	return str_eq(s, f->kind == K_LIBC ? libc_names[IMAGE_LIBC_NONE] : "0");
}

/* struct reader - the strings that are left */
struct reader {
	const char *p, *end;
};

static const char *next_string(struct reader *r)
{
	const char *s = r->p;
	size_t n = strnlen(s, (size_t)(r->end - s));

	if (s + n >= r->end)
		return NULL;
	r->p = s + n + 1;
	return s;
}

/* The value when @s is "key=value", else NULL. */
static const char *value_of(const char *s, const char *key)
{
	const char *rest = s ? str_after(s, key) : NULL;

	return rest && *rest == '=' ? rest + 1 : NULL;
}

int record_parse(struct arena *a, const char *text, size_t len, struct record *ret)
{
	struct record rec = { .unpacked = 0 };
	struct reader r = { text, text + len };
	const char *s;

	if (len > RECORD_MAX)
		return -EBADMSG;
	s = next_string(&r);
	if (!s || !str_eq(s, RECORD_MAGIC))
		return -EBADMSG;
	s = next_string(&r);
	for (size_t i = 0; i < ELEMENTS(fields); i++) {
		const struct field *f = &fields[i];
		const char *value = value_of(s, f->key);

		if (!value && !field_is_optional(f))
			return -EBADMSG;
		for (; value; value = field_is_list(f) ? value_of(s, f->key) : NULL) {
			if (field_is_left_out(f, value) || get_field(a, f, value, &rec) < 0)
				return -EBADMSG;
			s = next_string(&r);
		}
	}
	if (!s || !str_eq(s, "end") || r.p != r.end)
		return -EBADMSG;
	*ret = rec;
	return 0;
}

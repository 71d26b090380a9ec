// SPDX-License-Identifier: Apache-2.0
/*
 * user.c - the User of an image: "user", "uid", "user:group" and their mixtures, looked up in
 * the texts of the image's passwd and group files.
 *
 * The rules are docker's: digits are an id even when a user has that name, an id needs no line,
 * a name does, the first matching line counts, the group of a uid without a line is 0.
 */
#include <errno.h>

#include <gpurun/image.h>
#include <gpurun/str.h>

#define USER_ID_MAX   INT32_MAX
#define USER_TEXT_MAX 512
#define USER_FIELDS   7

enum { PASSWD_NAME = 0, PASSWD_UID = 2, PASSWD_GID = 3, PASSWD_HOME = 5, PASSWD_SHELL = 6 };
enum { GROUP_NAME = 0, GROUP_GID = 2 };

/* A part of a line; not NUL-terminated. */
struct field {
	const char *p;
	size_t n;
};

/* Take the next line of @text apart at its colons; false at the end. */
static bool line_next(const char **text, struct field f[USER_FIELDS])
{
	const char *p = *text, *end;
	size_t i = 0;

	for (size_t k = 0; k < USER_FIELDS; k++)
		f[k] = (struct field){ "", 0 };
	if (*p == '\0')
		return false;
	end = p + strcspn(p, "\n");
	for (; i < USER_FIELDS; i++) {
		const char *colon = memchr(p, ':', (size_t)(end - p));

		f[i].p = p;
		f[i].n = (size_t)((colon ? colon : end) - p);
		if (!colon)
			break;
		p = colon + 1;
	}
	*text = *end == '\n' ? end + 1 : end;
	return true;
}

static bool field_is(struct field f, const char *s)
{
	return f.n == strlen(s) && memcmp(f.p, s, f.n) == 0;
}

/* The number of a field; a line whose id is none, or out of range, is not looked at. */
static bool field_id(struct field f, uint64_t *ret)
{
	char digits[16];

	if (f.n == 0 || f.n >= sizeof(digits))
		return false;
	memcpy(digits, f.p, f.n);
	digits[f.n] = '\0';
	return num_u64(digits, USER_ID_MAX, ret) == 0;
}

static const char *field_text(struct arena *a, struct field f)
{
	return f.n ? arena_strndup(a, f.p, f.n) : NULL;
}

/* An id in digits: 0, or -ERANGE with a message. */
static int id_parse(const char *what, const char *text, uint64_t *ret, struct err *e)
{
	if (num_u64(text, USER_ID_MAX, ret) < 0)
		return err_set(e, ERANGE, "%s %s: ids go from 0 to %d", what, text, USER_ID_MAX);
	return 0;
}

/* The first line of passwd for the name (or, when @name is NULL, the uid) in question. */
static bool passwd_find(const char *passwd, const char *name, uint64_t uid,
			struct field ret[USER_FIELDS])
{
	uint64_t id;

	while (line_next(&passwd, ret)) {
		if (!field_id(ret[PASSWD_UID], &id) || ret[PASSWD_NAME].n == 0)
			continue;
		if (name ? field_is(ret[PASSWD_NAME], name) : id == uid)
			return true;
	}
	return false;
}

static int user_resolve(struct arena *a, const char *text, const char *passwd,
			struct image_user *ret, struct err *e)
{
	bool numeric = num_is_decimal(text);
	struct field f[USER_FIELDS];
	uint64_t id = 0;
	int r;

	if (numeric) {
		r = id_parse("user", text, &id, e);
		if (r < 0)
			return r;
	}
	if (!passwd_find(passwd, numeric ? NULL : text, id, f)) {
		if (!numeric)
			return err_set(e, ENOENT, "user %s: not in the image's /etc/passwd", text);
		ret->uid = (uid_t)id;
		return 0;
	}
	if (field_id(f[PASSWD_UID], &id))
		ret->uid = (uid_t)id;
	if (field_id(f[PASSWD_GID], &id))
		ret->gid = (gid_t)id;
	ret->name = field_text(a, f[PASSWD_NAME]);
	ret->home = field_text(a, f[PASSWD_HOME]);
	ret->shell = field_text(a, f[PASSWD_SHELL]);
	return 0;
}

static int group_resolve(const char *text, const char *group, gid_t *ret, struct err *e)
{
	struct field f[USER_FIELDS];
	uint64_t id;
	int r;

	if (num_is_decimal(text)) {
		r = id_parse("group", text, &id, e);
		if (r < 0)
			return r;
		*ret = (gid_t)id;
		return 0;
	}
	while (line_next(&group, f)) {
		if (!field_is(f[GROUP_NAME], text) || !field_id(f[GROUP_GID], &id))
			continue;
		*ret = (gid_t)id;
		return 0;
	}
	return err_set(e, ENOENT, "group %s: not in the image's /etc/group", text);
}

int image_user_lookup(struct arena *a, const char *text, const char *passwd, const char *group,
		      struct image_user *ret, struct err *e)
{
	const char *colon = strchr(text, ':');
	struct image_user u = { 0 };
	const char *user;
	int r;

	if (strlen(text) > USER_TEXT_MAX)
		return err_set(e, EINVAL, "user: longer than %d bytes", USER_TEXT_MAX);
	if (colon && strchr(colon + 1, ':'))
		return err_set(e, EINVAL, "user %s: more than one colon", text);
	user = colon ? arena_strndup(a, text, (size_t)(colon - text)) : text;
	r = user_resolve(a, *user ? user : "0", passwd, &u, e);
	if (r < 0)
		return r;
	if (colon && colon[1]) {
		r = group_resolve(colon + 1, group, &u.gid, e);
		if (r < 0)
			return r;
	}
	*ret = u;
	return 0;
}

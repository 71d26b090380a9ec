/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who one is inside.  A single id is mapped, and the caller owns what the container writes
 * whatever the number inside; so -u chooses a number, not a right.
 */
#include <errno.h>

#include <gpurun/str.h>

#include "build.h"

#define NAME_LEN_MAX 256

/* A name that may stand in a passwd line. */
static bool name_is_plain(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > NAME_LEN_MAX || s[0] == '-')
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s == ':' || *s == '/' || *s == 0x7f)
			return false;
	return true;
}

/* Does passwd or group text @text have a line for @name? */
static bool name_is_taken(const char *text, const char *name)
{
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		const char *rest = str_after(line, name);

		if (rest && *rest == ':')
			return true;
		line += n + (line[n] == '\n');
	}
	return false;
}

/* Name of the line of passwd or group text whose third field is @id, or NULL. */
static const char *id_name(struct builder *b, const char *text, uint32_t id)
{
	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		struct strv fields = { 0 };
		uint64_t v;

		str_split(b->a, arena_strndup(b->a, line, n), ':', &fields);
		if (fields.n >= 3 && *fields.v[0] && num_u64(fields.v[2], UINT32_MAX, &v) == 0 &&
		    v == id)
			return fields.v[0];
		line += n + (line[n] == '\n');
	}
	return NULL;
}

/* Our name in @text for the mapped id: its line's, else the caller's, else one made of the id. */
static const char *identity_name(struct builder *b, const char *text, uint32_t id,
				 const char *caller, bool *ret_missing)
{
	const char *name = id_name(b, text, id);

	*ret_missing = !name;
	if (name)
		return name;
	if (id == 0 && !name_is_taken(text, "root"))
		return "root";
	if (id != 0 && name_is_plain(caller) && !name_is_taken(text, caller))
		return caller;
	return arena_printf(b->a, "user%u", id);
}

/* -u USER[:GROUP]: in the image's files; the caller's own name is known as well. */
static int identity_of_option(struct builder *b, const char *text, struct err *e)
{
	struct image_user u = { 0 };
	int r = image_user_lookup(b->a, text, b->image->passwd, b->image->group, &u, e);

	if (r == -ENOENT && !b->subid && str_eq(text, b->host->user)) {
		if (e)
			*e = (struct err){ 0 };
		b->uid = b->host->uid;
		b->gid = b->host->gid;
		return 0;
	}
	if (r < 0) {
		err_wrap(e, "--user");
		return r;
	}
	b->uid = u.uid;
	b->gid = u.gid;
	/* a bare number without a line has no group of its own: ours stays */
	if (!u.name && !strchr(text, ':'))
		b->gid = b->subid ? 0 : b->host->gid;
	return 0;
}

/* The image's User is followed only as far as one mapped id goes; say where it is not. */
static void identity_note_image_user(struct builder *b)
{
	const char *text = b->image->config.user;
	struct image_user u = { 0 };

	if (!text || !*text || b->req->user || b->req->root)
		return;
	if (image_user_lookup(b->a, text, b->image->passwd, b->image->group, &u, NULL) < 0)
		plan_note(b, "the image's user %s is not known in the image: you stay uid %u", text,
			  b->uid);
	else if (u.uid != b->uid && u.uid != 0)
		plan_note(b,
			  "the image wants to run as user %s (uid %u): you stay uid %u; add "
			  "--user %s to have its number inside",
			  text, u.uid, b->uid, text);
}

/* A directory that HOME may be: not in a file system of the kernel, as /dev/null is. */
static const char *home_or_root(struct builder *b, const char *path)
{
	static const char *const kernel_dirs[] = { "/dev", "/proc", "/sys" };
	const char *home = path_clean(b->a, path);

	for (size_t i = 0; i < ELEMENTS(kernel_dirs); i++)
		if (path_below(home, kernel_dirs[i]))
			return "/";
	return home;
}

/* HOME: the host's when it is bound, the image's line for our id, else where the host has it. */
static const char *identity_home(struct builder *b)
{
	const char *text = arena_printf(b->a, "%u", b->uid);
	struct image_user u = { 0 };

	if (b->bind_home)
		return b->host->home;
	if (image_user_lookup(b->a, text, b->image->passwd, b->image->group, &u, NULL) >= 0 &&
	    u.home && u.home[0] == '/')
		return home_or_root(b, u.home);
	if (b->uid == 0)
		return "/root";
	if (b->uid == b->host->uid)
		return home_or_root(b, b->host->home);
	return path_join(b->a, "/home", b->user);
}

/* One id is mapped: the number is free to choose, the right is always the caller's. */
static int identity_single(struct builder *b, struct err *e)
{
	int r = 0;

	b->uid = b->req->root ? 0 : b->host->uid;
	b->gid = b->req->root ? 0 : b->host->gid;
	if (b->req->user)
		r = identity_of_option(b, b->req->user, e);
	b->p->container.uid_inside = b->uid;
	b->p->container.gid_inside = b->gid;
	identity_note_image_user(b);
	return r;
}

/* Ranges are mapped: the image's User is followed as docker does, root without one. */
static int identity_subids(struct builder *b, struct err *e)
{
	const char *image_user = b->image->config.user;
	const char *user = b->req->user                                 ? b->req->user
			   : !b->req->root && image_user && *image_user ? image_user
									: "0";
	struct plan_process *pr = &b->p->process;
	uint32_t uids = 0, gids = 0;
	int r = subids_identity(b, &uids, &gids, e);

	if (r >= 0)
		r = identity_of_option(b, user, e);
	if (r < 0)
		return r;
	if (b->uid >= uids || b->gid >= gids)
		return err_set(e, ERANGE,
			       "--userns subid: user %u:%u is not mapped (%u and %u ids are)",
			       b->uid, b->gid, uids, gids);
	pr->switch_ids = b->uid != 0 || b->gid != 0;
	pr->uid = b->uid;
	pr->gid = b->gid;
	return 0;
}

int plan_identity(struct builder *b, struct err *e)
{
	struct plan_container *c = &b->p->container;
	int r;

	c->uid_outside = b->host->uid;
	c->gid_outside = b->host->gid;
	b->subid = b->req->userns == USERNS_SUBID;
	r = b->subid ? identity_subids(b, e) : identity_single(b, e);
	if (r < 0)
		return r;
	if (b->req->root && b->uid != 0)
		return err_set(e, EINVAL, "--root: not with --user %s", b->req->user);
	b->root = !b->subid && (b->req->root || (b->req->user && b->uid == 0));
	b->bind_home =
		b->req->home == TRI_ON || (b->req->home == TRI_AUTO && b->place->job &&
					   !b->req->contain && plan_may_bind(b, b->host->home));
	b->bind_cwd =
		b->req->cwd == TRI_AUTO ? b->place->job && !b->req->contain : b->req->cwd == TRI_ON;
	b->user = identity_name(b, b->image->passwd, b->uid, b->host->user, &b->passwd_line);
	b->group = identity_name(b, b->image->group, b->gid, b->host->group, &b->group_line);
	b->home = identity_home(b);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are written into the root: who we are, how names are resolved, a HOME.
 */
#include <errno.h>

#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

#define BIND_FILE_ATTRS                                                                            \
	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/*
 * Files are bound over the image's instead of written where the root cannot be written, and
 * where what is written stays (--keep): a user that was added in there must not be lost.
 */
static uint32_t files_flags(const struct builder *b)
{
	if (b->frozen)
		return OPF_BIND_FILE | OPF_OPTIONAL;
	return b->in->keep_dir ? OPF_BIND_FILE : 0;
}

static void files_write(struct builder *b, const char *dst, const char *text, const char *why)
{
	plan_op(b, PHASE_FILES,
		(struct op){
			.kind = OP_FILE,
			.dst = dst,
			.mode = 0644,
			.data = text,
			.data_len = strlen(text),
			.flags = files_flags(b),
			.why = why,
		});
}

static void files_bind(struct builder *b, const char *path, const char *why)
{
	plan_op(b, PHASE_FILES,
		(struct op){
			.kind = OP_BIND,
			.src = path,
			.dst = path,
			.attrs = BIND_FILE_ATTRS,
			.flags = OPF_OPTIONAL,
			.why = why,
		});
}

/* @text with one more line; a missing final newline is supplied. */
static const char *text_with_line(struct builder *b, const char *text, const char *line)
{
	size_t n = strlen(text);

	return arena_printf(b->a, "%s%s%s\n", text, n && text[n - 1] != '\n' ? "\n" : "", line);
}

/* Lines of passwd and group for the mapped ids, where the image has none. */
static void files_accounts(struct builder *b)
{
	const char *home = strpbrk(b->home, ":\n") ? "/" : b->home;

	if (b->passwd_line)
		files_write(b, "/etc/passwd",
			    text_with_line(b, b->image->passwd,
					   arena_printf(b->a, "%s:x:%u:%u::%s:/bin/sh", b->user,
							b->uid, b->gid, home)),
			    "base: the mapped user");
	if (b->group_line)
		files_write(b, "/etc/group",
			    text_with_line(b, b->image->group,
					   arena_printf(b->a, "%s:x:%u:", b->group, b->gid)),
			    "base: the mapped group");
}

/* An address: digits, letters of hexadecimal, and what stands between them. */
static bool address_is_plain(const char *s)
{
	return *s && s[strspn(s, "0123456789abcdefABCDEF:.")] == '\0';
}

static int files_resolv_conf(struct builder *b, struct err *e)
{
	const struct strv *dns = &b->req->dns;
	const char *text = "";

	for (size_t i = 0; i < dns->n; i++) {
		if (!address_is_plain(dns->v[i]))
			return err_set(e, EINVAL, "--dns %s: not an IP address", dns->v[i]);
		text = arena_printf(b->a, "%snameserver %s\n", text, dns->v[i]);
	}
	if (dns->n)
		files_write(b, "/etc/resolv.conf", text, "--dns");
	else if (!b->net_private)
		files_bind(b, "/etc/resolv.conf", "base: name resolution");
	return 0;
}

/* "NAME:ADDRESS" as a line of /etc/hosts. */
static int files_host_line(struct builder *b, const char *text, const char **ret, struct err *e)
{
	const char *colon = strchr(text, ':');
	const char *name;

	if (!colon || colon == text || !address_is_plain(colon + 1))
		return err_set(e, EINVAL, "--add-host %s: not NAME:ADDRESS", text);
	name = arena_strndup(b->a, text, (size_t)(colon - text));
	if (name[strcspn(name, " \t\n#")])
		return err_set(e, EINVAL, "--add-host %s: not NAME:ADDRESS", text);
	*ret = arena_printf(b->a, "%s\t%s", colon + 1, name);
	return 0;
}

/* The host's file as it is, or a text with what was asked for. */
static int files_hosts(struct builder *b, struct err *e)
{
	const struct strv *add = &b->req->add_host;
	const char *text = b->net_private || !b->host->etc_hosts
				   ? "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"
				   : b->host->etc_hosts;

	if (!add->n && !b->req->hostname && !b->net_private) {
		files_bind(b, "/etc/hosts", "base: name resolution");
		return 0;
	}
	for (size_t i = 0; i < add->n; i++) {
		const char *line = "";
		int r = files_host_line(b, add->v[i], &line, e);

		if (r < 0)
			return r;
		text = text_with_line(b, text, line);
	}
	if (b->req->hostname)
		text = text_with_line(b, text,
				      arena_printf(b->a, "127.0.1.1\t%s", b->req->hostname));
	files_write(b, "/etc/hosts", text,
		    add->n             ? "--add-host"
		    : b->req->hostname ? "--hostname"
				       : "base: name resolution");
	return 0;
}

/* Letters, digits, '-' and '.', as in hostname(7); nothing that could break a line of a file. */
static int files_hostname(struct builder *b, struct err *e)
{
	const char *name = b->req->hostname ? b->req->hostname : b->host->hostname;

	if (b->req->hostname &&
	    (!*name || strlen(name) > 64 ||
	     name[strspn(name,
			 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")]))
		return err_set(e, EINVAL,
			       "--hostname %s: up to 64 letters, digits, dots and dashes", name);
	files_write(b, "/etc/hostname", arena_printf(b->a, "%s\n", name),
		    b->req->hostname ? "--hostname" : "base: the host's name");
	return 0;
}

/* HOME always exists: on the scratch layer, also where the host's may turn out not to be there. */
static void files_home(struct builder *b)
{
	if (!(b->bind_home && b->req->home == TRI_ON) && !str_eq(b->home, "/") &&
	    plan_can_make(b, b->home))
		plan_op(b, PHASE_FILES,
			(struct op){
				.kind = OP_DIR,
				.dst = b->home,
				.mode = 0700,
				.why = "base: HOME",
			});
}

int plan_files(struct builder *b, struct err *e)
{
	int r;

	files_accounts(b);
	r = files_resolv_conf(b, e);
	if (r >= 0)
		r = files_hosts(b, e);
	if (r >= 0)
		r = files_hostname(b, e);
	if (r < 0)
		return r;
	files_home(b);
	/* apt drops to its user _apt, an id that is not mapped */
	if (b->root && b->image->apt && !b->frozen)
		files_write(b, "/etc/apt/apt.conf.d/zz-gpurun", "APT::Sandbox::User \"root\";\n",
			    "--root: apt");
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdi_hooks.c - hooks are programs that other runtimes run as root with the container half made,
 * and have been its weakest point.  None runs here.  What NVIDIA's do is known: it is done
 * without them, from their arguments; those of others are refused.
 *
 *	nvidia-cdi-hook NAME [ARGUMENT]...
 *	nvidia-ctk hook NAME [ARGUMENT]...
 */
#include <errno.h>

#include <gpurun/str.h>

#include "cdi.h"
#include "driver_scan.h"
#include "look.h"

#define LINKS_DEEP_MAX 8 /* a link to a link to a link ... */

/* struct call - a hook's command line, cut */
struct call {
	const char *name; /* "update-ldcache" */
	struct strv args; /* behind the name */
};

typedef int hook_fn(struct cdi_merger *m, const struct call *c, struct err *e);

/* ---- command lines ------------------------------------------------------------------------------ */

/* Return: false when it is no hook of NVIDIA's. */
static bool read_call(struct arena *a, const struct cdi_hook *hook, struct call *ret)
{
	const char *program = path_base(hook->path);
	bool ctk = str_eq(program, "nvidia-ctk");
	size_t i = 1;

	*ret = (struct call){ .name = "" };
	if (!ctk && !str_eq(program, "nvidia-cdi-hook"))
		return false;
	while (i < hook->args.n && hook->args.v[i][0] == '-')
		i++;
	if (ctk && (i >= hook->args.n || !str_eq(hook->args.v[i++], "hook")))
		return false;
	if (i < hook->args.n)
		ret->name = hook->args.v[i++];
	for (; i < hook->args.n; i++)
		strv_push(a, &ret->args, hook->args.v[i]);
	return true;
}

/* The values of "--option VALUE" and "--option=VALUE". */
static void read_option(struct arena *a, const struct call *c, const char *option, struct strv *ret)
{
	for (size_t i = 0; i < c->args.n; i++) {
		const char *rest = str_after(c->args.v[i], option);

		if (rest && *rest == '=')
			strv_push(a, ret, rest + 1);
		else if (rest && !*rest && i + 1 < c->args.n)
			strv_push(a, ret, c->args.v[++i]);
	}
}

/* ---- links ------------------------------------------------------------------------------------ */

static int refuse_link(const struct cdi_merger *m, const char *text, const char *reason,
		       struct err *e)
{
	return err_set(e, EINVAL, "%s: the link %s: %s (%s)", m->found->name, text, reason,
		       m->found->spec->file);
}

/* Below the image's own directories; a link to a library of ours leads to where it is. */
static int link_file(struct cdi_merger *m, const char *text, const char *target, const char *link,
		     const char *aim, struct err *e)
{
	static const char *const dirs[] = { "/usr",   "/etc",   "/opt",   "/lib",
					    "/lib32", "/lib64", "/libx32" };
	struct op op = { .kind = OP_SYMLINK, .dst = link, .flags = OPF_OPTIONAL, .why = m->why };
	const struct gpu_file *f =
		cdi_is_library_place(m, aim) ? driver_library(m->driver, 0, path_base(aim)) : NULL;

	op.data = f ? path_join(m->a, f->bits == 32 ? GPU_LIB32_DIR : GPU_LIB_DIR, path_base(aim))
		    : target;
	op.data_len = strlen(op.data);
	for (size_t i = 0; i < ELEMENTS(dirs); i++) {
		if (!path_below(link, dirs[i]) || str_eq(link, dirs[i]))
			continue;
		VEC_PUSH(m->a, m->sight->files.v, m->sight->files.n, m->sight->files.cap, op);
		return 0;
	}
	return refuse_link(m, text, "not below /dev, /usr, /etc, /opt or /lib", e);
}

/*
 * "TARGET::LINK", the target as symlink(2) takes it.
 * Return: 1 done, 0 a name of a library that is not there (yet), -errno
 */
static int make_link(struct cdi_merger *m, const char *text, struct err *e)
{
	const char *sep = strstr(text, "::");
	const char *target, *link, *aim;
	struct gpu_file *f;

	if (!sep || sep == text || sep[2] != '/')
		return refuse_link(m, text, "not TARGET::LINK", e);
	target = arena_strndup(m->a, text, (size_t)(sep - text));
	link = path_clean(m->a, sep + 2);
	aim = path_join(m->a, arena_printf(m->a, "%s/..", link), target);
	if (path_below(link, "/dev") && !str_eq(link, "/dev")) {
		strv_push(m->a, &m->sight->links, arena_printf(m->a, "%s\t%s", link, target));
		return 1;
	}
	if (!cdi_is_library_place(m, link) || !cdi_is_library_place(m, aim))
		return link_file(m, text, target, link, aim, e) < 0 ? -EINVAL : 1;
	f = driver_library(m->driver, 0, path_base(aim));
	if (f && !driver_library(m->driver, 0, path_base(link)))
		driver_add_link(m->a, f, path_base(link));
	return f != NULL;
}

/*
 * A link may lead to one that comes later: those that are left are tried again while that helps.
 * What is left in the end leads to nothing that was given.
 */
static int hook_links(struct cdi_merger *m, const struct call *c, struct err *e)
{
	struct strv links = { 0 };
	bool helped = true;

	read_option(m->a, c, "--link", &links);
	for (unsigned int pass = 0; pass < LINKS_DEEP_MAX && helped; pass++) {
		size_t left = 0;

		for (size_t i = 0; i < links.n; i++) {
			int r = make_link(m, links.v[i], e);

			if (r < 0)
				return r;
			if (r == 0)
				links.v[left++] = links.v[i];
		}
		helped = left < links.n;
		links.n = left;
	}
	return 0;
}

/* ---- the hooks ---------------------------------------------------------------------------------- */

static int hook_params(struct cdi_merger *m, const struct call *c, struct err *e)
{
	(void)c;
	(void)e;
	if (!m->sight->proc_params)
		look_proc(m->a, m->root, m->sight);
	return 0;
}

/* Those without a function have no effect that is not had anyway. */
static const struct hook_row {
	const char *name;
	hook_fn *run;
} hook_rows[] = {
	{ "update-ldcache", NULL }, /* cdi_hook_folders() has read it */
	{ "create-symlinks", hook_links },
	{ "enable-cuda-compat", NULL }, /* compat.c looks for itself */
	{ "disable-device-node-modification", hook_params },
	{ "update-application-profile", NULL }, /* of the GPUs that --gpus chooses */
	{ "chmod", NULL },                      /* of directories that are 0755 here */
	{ "noop", NULL },
};

void cdi_hook_folders(struct cdi_merger *m, const struct cdi_edits *ed)
{
	for (size_t i = 0; i < ed->n_hooks; i++) {
		struct strv folders = { 0 };
		struct call c;

		if (!read_call(m->a, &ed->hooks[i], &c) || !str_eq(c.name, "update-ldcache"))
			continue;
		read_option(m->a, &c, "--folder", &folders);
		for (size_t k = 0; k < folders.n; k++)
			strv_push(m->a, &m->folders, path_clean(m->a, folders.v[k]));
	}
}

/* Devices of one file have the same hooks. */
static void warn_once(struct cdi_merger *m, const char *text)
{
	if (!strv_has(m->warn, text))
		strv_push(m->a, m->warn, text);
}

static int merge_hook(struct cdi_merger *m, const struct cdi_hook *hook, struct err *e)
{
	struct call c;

	if (!read_call(m->a, hook, &c)) {
		err_set(e, ENOTSUP, "%s: its hook %s would have to run (%s)", m->found->name,
			hook->path, m->found->spec->file);
		err_hint(e, "hooks are never run: a file without that hook may do");
		return -ENOTSUP;
	}
	for (size_t i = 0; i < ELEMENTS(hook_rows); i++)
		if (str_eq(hook_rows[i].name, c.name))
			return hook_rows[i].run ? hook_rows[i].run(m, &c, e) : 0;
	warn_once(m,
		  arena_printf(m->a, "%s: the hook \"%s\" is not known here, its effect is missing",
			       m->found->spec->file, c.name));
	return 0;
}

int cdi_merge_hooks(struct cdi_merger *m, const struct cdi_edits *ed, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ed->n_hooks && r >= 0; i++)
		r = merge_hook(m, &ed->hooks[i], e);
	return r;
}

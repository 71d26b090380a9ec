/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command, by docker's rules: words of the command line replace Cmd only; --entrypoint
 * replaces Entrypoint and clears Cmd; --entrypoint "" clears both.  The shell form of a
 * Dockerfile is just ["/bin/sh", "-c", TEXT]: words behind it become $0, $1, ...
 */
#include <errno.h>

#include <gpurun/str.h>

#include "build.h"

static void argv_append(struct arena *a, struct strv *to, const struct strv *from)
{
	for (size_t i = 0; i < from->n; i++)
		strv_push(a, to, from->v[i]);
}

void argv_combine(struct arena *a, const struct image_config *c, const char *override,
		  const struct strv *args, struct strv *ret)
{
	if (!override)
		argv_append(a, ret, &c->entrypoint);
	else if (*override)
		strv_push(a, ret, override);
	if (args->n)
		argv_append(a, ret, args);
	else if (!override)
		argv_append(a, ret, &c->cmd);
}

int plan_argv(struct builder *b, struct err *e)
{
	struct strv *argv = &b->p->process.argv;

	argv_combine(b->a, &b->image->config, b->req->entrypoint, &b->req->args, argv);
	if (argv->n == 0) {
		err_set(e, EINVAL, "%s: no command given, and the image has none", b->image->name);
		err_hint(e, "name one: gpurun %s sh", b->image->name);
		return -EINVAL;
	}
	if (argv->v[0][0] == '\0')
		return err_set(e, EINVAL, "the command is an empty word");
	if (argv->n > PLAN_ARGS_MAX)
		return err_set(e, E2BIG, "the command has more than %u words", PLAN_ARGS_MAX);
	return 0;
}

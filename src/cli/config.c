/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.c - what is said before the command line: gpurun.conf(5) and GPURUN_* variables.
 *
 *	/etc/gpurun/gpurun.conf < $XDG_CONFIG_HOME/gpurun/gpurun.conf < GPURUN_*
 *
 * A line is "key = value"; a key is a long option; '#' at the start of a line or behind a blank
 * starts a comment.  A flag's value is true or false.  A key that may be repeated adds to its
 * list.  A variable is GPURUN_ and the key in capitals with '_' for '-'.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "opt.h"

#define CONFIG_SYSTEM "/etc/gpurun/gpurun.conf"
#define CONFIG_PREFIX "GPURUN_"

/* As a variable's name has it. */
static char upper(char c)
{
	return c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* Is @entry "GPURUN_READ_ONLY=value" for "read-only"?  Its value, or NULL. */
static const char *variable_value(const char *entry, const struct opt *o)
{
	const char *p = entry + strlen(CONFIG_PREFIX);

	for (const char *n = o->name; *n; n++, p++)
		if (*p != upper(*n))
			return NULL;
	return *p == '=' ? p + 1 : NULL;
}

/* Drop the comment and the blanks around; @len bytes at @s. */
static const char *line_trim(struct arena *a, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] == '#' && (i == 0 || isblank((unsigned char)s[i - 1])))
			len = i;
	while (len && isspace((unsigned char)s[0])) {
		s++;
		len--;
	}
	while (len && isspace((unsigned char)s[len - 1]))
		len--;
	return arena_strndup(a, s, len);
}

static int key_unknown(const struct opt_in *in, const char *key, struct err *e)
{
	const char *near = opt_nearest(in->a, key, VERB_ANY);

	err_set(e, EINVAL, "%s: no such key", key);
	if (near)
		err_hint(e, "did you mean %s?", near);
	else
		err_hint(e, "a key is a long option of gpurun: gpurun run --help");
	return -EINVAL;
}

static int line_apply(const struct opt_in *in, const char *line, unsigned int verbs, struct err *e)
{
	const char *eq = strchr(line, '='), *key, *value;
	const struct opt *o;
	int r;

	if (!line[0])
		return 0;
	if (!eq)
		return err_set(e, EINVAL, "'%s': not of the form key = value", line);
	key = line_trim(in->a, line, (size_t)(eq - line));
	value = line_trim(in->a, eq + 1, strlen(eq + 1));
	o = opt_find(key, strlen(key), VERB_ANY);
	if (!o || (o->flags & OPTF_CLI))
		return key_unknown(in, key, e);
	if (!(o->verbs & verbs))
		return 0;
	r = opt_apply_value(in, o, value, e);
	if (r < 0)
		err_wrap(e, "%s", key);
	return r;
}

int config_parse(const struct opt_in *in, const char *name, const char *text, size_t len,
		 unsigned int verbs, struct err *e)
{
	const char *p = text, *end = text + len;
	unsigned int number = 0;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl ? nl : end;
		const char *line = line_trim(in->a, p, (size_t)(stop - p));
		int r = line_apply(in, line, verbs, e);

		number++;
		if (r < 0) {
			err_wrap(e, "%s:%u", name, number);
			return r;
		}
		p = nl ? nl + 1 : end;
	}
	return 0;
}

/* A file that is not there says nothing; one that cannot be read is an error. */
static int file_apply(const struct opt_in *in, const char *path, unsigned int verbs, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	int r = file_read_text(AT_FDCWD, path, in->a, CONFIG_FILE_MAX, &text, &len);

	/* EACCES: somebody else's home in $HOME or $XDG_CONFIG_HOME, as after su or setpriv */
	if (r == -ENOENT || r == -ENOTDIR || (r == -EACCES && !path_below(path, "/etc")))
		return 0;
	if (r < 0)
		return err_sys(e, -r, "%s", path);
	return config_parse(in, path, text, len, verbs, e);
}

/* Of several of one name the first counts, as for getenv(3). */
static int variable_apply(const struct opt_in *in, const struct strv *vars, const struct opt *o,
			  struct err *e)
{
	const char *value = NULL, *entry = NULL;
	int r;

	for (size_t i = 0; i < vars->n && !value; i++) {
		entry = vars->v[i];
		value = variable_value(entry, o);
	}
	if (!value || !value[0])
		return 0;
	r = opt_apply_value(in, o, value, e);
	if (r < 0)
		err_wrap(e, "%.*s", (int)(value - 1 - entry), entry);
	return r;
}

/* In the order of the option table, whatever the order of the environment. */
static int variables_apply(const struct opt_in *in, unsigned int verbs, struct err *e)
{
	struct strv vars = { 0 };
	int r = 0;

	for (char **v = environ; v && *v; v++)
		if (str_after(*v, CONFIG_PREFIX))
			strv_push(in->a, &vars, *v);
	for (const struct opt_group *const *g = opt_groups; *g && vars.n; g++) {
		for (size_t i = 0; i < (*g)->n && r >= 0; i++) {
			const struct opt *o = &(*g)->rows[i];

			if (!(o->flags & OPTF_CLI) && o->verbs & verbs)
				r = variable_apply(in, &vars, o, e);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* The user's own file, or NULL. */
static const char *user_file(const struct opt_in *in)
{
	const char *dir = getenv("XDG_CONFIG_HOME");

	if (dir && dir[0] == '/')
		return path_join(in->a, dir, "gpurun/gpurun.conf");
	if (in->home && in->home[0] == '/')
		return path_join(in->a, in->home, ".config/gpurun/gpurun.conf");
	return NULL;
}

int config_load(const struct opt_in *in, unsigned int verbs, struct err *e)
{
	const char *user = user_file(in);
	int r = file_apply(in, CONFIG_SYSTEM, verbs, e);

	if (r >= 0 && user)
		r = file_apply(in, user, verbs, e);
	return r < 0 ? r : variables_apply(in, verbs, e);
}

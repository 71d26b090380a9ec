/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt_set.c - the setters that many rows share.
 */
#include <ctype.h>
#include <errno.h>

#include <gpurun/str.h>

#include "opt.h"

#define LABEL_MAX 64

void *opt_member(const struct opt_in *in, const struct opt *o)
{
	return (char *)in->ask + o->offset;
}

void opt_put(const struct opt_in *in, const struct opt *o, const void *p, size_t size)
{
	memcpy(opt_member(in, o), p, size);
}

static int flag_value(const char *value, bool *ret, struct err *e)
{
	if (opt_bool_parse(value, ret) < 0)
		return err_set(e, EINVAL, "%s: neither true nor false", value);
	return 0;
}

int opt_set_flag(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	bool on = false;
	int r = flag_value(value, &on, e);

	if (r >= 0)
		opt_put(in, o, &on, sizeof(on));
	return r;
}

static int set_tri(const struct opt_in *in, const struct opt *o, const char *value,
		   enum tri if_true, enum tri if_false, struct err *e)
{
	bool on = false;
	int r = flag_value(value, &on, e);
	enum tri t = on ? if_true : if_false;

	if (r >= 0)
		opt_put(in, o, &t, sizeof(t));
	return r;
}

int opt_set_tri_on(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	return set_tri(in, o, value, TRI_ON, TRI_OFF, e);
}

int opt_set_tri_off(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	return set_tri(in, o, value, TRI_OFF, TRI_ON, e);
}

int opt_set_text(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	(void)e;
	opt_put(in, o, &value, sizeof(value));
	return 0;
}

const char *opt_words_join(struct arena *a, const char *const *words, const char *between)
{
	const char *s = "";

	for (size_t i = 0; words[i]; i++)
		s = arena_printf(a, "%s%s%s", s, i ? between : "", words[i]);
	return s;
}

int opt_unknown(struct err *e, const char *word, const char *const *words)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	const char *near = str_nearest(word, words);

	err_set(e, EINVAL, "%s: not one of %s", word, opt_words_join(a, words, ", "));
	if (near)
		err_hint(e, "did you mean %s?", near);
	return -EINVAL;
}

int opt_set_word(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	for (size_t i = 0; o->words[i]; i++) {
		if (str_eq(value, o->words[i])) {
			opt_put(in, o, &o->words[i], sizeof(value));
			return 0;
		}
	}
	return opt_unknown(e, value, o->words);
}

int opt_path_abs(const struct opt_in *in, const char *path, const char **ret, struct err *e)
{
	const char *below_home = str_after(path, "~/");

	if (str_eq(path, "~"))
		below_home = "";
	if (below_home) {
		if (!in->home || in->home[0] != '/')
			return err_set(e, ENOENT, "%s: $HOME is not set", path);
		*ret = path_join(in->a, in->home, *below_home ? below_home : ".");
		return 0;
	}
	if (path[0] != '/' && !in->cwd)
		return err_set(e, ENOENT, "%s: the current directory is gone", path);
	*ret = path_join(in->a, in->cwd ? in->cwd : "/", path);
	return 0;
}

int opt_set_path(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	const char *path = NULL;
	int r = opt_path_abs(in, value, &path, e);

	if (r >= 0)
		opt_put(in, o, &path, sizeof(path));
	return r;
}

int opt_set_container(const struct opt_in *in, const struct opt *o, const char *value,
		      struct err *e)
{
	const char *path;

	if (value[0] != '/')
		return err_set(e, EINVAL, "%s: not an absolute path inside the container", value);
	path = path_clean(in->a, value);
	opt_put(in, o, &path, sizeof(path));
	return 0;
}

int opt_set_label(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	size_t n = strlen(value);

	if (n > LABEL_MAX)
		return err_set(e, EINVAL, "%.16s...: longer than %d characters", value, LABEL_MAX);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)value[i]) && (i == 0 || !strchr("_.-", value[i])))
			return err_set(e, EINVAL,
				       "%s: a letter or digit, then letters, digits, '_', '.', '-'",
				       value);
	opt_put(in, o, &value, sizeof(value));
	return 0;
}

int opt_set_size(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	uint64_t n = 0;
	int r = num_size(value, &n);

	if (r < 0 || n == 0)
		return err_set(e, r == -ERANGE ? ERANGE : EINVAL,
			       "%s: not a size, such as 512m or 8g", value);
	opt_put(in, o, &n, sizeof(n));
	return 0;
}

int opt_set_accepted(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	bool on = false;
	int r = flag_value(value, &on, e);

	(void)in;
	if (r < 0 || on)
		return r;
	err_set(e, EINVAL, "%s: %s", value, o->reason);
	if (o->hint)
		err_hint(e, "%s", o->hint);
	return -EINVAL;
}

int opt_set_refused(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	(void)in;
	(void)value;
	err_set(e, ENOTSUP, "%s", o->reason ? o->reason : "not supported by this version");
	if (o->hint)
		err_hint(e, "%s", o->hint);
	return -ENOTSUP;
}

int opt_list_add(const struct opt_in *in, struct strv *list, const char *value, struct err *e)
{
	if (list->n >= OPT_LIST_MAX)
		return err_set(e, E2BIG, "given more than %d times", OPT_LIST_MAX);
	strv_push(in->a, list, value);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt_env.c - variables of the container: -e K[=V], and files of such lines.
 *
 * The grammar of a file is docker's: a line is "K=V", "K" (the caller's value), blank, or a
 * comment whose first visible character is '#'.  Blanks before K are dropped, everything behind
 * the first '=' is the value: quotes, blanks and '#' are part of it.
 */
#include <errno.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "opt.h"

#define ENV_FILE_MAX (1U << 20)

static int name_check(const char *entry, struct err *e)
{
	size_t n = strcspn(entry, "=");

	if (n == 0)
		return err_set(e, EINVAL, "'%s': the name of the variable is missing", entry);
	if (strcspn(entry, " \t\r\n") < n)
		return err_set(e, EINVAL, "'%.*s': a blank in the name of a variable", (int)n,
			       entry);
	return 0;
}

int opt_set_env(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	int r = name_check(value, e);

	(void)o;
	return r < 0 ? r : opt_list_add(in, &in->ask->request.env, value, e);
}

/* One line without its end. */
static int line_parse(struct arena *a, const char *line, size_t len, struct strv *ret,
		      struct err *e)
{
	const char *entry;
	int r;

	while (len && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	if (len && line[len - 1] == '\r')
		len--;
	if (len == 0 || *line == '#')
		return 0;
	if (memchr(line, '\0', len))
		return err_set(e, EINVAL, "a NUL byte: not a text file");
	entry = arena_strndup(a, line, len);
	r = name_check(entry, e);
	if (r < 0)
		return r;
	if (ret->n >= OPT_LIST_MAX)
		return err_set(e, E2BIG, "more than %d variables", OPT_LIST_MAX);
	strv_push(a, ret, entry);
	return 0;
}

int opt_env_file_parse(struct arena *a, const char *text, size_t len, struct strv *ret,
		       struct err *e)
{
	const char *p = text, *end = text + len;
	unsigned int number = 0;

	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl ? nl : end;
		int r = line_parse(a, p, (size_t)(stop - p), ret, e);

		number++;
		if (r < 0) {
			err_wrap(e, "line %u", number);
			return r;
		}
		p = nl ? nl + 1 : end;
	}
	return 0;
}

int opt_set_env_file(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	const char *path = NULL;
	char *text = NULL;
	size_t len = 0;
	int r = opt_path_abs(in, value, &path, e);

	(void)o;
	if (r < 0)
		return r;
	r = file_read_text(AT_FDCWD, path, in->a, ENV_FILE_MAX, &text, &len);
	if (r < 0)
		return err_sys(e, -r, "%s", value);
	r = opt_env_file_parse(in->a, text, len, &in->ask->request.env_file, e);
	if (r < 0)
		err_wrap(e, "%s", value);
	return r;
}

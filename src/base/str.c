/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str.c - strings and lexical paths.
 */
#include <gpurun/str.h>

/* Words longer than this are never "meant to be" another word. */
#define STR_NEAREST_MAX 48

void str_split(struct arena *a, const char *s, char sep, struct strv *ret)
{
	for (;;) {
		const char *end = strchr(s, sep);

		if (!end || sep == '\0')
			break;
		strv_push(a, ret, arena_strndup(a, s, (size_t)(end - s)));
		s = end + 1;
	}
	strv_push(a, ret, arena_strdup(a, s));
}

bool strv_has(const struct strv *list, const char *s)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->v[i], s))
			return true;
	return false;
}

/*
 * On a mismatch only the last '*' is worth another try, one character further: an earlier one
 * could not match more than the last one can.  So the cost is at most |pattern| * |s|.
 */
bool str_glob(const char *pattern, const char *s)
{
	const char *star = NULL, *again = NULL;

	while (*s) {
		if (*pattern == '*') {
			star = ++pattern;
			again = s;
		} else if (*pattern == '?' || *pattern == *s) {
			pattern++;
			s++;
		} else if (star) {
			pattern = star;
			s = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits (insert, delete, replace, swap two neighbours) between words <= STR_NEAREST_MAX. */
static size_t str_distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t rows[3][STR_NEAREST_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= nb; j++)
		last[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *free_row = before;

		now[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			now[j] = min3(last[j] + 1, now[j - 1] + 1,
				      last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		before = last;
		last = now;
		now = free_row;
	}
	return last[nb];
}

/* One in three letters may be wrong, one of two; the first of equally near words wins. */
const char *str_nearest(const char *s, const char *const *words)
{
	size_t n = strnlen(s, STR_NEAREST_MAX + 1);
	size_t best = (n < 3 ? 1 : n / 3) + 1;
	const char *ret = NULL;

	if (n < 2 || n > STR_NEAREST_MAX)
		return NULL;
	for (; *words; words++) {
		size_t m = strnlen(*words, STR_NEAREST_MAX + 1);
		size_t d;

		if (m > STR_NEAREST_MAX)
			continue;
		d = str_distance(s, n, *words, m);
		if (d < best) {
			best = d;
			ret = *words;
		}
	}
	return ret;
}

/* The component at *@p, slashes before it eaten; its length, 0 at the end. */
static size_t path_component(const char **p)
{
	while (**p == '/')
		(*p)++;
	return (size_t)(strchrnul(*p, '/') - *p);
}

char *path_clean(struct arena *a, const char *path)
{
	char *ret = arena_alloc(a, strlen(path) + 2);
	size_t len = 0, n;

	for (; (n = path_component(&path)) > 0; path += n) {
		if (n == 1 && path[0] == '.')
			continue;
		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (len > 0 && ret[--len] != '/')
				;
			continue;
		}
		ret[len++] = '/';
		memcpy(ret + len, path, n);
		len += n;
	}
	if (len == 0)
		ret[len++] = '/';
	ret[len] = '\0';
	return ret;
}

char *path_join(struct arena *a, const char *dir, const char *name)
{
	size_t n = strlen(dir), len = strlen(name);
	char *path;

	if (name[0] == '/')
		return path_clean(a, name);
	path = arena_alloc(a, n + 1 + len + 1);
	memcpy(path, dir, n + 1);
	path[n] = '/';
	memcpy(path + n + 1, name, len + 1);
	return path_clean(a, path);
}

bool path_below(const char *path, const char *dir)
{
	size_t n, m;

	if ((path[0] == '/') != (dir[0] == '/'))
		return false;
	while ((n = path_component(&dir)) > 0) {
		m = path_component(&path);
		if (m != n || memcmp(path, dir, n) != 0)
			return false;
		path += n;
		dir += n;
	}
	return true;
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *path_dir(struct arena *a, const char *path)
{
	const char *base = path_base(path);

	return base > path + 1 ? arena_strndup(a, path, (size_t)(base - path - 1)) : "/";
}

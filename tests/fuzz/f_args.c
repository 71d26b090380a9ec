/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any words as a whole command line, as main() takes it: the verb is chosen, its options are
 * scanned and applied; it is refused with a message, or within the verb's bounds.  Words end with a
 * newline.
 */
#include "../../src/cli/cmd.h"
#include "fuzz.h"

#define WORDS_MAX 32

/* What names files is left out: --env-file would open them. */
static size_t split(struct arena *a, const char *text, const char **words)
{
	size_t n = 0;

	words[n++] = "gpurun";
	while (*text && n < WORDS_MAX) {
		size_t len = strcspn(text, "\n");

		words[n++] = arena_strndup(a, text, len);
		text += len + (text[len] == '\n');
	}
	words[n] = NULL;
	return n;
}

static void check(struct arena *a, const struct cmd *c, const char *const *words)
{
	struct ask asked = { 0 };
	const struct opt_in in = { .a = a, .ask = &asked, .cwd = "/d", .home = "/h" };
	struct opt_line line = { 0 };
	struct err e = { 0 };
	int r = opt_scan(a, words, c->verb, c->stop, &line, &e);

	if (r >= 0)
		r = opt_apply(&in, &line, 0, &e);
	must((r < 0) == (e.msg[0] != '\0') && !strchr(e.hint, '\n'));
	for (size_t i = 0; i < line.n_items; i++)
		must(line.items[i].opt->verbs & c->verb);
	must(r < 0 || asked.request.n_mounts <= OPT_LIST_MAX);
	(void)cmd_nearest(words[0] ? words[0] : "");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	const char *words[WORDS_MAX + 1], *text = arena_strndup(a, (const char *)data, size);
	const char *const *rest = NULL;
	const struct cmd *c;
	bool left_out = false;

	if (strstr(text, "env-f"))
		return 0;
	(void)split(a, text, words);
	c = cmd_choose(words, &rest, &left_out);
	must(c && rest >= words && rest <= words + WORDS_MAX);
	must(!left_out || c == &cmd_run || c == &cmd_version || c == &cmd_help);
	if (!c->raw)
		check(a, c, rest);
	return 0;
}

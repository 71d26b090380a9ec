/* SPDX-License-Identifier: Apache-2.0 */
/* Any words as a command line of run: refused with a message, or a request with an image. */
#include <stdlib.h>
#include <string.h>

#include "../../src/cli/cmd.h"

#define WORDS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Words end with a newline; --env-file would open what the fuzzer names. */
static void split(struct arena *a, const char *text, const char **words)
{
	size_t n = 0;

	while (*text && n < WORDS_MAX) {
		size_t len = strcspn(text, "\n");

		words[n++] = arena_strndup(a, text, len);
		text += len + (text[len] == '\n');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	const char *words[WORDS_MAX + 1] = { NULL },
				      *text = arena_strndup(a, (const char *)data, size);
	struct ask asked = { 0 };
	const struct opt_in in = { .a = a, .ask = &asked, .cwd = "/d", .home = "/h" };
	struct opt_line line = { 0 };
	struct err e = { 0 };
	int r;

	if (strstr(text, "env-f"))
		return 0;
	split(a, text, words);
	r = opt_scan(a, words, VERB_RUN, true, &line, &e);
	if (r >= 0)
		r = opt_apply(&in, &line, 0, &e);
	if ((r < 0) != (e.msg[0] != '\0') || strchr(e.hint, '\n'))
		abort();
	return 0;
}

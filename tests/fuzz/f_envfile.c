/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an env-file and as a configuration file: entries have a name and no newline. */
#include <stdlib.h>
#include <string.h>

#include "../../src/cli/opt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct ask asked = { 0 };
	const struct opt_in in = { .a = a, .ask = &asked, .cwd = "/d", .home = "/h" };
	char *text = arena_strndup(a, (const char *)data, size);
	struct strv v = { 0 };
	struct err e = { 0 };

	if ((opt_env_file_parse(a, (const char *)data, size, &v, &e) < 0) != (e.msg[0] != '\0'))
		abort();
	for (size_t i = 0; i < v.n; i++)
		if (v.v[i][0] == '=' || strchr(v.v[i], '\n') || !v.v[i][0])
			abort();
	e = (struct err){ 0 };
	if (!strstr(text, "env-file") &&
	    (config_parse(&in, "x", text, strlen(text), VERB_RUN, &e) < 0) != (e.msg[0] != '\0'))
		abort();
	return 0;
}

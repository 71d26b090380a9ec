/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda_ask.c - the CUDA version of a driver, from its libcuda.  cuDriverGetVersion() initialises
 * nothing and opens no device: a constant of the library, told also where no GPU is.
 */
#include <dlfcn.h>
#include <errno.h>

#include <gpurun/driver.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "forked.h"

#define CUDA_SECONDS       10
#define CUDA_VERSION_OK(v) ((v) >= 1000 && (v) < 1000000) /* 12040: 12.4 */

/* What the child sends. */
struct cuda_answer {
	int32_t code; /* of CUDA; -1: cannot be loaded, -2: has no such function */
	int32_t version;
	char text[128]; /* the loader's */
};
enum { CUDA_NO_LIBRARY = -1, CUDA_NO_FUNCTION = -2 };

static void cuda_child(const void *arg, int out)
{
	struct cuda_answer answer = { .code = CUDA_NO_LIBRARY };
	void *library = dlopen(arg, RTLD_LAZY | RTLD_LOCAL);
	void *found = library ? dlsym(library, "cuDriverGetVersion") : NULL;
	int (*get_version)(int *);
	const char *text;

	if (found) {
		memcpy(&get_version, &found, sizeof(found));
		answer.code = get_version(&answer.version);
	} else if (library) {
		answer.code = CUDA_NO_FUNCTION;
	} else {
		text = dlerror();
		memcpy(answer.text, text, strnlen(text, sizeof(answer.text) - 1));
	}
	(void)fd_write_all(out, &answer, sizeof(answer));
}

/* Text of the loader, for a terminal; the path in front stands in the message already. */
static const char *cuda_reason(const char *libcuda, struct cuda_answer *answer)
{
	const char *rest;

	answer->text[sizeof(answer->text) - 1] = '\0';
	for (char *s = answer->text; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			*s = '?';
	rest = str_after(answer->text, libcuda);
	return rest && str_after(rest, ": ") ? rest + 2 : answer->text;
}

int gpu_cuda_ask(const char *libcuda, int *ret_major, int *ret_minor, struct err *e)
{
	const struct forked f = { .run = cuda_child, .arg = libcuda, .seconds = CUDA_SECONDS };
	struct cuda_answer answer;
	int sig;
	ssize_t n = forked_run(&f, &answer, sizeof(answer), &sig);

	if (n < 0)
		return forked_say(e, libcuda, &f, n, sig);
	if (n != (ssize_t)sizeof(answer))
		return err_set(e, EBADMSG, "%s: the answer makes no sense", libcuda);
	if (answer.code == CUDA_NO_LIBRARY)
		return err_set(e, ENOENT, "%s: cannot be loaded: %s", libcuda,
			       cuda_reason(libcuda, &answer));
	if (answer.code == CUDA_NO_FUNCTION)
		return err_set(e, ENOSYS, "%s: has no cuDriverGetVersion", libcuda);
	if (answer.code != 0)
		return err_set(e, EIO, "%s: cuDriverGetVersion: CUDA error %d", libcuda,
			       answer.code);
	if (!CUDA_VERSION_OK(answer.version))
		return err_set(e, EBADMSG, "%s: cuDriverGetVersion: %d is no version", libcuda,
			       answer.version);
	*ret_major = answer.version / 1000;
	*ret_minor = answer.version % 1000 / 10;
	return 0;
}

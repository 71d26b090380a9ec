/* SPDX-License-Identifier: Apache-2.0 */
/* base/lib: a table of functions from a library, and what is said when it cannot be had. */
#include "tap.h"

#include <gpurun/lib.h>
#include <gpurun/str.h>

#include <errno.h>

/* Both C libraries are loaded under this name already: nothing has to be installed. */
#ifdef __GLIBC__
#define SONAME "libc.so.6"
#else
#define SONAME "libc.so"
#endif

#define FUNCS(X) X(strlen) X(memcmp)
struct libc_api {
	int before;
	FUNCS(LIB_POINTER)
	int after;
};
#define ENTRY(f) LIB_ENTRY(libc_api, f)
static const struct lib_func funcs[] = { FUNCS(ENTRY) };

static const struct lib_func missing[] = {
	LIB_ENTRY(libc_api, strlen){ "gpurun_no_such_function", offsetof(struct libc_api, memcmp) },
};

int main(void)
{
	struct libc_api api = { .before = 1, .after = 2 };
	struct err e = { 0 };

	is_int(lib_load(SONAME, "libc6", funcs, ELEMENTS(funcs), &api, &e), 0, "a library");
	is_str(e.msg, "", "nothing to say");
	is_int(api.strlen("abc"), 3, "its first function");
	is_int(api.memcmp("a", "a", 1), 0, "its second");
	ok(api.before == 1 && api.after == 2, "nothing else is written");

	is_int(lib_load("libgpurun-none.so.1", "libnone1", funcs, ELEMENTS(funcs), &api, &e),
	       -ENOENT, "no such library");
	ok(str_after(e.msg, "libgpurun-none.so.1: the library cannot be loaded: "), "%s", e.msg);
	is_str(e.hint, "install it: apt-get install libnone1", "the hint");

	is_int(lib_load(SONAME, "libc6", missing, ELEMENTS(missing), &api, &e), -ENOENT,
	       "no such function");
	is_str(e.msg, SONAME ": the library has no function gpurun_no_such_function: it is too old",
	       "the message");
	is_str(e.hint, "update it: apt-get install libc6", "the hint");
	is_int(lib_load("libgpurun-none.so.1", "x", funcs, 1, &api, NULL), -ENOENT, "no record");
	return done_testing();
}

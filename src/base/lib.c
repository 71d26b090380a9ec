/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib.c - libraries on demand.
 */
#include <gpurun/lib.h>
#include <gpurun/str.h>

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

/* What dlerror() says, without the library's name in front, which the message has already. */
static const char *lib_reason(const char *soname)
{
	const char *text = dlerror();
	const char *rest;

	if (!text)
		return "unknown reason";
	rest = str_after(text, soname);
	if (rest)
		rest = str_after(rest, ": ");
	return rest ? rest : text;
}

/*
 * A loaded library stays until the process ends: the pointers in @api have no other owner.
 * Function pointers travel through memcpy, since ISO C knows no cast from dlsym's void *.
 */
int lib_load(const char *soname, const char *package, const struct lib_func *funcs, size_t n,
	     void *api, struct err *e)
{
	void *handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		err_set(e, ENOENT, "%s: the library cannot be loaded: %s", soname,
			lib_reason(soname));
		err_hint(e, "install it: apt-get install %s", package);
		return -ENOENT;
	}
	for (size_t i = 0; i < n; i++) {
		void *sym = dlsym(handle, funcs[i].name);

		if (!sym) {
			err_set(e, ENOENT, "%s: the library has no function %s: it is too old",
				soname, funcs[i].name);
			err_hint(e, "update it: apt-get install %s", package);
			(void)dlclose(handle);
			return -ENOENT;
		}
		memcpy((char *)api + funcs[i].offset, &sym, sizeof(sym));
	}
	return 0;
}

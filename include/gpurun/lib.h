/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib.h - libraries that are loaded when they are used, not when gpurun starts.
 *
 * The warm start needs none of libarchive, json-c, libcrypto, libseccomp; linking them would
 * cost more than the whole container (24 shared objects for libarchive alone).  A module
 * declares the functions that it uses as a table:
 *
 *	#define ARCHIVE_FUNCS(X) X(archive_read_new) X(archive_read_free)
 *	struct archive_api { ARCHIVE_FUNCS(LIB_POINTER) };
 *	#define ENTRY(f) LIB_ENTRY(archive_api, f)
 *	static const struct lib_func archive_funcs[] = { ARCHIVE_FUNCS(ENTRY) };
 *
 * and gets typed function pointers, checked by the compiler against the library's header.
 */
#ifndef GPURUN_LIB_H
#define GPURUN_LIB_H

#include <stddef.h>

#include <gpurun/err.h>

struct lib_func {
	const char *name;
	size_t offset; /* of the pointer inside the api struct */
};

#define LIB_POINTER(f)    __typeof__(f) *f;
#define LIB_ENTRY(api, f) { #f, offsetof(struct api, f) },

/**
 * lib_load - dlopen and resolve every function
 * @soname:  e.g. "libarchive.so.13"
 * @package: Debian's package name, for the hint
 * @api:     struct of pointers to fill
 * Errors: -ENOENT with a message that names the library and the package.
 */
int lib_load(const char *soname, const char *package, const struct lib_func *funcs, size_t n,
	     void *api, struct err *e);

#endif

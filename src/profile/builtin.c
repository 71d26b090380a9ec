/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builtin.c - the filters that seccomp/gen.c made from the policies when we were built.
 */
#include <gpurun/profile.h>

#include <linux/filter.h>
#include <stddef.h>

#include <gpurun/str.h>

#if defined(__x86_64__)
#include <seccomp_x86_64.h>
#define FILTER(variant) seccomp_x86_64_##variant
#elif defined(__aarch64__)
#include <seccomp_aarch64.h>
#define FILTER(variant) seccomp_aarch64_##variant
#else
#error "no seccomp policy for this architecture: add it to arches[] in seccomp/gen.c"
#endif

#define ROW(title, variant)                                                                        \
	{                                                                                          \
		title, FILTER(variant), ELEMENTS(FILTER(variant))                                  \
	}

static const struct profile builtin[PROFILE_COUNT] = {
	[PROFILE_DEFAULT] = ROW("default", default),
	[PROFILE_ROOT] = ROW("root", root),
	[PROFILE_NESTED] = ROW("nested", nested),
	[PROFILE_NESTED_ROOT] = ROW("nested-root", nested_root),
	[PROFILE_UNPACK] = ROW("unpack", unpack),
};

struct profile profile_builtin(enum profile_kind k)
{
	return builtin[k];
}

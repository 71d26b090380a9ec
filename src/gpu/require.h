/* SPDX-License-Identifier: Apache-2.0 */
/*
 * require.h - one requirement of an image against one GPU and its driver.  Private to src/gpu/.
 */
#ifndef GPURUN_GPU_REQUIRE_H
#define GPURUN_GPU_REQUIRE_H

#include <stdbool.h>
#include <stddef.h>

/* The order makes "and" the least of all and "or" the greatest. */
enum require_verdict { REQUIRE_UNMET, REQUIRE_UNKNOWN, REQUIRE_MET };

enum require_property {
	REQUIRE_CUDA,
	REQUIRE_DRIVER,
	REQUIRE_ARCH,
	REQUIRE_BRAND,
	REQUIRE_PROPERTIES,
};

/* A piece of somebody else's text, not NUL-terminated. */
struct require_text {
	const char *s;
	size_t n;
};

/**
 * struct require_judgement - what was found out about a requirement
 * @have:	 the facts that it is held against; NULL: not known
 * @speaks_of:	 does it mention the property?
 * @terms:	 how many; @first: of them
 * @odd:	 the first factor that is not understood; s NULL: none
 */
struct require_judgement {
	const char *have[REQUIRE_PROPERTIES];
	bool speaks_of[REQUIRE_PROPERTIES];
	size_t terms;
	struct require_text first, odd;
};

/**
 * require_judge - the verdict on @requirement; an empty one is met
 * @j: have is filled by the caller, all else is zero
 */
enum require_verdict require_judge(struct require_judgement *j, const char *requirement);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * abi.h - what the host's driver libraries will meet in an image: its C library, its cache of
 * libraries, driver libraries of its own.  Everything is found by fixed names in the merged
 * tree; nothing of the image is run or loaded.
 */
#ifndef STORE_ABI_H
#define STORE_ABI_H

#include <gpurun/arena.h>
#include <gpurun/image.h>

#include "view.h"

/**
 * abi_look - fill struct image_abi; never fails: what cannot be read is not there
 * @arch: Go's name of the architecture that the driver is for ("amd64")
 * In @ret ld_cache is "LAYER:PATH", which still holds when the store has moved: abi_locate().
 */
void abi_look(const struct view *v, struct arena *a, const char *arch, struct image_abi *ret);

/** abi_locate - "LAYER:PATH" as a host path below one of @lowers; NULL for NULL and nonsense */
const char *abi_locate(struct arena *a, const struct strv *lowers, const char *place);

#endif

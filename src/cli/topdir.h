/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topdir.h - the entries of a tree's top directory, for a root without overlay.
 */
#ifndef GPURUN_CLI_TOPDIR_H
#define GPURUN_CLI_TOPDIR_H

#include <gpurun/arena.h>

/** topdir_read - "d NAME", "f NAME", "l NAME\tTARGET", sorted; what is none of these is left out */
int topdir_read(struct arena *a, const char *path, struct strv *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.h - the walls around the unpack worker.
 */
#ifndef STORE_SANDBOX_H
#define STORE_SANDBOX_H

#include <gpurun/err.h>

/**
 * sandbox_enter - from here on this process can write below @stage, read what it has open and
 * what is below @source (a directory), and start nothing
 *
 * @stage keeps its number, and is another descriptor of the same directory afterwards.
 * In this order, each wall standing by itself:
 * 1. no_new_privs, limits: no core, bounded memory and descriptors
 * 2. user and mount namespaces of its own with @stage as the root directory; left out where
 *    they are not to be had
 * 3. no capabilities
 * 4. Landlock: writing below @stage only; left out where the kernel cannot let directories be
 *    moved within it (ABI 1) or has none
 * 5. the seccomp filter; never left out
 */
int sandbox_enter(int stage, int source, struct err *e);

#endif

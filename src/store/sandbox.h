/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.h - the walls around the unpack worker.
 */
#ifndef STORE_SANDBOX_H
#define STORE_SANDBOX_H

#include <gpurun/err.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANDBOX_ASAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANDBOX_ASAN 1
#endif
#ifndef SANDBOX_ASAN
#define SANDBOX_ASAN 0
#endif

/**
 * sandbox_enter - from here on this process can write below @stage, read what it has open and
 * what is below @source (a directory), and start nothing
 *
 * @path: of @source, absolute
 * @stage and @source keep their numbers, and are other descriptors of the same things afterwards:
 * nothing is above them, and @source's mount is read-only.
 * In this order, each wall standing by itself:
 * 1. no_new_privs, limits: no core, bounded memory and descriptors
 * 2. user and mount namespaces of its own with @stage as the root directory (root makes do
 *    with the latter); left out where they are not to be had
 * 3. no capabilities
 * 4. Landlock: writing below @stage only, signals to nobody else (ABI 6); left out where the
 *    kernel cannot let directories be moved within it (ABI 1) or has none
 * 5. the seccomp filter; never left out
 * Without the second and the fourth every file of the user's would be in reach: -EPERM.
 */
int sandbox_enter(int stage, int source, const char *path, struct err *e);

#endif

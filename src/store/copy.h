/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.h - copy files and trees with mode, times and user attributes.
 */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include <stdint.h>

#include <gpurun/err.h>

/**
 * copy_file - contents and attributes of the open file @from to the new, empty file @to
 * Return: how many bytes that took, without the holes; -errno
 */
int64_t copy_file(int from, int to);

/**
 * copy_tree - everything below the directory @from into the empty directory @to: directories,
 * files (hard links become files), links, pipes; sockets and devices are left out
 * @name: of the copy, for messages
 */
int copy_tree(int from, int to, const char *name, struct err *e);

#endif

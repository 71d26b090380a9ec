/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.h - visit everything below a directory, without following links, with few descriptors
 * however deep it is.
 */
#ifndef STORE_WALK_H
#define STORE_WALK_H

#include <sys/stat.h>

/** struct walk_entry - something below the root; a directory comes before what is in it */
struct walk_entry {
	int dirfd;
	const char *name; /* in @dirfd */
	const char *path; /* from the root */
	struct stat st;
};

/**
 * walk_tree - call @visit for everything below @root
 * Return: 0, the first other value than 0 that @visit returned, or -errno.
 */
int walk_tree(int root, int (*visit)(void *arg, const struct walk_entry *e), void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.h - look into stacked layers as overlayfs will show them, without mounting them.
 */
#ifndef STORE_VIEW_H
#define STORE_VIEW_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include <gpurun/arena.h>
#include <gpurun/image.h>

/** struct view - directories fs/, the topmost first; a flat tree is a view of one */
struct view {
	int fs[IMAGE_LAYERS_MAX];
	size_t n;
};

/**
 * view_stat - what is at @path, no link followed; @path relative without "." and ".."
 * @ret_layer: the topmost layer that has it
 * Return: 0, -ENOENT, -errno
 */
int view_stat(const struct view *v, const char *path, struct stat *ret, size_t *ret_layer);

/** struct view_place - where something really is: @path has no link in it, "" is the root */
struct view_place {
	char path[PATH_MAX];
	size_t layer; /* the topmost that has it */
	struct stat st;
};

/**
 * view_find - what is at @path (from the root, with or without a slash), links resolved inside
 * Return: 0, -ENOENT, -ELOOP, -errno
 */
int view_find(const struct view *v, const char *path, struct view_place *ret);

/** view_open - the regular file at a place, O_RDONLY; -EINVAL for anything else, -errno */
int view_open(const struct view *v, const struct view_place *p);

/**
 * view_list - the names in the directory @dir (as in struct view_place), sorted
 * Return: 0; -E2BIG when its layers have more than @max together; -ENOENT, -errno
 */
int view_list(const struct view *v, struct arena *a, const char *dir, size_t max, struct strv *ret);

/**
 * view_text - a regular file of the view as text, "" when there is none
 * Return: 0; -EFBIG when it is larger than @max ("" then, too)
 */
int view_text(const struct view *v, struct arena *a, const char *path, size_t max,
	      const char **ret);

/** view_is_dir - is there a directory at @path (links resolved)? */
bool view_is_dir(const struct view *v, const char *path);

/** view_is_whiteout - is there a whiteout at @path of one layer? */
bool view_is_whiteout(int fs, const char *path);

#endif

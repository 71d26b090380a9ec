/* SPDX-License-Identifier: Apache-2.0 */
/*
 * whiteout.h - names of entries in a layer (pure): cleaning, and the names that stand for
 * deletions.
 */
#ifndef STORE_WHITEOUT_H
#define STORE_WHITEOUT_H

#include <limits.h>
#include <stdbool.h>

enum name_kind {
	NAME_PLAIN,
	NAME_ROOT,     /* the root directory itself */
	NAME_WHITEOUT, /* .wh.NAME: NAME of the layers below is gone */
	NAME_OPAQUE,   /* .wh..wh..opq: everything that the layers below have in here is gone */
	NAME_IGNORED,  /* .wh..wh.plnk and other leftovers of aufs, with what is below them */
};

/**
 * struct name - a cleaned name
 * @path:  relative, without "." and empty components; of a whiteout, what it hides; of an
 *	   opaque marker, the directory ("" is the root)
 */
struct name {
	enum name_kind kind;
	char path[PATH_MAX];
};

/**
 * name_clean - @raw without leading and doubled slashes and "."
 * Return: 0; -EINVAL for "..", for an empty name; -ENAMETOOLONG.  "" in @ret is the root.
 */
int name_clean(const char *raw, char ret[PATH_MAX]);

/**
 * name_parse - what an entry called @raw is about
 * @ret_why: on -EINVAL, what is wrong with the name, for a message
 */
int name_parse(const char *raw, struct name *ret, const char **ret_why);

/** name_base - the last component */
const char *name_base(const char *path);

/** name_join - @dir/@name, or @name alone in the root (""); -ENAMETOOLONG */
int name_join(const char *dir, const char *name, char ret[PATH_MAX]);

/** name_dir - the path of the directory that @path is in, "" for the root */
void name_dir(const char *path, char ret[PATH_MAX]);

#endif

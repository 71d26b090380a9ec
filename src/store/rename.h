/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rename.h - rename without replacing.
 */
#ifndef STORE_RENAME_H
#define STORE_RENAME_H

/**
 * rename_new - give @from of @fromfd the name @to in @tofd, unless that name is taken
 * Return: 0, -EEXIST, -errno.
 */
int rename_new(int fromfd, const char *from, int tofd, const char *to);

#endif

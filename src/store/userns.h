/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userns.h - user and mount namespaces for helper processes of the store.
 */
#ifndef STORE_USERNS_H
#define STORE_USERNS_H

/**
 * userns_enter - new user and mount namespaces, our ids mapped to themselves, @dir the current
 * directory there (a descriptor from outside is of no use for mounts)
 * Return: 0; 1 when such namespaces are not to be had; -errno when we are in a half-made one
 */
int userns_enter(int dir);

/**
 * userns_root - make the current directory the root directory, nosuid and nodev, and forget the
 * old one; descriptors opened before stay what they are
 * Return: 0, or -errno
 */
int userns_root(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cold.h - bring an image into the store: run the worker, publish what it made.
 */
#ifndef STORE_COLD_H
#define STORE_COLD_H

#include "source.h"
#include "store_private.h"

/** struct cold - one image on its way into the store */
struct cold {
	struct store *store;
	struct arena *arena;
	const struct image_ref *ref;
	const struct store_ensure_options *options;
	struct source source;
	int source_fd;
};

/**
 * cold_unpack - unpack what is missing and publish layers, tree and record
 * @ret_file: the image's file in images/
 * The caller holds the lock of the key and, shared, that of the store.
 */
int cold_unpack(const struct cold *c, const char **ret_file, struct err *e);

#endif

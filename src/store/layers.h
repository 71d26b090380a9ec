/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layers.h - inside the worker: the layers of an image, each into a directory of its own and
 * several at once, or one after the other into one tree.
 */
#ifndef STORE_LAYERS_H
#define STORE_LAYERS_H

#include <stdatomic.h>
#include <stdint.h>

#include <gpurun/image.h>

#include "unpack.h"

/* Each has a ring, and the window that its frames ask for: up to 128 MiB (zstd) or 256 MiB (xz). */
#define LAYERS_AT_ONCE_MAX 4

/**
 * struct layers - what the layers of one image share; zero but for the first members
 * @sock:   to the parent, for MSG_PROGRESS and MSG_LAYER; may be used by several threads
 * @stage, @trash: directories, see worker.h
 * @at_once: how many threads may unpack, see layers_at_once()
 * @entries: of all layers together, see unpack_layer()
 * @done, @total: bytes of the blobs; @bytes: written; @finished of @ordered layers
 * @said:   ms: when progress was reported last
 * @skipped: when all is done
 */
struct layers {
	int sock, stage, trash;
	unsigned int at_once;
	struct image_source *source;
	const struct image_manifest *manifest;

	_Atomic uint64_t entries;
	_Atomic uint64_t done, total, bytes;
	_Atomic uint32_t finished;
	uint32_t ordered;
	_Atomic int64_t said;
	struct unpack_skipped skipped;
};

/**
 * layers_at_once - half of the CPUs that we may use: each layer keeps about two busy; fewer where
 * a limit of the user's (ulimit -v, -d) leaves no address space for so many
 */
unsigned int layers_at_once(void);
unsigned int layers_that_fit(unsigned int cpus, uint64_t space);

/**
 * layers_apart - every layer with @wanted[i] into layer-I/ of the stage
 * Return: 0; 1: a layer depends on others; -errno.  As if they came one after the other: the
 * lowest layer that fails, or depends on others, decides.
 */
int layers_apart(struct layers *ls, const uint8_t wanted[IMAGE_LAYERS_MAX], struct err *e);

/** layers_flat - all layers into tree/ of the stage; 0 or -errno */
int layers_flat(struct layers *ls, struct err *e);

#endif

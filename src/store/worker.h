/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h - the process that meets the bytes of an image, and the messages between it and us.
 *
 * The worker may write one directory, its stage, and nothing else; it reads the image through
 * a descriptor that it was given.  It leaves in the stage
 *
 *	manifest	a record (record.h) with the image's name and configuration
 *	layer-N/{fs,list}	one unpacked layer, if it was told to
 *	tree/{fs,list}	the flattened tree, if it was told to
 *	trash/		what it removed
 *
 * Messages are structs over a SEQPACKET pair:
 *
 *	worker		we
 *	MSG_MANIFEST
 *			MSG_LAYERS (which) or MSG_FLAT
 *	MSG_PROGRESS ... MSG_LAYER ... (of several layers at once, in no order)
 *	MSG_DONE, or MSG_DEPENDENT: a layer cannot be unpacked by itself
 *	MSG_FAILED at any time
 *
 * A worker gets one order.  It is ended, not asked to end, before anything else is done with what
 * it left: the flat form, if it is needed after all, is another worker's.
 */
#ifndef STORE_WORKER_H
#define STORE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include <gpurun/err.h>
#include <gpurun/image.h>

#include "unpack.h"

#define WORKER_MANIFEST "manifest"
#define WORKER_LAYER    "layer-%u"
#define WORKER_TREE     "tree"
#define WORKER_TRASH    "trash"

enum msg_type {
	MSG_MANIFEST,
	MSG_LAYERS,
	MSG_FLAT,
	MSG_PROGRESS,
	MSG_LAYER,
	MSG_DEPENDENT,
	MSG_DONE,
	MSG_FAILED,
};

/**
 * struct msg - all messages have this form; what does not apply is zero
 * @layers:  MANIFEST: how many the image has; PROGRESS: how many were ordered
 * @layer:   LAYER: which; PROGRESS: how many are finished
 * @wanted:  LAYERS: which to unpack
 * @done, @total: PROGRESS: bytes of the blobs of all ordered layers
 * @bytes:   PROGRESS, LAYER: written
 * @diff_id: LAYER: the computed one
 * @skipped: DONE
 */
struct msg {
	uint32_t type;
	uint32_t layers, layer;
	uint8_t wanted[IMAGE_LAYERS_MAX];
	uint64_t done, total, bytes;
	char diff_id[IMAGE_ID_HEX + 1];
	struct unpack_skipped skipped;
	struct err err;
};

struct worker_input {
	const struct image_ref *ref;
	const char *arch;
	const char *source_path; /* absolute */
	int source;              /* the file, or the layout's directory */
	int stage;
};

/** worker_run - be the worker: never returns */
void worker_run(const struct worker_input *in, int sock) __attribute__((noreturn));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml.h - the YAML that CDI files are written in, as the tree that json.h gives; private to
 * src/gpu/.
 */
#ifndef GPURUN_GPU_YAML_H
#define GPURUN_GPU_YAML_H

#include <gpurun/json.h>

#define YAML_SIZE_MAX  (1U << 20)
#define YAML_DEPTH_MAX 16
#define YAML_COUNT_MAX (1U << 14) /* values in one document */

/**
 * yaml_parse - one document of plain YAML: mappings, sequences and scalars (libyaml, on use)
 * Refused: anchors and aliases (small files that grow without bounds), tags, keys that are no
 * scalars or stand twice, further documents.  Plain scalars are null, true and false, decimal
 * whole numbers, else strings; quoted ones are strings.
 * @what: names the document in messages
 */
int yaml_parse(struct arena *a, const char *text, size_t len, const char *what,
	       const struct json **ret, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle.h - the readers of config.json, one file for each of its large objects; private to
 * src/oci/.  All take the bundle as @to, unless they say otherwise.
 */
#ifndef OCI_BUNDLE_H
#define OCI_BUNDLE_H

#include <gpurun/json.h>
#include <gpurun/oci.h>
#include <gpurun/str.h>

/* A member that we do not do: it may be empty, and is refused by name otherwise. */
json_read_fn oci_read_unsupported;

json_read_fn oci_read_process;                    /* process.c */
json_read_fn oci_read_linux;                      /* linux.c */
json_read_fn oci_read_mounts;                     /* mounts.c */
json_read_fn oci_read_device, oci_read_resources; /* devices.c */

json_read_fn oci_read_text; /* any string, to a const char * */
json_read_fn oci_read_bool; /* to a bool */
json_read_fn oci_read_id;   /* 0 to 2^32-2, to a uint32_t */
json_read_fn oci_read_int;  /* to an int64_t */

/** oci_refuse - as json_read_refuse() with a text that has an object in it: "WORD: REASON" */
int oci_refuse(struct json_reader *r, const struct json_at *at, const char *word,
	       const char *reason);

/** oci_note - "PLACE: TEXT" to the notes */
void oci_note(struct json_reader *r, struct oci_bundle *b, const struct json_at *at,
	      const char *text);

#endif

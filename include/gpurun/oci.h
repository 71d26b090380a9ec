/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci.h - a bundle of the OCI runtime specification 1.x: config.json, read and judged (pure).
 *
 * Every member of the specification is done exactly, is at its default, or is refused by name.
 * Members that the specification does not know must not be errors, says the specification: they
 * are named in a warning.  Where we are stricter than what was asked, that is no contradiction:
 *
 *	- noNewPrivileges, nosuid, and mount and user namespaces of our own are always there
 *	- "ro" and its kin hold for the mounts below a recursive bind, too
 *	- /dev is always a tmpfs of ours: what it holds is all that the container can open
 *	- /proc, /sys, /dev, /dev/pts and /dev/shm are there also where the list lacks them
 */
#ifndef GPURUN_OCI_H
#define GPURUN_OCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <gpurun/arena.h>
#include <gpurun/edits.h>
#include <gpurun/err.h>

#define OCI_CONFIG     "config.json"
#define OCI_CONFIG_MAX (1U << 20) /* bytes: the kernel takes no larger environment either */

struct json;
struct request;

/* linux.devices: the node @path; and a rule of linux.resources.devices that allows */
struct oci_device {
	const char *path;     /* NULL: of a rule */
	char type;            /* 'c', or 'b'; of a rule also 'a' */
	int64_t major, minor; /* -1: of a rule, any */
	const char *at;       /* where it stands, for messages */
};

struct oci_devices {
	struct oci_device *v;
	size_t n, cap;
};

struct oci_rlimit {
	int resource;
	struct rlimit limit;
	const char *name; /* "RLIMIT_NOFILE" */
};

struct oci_rlimits {
	struct oci_rlimit *v;
	size_t n, cap;
};

/* The single id of linux.uidMappings or linux.gidMappings. */
struct oci_map {
	bool there;
	uint32_t inside, outside;
};

/**
 * struct oci_bundle - what config.json asks for
 * @dir:    the bundle, absolute
 * @file:   its config.json, for messages
 * @root:   root.path, absolute
 * @namespaces: CLONE_NEW* of the list
 * @mounts: in their order; PROC, SYSFS and MQUEUE without OPF_HOST (the plan knows which)
 * @seccomp: linux.seccomp, or NULL
 * @gpus, @gpu_caps, @cuda_compat, @share: org.gpurun.* annotations, or NULL: as the options of
 *	    these names
 * @ignored: members that the specification does not know, by their places
 * @notes:  what is done in another way than it is written
 */
struct oci_bundle {
	const char *dir, *file;
	const char *root;
	bool read_only;
	uint64_t root_propagation; /* MS_PRIVATE, or 0: mounts of the host go on to arrive */
	const char *hostname;
	uint64_t namespaces;
	struct oci_map uid_map, gid_map;
	struct op_list mounts;
	struct strv masked, read_only_paths;
	struct oci_devices devices, allowed;
	const struct json *seccomp;

	struct strv args, env; /* NULL-terminated; the last of two variables with one name */
	const char *cwd;
	bool terminal;
	uid_t uid;
	gid_t gid;
	uint64_t bounding, permitted, ambient; /* capability sets */
	struct oci_rlimits rlimits;

	const char *gpus, *gpu_caps, *cuda_compat, *share;
	struct strv ignored, notes;
};

/**
 * oci_bundle_read - read a config.json
 * @dir: absolute path of the bundle: relative paths start there
 * Errors: "DIR/config.json: PLACE: REASON".
 */
int oci_bundle_read(struct arena *a, const char *dir, const char *text, size_t len,
		    struct oci_bundle *ret, struct err *e);

/**
 * oci_request - what a bundle asks for in the words of a request
 * @id: a label for ps, exec and kill
 */
int oci_request(const struct oci_bundle *b, const char *id, struct request *q, struct err *e);

/** oci_environ - the variables of @env, then those of @own that it does not have; NULL-terminated */
const char *const *oci_environ(struct arena *a, const struct strv *env, const char *const *own);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdi_spec.h - one CDI file (Container Device Interface, versions 0.3.0 to 1.1.0): devices, and
 * what each of them brings into a container; private to src/gpu/.
 */
#ifndef GPURUN_GPU_CDI_SPEC_H
#define GPURUN_GPU_CDI_SPEC_H

#include <stdbool.h>

#include <gpurun/json.h>

/* A device node; its recorded numbers are not kept: they change when modules are loaded anew. */
struct cdi_node {
	const char *path; /* inside */
	const char *host; /* on the host */
	const char *type; /* "", "c", "u", "b", "p" */
	bool read_only;   /* the permissions are without "w" */
};

struct cdi_mount {
	const char *host, *path; /* absolute and clean */
	const char *type;        /* "", "bind", ... */
	struct strv options;
};

/* What a runtime would run; to us it is data. */
struct cdi_hook {
	const char *path;
	struct strv args; /* with argv[0] */
};

/**
 * struct cdi_edits - what a file, or one of its devices, brings
 * @cannot: a part of it that we cannot give ("netDevices"), or NULL
 */
struct cdi_edits {
	struct strv env; /* "K=V" */
	struct cdi_node *nodes;
	size_t n_nodes, cap_nodes;
	struct cdi_mount *mounts;
	size_t n_mounts, cap_mounts;
	struct cdi_hook *hooks;
	size_t n_hooks, cap_hooks;
	const char *cannot;
};

struct cdi_device {
	const char *name;
	struct cdi_edits edits;
};

struct cdi_spec {
	const char *file;       /* its path, for messages */
	const char *kind;       /* "nvidia.com/gpu" */
	struct cdi_edits edits; /* with whichever of its devices */
	struct cdi_device *v;
	size_t n, cap;
};

/**
 * cdi_spec_read - @doc as a CDI file (pure)
 * Everything has to be what the specification says: an unknown member, a wrong type, a name
 * that is none, control characters are errors that name the place.
 */
int cdi_spec_read(struct arena *a, const struct json *doc, const char *file, struct cdi_spec *ret,
		  struct err *e);

/** cdi_is_kind - "vendor/class", the first @n characters of @s */
bool cdi_is_kind(const char *s, size_t n);

/** cdi_is_device - the name of a device within its kind: "0", "0:1", "GPU-..." */
bool cdi_is_device(const char *s);

#endif

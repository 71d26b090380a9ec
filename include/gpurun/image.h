/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h - images: how they are named, what their configuration says, and the front ends that
 * read them (docker save, OCI archive and layout, plain tar).  The bytes of an image are read
 * in the worker of store/unpack only.
 */
#ifndef GPURUN_IMAGE_H
#define GPURUN_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gpurun/arena.h>
#include <gpurun/err.h>

#define IMAGE_LAYERS_MAX 128
#define IMAGE_ID_HEX     64

/* How the user named it. */
enum image_transport {
	IMAGE_AUTO,           /* by content */
	IMAGE_DOCKER_ARCHIVE, /* docker-archive:FILE[:TAG] */
	IMAGE_OCI_ARCHIVE,    /* oci-archive:FILE[:TAG] */
	IMAGE_OCI,            /* oci:DIR[:TAG] */
	IMAGE_DIR,            /* dir:DIR, a root file system directory */
	IMAGE_REGISTRY,       /* docker://REF: recognised, refused with a hint */
};

struct image_ref {
	enum image_transport transport;
	const char *path; /* NULL when it can only be a name in the store */
	const char *tag;  /* ref.name, RepoTag, "@N", or NULL */
	const char *text; /* as typed */
};

/** image_ref_parse - pure; an existing file is found out by the caller (store_ensure) */
int image_ref_parse(struct arena *a, const char *text, struct image_ref *ret, struct err *e);

/* The configuration of an image, as in OCI's image-spec config.md. */
struct image_config {
	struct strv env; /* "K=V" */
	struct strv entrypoint, cmd;
	const char *workdir; /* absolute, or NULL */
	const char *user;    /* text or NULL */
	int stop_signal;     /* 0: none given */
	struct strv labels;  /* "K=V": for inspect only, never acted on */
	struct strv volumes; /* paths: for inspect only */
	const char *created, *author, *os, *architecture; /* or NULL: for inspect */
};

/**
 * struct image_abi - what a driver's libraries must get on with, as the merged tree shows it
 * Found out when an image is unpacked and kept in its record; of a directory where it is wanted
 * (struct store_ensure_options).
 */
struct image_abi {
	enum image_libc {
		IMAGE_LIBC_NONE, /* no dynamic linker where the ABI wants it: a static image */
		IMAGE_LIBC_GLIBC,
		IMAGE_LIBC_MUSL,
	} libc;
	uint32_t glibc;       /* ELF_VERSION() of libc.so.6, 0: unknown */
	bool glibc32;         /* a 32-bit glibc is there, too */
	const char *libdir;   /* inside, of libc.so.6: "/usr/lib/x86_64-linux-gnu", or NULL */
	const char *ld_cache; /* host path of the file that is /etc/ld.so.cache, or NULL */
	struct strv drivers;  /* inside: driver libraries that the image brings along */
	/* forward compatibility: regular files in /usr/local/cuda/compat, and the note of the one
	 * libcuda.so.X.Y among them (".note.cuda.fwd_compatibility"), or NULL */
	struct strv compat;
	const char *compat_note;
};

/* In which form the store holds the tree. */
enum image_form { IMAGE_FORM_LAYERS, IMAGE_FORM_FLAT, IMAGE_FORM_DIR };

/**
 * struct image - an image that is ready to run
 * @lowers: absolute directories, the topmost first, at least one
 * @passwd, @group: text of the image's files as the merged tree shows them, or "" (at most
 *	    IMAGE_PASSWD_MAX bytes each; larger ones count as absent and are said)
 */
#define IMAGE_PASSWD_MAX (256U << 10)
struct image {
	char id[IMAGE_ID_HEX + 1]; /* sha256 in hex; "" for a root file system directory */
	const char *name;          /* for people */
	enum image_form form;
	struct strv lowers;
	struct strv diff_ids; /* hex, the bottom first */
	struct image_config config;
	const char *passwd, *group;
	uint64_t bytes, entries; /* of the unpacked tree */
	struct image_abi abi;
	bool apt;     /* /etc/apt/apt.conf.d is there (for --root) */
	bool foreign; /* lowers.v[0] has another owner or group than ours (a shared store, a
		       * directory of root's): its directories cannot be copied up, EOVERFLOW */
};

/* ---- front ends (worker side) -------------------------------------------------------- */

struct image_source;

/* A layer's tar stream, decompressed; every byte read is hashed. */
struct image_layer {
	const char *diff_id; /* expected sha256 of the tar in hex, or NULL (plain tar) */
	const char *digest;  /* expected sha256 of the blob in hex, or NULL */
	int64_t size;        /* expected size of the blob, -1 unknown */
	const char *blob;    /* the front end's own name of it */
};

struct image_manifest {
	struct image_config config;
	/* sha256 of the config, of the manifest when it has none, "" for a plain tar */
	char config_id[IMAGE_ID_HEX + 1];
	const char *name;           /* RepoTag, ref.name, or NULL */
	struct image_layer *layers; /* the bottom first */
	size_t n_layers;
};

/**
 * image_open - recognise what @fd holds, choose an image in it, verify and read its manifest
 * @fd: a regular file (seekable), or the O_RDONLY directory of an OCI layout; it stays the
 *	caller's and open until image_close(); its offset is not used
 * @ref: lives as long as the source (the tag chooses, the path is the object of messages)
 * @spool_dirfd: where a compressed archive of archives may be spooled (an unlinked file)
 * @arch: Go's name of the wanted architecture
 * Errors: -EINVAL (bad image, says what and where), -ENOTSUP (a form that is not read),
 *	   ambiguous tags list the names there are.
 */
int image_open(struct arena *a, int fd, const struct image_ref *ref, int spool_dirfd,
	       const char *arch, struct image_source **ret, struct image_manifest *ret_manifest,
	       struct err *e);
void image_close(struct image_source *s);

/**
 * image_layer_open - start reading one layer
 * image_layer_read - decompressed tar bytes, valid until the next call on this stream; 0 at the
 *	end, -errno with @e filled on failure
 * image_layer_finish - read to the end of the blob, compare digest, size and diff_id;
 *	@ret_diff_id gets the computed one (65 bytes, may be NULL)
 * image_layer_close - at any time, accepts NULL
 *
 * A source may be read by several threads at a time, each with streams of its own: nothing of
 * the source or of its arena changes after image_open().  A stream belongs to the thread that
 * opened it; where there is a second CPU and the blob is not small it decompresses ahead in a
 * thread of its own, which is gone after image_layer_close().  Before the first thread is
 * started image_libs_load() was called.
 */
struct image_stream;
int image_layer_open(struct image_source *s, const struct image_layer *l, struct image_stream **ret,
		     struct err *e);
ssize_t image_layer_read(struct image_stream *st, const void **ret_block, struct err *e);
int image_layer_finish(struct image_stream *st, char ret_diff_id[IMAGE_ID_HEX + 1], struct err *e);
void image_layer_close(struct image_stream *st);
/** image_layer_progress - compressed bytes consumed so far, and the total */
void image_layer_progress(const struct image_stream *st, uint64_t *ret_done, uint64_t *ret_total);

/** image_libs_load - load every library that reading may need, before a sandbox closes */
int image_libs_load(struct err *e);

/* ---- pure helpers --------------------------------------------------------------------- */

/** image_config_parse - the OCI/docker config document; diff_ids in hex go to @ret_diff_ids */
int image_config_parse(struct arena *a, const char *json, size_t len, struct image_config *ret,
		       struct strv *ret_diff_ids, struct err *e);

/** image_signal_parse - "SIGTERM", "TERM", "15", "SIGRTMIN+3"; the number or -EINVAL */
int image_signal_parse(const char *text);

/**
 * image_user_lookup - resolve "user", "uid", "user:group", ... against passwd and group texts
 * name, home, shell: of the passwd line, or NULL; "" is root, and so is the user of ":group"
 * Errors: -ENOENT for a name without a line, -EINVAL, -ERANGE (ids over 2^31-1).
 */
struct image_user {
	uid_t uid;
	gid_t gid;
	const char *name, *home, *shell;
};
int image_user_lookup(struct arena *a, const char *text, const char *passwd, const char *group,
		      struct image_user *ret, struct err *e);

/* ---- SHA-256 (OpenSSL's, loaded on use) ------------------------------------------------ */
struct sha256;
struct sha256 *sha256_new(struct err *e);
void sha256_update(struct sha256 *h, const void *p, size_t n);
void sha256_hex(struct sha256 *h, char ret[IMAGE_ID_HEX + 1]); /* ends it */
void sha256_free(struct sha256 *h);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edits.h - one operation on the container's files, and the "container edits" (the shape of
 * CDI's containerEdits) in which every source of operations hands them to the plan: the base
 * profile, the image's configuration, GPU back ends, CDI files, --volume, --device.
 */
#ifndef GPURUN_EDITS_H
#define GPURUN_EDITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gpurun/arena.h>

/*
 * Destinations are paths inside the container, resolved inside the new root when the operation
 * is done; missing parents (0755) and mount points are made.  Sources are host paths.
 */
enum op_kind {
	OP_BIND,     /* src -> dst, a directory or a file; attrs; OPF_* */
	OP_BIND_DEV, /* src, a device node with rdev (0: any device) -> dst; never nodev */
	OP_TMPFS,    /* fresh tmpfs on dst: attrs, size, mode */
	OP_PROC,   /* fresh proc of the new PID namespace; OPF_HOST: recursive bind of the host's */
	OP_SYSFS,  /* fresh sysfs, read-only (own network namespace); OPF_HOST: recursive ro bind */
	OP_DEVPTS, /* fresh devpts, newinstance, ptmxmode=0666,mode=0620 */
	OP_MQUEUE, /* fresh mqueue of the new IPC namespace; OPF_HOST: bind of the host's */
	OP_DIR,    /* directory dst with mode, unless there */
	OP_FILE,   /* regular file dst with data and mode (replaces); on the scratch layer */
	OP_SYMLINK,  /* link dst -> data (replaces a link, never a directory) */
	OP_MASK,     /* hide dst: /dev/null over a file, an empty read-only directory over one */
	OP_READONLY, /* make what is at dst read-only (bind onto itself, recursive) */
	OP_KIND_COUNT
};

enum {
	OPF_OPTIONAL = 1 << 0,  /* a missing source (or, for MASK and READONLY, dst) is no error;
				 * BIND, FILE and SYMLINK: neither is a dst that cannot be
				 * made, as the root cannot be written there (EROFS, EACCES,
				 * EPERM, EOVERFLOW) or has something else in the way (ENOTDIR,
				 * EISDIR, EEXIST, ELOOP) */
	OPF_RECURSIVE = 1 << 1, /* BIND: with the mounts below src */
	OPF_HOST = 1 << 2,      /* PROC, SYSFS, MQUEUE: the host's instead of a fresh one */
	OPF_BIND_FILE = 1 << 3, /* FILE: the text sits on a tmpfs file bound over dst read-only
				 * (for a root that cannot be written) */
	OPF_NOFOLLOW = 1 << 4, /* TMPFS, PROC, SYSFS: a link at dst is an error, others follow it */
};

/**
 * struct op - one operation; unused members are zero
 * @attrs: MOUNT_ATTR_RDONLY|NOSUID|NODEV|NOEXEC; TMPFS: also NOATIME, STRICTATIME
 * @propagation: BIND: MS_PRIVATE, or 0: what the host mounts below src later arrives
 * @why:   who wants it: "--volume /data:/data", "gpu 0 (--gpus 0)", "base: /dev", never NULL
 */
struct op {
	enum op_kind kind;
	const char *src, *dst;
	uint64_t attrs, propagation;
	uint64_t size; /* TMPFS: bytes */
	dev_t rdev;    /* BIND_DEV */
	mode_t mode;
	const char *data;
	size_t data_len;
	uint32_t flags;
	const char *why;
};

struct op_list {
	struct op *v;
	size_t n, cap;
};

/**
 * struct edits - ops and environment ("K=V") of one source
 * @files: what goes into the root's own directories; done while nothing of the host is mounted
 *	   there, so that no link of the image leads a mount point out of the root
 * @ops:   the rest: below /proc and /dev, and directories of the host
 * @env:   LD_LIBRARY_PATH is put in front of the image's, PATH behind it, others in its place
 * @env_prepend: "K=V": V and a ':' go in front of what K is inside by then, in this order
 */
struct edits {
	const char *source; /* "base", "image", "gpu", "options" */
	struct op_list files, ops;
	struct strv env, env_prepend;
};

/** op_kind_name - "bind", "bind-dev", "tmpfs", ... as in --dry-run and in messages */
const char *op_kind_name(enum op_kind k);

#endif

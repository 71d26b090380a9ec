/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h - what was asked: the command line, GPURUN_* variables and the configuration
 * files, merged by cli/ and read by everybody else.  Plain data in the request's arena.
 */
#ifndef GPURUN_REQUEST_H
#define GPURUN_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include <gpurun/arena.h>

enum tri { TRI_AUTO = 0, TRI_ON, TRI_OFF };
enum ns_mode { NS_DEFAULT = 0, NS_PRIVATE, NS_HOST };
enum net_mode { NET_HOST = 0, NET_NONE };
enum userns_mode { USERNS_SINGLE = 0, USERNS_SUBID };

/* One --volume, --mount or --tmpfs, in the order given. */
struct req_mount {
	enum req_mount_type { REQ_BIND, REQ_TMPFS } type;
	const char *src; /* absolute host path (made so against the caller's cwd); NULL for tmpfs */
	const char *dst; /* absolute path inside */
	bool read_only, nosuid, nodev, noexec;
	bool non_recursive;
	uint64_t size;   /* tmpfs, bytes, 0: default */
	uint32_t mode;   /* tmpfs, 0: 1777 */
	const char *why; /* "--volume /data:/data" */
};

struct req_ulimit {
	int resource;      /* RLIMIT_* */
	const char *name;  /* "memlock" */
	rlim_t soft, hard; /* RLIM_INFINITY for -1 */
};

struct request {
	/* image and command */
	const char *image; /* as typed */
	struct strv args;  /* everything behind IMAGE */

	/* GPUs */
	const char *gpus;        /* text of --gpus, NULL: auto */
	const char *gpu_caps;    /* text of --gpu-caps, NULL: by the image */
	const char *cuda_compat; /* "auto" (NULL), "never", "always" */
	const char *driver_root; /* absolute, or NULL */
	const char *mps;         /* pipe directory; "": the usual one; NULL: no */
	const char *imex;        /* channels, or NULL */
	bool no_require, gds, gdrcopy, mofed, nvswitch;

	/* files */
	struct req_mount *mounts;
	size_t n_mounts, cap_mounts;
	struct strv devices; /* --device PATH[:PATH[:rwm]] */
	struct strv cdi;     /* --device vendor/class=name */
	bool read_only;
	const char *keep;    /* NAME or NULL */
	const char *workdir; /* or NULL */
	enum tri cwd;        /* -C / --no-cwd */
	enum tri home;       /* -H / --no-home */
	bool contain;
	uint64_t shm_size;   /* bytes, 0: default */
	const char *scratch; /* directory, "tmpfs", or NULL */
	const char *store;   /* directory or NULL */

	/* identity */
	const char *user; /* text of -u or NULL */
	bool root;
	enum userns_mode userns;
	const char *hostname;
	const char *name;

	/* environment: "K=V", or "K" (take the host's value); files are already read in */
	struct strv env_file; /* entries of all --env-file, in order */
	struct strv env;      /* entries of all -e, in order */
	const char *env_host; /* "auto" (NULL), "all", "none" or a glob */
	bool torch_env;       /* MASTER_ADDR, RANK, ... from the launcher's variables */

	/* process */
	const char *entrypoint; /* NULL: the image's; "": cleared */
	enum tri tty;
	bool interactive; /* -i: accepted, says nothing */
	bool no_init;
	enum ns_mode pid, ipc, uts;
	const char *share; /* "step", "none", NULL */
	struct req_ulimit *ulimits;
	size_t n_ulimits, cap_ulimits;
	int *preserve_fds;
	size_t n_preserve_fds, cap_preserve_fds;

	/* network */
	enum net_mode net;
	struct strv dns;
	struct strv add_host; /* "name:address" */

	/* security */
	const char *seccomp; /* NULL: built in; "unconfined"; or a file */
	enum tri landlock;
	struct strv mask, unmask;      /* absolute paths, or "ALL" in unmask */
	struct strv cap_add, cap_drop; /* "CAP_X", upper case */
	bool nested;

	/* output */
	bool dry_run;
	int verbose;
	bool quiet;
	bool log_json;
	const char *audit; /* FILE (absolute), "journal", "syslog", "fd:N", or NULL */
	bool audit_end;    /* in a step, too, where a process of ours has to stay for it */
	int color;         /* enum log_color */

	/* tests: a directory that stands for "/" when the host is looked at */
	const char *sysroot;
};

#endif

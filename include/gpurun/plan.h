/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - everything that will be done, decided before anything is done.
 *
 * plan_build() is a pure function from (request, host, image, edits); the result is sealed
 * (read-only memory) and performed by run/, printed by --dry-run, kept for inspect.
 * The container half says what a container is, the process half how one process runs in it:
 * exec and joining ranks perform only the second.
 */
#ifndef GPURUN_PLAN_H
#define GPURUN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <gpurun/arena.h>
#include <gpurun/devices.h>
#include <gpurun/edits.h>
#include <gpurun/err.h>

struct sock_filter;

enum root_kind {
	ROOT_OVERLAY, /* lowers below, an upper on top (a tmpfs of @size bytes, or upper/work dirs) */
	ROOT_BIND,    /* lowers.v[0] itself, writable unless read_only (a private copy of --keep) */
	ROOT_TMPFS,   /* an empty tmpfs; the first ops bind the entries of the flattened tree */
};

/**
 * struct plan_root - the root file system
 * @lowers:   absolute directories, topmost first (ROOT_OVERLAY, ROOT_BIND)
 * @upper:    directory holding u/ and w/, or NULL for a tmpfs of @size bytes
 * @fresh:    ROOT_OVERLAY on disk that nobody keeps: mount it "volatile"
 * @base:     an empty directory of the host, the mount point on which it is put together
 */
struct plan_root {
	enum root_kind kind;
	struct strv lowers;
	const char *upper;
	bool fresh;
	uint64_t size;
	bool read_only;
	uint64_t propagation; /* ROOT_BIND: MS_PRIVATE, or 0 */
	const char *base;
	const char *why;
};

/* One line of uid_map or gid_map. */
struct plan_idrange {
	uint32_t inside, outside, count;
};

/*
 * Without ranges one id is mapped (inside -> outside) by the child itself; with ranges
 * (--userns subid) newuidmap(1) and newgidmap(1) map them, and setgroups stays allowed.
 */
#define PLAN_RANGES_MAX 8
struct plan_container {
	uint64_t namespaces; /* CLONE_NEW* */
	uid_t uid_outside, uid_inside;
	gid_t gid_outside, gid_inside;
	struct plan_idrange uid_ranges[PLAN_RANGES_MAX], gid_ranges[PLAN_RANGES_MAX];
	size_t n_uid_ranges, n_gid_ranges;
	struct plan_root root;
	struct op_list ops;            /* in the order in which they are done */
	const char *hostname;          /* NULL: the host's stays */
	bool loopback_up, no_cgroupns; /* no cgroup namespace can be made inside */
	struct plan_devices devices;
	const char *share_key; /* one container for all ranks that have this key ("123.0-" and 16
				* hex digits: of all this half but the GPUs); NULL: of our own */
};

struct plan_rlimit {
	int resource;
	struct rlimit limit;
	const char *why;
};

/* capability sets, bit n is capability n */
struct plan_caps {
	uint64_t bounding;
	uint64_t keep;    /* permitted, effective after exec as uid 0 */
	uint64_t ambient; /* also inheritable: for a mapped id that is not 0 */
};

struct plan_process {
	struct strv argv, env; /* NULL-terminated */
	const char *path;      /* where argv[0] is looked up: PATH inside */
	const char *cwd;
	bool cwd_create; /* the image's WorkingDir is made when missing */
	bool switch_ids; /* become @uid, @gid (no supplementary groups): only with ranges */
	uid_t uid;
	gid_t gid;
	struct plan_caps caps;
	bool no_new_privs;                 /* always true for now; read back */
	const struct sock_filter *seccomp; /* NULL: unconfined */
	uint16_t seccomp_len;
	const char *seccomp_name;   /* "default", "root", "nested", file name, "unconfined" */
	const char *seccomp_digest; /* hex_digest() of a profile that is a file, as compiled */
	bool landlock_dev; /* ioctl only on the fresh /dev's (and OP_BIND_DEV), execve only below / */
	bool keyring;      /* a session keyring of its own, where the kernel has room for one */
	struct plan_rlimit *rlimits;
	size_t n_rlimits;
	bool tty;
	bool exec;     /* the command takes the place of our process: nobody supervises */
	bool keep_fds; /* inherited descriptors stay open under their numbers */
	bool init;     /* our reaper is pid 1 (only with a PID namespace) */
	int *preserve_fds;
	size_t n_preserve_fds;
	int stop_signal; /* what kill(1) without -s sends: image's StopSignal or SIGTERM */
};

struct plan {
	struct plan_container container;
	struct plan_process process;
	struct strv notes, warnings; /* to be said before the start, one line each */
	const char *failure_hint; /* printed when the command fails (exit status != 0), or NULL */
	const char *image_id, *image_name;
	struct strv gpus; /* for people and audit: "0 GPU-... 0000:3b:00.0" */
};

/* A seccomp filter, chosen by the caller (profile.h). */
struct plan_seccomp {
	const struct sock_filter *prog;
	uint16_t len;
	const char *name, *digest; /* hex_digest() of the program; NULL: it is built in */
};

struct request;
struct host;
struct image;
struct oci_bundle;

/**
 * struct plan_input - all that plan_build() looks at
 * @missing_word: a word of the command that exists in the host's current directory but not in
 *		  the image (for the hint "-C"), or NULL
 */
struct plan_input {
	const struct request *request;
	const struct host *host;
	const struct image *image;
	const struct edits *gpu; /* of the chosen GPUs, of a step's where it shares; not NULL */
	const char *gpu_list;    /* CUDA_VISIBLE_DEVICES inside, or NULL: as n_gpus says */
	const struct edits *job; /* of job_edits(); may be NULL */
	const struct oci_bundle *bundle; /* of oci-run: it says all but GPUs; or NULL */
	const char *keep_dir;            /* of --keep, or NULL */
	const char *scratch_dir;         /* prepared scratch directory on disk, or NULL */
	const struct strv *top_entries;  /* of the flattened tree, when overlay is not to be had:
					 * "d NAME", "f NAME", "l NAME\tTARGET" */
	const struct strv *gpu_names;    /* for plan.gpus */
	size_t n_gpus;                   /* to which CUDA_VISIBLE_DEVICES is renumbered */
	const char *missing_word;
	const struct plan_seccomp *seccomp;
	const struct device_rule *nodes; /* type and number for each of --device; type 0: unknown */
};

/**
 * struct plan_exec_input - one more process in a running container (the verb exec)
 * What the container decided stays: the caller hands over the parts of its plan.
 */
struct plan_exec_input {
	const struct host *host;          /* for "-e K" */
	const struct strv *argv;          /* at least one word */
	const struct strv *container_env; /* process.env of the container's plan: "K=V" */
	const struct strv *env;           /* all -e: "K=V", or "K" (the host's value) */
	const char *cwd;                  /* -w, or process.cwd of the container's plan */
	bool tty;
	uid_t uid_inside;           /* of the container's map */
	struct plan_caps caps;      /* of the container's plan */
	const struct strv *cap_add; /* "CAP_X"; may be NULL */
	bool landlock_dev, keyring; /* of the container's plan */
	const char *devices_cgroup; /* in which its device filter is in force, or NULL */
	const struct plan_seccomp *seccomp;
};

/** plan_exec - decide the process half only; the container half stays zero (pure, no I/O) */
int plan_exec(struct arena *a, const struct plan_exec_input *in, const struct plan **ret,
	      struct err *e);

/**
 * plan_will_share - is the container one for all ranks of a step? (pure)
 * Not when started by root: only Landlock keeps root's container from the host's gpurun binary.
 */
bool plan_will_share(const struct request *req, const struct host *h);

/** plan_build - decide (pure, no I/O) and check; the plan lives in @a and is not sealed yet */
int plan_build(struct arena *a, const struct plan_input *in, const struct plan **ret,
	       struct err *e);

/** plan_check - the invariants of a finished plan (also the fuzzers' oracle) */
int plan_check(const struct plan *p, struct err *e);

/** plan_dump - the plan as JSON (stable order; the man page gpurun-plan(5) describes it) */
const char *plan_dump(struct arena *a, const struct plan *p);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build.h - the state of one plan_build() and the sections that it calls; private to src/plan/.
 * Every section is a pure function of the input and of what earlier sections decided.
 */
#ifndef GPURUN_PLAN_BUILD_H
#define GPURUN_PLAN_BUILD_H

#include <gpurun/host.h>
#include <gpurun/image.h>
#include <gpurun/plan.h>
#include <gpurun/request.h>

#define PLAN_OPS_MAX  16384U /* operations of one plan */
#define PLAN_ENV_MAX  8192U  /* variables, from all sources */
#define PLAN_ARGS_MAX 65536U /* words of the command */
#define PLAN_FD_MAX   1048576

#define PLAN_CONSOLE  "/dev/console"       /* the terminal of one rank of a step */
#define PLAN_DEV_SIZE (UINT64_C(64) << 20) /* bytes of the tmpfs on /dev */

/*
 * When an operation is done.  The order is a security argument, see order.c; within a phase
 * operations keep the order in which they were added, but for PHASE_USER (by depth).
 */
enum plan_phase {
	PHASE_ROOT,  /* entries of a root that is put together, its writable directories */
	PHASE_FILES, /* files written into the root: nothing of the host is below it yet */
	PHASE_BASE,  /* /proc, /sys, /dev, devices */
	PHASE_USER,  /* -C, -H, --volume, --mount, --tmpfs */
	PHASE_MASK,  /* masks and read-only paths */
	PHASE_COUNT
};

/*
 * One column of the table "In a job and outside": what holds when the user says nothing.
 * @job:      the host's HOME, directories of the job, the whole environment but the deny-list
 * @exec:     the command takes the place of our process
 * @keep_fds: a launcher hands descriptors to its ranks under numbers of its own (PMI_FD)
 */
struct plan_place {
	enum ns_mode pid, ipc, uts;
	bool job, exec, keep_fds;
};

/** plan_place_of - the column of a kind of job */
const struct plan_place *plan_place_of(enum job_kind kind);

/**
 * struct builder - what the sections share
 * @place: the column of the table that holds here
 * @phases: operations by phase, joined by plan_order()
 */
struct builder {
	struct arena *a;
	const struct plan_input *in;
	const struct request *req;
	const struct host *host;
	const struct image *image;
	const struct plan_place *place;
	struct plan *p;
	struct op_list phases[PHASE_COUNT];

	bool real_root; /* started by root: id 0 inside is the host's root */
	bool root;      /* --root, -u 0: chown and its kin are no-ops */
	bool subid;     /* --userns subid: several ids are mapped */
	uid_t uid;      /* of the process, inside */
	gid_t gid;
	bool frozen; /* nothing can be written into the image's own directories */
	bool pid_private, ipc_private, net_private;
	bool shared; /* with all ranks of a step on this node */
	bool bind_cwd, bind_home;
	const char *user, *group;     /* names inside of the mapped ids */
	const char *home;             /* HOME inside */
	bool passwd_line, group_line; /* the image has no line for the mapped id */
};

/* Sections, in the order in which plan_build() calls them. */
int plan_share(struct builder *b, struct err *e);       /* share.c */
int plan_namespaces(struct builder *b, struct err *e);  /* build.c */
int plan_identity(struct builder *b, struct err *e);    /* identity.c */
int plan_rootfs(struct builder *b, struct err *e);      /* rootfs.c */
int plan_files(struct builder *b, struct err *e);       /* files.c */
int plan_base_mounts(struct builder *b, struct err *e); /* mounts.c */
int plan_devices(struct builder *b, struct err *e);     /* devices.c */
int plan_user_mounts(struct builder *b, struct err *e); /* mounts_user.c */
int plan_masks(struct builder *b, struct err *e);       /* masks.c */
int plan_order(struct builder *b, struct err *e);       /* order.c */
int plan_argv(struct builder *b, struct err *e);        /* argv.c */
int plan_terminal(struct builder *b, struct err *e);    /* build.c */
int plan_environment(struct builder *b, struct err *e); /* env.c */
int plan_caps(struct builder *b, struct err *e);        /* caps.c */
int plan_limits(struct builder *b, struct err *e);      /* limits.c */
int plan_hidden(struct builder *b, struct err *e);      /* devices.c */
int plan_dev_filter(struct builder *b, struct err *e);  /* device_rules.c */
int plan_texts(struct builder *b, struct err *e);       /* build.c */
int plan_share_key(struct builder *b, struct err *e);   /* share.c */

/* The same for a bundle (bundle.c, env.c). */
int bundle_namespaces(struct builder *b, struct err *e);
int bundle_identity(struct builder *b, struct err *e);
int bundle_rootfs(struct builder *b, struct err *e);
int bundle_mounts(struct builder *b, struct err *e);
int bundle_devices(struct builder *b, struct err *e);
int bundle_masks(struct builder *b, struct err *e);
int bundle_workdir(struct builder *b, struct err *e);
int bundle_terminal(struct builder *b, struct err *e);
int bundle_environment(struct builder *b, struct err *e);
int bundle_caps(struct builder *b, struct err *e);
int bundle_limits(struct builder *b, struct err *e);
int bundle_texts(struct builder *b, struct err *e);

/**
 * bundle_is_of_rank - a mount of the directory in which a launcher keeps the bundle of one rank
 * Slurm copies config.json for each task, and mounts that directory: it is the first rank's.
 */
bool bundle_is_of_rank(const struct builder *b, const struct op *op);

/** subids_identity - map the ranges; @ret_uids, @ret_gids: the first ids that are not (subids.c) */
int subids_identity(struct builder *b, uint32_t *ret_uids, uint32_t *ret_gids, struct err *e);

/** subids_caps - what root of the mapped ids keeps */
uint64_t subids_caps(void);

/** plan_op - add one operation to a phase; @op.why must be there */
void plan_op(struct builder *b, enum plan_phase phase, struct op op);

/** plan_dev_nodes - the nodes of every /dev, and its links; the tmpfs is there (mounts.c) */
void plan_dev_nodes(struct builder *b);

/** plan_base_masks - of /proc and /sys, what the request does not lift (masks.c) */
void plan_base_masks(struct builder *b);

/** plan_device_rule - what the device filter says about the node of an OP_BIND_DEV */
struct device_rule plan_device_rule(const struct op *op);

/** plan_device_is_pty - is it about the terminals of a container's own devpts? */
bool plan_device_is_pty(const struct device_rule *rule);

/** plan_why - text for struct op.why */
const char *plan_why(struct builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** plan_note, plan_warn - a line to be said before the start */
void plan_note(struct builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void plan_warn(struct builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** masks_lifted - "/proc/kcore, ...": what the base profile hides (or protects) and @p does not */
const char *masks_lifted(struct arena *a, const struct plan *p, enum op_kind kind);

/** plan_check_dst - may the user mount on @dst: absolute, not the root, not ours? */
int plan_check_dst(const char *dst, const char *why, struct err *e);

/** plan_half_memory - the smaller of half of memory and half of the cgroup's limit; 0: unknown */
uint64_t plan_half_memory(const struct host *h);

/** plan_is_bound - does a bind of the user hold the host's path @path, wherever it is inside? */
bool plan_is_bound(const struct builder *b, const char *path);

/** plan_is_shown - is the host's path @path visible inside at the same path? (binds so far) */
bool plan_is_shown(const struct builder *b, const char *path);

/** plan_job_op - @op of a job's edits as it can be done in this image (mounts_job.c) */
struct op plan_job_op(struct builder *b, struct op op);

/** plan_op_is_of_user - does it stand in line with what the user mounts? (devices.c) */
bool plan_op_is_of_user(const struct op *op);

/**
 * plan_may_bind - may the host's directory @path be mounted at its own path unasked?
 * Not over what makes the image, nor over what the user mounts, nor where it cannot be made.
 */
bool plan_may_bind(const struct builder *b, const char *path);

/** plan_bind_auto - do it; a directory that is not there is left out */
void plan_bind_auto(struct builder *b, const char *path, const char *why);

/** plan_job_directories - directories that the job's edits name, but those that are there already */
void plan_job_directories(struct builder *b);

/** plan_job_cwd - the current directory of a job, when nothing else shows it */
void plan_job_cwd(struct builder *b);

/** plan_can_make - can a directory be made at @path inside? (no: in a tree that is frozen) */
bool plan_can_make(const struct builder *b, const char *path);

/* ---- pieces with a table of their own, also for tests and for plan_exec() --------------- */

/**
 * argv_combine - Entrypoint, Cmd and the words of the command line as docker combines them
 * @override: --entrypoint: NULL none given, "" cleared
 */
void argv_combine(struct arena *a, const struct image_config *c, const char *override,
		  const struct strv *args, struct strv *ret);

/** env_name_length - length of the name in "K=V", 0 when there is no '=' or no name */
size_t env_name_length(const char *entry);

/** env_put - set "K=V", in the place of an older value */
void env_put(struct arena *a, struct strv *env, const char *entry);

/** env_get - value of @name, or NULL */
const char *env_get(const struct strv *env, const char *name);

/** env_remove - take @name out */
void env_remove(struct strv *env, const char *name);

/** env_apply_options - the entries of -e or --env-file: "K=V", or "K" (the host's, or nothing) */
int env_apply_options(struct arena *a, const struct host *h, const struct strv *entries,
		      struct strv *env, struct err *e);

/**
 * env_renumber - CUDA_VISIBLE_DEVICES for inside: 0..@n-1 in the order of the host's list
 * @value: of the host
 * @narrowed: the list chose the GPUs (--gpus auto), or picks some of those that a job may open:
 *	      it keeps its order, its UUIDs, and a choice of fewer than @n
 */
const char *env_renumber(struct arena *a, const char *value, size_t n, bool narrowed);

/** torch_environment - what torch.distributed reads, where nobody set it (torch.c) */
void torch_environment(struct builder *b, struct strv *env);

/** torch_first_host - the first of the hosts of Slurm's list "node[03-05,9]"; NULL: none */
const char *torch_first_host(struct arena *a, const char *list);

#define ENV_PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/** caps_parse - bits of the "CAP_X" in @names, for @option in messages */
int caps_parse(const struct strv *names, const char *option, uint64_t *ret, struct err *e);
/** caps_check_real_root - EPERM for what nobody gets whom real root starts */
int caps_check_real_root(const struct host *h, uint64_t caps, struct err *e);

#endif

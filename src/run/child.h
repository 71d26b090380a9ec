/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h - what the steps of src/run share (private to this directory).
 */
#ifndef RUN_CHILD_H
#define RUN_CHILD_H

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <termios.h>

#include <gpurun/devices.h>
#include <gpurun/err.h>
#include <gpurun/plan.h>
#include <gpurun/run.h>

/* The ways in which a process comes to perform steps; each step says for which it runs. */
enum driver {
	DRIVER_CREATE = 1 << 0, /* the clone3 child that makes a container */
	DRIVER_JOIN = 1 << 1,   /* a process that has entered a running one (gpurun exec) */
	DRIVER_MAKE = 1 << 2,   /* the clone3 child that makes one for others to enter, and ends */
	DRIVER_ENTER = 1 << 3,  /* a rank that has entered its step's; often gpurun's own process */
};

/**
 * struct place - a directory of the container that is held open
 * @path:  its name in an operation's destination, @len bytes
 * @own:   nobody but us makes anything in it
 * @fresh: the same, and it holds nothing but what we have made
 * @proc:  it is the top of a procfs: what it holds is the kernel's
 */
struct place {
	int fd;
	bool own, fresh, proc;
	const char *path;
	size_t len;
};

/* A name in a held directory; @own as there.  mount(2) is given /proc/self/fd/DIR/NAME. */
#define SPOT_PATH_MAX (64 + NAME_MAX)
struct spot {
	int dir;
	const char *name;
	bool own;
};

/**
 * struct child - state of the process that performs the steps
 * All descriptors are -1 until the step that opens them.
 * @sync:   to the launcher, SEQPACKET: one failure record, or the announcement of the exec
 * @wait:   to the launcher for the container's life: its end is seen here by init; -1, as @sync,
 *	    in a rank without a launcher
 * @status: /proc/self/status, opened before the root changes; read back by step confirm
 * @proc:   the host's /proc: what we read back is the kernel's word, whatever the container's is
 * @null_dev: a null device that is not in the fresh /dev, to see what Landlock says of it
 * @spaces: /proc/self/ns of the host's proc: where a rank has come to
 * @label:  DRIVER_MAKE: what the container is known by (peer.c)
 * @base:   the tmpfs in which the root is put together
 * @root:   the new root directory
 * @empty:  an empty read-only directory, source of masks over directories
 * @null:   name of a mount of /dev/null, source of masks over files; "" until the first
 * @dev:    the fresh tmpfs on /dev, for Landlock: what the user mounts over it is not in it
 * @nodes:  file system of the last device node, which can be opened there
 * @place:  the directory of the last destination (place.c)
 * @absent: operations that were left out: nothing is there to be hidden, or to be bound on
 * @signals: signalfd of init
 * @tty:    slave side of the container's terminal
 * @ignored: signals that stay ignored in the payload (nohup and background jobs)
 * @ignores: all that this process ignores, as the kernel has it: bit n - 1 is signal n
 * @umask:  the caller's, for the payload; 0 while we make files
 * @share:  DRIVER_ENTER: the ranks of the step and its lock; @self, @made: what its hook is told
 * @inside: the container has been entered
 * @fd_end: all open descriptors are below it
 * @next:   index of the step that comes next: the command's process takes them up where it began
 */
#define CHILD_OPS_MAX 512 /* operations that are remembered by their index */
struct child {
	const struct plan *plan;
	enum driver driver;
	int sync, wait;
	int status, proc, null_dev, spaces, base, root, empty, dev, signals, tty;
	const char *label;
	char null[SPOT_PATH_MAX];
	dev_t nodes;
	struct place place;
	uint64_t absent[CHILD_OPS_MAX / 64];
	sigset_t ignored;
	uint64_t ignores;
	mode_t umask;
	const struct run_share *share;
	struct sys_peer self;
	bool made, inside;
	int fd_end;
	size_t next;
};

struct step {
	const char *name;
	int (*run)(struct child *c, struct err *e);
	unsigned int drivers; /* enum driver */
};

/* No descriptor is open yet. */
struct child child_new(const struct plan *p, enum driver driver);
/* Perform the steps of this driver; returns -errno with the failure of one of them. */
int steps_perform(struct child *c, struct err *e);
/* The same in a child: the launcher is told of the failure, and the process ends. */
_Noreturn void child_main(struct child *c);
_Noreturn void child_failed(struct child *c, const struct err *e);

/* The steps, in the files of their names. */
int step_ids(struct child *c, struct err *e);
int step_loopback(struct child *c, struct err *e);
int step_rootfs(struct child *c, struct err *e);
int step_mounts(struct child *c, struct err *e);
int step_pivot(struct child *c, struct err *e);
int step_hostname(struct child *c, struct err *e);
int step_made(struct child *c, struct err *e);
int step_workdir(struct child *c, struct err *e);
int step_terminal(struct child *c, struct err *e);
int step_rlimits(struct child *c, struct err *e);
int step_keyring(struct child *c, struct err *e);
int step_caps(struct child *c, struct err *e);
int step_landlock(struct child *c, struct err *e);
int step_seccomp(struct child *c, struct err *e);
int step_confirm(struct child *c, struct err *e);
int step_slot(struct child *c, struct err *e);
int step_init(struct child *c, struct err *e);
int step_exec(struct child *c, struct err *e);

/* rootfs.c: a detached mount of a file of the base, which no other bind takes along */
int base_clone(struct child *c, const char *name);
/* rootfs.c: make the working directory below @root when it is missing and may be made */
int workdir_make(const struct plan_process *p, int root, struct err *e);

/* peer.c: the inodes of two of its namespaces; ENOENT: it has ended and was not waited for */
int peer_spaces(pid_t pid, uint64_t *ret_user, uint64_t *ret_mnt);

/**
 * struct text - a text in the making, always ended by a NUL
 * @cut: it did not fit, and is what did
 */
struct text {
	char *at, *end;
	bool cut;
};

static inline struct text text_into(char *buf, size_t size)
{
	*buf = '\0';
	return (struct text){ .at = buf, .end = buf + size };
}

/* text.c: append; @base is 8 or 10 */
void text_add(struct text *t, const char *s);
void text_add_number(struct text *t, uint64_t v, unsigned int base);
void text_add_fd(struct text *t, int fd); /* /proc/self/fd/N */
#define FD_PATH_MAX 32
void fd_path(int fd, char path[FD_PATH_MAX]);
#define TMPFS_DATA_MAX 64
void tmpfs_data(char data[TMPFS_DATA_MAX], mode_t mode, uint64_t size);

/* idmap.c */
int ids_bind(struct child *c, struct err *e);
int ids_become(uid_t uid, gid_t gid, struct err *e);
/* helpers.c: in the launcher, write the maps of @pid with newuidmap and newgidmap */
int ids_map_ranges(const struct plan_container *p, pid_t pid, struct err *e);

/* confirm_mounts.c: what was mounted, read-only and hidden is so */
int confirm_mounts(struct child *c, struct err *e);
/* the same, in the container that was just entered: no control group of the host can be written */
int cgroups_close(struct child *c, struct err *e);
/* landlock.c: while the host's /dev is there */
int landlock_prepare(struct child *c, struct err *e);

/*
 * place.c: 1 and @ret, 0: the long way is to be taken (a parent is missing, a link is on the way,
 * somebody else may make things there, or the name is taken), -errno
 */
int place_find(struct child *c, const char *dst, struct spot *ret);    /* the parent, held */
int place_proc(struct child *c, const char *dst, struct spot *ret);    /* it is a procfs */
int spot_make(struct child *c, const char *dst, struct spot *ret);     /* dst is an empty file */
int spot_make_dir(struct child *c, const char *dst, struct spot *ret); /* dst is a directory */
/* what is at dst, to be mounted over: no longer held if that covers it */
int place_target(struct child *c, const char *dst);
/* hold the tmpfs that was just mounted there: its descriptor; -ELOOP: by way of a link */
int place_fresh(struct child *c, const char *dst);
void place_drop(struct child *c);
/* mount(2) on a spot that was made, or is the kernel's; the name that it is given */
void spot_path(const struct spot *s, char path[SPOT_PATH_MAX]);
int spot_mount(const struct spot *s, const char *src, const char *type, unsigned long flags,
	       const char *data);
int spot_bind(const struct spot *s, const char *src, bool recursive);
int spot_attrs(const struct spot *s, const struct sys_mount_attr *attr);

/* mounts.c: one operation; devices.c: the two kinds that deal with nodes. */
int op_bind_dev(struct child *c, const struct op *op, struct err *e);
int op_mask(struct child *c, const struct op *op, struct err *e);
/* put the detached mount @tree on @op->dst, which is made when missing */
int op_attach(struct child *c, const struct op *op, int tree, bool directory, struct err *e);
/* put the host's @src on a mount point that is made for it, if that can be held; or -errno */
enum op_bound { OP_LONG_WAY, OP_BOUND, OP_LEFT_OUT };
int op_bind_new(struct child *c, const struct op *op, struct spot *ret, struct err *e);
/* fill @e with "dst (why): reason" */
int op_error(const struct op *op, int code, struct err *e);

/* What the launcher and the child say to each other over the sync socket. */
enum sync_type { SYNC_ERROR = 1, SYNC_TERMINAL, SYNC_EXEC, SYNC_MADE };

struct sync_record {
	enum sync_type type;
	struct err err; /* SYNC_ERROR */
};

int sync_pair(int ret[2]);
/* one message of a SEQPACKET socket, with a descriptor (-1: none) */
int message_send(int sock, const struct iovec *iov, size_t n, int fd);
int sync_send(int sock, enum sync_type type, const struct err *err, int fd);
/* 1: a record, 0: the other side is closed, -errno.  @ret_fd, @ret_pid: -1/0 when none came */
int sync_receive(int sock, struct sync_record *ret, int *ret_fd, pid_t *ret_pid);

/* init.c: the messages on the wait socket: a signal number downwards, these upwards. */
enum { WAIT_STOPPED = 'S', WAIT_CONTINUED = 'C' };
/* before that, downwards: the id maps are written */
enum { WAIT_MAPPED = 'M' };
/*
 * before the payload is there: block all signals, open the descriptor that init reads them from,
 * and take our command line out of sight
 */
int init_prepare(struct child *c, struct err *e);
_Noreturn void init_main(struct child *c, pid_t payload);

/* End a process that must not run atexit handlers (and save coverage data when built for it). */
_Noreturn void run_exit(int status);

/* signals.c: which signals are forwarded, and how they are set for the payload. */
void signals_forwarded(const sigset_t *ignored, sigset_t *ret);
void signals_ignored(sigset_t *ret);
#define SIGNALS_ALL (~(3ULL << 31)) /* but for 32 and 33, which libc keeps for itself */
void signals_mask(uint64_t set);
void signals_reset(uint64_t ignores, const sigset_t *ignored);

/* relay.c: the launcher's side of the container's terminal. */
struct relay {
	int master, slave; /* -1: none */
	bool raw;          /* our terminal was set raw and is to be restored */
	bool stdin_open;
	bool in_line; /* the last byte of our input was no newline */
	struct termios saved;
	char up[4096], down[4096]; /* from us to the container, and back */
	size_t up_len, down_len;
};
int relay_start(struct relay *r, int master);
void relay_poll_set(const struct relay *r, struct pollfd set[3]);
void relay_move(struct relay *r, const struct pollfd set[3]);
void relay_winsize(const struct relay *r);
void relay_suspend(struct relay *r);
void relay_resume(struct relay *r);
void relay_finish(struct relay *r); /* what is left comes out, the terminal is restored */

/* supervise.c: the launcher's loop. */
struct supervisor {
	const struct plan *plan;
	int sync, wait, pidfd, signals;
	int lock;      /* of a step: until its command runs; -1: none */
	bool reaper;   /* signals go through init, else straight to the payload */
	bool executed; /* SYNC_EXEC was seen */
	bool refused;  /* SYNC_ERROR was seen */
	struct relay relay;
	void (*started)(void *arg, pid_t payload, pid_t init);
	void *arg;
	pid_t child, command;
	int signal; /* that the child died of, 0: none */
};
int supervise(struct supervisor *s, int *ret_status, struct err *e);

/* devfilter.c: rules as a program for the kernel, and the program on a cgroup. */
#define DEVFILTER_INSNS_MAX (80 + DEVICE_RULES_MAX)
struct bpf_insn;
size_t devfilter_build(const struct device_rule *rules, size_t n, struct bpf_insn *ret);
int devfilter_load(const struct device_rule *rules, size_t n); /* descriptor of the program */
int devfilter_attach(int prog, int cgroup);                    /* of the link: while it is open */
/* how many hold on @cgroup: its own and, all that are asked before a node is opened */
int devfilter_count(int cgroup, bool effective);
bool devfilter_is_replaced(int cgroup); /* would one below take the place of its own? */

/* devd.c: the client's side of gpurun devd: a link, read back */
int devd_attach(int cgroup, const struct plan_devices *d, struct err *e);

/**
 * struct leaf - a cgroup of the container's own, with its device filter (cgroup.c)
 * @parent: in which it has been made as @name; -1: it is somebody else's to remove
 */
struct leaf {
	int parent, fd, link;
	char name[64];
};
#define LEAF_NONE ((struct leaf){ .parent = -1, .fd = -1, .link = -1 })
int leaf_make(struct leaf *l, const struct plan_devices *d, struct err *e);
int leaf_enter(struct leaf *l, const struct plan_devices *d, struct err *e);
void leaf_hint(struct err *e); /* one more process cannot be started in it */
void leaf_end(struct leaf *l); /* also remove it, when nobody is in it any more */

/* launch.c: shared by all that start a process. */
struct launch {
	struct supervisor sup;
	struct child child;
	struct leaf leaf;
	sigset_t old_mask;
};
/* sockets; and signals as well.  launch_release and the old mask undo both */
int launch_open(struct launch *l, const struct plan *p, enum driver driver, struct err *e);
int launch_prepare(struct launch *l, const struct plan *p, enum driver driver, struct err *e);
/* clone3 with these namespaces: 0 in the child */
pid_t launch_clone(struct launch *l, uint64_t namespaces, struct err *e);
/* in the launcher: with ranges, have the id maps written and let the child go on */
int launch_map(struct launch *l, pid_t pid, struct err *e);
/* in the launcher after the clone: supervise */
int launch_finish(struct launch *l, pid_t pid, int *ret_status, struct err *e);
void launch_release(struct launch *l);

/* make.c: have a container made; @ret_first is in it until make_end, which is always due. */
int make_start(struct launch *l, struct child *rank, struct sys_peer *ret_first, struct err *e);
void make_end(struct launch *l);

#endif

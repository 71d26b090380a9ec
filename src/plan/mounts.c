/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The base profile: /proc, /sys and a /dev that is made anew, whatever the image or the host has
 * there.
 */
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

#define NO_SUID_DEV      (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define NO_SUID_EXEC     (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
#define NO_SUID_DEV_EXEC (NO_SUID_DEV | MOUNT_ATTR_NOEXEC)

/*
 * Nodes of every /dev: bound from the host, for a user namespace cannot make any.  Here as for other
 * nodes no mount attributes are set: nosuid and noexec are about executing regular files (and about
 * mapping /dev/zero executable, which anonymous memory can be, too).
 */
static const struct node_row {
	const char *path;
	unsigned int major, minor;
} node_rows[] = {
	{ "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

static const struct link_row {
	const char *path, *target;
} link_rows[] = {
	{ "/dev/fd", "/proc/self/fd" },       { "/dev/stdin", "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" }, { "/dev/stderr", "/proc/self/fd/2" },
	{ "/dev/ptmx", "pts/ptmx" },
};

/*
 * What the host mounts below its own /proc and /sys later does not arrive: nothing would make that
 * read-only (as root's binfmt_misc).
 */
static void base_proc(struct builder *b)
{
	plan_op(b, PHASE_BASE,
		(struct op){
			.kind = OP_PROC,
			.dst = "/proc",
			.attrs = NO_SUID_DEV_EXEC,
			.flags = OPF_NOFOLLOW | (b->pid_private ? 0 : OPF_HOST),
			.propagation = b->pid_private ? 0 : MS_PRIVATE,
			.why = "base: /proc",
		});
}

/*
 * A fresh sysfs needs a network namespace of our own, and a kernel that sees the host's whole
 * one: where it refused a fresh proc it would refuse this, too.
 */
static void base_sys(struct builder *b)
{
	bool fresh = b->net_private && b->host->proc_fresh;

	if (!fresh && !b->host->files.sys)
		return;
	plan_op(b, PHASE_BASE,
		(struct op){
			.kind = OP_SYSFS,
			.dst = "/sys",
			.attrs = NO_SUID_DEV_EXEC | MOUNT_ATTR_RDONLY,
			.flags = OPF_NOFOLLOW | (fresh ? 0 : OPF_HOST),
			.propagation = fresh ? 0 : MS_PRIVATE,
			.why = "base: /sys",
		});
}

/*
 * Terminals are made in an instance of our own: that of the host has a ptmx which nobody may open,
 * as a rule.  The terminal that a launcher made (srun --pty) has no name there; ttyname(3) of
 * glibc finds it as the console.
 */
static void base_terminals(struct builder *b)
{
	plan_op(b, PHASE_BASE,
		(struct op){
			.kind = OP_DEVPTS,
			.dst = "/dev/pts",
			.attrs = NO_SUID_EXEC,
			.why = "base: /dev",
		});
	if (b->place->exec && b->host->terminal)
		plan_op(b, PHASE_BASE,
			(struct op){
				.kind = OP_BIND_DEV,
				.src = b->host->terminal,
				.dst = PLAN_CONSOLE,
				.flags = OPF_OPTIONAL,
				.why = "job: the launcher's terminal",
			});
}

void plan_dev_nodes(struct builder *b)
{
	for (size_t i = 0; i < ELEMENTS(node_rows); i++) {
		const struct node_row *n = &node_rows[i];

		plan_op(b, PHASE_BASE,
			(struct op){
				.kind = OP_BIND_DEV,
				.src = n->path,
				.dst = n->path,
				.flags = OPF_OPTIONAL,
				.rdev = makedev(n->major, n->minor),
				.why = "base: /dev",
			});
	}
	for (size_t i = 0; i < ELEMENTS(link_rows); i++)
		plan_op(b, PHASE_BASE,
			(struct op){
				.kind = OP_SYMLINK,
				.dst = link_rows[i].path,
				.data = link_rows[i].target,
				.data_len = strlen(link_rows[i].target),
				.why = "base: /dev",
			});
}

static void base_dev(struct builder *b)
{
	plan_op(b, PHASE_BASE,
		(struct op){
			.kind = OP_TMPFS,
			.dst = "/dev",
			.attrs = NO_SUID_EXEC,
			.size = PLAN_DEV_SIZE,
			.mode = 0755,
			.flags = OPF_NOFOLLOW,
			.why = "base: /dev",
		});
	plan_dev_nodes(b);
	base_terminals(b);
}

/* Shared memory and message queues: our own, or those of the host. */
static void base_ipc(struct builder *b)
{
	const char *why = b->req->ipc == NS_HOST || b->req->mps ? "--ipc host" : "job: ipc";

	if (b->ipc_private)
		plan_op(b, PHASE_BASE,
			(struct op){
				.kind = OP_TMPFS,
				.dst = "/dev/shm",
				.attrs = NO_SUID_DEV,
				.size = b->req->shm_size ? b->req->shm_size
							 : plan_half_memory(b->host),
				.mode = 01777,
				.why = b->req->shm_size ? "--shm-size" : "base: /dev/shm",
			});
	else
		plan_op(b, PHASE_BASE,
			(struct op){
				.kind = OP_BIND,
				.src = "/dev/shm",
				.dst = "/dev/shm",
				.attrs = NO_SUID_DEV,
				.flags = OPF_RECURSIVE,
				.why = why,
			});
	if (b->host->files.mqueue)
		plan_op(b, PHASE_BASE,
			(struct op){
				.kind = OP_MQUEUE,
				.dst = "/dev/mqueue",
				.attrs = NO_SUID_DEV_EXEC,
				.flags = b->ipc_private ? 0 : OPF_HOST | OPF_OPTIONAL,
				.why = b->ipc_private ? "base: /dev/mqueue" : why,
			});
}

int plan_base_mounts(struct builder *b, struct err *e)
{
	if (b->req->shm_size && !b->ipc_private && b->place->job && b->req->ipc != NS_HOST)
		plan_note(b,
			  "--shm-size: in a job /dev/shm is the host's, as large as it is there");
	else if (b->req->shm_size && !b->ipc_private)
		return err_set(e, 0,
			       "--shm-size: not with --ipc host, whose /dev/shm is the host's");
	base_proc(b);
	base_sys(b);
	base_dev(b);
	base_ipc(b);
	return 0;
}

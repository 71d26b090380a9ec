// SPDX-License-Identifier: Apache-2.0
/*
 * child.c - the steps from a process on the host to the command in a container.
 *
 * THEORY OF OPERATION
 *
 * The process comes out of clone3 in a new user, mount and (usually) PID, IPC and UTS
 * namespace.  It holds every capability there, sees the whole host tree, and no byte of the
 * image has been executed.  Each step gives something up; the order is the security argument.
 *
 * step      does                                         what can still be done after it
 * --------  -------------------------------------------  -------------------------------------
 * ids       maps one id, denies setgroups, becomes       everything, as root of the namespace;
 *           undumpable and bound to die with the          nobody inside can trace us any more
 *           launcher
 * loopback  brings lo up in an own network namespace
 * rootfs    puts the root together on an empty           host files can be opened; new mounts
 *           directory of the host; mounts stop            are not seen by the host
 *           propagating to the host first
 * mounts    performs the plan's operations below the     the same; paths of the image are
 *           new root, by descriptor: links of the         resolved inside the new root only
 *           image lead nowhere else
 * pivot     makes the new root "/", detaches the old     no host path can be named any more
 * hostname  sets the name of an own UTS namespace
 * made      reads back what the container claims, says   (only in the child that makes the
 *           that it is made, waits to be entered, ends    container of a step)
 * workdir   enters the working directory, checks that
 *           it is below "/"
 * terminal  opens a pty of the container's own devpts
 * rlimits   sets limits, never above the hard ones
 * keyring   leaves the caller's session keyring          keys of the host's session are not found
 * caps      sets no_new_privs, empties the bounding,     no mount, no namespace, no device node,
 *           ambient and inheritable sets, keeps only      no id change; setuid files are inert
 *           what the plan names
 * landlock  ioctl(2) only on nodes of the fresh /dev,    no mounting at all any more
 *           execve(2) only of files below the new root
 * seccomp   installs the filter                          only the calls that the policy names
 * confirm   reads back from the kernel what the steps
 *           before claim, and fails closed
 * slot      lets the ranks to come know of this one      (only in a rank of a step)
 * init      stays behind as pid 1, reaping; the payload
 *           goes on in a process of its own
 * exec      closes our descriptors, resets signals,
 *           announces itself and executes the command
 *
 * Four kinds of processes perform these steps (enum driver); the table says which does what.
 *
 * CREATE and JOIN are children, of gpurun run and gpurun exec.  A failing step fills struct err;
 * the loop adds the step's name, sends the record to the launcher and exits.  The child never
 * prints.  It runs on a copy of the launcher's memory made by raw clone3: no malloc, no locks,
 * nothing of libc that caches a thread or process id.
 *
 * MAKE and ENTER are for steps of jobs, where the command takes the place of gpurun's own process
 * and shares its container with other ranks (step.c, make.c).  MAKE stays dumpable, because it is
 * entered by a setns(2) that asks for the right to look into it.  That is no way in for anybody
 * else: nothing of the image runs until it has ended, and the step's lock keeps the next rank out.
 * ENTER meets commands of the image that run already.  It becomes undumpable before it is seen
 * among them, so they cannot look into it, nor use what it still has open of the host, and it
 * executes nothing before all of the steps are done; the slot that lets others in through it is
 * taken after the last loss.  It is its caller's own process: its steps return their failure, and
 * what a launcher would have set or closed for good (a death signal, the umask, ignored and blocked
 * signals, inherited descriptors) is left alone.
 */
#include <errno.h>
#include <unistd.h>

#include <gpurun/err.h>
#include <gpurun/plan.h>

#include "child.h"

/* clang-format off */
enum { CREATE = DRIVER_CREATE, JOIN = DRIVER_JOIN, MAKE = DRIVER_MAKE, ENTER = DRIVER_ENTER };

static const struct step steps[] = {
	{ "ids",	step_ids,	CREATE | JOIN | MAKE },
	{ "loopback",	step_loopback,	CREATE | MAKE },
	{ "rootfs",	step_rootfs,	CREATE | MAKE },
	{ "mounts",	step_mounts,	CREATE | MAKE },
	{ "pivot",	step_pivot,	CREATE | MAKE },
	{ "hostname",	step_hostname,	CREATE | MAKE },
	{ "made",	step_made,	MAKE },
	{ "workdir",	step_workdir,	CREATE | JOIN | ENTER },
	{ "terminal",	step_terminal,	CREATE | JOIN },
	{ "rlimits",	step_rlimits,	CREATE | JOIN | ENTER },
	{ "keyring",	step_keyring,	CREATE | JOIN | ENTER },
	{ "caps",	step_caps,	CREATE | JOIN | ENTER },
	{ "landlock",	step_landlock,	CREATE | JOIN | ENTER },
	{ "seccomp",	step_seccomp,	CREATE | JOIN | ENTER },
	{ "confirm",	step_confirm,	CREATE | JOIN | ENTER },
	{ "slot",	step_slot,	ENTER },
	{ "init",	step_init,	CREATE },
	{ "exec",	step_exec,	CREATE | JOIN | ENTER },
};
/* clang-format on */

_Noreturn void run_exit(int status)
{
	_exit(status);
}

struct child child_new(const struct plan *p, enum driver driver)
{
	return (struct child){ .plan = p,
			       .driver = driver,
			       .sync = -1,
			       .wait = -1,
			       .status = -1,
			       .proc = -1,
			       .null_dev = -1,
			       .spaces = -1,
			       .base = -1,
			       .root = -1,
			       .empty = -1,
			       .dev = -1,
			       .place = { .fd = -1 },
			       .signals = -1,
			       .tty = -1 };
}

int steps_perform(struct child *c, struct err *e)
{
	while (c->next < sizeof(steps) / sizeof(steps[0])) {
		const struct step *step = &steps[c->next++];
		int r;

		if (!(step->drivers & (unsigned int)c->driver))
			continue;
		r = step->run(c, e);
		if (r >= 0)
			continue;
		if (!err_is_set(e))
			err_sys(e, -r, "cannot go on");
		/* a command that cannot be run is the user's business, not a failing step */
		if (e->status != EXIT_CANNOT_RUN && e->status != EXIT_NOT_FOUND)
			err_wrap(e, "step %s", step->name);
		return r;
	}
	return err_set(e, EINVAL,
		       "no step executes"); /* not reached: the last one does, or fails */
}

_Noreturn void child_failed(struct child *c, const struct err *e)
{
	(void)sync_send(c->sync, SYNC_ERROR, e, -1);
	run_exit(e->status ? e->status : EXIT_GPURUN);
}

_Noreturn void child_main(struct child *c)
{
	struct err e = { 0 };

	(void)steps_perform(c, &e);
	child_failed(c, &e);
}

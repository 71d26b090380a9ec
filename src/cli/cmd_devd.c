/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_devd.c - "gpurun devd": serve one connection, handed over by the service manager in the
 * manner of sd_listen_fds(3) (contrib/systemd: Accept=yes).  What it does: run/devd_serve.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <gpurun/run.h>
#include <gpurun/str.h>

#include "cmd.h"

#define LISTEN_FD 3 /* the first one that is handed over */

static bool is_handed_over(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	uint64_t v = 0;

	return pid && n && str_eq(n, "1") && num_u64(pid, INT32_MAX, &v) == 0 &&
	       (pid_t)v == getpid();
}

static int run(const struct cmd_in *in, int *ret_status, struct err *e)
{
	(void)in;
	(void)ret_status;
	if (is_handed_over())
		return run_devd_serve(LISTEN_FD, e);
	err_set(e, ENOTCONN, "devd: is started by a service manager, one for each connection");
	err_hint(e, "as root: systemctl enable --now gpurun-devd.socket");
	return -ENOTCONN;
}

const struct cmd cmd_devd = {
	.name = "devd",
	.operands = "",
	.summary = "the service that sets up device filters for users",
	.verb = VERB_OTHER,
	.run = run,
};

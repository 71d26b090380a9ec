/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places.c - where we are, where the store is, where the state and the driver are: what the
 * environment and options say.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <gpurun/driver.h>
#include <gpurun/fd.h>
#include <gpurun/host.h>

#include "cmd.h"
#include "record.h"

const char *place_cwd(struct arena *a)
{
	char buf[PATH_MAX];

	/* a directory outside of the caller's root has a name that does not start with '/' */
	if (!getcwd(buf, sizeof(buf)) || buf[0] != '/')
		return NULL;
	return arena_strdup(a, buf);
}

int place_store_open(const struct cmd_in *in, struct store **ret, struct err *e)
{
	struct store_users *users = ARENA_NEW(in->a, struct store_users);
	const struct store_options o = {
		.dir = in->ask->request.store,
		.ro_list = getenv("GPURUN_STORE_RO"),
		.xdg_data_home = getenv("XDG_DATA_HOME"),
		.home = getenv("HOME"),
		.uid = (uid_t)getauxval(AT_EUID), /* nothing has changed it since the exec */
		.users = users,
	};

	users->find = record_step_using;
	users->arg = in->a;
	return store_open(in->a, &o, ret, e);
}

int place_state(struct arena *a, const char **ret, struct err *e)
{
	return state_dir(a, getenv("XDG_RUNTIME_DIR"), geteuid(), ret, e);
}

int place_states(struct arena *a, struct strv *ret, struct err *e)
{
	return state_dirs(a, getenv("XDG_RUNTIME_DIR"), geteuid(), ret, e);
}

int place_host(struct arena *a, struct host *ret, struct err *e)
{
	_cleanup_fd_ int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct sysroot root = { .fd = fd, .label = "" };

	if (fd < 0)
		return err_sys(e, errno, "/");
	return host_probe(a, &root, (const char *const *)environ, ret, e);
}

int place_driver(struct arena *a, const char *dir, const struct sysroot *root, const char *module,
		 uint32_t caps, struct gpu_driver *ret, struct err *e)
{
	_cleanup_fd_ int fd = -1;

	if (!dir)
		return gpu_driver_look(a, root, module, caps, ret, e);
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "--driver-root %s", dir);
	return gpu_driver_look(a, &(struct sysroot){ .fd = fd, .label = dir }, module, caps, ret,
			       e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* step.c - who is in the container of a step. */
#include <errno.h>

#include <gpurun/state.h>

int state_step_open(struct arena *a, const char *dir, const char *key, int *ret_fd, struct err *e)
{
	(void)a, (void)dir, (void)ret_fd;
	return err_set(e, ENOSYS, "%s: not built", key);
}

int state_step_ranks(struct arena *a, int fd, struct sys_peer **ret, size_t *ret_n)
{
	(void)a, (void)fd, (void)ret, (void)ret_n;
	return -ENOSYS;
}

int state_step_add(int fd, const struct sys_peer *self)
{
	(void)fd, (void)self;
	return -ENOSYS;
}

int state_step_publish(const char *dir, const char *key, const struct state *st,
		       const char *plan_json)
{
	(void)dir, (void)key, (void)st, (void)plan_json;
	return -ENOSYS;
}

int state_step_peers(struct arena *a, const char *dir, const struct state *st,
		     struct sys_peer **ret, size_t *ret_n, struct err *e)
{
	(void)a, (void)dir, (void)st, (void)ret, (void)ret_n;
	return err_set(e, ENOSYS, "not built");
}

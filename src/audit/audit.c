/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - the lines of --audit. */
#include <errno.h>

#include <gpurun/audit.h>

int audit_open(struct arena *a, const char *target, struct audit **ret, struct err *e)
{
	(void)a, (void)ret;
	return err_set(e, ENOSYS, "--audit %s: not built", target);
}

int audit_start(struct audit *w, const struct audit_facts *f, struct err *e)
{
	(void)w, (void)f;
	return err_set(e, ENOSYS, "audit: not built");
}

int audit_end(struct audit *w, const struct audit_facts *f, const struct audit_result *r,
	      struct err *e)
{
	(void)w, (void)f, (void)r;
	return err_set(e, ENOSYS, "audit: not built");
}

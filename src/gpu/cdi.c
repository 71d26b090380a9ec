/* SPDX-License-Identifier: Apache-2.0 */
/* CDI files: devices that an administrator or a vendor's tool described. */
#include <errno.h>
#include <string.h>

#include <gpurun/driver.h>

bool cdi_is_name(const char *text)
{
	return strchr(text, '/') && strchr(text, '=');
}

int cdi_look(struct arena *a, const struct sysroot *root, const char *home,
	     const struct strv *names, const struct gpu_options *o, struct gpu_sight *ret,
	     struct strv *ret_warn, struct err *e)
{
	(void)a;
	(void)root;
	(void)home;
	(void)o;
	(void)ret;
	(void)ret_warn;
	return err_set(e, ENOTSUP, "%s: CDI device names are not supported yet", names->v[0]);
}

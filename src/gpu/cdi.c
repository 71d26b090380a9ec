/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CDI: devices that an administrator, or a vendor's tool, described in files.
 *
 * The files are configuration of the host, and only that: no hook of them runs, and the devices
 * that they name are looked at as all others are.
 */
#include <gpurun/str.h>

#include "cdi.h"

bool cdi_is_name(const char *text)
{
	const char *eq = strchr(text, '=');

	return eq && cdi_is_kind(text, (size_t)(eq - text)) && cdi_is_device(eq + 1);
}

int cdi_look(struct arena *a, const struct sysroot *root, const char *home,
	     const struct strv *names, const struct gpu_options *o, struct gpu_sight *ret,
	     struct strv *ret_warn, struct err *e)
{
	struct cdi_founds found = { 0 };
	int r = cdi_find(a, root, home, names, &found, e);

	return r < 0 ? r : cdi_merge(a, root, o, &found, ret, ret_warn, e);
}

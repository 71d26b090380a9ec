// SPDX-License-Identifier: Apache-2.0
/*
 * manifest.c - what both front ends do with the configuration: it must be for this machine, and
 * it must name as many diff_ids as there are layers.
 */
#include <errno.h>

#include <gpurun/str.h>

#include "source.h"

static int config_check_machine(const struct image_source *s, const struct image_config *c,
				const char *arch, struct err *e)
{
	if (c->os && !str_eq(c->os, "linux"))
		return err_set(e, ENOTSUP, "%s: the image is for %s, not for linux", s->label,
			       c->os);
	if (c->architecture && !str_eq(c->architecture, arch))
		return err_set(e, ENOTSUP, "%s: the image is for %s, this machine is %s", s->label,
			       c->architecture, arch);
	return 0;
}

int manifest_set_config(struct image_source *s, const char *text, size_t len, const char *arch,
			struct image_manifest *m, struct err *e)
{
	struct strv ids = { 0 };
	int r;

	if (m->n_layers == 0)
		return err_set(e, EINVAL, "%s: the image has no layers", s->label);
	if (!text)
		return 0;
	r = image_config_parse(s->a, text, len, &m->config, &ids, e);
	if (r < 0) {
		err_wrap(e, "%s", s->label);
		return r;
	}
	r = config_check_machine(s, &m->config, arch, e);
	if (r < 0)
		return r;
	if (ids.n != m->n_layers)
		return err_set(e, EINVAL, "%s: %zu layers, but %zu diff_ids in the image config",
			       s->label, m->n_layers, ids.n);
	for (size_t i = 0; i < ids.n; i++)
		m->layers[i].diff_id = ids.v[i];
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* site_apply.c - what a file of site.d puts into the container. */
#include <errno.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "site.h"

#define SITE_LIB_DIR GPU_DIR "/site"
#define GPU_DIR_SIZE (UINT64_C(1) << 20) /* mount points, all of them empty */

static int refuse(const struct site_file *f, const char *list, size_t i, const char *object,
		  const char *reason, struct err *e)
{
	return err_set(e, EINVAL, "%s: %s[%zu]: %s: %s", f->path, list, i, object, reason);
}

/* Does every pattern of "if_exists" name something? */
static bool is_for_here(struct job_builder *b, const struct site_file *f)
{
	for (size_t i = 0; i < f->if_exists.n; i++) {
		struct strv found = { 0 };

		if (job_glob(b, f->if_exists.v[i], &found) < 0 || !found.n)
			return false;
	}
	return true;
}

static const char *why_of(struct job_builder *b, const struct site_file *f)
{
	return arena_printf(b->a, "site: %s", path_base(f->path));
}

/* ---- mounts ----------------------------------------------------------------------------------- */

static int add_mount(struct job_builder *b, const struct site_file *f, size_t i, struct err *e)
{
	const struct site_mount *m = &f->mounts[i];
	struct stat st;
	int r = job_stat(b, m->src, &st);

	if (r < 0 && m->if_exists)
		return 0;
	if (r < 0) {
		refuse(f, "mounts", i, m->src, err_text(-r), e);
		err_hint(e, "\"if_exists\": true leaves it out where it is missing");
		return r;
	}
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && !S_ISSOCK(st.st_mode))
		return refuse(f, "mounts", i, m->src, "neither a file, a directory nor a socket",
			      e);
	job_add_bind(b, m->src, m->dst, m->attrs, 0, why_of(b, f));
	return 0;
}

/* ---- libraries -------------------------------------------------------------------------------- */

static bool has_file(const struct job_builder *b, const char *dst)
{
	for (size_t i = 0; i < b->ed.files.n; i++)
		if (str_eq(b->ed.files.v[i].dst, dst))
			return true;
	return false;
}

/* The directory that is ours.  Where the driver's libraries come in the plan has it once. */
static void add_directory(struct job_builder *b, const char *why)
{
	const struct op op = {
		.kind = OP_TMPFS,
		.dst = GPU_DIR,
		.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		.size = GPU_DIR_SIZE,
		.mode = 0755,
		.flags = OPF_NOFOLLOW,
		.why = why,
	};

	if (!has_file(b, GPU_DIR))
		VEC_PUSH(b->a, b->ed.files.v, b->ed.files.n, b->ed.files.cap, op);
}

/* Each by the name that it has; links of the host are followed, so all its names can be given. */
static int add_libraries(struct job_builder *b, const struct site_file *f, size_t i, struct err *e)
{
	const char *dir = path_join(b->a, SITE_LIB_DIR, f->name);
	struct strv found = { 0 };
	size_t n = 0;
	int r = job_glob(b, f->libraries.v[i], &found);

	for (size_t k = 0; r >= 0 && k < found.n; k++) {
		const char *dst = path_join(b->a, dir, path_base(found.v[k]));
		struct stat st;

		if (job_stat(b, found.v[k], &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		n++;
		if (has_file(b, dst))
			continue;
		add_directory(b, why_of(b, f));
		job_add_bind(b, found.v[k], dst, MOUNT_ATTR_RDONLY, 0, why_of(b, f));
	}
	if (n)
		return 0;
	refuse(f, "libraries", i, f->libraries.v[i], err_text(r < 0 ? -r : ENOENT), e);
	err_hint(e, "\"if_exists\" of the file says on which nodes it holds");
	return r < 0 ? r : -ENOENT;
}

/* ------------------------------------------------------------------------------------------- */

static void add_env(struct job_builder *b, const struct site_file *f)
{
	for (size_t i = 0; i < f->env.n; i++)
		strv_push(b->a, &b->ed.env, f->env.v[i]);
	for (size_t i = 0; i < f->env_prepend.n; i++)
		strv_push(b->a, &b->ed.env_prepend, f->env_prepend.v[i]);
	if (f->libraries.n)
		strv_push(b->a, &b->ed.env_prepend,
			  arena_printf(b->a, "LD_LIBRARY_PATH=" SITE_LIB_DIR "/%s", f->name));
}

int site_apply(struct job_builder *b, const struct site_file *f, struct err *e)
{
	int r = 0;

	if (!(f->when & 1U << b->host->job.kind) || (b->o->contain && !f->contained) ||
	    !is_for_here(b, f))
		return 0;
	for (size_t i = 0; r >= 0 && i < f->n_mounts; i++)
		r = add_mount(b, f, i, e);
	for (size_t i = 0; r >= 0 && i < f->nodes.n; i++)
		if (job_add_nodes(b, f->nodes.v[i], why_of(b, f)) < 0)
			r = refuse(f, "deviceNodes", i, f->nodes.v[i], "too many", e);
	for (size_t i = 0; r >= 0 && i < f->libraries.n; i++)
		r = add_libraries(b, f, i, e);
	if (r >= 0)
		add_env(b, f);
	return r < 0 ? r : 0;
}

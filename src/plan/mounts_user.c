/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user mounts: -H, -C, --volume, --mount, --tmpfs, --device and the edits of GPUs.
 */
#include <errno.h>
#include <sys/mount.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

int plan_check_dst(const char *dst, const char *why, struct err *e)
{
	if (!dst || dst[0] != '/')
		return err_set(e, EINVAL, "%s: the path inside is not absolute", why);
	if (str_eq(dst, "/"))
		return err_set(e, EINVAL, "%s: nothing can be mounted over /", why);
	if (path_below(dst, GPU_DIR))
		return err_set(e, EINVAL, "%s: " GPU_DIR " is for the driver's libraries", why);
	return 0;
}

/* A directory of the host at its own path, as it is. */
static int mount_same_path(struct builder *b, const char *path, const char *why, struct err *e)
{
	if (str_eq(path, "/")) {
		err_set(e, EINVAL, "%s: / of the host cannot be mounted over / of the image", why);
		err_hint(e, "mount it elsewhere: -v /:/host");
		return -EINVAL;
	}
	if (plan_check_dst(path_clean(b->a, path), why, e) < 0)
		return -EINVAL;
	plan_op(b, PHASE_USER,
		(struct op){
			.kind = OP_BIND,
			.src = path,
			.dst = path_clean(b->a, path),
			.attrs = MOUNT_ATTR_NOSUID,
			.flags = OPF_RECURSIVE,
			.why = why,
		});
	return 0;
}

static uint64_t mount_attrs(const struct req_mount *m)
{
	uint64_t attrs = MOUNT_ATTR_NOSUID;

	if (m->read_only)
		attrs |= MOUNT_ATTR_RDONLY;
	if (m->nodev || m->type == REQ_TMPFS)
		attrs |= MOUNT_ATTR_NODEV;
	if (m->noexec)
		attrs |= MOUNT_ATTR_NOEXEC;
	return attrs;
}

static int mount_asked(struct builder *b, const struct req_mount *m, struct err *e)
{
	struct op op = { .attrs = mount_attrs(m), .why = m->why };
	const char *dst = m->dst && m->dst[0] == '/' ? path_clean(b->a, m->dst) : m->dst;
	int r = plan_check_dst(dst, m->why, e);

	if (r < 0)
		return r;
	op.dst = dst;
	if (m->type == REQ_TMPFS) {
		op.kind = OP_TMPFS;
		op.size = m->size ? m->size : plan_half_memory(b->host);
		op.mode = m->mode ? (mode_t)m->mode : 01777;
	} else if (!m->src || m->src[0] != '/') {
		return err_set(e, EINVAL, "%s: the source is not an absolute path", m->why);
	} else {
		op.kind = OP_BIND;
		op.src = m->src;
		op.flags = m->non_recursive ? 0 : OPF_RECURSIVE;
		/* what the host mounts there later would come in writable */
		op.propagation = m->read_only ? MS_PRIVATE : 0;
	}
	plan_op(b, PHASE_USER, op);
	return 0;
}

bool plan_is_bound(const struct builder *b, const char *path)
{
	const struct op_list *l = &b->phases[PHASE_USER];

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].kind == OP_BIND && path_below(path, l->v[i].src))
			return true;
	return false;
}

static bool op_is_mount(const struct op *op)
{
	return op->kind != OP_DIR && op->kind != OP_FILE && op->kind != OP_SYMLINK &&
	       op->kind != OP_MASK && op->kind != OP_READONLY;
}

/* Of all mounts that hold @path the deepest counts, of equal ones the last. */
bool plan_is_shown(const struct builder *b, const char *path)
{
	const struct op *top = NULL;

	for (size_t p = 0; p < PHASE_MASK; p++) {
		const struct op_list *l = &b->phases[p];

		for (size_t i = 0; i < l->n; i++)
			if (op_is_mount(&l->v[i]) && path_below(path, l->v[i].dst) &&
			    (!top || strlen(l->v[i].dst) >= strlen(top->dst)))
				top = &l->v[i];
	}
	return top && (top->kind == OP_BIND || top->kind == OP_BIND_DEV) &&
	       str_eq(top->src, top->dst);
}

static int mount_cwd(struct builder *b, struct err *e)
{
	if (!b->host->cwd)
		return err_set(e, ENOENT, "--cwd: the current directory is gone");
	return mount_same_path(b, b->host->cwd, "--cwd", e);
}

int plan_user_mounts(struct builder *b, struct err *e)
{
	const bool job = b->place->job && b->bind_cwd;
	int r = 0;

	if (b->bind_home && b->req->home == TRI_ON)
		r = mount_same_path(b, b->host->home, "--home", e);
	else if (b->bind_home)
		plan_bind_auto(b, b->host->home, "job: home");
	plan_job_directories(b);
	if (r >= 0 && b->bind_cwd && !job)
		r = mount_cwd(b, e);
	for (size_t i = 0; i < b->req->n_mounts && r >= 0; i++)
		r = mount_asked(b, &b->req->mounts[i], e);
	if (r < 0 || !job)
		return r;
	if (b->req->cwd != TRI_ON)
		plan_job_cwd(b);
	else if (!b->host->cwd || !plan_is_shown(b, b->host->cwd))
		r = mount_cwd(b, e);
	return r;
}

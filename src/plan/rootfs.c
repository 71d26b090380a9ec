/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which root file system: an overlay where the store's file system can be the lower of one, the
 * private copy of --keep where it cannot, else the tree's entries bound read-only.
 */
#include <errno.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "build.h"

/* Entries that are mounted over anyway; an image's link there is not followed. */
static const char *const skipped_entries[] = { "proc", "sys", "dev", &GPU_DIR[1] };

/* Directories that programs expect to write, when the root cannot be written. */
static const struct scratch_row {
	const char *path;
	mode_t mode;
} scratch_dirs[] = { { "/tmp", 01777 }, { "/run", 0755 } };

static bool entry_is_skipped(const char *name)
{
	for (size_t i = 0; i < ELEMENTS(skipped_entries); i++)
		if (str_eq(name, skipped_entries[i]))
			return true;
	return false;
}

static void rootfs_bind(struct builder *b, const char *name)
{
	plan_op(b, PHASE_ROOT,
		(struct op){
			.kind = OP_BIND,
			.src = path_join(b->a, b->image->lowers.v[0], name),
			.dst = path_join(b->a, "/", name),
			.attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
			.flags = OPF_RECURSIVE,
			.why = "image",
		});
}

/* One line of top_entries: "d NAME", "f NAME", "l NAME\tTARGET". */
static int rootfs_entry(struct builder *b, const char *line, struct err *e)
{
	const char *tab = strchr(line, '\t');
	const char *name;
	size_t n;

	if (line[0] == '\0' || line[1] != ' ')
		return err_set(e, EINVAL, "image tree: bad entry");
	n = line[0] == 'l' && tab ? (size_t)(tab - line) : strlen(line);
	name = arena_strndup(b->a, line + 2, n - 2);
	if (!*name || strchr(name, '/') || str_eq(name, ".") || str_eq(name, ".."))
		return err_set(e, EINVAL, "image tree: bad entry name");
	if (entry_is_skipped(name))
		return 0;
	if (line[0] == 'l' && tab)
		plan_op(b, PHASE_ROOT,
			(struct op){
				.kind = OP_SYMLINK,
				.dst = path_join(b->a, "/", name),
				.data = tab + 1,
				.data_len = strlen(tab + 1),
				.why = "image",
			});
	else
		rootfs_bind(b, name);
	return 0;
}

static void rootfs_tmpfs(struct builder *b, const char *dst, mode_t mode, const char *why)
{
	plan_op(b, PHASE_ROOT,
		(struct op){
			.kind = OP_TMPFS,
			.dst = dst,
			.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
			.size = plan_half_memory(b->host),
			.mode = mode,
			.why = why,
		});
}

/* The directory at the top that holds HOME, when it can be replaced by an empty one. */
static const char *rootfs_home_top(const char *home)
{
	static const char *const tops[] = { "/home", "/root" };

	for (size_t i = 0; i < ELEMENTS(tops); i++)
		if (path_below(home, tops[i]))
			return tops[i];
	return NULL;
}

bool plan_can_make(const struct builder *b, const char *path)
{
	const struct strv *entries = b->in->top_entries;
	size_t n = strcspn(path + 1, "/");

	if (!b->frozen || rootfs_home_top(path))
		return true;
	if (b->p->container.root.kind != ROOT_TMPFS)
		return false;
	for (size_t i = 0; entries && i < entries->n; i++) {
		const char *name = entries->v[i] + 2;

		if (strncmp(name, path + 1, n) == 0 && (name[n] == '\0' || name[n] == '\t'))
			return false;
	}
	return true;
}

/* No overlay and nothing to keep: the entries of the flattened tree, read-only, on a tmpfs. */
static int rootfs_assemble(struct builder *b, struct err *e)
{
	const struct strv *entries = b->in->top_entries;

	for (size_t i = 0; entries && i < entries->n; i++) {
		int r = rootfs_entry(b, entries->v[i], e);

		if (r < 0)
			return r;
	}
	plan_note(b, "overlay cannot be used here: the image is read-only (a private copy that can "
		     "be written: --keep NAME)");
	return 0;
}

/* Directories that programs write, over those of the image that cannot be written. */
static void rootfs_writable(struct builder *b)
{
	const char *top = rootfs_home_top(b->home);

	for (size_t i = 0; i < ELEMENTS(scratch_dirs); i++)
		rootfs_tmpfs(b, scratch_dirs[i].path, scratch_dirs[i].mode, "base: writable");
	if (top)
		rootfs_tmpfs(b, top, 0755, "base: HOME");
}

/* Without overlay: what --keep copied, or the tree itself. */
static int rootfs_without_overlay(struct builder *b, struct err *e)
{
	struct plan_root *root = &b->p->container.root;

	if (b->in->keep_dir) {
		root->kind = ROOT_BIND;
		strv_push(b->a, &root->lowers, path_join(b->a, b->in->keep_dir, "fs"));
		root->why = plan_why(b, "private copy, --keep %s", b->req->keep);
		return 0;
	}
	root->kind = ROOT_TMPFS;
	root->size = plan_half_memory(b->host);
	root->why = "image, without overlay";
	b->frozen = true;
	return rootfs_assemble(b, e);
}

static void rootfs_overlay(struct builder *b)
{
	struct plan_root *root = &b->p->container.root;

	root->kind = ROOT_OVERLAY;
	root->lowers = b->image->lowers;
	root->upper = b->in->keep_dir ? b->in->keep_dir : b->in->scratch_dir;
	root->fresh = !b->in->keep_dir && b->in->scratch_dir;
	root->size = root->upper ? 0 : plan_half_memory(b->host);
	if (b->in->keep_dir)
		root->why = plan_why(b, "image, --keep %s", b->req->keep);
	else
		root->why =
			b->in->scratch_dir ? "image, scratch on disk" : "image, scratch in memory";
	b->frozen = b->image->foreign;
}

int plan_rootfs(struct builder *b, struct err *e)
{
	struct plan_root *root = &b->p->container.root;
	int r = 0;

	if (b->image->lowers.n == 0 || b->image->lowers.n > IMAGE_LAYERS_MAX)
		return err_set(e, EINVAL, "%s: %zu layers, 1 to %d can be used", b->image->name,
			       b->image->lowers.n, IMAGE_LAYERS_MAX);
	root->base = path_join(b->a, b->host->state_dir, "mnt");
	root->read_only = b->req->read_only;
	if (b->host->overlay)
		rootfs_overlay(b);
	else
		r = rootfs_without_overlay(b, e);
	if (r >= 0 && b->frozen)
		rootfs_writable(b);
	return r;
}

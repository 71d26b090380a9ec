/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdi_merge.c - what CDI devices bring, into the sight that gpu_edits() works from: first what a
 * file gives with any of its devices, once, then each device in the order asked.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "cdi.h"
#include "driver_scan.h"
#include "look.h"

#define BIND_ATTRS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

int cdi_stale(const struct cdi_merger *m, struct err *e, int r)
{
	if (str_after(m->found->name, "nvidia.com/"))
		err_hint(e,
			 "the file is stale, make it again: nvidia-ctk cdi generate "
			 "--output=%s",
			 m->found->spec->file);
	else
		err_hint(e, "the file is stale: make it again with the tool that made it");
	return r;
}

/* ---- environment ------------------------------------------------------------------------------ */

/* Those of the libraries and of the devices are ours: gpu_edits() sets them. */
static void merge_env(struct cdi_merger *m, const struct cdi_edits *ed)
{
	for (size_t i = 0; i < ed->env.n; i++)
		if (!str_after(ed->env.v[i], "NVIDIA_VISIBLE_DEVICES=") &&
		    !str_after(ed->env.v[i], "NVIDIA_CTK_LIBCUDA_DIR="))
			strv_push(m->a, &m->sight->env, ed->env.v[i]);
}

/* ---- device nodes ----------------------------------------------------------------------------- */

/* The capabilities of MIG are opened to read, and their mode allows no more. */
static int node_access(const struct cdi_node *node)
{
	return node->read_only || path_below(node->host, "/dev/nvidia-caps") ? R_OK : R_OK | W_OK;
}

static int refuse_node(const struct cdi_merger *m, const struct cdi_node *node, int r,
		       struct err *e)
{
	err_set(e, -r, "%s: %s (%s)", m->found->name, node_reason(m->a, node->host, -r),
		m->found->spec->file);
	if (r == -ENOENT || r == -ENODEV)
		return cdi_stale(m, e, r);
	node_hint(e, node->host, r);
	return r;
}

/* What stands for the same path inside goes. */
static void add_node(struct cdi_merger *m, struct gpu_node node)
{
	struct gpu_nodes *nodes = &m->sight->nodes;

	for (size_t i = 0; i < nodes->n; i++) {
		const char *dst = nodes->v[i].dst ? nodes->v[i].dst : nodes->v[i].path;

		if (str_eq(dst, node.dst)) {
			nodes->v[i] = node;
			return;
		}
	}
	VEC_PUSH(m->a, nodes->v, nodes->n, nodes->cap, node);
}

/* A node of /dev/dri that its mode keeps from us: most programs do without. */
static bool may_lack(const struct cdi_node *node, int r)
{
	return r == -EACCES && path_below(node->host, "/dev/dri");
}

static int merge_node(struct cdi_merger *m, const struct cdi_node *node, struct err *e)
{
	struct gpu_node to = { .path = node->host, .why = m->why, .dst = node->path };
	int r;

	if (*node->type == 'b' || *node->type == 'p')
		return err_set(e, ENOTSUP, "%s: %s: only character devices are given (%s)",
			       m->found->name, node->path, m->found->spec->file);
	if (!path_below(node->path, "/dev") || str_eq(node->path, "/dev"))
		return err_set(e, EINVAL, "%s: %s: a device node outside of /dev (%s)",
			       m->found->name, node->path, m->found->spec->file);
	if (str_eq(node->host, LOOK_UVM))
		r = look_uvm(m->a, m->root, m->o->look_only, &to.rdev);
	else
		r = node_look_access(m->a, m->root, node->host, node_access(node), &to.rdev);
	if (r == 0)
		add_node(m, to);
	else if (may_lack(node, r))
		strv_push(m->a, m->warn,
			  arena_printf(m->a, "%s: %s, left out", m->found->name,
				       node_reason(m->a, node->host, -r)));
	else
		return refuse_node(m, node, r, e);
	return 0;
}

/* ---- mounts ----------------------------------------------------------------------------------- */

/* Nothing set-uid and no device node comes in by a mount, whether or not the file says so. */
static const struct mount_option {
	const char *name;
	uint64_t attrs;
	uint32_t flags;
} mount_options[] = {
	{ "ro", MOUNT_ATTR_RDONLY, 0 },
	{ "rw", 0, 0 },
	{ "nosuid", 0, 0 },
	{ "nodev", 0, 0 },
	{ "exec", 0, 0 },
	{ "noexec", MOUNT_ATTR_NOEXEC, 0 },
	{ "bind", 0, 0 },
	{ "rbind", 0, OPF_RECURSIVE },
	{ "private", 0, 0 },
	{ "rprivate", 0, 0 },
	{ "slave", 0, 0 },
	{ "rslave", 0, 0 },
};

static int mount_refuse(const struct cdi_merger *m, const struct cdi_mount *mount,
			const char *reason, struct err *e)
{
	return err_set(e, ENOTSUP, "%s: mount on %s: %s (%s)", m->found->name, mount->path, reason,
		       m->found->spec->file);
}

static int read_options(const struct cdi_merger *m, const struct cdi_mount *mount, struct op *op,
			struct err *e)
{
	for (size_t i = 0; i < mount->options.n; i++) {
		const struct mount_option *o = NULL;

		for (size_t k = 0; k < ELEMENTS(mount_options) && !o; k++)
			if (str_eq(mount_options[k].name, mount->options.v[i]))
				o = &mount_options[k];
		if (!o)
			return mount_refuse(m, mount,
					    arena_printf(m->a, "the option %s is not known",
							 mount->options.v[i]),
					    e);
		op->attrs |= o->attrs;
		op->flags |= o->flags;
	}
	return 0;
}

/* Is it a bind, and on a place that is not ours? */
static int check_mount(const struct cdi_merger *m, const struct cdi_mount *mount, struct err *e)
{
	static const char *const ours[] = { "/proc", "/sys", "/dev", GPU_DIR };

	if (*mount->type && !str_eq(mount->type, "bind") && !str_eq(mount->type, "none"))
		return mount_refuse(m, mount, arena_printf(m->a, "of type %s", mount->type), e);
	for (size_t i = 0; i < ELEMENTS(ours); i++)
		if (path_below(mount->path, ours[i]))
			return mount_refuse(m, mount,
					    arena_printf(m->a,
							 "%s is not for files of "
							 "the host",
							 ours[i]),
					    e);
	return str_eq(mount->path, "/") ? mount_refuse(m, mount, "that is the whole container", e)
					: 0;
}

/* Of two on the same path the later one counts. */
static void add_bind(struct cdi_merger *m, struct cdi_bind bind)
{
	for (size_t i = 0; i < m->binds.n; i++) {
		if (str_eq(m->binds.v[i].op.dst, bind.op.dst)) {
			bind.order = i;
			m->binds.v[i] = bind;
			return;
		}
	}
	bind.order = m->binds.n;
	VEC_PUSH(m->a, m->binds.v, m->binds.n, m->binds.cap, bind);
}

static int refuse_source(const struct cdi_merger *m, const struct cdi_mount *mount, int r,
			 struct err *e)
{
	err_set(e, -r, "%s: %s: %s (%s)", m->found->name, mount->host, err_text(-r),
		m->found->spec->file);
	return r == -ENOENT ? cdi_stale(m, e, r) : r;
}

static int merge_mount(struct cdi_merger *m, const struct cdi_mount *mount, struct err *e)
{
	struct cdi_bind bind = {
		.op = { .kind = OP_BIND, .dst = mount->path, .attrs = BIND_ATTRS, .why = m->why }
	};
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r = check_mount(m, mount, e);

	if (r >= 0)
		r = read_options(m, mount, &bind.op, e);
	if (r < 0)
		return r;
	fd = root_open(m->root->fd, mount->host, O_PATH, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse_source(m, mount, fd < 0 ? fd : -errno, e);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISSOCK(st.st_mode))
		return mount_refuse(m, mount, "neither a file, a directory nor a socket", e);
	bind.op.src = driver_host_path(m->a, m->host, fd);
	if (!bind.op.src)
		return refuse_source(m, mount, -ENOENT, e);
	if (S_ISREG(st.st_mode) && cdi_take_library(m, mount, bind.op.src))
		return 0;
	bind.directory = S_ISDIR(st.st_mode);
	add_bind(m, bind);
	return 0;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static int merge_edits(struct cdi_merger *m, const struct cdi_edits *ed, struct err *e)
{
	int r = cdi_check_version(m, ed, e);

	if (r >= 0 && ed->cannot)
		r = err_set(e, ENOTSUP, "%s: it wants %s, which cannot be given (%s)",
			    m->found->name, ed->cannot, m->found->spec->file);
	if (r >= 0)
		merge_env(m, ed);
	for (size_t i = 0; i < ed->n_nodes && r >= 0; i++)
		r = merge_node(m, &ed->nodes[i], e);
	for (size_t i = 0; i < ed->n_mounts && r >= 0; i++)
		r = merge_mount(m, &ed->mounts[i], e);
	return r < 0 ? r : cdi_merge_hooks(m, ed, e);
}

static bool is_first_of_file(const struct cdi_founds *found, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (found->v[i].spec == found->v[at].spec)
			return false;
	return true;
}

static int merge_one(struct cdi_merger *m, const struct cdi_founds *found, size_t at, struct err *e)
{
	const struct cdi_found *f = &found->v[at];
	int r = 0;

	m->found = f;
	m->why = arena_printf(m->a, "CDI %s", f->name);
	m->folders = (struct strv){ 0 };
	cdi_hook_folders(m, &f->spec->edits);
	cdi_hook_folders(m, &f->device->edits);
	if (is_first_of_file(found, at))
		r = merge_edits(m, &f->spec->edits, e);
	return r < 0 ? r : merge_edits(m, &f->device->edits, e);
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* What is mounted below something else comes behind it. */
static int by_depth(const void *a, const void *b)
{
	const struct cdi_bind *x = a, *y = b;
	size_t dx = depth(x->op.dst), dy = depth(y->op.dst);

	if (dx != dy)
		return dx < dy ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static bool is_below_directory(const struct cdi_merger *m, const char *dst)
{
	for (size_t i = 0; i < m->binds.n; i++)
		if (m->binds.v[i].directory && path_below(dst, m->binds.v[i].op.dst))
			return true;
	return false;
}

/*
 * Files are mounted while no directory of the host is there, to which a link of the image could
 * lead; directories, and what is to be seen in them, at the end.  A root that cannot be written
 * may lack a place for a file, as for the driver's own.
 */
static void take_binds(struct cdi_merger *m)
{
	struct cdi_bind *v = m->binds.v;

	if (m->binds.n)
		qsort(v, m->binds.n, sizeof(*v), by_depth);
	for (size_t i = 0; i < m->binds.n; i++) {
		bool late = is_below_directory(m, v[i].op.dst);
		struct op_list *to = late ? &m->sight->dirs : &m->sight->files;

		if (!late)
			v[i].op.flags |= OPF_OPTIONAL;
		VEC_PUSH(m->a, to->v, to->n, to->cap, v[i].op);
	}
}

/* The files of gpu_look() are others' too: a copy is added to. */
static void begin_driver(struct cdi_merger *m)
{
	const struct gpu_driver *have = m->sight->driver;

	m->driver = ARENA_NEW(m->a, struct gpu_driver);
	if (have) {
		*m->driver = *have;
		m->driver->cap_files = have->n_files + 8;
		m->driver->files = arena_grow(m->a, have->files, have->n_files,
					      m->driver->cap_files, sizeof(*have->files));
	} else {
		*m->driver = (struct gpu_driver){
			.root = m->host,
			.machine = (uint16_t)driver_machine(64),
		};
	}
}

/* Whoever opens NVIDIA's nodes shall not make others, whether or not a hook said so. */
static void mask_params(struct cdi_merger *m)
{
	if (!m->sight->proc_params && gpu_read(m->a, m->root, "/proc/driver/nvidia/params"))
		look_proc(m->a, m->root, m->sight);
}

int cdi_merge(struct arena *a, const struct sysroot *root, const struct gpu_options *o,
	      const struct cdi_founds *found, struct gpu_sight *sight, struct strv *warn,
	      struct err *e)
{
	struct cdi_merger m = {
		.a = a,
		.root = root,
		.o = o,
		.sight = sight,
		.warn = warn,
		.host = driver_root_path(a, root),
	};
	int r = 0;

	if (!m.host)
		return err_set(e, ENOENT, "/proc/self/fd: CDI files need it");
	begin_driver(&m);
	for (size_t i = 0; i < found->n && r >= 0; i++)
		r = merge_one(&m, found, i, e);
	if (r < 0)
		return r;
	take_binds(&m);
	mask_params(&m);
	if (m.driver->n_files)
		sight->driver = m.driver;
	return 0;
}

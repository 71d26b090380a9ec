/* SPDX-License-Identifier: Apache-2.0 */
/* What GPUs bring: its place in the plan, and what a mount of the user's takes away. */
#include <errno.h>

#include <gpurun/sys.h>

#include "plan-unit.h"

static void test_nodes(void)
{
	struct plan_case c = fresh();
	struct op op = { .kind = OP_BIND_DEV,
			 .src = "/dev/nvidia2",
			 .dst = "/dev/nvidia2",
			 .rdev = 5,
			 .why = "gpu 0 (--gpus 0)" };

	VEC_PUSH(arena, c.gpu.ops.v, c.gpu.ops.n, c.gpu.ops.cap, op);
	strv_push(arena, &c.gpu.env, "NVIDIA_VISIBLE_DEVICES=void");
	strv_push(arena, &c.gpu_names, "0 GPU-a 0000:3b:00.0");
	strv_push(arena, &c.image.config.env, "NVIDIA_VISIBLE_DEVICES=all");
	built(&c, "a GPU");
	ok(case_at(&c, "/dev/nvidia2") > case_at(&c, "/dev"), "on the fresh /dev");
	is_str(case_env(&c, "NVIDIA_VISIBLE_DEVICES"), "void", "the image does not choose");
	is_str(case_env(&c, "CUDA_DEVICE_ORDER"), "PCI_BUS_ID", "order of the indexes");
	is_str(c.p->gpus.v[0], "0 GPU-a 0000:3b:00.0", "its name");
	c.gpu.ops.v[0].attrs = MOUNT_ATTR_NODEV;
	refused(&c, "plan check: a device on a nodev mount", "edits are checked");
	c.gpu.ops.v[0].attrs = 0;
	c.gpu.ops.v[0].why = NULL;
	refused(&c, "plan check", "an edit without a reason");
	c.gpu.ops.v[0].why = "x";
	c.gpu.ops.v[0].dst = "/dev/../etc";
	refused(&c, "plan check", "an edit with a path that is not cleaned");
}

/* What the edits hold has its place: the root's own first, the host's directories last. */
static void test_order(void)
{
	static const struct op files[] = {
		{ .kind = OP_TMPFS, .dst = "/.gpurun", .flags = OPF_NOFOLLOW, .why = "x" },
		{ .kind = OP_BIND,
		  .src = "/l/libcuda.so.1",
		  .dst = "/.gpurun/lib64/libcuda.so.1",
		  .attrs = MOUNT_ATTR_RDONLY,
		  .why = "x" },
	};
	static const struct op ops[] = {
		{ .kind = OP_TMPFS, .dst = "/proc/driver/nvidia", .why = "x" },
		{ .kind = OP_BIND, .src = "/p", .dst = "/proc/driver/nvidia/gpus/0", .why = "x" },
		{ .kind = OP_BIND, .src = "/tmp/mps", .dst = "/tmp/mps", .why = "x" },
	};
	const struct req_mount tmpfs = { .type = REQ_TMPFS, .dst = "/tmp", .why = "--tmpfs /tmp" };
	struct plan_case c = fresh();

	for (size_t i = 0; i < ELEMENTS(files); i++)
		VEC_PUSH(arena, c.gpu.files.v, c.gpu.files.n, c.gpu.files.cap, files[i]);
	for (size_t i = 0; i < ELEMENTS(ops); i++)
		VEC_PUSH(arena, c.gpu.ops.v, c.gpu.ops.n, c.gpu.ops.cap, ops[i]);
	VEC_PUSH(arena, c.req.mounts, c.req.n_mounts, c.req.cap_mounts, tmpfs);
	built(&c, "a driver's files");
	ok(case_at(&c, "/.gpurun") < case_at(&c, "/proc"), "the root's own before /proc");
	ok(case_at(&c, files[1].dst) < case_at(&c, "/proc"), "libraries, too");
	ok(case_at(&c, ops[0].dst) > case_at(&c, "/proc"), "what is below /proc after it");
	ok(case_at(&c, "/tmp/mps") > case_at(&c, "/tmp"), "a host directory is not hidden");
	ok(strstr(plan_dump(arena, c.p), "no-follow"), "the plan says it all");
	c.gpu.files.v[0].flags = 0;
	refused(&c, "plan check", "our directory where a link leads");
	c.gpu.files.v[0].flags = OPF_NOFOLLOW;
	c.gpu.files.v[1].attrs = 0;
	refused(&c, "plan check", "a library that can be written");
}

/* Lists of directories are joined with the image's. */
static void test_paths(void)
{
	struct plan_case c = fresh();

	strv_push(arena, &c.gpu.env, "LD_LIBRARY_PATH=/.gpurun/lib64");
	strv_push(arena, &c.gpu.env, "PATH=/.gpurun/bin");
	built(&c, "no list in the image");
	is_str(case_env(&c, "LD_LIBRARY_PATH"), "/.gpurun/lib64", "ours alone");
	is_str(case_env(&c, "PATH"),
	       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/.gpurun/bin",
	       "behind the usual ones");
	strv_push(arena, &c.image.config.env, "LD_LIBRARY_PATH=/opt/lib");
	strv_push(arena, &c.image.config.env, "PATH=/opt/bin");
	built(&c, "the image's lists");
	is_str(case_env(&c, "LD_LIBRARY_PATH"), "/.gpurun/lib64:/opt/lib", "ours first");
	is_str(case_env(&c, "PATH"), "/opt/bin:/.gpurun/bin", "ours last");
	is_str(c.p->process.path, "/opt/bin:/.gpurun/bin", "where the command is looked up");
}

/* A mount of the user's that takes the GPUs their cache or their nodes is said. */
static void test_hidden(void)
{
	const struct op cache = {
		.kind = OP_FILE, .dst = "/etc/ld.so.cache", .data = "", .why = "x"
	};
	const struct op node = {
		.kind = OP_BIND_DEV, .src = "/dev/nvidia0", .dst = "/dev/nvidia0", .why = "x"
	};
	struct req_mount mount = { .type = REQ_BIND, .src = "/etc", .dst = "/etc" };
	struct plan_case c = fresh();

	mount.why = "--volume";
	VEC_PUSH(arena, c.req.mounts, c.req.n_mounts, c.req.cap_mounts, mount);
	built(&c, "/etc without GPUs");
	is_int((long long)c.p->warnings.n, 0, "nothing to say");
	VEC_PUSH(arena, c.gpu.files.v, c.gpu.files.n, c.gpu.files.cap, cache);
	VEC_PUSH(arena, c.gpu.ops.v, c.gpu.ops.n, c.gpu.ops.cap, node);
	built(&c, "/etc with GPUs");
	ok(c.p->warnings.n == 1 && strstr(c.p->warnings.v[0], "LD_LIBRARY_PATH=/.gpurun/lib64"),
	   "the cache is hidden");
	strv_push(arena, &c.req.env, "LD_LIBRARY_PATH=/.gpurun/lib64:/x");
	built(&c, "with a path");
	is_int((long long)c.p->warnings.n, 0, "that is found without it");
	c.req.mounts[0].dst = "/dev/dri";
	built(&c, "/dev/dri");
	is_int((long long)c.p->warnings.n, 0, "answers");
	c.req.mounts[0].dst = "/dev";
	built(&c, "/dev");
	ok(c.p->warnings.n == 1 && strstr(c.p->warnings.v[0], "will not work"), "does not");
	c.req.landlock = TRI_OFF;
	built(&c, "/dev without Landlock");
	is_int((long long)c.p->warnings.n, 0, "answers, too");
}

/* The directory of the driver's libraries is not the user's. */
static void test_dir(void)
{
	struct req_mount mount = { .type = REQ_BIND, .src = "/x", .dst = "/.gpurun/lib64" };
	struct plan_case c = fresh();

	mount.why = "--volume";
	VEC_PUSH(arena, c.req.mounts, c.req.n_mounts, c.req.cap_mounts, mount);
	refused(&c, "--volume: /.gpurun is", "--volume");
	c.req.mounts[0].dst = "/x/../.gpurun";
	refused(&c, "--volume: /.gpurun is", "by another name");
	c.req.mounts[0].dst = "/.gpurunner";
	built(&c, "/.gpurunner");
	strv_push(arena, &c.req.devices, "/dev/fuse:/.gpurun/fuse");
	refused(&c, "/.gpurun is", "--device");
	c = fresh();
	c.host.cwd = "/.gpurun/lib64";
	c.req.cwd = TRI_ON;
	refused(&c, "/.gpurun is", "--cwd");
	c = fresh();
	c.host.overlay = false;
	strv_push(arena, &c.top_entries, "d .gpurun");
	strv_push(arena, &c.top_entries, "d usr");
	built(&c, "an image that has one");
	ok(!case_op(&c, "/.gpurun"), "does not show it");
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	arena = a;
	test_nodes();
	test_order();
	test_paths();
	test_hidden();
	test_dir();
	return done_testing();
}

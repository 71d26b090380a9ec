/* SPDX-License-Identifier: Apache-2.0 */
/* gpu_look(): nodes, versions and procfs texts of a host that is a directory of ours. */
#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <gpurun/driver.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "tap.h"

/* A host with one GPU and all its nodes, which a test changes; and what is seen of it. */
struct look_case {
	struct arena *a;
	char dir[64];
	struct gpu gpu;
	struct gpu_choices chosen;
	struct gpu_driver driver;
	struct gpu_options o;
	struct gpu_sight sight;
	struct strv warn;
	struct err e;
};

/* The file @path below the directory with this text; its parents are made. */
static void put(const struct look_case *c, const char *path, const char *text)
{
	char *full = arena_printf(c->a, "%s%s", c->dir, path);
	int fd;

	for (char *p = full + strlen(c->dir) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		if (mkdir(full, 0755) < 0 && errno != EEXIST)
			diag("%s: %s", full, strerror(errno));
	}
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		diag("%s: %s", full, strerror(errno));
	fd_close(fd);
}

static void away(const struct look_case *c, const char *path)
{
	if (unlink(arena_printf(c->a, "%s%s", c->dir, path)) < 0)
		diag("%s: %s", path, strerror(errno));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void case_new(struct look_case *c, struct arena *a)
{
	*c = (struct look_case){ .a = a, .dir = "/tmp/gpurun-t-look.XXXXXX" };
	if (!mkdtemp(c->dir))
		diag("%s: %s", c->dir, strerror(errno));
	put(c, "/dev/nvidiactl", "c 195 255 rw");
	put(c, "/dev/nvidia-modeset", "c 195 254 rw");
	put(c, "/dev/nvidia-uvm", "c 511 0 rw");
	put(c, "/dev/nvidia-uvm-tools", "c 511 1 rw");
	put(c, "/proc/driver/nvidia/params", "ResmanDebugLevel: 1\nModifyDeviceFiles: 1\nX: 2\n");
	put(c, "/proc/driver/nvidia/version", "NVRM version: 550.163.01\n");
	c->gpu = (struct gpu){ .index = 0, .minor = 0, .pci = "0000:3b:00.0" };
	c->driver = (struct gpu_driver){
		.root = "",
		.module = "550.163.01",
		.version = "550.163.01",
	};
	c->o = (struct gpu_options){ .ask = "--gpus 0", .explicit = true, .caps = GPU_CAP_DEFAULT };
}

static void choose(struct look_case *c, const struct gpu_mig *mig)
{
	struct gpu_choice choice = { &c->gpu, mig };

	VEC_PUSH(c->a, c->chosen.v, c->chosen.n, c->chosen.cap, choice);
}

static int look(struct look_case *c)
{
	struct sysroot root = { open(c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC), c->dir };
	int r;

	if (!c->chosen.n)
		choose(c, NULL);
	c->warn = (struct strv){ 0 };
	c->e = (struct err){ 0 };
	c->sight = (struct gpu_sight){ 0 };
	r = gpu_look(c->a, &root, &c->chosen, &c->driver, &c->o, &c->sight, &c->warn, &c->e);
	fd_close(root.fd);
	return r;
}

static const struct gpu_node *node(const struct look_case *c, const char *path)
{
	for (size_t i = 0; i < c->sight.nodes.n; i++)
		if (str_eq(c->sight.nodes.v[i].path, path))
			return &c->sight.nodes.v[i];
	return NULL;
}

static bool has(const struct strv *s, const char *line)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i], line))
			return true;
	return false;
}

/* It fails with @code, the message holds @word and the hint @hint. */
static void refused(struct look_case *c, int code, const char *word, const char *hint)
{
	is_int(look(c), -code, "%s: refused", word);
	ok(strstr(c->e.msg, word), "says: %s", c->e.msg);
	ok(strstr(c->e.hint, hint), "hint: %s", c->e.hint);
}

/* ---- versions ---------------------------------------------------------------------------------- */

static void test_versions(struct look_case *c)
{
	is_int(look(c), 0, "the same version (%s)", c->e.msg);
	ok(c->sight.driver == &c->driver && !c->warn.n, "the driver is used, nothing to be said");
	c->driver.module = NULL;
	is_int(look(c), 0, "a module whose version is not known (%s)", c->e.msg);
	ok(c->sight.driver, "is not compared");
	c->driver.module = "550.54.14";
	refused(c, ENOENT,
		"the kernel module is of driver 550.54.14, the libraries are of 550.163.01 (they "
		"were updated)",
		"reboot");
	c->driver.root = "/run/nvidia/driver";
	refused(c, ENOENT, "the libraries below /run/nvidia/driver are of 550.163.01", "reboot");
	c->driver.module = "560.35.03";
	refused(c, ENOENT, "are of 550.163.01: CUDA would refuse to work", "--driver-root");
	c->o.explicit = false;
	is_int(look(c), 0, "under auto no error");
	ok(!c->sight.driver && c->warn.n == 1 && strstr(c->warn.v[0], "no GPU is used"),
	   "but a warning, and no driver");
}

static void test_no_libraries(struct look_case *c)
{
	static const char *const dirs[] = { "/usr/lib64", "/usr/lib", "/lib64", "/lib", "/opt" };

	c->driver.version = NULL;
	for (size_t i = 0; i < ELEMENTS(dirs); i++)
		strv_push(c->a, &c->driver.searched, dirs[i]);
	refused(c, ENOENT, "looked in /usr/lib64, /usr/lib, /lib64, /lib, ...", "--driver-root");
	c->o.explicit = false;
	is_int(look(c), 0, "under auto no error");
	ok(!c->sight.driver && c->warn.n == 1, "one warning: %s", c->warn.n ? c->warn.v[0] : "");
}

/* ---- nodes -------------------------------------------------------------------------------------- */

static void test_nodes(struct look_case *c)
{
	static const struct {
		uint32_t caps;
		bool uvm, modeset;
	} rows[] = {
		{ GPU_CAP_COMPUTE, true, false },
		{ GPU_CAP_UTILITY, false, false },
		{ GPU_CAP_GRAPHICS, false, true },
		{ GPU_CAP_DISPLAY, false, true },
		{ GPU_CAP_VIDEO | GPU_CAP_NGX, false, false },
		{ GPU_CAP_ALL, true, true },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		const char *caps = gpu_caps_text(c->a, rows[i].caps);

		c->o.caps = rows[i].caps;
		is_int(look(c), 0, "%s (%s)", caps, c->e.msg);
		ok(node(c, "/dev/nvidiactl"), "%s: nvidiactl", caps);
		ok(!!node(c, "/dev/nvidia-uvm") == rows[i].uvm, "%s: uvm", caps);
		ok(!!node(c, "/dev/nvidia-uvm-tools") == rows[i].uvm, "%s: uvm-tools", caps);
		ok(!!node(c, "/dev/nvidia-modeset") == rows[i].modeset, "%s: modeset", caps);
	}
	ok(node(c, "/dev/nvidiactl")->rdev == makedev(195, 255), "its number");
}

static void test_uvm(struct look_case *c)
{
	away(c, "/dev/nvidia-uvm");
	refused(c, ENOENT, "/dev/nvidia-uvm: No such file", "sudo nvidia-modprobe -c 0 -u");
	c->o.explicit = false;
	is_int(look(c), 0, "under auto no error");
	ok(c->warn.n == 1 && strstr(c->warn.v[0], "sudo nvidia-modprobe -c 0 -u"), "a warning");
	ok(c->sight.driver && node(c, "/dev/nvidiactl"), "and the rest");
	c->o.explicit = true;
	c->o.caps = GPU_CAP_UTILITY;
	is_int(look(c), 0, "nvidia-smi does not need it");
	c->o.caps = GPU_CAP_DEFAULT;
	put(c, "/dev/nvidia-uvm", "c 511 0 EPERM");
	refused(c, EPERM, "/dev/nvidia-uvm", "device cgroup");
}

static void test_dri(struct look_case *c)
{
	static const struct gpu_mig plain = { .profile = "1g.5gb" },
				    gfx = { .profile = "1g.24gb+gfx" };

	put(c, "/sys/bus/pci/devices/0000:3b:00.0/drm/card1/dev", "");
	put(c, "/sys/bus/pci/devices/0000:3b:00.0/drm/renderD129/dev", "");
	put(c, "/sys/bus/pci/devices/0000:3b:00.0/drm/controlD64/dev", "");
	put(c, "/sys/bus/pci/devices/0000:5b:00.0/drm/card0/dev", "");
	put(c, "/dev/dri/card0", "c 226 0 rw");
	put(c, "/dev/dri/card1", "c 226 1 rw");
	put(c, "/dev/dri/renderD129", "c 226 129 rw");
	put(c, "/dev/dri/controlD64", "c 226 64 rw");
	is_int(look(c), 0, "compute");
	ok(!node(c, "/dev/dri/card1"), "nothing to draw with");
	c->o.caps = GPU_CAP_GRAPHICS;
	is_int(look(c), 0, "graphics");
	ok(node(c, "/dev/dri/card1") && node(c, "/dev/dri/renderD129"), "the nodes of the GPU");
	ok(!node(c, "/dev/dri/card0") && !node(c, "/dev/dri/controlD64"), "and no others");
	ok(has(&c->sight.links, "/dev/dri/by-path/pci-0000:3b:00.0-card\t../card1"), "link: card");
	ok(has(&c->sight.links, "/dev/dri/by-path/pci-0000:3b:00.0-render\t../renderD129"),
	   "link: render");
	is_int((long long)c->sight.links.n, 2, "two links");
	put(c, "/dev/dri/renderD129", "c 226 129 EACCES");
	is_int(look(c), 0, "a node that its mode keeps from us");
	ok(!node(c, "/dev/dri/renderD129") && c->warn.n == 1, "is left out, and said");
	c->chosen.n = 0;
	choose(c, &plain);
	is_int(look(c), 0, "a MIG device");
	ok(!node(c, "/dev/dri/card1"), "cannot draw");
	choose(c, &gfx);
	choose(c, &gfx);
	is_int(look(c), 0, "two of a profile with gfx");
	ok(node(c, "/dev/dri/card1") && c->sight.links.n == 1, "can, and share the nodes");
}

/* ---- on request --------------------------------------------------------------------------------- */

static void test_requests(struct look_case *c)
{
	c->o.gds = true;
	refused(c, ENOENT, "--gds: /dev/nvidia-fs0", "nvidia-fs");
	put(c, "/dev/nvidia-fs0", "c 500 0 rw");
	put(c, "/dev/nvidia-fs11", "c 500 11 rw");
	put(c, "/dev/nvidia-fsx", "c 500 12 rw");
	put(c, "/run/udev/data/x", "");
	is_int(look(c), 0, "--gds (%s)", c->e.msg);
	ok(node(c, "/dev/nvidia-fs0") && node(c, "/dev/nvidia-fs11") && !node(c, "/dev/nvidia-fsx"),
	   "its nodes");
	is_str(node(c, "/dev/nvidia-fs0")->why, "--gds", "and why");
	ok(has(&c->sight.binds, "ro /run/udev") && c->sight.binds.n == 1, "udev's files");
	put(c, "/etc/cufile.json", "{}");
	is_int(look(c), 0, "with a configuration");
	ok(has(&c->sight.binds, "ro /etc/cufile.json"), "that, too");

	c->o.gdrcopy = true;
	refused(c, ENOENT, "--gdrcopy: /dev/gdrdrv", "gdrdrv");
	put(c, "/dev/gdrdrv", "c 501 0 EACCES");
	refused(c, EACCES, "--gdrcopy: /dev/gdrdrv", "ls -l /dev/gdrdrv");
	put(c, "/dev/gdrdrv", "c 501 0 rw");
	is_int(look(c), 0, "--gdrcopy (%s)", c->e.msg);
	ok(node(c, "/dev/gdrdrv"), "its node");

	c->o.mofed = true;
	refused(c, ENOENT, "--mofed: /dev/infiniband", "ib_uverbs");
	put(c, "/dev/infiniband/uverbs0", "c 231 192 rw");
	refused(c, ENOENT, "--mofed: /dev/infiniband/rdma_cm", "rdma_ucm");
	put(c, "/dev/infiniband/rdma_cm", "c 10 60 EPERM");
	refused(c, EPERM, "--mofed: /dev/infiniband/rdma_cm", "device cgroup");
	put(c, "/dev/infiniband/rdma_cm", "c 10 60 rw");
	put(c, "/dev/infiniband/umad0", "c 231 0 rw");
	is_int(look(c), 0, "--mofed (%s)", c->e.msg);
	ok(node(c, "/dev/infiniband/uverbs0") && node(c, "/dev/infiniband/rdma_cm") &&
		   !node(c, "/dev/infiniband/umad0"),
	   "its nodes, no management");

	c->o.nvswitch = true;
	refused(c, ENOENT, "--nvswitch: /dev/nvidia-nvswitchctl", "NVSwitch");
	put(c, "/dev/nvidia-nvswitchctl", "c 502 255 rw");
	refused(c, ENOENT, "--nvswitch: /dev/nvidia-nvswitch0", "NVSwitch");
	put(c, "/dev/nvidia-nvswitch5", "c 502 5 rw");
	is_int(look(c), 0, "--nvswitch (%s)", c->e.msg);
	ok(node(c, "/dev/nvidia-nvswitch5") && node(c, "/dev/nvidia-nvswitchctl"), "its nodes");
}

static void test_imex(struct look_case *c)
{
	static const char *const bad[] = { "", "0,", "x", "-1", "1048576", "0 1", "all,0" };

	put(c, "/dev/nvidia-caps-imex-channels/channel0", "c 234 0 rw");
	put(c, "/dev/nvidia-caps-imex-channels/channel7", "c 234 7 rw");
	c->o.imex = "7";
	is_int(look(c), 0, "--imex 7 (%s)", c->e.msg);
	ok(node(c, "/dev/nvidia-caps-imex-channels/channel7") &&
		   !node(c, "/dev/nvidia-caps-imex-channels/channel0"),
	   "one channel");
	c->o.imex = "0,7,7";
	is_int(look(c), 0, "--imex 0,7,7 (%s)", c->e.msg);
	is_int((long long)c->sight.nodes.n, 5, "each once");
	c->o.imex = "all";
	is_int(look(c), 0, "--imex all (%s)", c->e.msg);
	is_int((long long)c->sight.nodes.n, 5, "all there are");
	c->o.imex = "1";
	refused(c, ENOENT, "--imex: /dev/nvidia-caps-imex-channels/channel1", "root");
	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		c->o.imex = bad[i];
		ok(look(c) < 0 && strstr(c->e.msg, "not a list of channels"), "--imex \"%s\": %s",
		   bad[i], c->e.msg);
	}
}

static void test_mps(struct look_case *c)
{
	c->o.mps = "/tmp/mps";
	refused(c, ENOENT, "--mps: /tmp/mps/control", "nvidia-cuda-mps-control -d");
	put(c, "/tmp/mps/control", "");
	is_int(look(c), 0, "--mps (%s)", c->e.msg);
	ok(has(&c->sight.binds, "rw /tmp/mps"), "the pipe directory, to write");
	ok(has(&c->sight.env, "CUDA_MPS_PIPE_DIRECTORY=/tmp/mps"), "and its name");
}

/* ---- /proc -------------------------------------------------------------------------------------- */

static void test_proc(struct look_case *c)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "A: 1\nModifyDeviceFiles: 1\nB: 2\n", "A: 1\nModifyDeviceFiles: 0\nB: 2\n" },
		{ "ModifyDeviceFiles: 1\n", "ModifyDeviceFiles: 0\n" },
		{ "ModifyDeviceFiles: 0", "ModifyDeviceFiles: 0" },
		{ "A: ModifyDeviceFiles: 1\n", "ModifyDeviceFiles: 0\nA: ModifyDeviceFiles: 1\n" },
		{ "", "ModifyDeviceFiles: 0\n" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		put(c, "/proc/driver/nvidia/params", rows[i].text);
		is_int(look(c), 0, "params (%s)", c->e.msg);
		is_str(c->sight.proc_params, rows[i].want, "params, row %zu", i);
	}
	is_str(c->sight.proc_version, "NVRM version: 550.163.01\n", "version");
	ok(!c->sight.proc_registry && !c->sight.proc_hidden, "no registry, a proc like any other");
	away(c, "/proc/driver/nvidia/params");
	is_int(look(c), 0, "no params");
	is_str(c->sight.proc_params, "ModifyDeviceFiles: 0\n", "nobody makes nodes nevertheless");
}

int main(void)
{
	static void (*const tests[])(struct look_case *) = {
		test_versions, test_no_libraries, test_nodes, test_uvm,  test_dri,
		test_requests, test_imex,         test_mps,   test_proc,
	};
	_cleanup_arena_ struct arena *a = arena_new(0);

	for (size_t i = 0; i < ELEMENTS(tests); i++) {
		struct look_case c;

		case_new(&c, a);
		tests[i](&c);
		(void)nftw(c.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/* gpu_edits(): from what was seen to operations, a table of images and wishes at a time. */
#include <elf.h>
#include <sys/sysmacros.h>

#include <gpurun/elf.h>
#include <gpurun/image.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "../../src/gpu/inject.h"
#include "../../src/gpu/ldcache.h"
#include "tap.h"

#define CUDA_LIB GPU_LIB_DIR "/libcuda.so.550.163.01"
#define COMPAT   "/usr/local/cuda-12.9/compat"

/* A case: what was seen and asked, which a test changes; and what comes of it. */
struct inject_case {
	struct arena *a;
	struct gpu gpus[2];
	struct gpu_mig migs[3];
	struct gpu_choices chosen;
	struct gpu_driver driver;
	struct gpu_sight sight;
	struct gpu_options o;
	struct image_abi abi;
	struct gpu_target t;
	struct edits ed;
	struct strv warn;
};

static void add_file(struct inject_case *c, struct gpu_file f, const char *links)
{
	str_split(c->a, links, ' ', &f.links);
	if (!*links)
		f.links.n = 0;
	VEC_PUSH(c->a, c->driver.files, c->driver.n_files, c->driver.cap_files, f);
}

static void add_lib(struct inject_case *c, const char *name, uint32_t caps, uint32_t glibc,
		    const char *links)
{
	add_file(c,
		 (struct gpu_file){
			 .kind = GPU_FILE_LIB,
			 .caps = caps,
			 .src = path_join(c->a, "/usr/lib/nvidia", name),
			 .dst = name,
			 .bits = 64,
			 .glibc_needed = glibc,
		 },
		 links);
}

static void add_node(struct inject_case *c, const char *path, unsigned int minor, const char *why)
{
	struct gpu_node node = { .path = path, .rdev = makedev(195, minor), .why = why };
	struct gpu_nodes *l = &c->sight.nodes;

	VEC_PUSH(c->a, l->v, l->n, l->cap, node);
}

static void choose(struct inject_case *c, size_t gpu, const struct gpu_mig *mig)
{
	struct gpu_choice choice = { &c->gpus[gpu], mig };

	VEC_PUSH(c->a, c->chosen.v, c->chosen.n, c->chosen.cap, choice);
}

static void case_files(struct inject_case *c)
{
	add_lib(c, "libcuda.so.550.163.01", GPU_CAP_COMPUTE, ELF_VERSION(2, 9),
		"libcuda.so.1 libcuda.so");
	add_lib(c, "libnvidia-ml.so.550.163.01", GPU_CAP_UTILITY, ELF_VERSION(2, 7),
		"libnvidia-ml.so.1");
	add_lib(c, "libnvidia-allocator.so.550.163.01", GPU_CAP_COMPUTE | GPU_CAP_GRAPHICS,
		ELF_VERSION(2, 7), "libnvidia-allocator.so.1");
	add_lib(c, "libGLX_nvidia.so.550.163.01", GPU_CAP_GRAPHICS, ELF_VERSION(2, 9),
		"libGLX_nvidia.so.0");
	add_lib(c, "libnvidia-egl-wayland.so.1.1.18", GPU_CAP_GRAPHICS, ELF_VERSION(2, 38),
		"libnvidia-egl-wayland.so.1");
	add_file(c,
		 (struct gpu_file){ .kind = GPU_FILE_LIB,
				    .caps = GPU_CAP_COMPUTE,
				    .src = "/usr/lib32/libcuda.so.550.163.01",
				    .dst = "libcuda.so.550.163.01",
				    .bits = 32 },
		 "libcuda.so.1");
	add_file(c,
		 (struct gpu_file){ .kind = GPU_FILE_BIN,
				    .caps = GPU_CAP_UTILITY,
				    .src = "/usr/lib/nvidia/bin/nvidia-smi",
				    .dst = "/usr/bin/nvidia-smi",
				    .bits = 64,
				    .glibc_needed = ELF_VERSION(2, 7) },
		 "");
	add_file(c,
		 (struct gpu_file){ .kind = GPU_FILE_DATA,
				    .caps = GPU_CAP_GRAPHICS,
				    .src = "/usr/share/glvnd/egl_vendor.d/10_nvidia.json",
				    .dst = "/usr/share/glvnd/egl_vendor.d/10_nvidia.json" },
		 "");
	add_file(c,
		 (struct gpu_file){ .kind = GPU_FILE_SOCKET,
				    .caps = GPU_CAP_UTILITY,
				    .src = "/run/nvidia-persistenced/socket",
				    .dst = "/run/nvidia-persistenced/socket" },
		 "");
}

/* One GPU (index 0, minor 1), driver 550.163.01, an image with glibc 2.36 and no cache. */
static void case_new(struct inject_case *c, struct arena *a)
{
	static const char *const paths[] = { "/dev/nvidia-caps/nvidia-cap21",
					     "/dev/nvidia-caps/nvidia-cap22",
					     "/dev/nvidia-caps/nvidia-cap23" };

	*c = (struct inject_case){ .a = a };
	for (int i = 0; i < 2; i++)
		c->gpus[i] = (struct gpu){
			.backend = "nvidia",
			.index = i,
			.minor = 1 - i,
			.pci = i ? "0000:5b:00.0" : "0000:3b:00.0",
			.model = "NVIDIA A100-SXM4-40GB",
			.node = { .path = i ? "/dev/nvidia0" : "/dev/nvidia1",
				  .rdev = makedev(195, 1U - (unsigned int)i),
				  .why = "" },
		};
	for (int i = 0; i < 3; i++)
		c->migs[i] = (struct gpu_mig){
			.gi = 2,
			.ci = i,
			.index = i,
			.access = { { paths[0], makedev(236, 21), "" },
				    { paths[i ? 2 : 1], makedev(236, i ? 23 : 22), "" } },
		};
	c->driver =
		(struct gpu_driver){ .root = "", .version = "550.163.01", .machine = EM_X86_64 };
	case_files(c);
	c->sight.driver = &c->driver;
	c->sight.proc_params = "ModifyDeviceFiles: 0\n";
	c->sight.proc_version = "NVRM version: 550.163.01\n";
	add_node(c, "/dev/nvidiactl", 255, "");
	c->o = (struct gpu_options){ .ask = "--gpus 0", .explicit = true, .caps = GPU_CAP_DEFAULT };
	c->abi = (struct image_abi){
		.libc = IMAGE_LIBC_GLIBC,
		.glibc = ELF_VERSION(2, 36),
		.libdir = "/usr/lib/x86_64-linux-gnu",
	};
	c->t.abi = &c->abi;
}

static void build(struct inject_case *c)
{
	struct err e = { 0 };

	if (!c->chosen.n)
		choose(c, 0, NULL);
	c->warn = (struct strv){ 0 };
	is_int(gpu_edits(c->a, &c->chosen, &c->sight, &c->o, &c->t, &c->ed, &c->warn, &e), 0,
	       "edits (%s)", e.msg);
}

static const struct op *find(const struct op_list *l, const char *dst)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].dst, dst))
			return &l->v[i];
	return NULL;
}

static const struct op *file(const struct inject_case *c, const char *dst)
{
	return find(&c->ed.files, dst);
}

static const struct op *other(const struct inject_case *c, const char *dst)
{
	return find(&c->ed.ops, dst);
}

static const char *variable(const struct inject_case *c, const char *name)
{
	for (size_t i = 0; i < c->ed.env.n; i++) {
		const char *value = str_after(c->ed.env.v[i], name);

		if (value && *value == '=')
			return value + 1;
	}
	return NULL;
}

static bool says(const struct inject_case *c, const char *word)
{
	for (size_t i = 0; i < c->warn.n; i++)
		if (strstr(c->warn.v[i], word))
			return true;
	return false;
}

static const char *link_target(const struct inject_case *c, const char *dst)
{
	const struct op *op = file(c, dst);

	return op && op->kind == OP_SYMLINK ? op->data : NULL;
}

static const char *cached(const struct inject_case *c, uint16_t machine, const char *name)
{
	const struct op *op = file(c, "/etc/ld.so.cache");
	struct ld_cache cache = { 0 };

	if (!op || ldcache_parse(c->a, op->data, op->data_len, &cache) < 0)
		return NULL;
	return ldcache_find(&cache, ldcache_flags(machine), name);
}

/* ---- the ordinary case ----------------------------------------------------------------------- */

static void test_libs(struct inject_case *c)
{
	const uint64_t ro = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	const struct op *op;

	build(c);
	op = &c->ed.files.v[0];
	ok(op->kind == OP_TMPFS && str_eq(op->dst, GPU_DIR) && op->flags == OPF_NOFOLLOW,
	   "first our own directory, where no link leads elsewhere");
	ok(op->attrs == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV), "without set-uid and devices");
	op = file(c, CUDA_LIB);
	ok(op && op->kind == OP_BIND && op->attrs == ro, "libcuda, read-only");
	is_str(op ? op->src : NULL, "/usr/lib/nvidia/libcuda.so.550.163.01", "of the host");
	is_str(op ? op->why : NULL, "nvidia driver 550.163.01 (--gpus 0)", "says why");
	is_str(link_target(c, GPU_LIB_DIR "/libcuda.so.1"), "libcuda.so.550.163.01", "soname");
	is_str(link_target(c, GPU_LIB_DIR "/libcuda.so"), "libcuda.so.550.163.01", "libcuda.so");
	is_str(cached(c, EM_X86_64, "libcuda.so.1"), GPU_LIB_DIR "/libcuda.so.1", "cache: soname");
	is_str(cached(c, EM_X86_64, "libcuda.so"), GPU_LIB_DIR "/libcuda.so", "cache: libcuda.so");
	is_str(cached(c, EM_X86_64, "libcuda.so.550.163.01"), CUDA_LIB, "cache: full name");
	ok(!file(c, GPU_LIB_DIR "/libGLX_nvidia.so.550.163.01"), "no graphics");
	ok(!file(c, GPU_LIB32_DIR "/libcuda.so.550.163.01"), "no 32-bit library");
	is_int((long long)c->warn.n, 0, "nothing to be said");
}

static void test_files(struct inject_case *c)
{
	const struct op *op;

	build(c);
	op = file(c, "/usr/bin/nvidia-smi");
	ok(op && op->attrs == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV) &&
		   op->flags == OPF_OPTIONAL,
	   "nvidia-smi, executable");
	op = file(c, "/run/nvidia-persistenced/socket");
	ok(op && !(op->attrs & MOUNT_ATTR_RDONLY) && op->attrs & MOUNT_ATTR_NOEXEC,
	   "a socket can be connected to");
	ok(!file(c, GPU_BIN_DIR "/nvidia-smi") && !variable(c, "PATH"), "in its usual place only");
	ok(!file(c, "/usr/share/glvnd/egl_vendor.d/10_nvidia.json"), "no data of graphics");
	ok(!file(c, "/etc/nvidia/nvidia-application-profiles-rc.d/10-container.conf"),
	   "no profile of graphics");
}

static void test_graphics(struct inject_case *c)
{
	const struct op *op;

	c->o.caps = GPU_CAP_GRAPHICS;
	choose(c, 0, NULL);
	build(c);
	ok(file(c, GPU_LIB_DIR "/libGLX_nvidia.so.550.163.01") && !file(c, CUDA_LIB),
	   "libraries of graphics only");
	op = file(c, "/usr/share/glvnd/egl_vendor.d/10_nvidia.json");
	ok(op && op->attrs & MOUNT_ATTR_NOEXEC && op->attrs & MOUNT_ATTR_RDONLY, "data");
	is_str(link_target(c, "/usr/lib/x86_64-linux-gnu/gbm/nvidia-drm_gbm.so"),
	       GPU_LIB_DIR "/libnvidia-allocator.so.1", "the back end of GBM");
	op = file(c, "/etc/nvidia/nvidia-application-profiles-rc.d/10-container.conf");
	ok(op && strstr(op->data, "\"EGLVisibleDGPUDevices\",0x2]"), "a profile: minor 1 only");
	ok(op && op->flags & OPF_BIND_FILE, "that does not stay in a root that is kept");
	is_int((long long)c->warn.n, 1, "one line about what is left out");
	ok(says(c, "1 of the driver's libraries (libnvidia-egl-wayland.so.1.1.18)"), "names it");
	ok(!file(c, GPU_LIB_DIR "/libnvidia-egl-wayland.so.1.1.18") &&
		   !cached(c, EM_X86_64, "libnvidia-egl-wayland.so.1"),
	   "it needs glibc 2.38, the image has 2.36");
}

static void test_env(struct inject_case *c)
{
	strv_push(c->a, &c->sight.env, "CUDA_MPS_PIPE_DIRECTORY=/tmp/nvidia-mps");
	build(c);
	is_str(variable(c, "NVIDIA_VISIBLE_DEVICES"), "void", "no other runtime gives devices");
	is_str(variable(c, "NVIDIA_DRIVER_CAPABILITIES"), "compute,utility", "capabilities");
	is_str(variable(c, "NVIDIA_CTK_LIBCUDA_DIR"), GPU_LIB_DIR, "where libcuda is");
	is_str(variable(c, "CUDA_MPS_PIPE_DIRECTORY"), "/tmp/nvidia-mps", "of the look");
	ok(!variable(c, "LD_LIBRARY_PATH"), "no LD_LIBRARY_PATH");
}

/* ---- images ---------------------------------------------------------------------------------- */

static void test_cache(struct inject_case *c)
{
	struct ld_cache old = { 0 };
	const struct op *op;

	ldcache_put(c->a, &old, &(struct ld_entry){ 0x0303, "libz.so.1", "/lib/libz.so.1", 0 }, 1);
	ldcache_put(c->a, &old,
		    &(struct ld_entry){ 0x0303, "libcuda.so.1", "/opt/libcuda.so.1", 0 }, 1);
	ldcache_put(c->a, &old,
		    &(struct ld_entry){ 0x0303, "libcuda.so.535.1", GPU_LIB_DIR "/libcuda.so.535.1",
					0 },
		    1);
	c->t.ld_cache = ldcache_format(c->a, &old, &c->t.ld_cache_len);
	build(c);
	is_str(cached(c, EM_X86_64, "libz.so.1"), "/lib/libz.so.1", "the image's entries stay");
	ok(!cached(c, EM_X86_64, "libcuda.so.535.1"), "those of an earlier driver of ours do not");
	is_str(cached(c, EM_X86_64, "libcuda.so.1"), GPU_LIB_DIR "/libcuda.so.1",
	       "ours push its libcuda out");
	op = file(c, "/etc/ld.so.cache");
	ok(op && op->mode == 0644 && !op->flags, "written: an ldconfig inside can replace it");
	op = file(c, "/etc/ld.so.conf.d/00-gpurun.conf");
	ok(op && strstr(op->data, GPU_LIB_DIR "\n") == op->data, "and finds our directory");
	c->t.frozen = true;
	build(c);
	op = file(c, "/etc/ld.so.cache");
	ok(op && op->flags == (OPF_BIND_FILE | OPF_OPTIONAL), "bound over that of a frozen root");
	ok(!file(c, "/etc/ld.so.conf.d/00-gpurun.conf"), "where no ldconfig runs");
	ok(!variable(c, "LD_LIBRARY_PATH"), "without LD_LIBRARY_PATH");
	ok(file(c, GPU_BIN_DIR "/nvidia-smi") && file(c, "/usr/bin/nvidia-smi"),
	   "programs in our directory, too");
	is_str(variable(c, "PATH"), GPU_BIN_DIR, "which is in PATH");
	c->t.ld_cache = NULL;
	build(c);
	ok(!file(c, "/etc/ld.so.cache"), "a frozen root without a cache: none can be made");
	is_str(variable(c, "LD_LIBRARY_PATH"), GPU_LIB_DIR, "LD_LIBRARY_PATH there");
}

static void test_damaged_cache(struct inject_case *c)
{
	c->t.ld_cache = "garbage";
	c->t.ld_cache_len = 7;
	build(c);
	ok(says(c, "damaged"), "a damaged cache is said");
	is_str(cached(c, EM_X86_64, "libcuda.so.1"), GPU_LIB_DIR "/libcuda.so.1", "and replaced");
}

static void test_glibc_floor(struct inject_case *c)
{
	c->abi.glibc = ELF_VERSION(2, 8);
	build(c);
	ok(!file(c, CUDA_LIB) && !file(c, GPU_LIB_DIR "/libcuda.so.1"), "libcuda does not fit");
	ok(file(c, GPU_LIB_DIR "/libnvidia-ml.so.550.163.01"), "libnvidia-ml does");
	ok(says(c, "libcuda.so.550.163.01: needs glibc 2.9, the image has 2.8"), "said");
	c->abi.glibc = ELF_VERSION(2, 6);
	build(c);
	ok(!file(c, "/usr/bin/nvidia-smi"), "nor does nvidia-smi");
	c->abi.glibc = 0;
	build(c);
	ok(file(c, CUDA_LIB) && !c->warn.n, "an unknown version keeps nothing out");
}

static void test_no_glibc(struct inject_case *c)
{
	c->abi.libc = IMAGE_LIBC_MUSL;
	build(c);
	is_int((long long)c->ed.files.n, 0, "musl: no library, no program");
	ok(c->warn.n == 1 && says(c, "musl"), "one warning");
	ok(other(c, "/dev/nvidia1") && other(c, "/dev/nvidiactl"), "but nodes");
	c->abi.libc = IMAGE_LIBC_NONE;
	build(c);
	is_int((long long)(c->ed.files.n + c->warn.n), 0, "a static image: none, in silence");
	ok(!variable(c, "NVIDIA_CTK_LIBCUDA_DIR"), "and no word of them");
}

static void test_32_bits(struct inject_case *c)
{
	c->o.caps |= GPU_CAP_COMPAT32;
	build(c);
	ok(!file(c, GPU_LIB32_DIR "/libcuda.so.550.163.01"), "no 32-bit glibc, no 32-bit library");
	c->abi.glibc32 = true;
	build(c);
	ok(file(c, GPU_LIB32_DIR "/libcuda.so.550.163.01"), "with one");
	is_str(link_target(c, GPU_LIB32_DIR "/libcuda.so.1"), "libcuda.so.550.163.01",
	       "its soname");
	is_str(cached(c, EM_386, "libcuda.so.1"), GPU_LIB32_DIR "/libcuda.so.1", "its entry");
	is_str(cached(c, EM_X86_64, "libcuda.so.1"), GPU_LIB_DIR "/libcuda.so.1", "beside ours");
}

static void test_no_driver(struct inject_case *c)
{
	c->sight.driver = NULL;
	build(c);
	is_int((long long)c->ed.files.n, 0, "no driver: no files");
	ok(other(c, "/dev/nvidia1"), "but nodes");
}

static void test_machine_unknown(struct inject_case *c)
{
	c->driver.machine = 0x4242;
	build(c);
	ok(!file(c, "/etc/ld.so.cache"), "entries of an unknown machine are not written");
	is_str(variable(c, "LD_LIBRARY_PATH"), GPU_LIB_DIR, "LD_LIBRARY_PATH there");
}

/* ---- nodes and /proc -------------------------------------------------------------------------- */

static void test_nodes(struct inject_case *c)
{
	const struct op *op;

	add_node(c, "/dev/gdrdrv", 7, "--gdrcopy");
	strv_push(c->a, &c->sight.links, "/dev/dri/by-path/pci-0000:3b:00.0-card\t../card1");
	strv_push(c->a, &c->sight.binds, "ro /run/udev");
	strv_push(c->a, &c->sight.binds, "rw /tmp/nvidia-mps");
	build(c);
	op = other(c, "/dev/nvidia1");
	ok(op && op->kind == OP_BIND_DEV && op->rdev == makedev(195, 1), "the node of the GPU");
	ok(op && op->attrs == 0, "never nodev, and nothing else matters for a node");
	is_str(op ? op->why : NULL, "gpu 0 (--gpus 0)", "says why");
	ok(!other(c, "/dev/nvidia0"), "not that of the other");
	op = other(c, "/dev/gdrdrv");
	is_str(op ? op->why : NULL, "nvidia driver (--gdrcopy)", "a node that an option wants");
	op = other(c, "/dev/dri/by-path/pci-0000:3b:00.0-card");
	ok(op && op->kind == OP_SYMLINK && str_eq(op->data, "../card1"), "a link below /dev");
	op = other(c, "/run/udev");
	ok(op && op->kind == OP_BIND && op->attrs & MOUNT_ATTR_RDONLY, "a directory, read-only");
	op = other(c, "/tmp/nvidia-mps");
	ok(op && !(op->attrs & MOUNT_ATTR_RDONLY) && op->attrs & MOUNT_ATTR_NODEV, "and to write");
	ok(op == &c->ed.ops.v[c->ed.ops.n - 1], "the host's directories come last");
}

static void test_proc(struct inject_case *c)
{
	const struct op *op;

	build(c);
	op = other(c, "/proc/driver/nvidia");
	ok(op && op->kind == OP_TMPFS && op->mode == 0555 &&
		   op->attrs == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC),
	   "a tmpfs over the driver's directory");
	op = other(c, "/proc/driver/nvidia/params");
	is_str(op ? op->data : NULL, "ModifyDeviceFiles: 0\n", "params");
	ok(other(c, "/proc/driver/nvidia/version") && !other(c, "/proc/driver/nvidia/registry"),
	   "texts that there are");
	op = other(c, "/proc/driver/nvidia/gpus/0000:3b:00.0");
	ok(op && op->kind == OP_BIND && op->attrs & MOUNT_ATTR_RDONLY, "the chosen GPU");
	ok(!other(c, "/proc/driver/nvidia/gpus/0000:5b:00.0"), "and no other");
	c->sight.proc_hidden = true;
	build(c);
	ok(other(c, "/proc/driver") && !other(c, "/proc/driver/nvidia"),
	   "where a fresh proc shows nothing the directory is ours");
}

static void test_cdi(struct inject_case *c)
{
	struct err e = { 0 };
	const struct op *op;

	is_int(gpu_edits(c->a, &c->chosen, &c->sight, &c->o, &c->t, &c->ed, &c->warn, &e), 0,
	       "nothing chosen: CDI");
	op = other(c, "/proc/driver/nvidia/params");
	ok(op && op->flags == (OPF_BIND_FILE | OPF_OPTIONAL), "params alone, over the kernel's");
	ok(!other(c, "/proc/driver/nvidia"), "the rest of /proc/driver stays");
	ok(file(c, CUDA_LIB), "libraries");
}

static size_t count(const struct inject_case *c, const char *dst)
{
	size_t n = 0;

	for (size_t i = 0; i < c->ed.ops.n; i++)
		n += str_eq(c->ed.ops.v[i].dst, dst);
	return n;
}

static void test_mig(struct inject_case *c)
{
	static const char ci0[] = "/proc/driver/nvidia/capabilities/gpu1/mig/gi2/ci0/access";
	static const char ci1[] = "/proc/driver/nvidia/capabilities/gpu1/mig/gi2/ci1/access";
	const struct op *op;

	c->gpus[0].migs = c->migs;
	c->gpus[0].n_migs = 3;
	c->migs[2].denied = "no capability file";
	c->migs[2].access[1].path = "";
	choose(c, 0, &c->migs[0]);
	build(c);
	op = other(c, "/dev/nvidia-caps/nvidia-cap22");
	ok(op && op->rdev == makedev(236, 22), "the node of the compute instance");
	is_str(op ? op->why : NULL, "gpu 0:0 (--gpus 0)", "says why");
	ok(other(c, "/dev/nvidia1") && other(c, "/dev/nvidia-caps/nvidia-cap21"),
	   "of the GPU and of the GPU instance");
	ok(!other(c, "/dev/nvidia-caps/nvidia-cap23"), "not those of another");
	ok(other(c, ci0) && !other(c, ci1), "the same in /proc");
	choose(c, 0, &c->migs[1]);
	build(c);
	ok(count(c, "/dev/nvidia1") == 1 && count(c, "/dev/nvidia-caps/nvidia-cap21") == 1,
	   "shared nodes once");
	is_int((long long)count(c, "/proc/driver/nvidia/gpus/0000:3b:00.0"), 1, "and files");
	c->chosen.n = 0;
	choose(c, 0, NULL);
	build(c);
	ok(other(c, "/dev/nvidia-caps/nvidia-cap22") && other(c, "/dev/nvidia-caps/nvidia-cap23"),
	   "the whole GPU: all its instances");
	ok(!other(c, ""), "but for one that is denied");
}

/* ---- forward compatibility --------------------------------------------------------------------- */

static void compat_image(struct inject_case *c, const char *note)
{
	static const char *const files[] = { COMPAT "/libcuda.so.575.57.08",
					     COMPAT "/libnvidia-nvvm.so.575.57.08",
					     COMPAT "/libnvidia-pkcs11.so.575.57.08" };

	for (size_t i = 0; i < ELEMENTS(files); i++)
		strv_push(c->a, &c->abi.compat, files[i]);
	c->abi.compat_note = note;
}

static void test_compat(struct inject_case *c)
{
	compat_image(c, "{\"driver\":[535,550]}");
	build(c);
	is_str(link_target(c, GPU_LIB_DIR "/libcuda.so.1"), COMPAT "/libcuda.so.575.57.08",
	       "the image's libcuda in the place of ours");
	is_str(link_target(c, GPU_LIB_DIR "/libcuda.so"), COMPAT "/libcuda.so.575.57.08",
	       "under each of its names");
	is_str(link_target(c, GPU_LIB_DIR "/libnvidia-nvvm.so.4"),
	       COMPAT "/libnvidia-nvvm.so.575.57.08", "what the host does not have");
	is_str(link_target(c, GPU_LIB_DIR "/libnvidia-pkcs11.so.575.57.08"),
	       COMPAT "/libnvidia-pkcs11.so.575.57.08", "and what has no other name");
	is_str(cached(c, EM_X86_64, "libnvidia-pkcs11.so.575.57.08"),
	       GPU_LIB_DIR "/libnvidia-pkcs11.so.575.57.08", "in the cache");
	is_str(link_target(c, GPU_LIB_DIR "/libnvidia-ml.so.1"), "libnvidia-ml.so.550.163.01",
	       "libnvidia-ml stays the host's");
	for (size_t i = 0; i < c->ed.files.n; i++)
		ok(c->ed.files.v[i].kind != OP_BIND || !strstr(c->ed.files.v[i].src, "compat"),
		   "%s is not mounted from the image", c->ed.files.v[i].dst);
	c->o.compat = GPU_COMPAT_NEVER;
	build(c);
	is_str(link_target(c, GPU_LIB_DIR "/libcuda.so.1"), "libcuda.so.550.163.01", "never");
}

static void test_compat_rules(struct inject_case *c)
{
	static const struct {
		const char *driver, *note;
		enum gpu_compat mode;
		const char *model;
		bool want;
		const char *name;
	} rows[] = {
		{ "550.163.01", "{\"driver\":[535,550]}", 0, "NVIDIA A100", true, "listed, older" },
		{ "560.35.03", "{\"driver\":[535,550]}", 0, "NVIDIA A100", false, "not listed" },
		{ "580.65", "{\"driver\":[580]}", 0, "NVIDIA A100", false, "the host's is newer" },
		{ "575.57.08", "{\"driver\":[575]}", 0, "NVIDIA A100", false, "the same" },
		{ "575.57.07", "{\"driver\":[575]}", 0, "NVIDIA A100", true, "a little older" },
		{ "550.163.01", NULL, 0, "NVIDIA A100", true, "no note, an older branch" },
		{ "575.10", NULL, 0, "NVIDIA A100", false, "no note, the same branch" },
		{ "580.10", NULL, 0, "NVIDIA A100", false, "no note, a newer branch" },
		{ "550.163.01", "{\"driver\":[550]}", 0, "NVIDIA GeForce RTX 4090", false,
		  "GeForce" },
		{ "550.163.01", "{\"driver\":[550]}", 0, "NVIDIA TITAN V", false, "TITAN" },
		{ "550.163.01", "{\"driver\":[550]}", 0, NULL, true, "an unknown model is tried" },
		{ "580.10", NULL, GPU_COMPAT_ALWAYS, "NVIDIA GeForce RTX 4090", true, "always" },
		{ "550.163.01", NULL, GPU_COMPAT_NEVER, "NVIDIA A100", false, "never" },
		{ NULL, NULL, 0, "NVIDIA A100", false, "a driver without a version" },
	};

	compat_image(c, NULL);
	choose(c, 0, NULL);
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		c->gpus[0].model = rows[i].model;
		c->abi.compat_note = rows[i].note;
		ok(compat_applies(c->a, rows[i].mode, &c->abi, rows[i].driver, &c->chosen) ==
			   rows[i].want,
		   "%s: %s", rows[i].name, rows[i].want ? "used" : "not used");
	}
	c->gpus[0].model = "NVIDIA Graphics Device";
	c->gpus[0].nvml = (struct gpu_nvml){ .known = true, .brand = "GeForceRTX" };
	c->abi.compat_note = NULL;
	ok(!compat_applies(c->a, 0, &c->abi, "550.163.01", &c->chosen), "GeForce by NVML");
}

static void test_compat_note(void)
{
	static const struct {
		const char *note;
		bool want;
	} rows[] = {
		{ "{\"format\":1,\"CUDA "
		  "version\":\"13.1\",\"driver\":[535,550,570],\"device\":[1]}",
		  true },
		{ "{ \"driver\" : [ 550 ] }", true },
		{ "{\n\t\"driver\":\n[535,\n 550]}", true },
		{ "{\"driver\":[535,570],\"device\":[550]}", false },
		{ "{\"driver\":[5500]}", false },
		{ "{\"driver\":[55,0]}", false },
		{ "{\"driver\":[]}", false },
		{ "{\"driver\":[", false },
		{ "{\"driver\":", false },
		{ "{\"driver\"", false },
		{ "{\"driver\":550}", false },
		{ "{\"driver\":[\"550\"]}", false },
		{ "{\"driver\":[535 550]}", false },
		{ "{\"driver\":[-550]}", false },
		{ "{\"driver\":[4294967846]}", false }, /* 2^32 + 550 */
		{ "", false },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		ok(compat_note_lists(rows[i].note, 550) == rows[i].want, "note %s", rows[i].note);
}

static void test_compat_version(struct arena *a)
{
	static const struct {
		const char *files, *want;
	} rows[] = {
		{ "/c/libcuda.so.575.57.08 /c/libother.so.1.2", "575.57.08" },
		{ "/c/libcuda.so.575.57.08 /c/libcuda.so.570.1", NULL },
		{ "/c/libcuda.so.1 /c/libcuda.so.570.1", "570.1" },
		{ "/c/libcuda.so.5.x /c/libcuda.so.570. /c/libcuda.so..1 /c/libcuda.so.", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct strv files = { 0 };

		str_split(a, rows[i].files, ' ', &files);
		is_str(compat_version(a, &files), rows[i].want, "version among \"%s\"",
		       rows[i].files);
	}
}

static void test_compat_always(struct inject_case *c)
{
	c->o.compat = GPU_COMPAT_ALWAYS;
	build(c);
	ok(says(c, "--cuda-compat always"), "always, but the image has none: said");
	compat_image(c, NULL);
	strv_push(c->a, &c->abi.compat, COMPAT "/libcuda.so.575.57.09");
	build(c);
	is_str(link_target(c, GPU_LIB_DIR "/libcuda.so.1"), "libcuda.so.550.163.01",
	       "two of them: which is meant is not guessed");
}

int main(void)
{
	static void (*const tests[])(struct inject_case *) = {
		test_libs,
		test_files,
		test_graphics,
		test_env,
		test_cache,
		test_damaged_cache,
		test_glibc_floor,
		test_no_glibc,
		test_32_bits,
		test_no_driver,
		test_machine_unknown,
		test_nodes,
		test_proc,
		test_cdi,
		test_mig,
		test_compat,
		test_compat_rules,
		test_compat_always,
	};
	_cleanup_arena_ struct arena *a = arena_new(0);

	for (size_t i = 0; i < ELEMENTS(tests); i++) {
		struct inject_case c;

		case_new(&c, a);
		tests[i](&c);
	}
	test_compat_note();
	test_compat_version(a);
	return done_testing();
}

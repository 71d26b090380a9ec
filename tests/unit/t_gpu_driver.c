/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's files below a root, in the layouts of distributions and in broken ones. */
#include <sys/resource.h>

#include "../helpers/driver-tree.h"

#define V    "550.163.01"
#define LIBS "/usr/lib/" TRIPLET
#define CUR  LIBS "/nvidia/current"

/* Is the file there, from @path in the tree, with the links @links ("" for none)? */
static void is_file(struct tree *t, const struct gpu_driver *d, unsigned int bits, const char *dst,
		    const char *path, const char *links)
{
	const struct gpu_file *f = driver_file(d, bits, dst);
	const char *got = "";

	if (!ok(f != NULL, "%s is there (%u)", dst, bits))
		return;
	is_str(f->src, arena_printf(t->a, "%s%s", t->path, path), "%s: source", dst);
	for (size_t i = 0; i < f->links.n; i++)
		got = arena_printf(t->a, "%s%s%s", got, i ? " " : "", f->links.v[i]);
	is_str(got, links, "%s: links", dst);
}

static void is_absent(const struct gpu_driver *d, const char *dst)
{
	ok(!driver_file(d, 64, dst) && !driver_file(d, 32, dst) && !driver_file(d, 0, dst),
	   "%s is not there", dst);
}

/* "LINK -> /etc/alternatives/nvidia--NAME -> TARGET", as update-alternatives makes them. */
static void alternative(struct tree *t, const char *link, const char *target)
{
	const char *middle =
		arena_printf(t->a, "/etc/alternatives/nvidia--%s-" TRIPLET, path_base(link));

	tree_link(t, link, middle);
	tree_link(t, middle, target);
}

static void debian_tree(struct tree *t)
{
	tree_lib(t, CUR "/libcuda.so." V, "libcuda.so.1");
	tree_link(t, CUR "/libcuda.so.1", "libcuda.so." V);
	tree_link(t, CUR "/libcuda.so", "libcuda.so.1");
	tree_lib(t, CUR "/libnvidia-ml.so." V, "libnvidia-ml.so.1");
	tree_link(t, CUR "/libnvidia-ml.so.1", "libnvidia-ml.so." V);
	tree_link(t, CUR "/libnvidia-ml.so", "libnvidia-ml.so.1");
	tree_lib(t, CUR "/libnvidia-nvvm.so." V, "libnvidia-nvvm.so.4");
	tree_lib(t, CUR "/libnvidia-encode.so." V, "libnvidia-encode.so.1");
	tree_lib(t, CUR "/libvdpau_nvidia.so." V, "libvdpau_nvidia.so.1");
	tree_lib(t, CUR "/libGLX_nvidia.so." V, "libGLX_nvidia.so.0");
	tree_lib(t, CUR "/libnvidia-api.so.1", "libnvidia-api.so.1");
	tree_lib(t, LIBS "/libnvidia-eglcore.so." V, "libnvidia-eglcore.so." V);
	tree_lib(t, LIBS "/libnvidia-egl-gbm.so.1.1.2", "libnvidia-egl-gbm.so.1");
	tree_lib(t, LIBS "/libnvidia-egl-gbm.so.1.1.10", "libnvidia-egl-gbm.so.1");
	tree_lib(t, LIBS "/libz.so.1", "libz.so.1");
	alternative(t, LIBS "/libcuda.so.1", CUR "/libcuda.so.1");
	alternative(t, LIBS "/libnvidia-ml.so.1", CUR "/libnvidia-ml.so.1");
	alternative(t, LIBS "/libnvidia-nvvm.so." V, CUR "/libnvidia-nvvm.so." V);
	alternative(t, LIBS "/libnvidia-api.so.1", CUR "/libnvidia-api.so.1");
	alternative(t, LIBS "/vdpau/libvdpau_nvidia.so.1", CUR "/libvdpau_nvidia.so.1");
	tree_program(t, "/usr/lib/nvidia/current/nvidia-smi", LD_SO);
	tree_program(t, "/usr/lib/nvidia/current/nvidia-debugdump", LD_SO);
	tree_program(t, "/usr/bin/nvidia-modprobe", LD_SO);
	tree_program(t, "/usr/bin/nvidia-persistenced", LD_SO);
	tree_program(t, "/usr/sbin/nvidia-cuda-mps-server", LD_SO);
	alternative(t, "/usr/bin/nvidia-smi", "/usr/lib/nvidia/current/nvidia-smi");
	alternative(t, "/usr/bin/nvidia-debugdump", "/usr/lib/nvidia/current/nvidia-debugdump");
	tree_text(t, CUR "/nvoptix.bin", "data");
	alternative(t, "/usr/share/nvidia/nvoptix.bin", CUR "/nvoptix.bin");
	tree_text(t, "/etc/OpenCL/vendors/nvidia.icd", "libnvidia-opencl.so.1\n");
	tree_text(t, "/usr/share/vulkan/icd.d/nvidia_icd.json", "{}\n");
	tree_text(t, "/usr/share/glvnd/egl_vendor.d/10_nvidia.json", "{}\n");
	tree_text(t, "/lib/firmware/nvidia/" V "/gsp_ga10x.bin", "firmware");
}

static void check_debian(struct tree *t, const struct gpu_driver *d)
{
	is_str(d->version, V, "version");
	is_int(d->machine, STUB_MACHINE, "machine");
	is_int(d->others.n, 0, "no other version");
	is_str(d->libcuda, arena_printf(t->a, "%s" CUR "/libcuda.so." V, t->path), "libcuda");
	is_str(d->libnvidia_ml, arena_printf(t->a, "%s" CUR "/libnvidia-ml.so." V, t->path),
	       "libnvidia-ml");
	is_file(t, d, 64, "libcuda.so." V, CUR "/libcuda.so." V, "libcuda.so.1 libcuda.so");
	is_file(t, d, 64, "libnvidia-ml.so." V, CUR "/libnvidia-ml.so." V,
		"libnvidia-ml.so.1 libnvidia-ml.so");
	is_file(t, d, 64, "libnvidia-nvvm.so." V, CUR "/libnvidia-nvvm.so." V,
		"libnvidia-nvvm.so.4");
	is_file(t, d, 64, "libnvidia-encode.so." V, CUR "/libnvidia-encode.so." V,
		"libnvidia-encode.so.1");
	is_file(t, d, 64, "libvdpau_nvidia.so." V, CUR "/libvdpau_nvidia.so." V,
		"libvdpau_nvidia.so.1 libvdpau_nvidia.so");
	is_file(t, d, 64, "libGLX_nvidia.so." V, CUR "/libGLX_nvidia.so." V,
		"libGLX_nvidia.so.0 libGLX_indirect.so.0");
	is_file(t, d, 64, "libnvidia-api.so.1", CUR "/libnvidia-api.so.1", "");
	is_file(t, d, 64, "libnvidia-eglcore.so." V, LIBS "/libnvidia-eglcore.so." V, "");
	is_file(t, d, 64, "libnvidia-egl-gbm.so.1.1.10", LIBS "/libnvidia-egl-gbm.so.1.1.10",
		"libnvidia-egl-gbm.so.1");
	is_absent(d, "libnvidia-egl-gbm.so.1.1.2");
	is_file(t, d, 64, "/usr/bin/nvidia-smi", "/usr/lib/nvidia/current/nvidia-smi", "");
	is_file(t, d, 64, "/usr/bin/nvidia-debugdump", "/usr/lib/nvidia/current/nvidia-debugdump",
		"");
	is_file(t, d, 64, "/usr/bin/nvidia-cuda-mps-server", "/usr/sbin/nvidia-cuda-mps-server",
		"");
	is_file(t, d, 0, "/usr/share/nvidia/nvoptix.bin", CUR "/nvoptix.bin", "");
	is_file(t, d, 0, "/etc/OpenCL/vendors/nvidia.icd", "/etc/OpenCL/vendors/nvidia.icd", "");
	is_file(t, d, 0, "/etc/vulkan/icd.d/nvidia_icd.json",
		"/usr/share/vulkan/icd.d/nvidia_icd.json", "");
	is_file(t, d, 0, "/usr/share/glvnd/egl_vendor.d/10_nvidia.json",
		"/usr/share/glvnd/egl_vendor.d/10_nvidia.json", "");
	is_int(d->n_files, 16, "nothing else");
}

static void test_debian(struct arena *a)
{
	struct gpu_driver d;
	struct tree t;

	tree_new(&t, a);
	debian_tree(&t);
	d = tree_look(&t, V, GPU_CAP_ALL);
	check_debian(&t, &d);
	tree_cache(&t, STUB_MACHINE, LIBS "/libcuda.so.1");
	tree_cache(&t, STUB_MACHINE, LIBS "/libnvidia-ml.so.1");
	d = tree_look(&t, NULL, GPU_CAP_ALL);
	check_debian(&t, &d);
	is_int(driver_file(&d, 64, "libcuda.so." V)->glibc_needed, ELF_VERSION(2, 4),
	       "the glibc that a library needs");
	is_int(driver_file(&d, 64, "/usr/bin/nvidia-smi")->glibc_needed, ELF_VERSION(2, 7),
	       "the glibc that a program needs");
	tree_free(&t);
}

/* ---- capabilities --------------------------------------------------------------------- */

static void test_caps(struct arena *a)
{
	struct gpu_driver d;
	struct tree t;

	tree_new(&t, a);
	debian_tree(&t);
	tree_lib(&t, CUR "/libnvidia-brandnew.so." V, "libnvidia-brandnew.so.1");
	tree_lib(&t, CUR "/libGL.so." V, "libGL.so.1");
	tree_lib(&t, CUR "/libOpenCL.so." V, "libOpenCL.so.1");
	tree_lib(&t, CUR "/libnvidia-gtk3.so." V, "libnvidia-gtk3.so." V);
	tree_lib(&t, CUR "/libnvidia-other.so.1.2.3", "libnvidia-other.so.1");
	d = tree_look(&t, V, 0);
	ok(d.libcuda && d.libnvidia_ml, "the two libraries are told whatever is wanted");
	is_absent(&d, "libnvidia-eglcore.so." V);
	is_absent(&d, "libnvidia-encode.so." V);
	is_absent(&d, "/usr/share/nvidia/nvoptix.bin");
	d = tree_look(&t, V, GPU_CAP_ALL);
	is_int(driver_file(&d, 64, "libcuda.so." V)->caps, GPU_CAP_COMPUTE, "libcuda");
	is_int(driver_file(&d, 64, "libnvidia-ml.so." V)->caps, GPU_CAP_UTILITY, "libnvidia-ml");
	is_int(driver_file(&d, 64, "libnvidia-encode.so." V)->caps, GPU_CAP_VIDEO, "encode");
	is_int(driver_file(&d, 64, "libnvidia-eglcore.so." V)->caps, GPU_CAP_GRAPHICS, "eglcore");
	is_int(driver_file(&d, 0, "/etc/OpenCL/vendors/nvidia.icd")->caps, GPU_CAP_COMPUTE,
	       "OpenCL's file");
	ok(driver_file(&d, 64, "libnvidia-brandnew.so." V) &&
		   driver_file(&d, 64, "libnvidia-brandnew.so." V)->caps == GPU_CAP_DEFAULT,
	   "a library newer than the table");
	is_absent(&d, "libnvidia-other.so.1.2.3");
	is_absent(&d, "libGL.so." V);
	is_absent(&d, "libOpenCL.so." V);
	is_absent(&d, "libnvidia-gtk3.so." V);
	is_absent(&d, "/usr/bin/nvidia-modprobe");
	is_absent(&d, "/usr/bin/nvidia-persistenced");
	tree_free(&t);
}

/* ---- other layouts -------------------------------------------------------------------- */

static void rhel_tree(struct tree *t)
{
	tree_lib(t, "/usr/lib64/libcuda.so." V, "libcuda.so.1");
	tree_link(t, "/usr/lib64/libcuda.so.1", "libcuda.so." V);
	tree_lib(t, "/usr/lib64/libnvidia-ml.so." V, "libnvidia-ml.so.1");
	tree_link(t, "/usr/lib64/libnvidia-ml.so.1", "libnvidia-ml.so." V);
	tree_lib(t, "/usr/lib64/vdpau/libvdpau_nvidia.so." V, "libvdpau_nvidia.so.1");
	tree_lib32(t, "/usr/lib/libcuda.so." V, "libcuda.so.1");
	tree_link(t, "/usr/lib/libcuda.so.1", "libcuda.so." V);
	tree_lib32(t, "/usr/lib/libnvidia-ml.so." V, "libnvidia-ml.so.1");
	tree_lib32(t, "/usr/lib/vdpau/libvdpau_nvidia.so." V, "libvdpau_nvidia.so.1");
	tree_link(t, "/lib64", "usr/lib64");
	tree_link(t, "/lib", "usr/lib");
	tree_program(t, "/usr/bin/nvidia-smi", LD_SO);
	tree_lib(t, "/usr/lib64/xorg/modules/drivers/nvidia_drv.so", NULL);
}

static void check_rhel(struct tree *t, const struct gpu_driver *d)
{
	is_str(d->version, V, "version");
	is_file(t, d, 64, "libcuda.so." V, "/usr/lib64/libcuda.so." V, "libcuda.so.1 libcuda.so");
	is_file(t, d, 64, "libvdpau_nvidia.so." V, "/usr/lib64/vdpau/libvdpau_nvidia.so." V,
		"libvdpau_nvidia.so.1 libvdpau_nvidia.so");
	is_file(t, d, 0, "/usr/lib64/xorg/modules/drivers/nvidia_drv.so",
		"/usr/lib64/xorg/modules/drivers/nvidia_drv.so", "");
#if defined(__x86_64__)
	is_file(t, d, 32, "libcuda.so." V, "/usr/lib/libcuda.so." V, "libcuda.so.1 libcuda.so");
	is_file(t, d, 32, "libvdpau_nvidia.so." V, "/usr/lib/vdpau/libvdpau_nvidia.so." V,
		"libvdpau_nvidia.so.1 libvdpau_nvidia.so");
	is_int(d->n_files, 8, "nothing else");
	is_int(driver_file(d, 32, "libcuda.so." V)->caps, GPU_CAP_COMPUTE, "32 bits: own caps");
#endif
	is_str(d->libcuda, arena_printf(t->a, "%s/usr/lib64/libcuda.so." V, t->path), "libcuda");
}

static void test_rhel(struct arena *a)
{
	struct gpu_driver d;
	struct tree t;

	tree_new(&t, a);
	rhel_tree(&t);
	d = tree_look(&t, V, GPU_CAP_ALL);
	check_rhel(&t, &d);
	tree_cache(&t, STUB_MACHINE, "/lib64/libcuda.so.1");
	tree_cache(&t, STUB_MACHINE, "/lib64/libnvidia-ml.so.1");
#if defined(__x86_64__)
	tree_cache(&t, EM_386, "/lib/libcuda.so.1");
#endif
	d = tree_look(&t, V, GPU_CAP_ALL);
	check_rhel(&t, &d);
	d = tree_look(&t, V, GPU_CAP_ALL & ~GPU_CAP_COMPAT32);
	ok(!driver_file(&d, 32, "libcuda.so." V), "32 bits only when they are wanted");
	tree_free(&t);
}

static void test_places(struct arena *a)
{
	static const struct {
		const char *dir, *programs, *interp;
		bool runs;
	} rows[] = {
		{ "/usr/local/nvidia/lib64", "/usr/local/nvidia/bin", LD_SO, true },
		{ "/run/opengl-driver/lib", "/run/current-system/sw/bin", "/nix/store/x/ld.so",
		  false },
		{ "/usr/lib64/nvidia", "/usr/bin", LD_SO, true },
		{ "/usr/lib", "/usr/local/bin", NULL, true },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct gpu_driver d;
		struct tree t;

		tree_new(&t, a);
		tree_lib(&t, arena_printf(a, "%s/libcuda.so." V, rows[i].dir), "libcuda.so.1");
		tree_program(&t, arena_printf(a, "%s/nvidia-smi", rows[i].programs),
			     rows[i].interp);
		d = tree_look(&t, V, GPU_CAP_ALL);
		is_str(d.version, V, "%s: version", rows[i].dir);
		is_file(&t, &d, 64, "libcuda.so." V,
			arena_printf(a, "%s/libcuda.so." V, rows[i].dir),
			"libcuda.so.1 libcuda.so");
		ok(!driver_file(&d, 64, "/usr/bin/nvidia-smi") == !rows[i].runs,
		   "%s: nvidia-smi %s", rows[i].dir, rows[i].runs ? "goes along" : "cannot run");
		ok(!d.libnvidia_ml, "%s: no libnvidia-ml", rows[i].dir);
		tree_free(&t);
	}
}

/* ---- versions ------------------------------------------------------------------------- */

static void test_versions(struct arena *a)
{
	static const struct {
		const char *want, *version, *others[2];
	} rows[] = {
		{ "550.163.01", "550.163.01", { "1000.1", "550.90" } },
		{ "550.90", "550.90", { "1000.1", "550.163.01" } },
		{ "570.1", "1000.1", { "550.163.01", "550.90" } },
		{ NULL, "1000.1", { "550.163.01", "550.90" } },
	};
	struct tree t;

	tree_new(&t, a);
	tree_lib(&t, LIBS "/libcuda.so.550.163.01", "libcuda.so.1");
	tree_lib(&t, LIBS "/libcuda.so.550.90", "libcuda.so.1");
	tree_lib(&t, LIBS "/libcuda.so.1000.1", "libcuda.so.1");
	tree_lib(&t, LIBS "/libcuda.so.1.1", "libcuda.so.1");
	tree_lib(&t, LIBS "/libcuda.so.9999.1.2.3", "libcuda.so.1");
	tree_lib(&t, LIBS "/libcuda.so.9999.x", "libcuda.so.1");
	tree_link(&t, LIBS "/libcuda.so.1", "libcuda.so.1000.1");
	tree_lib(&t, LIBS "/libnvidia-ml.so.550.90", "libnvidia-ml.so.1");
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct gpu_driver d = tree_look(&t, rows[i].want, GPU_CAP_ALL);

		is_str(d.version, rows[i].version, "wanted: %s",
		       rows[i].want ? rows[i].want : "any");
		if (ok(d.others.n == 2, "two others")) {
			is_str(d.others.v[0], rows[i].others[0], "the newer one of them");
			is_str(d.others.v[1], rows[i].others[1], "the older one");
		}
		is_file(&t, &d, 64, arena_printf(a, "libcuda.so.%s", rows[i].version),
			arena_printf(a, LIBS "/libcuda.so.%s", rows[i].version),
			"libcuda.so.1 libcuda.so");
		ok(!d.libnvidia_ml == !str_eq(rows[i].version, "550.90"),
		   "libnvidia-ml only of that version");
	}
	tree_free(&t);
}

/* ld.so.cache names the new driver, the kernel module is still the old one, elsewhere. */
static void test_versions_apart(struct arena *a)
{
	struct gpu_driver d;
	struct tree t;

	tree_new(&t, a);
	tree_lib(&t, "/usr/lib64/libcuda.so.560.35.03", "libcuda.so.1");
	tree_link(&t, "/usr/lib64/libcuda.so.1", "libcuda.so.560.35.03");
	tree_cache(&t, STUB_MACHINE, "/usr/lib64/libcuda.so.1");
	tree_lib(&t, "/usr/local/nvidia/lib64/libcuda.so." V, "libcuda.so.1");
	d = tree_look(&t, V, GPU_CAP_ALL);
	is_str(d.version, V, "the old one is found at another place");
	is_str(d.libcuda, arena_printf(a, "%s/usr/local/nvidia/lib64/libcuda.so." V, t.path),
	       "and its libcuda");
	d = tree_look(&t, NULL, GPU_CAP_ALL);
	is_str(d.version, "560.35.03", "without a wish the one in ld.so.cache");
	is_int(d.others.n, 0, "and no other place is looked at");
	(void)remove(tree_path(&t, "/usr/lib64/libcuda.so.1"));
	tree_link(&t, "/usr/lib64/libcuda.so.1", "/opt/driver/libcuda.so.570.1");
	tree_lib(&t, "/opt/driver/libcuda.so.570.1", "libcuda.so.1");
	d = tree_look(&t, "570.1", GPU_CAP_ALL);
	is_str(d.version, "570.1", "a link past the version beside it");
	d = tree_look(&t, "560.35.03", GPU_CAP_ALL);
	is_int(d.others.n, 0, "which is not followed when that is the right one");
	tree_free(&t);
}

#if defined(__x86_64__)
/* ld.so.cache knows where 32-bit libraries are, too. */
static void test_cached32(struct arena *a)
{
	struct gpu_driver d;
	struct tree t;

	tree_new(&t, a);
	tree_lib(&t, "/usr/lib64/libcuda.so." V, "libcuda.so.1");
	tree_link(&t, "/usr/lib64/libcuda.so.1", "libcuda.so." V);
	tree_lib32(&t, "/opt/driver32/libcuda.so." V, "libcuda.so.1");
	tree_lib32(&t, "/usr/lib32/libnvidia-ml.so." V, "libnvidia-ml.so.1");
	tree_cache(&t, EM_X86_64, "/usr/lib64/libcuda.so.1");
	tree_cache(&t, EM_386, "/opt/driver32/libcuda.so.1");
	d = tree_look(&t, V, GPU_CAP_ALL);
	is_file(&t, &d, 32, "libcuda.so." V, "/opt/driver32/libcuda.so." V,
		"libcuda.so.1 libcuda.so");
	is_int(d.n_files, 2, "and nothing where ld.so would not look");
	tree_free(&t);
}
#endif

/* ---- broken roots --------------------------------------------------------------------- */

static void test_nothing(struct arena *a)
{
	struct gpu_driver d;
	struct tree t;

	tree_new(&t, a);
	d = tree_look(&t, V, GPU_CAP_ALL);
	ok(!d.version && !d.n_files && !d.libcuda && !d.libnvidia_ml, "an empty root");
	ok(d.searched.n > 5, "it says where it has looked");
	is_str(d.root, t.path, "and below which root");
	tree_link(&t, LIBS "/libcuda.so.1", "nvidia/current/libcuda.so.1");
	tree_link(&t, LIBS "/libnvidia-ml.so.1", "libnvidia-ml.so.1");
	tree_lib(&t, LIBS "/libnvidia-eglcore.so." V, "libnvidia-eglcore.so." V);
	tree_cache(&t, STUB_MACHINE, LIBS "/libcuda.so.1");
	tree_cache(&t, STUB_MACHINE, "/gone/libnvidia-ml.so.1");
	d = tree_look(&t, V, GPU_CAP_ALL);
	ok(!d.version && !d.n_files, "links to nowhere, in a circle, a cache that is out of date");
	tree_lib(&t, LIBS "/libnvidia-ml.so." V, "libnvidia-ml.so.1");
	d = tree_look(&t, V, GPU_CAP_ALL);
	is_str(d.version, V, "half removed: the version of libnvidia-ml");
	ok(!d.libcuda && d.libnvidia_ml, "and no libcuda");
	tree_text(&t, "/etc/ld.so.cache", "glibc-ld.so.cache1.1");
	t.cache.n = 0;
	d = tree_look(&t, V, GPU_CAP_ALL);
	is_str(d.version, V, "a damaged ld.so.cache");
	tree_free(&t);
}

static void test_strange(struct arena *a)
{
	struct elf_stub foreign = { 64, EM_S390, "libnvidia-tls.so." V, NULL, NULL };
	struct elf_stub other = { 64, STUB_MACHINE, "libcuda.so.1", NULL, NULL };
	struct gpu_driver d;
	struct tree t;

	tree_new(&t, a);
	tree_lib(&t, LIBS "/libcuda.so." V, "../../../../etc/libcuda.so.1");
	(void)mkdir(tree_path(&t, LIBS "/libnvidia-ml.so." V), 0755);
	(void)mkfifo(tree_path(&t, LIBS "/libnvidia-nvvm.so." V), 0644);
	(void)mkfifo(tree_path(&t, "/usr/bin/nvidia-smi"), 0755);
	tree_link(&t, LIBS "/libnvidia-cfg.so." V, "libnvidia-nvvm.so." V);
	tree_link(&t, LIBS "/libnvidia-ngx.so." V, "libnvidia-ml.so." V);
	tree_socket(&t, LIBS "/libnvcuvid.so." V);
	tree_text(&t, LIBS "/libnvidia-opencl.so." V, "");
	tree_text(&t, LIBS "/libnvidia-encode.so." V, "\177ELF but no more");
	tree_elf(&t, LIBS "/libnvidia-tls.so." V, foreign);
	other.machine = STUB_MACHINE == EM_X86_64 ? EM_AARCH64 : EM_X86_64;
	tree_elf(&t, LIBS "/libcuda.so.999.1", other);
	tree_text(&t, "/usr/bin/nvidia-debugdump", "#!/bin/sh\n");
	(void)mkdir(tree_path(&t, "/etc/OpenCL/vendors/nvidia.icd"), 0755);
	tree_text(&t, "/run/nvidia-persistenced/socket", "no socket");
	tree_socket(&t, "/run/nvidia-fabricmanager/socket");
	d = tree_look(&t, NULL, GPU_CAP_ALL);
	is_str(d.version, V, "the only version that can be loaded here");
	is_file(&t, &d, 64, "libcuda.so." V, LIBS "/libcuda.so." V, "libcuda.so");
	is_file(&t, &d, 0, "/run/nvidia-fabricmanager/socket", "/run/nvidia-fabricmanager/socket",
		"");
	is_int(d.n_files, 2, "no directory, FIFO, socket, text or foreign library");
	tree_free(&t);
}

/* Libraries of the wrong class where others are looked for. */
static void test_class(struct arena *a)
{
	struct gpu_driver d;
	struct tree t;

	tree_new(&t, a);
	tree_lib32(&t, LIBS "/libcuda.so.560.1", "libcuda.so.1");
	tree_elf(&t, LIBS "/libcuda.so.570.1",
		 (struct elf_stub){ 32, STUB_MACHINE, "libcuda.so.1", NULL, NULL }); /* x32 */
	tree_lib(&t, "/usr/lib64/libnvidia-ml.so." V, "libnvidia-ml.so.1");
	tree_lib32(&t, "/usr/lib32/libcuda.so." V, "libcuda.so.1");
	tree_lib(&t, "/usr/lib32/libnvidia-cfg.so." V, "libnvidia-cfg.so.1");
	d = tree_look(&t, NULL, GPU_CAP_ALL);
	is_str(d.version, V, "a libcuda of another class alone is no version");
	is_int(d.others.n, 0, "nor another one");
	ok(d.libnvidia_ml && !d.libcuda, "nor is it what a child of ours could load");
	tree_free(&t);
}

/* Two directories have the same library: the first is taken, whether it has a soname or not. */
static void test_twice(struct arena *a)
{
	struct gpu_driver d;
	struct tree t;

	tree_new(&t, a);
	tree_link(&t, LIBS "/libcuda.so.1", "/opt/driver/libcuda.so.1");
	tree_link(&t, "/opt/driver/libcuda.so.1", "libcuda.so." V);
	tree_lib(&t, "/opt/driver/libcuda.so." V, "libcuda.so.1");
	tree_lib(&t, LIBS "/libnvidia-tls.so." V, NULL);
	tree_lib(&t, "/opt/driver/libnvidia-tls.so." V, NULL);
	tree_lib(&t, LIBS "/libnvidia-egl-gbm.so.1.1.1", "libnvidia-egl-gbm.so.1");
	tree_lib(&t, "/opt/driver/libnvidia-egl-gbm.so.1.1.2", "libnvidia-egl-gbm.so.1");
	d = tree_look(&t, V, GPU_CAP_ALL);
	is_int(d.n_files, 3, "three libraries");
	is_file(&t, &d, 64, "libnvidia-tls.so." V, LIBS "/libnvidia-tls.so." V, "");
	is_file(&t, &d, 64, "libnvidia-egl-gbm.so.1.1.1", LIBS "/libnvidia-egl-gbm.so.1.1.1",
		"libnvidia-egl-gbm.so.1");
	tree_free(&t);
}

/* Links that would leave the root: they lead to its own files, or nowhere. */
static void test_escape(struct arena *a)
{
	struct tree t, outside;
	struct gpu_driver d;

	tree_new(&t, a);
	tree_new(&outside, a);
	tree_lib(&outside, "/libcuda.so." V, "libcuda.so.1");
	tree_lib(&outside, "/libnvidia-ml.so." V, "libnvidia-ml.so.1");
	tree_link(&t, "/usr/lib64", outside.path);
	tree_link(&t, LIBS "/libcuda.so." V,
		  arena_printf(a, "../../../../../..%s/libcuda.so." V, outside.path));
	tree_link(&t, "/usr/share/vulkan/icd.d/nvidia_icd.json", "/etc/hostname");
	tree_link(&t, "/etc/OpenCL/vendors/nvidia.icd", "/proc/self/exe");
	d = tree_look(&t, V, GPU_CAP_ALL);
	ok(!d.version && !d.n_files, "nothing from outside of the root");
	tree_lib(&t, LIBS "/libnvidia-ml.so." V, "libnvidia-ml.so.1");
	tree_link(&t, CUR "/libcuda.so." V, "/../../opt/libcuda");
	tree_lib(&t, "/opt/libcuda", "libcuda.so.1");
	d = tree_look(&t, V, GPU_CAP_ALL);
	is_file(&t, &d, 64, "libnvidia-ml.so." V, LIBS "/libnvidia-ml.so." V, "libnvidia-ml.so.1");
	is_absent(&d, "libcuda.so." V);
	is_absent(&d, "/etc/vulkan/icd.d/nvidia_icd.json");
	is_absent(&d, "/etc/OpenCL/vendors/nvidia.icd");
	(void)remove(tree_path(&t, LIBS "/libnvidia-ml.so." V));
	(void)remove(tree_path(&t, LIBS "/libcuda.so." V));
	d = tree_look(&t, V, GPU_CAP_ALL);
	is_file(&t, &d, 64, "libcuda.so." V, "/opt/libcuda", "libcuda.so.1 libcuda.so");
	tree_free(&t);
	tree_free(&outside);
}

/* What fails because of us is an error, and not "no driver". */
static void test_failures(struct arena *a)
{
	struct rlimit old, none = { 0, 0 };
	struct gpu_driver d;
	struct err e = { 0 };
	struct sysroot root;
	struct tree t;
	int r;

	tree_new(&t, a);
	root = (struct sysroot){ open(t.path, O_PATH | O_DIRECTORY | O_CLOEXEC), t.path };
	(void)getrlimit(RLIMIT_NOFILE, &old);
	none.rlim_max = old.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &none);
	r = gpu_driver_look(a, &root, V, GPU_CAP_ALL, &d, &e);
	(void)setrlimit(RLIMIT_NOFILE, &old);
	is_int(r, -EMFILE, "no descriptor left (%s)", e.msg);
	for (unsigned int i = 0; i < 8200; i++)
		(void)close(open(tree_path(&t, arena_printf(a, LIBS "/libnv%u.so", i)),
				 O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	e = (struct err){ 0 };
	is_int(gpu_driver_look(a, &root, V, GPU_CAP_ALL, &d, &e), -E2BIG,
	       "a directory without bounds");
	ok(strstr(e.msg, LIBS ": more than"), "it is named (%s)", e.msg);
	fd_close(root.fd);
	tree_free(&t);
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_debian(a);
	test_caps(a);
	test_rhel(a);
	test_places(a);
	test_versions(a);
	test_versions_apart(a);
#if defined(__x86_64__)
	test_cached32(a);
#endif
	test_nothing(a);
	test_strange(a);
	test_class(a);
	test_twice(a);
	test_escape(a);
	test_failures(a);
	return done_testing();
}

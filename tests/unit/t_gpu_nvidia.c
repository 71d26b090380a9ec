/* SPDX-License-Identifier: Apache-2.0 */
/* NVIDIA's procfs: formats, order and who may be used. */
#include <errno.h>
#include <sys/sysmacros.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "../../src/gpu/backend.h"
#include "../../src/gpu/nvidia.h"
#include "../helpers/gpu-host.h"

static struct gpu_set probe(struct arena *a, const char *path)
{
	struct sysroot root = { open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), path };
	struct gpu_set set = { 0 };
	struct err e = { 0 };

	is_int(gpu_probe_all(a, &root, &set, &e), 0, "probe of %s (%s)", path, e.msg);
	fd_close(root.fd);
	return set;
}

static void test_info(struct arena *a)
{
	struct nvidia_info i;

	nvidia_info_parse(
		a,
		"Model: \t\t NVIDIA A100-SXM4-40GB\nGPU UUID: \t GPU-ab12-cd\n"
		"Bus Location: \t 0000:3b:00.0\nDevice Minor: \t 12\nGPU Excluded:\t No\n",
		&i);
	is_str(i.model, "NVIDIA A100-SXM4-40GB", "model");
	is_str(i.uuid, "GPU-ab12-cd", "UUID");
	is_int(i.minor, 12, "minor");
	ok(!i.excluded, "not excluded");
	nvidia_info_parse(a,
			  "GPU UUID: \t GPU-????????"
			  "-????\nDevice Minor: 400\nGPU Excluded: Yes",
			  &i);
	ok(!i.uuid && i.minor == -1 && i.excluded && !i.model, "unknown UUID, minor out of range");
	nvidia_info_parse(a, "", &i);
	ok(i.minor == -1 && !i.uuid, "an empty file");
	nvidia_info_parse(a, ":\n\n:::\nModel\nModel: \001\033[31mred\n", &i);
	is_str(i.model, "??[31mred", "nothing that a terminal would obey");
	nvidia_info_parse(a, "Device Minor: -1\nDevice Minor: 0x3\n", &i);
	is_int(i.minor, -1, "no other forms of numbers");
}

static void test_version(struct arena *a)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.163.01  Tue Apr  8\n",
		  "550.163.01" },
		{ "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.45.04  Release\n",
		  "595.45.04" },
		{ "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54\n", "535.54" },
		{ "Kernel Module", NULL },
		{ "Kernel Module \n550.1 ", NULL },
		{ "Kernel Module 55.1 550. 550.1x .550", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		const char *got = nvidia_version_parse(a, rows[i].text);

		if (rows[i].want)
			is_str(got, rows[i].want, "version %s", rows[i].want);
		else
			ok(!got, "no version in row %zu", i);
	}
}

static void test_four(struct arena *a)
{
	struct gpu_set set = probe(a, "tests/fixtures/host-gpu4");
	static const int minors[] = { 2, 0, 3, 1 };

	is_int((long long)set.n, 4, "four GPUs");
	ok(set.on_bus, "on the bus");
	is_str(set.driver_version, "550.163.01", "version of the driver");
	for (size_t i = 0; i < 4; i++) {
		is_int(set.v[i].index, (int)i, "index %zu is in PCI order", i);
		is_int(set.v[i].minor, minors[i], "and not the minor");
		ok(set.v[i].node.rdev == makedev(195, (unsigned int)minors[i]), "its node");
	}
	is_str(set.v[0].uuid, "GPU-aaaa0000-1111-2222-3333-444444444400", "UUID");
}

static void test_denied(struct arena *a)
{
	struct gpu_set set = probe(a, "tests/fixtures/host-denied");

	is_int(set.v[0].index, -1, "denied by the device cgroup");
	is_int(set.v[0].denied_errno, EPERM, "EPERM");
	ok(strstr(set.v[0].denied, "device cgroup"), "%s", set.v[0].denied);
	is_int(set.v[1].index, 0, "the second GPU is index 0");
	is_int(set.v[2].denied_errno, ENOENT, "%s", set.v[2].denied);
	is_int(set.v[3].index, 1, "the fourth is index 1");
}

static void test_eight(struct arena *a)
{
	struct gpu_set set = probe(a, "tests/fixtures/host-gpu8");
	static const int minors[] = { 2, 3, 0, 1, 6, 7, 4, 5 };

	is_int((long long)set.n, 8, "eight GPUs");
	for (size_t i = 0; i < set.n && i < 8; i++)
		ok(set.v[i].index == (int)i && set.v[i].minor == minors[i] && !set.v[i].n_migs,
		   "index %zu is minor %d", i, minors[i]);
}

static void test_devices(struct arena *a)
{
	static const char text[] =
		"Character devices:\n  1 mem\n 10 misc\n195 nvidia\n195 nvidiactl\n"
		"236 nvidia-caps\n511 nvidia-uvm\n99999 huge\n5 /dev/tty\n\n"
		"Block devices:\n  8 sd\n254 nvidia-modeset\n";
	static const struct {
		const char *name;
		int major;
	} rows[] = {
		{ "nvidia-caps", 236 }, { "nvidia", 195 },
		{ "nvidia-uvm", 511 },  { "mem", 1 },
		{ "/dev/tty", 5 },      { "nvidia-modeset", -1 },
		{ "sd", -1 },           { "caps", -1 },
		{ "nvidia-cap", -1 },   { "nvidia-caps-imex", -1 },
		{ "huge", -1 },         { "", -1 },
		{ "devices:", -1 },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		is_int(nvidia_major_parse(a, text, rows[i].name), rows[i].major, "major of '%s'",
		       rows[i].name);
	is_int(nvidia_major_parse(a, "236 nvidia-caps\n", "nvidia-caps"), -1, "no headline");
	is_int(nvidia_major_parse(a, "", "nvidia-caps"), -1, "an empty file");
	is_int(nvidia_major_parse(a, "Character devices:\n236 nvidia-caps", "nvidia-caps"), 236,
	       "no newline at the end");
}

/* What is wrong with one GPU; the other one is always good. */
static void test_reasons(struct arena *a)
{
	static const struct {
		const char *node;
		int error;
		const char *denied;
	} rows[] = {
		{ "c 195 4 rw\n", 0, NULL },
		{ "c 195 4 EPERM\n", EPERM,
		  "/dev/nvidia4: Operation not permitted (device cgroup)" },
		{ "EPERM\n", EPERM, "/dev/nvidia4: Operation not permitted (device cgroup)" },
		{ "c 195 4 EACCES\n", EACCES, "/dev/nvidia4: Permission denied (file mode)" },
		{ "c 195 4 r\n", EACCES, "/dev/nvidia4: Permission denied (file mode)" },
		{ NULL, ENOENT, "/dev/nvidia4: node missing" },
		{ "ENOENT\n", ENOENT, "/dev/nvidia4: node missing" },
		{ "c 195 4 ENXIO\n", ENXIO, "/dev/nvidia4: No such device or address" },
		{ "a file\n", ENODEV, "/dev/nvidia4: not a character device" },
		{ "", ENODEV, "/dev/nvidia4: not a character device" },
		{ "c 195 3 rw\n", ENODEV, "/dev/nvidia4: is device 195:3, expected 195:4" },
		{ "c 1 4 rw\n", ENODEV, "/dev/nvidia4: is device 1:4, expected 195:4" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct gpu_host h;
		struct gpu_set set;

		gpu_host_new(&h, a);
		gpu_host_driver(&h);
		gpu_host_gpu(&h, "0000:3b:00.0", 4, rows[i].node);
		gpu_host_gpu(&h, "0000:5b:00.0", 0, "c 195 0 rw\n");
		set = gpu_host_probe(&h);
		gpu_host_free(&h);
		is_int((long long)set.n, 2, "%s", rows[i].denied ? rows[i].denied : "good");
		if (set.n != 2)
			continue;
		is_str(set.v[0].denied ? set.v[0].denied : "-",
		       rows[i].denied ? rows[i].denied : "-", "why");
		is_int(set.v[0].denied_errno, rows[i].error, "its error");
		is_int(set.v[0].index, rows[i].denied ? -1 : 0, "its index");
		is_int(set.v[1].index, rows[i].denied ? 0 : 1, "index of the next");
		is_str(set.v[0].node.path, "/dev/nvidia4", "its node");
	}
}

/* nvidiactl is of all of them. */
static void test_control(struct arena *a)
{
	static const struct {
		const char *node;
		int error;
	} rows[] = {
		{ "EPERM\n", EPERM },
		{ "c 195 255 EACCES\n", EACCES },
		{ "ENOENT\n", ENOENT },
		{ "c 195 254 rw\n", ENODEV },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct gpu_host h;
		struct gpu_set set;

		gpu_host_new(&h, a);
		gpu_host_driver(&h);
		gpu_host_put(&h, "/dev/nvidiactl", rows[i].node);
		gpu_host_gpu(&h, "0000:3b:00.0", 4, "c 195 4 rw\n");
		gpu_host_gpu(&h, "0000:5b:00.0", 0, "EPERM\n");
		set = gpu_host_probe(&h);
		gpu_host_free(&h);
		ok(set.n == 2 && set.v[0].index == -1 && set.v[1].index == -1,
		   "none without nvidiactl");
		is_int(set.v[0].denied_errno, rows[i].error, "%s", set.v[0].denied);
		ok(strstr(set.v[0].denied, "/dev/nvidiactl"), "it is named");
		ok(strstr(set.v[1].denied, "/dev/nvidia0"), "the GPU's own reason comes first");
	}
}

/* What a module may say of a GPU that cannot be used, or not yet. */
static void test_odd(struct arena *a)
{
	struct gpu_host h;
	struct gpu_set set;

	gpu_host_new(&h, a);
	gpu_host_driver(&h);
	gpu_host_gpu(&h, "10000:01:00.0", 0, "c 195 0 rw\n");
	gpu_host_gpu(&h, "0000:C1:00.0", 1, "c 195 1 rw\n");
	gpu_host_gpu(&h, "0000:3b:00.1", 2, "c 195 2 rw\n");
	gpu_host_gpu(&h, "0000:3b:00.0", 3, "c 195 3 rw\n");
	gpu_host_put(&h, "/proc/driver/nvidia/gpus/0000:01:00.0/information",
		     "GPU UUID: \t GPU-????????\n"
		     "Device Minor: \t 5\nGPU Excluded:\t Yes\n");
	gpu_host_put(&h, "/proc/driver/nvidia/gpus/0000:02:00.0/information", "Model: \t X\n");
	gpu_host_put(&h, "/proc/driver/nvidia/gpus/0000:03:00.0/power", "no information\n");
	gpu_host_put(&h, "/proc/driver/nvidia/gpus/no-address/information", "Device Minor: 6\n");
	gpu_host_put(&h, "/proc/driver/nvidia/gpus/0000:ff:20.0/information", "Device Minor: 7\n");
	set = gpu_host_probe(&h);
	is_int((long long)set.n, 7, "two are no PCI addresses");
	ok(set.v[0].index == -1 && strstr(set.v[0].denied, "excluded") && !set.v[0].denied_errno,
	   "excluded: %s", set.v[0].denied);
	ok(!set.v[0].uuid, "a UUID of question marks is none");
	ok(strstr(set.v[1].denied, "no device minor") && set.v[1].denied_errno == ENODEV, "%s",
	   set.v[1].denied);
	ok(strstr(set.v[2].denied, "no device minor"), "%s", set.v[2].denied);
	ok(set.v[3].minor == 3 && set.v[4].minor == 2 && set.v[5].minor == 1 && set.v[6].minor == 0,
	   "order of numbers: function, bus in any case, domain of five digits");
	ok(set.v[3].index == 0 && set.v[6].index == 3, "indexes of the four");
	gpu_host_free(&h);
}

/* A loaded module that drives nothing is not the same as no GPU. */
static void test_empty(struct arena *a)
{
	struct gpu_host h;
	struct gpu_set set;

	gpu_host_new(&h, a);
	gpu_host_driver(&h);
	gpu_host_put(&h, "/proc/driver/nvidia/gpus/.keep", "");
	set = gpu_host_probe(&h);
	ok(set.n == 0 && !set.on_bus, "a module, no GPU");
	is_str(set.driver_version, "550.163.01", "its version");
	gpu_host_put(&h, "/sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086\n");
	gpu_host_put(&h, "/sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
	gpu_host_put(&h, "/sys/bus/pci/devices/0000:3b:00.1/vendor", "0x10de\n");
	gpu_host_put(&h, "/sys/bus/pci/devices/0000:3b:00.1/class", "0x040300\n");
	ok(!gpu_host_probe(&h).on_bus, "another vendor's, and a sound device");
	gpu_host_put(&h, "/sys/bus/pci/devices/0000:3b:00.0/vendor", "0x10de\n");
	gpu_host_put(&h, "/sys/bus/pci/devices/0000:3b:00.0/class", "0x030200\n");
	set = gpu_host_probe(&h);
	ok(set.n == 0 && set.on_bus, "one on the bus that the module did not take");
	gpu_host_put(&h, "/proc/bus/pci/devices", "0010\t80862918\t10\t       10\n");
	ok(!gpu_host_probe(&h).on_bus, "the kernel's list is asked first");
	gpu_host_put(&h, "/proc/bus/pci/devices", "0010\t80862918\t10\n0300\t10de2330\tff\n");
	ok(gpu_host_probe(&h).on_bus, "and what it names is looked at");
	gpu_host_free(&h);
}

static void test_too_many(struct arena *a)
{
	struct gpu_host h;
	struct sysroot root;
	struct gpu_set set;
	struct err e = { 0 };

	gpu_host_new(&h, a);
	gpu_host_put(&h, "/proc/driver/nvidia/version", "");
	for (unsigned int i = 0; i <= GPU_MAX; i++)
		gpu_host_put(
			&h, arena_printf(a, "/proc/driver/nvidia/gpus/%04x:00:00.0/information", i),
			"");
	root = (struct sysroot){ .fd = h.fd, .label = h.path };
	is_int(gpu_probe_all(a, &root, &set, &e), -E2BIG, "%s", e.msg);
	gpu_host_free(&h);
}

/* Links and odd files where the module has plain ones: nothing outside, and it never waits. */
static void test_links(struct arena *a)
{
	struct gpu_host h;
	struct gpu_set set;
	const char *base = "/proc/driver/nvidia/gpus/0000:01:00.0";
	const char *info;

	gpu_host_new(&h, a);
	gpu_host_driver(&h);
	gpu_host_put(&h, arena_printf(a, "%s/x", base), "");
	info = arena_printf(a, "%s%s/information", h.path, base);
	ok(symlink("/etc/passwd", info) == 0, "a link to a file of the host");
	set = gpu_host_probe(&h);
	ok(set.n == 1 && set.v[0].minor == -1, "is not followed to there");
	ok(unlink(info) == 0 && symlink("information", info) == 0, "a link to itself");
	ok(gpu_host_probe(&h).v[0].minor == -1, "no text");
	ok(unlink(info) == 0 && mkfifo(info, 0644) == 0, "a pipe");
	ok(gpu_host_probe(&h).v[0].minor == -1, "nobody waits for it");
	ok(unlink(info) == 0 && mkdir(info, 0755) == 0, "a directory");
	ok(gpu_host_probe(&h).v[0].minor == -1, "no text");
	gpu_host_free(&h);
}

/* ---- every byte changed, every length ---- */

static void check_texts(struct arena *a, const char *text, size_t *bad)
{
	struct nvidia_info i;
	const char *version;

	nvidia_info_parse(a, text, &i);
	*bad += i.minor < -1 || i.minor > NVIDIA_MINOR_MAX;
	*bad += i.uuid && i.uuid[4 + strspn(i.uuid + 4, "0123456789abcdefABCDEF-")];
	for (const char *s = i.model; s && *s; s++)
		*bad += *s < 0x20 || *s > 0x7e;
	*bad += nvidia_cap_parse(a, text) < -1 || nvidia_cap_parse(a, text) > NVIDIA_CAP_MINOR_MAX;
	*bad += nvidia_major_parse(a, text, "nvidia-caps") < -1 ||
		nvidia_major_parse(a, text, "nvidia-caps") > 4095;
	version = nvidia_version_parse(a, text);
	*bad += version && version[strspn(version, "0123456789.")];
}

static void test_mutations(void)
{
	static const char *const texts[] = {
		"Model: \t\t NVIDIA A100\nGPU UUID: \t GPU-ab12-cd\nDevice Minor: \t 1\n"
		"GPU Excluded:\t No\n",
		"DeviceFileMinor: 147\nDeviceFileMode: 292\nDeviceFileModify: 1\n",
		"Character devices:\n195 nvidia\n236 nvidia-caps\n\nBlock devices:\n",
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.163.01  Tue\nGCC version\n",
	};
	_cleanup_arena_ struct arena *a = arena_new((size_t)1 << 30);
	size_t bad = 0, runs = 0;

	for (size_t t = 0; t < ELEMENTS(texts); t++) {
		size_t n = strlen(texts[t]);

		for (size_t at = 0; at < n; at++) {
			char *text = arena_strdup(a, texts[t]);

			for (unsigned int byte = 0; byte < 256; byte++, runs++) {
				text[at] = (char)byte; /* 0 cuts it off */
				check_texts(a, text, &bad);
			}
			memmove(text + at, texts[t] + at + 1, n - at);
			check_texts(a, text, &bad);
		}
	}
	is_int((long long)bad, 0, "%zu texts with one wrong byte: nothing out of range", runs);
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct gpu_set set;

	test_info(a);
	test_version(a);
	test_four(a);
	test_denied(a);
	test_eight(a);
	test_devices(a);
	test_reasons(a);
	test_control(a);
	test_odd(a);
	test_empty(a);
	test_too_many(a);
	test_links(a);
	test_mutations();
	set = probe(a, "tests/fixtures/host-nodriver");
	ok(set.on_bus && set.n == 0, "a GPU on the bus without a driver");
	set = probe(a, "tests/fixtures/host-plain");
	ok(!set.on_bus && set.n == 0, "no GPU at all");
	return done_testing();
}

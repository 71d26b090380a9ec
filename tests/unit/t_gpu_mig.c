/* SPDX-License-Identifier: Apache-2.0 */
/* MIG devices out of the kernel module's capabilities, without NVML. */
#include <errno.h>
#include <sys/sysmacros.h>

#include <gpurun/str.h>

#include "../../src/gpu/nvidia.h"
#include "../helpers/gpu-host.h"

#define CAPS "/proc/driver/nvidia/capabilities"

static void test_fixture(struct arena *a)
{
	struct sysroot root = { open("tests/fixtures/host-mig", O_PATH | O_DIRECTORY | O_CLOEXEC),
				"tests/fixtures/host-mig" };
	struct gpu_set set = { 0 };
	struct err e = { 0 };
	const struct gpu_mig *m;

	is_int(gpu_probe_all(a, &root, &set, &e), 0, "probe (%s)", e.msg);
	fd_close(root.fd);
	ok(set.n == 2 && set.v[0].minor == 1 && set.v[1].minor == 0, "two GPUs");
	is_int((long long)set.v[0].n_migs, 2, "the minor counts, not the index");
	is_int((long long)set.v[1].n_migs, 0, "the other is not in MIG mode");
	for (size_t i = 0; i < set.v[0].n_migs; i++) {
		m = &set.v[0].migs[i];
		ok(m->gi == (int)i + 1 && m->ci == 0 && !m->denied, "instance %zu can be used", i);
		ok(m->index == -1 && !m->uuid && !m->profile, "what only NVML knows is not known");
	}
	m = &set.v[0].migs[0];
	is_str(m->access[0].path, "/dev/nvidia-caps/nvidia-cap147", "node of the GPU instance");
	is_str(m->access[1].path, "/dev/nvidia-caps/nvidia-cap148", "node of the compute instance");
	ok(m->access[1].rdev == makedev(236, 148), "its number");
	is_str(m->access[1].why, "", "it comes with the GPU");
}

static void test_cap(struct arena *a)
{
	static const struct {
		const char *text;
		int minor;
	} rows[] = {
		{ "DeviceFileMinor: 21\nDeviceFileMode: 292\nDeviceFileModify: 1\n", 21 },
		{ "DeviceFileMode: 292\nDeviceFileMinor: 0", 0 },
		{ "DeviceFileMinor: 8191\n", 8191 },
		{ "DeviceFileMinor: 8192\n", -1 },
		{ "DeviceFileMinor: -1\n", -1 },
		{ "DeviceFileMinor: 2 1\n", -1 },
		{ "DeviceFileMinor:\n", -1 },
		{ "DeviceFileMinor 21\n", -1 },
		{ "XDeviceFileMinor: 21\n", -1 },
		{ "", -1 },
		{ ":::\n\n", -1 },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++)
		is_int(nvidia_cap_parse(a, rows[i].text), rows[i].minor, "capability %zu", i);
}

/* The instance gi1/ci0 of minor 0 when something is wrong with a node. */
static void test_reasons(struct arena *a)
{
	static const struct {
		const char *path, *text, *denied;
		int error;
	} rows[] = {
		{ "/dev/nvidia-caps/nvidia-cap12", "c 236 12 r\n", NULL, 0 },
		{ "/dev/nvidia-caps/nvidia-cap12", "c 236 12 rw\n", NULL, 0 },
		{ "/dev/nvidia-caps/nvidia-cap12", "EPERM\n", "nvidia-cap12: Operation", EPERM },
		{ "/dev/nvidia-caps/nvidia-cap13", "EPERM\n", "nvidia-cap13: Operation", EPERM },
		{ "/dev/nvidia-caps/nvidia-cap13", "c 236 13 EACCES\n", "(file mode)", EACCES },
		{ "/dev/nvidia-caps/nvidia-cap13", "ENOENT\n", "nvidia-cap13: node missing",
		  ENOENT },
		{ "/dev/nvidia-caps/nvidia-cap13", "c 236 12 r\n", "expected 236:13", ENODEV },
		{ "/dev/nvidia-caps/nvidia-cap13", "c 195 13 r\n", "expected 236:13", ENODEV },
		{ CAPS "/gpu0/mig/gi1/ci0/access", "nothing\n", "ci0/access: no device", ENODEV },
		{ CAPS "/gpu0/mig/gi1/access", "", "gi1/access: no device minor", ENODEV },
		{ "/dev/nvidia0", "EPERM\n", "/dev/nvidia0: Operation", EPERM },
		{ "/dev/nvidiactl", "ENOENT\n", "/dev/nvidiactl: node missing", ENOENT },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		const struct gpu_mig *m;
		struct gpu_host h;
		struct gpu_set set;

		gpu_host_new(&h, a);
		gpu_host_driver(&h);
		gpu_host_gpu(&h, "0000:3b:00.0", 0, "c 195 0 rw\n");
		gpu_host_mig(&h, 0, 1, 0, "r");
		gpu_host_put(&h, rows[i].path, rows[i].text);
		set = gpu_host_probe(&h);
		gpu_host_free(&h);
		is_int(set.n && set.v[0].n_migs == 1, 1, "%s", rows[i].path);
		if (!set.n || set.v[0].n_migs != 1)
			continue;
		m = &set.v[0].migs[0];
		is_int(m->denied_errno, rows[i].error, "error");
		ok(rows[i].denied ? m->denied && strstr(m->denied, rows[i].denied) : !m->denied,
		   "%s", m->denied ? m->denied : "can be used");
	}
}

/* Without the major in /proc/devices the minor has to do. */
static void test_no_major(struct arena *a)
{
	struct gpu_host h;
	struct gpu_set set;

	gpu_host_new(&h, a);
	gpu_host_driver(&h);
	gpu_host_put(&h, "/proc/devices", "Character devices:\n195 nvidia\n");
	gpu_host_gpu(&h, "0000:3b:00.0", 0, "c 195 0 rw\n");
	gpu_host_mig(&h, 0, 1, 0, "r");
	gpu_host_mig(&h, 0, 2, 0, "r");
	gpu_host_put(&h, "/dev/nvidia-caps/nvidia-cap22", "c 236 23 r\n");
	set = gpu_host_probe(&h);
	ok(set.n == 1 && set.v[0].n_migs == 2 && !set.v[0].migs[0].denied, "any major");
	ok(set.v[0].migs[1].denied && strstr(set.v[0].migs[1].denied, "is device 236:23"),
	   "another minor: %s", set.v[0].migs[1].denied);
	gpu_host_free(&h);
}

/* Order, and names that are not instances. */
static void test_names(struct arena *a)
{
	static const int want[][2] = { { 1, 0 }, { 1, 2 }, { 2, 0 }, { 10, 0 }, { 10, 1 } };
	struct gpu_host h;
	struct gpu_set set;

	gpu_host_new(&h, a);
	gpu_host_driver(&h);
	gpu_host_gpu(&h, "0000:3b:00.0", 3, "c 195 3 rw\n");
	gpu_host_mig(&h, 3, 10, 1, "r");
	gpu_host_mig(&h, 3, 10, 0, "r");
	gpu_host_mig(&h, 3, 2, 0, "r");
	gpu_host_mig(&h, 3, 1, 2, "r");
	gpu_host_mig(&h, 3, 1, 0, "r");
	gpu_host_mig(&h, 4, 1, 0, "r"); /* no such GPU */
	gpu_host_put(&h, CAPS "/gpu3/mig/gi5/access", "DeviceFileMinor: 453\n");
	gpu_host_put(&h, CAPS "/gpu3/mig/gi/ci0/access", "DeviceFileMinor: 1\n");
	gpu_host_put(&h, CAPS "/gpu3/mig/gi-1/ci0/access", "DeviceFileMinor: 1\n");
	gpu_host_put(&h, CAPS "/gpu3/mig/gi256/ci0/access", "DeviceFileMinor: 1\n");
	gpu_host_put(&h, CAPS "/gpu3/mig/gi1/cix/access", "DeviceFileMinor: 1\n");
	gpu_host_put(&h, CAPS "/gpu3/mig/config", "DeviceFileMinor: 1\n");
	gpu_host_put(&h, CAPS "/gpu/mig/gi1/ci0/access", "DeviceFileMinor: 1\n");
	gpu_host_put(&h, CAPS "/mig/config", "DeviceFileMinor: 1\nDeviceFileMode: 256\n");
	set = gpu_host_probe(&h);
	gpu_host_free(&h);
	is_int((long long)set.v[0].n_migs, ELEMENTS(want), "an instance without a slice is none");
	for (size_t i = 0; i < set.v[0].n_migs && i < ELEMENTS(want); i++)
		ok(set.v[0].migs[i].gi == want[i][0] && set.v[0].migs[i].ci == want[i][1] &&
			   !set.v[0].migs[i].denied,
		   "%zu: gi%d/ci%d", i, want[i][0], want[i][1]);
}

/* "gpu1" and "gpu01": a GPU is looked at once; and there is an end to instances. */
static void test_limits(struct arena *a)
{
	struct gpu_host h;
	struct gpu_set set;

	gpu_host_new(&h, a);
	gpu_host_driver(&h);
	gpu_host_gpu(&h, "0000:3b:00.0", 1, "c 195 1 rw\n");
	gpu_host_put(&h, CAPS "/gpu1/mig/gi0/access", "DeviceFileMinor: 138\n");
	gpu_host_put(&h, CAPS "/gpu01/mig/gi0/access", "DeviceFileMinor: 138\n");
	for (int ci = 0; ci < 200; ci++)
		gpu_host_put(&h, arena_printf(a, CAPS "/gpu1/mig/gi0/ci%d/access", ci),
			     "DeviceFileMinor: 139\n");
	set = gpu_host_probe(&h);
	gpu_host_free(&h);
	is_int((long long)set.v[0].n_migs, 128, "not more than the module can have");
}

/* The capability's text with every byte changed: a device that can be used has the right node. */
static void test_mutations(void)
{
	static const char text[] = "DeviceFileMinor: 13\nDeviceFileMode: 292\n";
	_cleanup_arena_ struct arena *a = arena_new((size_t)1 << 30);
	size_t bad = 0, runs = 0, usable = 0;
	struct gpu_host h;

	gpu_host_new(&h, a);
	gpu_host_driver(&h);
	gpu_host_gpu(&h, "0000:3b:00.0", 0, "c 195 0 rw\n");
	gpu_host_mig(&h, 0, 1, 0, "r");
	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		static const char bytes[] = { '\0', '\n', ':', ' ', '0', '9', '-', '\x7f', '\xff' };
		char copy[sizeof(text)];

		for (size_t k = 0; k < sizeof(bytes); k++, runs++) {
			const struct gpu_mig *m;
			struct gpu_set set;

			memcpy(copy, text, sizeof(text));
			copy[at] = bytes[k];
			gpu_host_write(&h, CAPS "/gpu0/mig/gi1/ci0/access", copy, sizeof(text) - 1);
			set = gpu_host_probe(&h);
			m = set.n == 1 && set.v[0].n_migs == 1 ? &set.v[0].migs[0] : NULL;
			usable += m && !m->denied;
			bad += !m || (!m->denied && minor(m->access[1].rdev) != 13);
		}
	}
	gpu_host_free(&h);
	is_int((long long)bad, 0, "%zu wrong texts", runs);
	ok(usable > 0 && usable < runs, "%zu of them still right", usable);
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_fixture(a);
	test_cap(a);
	test_reasons(a);
	test_no_major(a);
	test_names(a);
	test_limits(a);
	test_mutations();
	return done_testing();
}

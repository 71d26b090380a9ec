/* SPDX-License-Identifier: Apache-2.0 */
/* NVIDIA's procfs: formats, order and who may be used. */
#include <errno.h>
#include <sys/sysmacros.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "../../src/gpu/backend.h"
#include "../../src/gpu/nvidia.h"
#include "tap.h"

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

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct gpu_set set;

	test_info(a);
	test_version(a);
	test_four(a);
	test_denied(a);
	set = probe(a, "tests/fixtures/host-nodriver");
	ok(set.on_bus && set.n == 0, "a GPU on the bus without a driver");
	set = probe(a, "tests/fixtures/host-plain");
	ok(!set.on_bus && set.n == 0, "no GPU at all");
	return done_testing();
}

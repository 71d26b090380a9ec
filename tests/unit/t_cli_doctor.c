/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor reads of the probe's output, which may hold anything. */
#include <string.h>

#include "../../src/cli/doctor.h"
#include "tap.h"

static struct probe *parse(struct arena *a, const char *text)
{
	struct probe *p = ARENA_NEW(a, struct probe);

	probe_parse(a, text, p);
	return p;
}

static void test_good(struct arena *a)
{
	const struct probe *p = parse(a, "node /dev/nvidiactl 0\nnode /dev/nvidia1 2\n"
					 "library /.gpurun/lib64/libcuda.so.550.163.01\n"
					 "driver 12040\ncuInit 0\ndevices 2\n"
					 "device 0 0000:3b:00.0 NVIDIA A100-SXM4-40GB\n"
					 "alloc 0 0\nkernel 0 0\n"
					 "device 1 0000:5b:00.0 NVIDIA A100\n"
					 "alloc 1 2 CUDA_ERROR_OUT_OF_MEMORY\n");

	ok(p->ran, "it ran");
	is_int((long)p->n_nodes, 2, "nodes");
	is_str(p->nodes[1].path, "/dev/nvidia1", "a node");
	is_int(p->nodes[1].error, 2, "its errno");
	is_str(p->libraries.v[0], "/.gpurun/lib64/libcuda.so.550.163.01", "the library");
	is_int(p->driver, 12040, "driver");
	is_int(p->init, 0, "cuInit");
	is_int(p->count, 2, "devices");
	is_int((long)p->n_devices, 2, "devices that were named");
	is_str(p->devices[0].pci, "0000:3b:00.0", "PCI address");
	is_str(p->devices[0].name, "NVIDIA A100-SXM4-40GB", "a name of several words");
	is_int(p->devices[0].alloc, 0, "memory");
	is_int(p->devices[0].kernel, 0, "kernel");
	is_int(p->devices[1].alloc, 2, "no memory");
	is_str(p->devices[1].alloc_text, "CUDA_ERROR_OUT_OF_MEMORY", "its name");
	is_int(p->devices[1].kernel, -1, "no kernel then");
}

static void test_no_device(struct arena *a)
{
	const struct probe *p = parse(a, "driver 12020\ncuInit 100 CUDA_ERROR_NO_DEVICE\n");

	is_int(p->init, 100, "cuInit 100");
	is_str(p->init_text, "CUDA_ERROR_NO_DEVICE", "its name");
	is_int(p->count, -1, "devices were not counted");
}

static void test_nothing(struct arena *a)
{
	const struct probe *p = parse(a, "");

	ok(!p->ran && p->init == -1 && p->count == -1 && !p->n_devices, "nothing");
	p = parse(a, "Welcome to the image\n");
	ok(!p->ran, "what is not the probe's");
}

/* Devices out of their order, without their line, with numbers that are none. */
static void test_garbage(struct arena *a)
{
	static const char *const texts[] = {
		"alloc 0 0\nkernel 0 0\n",
		"device 1 x y\nalloc 1 0\n",
		"device\ndevice \ndevice 0\ndevice -1 a b\n",
		"kernel 99999999999999999999 0\nalloc 4294967296 0\n",
		"cuInit\ncuInit -1\ncuInit 99999999999\ndevices x\n",
		"node\nnode  \nlibrary\n   \n \n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct probe *p = parse(a, texts[i]);
		bool bad = p->init == 0 || p->count >= 0;

		for (size_t k = 0; k < p->n_devices; k++)
			bad |= p->devices[k].alloc == 0 || p->devices[k].kernel == 0;
		ok(!bad, "nothing good comes of garbage %zu", i);
	}
}

static void test_limits(struct arena *a)
{
	const char *text = "";
	const struct probe *p;

	for (int i = 0; i < PROBE_DEVICES_MAX + 10; i++)
		text = arena_printf(a, "%snode /n 0\nlibrary /l\ndevice %d pci name\nalloc %d 0\n",
				    text, i, i);
	p = parse(a, text);
	is_int((long)p->n_nodes, PROBE_NODES_MAX, "so many nodes");
	is_int((long)p->n_devices, PROBE_DEVICES_MAX, "so many devices");
	is_int((long)p->libraries.n, PROBE_NODES_MAX, "so many libraries");
	is_int(p->devices[PROBE_DEVICES_MAX - 1].alloc, 0, "the last one");
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_good(a);
	test_no_device(a);
	test_nothing(a);
	test_garbage(a);
	test_limits(a);
	return done_testing();
}

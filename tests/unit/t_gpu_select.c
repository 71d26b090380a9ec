/* SPDX-License-Identifier: Apache-2.0 */
/* What --gpus chooses on a host of five GPUs, and when NVML is needed for it. */
#include <errno.h>

#include <gpurun/str.h>

#include "../../src/gpu/backend.h"
#include "tap.h"

/* ---- the choice ---- */

static struct gpu_mig migs[] = {
	{ .gi = 1, .ci = 0, .index = 0, .uuid = "MIG-1111-00", .profile = "1g.5gb" },
	{ .gi = 2, .ci = 0, .index = 1, .uuid = "MIG-1122-00", .profile = "1g.5gb" },
	{ .gi = 2,
	  .ci = 1,
	  .index = 2,
	  .uuid = "MIG-3333-00",
	  .denied = "/dev/nvidia-caps/nvidia-cap23: Operation not permitted (device cgroup)",
	  .denied_errno = EPERM },
};
/* the same before NVML was asked */
static struct gpu_mig migs_unasked[] = {
	{ .gi = 1, .ci = 0, .index = -1 },
	{ .gi = 2, .ci = 0, .index = -1 },
	{ .gi = 2,
	  .ci = 1,
	  .index = -1,
	  .denied = "/dev/nvidia-caps/nvidia-cap23: node missing",
	  .denied_errno = ENOENT },
};

/* Index 0, 1, 2 are the second, the fourth and the fifth in PCI order. */
#define DENIED_GPU                                                                                 \
	{                                                                                          \
		.backend = "nvidia", .index = -1, .minor = 5, .uuid = "GPU-aaaa0000",              \
		.pci = "0000:3b:00.0", .model = "A",                                               \
		.denied = "/dev/nvidia5: Operation not permitted (device cgroup)",                 \
		.denied_errno = EPERM                                                              \
	}
#define MISSING_GPU                                                                                \
	{                                                                                          \
		.backend = "nvidia", .index = -1, .minor = 1, .uuid = "GPU-bbbb0002",              \
		.pci = "0000:9b:00.0", .model = "A", .denied = "/dev/nvidia1: node missing",       \
		.denied_errno = ENOENT                                                             \
	}
#define GOOD_GPU(index_, minor_, uuid_, pci_)                                                      \
	.backend = "nvidia", .index = (index_), .minor = (minor_), .uuid = (uuid_), .pci = (pci_)

static struct gpu gpus[] = {
	DENIED_GPU,
	{ GOOD_GPU(0, 3, "GPU-aaaa0001", "0000:5b:00.0"), .model = "A" },
	MISSING_GPU,
	{ GOOD_GPU(1, 0, "GPU-cccc0003", "0000:bb:00.0"), .model = "A", .migs = migs, .n_migs = 3 },
	{ GOOD_GPU(2, 2, NULL, "0001:01:00.0"), .model = "B" },
};
static const struct gpu_set five = { .v = gpus, .n = ELEMENTS(gpus), .on_bus = true };

static struct gpu gpus_unasked[] = {
	{ GOOD_GPU(0, 1, "GPU-aaaa0001", "0000:5b:00.0"), .model = "A" },
	{ GOOD_GPU(1, 0, "GPU-cccc0003", "0000:bb:00.0"), .model = "A", .migs = migs_unasked,
	  .n_migs = 3 },
};
static const struct gpu_set unasked = { .v = gpus_unasked, .n = 2, .on_bus = true };

/* "3 0:gi1/ci0": minors of the chosen, and instances. */
static const char *names(struct arena *a, const struct gpu_choices *c)
{
	const char *s = "";

	for (size_t i = 0; i < c->n; i++) {
		const struct gpu_mig *m = c->v[i].mig;

		s = arena_printf(a, "%s%s%d", s, i ? " " : "", c->v[i].gpu->minor);
		if (m)
			s = arena_printf(a, "%s:gi%d/ci%d", s, m->gi, m->ci);
	}
	return s;
}

struct answer {
	int r;
	struct gpu_choices chosen;
	struct strv warn;
	const char *note;
	struct err e;
};

static struct answer choose(struct arena *a, const struct gpu_set *set, const char *text,
			    const struct gpu_visible *visible)
{
	struct answer x = { 0 };
	struct gpu_sel sel;

	x.r = gpu_sel_parse(a, text, &sel, &x.e);
	if (x.r == 0)
		x.r = gpu_select(a, set, &sel, visible, &x.chosen, &x.warn, &x.note, &x.e);
	return x;
}

static const struct {
	const char *text, *visible;
	int error;
	const char *chosen; /* see names() */
	size_t warnings;
} choices[] = {
	{ "auto", NULL, 0, "3 0 2", 1 },
	{ "auto", "0,1,2", 0, "3 0 2", 1 },
	{ "auto", "1", 0, "0", 2 },
	{ "auto", "2,0", 0, "3 2", 2 },
	{ "auto", "GPU-cccc", 0, "0", 1 },
	{ "auto", "gpu-CCCC0003,GPU-aaaa0001", 0, "3 0", 1 },
	{ "auto", "0,9,1", 0, "3", 3 },
	{ "auto", "9", 0, "", 2 },
	{ "auto", "GPU-aaaa0000", 0, "", 2 },
	{ "auto", "GPU-aaaa", 0, "", 2 },
	{ "auto", "0,-1,1", 0, "3", 2 },
	{ "auto", "0,", 0, "3", 3 },
	{ "auto", "", 0, "", 1 },
	{ "auto", "-1", 0, "", 1 },
	{ "auto", "NoDevFiles", 0, "", 1 },
	{ "auto", " 1 , 0 ", 0, "3 0", 2 },
	{ "auto", "0,0", 0, "3", 2 },
	{ "auto", "5b:00.0", 0, "", 2 },
	{ "auto", "1:0", 0, "", 2 },
	{ "auto", "MIG-11", 0, "", 2 },
	{ "auto", "MIG-1122", 0, "0:gi2/ci0", 1 },
	{ "auto", "MIG-1122,MIG-1111", 0, "0:gi1/ci0 0:gi2/ci0", 1 },
	{ "auto", "MIG-GPU-cccc0003/1/0", 0, "0:gi1/ci0", 1 },
	{ "auto", "MIG-3333", 0, "", 2 },
	{ "none", "0", 0, "", 0 },
	{ "nvidia.com/gpu=0", "0", 0, "", 0 },
	{ "all", "0", 0, "3 0 2", 1 },
	{ "0", NULL, 0, "3", 0 },
	{ "1,0", NULL, 0, "3 0", 0 },
	{ "2", "0", 0, "2", 0 },
	{ "count=1", NULL, 0, "3", 0 },
	{ "count=2", NULL, 0, "3 0", 0 },
	{ "count=3", NULL, 0, "3 0 2", 0 },
	{ "count=4", NULL, ENODEV, NULL, 0 },
	{ "GPU-aaaa0001", NULL, 0, "3", 0 },
	{ "gpu-CCCC", NULL, 0, "0", 0 },
	{ "GPU-aaaa", NULL, ENOTUNIQ, NULL, 0 },
	{ "GPU-dddd", NULL, ENODEV, NULL, 0 },
	{ "GPU-aaaa00011", NULL, ENODEV, NULL, 0 },
	{ "GPU-aaaa0000", NULL, EPERM, NULL, 0 },
	{ "GPU-bbbb", NULL, ENOENT, NULL, 0 },
	{ "0000:bb:00.0", NULL, 0, "0", 0 },
	{ "bb:00.0", NULL, 0, "0", 0 },
	{ "0001:01:00.0", NULL, 0, "2", 0 },
	{ "01:00.0", NULL, ENODEV, NULL, 0 },
	{ "0000:3b:00.0", NULL, EPERM, NULL, 0 },
	{ "3", NULL, ENODEV, NULL, 0 },
	{ "4294967296", NULL, ENODEV, NULL, 0 },
	{ "18446744073709551616", NULL, ENODEV, NULL, 0 },
	{ "0,GPU-aaaa0001", NULL, EINVAL, NULL, 0 },
	{ "0,5b:00.0", NULL, EINVAL, NULL, 0 },
	{ "1:0", NULL, 0, "0:gi1/ci0", 0 },
	{ "1:1,0,1:0", NULL, 0, "3 0:gi1/ci0 0:gi2/ci0", 0 },
	{ "MIG-1111-00", NULL, 0, "0:gi1/ci0", 0 },
	{ "mig-1122", NULL, 0, "0:gi2/ci0", 0 },
	{ "MIG-11", NULL, ENOTUNIQ, NULL, 0 },
	{ "MIG-9", NULL, ENODEV, NULL, 0 },
	{ "MIG-GPU-CCCC0003/2/0", NULL, 0, "0:gi2/ci0", 0 },
	{ "MIG-GPU-cccc/2/0", NULL, ENODEV, NULL, 0 },
	{ "MIG-GPU-cccc0003/3/0", NULL, ENODEV, NULL, 0 },
	{ "1:2", NULL, EPERM, NULL, 0 },
	{ "1:3", NULL, ENODEV, NULL, 0 },
	{ "0:0", NULL, ENODEV, NULL, 0 },
	{ "1,1:0", NULL, EINVAL, NULL, 0 },
	{ "1:0,1", NULL, EINVAL, NULL, 0 },
	{ "1:0,MIG-1111", NULL, EINVAL, NULL, 0 },
};

static void test_choices(struct arena *a)
{
	for (size_t i = 0; i < ELEMENTS(choices); i++) {
		const struct gpu_visible visible = { .devices = choices[i].visible };
		struct answer x = choose(a, &five, choices[i].text, &visible);

		is_int(x.r, -choices[i].error, "%s, CUDA_VISIBLE_DEVICES %s: %s", choices[i].text,
		       visible.devices ? visible.devices : "unset", x.r ? x.e.msg : "good");
		if (x.r < 0)
			continue;
		is_str(names(a, &x.chosen), choices[i].chosen, "the chosen, in PCI order");
		is_int((long long)x.warn.n, (long long)choices[i].warnings, "warnings");
	}
}

/* Indexes follow CUDA's order, which is by speed; only models that differ make a difference. */
static void test_order(struct arena *a)
{
	struct gpu_visible v = { .devices = "1" };
	struct answer x = choose(a, &five, "auto", &v);

	ok(x.warn.n == 2 && strstr(x.warn.v[1], "CUDA_DEVICE_ORDER=PCI_BUS_ID"), "%s", x.warn.v[1]);
	v.order = "FASTEST_FIRST";
	is_int((long long)choose(a, &five, "auto", &v).warn.n, 2, "said for FASTEST_FIRST, too");
	v.order = "PCI_BUS_ID";
	is_int((long long)choose(a, &five, "auto", &v).warn.n, 1, "not for PCI_BUS_ID");
	v = (struct gpu_visible){ .devices = "GPU-cccc" };
	is_int((long long)choose(a, &five, "auto", &v).warn.n, 1, "not for UUIDs");
	v = (struct gpu_visible){ .devices = "2,1,0" };
	is_int((long long)choose(a, &five, "auto", &v).warn.n, 1, "not for all of them");
	v = (struct gpu_visible){ .devices = "1" };
	x = choose(a, &unasked, "auto", &v);
	ok(x.chosen.n == 1 && x.warn.n == 1 && !strstr(x.warn.v[0], "CUDA"),
	   "not for GPUs of one model");
}

/* In a job the variable narrows nothing; it says that there must be a GPU. */
static void test_job(struct arena *a)
{
	struct gpu_set denied = { .v = gpus, .n = 1, .on_bus = true }, none = { 0 };
	struct gpu_visible v = { .devices = "1", .job = true };
	struct answer x = choose(a, &five, "auto", &v);

	is_str(names(a, &x.chosen), "3 0 2", "a job: all that can be opened");
	x = choose(a, &denied, "auto", &v);
	is_int(x.r, -ENODEV, "a job was given GPUs and none opens: %s", x.e.msg);
	ok(strstr(x.e.msg, "device cgroup") && strstr(x.e.hint, "--gpus none"), "why, what to do");
	is_int(choose(a, &none, "auto", &v).r, 0, "no GPU on the bus: silence");
	is_int((long long)choose(a, &none, "auto", &v).warn.n, 0, "silence");
	v.devices = "NoDevFiles";
	is_int(choose(a, &denied, "auto", &v).r, 0, "NoDevFiles gives none");
	v.devices = NULL;
	x = choose(a, &denied, "auto", &v);
	ok(x.r == 0 && x.warn.n == 0 && x.note && strstr(x.note, "the job has none"),
	   "a job without GPUs: a note");
	is_int(choose(a, &denied, "none", &v).r, 0, "none is none");
	v.job = false;
	x = choose(a, &denied, "auto", &v);
	ok(x.r == 0 && x.warn.n == 1 && strstr(x.warn.v[0], "device cgroup"),
	   "outside it is a warning: %s", x.warn.v[0]);
}

/* What is said, and when nothing is. */
static void test_words(struct arena *a)
{
	struct gpu_set none = { 0 }, no_driver = { .on_bus = true };
	struct gpu many[12];
	struct gpu_set all_denied = { .v = many, .n = ELEMENTS(many), .on_bus = true };
	struct answer x = choose(a, &none, "auto", NULL);

	is_int(x.r, 0, "no GPU, auto");
	ok(x.warn.n == 0 && !x.note, "silence");
	x = choose(a, &no_driver, "auto", NULL);
	ok(x.warn.n == 1 && strstr(x.warn.v[0], "driver is not loaded"), "%s", x.warn.v[0]);
	no_driver.driver_version = "550.1";
	x = choose(a, &no_driver, "auto", NULL);
	ok(x.warn.n == 1 && strstr(x.warn.v[0], "550.1 does not"), "%s", x.warn.v[0]);
	x = choose(a, &none, "all", NULL);
	ok(x.r == -ENODEV && strstr(x.e.msg, "no GPU on this host"), "%s", x.e.msg);
	x = choose(a, &five, "7", NULL);
	ok(x.r == -ENODEV && strstr(x.e.msg, "usable: 0, 1 (with 1:0 MIG-1111-00, ") &&
		   strstr(x.e.msg, "node missing") && strstr(x.e.msg, "3b:00.0 (/dev/nvidia5: Op"),
	   "%s", x.e.msg);
	ok(strstr(x.e.hint, "gpurun gpus"), "where to look");
	x = choose(a, &five, "GPU-aaaa", NULL);
	ok(strstr(x.e.msg, "(GPU-aaaa0000, GPU-aaaa0001)"), "%s", x.e.msg);
	x = choose(a, &five, "MIG-11", NULL);
	ok(strstr(x.e.msg, "(MIG-1111-00, MIG-1122-00)"), "%s", x.e.msg);
	x = choose(a, &unasked, "7", NULL);
	ok(strstr(x.e.msg, "MIG-GPU-cccc0003/1/0, MIG-GPU-cccc0003/2/0"), "%s", x.e.msg);
	x = choose(a, &unasked, "auto", NULL);
	ok(x.warn.n == 1 && strstr(x.warn.v[0], "MIG gi2/ci1"), "%s", x.warn.v[0]);
	for (size_t i = 0; i < ELEMENTS(many); i++) {
		many[i] = (struct gpu)MISSING_GPU;
		many[i].denied = "/dev/nvidiactl: node missing";
		many[i].pci = arena_printf(a, "%02zx:00.0", i);
	}
	x = choose(a, &all_denied, "auto", NULL);
	ok(x.warn.n == 1 && strstr(x.warn.v[0], "00:00.0, 01:00.0") &&
		   strstr(x.warn.v[0], "07:00.0 (/dev/nvidiactl: node missing) and 4 more"),
	   "a reason is said once: %s", x.warn.v[0]);
	many[11] = gpus[1];
	x = choose(a, &all_denied, "auto", NULL);
	ok(x.warn.n == 1 && strstr(x.warn.v[0], "and 9 more"), "%s", x.warn.v[0]);
	all_denied = (struct gpu_set){ .v = many + 8, .n = 4, .on_bus = true };
	many[8] = many[9] = (struct gpu)DENIED_GPU;
	many[9].denied_errno = EACCES;
	many[10] = (struct gpu)DENIED_GPU;
	many[10].denied_errno = 0; /* excluded */
	x = choose(a, &all_denied, "auto", NULL);
	ok(x.chosen.n == 1 && x.warn.n == 0, "what somebody forbade is no news beside a GPU");
}

/* ---- count=N ---- */

struct load {
	bool known;
	uint64_t memory;
	int utilization;
	size_t users;
	uint64_t links;
};

#define GIB ((uint64_t)1 << 30)

static const struct {
	const char *what, *text;
	struct load loads[5];
	const char *chosen, *note;
} counts[] = {
	{ "NVML does not answer", "count=2", { { 0 } }, "10 11", "took 0, 1 (NVML did not say" },
	{ "all of them", "count=5", { { 0 } }, "10 11 12 13 14", NULL },
	{ "one is in use",
	  "count=2",
	  { { true, 30 * GIB, 90, 1, 0 }, { true, 0, 0, 0, 0 }, { true, 0, 0, 0, 0 } },
	  "11 12",
	  "took 1, 2 (idle)" },
	{ "memory without a process that is seen",
	  "count=1",
	  { { true, 2 * GIB, 0, 0, 0 }, { true, 500 << 20, 0, 0, 0 } },
	  "11",
	  "took 1 (idle)" },
	{ "a busy one without memory",
	  "count=1",
	  { { true, 0, 50, 0, 0 }, { true, 0, -1, 0, 0 } },
	  "11",
	  "took 1 (idle)" },
	{ "too few are idle",
	  "count=3",
	  { { true, 9 * GIB, 0, 1, 0 },
	    { true, 0, 0, 0, 0 },
	    { true, 5 * GIB, 0, 1, 0 },
	    { true, 7 * GIB, 0, 1, 0 },
	    { true, 8 * GIB, 0, 1, 0 } },
	  "11 12 13",
	  "took 1, 2, 3 (too few are idle; in use: 2, 3)" },
	{ "not knowing is better than in use",
	  "count=2",
	  { { true, 9 * GIB, 0, 1, 0 }, { true, 0, 0, 0, 0 } },
	  "11 12",
	  "NVML did not say" },
	{ "two that are linked",
	  "count=2",
	  { { true, 0, 0, 0, 0 },
	    { true, 0, 0, 0, 1 << 3 },
	    { true, 0, 0, 0, 0 },
	    { true, 0, 0, 0, 1 << 1 },
	    { true, 0, 0, 0, 0 } },
	  "11 13",
	  "took 1, 3 (idle, linked by NVLink)" },
	{ "a link that only one end tells of",
	  "count=2",
	  { { true, 0, 0, 0, 0 },
	    { true, 0, 0, 0, 0 },
	    { true, 0, 0, 0, 0 },
	    { true, 0, 0, 0, 0 },
	    { true, 0, 0, 0, 1 << 2 } },
	  "12 14",
	  "linked" },
	{ "linked, but in use",
	  "count=2",
	  { { true, 0, 0, 0, 1 << 1 },
	    { true, 9 * GIB, 0, 1, 1 << 0 },
	    { true, 0, 0, 0, 0 },
	    { true, 0, 0, 0, 1 << 4 },
	    { true, 0, 0, 0, 1 << 3 } },
	  "13 14",
	  "linked" },
	{ "a pair and one more",
	  "count=3",
	  { { true, 0, 0, 0, 0 },
	    { true, 0, 0, 0, 0 },
	    { true, 0, 0, 0, 1 << 3 },
	    { true, 0, 0, 0, 1 << 2 },
	    { true, 0, 0, 0, 0 } },
	  "10 12 13",
	  "took 0, 2, 3 (idle)" },
	{ "all are linked",
	  "count=3",
	  { { true, 0, 0, 0, 0x1e },
	    { true, 0, 0, 0, 0x1d },
	    { true, 0, 0, 0, 0x1b },
	    { true, 0, 0, 0, 0x17 },
	    { true, 0, 0, 0, 0x0f } },
	  "10 11 12",
	  "linked" },
};

static void test_counts(struct arena *a)
{
	for (size_t i = 0; i < ELEMENTS(counts); i++) {
		struct gpu v[6] = { { 0 } };
		struct gpu_set set = { .v = v, .n = 6, .on_bus = true };
		struct answer x;

		v[0] = gpus[0]; /* denied: it never counts */
		for (size_t k = 0; k < 5; k++) {
			const struct load *l = &counts[i].loads[k];

			v[k + 1] = (struct gpu){ GOOD_GPU((int)k, (int)k + 10, NULL, "1:00.0") };
			v[k + 1].nvml = (struct gpu_nvml){ .known = l->known,
							   .memory_used = l->memory,
							   .utilization = l->utilization,
							   .n_users = l->users,
							   .links = l->links };
		}
		x = choose(a, &set, counts[i].text, NULL);
		is_int(x.r, 0, "%s: %s", counts[i].text, counts[i].what);
		is_str(names(a, &x.chosen), counts[i].chosen, "the chosen");
		if (counts[i].note)
			ok(x.note && strstr(x.note, counts[i].note), "note: %s", x.note);
		else
			ok(!x.note, "no note");
	}
}

/* Hundreds of GPUs, linked at random: the number is right, and it ends. */
static void test_count_many(struct arena *a)
{
	struct gpu *v = ARENA_ARRAY(a, struct gpu, GPU_MAX);
	struct gpu_set set = { .v = v, .n = GPU_MAX, .on_bus = true };
	struct answer x;

	for (size_t i = 0; i < GPU_MAX; i++) {
		v[i] = (struct gpu){ GOOD_GPU((int)i, (int)i, NULL, "1:00.0") };
		v[i].nvml.known = true;
		v[i].nvml.links = 0x9e3779b97f4a7c15U * (i + 1);
	}
	x = choose(a, &set, "count=200", NULL);
	is_int((long long)x.chosen.n, 200, "200 of %u", GPU_MAX);
}

/* ---- is NVML needed? ---- */

static const struct {
	const char *text, *visible;
	bool needed, required;
} needs[] = {
	{ "0", NULL, false, false },
	{ "all", NULL, false, false },
	{ "none", NULL, false, false },
	{ "auto", NULL, false, false },
	{ "count=1", NULL, true, false },
	{ "count=2", NULL, false, false },
	{ "count=3", NULL, false, false },
	{ "GPU-aaaa", NULL, false, false },
	{ "GPU-dddd", NULL, false, false },
	{ "bb:00.0", NULL, false, false },
	{ "1:0", NULL, true, true },
	{ "0,1:0", NULL, true, true },
	{ "MIG-1111", NULL, true, true },
	{ "MIG-GPU-cccc0003/1/0", NULL, false, false },
	{ "nvidia.com/gpu=0", NULL, false, false },
	{ "auto", "0", false, false },
	{ "auto", "0,MIG-1111", true, true },
	{ "auto", " MIG-1111 ", true, true },
	{ "auto", "GPU-dddd", false, false },
	{ "all", "MIG-1111", false, false },
};

static void test_needs(struct arena *a)
{
	struct gpu_visible v = { .devices = "MIG-1111", .job = true };
	struct gpu_sel sel;
	struct err e = { 0 };
	bool required = true;

	for (size_t i = 0; i < ELEMENTS(needs); i++) {
		const struct gpu_visible visible = { .devices = needs[i].visible };

		gpu_sel_parse(a, needs[i].text, &sel, &e);
		ok(gpu_select_needs_nvml(&unasked, &sel, &visible, &required) == needs[i].needed &&
			   required == needs[i].required,
		   "NVML for %s, %s", needs[i].text, visible.devices ? visible.devices : "unset");
	}
	gpu_sel_parse(a, "auto", &sel, &e);
	ok(!gpu_select_needs_nvml(&unasked, &sel, &v, &required), "not in a job");
	ok(!gpu_select_needs_nvml(&unasked, &sel, NULL, &required), "nothing set");
	gpu_sel_parse(a, "GPU-dddd", &sel, &e);
	ok(gpu_select_needs_nvml(&five, &sel, NULL, &required) && required,
	   "a UUID, and a GPU that has none yet");
	gpu_sel_parse(a, "MIG-9", &sel, &e);
	ok(!gpu_select_needs_nvml(&five, &sel, NULL, &required), "not once it has answered");
	is_int(choose(a, &unasked, "MIG-1111", NULL).r, -ENODEV, "without its answer: no choice");
	ok(strstr(choose(a, &unasked, "1:0", NULL).e.msg, "NVML"), "and it is said");
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_choices(a);
	test_order(a);
	test_job(a);
	test_words(a);
	test_counts(a);
	test_count_many(a);
	test_needs(a);
	return done_testing();
}

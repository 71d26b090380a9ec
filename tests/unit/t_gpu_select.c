/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of --gpus, and what it chooses on a host of six GPUs. */
#include <errno.h>

#include <gpurun/str.h>

#include "../../src/gpu/backend.h"
#include "tap.h"

/* ---- the grammar ---- */

static const struct {
	const char *text;
	int error; /* 0: good */
	enum gpu_sel_kind kind;
	const char *items; /* joined by blanks, or the count */
	bool bare;
} forms[] = {
	{ "auto", 0, GPU_SEL_AUTO, "", false },
	{ "none", 0, GPU_SEL_NONE, "", false },
	{ "all", 0, GPU_SEL_ALL, "", false },
	{ "0", 0, GPU_SEL_LIST, "0", true },
	{ "2", 0, GPU_SEL_LIST, "2", true },
	{ "0,1", 0, GPU_SEL_LIST, "0 1", false },
	{ "1,0", 0, GPU_SEL_LIST, "1 0", false },
	{ "device=0,1", 0, GPU_SEL_LIST, "0 1", false },
	{ "device=3", 0, GPU_SEL_LIST, "3", false },
	{ "\"device=0,1\"", 0, GPU_SEL_LIST, "0 1", false },
	{ "\"all\"", 0, GPU_SEL_ALL, "", false },
	{ "count=2", 0, GPU_SEL_COUNT, "2", false },
	{ "count=0", 0, GPU_SEL_NONE, "", false },
	{ "count=all", 0, GPU_SEL_ALL, "", false },
	{ "count=-1", 0, GPU_SEL_ALL, "", false },
	{ "GPU-aaaa", 0, GPU_SEL_LIST, "GPU-aaaa", false },
	{ "gpu-AAAA0000-1111", 0, GPU_SEL_LIST, "gpu-AAAA0000-1111", false },
	{ "0000:3b:00.0", 0, GPU_SEL_LIST, "0000:3b:00.0", false },
	{ "3B:00.0", 0, GPU_SEL_LIST, "3B:00.0", false },
	{ "00000000:3b:00.0,1", 0, GPU_SEL_LIST, "00000000:3b:00.0 1", false },
	{ "", EINVAL, 0, NULL, false },
	{ "device=", EINVAL, 0, NULL, false },
	{ ",", EINVAL, 0, NULL, false },
	{ "0,", EINVAL, 0, NULL, false },
	{ "0,,1", EINVAL, 0, NULL, false },
	{ "0-3", EINVAL, 0, NULL, false },
	{ "0, 1", EINVAL, 0, NULL, false },
	{ "-1", EINVAL, 0, NULL, false },
	{ "+1", EINVAL, 0, NULL, false },
	{ "0x1", EINVAL, 0, NULL, false },
	{ "0,0", EINVAL, 0, NULL, false },
	{ "1,01", EINVAL, 0, NULL, false },
	{ "GPU-ab,gpu-AB", EINVAL, 0, NULL, false },
	{ "all,0", EINVAL, 0, NULL, false },
	{ "GPU-", EINVAL, 0, NULL, false },
	{ "GPU-xyz", EINVAL, 0, NULL, false },
	{ "count=", EINVAL, 0, NULL, false },
	{ "count=x", EINVAL, 0, NULL, false },
	{ "count=-2", EINVAL, 0, NULL, false },
	{ "count=99999", EINVAL, 0, NULL, false },
	{ "foo=1", EINVAL, 0, NULL, false },
	{ "\"", EINVAL, 0, NULL, false },
	{ "MIG-0123", ENOTSUP, 0, NULL, false },
	{ "0:1", ENOTSUP, 0, NULL, false },
	{ "nvidia.com/gpu=0", ENOTSUP, 0, NULL, false },
	{ "device=nvidia.com/gpu=0", ENOTSUP, 0, NULL, false },
	{ "all,capabilities=utility", ENOTSUP, 0, NULL, false },
	{ "driver=nvidia,count=1", ENOTSUP, 0, NULL, false },
};

static const char *joined(struct arena *a, const struct gpu_sel *sel)
{
	const char *s = "";

	if (sel->kind == GPU_SEL_COUNT)
		return arena_printf(a, "%u", sel->count);
	for (size_t i = 0; i < sel->items.n; i++)
		s = arena_printf(a, "%s%s%s", s, i ? " " : "", sel->items.v[i]);
	return s;
}

static void test_forms(struct arena *a)
{
	for (size_t i = 0; i < ELEMENTS(forms); i++) {
		struct gpu_sel sel = { 0 };
		struct err e = { 0 };
		int r = gpu_sel_parse(a, forms[i].text, &sel, &e);

		is_int(r, -forms[i].error, "--gpus %s: %s", forms[i].text, r ? e.msg : "good");
		if (r < 0) {
			ok(e.msg[0] && !strchr(e.msg, '\n'), "one line is said");
			continue;
		}
		ok(sel.kind == forms[i].kind && sel.bare_number == forms[i].bare, "its kind");
		is_str(joined(a, &sel), forms[i].items, "its items");
		is_str(sel.text, forms[i].text, "as typed");
	}
}

static void test_long(struct arena *a)
{
	char text[9000];
	struct gpu_sel sel;
	struct err e = { 0 };

	memset(text, '1', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	is_int(gpu_sel_parse(a, text, &sel, &e), -E2BIG, "a very long text");
}

/* ---- the choice ---- */

/* Index 0 and 1 are the second and the fourth in PCI order. */
static struct gpu gpus[] = {
	{ .backend = "nvidia",
	  .index = -1,
	  .minor = 5,
	  .uuid = "GPU-aaaa0000",
	  .pci = "0000:3b:00.0",
	  .denied = "/dev/nvidia5: Operation not permitted (device cgroup)",
	  .denied_errno = EPERM },
	{ .backend = "nvidia",
	  .index = 0,
	  .minor = 3,
	  .uuid = "GPU-aaaa0001",
	  .pci = "0000:5b:00.0" },
	{ .backend = "nvidia",
	  .index = -1,
	  .minor = 1,
	  .uuid = "GPU-bbbb0002",
	  .pci = "0000:9b:00.0",
	  .denied = "/dev/nvidia1: node missing",
	  .denied_errno = ENOENT },
	{ .backend = "nvidia",
	  .index = 1,
	  .minor = 0,
	  .uuid = "GPU-cccc0003",
	  .pci = "0000:bb:00.0" },
	{ .backend = "nvidia", .index = 2, .minor = 2, .uuid = NULL, .pci = "0001:01:00.0" },
};
static const struct gpu_set six = { .v = gpus, .n = ELEMENTS(gpus), .on_bus = true };

static const struct {
	const char *text, *visible;
	int error;
	const char *minors; /* of the chosen, joined by blanks */
	size_t warnings;
} choices[] = {
	{ "auto", NULL, 0, "3 0 2", 1 },
	{ "auto", "1", 0, "0", 1 },
	{ "auto", "2,0", 0, "3 2", 1 },
	{ "auto", "GPU-cccc", 0, "0", 1 },
	{ "auto", "0,9,1", 0, "3", 1 },
	{ "auto", "", 0, "", 1 },
	{ "auto", "-1", 0, "", 1 },
	{ "auto", "NoDevFiles", 0, "", 1 },
	{ "auto", "MIG-abc", 0, "", 2 },
	{ "auto", " 1 , 0 ", 0, "3 0", 1 },
	{ "none", "0", 0, "", 0 },
	{ "all", "0", 0, "3 0 2", 0 },
	{ "0", NULL, 0, "3", 0 },
	{ "1,0", NULL, 0, "3 0", 0 },
	{ "2", "0", 0, "2", 0 },
	{ "count=2", NULL, 0, "3 0", 0 },
	{ "count=3", NULL, 0, "3 0 2", 0 },
	{ "count=4", NULL, ENODEV, NULL, 0 },
	{ "GPU-aaaa0001", NULL, 0, "3", 0 },
	{ "gpu-CCCC", NULL, 0, "0", 0 },
	{ "GPU-aaaa", NULL, ENOTUNIQ, NULL, 0 },
	{ "GPU-dddd", NULL, ENODEV, NULL, 0 },
	{ "GPU-aaaa0000", NULL, EPERM, NULL, 0 },
	{ "GPU-bbbb", NULL, ENOENT, NULL, 0 },
	{ "0000:bb:00.0", NULL, 0, "0", 0 },
	{ "bb:00.0", NULL, 0, "0", 0 },
	{ "0001:01:00.0", NULL, 0, "2", 0 },
	{ "01:00.0", NULL, ENODEV, NULL, 0 },
	{ "0000:3b:00.0", NULL, EPERM, NULL, 0 },
	{ "3", NULL, ENODEV, NULL, 0 },
	{ "0,GPU-aaaa0001", NULL, EINVAL, NULL, 0 },
	{ "0,5b:00.0", NULL, EINVAL, NULL, 0 },
};

static void test_choices(struct arena *a)
{
	for (size_t i = 0; i < ELEMENTS(choices); i++) {
		const struct gpu_visible visible = { .devices = choices[i].visible };
		struct gpu_choices chosen = { 0 };
		const char *note;
		struct strv warn = { 0 };
		struct gpu_sel sel;
		struct err e = { 0 };
		const char *minors = "";
		int r = gpu_sel_parse(a, choices[i].text, &sel, &e);

		if (r == 0)
			r = gpu_select(a, &six, &sel, &visible, &chosen, &warn, &note, &e);
		is_int(r, -choices[i].error, "%s, CUDA_VISIBLE_DEVICES %s: %s", choices[i].text,
		       choices[i].visible ? choices[i].visible : "unset", r ? e.msg : "good");
		if (r < 0)
			continue;
		for (size_t k = 0; k < chosen.n; k++)
			minors = arena_printf(a, "%s%s%d", minors, k ? " " : "",
					      chosen.v[k].gpu->minor);
		is_str(minors, choices[i].minors, "the chosen, in PCI order");
		is_int((long long)warn.n, (long long)choices[i].warnings, "warnings");
	}
}

/* What is said, and when nothing is. */
static void test_words(struct arena *a)
{
	struct gpu_set none = { 0 }, no_driver = { .on_bus = true };
	struct gpu_set denied = { .v = gpus, .n = 1, .on_bus = true };
	struct gpu_choices chosen;
	const char *note;
	struct gpu_sel sel = { .kind = GPU_SEL_AUTO, .text = "auto" };
	struct strv warn = { 0 };
	struct err e = { 0 };

	is_int(gpu_select(a, &none, &sel, NULL, &chosen, &warn, &note, &e), 0, "no GPU, auto");
	is_int((long long)warn.n, 0, "silence");
	gpu_select(a, &no_driver, &sel, NULL, &chosen, &warn, &note, &e);
	ok(warn.n == 1 && strstr(warn.v[0], "driver"), "a GPU without driver: %s", warn.v[0]);
	warn = (struct strv){ 0 };
	gpu_select(a, &denied, &sel, NULL, &chosen, &warn, &note, &e);
	ok(warn.n == 1 && strstr(warn.v[0], "device cgroup"), "all denied: %s", warn.v[0]);
	sel = (struct gpu_sel){ .kind = GPU_SEL_ALL, .text = "all" };
	is_int(gpu_select(a, &none, &sel, NULL, &chosen, &warn, &note, &e), -ENODEV, "all of none");
	ok(strstr(e.msg, "no GPU on this host"), "%s", e.msg);
	e = (struct err){ 0 };
	is_int(gpu_sel_parse(a, "7", &sel, &e), 0, "index 7");
	is_int(gpu_select(a, &six, &sel, NULL, &chosen, &warn, &note, &e), -ENODEV, "is not there");
	ok(strstr(e.msg, "usable: 0, 1, 2") && strstr(e.msg, "node missing"), "%s", e.msg);
}

static void test_pci(void)
{
	static const char *const bad[] = {
		"",        ":",           "3b:00",    "3b:00.8",
		"3b:20.0", "00:3b:00.0 ", "3b:00.0x", "123456789:00:00.0",
		"g0:00.0", "0:1",         "::.",      "3b::00.0"
	};
	struct pci_address p, q;

	for (size_t i = 0; i < ELEMENTS(bad); i++)
		is_int(pci_parse(bad[i], &p), -EINVAL, "no PCI address: '%s'", bad[i]);
	is_int(pci_parse("10000:e1:1f.7", &p), 0, "a domain above 16 bits");
	ok(p.domain == 0x10000 && p.bus == 0xe1 && p.slot == 0x1f && p.function == 7, "parts");
	is_int(pci_parse("9b:00.0", &q), 0, "no domain");
	ok(pci_compare(&p, &q) > 0 && pci_compare(&q, &q) == 0, "order by number");
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_forms(a);
	test_long(a);
	test_choices(a);
	test_words(a);
	test_pci();
	return done_testing();
}

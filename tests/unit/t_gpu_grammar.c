/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of --gpus. */
#include <errno.h>

#include <gpurun/str.h>

#include "../../src/gpu/backend.h"
#include "tap.h"

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
	{ "0", 0, GPU_SEL_LIST, "0", false },
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
	{ "GPU-", EINVAL, 0, NULL, false },
	{ "GPU-xyz", EINVAL, 0, NULL, false },
	{ "count=", EINVAL, 0, NULL, false },
	{ "count=x", EINVAL, 0, NULL, false },
	{ "count=-2", EINVAL, 0, NULL, false },
	{ "count=99999", EINVAL, 0, NULL, false },
	{ "foo=1", EINVAL, 0, NULL, false },
	{ "\"", EINVAL, 0, NULL, false },
	{ "all,0", EINVAL, 0, NULL, false },
	{ "0,none", EINVAL, 0, NULL, false },
	{ "auto,all", EINVAL, 0, NULL, false },
	{ "count=2,0", EINVAL, 0, NULL, false },
	{ "0,count=2", EINVAL, 0, NULL, false },
	{ "count=1,count=1", EINVAL, 0, NULL, false },
	{ "=", EINVAL, 0, NULL, false },
	/* MIG */
	{ "MIG-0123", 0, GPU_SEL_LIST, "MIG-0123", false },
	{ "mig-ABcd-,0", 0, GPU_SEL_LIST, "mig-ABcd- 0", false },
	{ "0:1", 0, GPU_SEL_LIST, "0:1", false },
	{ "0:1,0:0,2", 0, GPU_SEL_LIST, "0:1 0:0 2", false },
	{ "device=1:0", 0, GPU_SEL_LIST, "1:0", false },
	{ "MIG-GPU-aa-bb/1/0", 0, GPU_SEL_LIST, "MIG-GPU-aa-bb/1/0", false },
	{ "MIG-", EINVAL, 0, NULL, false },
	{ "MIG-GPU-", EINVAL, 0, NULL, false },
	{ "MIG-GPU-aa", EINVAL, 0, NULL, false },
	{ "MIG-GPU-aa/1", EINVAL, 0, NULL, false },
	{ "MIG-GPU-aa/1/", EINVAL, 0, NULL, false },
	{ "MIG-GPU-aa//0", EINVAL, 0, NULL, false },
	{ "MIG-GPU-aa/1/0/0", EINVAL, 0, NULL, false },
	{ "MIG-GPU-aa/1/x", EINVAL, 0, NULL, false },
	{ "GPU-aa/1/0", EINVAL, 0, NULL, false },
	{ "0:", EINVAL, 0, NULL, false },
	{ ":0", EINVAL, 0, NULL, false },
	{ "0:1:2", EINVAL, 0, NULL, false },
	{ "0:0-1", EINVAL, 0, NULL, false },
	{ "0:1,0:1", EINVAL, 0, NULL, false },
	/* CDI */
	{ "nvidia.com/gpu=0", 0, GPU_SEL_CDI, "nvidia.com/gpu=0", false },
	{ "nvidia.com/gpu=0,nvidia.com/gpu=all", 0, GPU_SEL_CDI,
	  "nvidia.com/gpu=0 nvidia.com/gpu=all", false },
	{ "device=nvidia.com/gpu=0:1", 0, GPU_SEL_CDI, "nvidia.com/gpu=0:1", false },
	{ "0,nvidia.com/gpu=0", EINVAL, 0, NULL, false },
	{ "nvidia.com/gpu=0,0", EINVAL, 0, NULL, false },
	{ "nvidia.com/gpu=0,all", EINVAL, 0, NULL, false },
	{ "nvidia.com/gpu=0,nvidia.com/gpu=0", EINVAL, 0, NULL, false },
	/* docker's CSV */
	{ "driver=nvidia,count=1", 0, GPU_SEL_COUNT, "1", false },
	{ "all,driver=nvidia", 0, GPU_SEL_ALL, "", false },
	{ "all,capabilities=gpu", 0, GPU_SEL_ALL, "", false },
	{ "\"device=0,1\",driver=nvidia,capabilities=gpu,nvidia", 0, GPU_SEL_LIST, "0 1", false },
	{ "\"capabilities=gpu,nvidia\",\"device=GPU-ab\"", 0, GPU_SEL_LIST, "GPU-ab", false },
	{ "device=all", 0, GPU_SEL_ALL, "", false },
	{ "driver=amd,count=1", ENOTSUP, 0, NULL, false },
	{ "all,capabilities=utility", ENOTSUP, 0, NULL, false },
	{ "all,\"capabilities=gpu,video\"", ENOTSUP, 0, NULL, false },
	{ "all,options=x", ENOTSUP, 0, NULL, false },
	{ "driver=nvidia", EINVAL, 0, NULL, false },
	{ "capabilities=gpu", EINVAL, 0, NULL, false },
	{ "\"device=0,1", EINVAL, 0, NULL, false },
	{ "device=0,1\"", EINVAL, 0, NULL, false },
	{ "0\"1", EINVAL, 0, NULL, false },
	{ "\"0\"1", EINVAL, 0, NULL, false },
	{ "\"\"", EINVAL, 0, NULL, false },
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

/* What the refusal suggests. */
static void test_hints(struct arena *a)
{
	static const struct {
		const char *text, *msg, *hint;
	} rows[] = {
		{ "0-3", "ranges", "--gpus 0,1,2" },
		{ "x", "x: not understood", "count=N" },
		{ "all,capabilities=utility", "capabilities=utility", "--gpu-caps utility" },
		{ "driver=amd,count=1", "driver=amd", "" },
		{ "0,nvidia.com/gpu=1", "CDI names", "" },
		{ "0,,1", "empty item", "CDI names" },
		{ "count=x", "up to 256, or all", "" },
		{ "driver=nvidia", "of no GPU", "all" },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct gpu_sel sel;
		struct err e = { 0 };

		gpu_sel_parse(a, rows[i].text, &sel, &e);
		ok(strstr(e.msg, rows[i].msg) && strstr(e.hint, rows[i].hint), "%s: %s [%s]",
		   rows[i].text, e.msg, e.hint);
	}
}

/* As many items as are allowed, and one more. */
static void test_many(struct arena *a)
{
	struct err e = { 0 };
	struct gpu_sel sel;
	char *text = arena_strdup(a, "0");

	for (unsigned int i = 1; i < GPU_MAX; i++)
		text = arena_printf(a, "%s,%u", text, i);
	is_int(gpu_sel_parse(a, text, &sel, &e), 0, "%u items", GPU_MAX);
	is_int((long long)sel.items.n, GPU_MAX, "all of them");
	text = arena_printf(a, "%s,999", text);
	is_int(gpu_sel_parse(a, text, &sel, &e), -E2BIG, "one more");
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
	test_hints(a);
	test_many(a);
	test_long(a);
	test_pci();
	return done_testing();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only a system call can tell.  A test's directory says it in its file "gpurun-kernel",
 * lines "name value" (described in tests/fixtures/README.md).
 */
#include <errno.h>
#include <sys/utsname.h>

#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "look.h"

/* uname(2)'s machine to the names that images use (Go's GOARCH). */
static const struct arch {
	const char *machine, *name;
} archs[] = {
	{ "x86_64", "amd64" },    { "aarch64", "arm64" }, { "riscv64", "riscv64" },
	{ "ppc64le", "ppc64le" }, { "s390x", "s390x" },   { "loongarch64", "loong64" },
};

static const char *arch_name(struct arena *a, const char *machine)
{
	for (size_t i = 0; i < ELEMENTS(archs); i++)
		if (str_eq(archs[i].machine, machine))
			return archs[i].name;
	return arena_strdup(a, machine);
}

static int kernel_look_real(struct arena *a, struct host *h)
{
	struct utsname u;

	if (uname(&u) < 0)
		return -EFAULT;
	h->arch = arch_name(a, u.machine);
	h->hostname = arena_strdup(a, u.nodename);
	h->landlock_abi = sys_landlock_abi();
	h->proc_fresh = true;
	return 0;
}

/* Value of @key in the test's file, @missing when there is none. */
static uint64_t kernel_number(struct arena *a, const char *text, const char *key, uint64_t missing)
{
	const char *s = look_value(a, text, key, '=');
	uint64_t v;

	return s && num_u64(s, UINT32_MAX, &v) == 0 ? v : missing;
}

static int kernel_look_test(struct arena *a, const struct sysroot *root, struct host *h,
			    struct err *e)
{
	const char *name = look_line(a, root, "/proc/sys/kernel/hostname");
	const char *machine = look_line(a, root, "/proc/sys/kernel/arch");
	char *text;
	int r = look_text(a, root, "/gpurun-kernel", HOST_TEXT_MAX, &text, NULL);

	if (r < 0)
		return err_sys(e, -r, "%s/gpurun-kernel", root->label);
	h->hostname = name ? name : "localhost";
	h->arch = arch_name(a, machine ? machine : "x86_64");
	h->landlock_abi = (int)kernel_number(a, text, "landlock_abi", 0);
	h->overlay = kernel_number(a, text, "overlay", 0) != 0;
	h->proc_fresh = kernel_number(a, text, "proc_fresh", 1) != 0;
	h->stdin_tty = kernel_number(a, text, "stdin_tty", 0) != 0;
	h->stdout_tty = kernel_number(a, text, "stdout_tty", 0) != 0;
	return 0;
}

int kernel_look(struct arena *a, const struct sysroot *root, struct host *h, struct err *e)
{
	int r;

	if (!look_is_real(root))
		return kernel_look_test(a, root, h, e);
	r = kernel_look_real(a, h);
	return r < 0 ? err_sys(e, -r, "uname") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in filters of both architectures, simulated: every number, foreign architectures,
 * and rows of arguments.  tests/golden/seccomp-*.txt, which people read, says what is expected;
 * the rows below say it once more for what must never change unnoticed.
 */
#include <gpurun/profile.h>

#include <ctype.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>

#include <bpf.h>
#include <seccomp_aarch64.h>
#include <seccomp_x86_64.h>
#include <tap.h>

#include <gpurun/str.h>

#define AUDIT_I386 0x40000003U
#define X32        0x40000000U
#define NR_TESTED  600
#define HIGH       (1ULL << 32)

#define ALLOW  SECCOMP_RET_ALLOW
#define DENY   (SECCOMP_RET_ERRNO | EPERM)
#define NOSYS  (SECCOMP_RET_ERRNO | ENOSYS)
#define FAKE   SECCOMP_RET_ERRNO
#define N_KIND PROFILE_COUNT

static const char *const variant_names[N_KIND] = { "default", "root", "nested", "nested-root",
						   "unpack" };

static const struct table {
	const char *arch;
	uint32_t audit;
	struct {
		const struct sock_filter *prog;
		size_t len;
	} filter[N_KIND];
} tables[] = {
#define F(arch, v)                                                                                 \
	{                                                                                          \
		seccomp_##arch##_##v, ELEMENTS(seccomp_##arch##_##v)                               \
	}
	{ "x86_64",
	  AUDIT_ARCH_X86_64,
	  { F(x86_64, default), F(x86_64, root), F(x86_64, nested), F(x86_64, nested_root),
	    F(x86_64, unpack) } },
	{ "aarch64",
	  AUDIT_ARCH_AARCH64,
	  { F(aarch64, default), F(aarch64, root), F(aarch64, nested), F(aarch64, nested_root),
	    F(aarch64, unpack) } },
};

static uint32_t answer(const struct table *t, int kind, uint32_t arch, uint32_t nr,
		       unsigned int arg, uint64_t value)
{
	struct seccomp_data d = { .nr = (int)nr, .arch = arch };

	d.args[arg] = value;
	return bpf_run(t->filter[kind].prog, t->filter[kind].len, &d);
}

/* ---- the golden files against the programs ----------------------------------------------- */

/* Values that some condition may look for, each also with a bit set above 32. */
static const uint64_t values[] = {
	0,         1,         2,         8,          10,         0x20000,    0x20008,  0xffffffff,
	0xffff,    38,        40,        0x5412,     0x541c,     0x5413,     0x80,     0x10000,
	0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x3d0f00, 0x80000000,
	0x21b6,    0x61b6,    0x11b6,    0x81b6,     0xc1b6,     0x7e020000, 3,        4,
	7,         15,        16,        1030,       0x53564d41,
};

static uint32_t action_value(const char *name, size_t n)
{
	static const struct {
		const char *name;
		uint32_t value;
	} rows[] = { { "allow", ALLOW }, { "eperm", DENY }, { "enosys", NOSYS }, { "ok", FAKE } };

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		if (strlen(rows[i].name) == n && !strncmp(rows[i].name, name, n))
			return rows[i].value;
	}
	printf("Bail out! no action %.*s\n", (int)n, name);
	exit(1);
}

/* "ACT if argN [& MASK] [==|!= V...], else ACT" or "ACT": what it says about one argument. */
static uint32_t expected(const char *text, unsigned int arg, uint64_t value)
{
	const char *else_part = strstr(text, ", else "), *s = strstr(text, " if arg");
	uint32_t low = (uint32_t)value, mask;
	bool holds = false, negate;
	char *end;

	if (!else_part || !s)
		return action_value(text, strcspn(text, ";\n"));
	else_part += strlen(", else ");
	s += strlen(" if arg");
	if ((unsigned int)(*s++ - '0') != arg)
		low = 0; /* the other arguments are zero */
	if (!strncmp(s, " & ", 3)) {
		mask = (uint32_t)strtoul(s + 3, &end, 16);
		low &= mask;
		s = end;
	}
	if (*s == ',') {
		holds = low != 0;
	} else {
		negate = s[1] == '!';
		for (s += 3; *s == ' '; s = end)
			holds |= low == strtoul(s, &end, 16);
		holds ^= negate;
	}
	return holds ? action_value(text, strcspn(text, " "))
		     : action_value(else_part, strcspn(else_part, ";\n"));
}

/* The part of a golden line that is about @variant. */
static const char *part_of(const char *line, const char *variant)
{
	char label[32];
	const char *p;

	snprintf(label, sizeof(label), "%s: ", variant);
	for (p = line; (p = strstr(p, label)); p++) {
		if (p[-1] == ' ')
			return p + strlen(label);
	}
	return line;
}

static unsigned int compare_line(const struct table *t, const char *line, int first, int last)
{
	unsigned int bad = 0;
	char *text;
	uint32_t nr = (uint32_t)strtoul(line, &text, 10);

	text += strcspn(text + 1, " ") + 1; /* the name */
	text += strspn(text, " ");
	for (int k = first; k <= last; k++) {
		const char *want = part_of(text, variant_names[k]);

		for (unsigned int arg = 0; arg < 4; arg++) {
			for (size_t i = 0; i < 2 * ELEMENTS(values); i++) {
				uint64_t v = values[i / 2] | (i % 2 ? HIGH : 0);

				if (answer(t, k, t->audit, nr, arg, v) == expected(want, arg, v))
					continue;
				if (!bad++)
					diag("%s %s %u arg%u=%#llx: %s", t->arch, variant_names[k],
					     nr, arg, (unsigned long long)v, want);
			}
		}
	}
	return bad;
}

static void test_golden(const struct table *t)
{
	char path[128], line[512];
	unsigned int bad = 0, lines = 0, section = 0;
	FILE *f;

	snprintf(path, sizeof(path), "tests/golden/seccomp-%s.txt", t->arch);
	f = fopen(path, "re");
	ok(f != NULL, "%s is there", path);
	while (f && fgets(line, sizeof(line), f)) {
		section += !strncmp(line, "# seccomp/", 10);
		if (line[0] == '#' || line[0] == '\n' || strstr(line, "and above"))
			continue;
		lines++;
		bad += section == 1 ? compare_line(t, line, PROFILE_DEFAULT, PROFILE_NESTED_ROOT)
				    : compare_line(t, line, PROFILE_UNPACK, PROFILE_UNPACK);
	}
	if (f)
		fclose(f);
	is_int(lines, 2 * 470, "%s: a line for every number and policy", t->arch);
	is_int(bad, 0, "%s: the programs do what the golden file says", t->arch);
}

/* ---- what holds for every filter --------------------------------------------------------- */

static void test_foreign(const struct table *t)
{
	unsigned int i386 = 0, x32 = 0, newer = 0;

	for (int k = 0; k < N_KIND; k++) {
		for (uint32_t nr = 0; nr < NR_TESTED; nr++) {
			i386 += answer(t, k, AUDIT_I386, nr, 0, 0) != NOSYS;
			x32 += answer(t, k, t->audit, nr | X32, 0, 0) != NOSYS;
			newer += nr > 469 && answer(t, k, t->audit, nr, 0, 0) != NOSYS;
		}
		newer += answer(t, k, t->audit, UINT32_MAX, 0, 0) != NOSYS;
	}
	is_int(i386, 0, "%s: every i386 call is ENOSYS", t->arch);
	is_int(x32, 0, "%s: every x32 number is ENOSYS", t->arch);
	is_int(newer, 0, "%s: every call after Linux 6.18 is ENOSYS", t->arch);
	for (int k = 0; k < N_KIND; k++)
		ok(t->filter[k].len <= 170, "%s %s: %zu instructions", t->arch, variant_names[k],
		   t->filter[k].len);
}

/* ---- what must never change unnoticed ----------------------------------------------------- */

static const struct row {
	const char *name;
	int nr[2]; /* x86_64, aarch64; -1: not there */
	unsigned int arg;
	uint64_t value;
	uint32_t want[N_KIND];
} rows[] = {
	/* clang-format off */
	/* name              x86  arm  arg value            default root   nested n-root unpack */
	{ "read",         {   0,  63 }, 0, 0,             { ALLOW, ALLOW, ALLOW, ALLOW, ALLOW } },
	{ "execve",       {  59, 221 }, 0, 0,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "openat",       { 257,  56 }, 0, 0,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "openat2",      { 437, 437 }, 0, 0,             { ALLOW, ALLOW, ALLOW, ALLOW, ALLOW } },
	{ "bpf",          { 321, 280 }, 0, 0,             { DENY, DENY, DENY, DENY, DENY } },
	{ "io_uring",     { 425, 425 }, 0, 0,             { DENY, DENY, DENY, DENY, DENY } },
	{ "io_uring_enter", { 426, 426 }, 0, 0,           { DENY, DENY, DENY, DENY, DENY } },
	{ "io_uring_register", { 427, 427 }, 0, 0,        { DENY, DENY, DENY, DENY, DENY } },
	{ "userfaultfd",  { 323, 282 }, 0, 0,             { DENY, DENY, DENY, DENY, DENY } },
	{ "keyctl",       { 250, 219 }, 0, 0,             { DENY, DENY, DENY, DENY, DENY } },
	{ "perf_event",   { 298, 241 }, 0, 0,             { DENY, DENY, DENY, DENY, DENY } },
	{ "kexec_load",   { 246, 104 }, 0, 0,             { DENY, DENY, DENY, DENY, DENY } },
	{ "init_module",  { 175, 105 }, 0, 0,             { DENY, DENY, DENY, DENY, DENY } },
	{ "open_by_handle", { 304, 265 }, 0, 0,           { DENY, DENY, DENY, DENY, DENY } },
	{ "reboot",       { 169, 142 }, 0, 0,             { DENY, DENY, DENY, DENY, DENY } },
	{ "mount",        { 165,  40 }, 0, 0,             { DENY, DENY, ALLOW, ALLOW, DENY } },
	{ "move_mount",   { 429, 429 }, 0, 0,             { DENY, DENY, ALLOW, ALLOW, DENY } },
	{ "open_tree_attr", { 467, 467 }, 0, 0,           { DENY, DENY, ALLOW, ALLOW, DENY } },
	{ "pivot_root",   { 155,  41 }, 0, 0,             { DENY, DENY, ALLOW, ALLOW, DENY } },
	{ "setns",        { 308, 268 }, 0, 0,             { DENY, DENY, ALLOW, ALLOW, DENY } },
	{ "clone3",       { 435, 435 }, 0, 0,             { NOSYS, NOSYS, ALLOW, ALLOW, NOSYS } },
	{ "clone thread", {  56, 220 }, 0, 0x3d0f00,      { ALLOW, ALLOW, ALLOW, ALLOW, ALLOW } },
	{ "clone fork",   {  56, 220 }, 0, 0x1200011,     { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "clone user",   {  56, 220 }, 0, 0x10000011,    { DENY, DENY, ALLOW, ALLOW, DENY } },
	{ "clone mount, high bits", { 56, 220 }, 0, 0x20011 | HIGH,
							  { DENY, DENY, ALLOW, ALLOW, DENY } },
	{ "unshare user", { 272,  97 }, 0, 0x10000000,    { DENY, DENY, ALLOW, ALLOW, DENY } },
	{ "unshare time", { 272,  97 }, 0, 0x80,          { DENY, DENY, ALLOW, ALLOW, DENY } },
	{ "unshare fs",   { 272,  97 }, 0, 0x200,         { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "socket inet",  {  41, 198 }, 0, 2,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "socket alg",   {  41, 198 }, 0, 38,            { DENY, DENY, DENY, DENY, DENY } },
	{ "socket alg, high bits", { 41, 198 }, 0, 38 | HIGH, { DENY, DENY, DENY, DENY, DENY } },
	{ "socket vsock", {  41, 198 }, 0, 40,            { DENY, DENY, DENY, DENY, DENY } },
	{ "socketpair",   {  53, 199 }, 0, 1,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "ioctl tcgets", {  16,  29 }, 1, 0x5401,        { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "ioctl sti",    {  16,  29 }, 1, 0x5412,        { DENY, DENY, DENY, DENY, DENY } },
	{ "ioctl sti, high bits", { 16, 29 }, 1, 0x5412 | HIGH, { DENY, DENY, DENY, DENY, DENY } },
	{ "ioctl linux",  {  16,  29 }, 1, 0x541c,        { DENY, DENY, DENY, DENY, DENY } },
	{ "personality 0", { 135, 92 }, 0, 0,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "personality get", { 135, 92 }, 0, 0xffffffff,  { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "personality no aslr", { 135, 92 }, 0, 0x40000, { DENY, DENY, DENY, DENY, DENY } },
	{ "chown",        {  92,  -1 }, 0, 0,             { ALLOW, FAKE, ALLOW, FAKE, DENY } },
	{ "lchown",       {  94,  -1 }, 0, 0,             { ALLOW, FAKE, ALLOW, FAKE, DENY } },
	{ "fchown",       {  93,  55 }, 0, 0,             { ALLOW, FAKE, ALLOW, FAKE, DENY } },
	{ "fchownat",     { 260,  54 }, 0, 0,             { ALLOW, FAKE, ALLOW, FAKE, DENY } },
	{ "setuid",       { 105, 146 }, 0, 0,             { ALLOW, FAKE, ALLOW, FAKE, DENY } },
	{ "setresgid",    { 119, 149 }, 0, 0,             { ALLOW, FAKE, ALLOW, FAKE, DENY } },
	{ "setgroups",    { 116, 159 }, 0, 0,             { ALLOW, FAKE, ALLOW, FAKE, DENY } },
	{ "mknod fifo",   { 133,  -1 }, 1, 0x11a4,        { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "mknod chr",    { 133,  -1 }, 1, 0x21a4,        { DENY, FAKE, ALLOW, ALLOW, DENY } },
	{ "mknodat fifo", { 259,  33 }, 2, 0x11a4,        { ALLOW, ALLOW, ALLOW, ALLOW, ALLOW } },
	{ "mknodat blk",  { 259,  33 }, 2, 0x61a4,        { DENY, FAKE, ALLOW, ALLOW, DENY } },
	{ "mbind",        { 237, 235 }, 0, 0,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "pidfd_getfd",  { 438, 438 }, 0, 0,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "process_vm_readv", { 310, 270 }, 0, 0,         { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "kcmp",         { 312, 272 }, 0, 0,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "statmount",    { 457, 457 }, 0, 0,             { DENY, DENY, DENY, DENY, DENY } },
	{ "mseal",        { 462, 462 }, 0, 0,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "mmap exec",    {   9, 222 }, 2, 5,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "mprotect exec", { 10, 226 }, 2, 4,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "mprotect",     {  10, 226 }, 2, 3,             { ALLOW, ALLOW, ALLOW, ALLOW, ALLOW } },
	{ "tgkill",       { 234, 131 }, 0, 1,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "kill",         {  62, 129 }, 0, 1,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "fcntl dup",    {  72,  25 }, 1, 1030,          { ALLOW, ALLOW, ALLOW, ALLOW, ALLOW } },
	{ "fcntl setfl",  {  72,  25 }, 1, 4,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "fcntl setown", {  72,  25 }, 1, 8,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "fcntl setsig", {  72,  25 }, 1, 10,            { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "fcntl setown_ex", { 72, 25 }, 1, 15,           { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "prlimit own",  { 302, 261 }, 0, 0,             { ALLOW, ALLOW, ALLOW, ALLOW, ALLOW } },
	{ "prlimit other", { 302, 261 }, 0, 1,            { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "prctl pdeathsig", { 157, 167 }, 0, 1,          { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "sendmsg",      {  46, 211 }, 0, 0,             { ALLOW, ALLOW, ALLOW, ALLOW, DENY } },
	{ "no such call", { 400, 300 }, 0, 0,             { NOSYS, NOSYS, NOSYS, NOSYS, NOSYS } },
	/* clang-format on */
};

static void test_rows(const struct table *t, size_t arch)
{
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		const struct row *r = &rows[i];

		for (int k = 0; k < N_KIND && r->nr[arch] >= 0; k++)
			is_int(answer(t, k, t->audit, (uint32_t)r->nr[arch], r->arg, r->value),
			       r->want[k], "%s %s: %s", t->arch, variant_names[k], r->name);
	}
}

static void test_names(void)
{
	for (int k = 0; k < N_KIND; k++) {
		struct profile p = profile_builtin((enum profile_kind)k);

		is_str(p.name, variant_names[k], "name of profile %d", k);
		ok(p.len > 0 && p.prog[p.len - 1].code == (BPF_RET | BPF_K), "%s ends", p.name);
	}
}

int main(void)
{
	for (size_t i = 0; i < ELEMENTS(tables); i++) {
		test_foreign(&tables[i]);
		test_rows(&tables[i], i);
		test_golden(&tables[i]);
	}
	test_names();
	return done_testing();
}

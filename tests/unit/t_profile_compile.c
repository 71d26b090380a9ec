/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp profiles in docker's, podman's and the runtime-spec's form, compiled and simulated. */
#include <gpurun/profile.h>

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <sys/syscall.h>

#include <bpf.h>
#include <tap.h>

#include <gpurun/str.h>

#if defined(__x86_64__)
#define NATIVE  AUDIT_ARCH_X86_64
#define GO_ARCH "amd64"
#define SCMP    "SCMP_ARCH_X86_64"
#else
#define NATIVE  AUDIT_ARCH_AARCH64
#define GO_ARCH "arm64"
#define SCMP    "SCMP_ARCH_AARCH64"
#endif

#define ALLOW    SECCOMP_RET_ALLOW
#define ERR(n)   (SECCOMP_RET_ERRNO | (n))
#define HIGH     (1ULL << 32)
#define NR_LATER 900

/* One rule in a profile that denies with EPERM and allows read(2). */
#define PROFILE(rules)                                                                             \
	"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["                                     \
	"{\"names\":[\"read\",\"mseal_of_tomorrow\",\"pidfd_getfd\"],"                             \
	"\"action\":\"SCMP_ACT_ALLOW\"}" rules "]}"
#define RULE(members) ",{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ALLOW\"," members "}"
#define ARGS(list)    RULE("\"args\":[" list "]")

/* Compile; NULL with @e filled when it is refused. */
static struct arena *compile(const char *json, struct profile *p, struct err *e)
{
	struct arena *a = arena_new(0);

	*e = (struct err){ 0 };
	if (profile_compile(a, json, strlen(json), "p.json", p, e) == 0)
		return a;
	arena_free(a);
	return NULL;
}

static uint32_t answer(const struct profile *p, uint32_t arch, int nr, unsigned int arg,
		       uint64_t value)
{
	struct seccomp_data d = { .nr = nr, .arch = arch };

	d.args[arg] = value;
	return bpf_run(p->prog, p->len, &d);
}

/* What happens to write(2) with one argument set. */
static const struct row {
	const char *name, *json;
	unsigned int arg;
	uint64_t value;
	uint32_t want;
} rows[] = {
	/* clang-format off */
	{ "not named", PROFILE(""), 0, 0, ERR(EPERM) },
	{ "includes a capability", PROFILE(RULE("\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}")), 0, 0, ERR(EPERM) },
	{ "excludes a capability", PROFILE(RULE("\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}")), 0, 0, ALLOW },
	{ "includes us", PROFILE(RULE("\"includes\":{\"arches\":[\"s390x\",\"" GO_ARCH "\"]}")), 0, 0, ALLOW },
	{ "includes others", PROFILE(RULE("\"includes\":{\"arches\":[\"s390x\"]}")), 0, 0, ERR(EPERM) },
	{ "excludes us", PROFILE(RULE("\"excludes\":{\"arches\":[\"" GO_ARCH "\"]}")), 0, 0, ERR(EPERM) },
	{ "kernel is newer", PROFILE(RULE("\"includes\":{\"minKernel\":\"4.8\"}")), 0, 0, ALLOW },
	{ "kernel is older", PROFILE(RULE("\"includes\":{\"minKernel\":\"99.0\"}")), 0, 0, ERR(EPERM) },
	{ "excluded since", PROFILE(RULE("\"excludes\":{\"minKernel\":\"4.8\"}")), 0, 0, ERR(EPERM) },
	{ "empty conditions", PROFILE(RULE("\"includes\":{},\"excludes\":{},\"args\":null")), 0, 0, ALLOW },
	{ "old name", PROFILE(",{\"name\":\"write\",\"action\":\"SCMP_ACT_ALLOW\"}"), 0, 0, ALLOW },
	{ "errnoRet", PROFILE(",{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":22}"), 0, 0, ERR(EINVAL) },
	{ "errno by name", PROFILE(",{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ERRNO\",\"errno\":\"ENOSYS\"}"), 0, 0, ERR(ENOSYS) },
	{ "redundant rule", PROFILE(",{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ERRNO\"}"), 0, 0, ERR(EPERM) },
	{ "trap", PROFILE(",{\"names\":[\"write\"],\"action\":\"SCMP_ACT_TRAP\"}"), 0, 0, SECCOMP_RET_TRAP },
	{ "kill", PROFILE(",{\"names\":[\"write\"],\"action\":\"SCMP_ACT_KILL\"}"), 0, 0, SECCOMP_RET_KILL_THREAD },
	{ "kill process", PROFILE(",{\"names\":[\"write\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"}"), 0, 0, SECCOMP_RET_KILL_PROCESS },
	{ "log", PROFILE(",{\"names\":[\"write\"],\"action\":\"SCMP_ACT_LOG\"}"), 0, 0, SECCOMP_RET_LOG },
	{ "EQ yes", PROFILE(ARGS("{\"index\":0,\"value\":7,\"op\":\"SCMP_CMP_EQ\"}")), 0, 7, ALLOW },
	{ "EQ compares 64 bits", PROFILE(ARGS("{\"index\":0,\"value\":7,\"op\":\"SCMP_CMP_EQ\"}")), 0, 7 | HIGH, ERR(EPERM) },
	{ "NE", PROFILE(ARGS("{\"index\":2,\"value\":7,\"op\":\"SCMP_CMP_NE\"}")), 2, 7, ERR(EPERM) },
	{ "LT", PROFILE(ARGS("{\"index\":1,\"value\":7,\"op\":\"SCMP_CMP_LT\"}")), 1, 7, ERR(EPERM) },
	{ "LE", PROFILE(ARGS("{\"index\":1,\"value\":7,\"op\":\"SCMP_CMP_LE\"}")), 1, 7, ALLOW },
	{ "GT", PROFILE(ARGS("{\"index\":1,\"value\":7,\"op\":\"SCMP_CMP_GT\"}")), 1, 8, ALLOW },
	{ "GE", PROFILE(ARGS("{\"index\":1,\"value\":7,\"op\":\"SCMP_CMP_GE\"}")), 1, 6, ERR(EPERM) },
	{ "MASKED_EQ yes", PROFILE(ARGS("{\"index\":0,\"value\":2114060288,\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}")), 0, 0x3d0f00, ALLOW },
	{ "MASKED_EQ no", PROFILE(ARGS("{\"index\":0,\"value\":2114060288,\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}")), 0, 0x10000000, ERR(EPERM) },
	{ "one argument twice: either", PROFILE(ARGS("{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}")), 0, 2, ALLOW },
	{ "two arguments: both", PROFILE(ARGS("{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},{\"index\":1,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}")), 0, 1, ERR(EPERM) },
	{ "allowed by default", "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ERRNO\"}]}", 0, 0, ERR(EPERM) },
	{ "no rules", "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}", 0, 0, ALLOW },
	/* clang-format on */
};

static void test_rows(void)
{
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct profile p;
		struct err e;
		struct arena *a = compile(rows[i].json, &p, &e);

		if (!a) {
			ok(false, "%s: %s", rows[i].name, e.msg);
			continue;
		}
		is_int(answer(&p, NATIVE, SYS_write, rows[i].arg, rows[i].value), rows[i].want,
		       "%s", rows[i].name);
		arena_free(a);
	}
}

/* Profiles that are refused: a word of the message tells which reason it was. */
static const struct bad {
	const char *name, *json, *word;
	int code;
} bad[] = {
	/* clang-format off */
	{ "no JSON", "{", "p.json", EINVAL },
	{ "not an object", "[]", "not an object", EINVAL },
	{ "empty", "{}", "neither defaultAction", EINVAL },
	{ "no default", "{\"syscalls\":[]}", "no action", EINVAL },
	{ "action", "{\"defaultAction\":\"SCMP_ACT_MAYBE\"}", "SCMP_ACT_MAYBE", EINVAL },
	{ "notify", PROFILE(",{\"names\":[\"write\"],\"action\":\"SCMP_ACT_NOTIFY\"}"), "SCMP_ACT_NOTIFY", ENOTSUP },
	{ "trace", "{\"defaultAction\":\"SCMP_ACT_TRACE\"}", "SCMP_ACT_TRACE", ENOTSUP },
	{ "listener", "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/s\"}", "listenerPath", ENOTSUP },
	{ "flag", "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"]}", "FLAG_LOG", ENOTSUP },
	{ "both name forms", PROFILE(",{\"name\":\"a\",\"names\":[\"b\"],\"action\":\"SCMP_ACT_ALLOW\"}"), "syscalls[1]: both", EINVAL },
	{ "no names", PROFILE(",{\"names\":[],\"action\":\"SCMP_ACT_ALLOW\"}"), "no names", EINVAL },
	{ "names not strings", PROFILE(",{\"names\":[1],\"action\":\"SCMP_ACT_ALLOW\"}"), "names", EINVAL },
	{ "rule not an object", PROFILE(",7"), "syscalls[1]", EINVAL },
	{ "syscalls not a list", "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":{}}", "not a list", EINVAL },
	{ "operator", PROFILE(ARGS("{\"index\":0,\"value\":1,\"op\":\"EQ\"}")), "no such comparison", EINVAL },
	{ "no operator", PROFILE(ARGS("{\"index\":0,\"value\":1}")), "missing", EINVAL },
	{ "index", PROFILE(ARGS("{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}")), "0 to 5", EINVAL },
	{ "negative value", PROFILE(ARGS("{\"index\":0,\"value\":-1,\"op\":\"SCMP_CMP_EQ\"}")), "value", EINVAL },
	{ "args not a list", PROFILE(RULE("\"args\":{}")), "args", EINVAL },
	{ "errno too high", PROFILE(",{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":4096}"), "errnoRet", EINVAL },
	{ "errno name", PROFILE(",{\"names\":[\"write\"],\"action\":\"SCMP_ACT_ERRNO\",\"errno\":\"EWHAT\"}"), "EWHAT", EINVAL },
	{ "minKernel", PROFILE(RULE("\"includes\":{\"minKernel\":\"5\"}")), "X.Y", EINVAL },
	{ "minKernel of three", PROFILE(RULE("\"includes\":{\"minKernel\":\"5.1.2\"}")), "X.Y", EINVAL },
	{ "two architecture forms", "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86\"],\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86\"}]}", "both", EINVAL },
	{ "cannot deny", "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"of_tomorrow\"],\"action\":\"SCMP_ACT_ERRNO\"}]}", "of_tomorrow", ENOTSUP },
	/* clang-format on */
};

static void test_bad(void)
{
	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		struct profile p;
		struct err e;
		struct arena *a = compile(bad[i].json, &p, &e);

		ok(!a && e.code == bad[i].code && strstr(e.msg, bad[i].word), "refused: %s: %s",
		   bad[i].name, e.msg);
		arena_free(a);
	}
}

/* Foreign architectures, and numbers that the profile could not know. */
static void test_frame(void)
{
	struct profile p;
	struct err e;
	struct arena *a = compile(PROFILE(""), &p, &e);

	ok(a != NULL, "compiles: %s", e.msg);
	if (!a)
		return;
	is_int(answer(&p, NATIVE, SYS_read, 0, 0), ALLOW, "what it names");
	is_int(answer(&p, NATIVE, 438, 0, 0), ALLOW, "the newest that it names");
	is_int(answer(&p, NATIVE, 437, 0, 0), ERR(EPERM), "older than the newest: its default");
	is_int(answer(&p, NATIVE, 439, 0, 0), ERR(ENOSYS), "younger than all it names");
	is_int(answer(&p, NATIVE, NR_LATER, 0, 0), ERR(ENOSYS), "of tomorrow");
	is_int(answer(&p, 0x40000003U, 3, 0, 0), ERR(ENOSYS), "i386");
	is_int(answer(&p, 0x40000028U, 3, 0, 0), NATIVE == 0x40000028U ? 0 : ERR(ENOSYS), "arm");
	arena_free(a);
}

static void test_arches(void)
{
	static const char map[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
		"\"archMap\":[{\"architecture\":\"" SCMP "\",\"subArchitectures\":"
		"[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\",\"SCMP_ARCH_ARM\"]},"
		"{\"architecture\":\"SCMP_ARCH_S390X\",\"subArchitectures\":[\"SCMP_ARCH_S390\"]}],"
		"\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"}]}";
	struct profile p;
	struct err e;
	struct arena *a = compile(map, &p, &e);

	ok(a != NULL, "archMap: %s", e.msg);
	if (!a)
		return;
	is_int(answer(&p, NATIVE, SYS_read, 0, 0), ALLOW, "archMap: ours");
	is_int(answer(&p, NATIVE, SYS_write, 0, 0), ERR(ENOSYS), "archMap: the default");
#if defined(__x86_64__)
	is_int(answer(&p, 0x40000003U, 3, 0, 0), ALLOW, "archMap: i386");
	is_int(answer(&p, NATIVE, SYS_read | 0x40000000, 0, 0), ALLOW, "archMap: x32");
#endif
	arena_free(a);
}

int main(void)
{
	test_rows();
	test_bad();
	test_frame();
	test_arches();
	return done_testing();
}

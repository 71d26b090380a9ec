/* SPDX-License-Identifier: Apache-2.0 */
/* NVIDIA_REQUIRE_*: the grammar, its three values, the messages; CUDA versions of drivers. */
#include <errno.h>
#include <stdarg.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>

#include "../../src/gpu/require.h"
#include "tap.h"

/* What NVIDIA's images for CUDA 12.8 say, in the middle shortened. */
#define CUDA_12_8                                                                                  \
	"cuda>=12.8 brand=unknown,driver>=470,driver<471 brand=grid,driver>=470,driver<471 "       \
	"brand=tesla,driver>=470,driver<471 brand=nvidia,driver>=470,driver<471 "                  \
	"brand=unknown,driver>=535,driver<536 brand=tesla,driver>=535,driver<536 "                 \
	"brand=nvidiartx,driver>=535,driver<536 brand=cloudgaming,driver>=550,driver<551"

static void test_judge(void)
{
	static const struct {
		const char *text;
		enum require_verdict want;
	} rows[] = {
		{ "", REQUIRE_MET },
		{ "  ", REQUIRE_MET },
		{ "cuda>=12.2", REQUIRE_MET },
		{ "cuda>=12", REQUIRE_MET },
		{ "cuda>=12.2.0.0", REQUIRE_MET },
		{ "cuda>=12.2.0.1", REQUIRE_UNMET },
		{ "cuda>=12.10", REQUIRE_UNMET },
		{ "cuda>12.1", REQUIRE_MET },
		{ "cuda>12.2", REQUIRE_UNMET },
		{ "cuda<12.2", REQUIRE_UNMET },
		{ "cuda<=12.2", REQUIRE_MET },
		{ "cuda<13", REQUIRE_MET },
		{ "cuda=12.2", REQUIRE_MET },
		{ "cuda=12.20", REQUIRE_UNMET },
		{ "cuda=012.02", REQUIRE_MET },
		{ "cuda!=12.2", REQUIRE_UNMET },
		{ "cuda!=12.3", REQUIRE_MET },
		{ "cuda>=99999999999999999999999", REQUIRE_UNMET },
		{ "cuda<99999999999999999999999", REQUIRE_MET },
		{ "driver>=535,driver<536", REQUIRE_MET },
		{ "driver>=535.261.3,driver<=535.261.03", REQUIRE_MET },
		{ "driver>=535.261.04", REQUIRE_UNMET },
		{ "driver>=550 cuda>=12", REQUIRE_MET },
		{ "driver>=550,cuda>=12", REQUIRE_UNMET },
		{ "cuda>=12,driver>=550", REQUIRE_UNMET },
		{ "cuda>=12 driver>=550", REQUIRE_MET },
		{ "driver>=550  ,cuda>=13", REQUIRE_UNMET },
		{ "brand=GeForce", REQUIRE_MET },
		{ "brand=geforce", REQUIRE_MET },
		{ "brand=geforcertx", REQUIRE_UNMET },
		{ "brand!=tesla", REQUIRE_MET },
		{ "brand!=GEFORCE", REQUIRE_UNMET },
		{ "brand=tesla brand=geforce", REQUIRE_MET },
		{ "arch>=8.6", REQUIRE_MET },
		{ "arch>=7", REQUIRE_MET },
		{ "arch>=8.10", REQUIRE_UNMET },
		{ CUDA_12_8, REQUIRE_UNMET },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct require_judgement j = {
			.have = { "12.2", "535.261.03", "8.6", "GeForce" },
		};

		is_int(require_judge(&j, rows[i].text), rows[i].want, "%.40s", rows[i].text);
		ok(!j.odd.s, "understood");
	}
}

/* What nobody understands is met, and remembered. */
static void test_odd(void)
{
	static const char *const rows[] = {
		"vram>=8",    "cuda",       "cuda>",       "cuda>=",       ">=12",
		"=",          "cuda>=12.x", "cuda>=.12",   "cuda>=1.",     "cuda=>12",
		"cuda==1",    "cuda~1",     "brand>tesla", "brand<=tesla", "cuda>=-1",
		"cuda>=12\t", "!",          "cuda!12",     "brand=",
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct require_judgement j = {
			.have = { "12.2", "535.261.03", "8.6", "GeForce" },
		};

		is_int(require_judge(&j, rows[i]), REQUIRE_MET, "\"%s\"", rows[i]);
		ok(j.odd.s == rows[i] && j.odd.n == strlen(rows[i]), "is not understood");
	}
}

/* "unknown" decides only where nothing else does. */
static void test_unknown(void)
{
	static const struct {
		const char *text;
		enum require_verdict want;
	} rows[] = {
		{ "brand=tesla", REQUIRE_UNKNOWN },
		{ "brand!=tesla", REQUIRE_UNKNOWN },
		{ "arch>=9.0", REQUIRE_UNKNOWN },
		{ "arch>=9.0 cuda>=12", REQUIRE_MET },
		{ "arch>=9.0 cuda>=13", REQUIRE_UNKNOWN },
		{ "arch>=9.0,cuda>=12", REQUIRE_UNKNOWN },
		{ "arch>=9.0,cuda>=13", REQUIRE_UNMET },
		{ CUDA_12_8, REQUIRE_UNKNOWN },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		struct require_judgement j = { .have = { "12.2", "535.261.03", NULL, NULL } };

		is_int(require_judge(&j, rows[i].text), rows[i].want, "%.40s", rows[i].text);
	}
}

/* One check: the environment as a NULL-terminated list. */
struct check {
	struct gpu gpus[2];
	struct gpu_choice choices[2];
	struct gpu_choices chosen;
	struct gpu_facts facts;
	struct strv env, warnings;
	struct err e;
};

static void setup(struct check *c, const char *driver, size_t gpus)
{
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < 2; i++) {
		c->gpus[i].index = (int)i;
		c->choices[i].gpu = &c->gpus[i];
	}
	c->chosen = (struct gpu_choices){ .v = c->choices, .n = gpus };
	c->facts.driver = driver;
	c->facts.chosen = &c->chosen;
	(void)gpu_cuda_version(driver, &c->facts.cuda_major, &c->facts.cuda_minor);
}

static void brand(struct check *c, size_t i, const char *name, int major, int minor)
{
	c->gpus[i].nvml.known = true;
	c->gpus[i].nvml.brand = name;
	c->gpus[i].nvml.cc_major = major;
	c->gpus[i].nvml.cc_minor = minor;
}

static int check(struct arena *a, struct check *c, ...)
{
	const char *entry;
	va_list ap;

	c->env = (struct strv){ 0 };
	c->warnings = (struct strv){ 0 };
	c->e = (struct err){ 0 };
	va_start(ap, c);
	while ((entry = va_arg(ap, const char *)))
		strv_push(a, &c->env, entry);
	va_end(ap);
	return gpu_require_check(a, &c->env, &c->facts, &c->warnings, &c->e);
}

static void test_check(struct arena *a)
{
	struct check c;

	setup(&c, "535.261.03", 1);
	is_int(check(a, &c, NULL), 0, "no conditions");
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=cuda>=12.8", NULL), -ENOEXEC, "a newer driver");
	is_str(c.e.msg,
	       "image: needs cuda>=12.8 (NVIDIA_REQUIRE_CUDA); the driver 535.261.03 is for CUDA "
	       "12.2",
	       "the message");
	is_str(c.e.hint, "update the driver, or start anyway: --no-require", "the hint");
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=cuda>=12.2", "PATH=/bin", NULL), 0, "new enough");
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=cuda>=12.2", "NVIDIA_REQUIRE_X=driver>=550", NULL),
	       -ENOEXEC, "all variables have to hold");
	is_int(check(a, &c, "NVIDIA_REQUIRE_JETPACK=cuda>=99",
		     "NVIDIA_REQUIRE_JETPACK_HOST_MOUNTS=base-only", NULL),
	       0, "not for another kind of machine");
	is_int(c.warnings.n, 0, "without a word");
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=cuda>=13", "NVIDIA_REQUIRE_CUDA=", NULL), 0,
	       "a later entry of the same name counts");
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA", "NVIDIA_REQUIRE_", NULL), 0, "no value");
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=cuda>=13", "CUDA_VERSION=12.0", NULL), -ENOEXEC,
	       "CUDA_VERSION does not count beside NVIDIA_REQUIRE_CUDA");
}

static void test_legacy(struct arena *a)
{
	struct check c;

	setup(&c, "390.116", 1);
	is_int(check(a, &c, "CUDA_VERSION=9.1.85", NULL), 0, "CUDA_VERSION alone: new enough");
	is_int(check(a, &c, "CUDA_VERSION=9.2.148", NULL), -ENOEXEC, "not new enough");
	is_str(c.e.msg, "image: needs cuda>=9.2 (CUDA_VERSION); the driver 390.116 is for CUDA 9.1",
	       "the message");
	is_int(check(a, &c, "CUDA_VERSION=10", NULL), -ENOEXEC, "a major version only");
	is_int(check(a, &c, "CUDA_VERSION=", NULL), 0, "empty");
	is_int(check(a, &c, "CUDA_VERSION=12.8", "NVIDIA_REQUIRE_CUDA=", NULL), 0,
	       "switched off by an empty NVIDIA_REQUIRE_CUDA");
	is_int(check(a, &c, "CUDA_VERSION=latest", NULL), 0, "not a version");
	is_int(c.warnings.n, 1, "is said");
	is_str(c.warnings.n ? c.warnings.v[0] : "",
	       "image: CUDA_VERSION: \"cuda>=latest\" is not understood, not checked", "like this");
}

static void test_disabled(struct arena *a)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "", "yes", "tRUE", "2", "f", "false", " 1" };
	struct check c;

	setup(&c, "535.261.03", 1);
	for (size_t i = 0; i < ELEMENTS(yes); i++)
		is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=cuda>=13",
			     arena_printf(a, "NVIDIA_DISABLE_REQUIRE=%s", yes[i]), NULL),
		       0, "switched off by %s", yes[i]);
	for (size_t i = 0; i < ELEMENTS(no); i++)
		is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=cuda>=13",
			     arena_printf(a, "NVIDIA_DISABLE_REQUIRE=%s", no[i]), NULL),
		       -ENOEXEC, "not by \"%s\"", no[i]);
	is_int(check(a, &c, "NVIDIA_DISABLE_REQUIRE=1", "NVIDIA_DISABLE_REQUIRE=0",
		     "NVIDIA_REQUIRE_CUDA=cuda>=13", NULL),
	       -ENOEXEC, "the last one counts");
}

/* A data-centre GPU may run newer CUDA on an old branch, a GeForce may not. */
static void test_brands(struct arena *a)
{
	struct check c;

	setup(&c, "535.261.03", 2);
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=" CUDA_12_8, NULL), 0, "nobody knows the brand");
	ok(gpu_require_needs_nvml(&c.env, &c.facts), "it would decide");
	brand(&c, 0, "Tesla", 8, 0);
	ok(gpu_require_needs_nvml(&c.env, &c.facts), "one of two is still not known");
	brand(&c, 1, "Tesla", 8, 0);
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=" CUDA_12_8, NULL), 0, "two of the right brand");
	ok(!gpu_require_needs_nvml(&c.env, &c.facts), "all is known");
	brand(&c, 1, "GeForce", 8, 6);
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=" CUDA_12_8, NULL), -ENOEXEC, "one of the wrong");
	is_str(c.e.msg,
	       "image: needs cuda>=12.8 or one of 8 alternatives (NVIDIA_REQUIRE_CUDA); the "
	       "driver 535.261.03 is for CUDA 12.2, GPU 1 has brand GeForce",
	       "the message names it");
	c.facts.driver = "570.124.06";
	c.facts.cuda_minor = 8;
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=" CUDA_12_8, NULL), 0, "a new driver for any");
	setup(&c, "570.124.06", 1);
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=" CUDA_12_8, NULL), 0, "a new driver");
	ok(!gpu_require_needs_nvml(&c.env, &c.facts), "needs no NVML");
	setup(&c, "545.23.08", 1);
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=" CUDA_12_8, NULL), -ENOEXEC, "no such branch");
	ok(!gpu_require_needs_nvml(&c.env, &c.facts), "NVML would not help");
	setup(&c, "535.261.03", 0);
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=" CUDA_12_8, NULL), 0, "no GPU at all");
	ok(gpu_require_needs_nvml(&c.env, &c.facts), "the brand would decide");
	strv_push(a, &c.env, "NVIDIA_DISABLE_REQUIRE=1");
	ok(!gpu_require_needs_nvml(&c.env, &c.facts), "nothing is asked when switched off");
}

static void test_arch(struct arena *a)
{
	struct check c;

	setup(&c, "550.163.01", 1);
	brand(&c, 0, "Tesla", 7, 0);
	is_int(check(a, &c, "NVIDIA_REQUIRE_ARCH=arch>=8.0,brand=tesla", NULL), -ENOEXEC,
	       "too old a GPU");
	is_str(c.e.msg,
	       "image: needs arch>=8.0,brand=tesla (NVIDIA_REQUIRE_ARCH); the driver 550.163.01 is "
	       "for CUDA 12.4, GPU 0 has brand Tesla and compute capability 7.0",
	       "the message");
	is_str(c.e.hint, "choose another GPU, or start anyway: --no-require", "the hint");
	c.facts.chosen = NULL;
	is_int(check(a, &c, "NVIDIA_REQUIRE_ARCH=arch>=8.0", NULL), 0, "no GPUs: nothing to say");
}

static void test_warnings(struct arena *a)
{
	struct check c;
	char *text;

	setup(&c, "999.12", 2);
	is_int(check(a, &c, "NVIDIA_REQUIRE_CUDA=cuda>=12.8", NULL), 0, "a branch nobody knows");
	is_str(c.warnings.n == 1 ? c.warnings.v[0] : "",
	       "image: NVIDIA_REQUIRE_CUDA: cuda>=12.8: the driver's CUDA version is not known, "
	       "not checked",
	       "is said");
	setup(&c, "535.261.03", 2);
	is_int(check(a, &c, "NVIDIA_REQUIRE_X=vram>=80,cuda>=12", NULL), 0, "half understood");
	is_str(c.warnings.n == 1 ? c.warnings.v[0] : "",
	       "image: NVIDIA_REQUIRE_X: \"vram>=80\" is not understood, not checked",
	       "said once, whatever the number of GPUs");
	is_int(check(a, &c, "NVIDIA_REQUIRE_X=vram>=80,cuda>=13", NULL), -ENOEXEC,
	       "the other half counts");
	text = arena_printf(a, "NVIDIA_REQUIRE_%0*d=cuda>=%0*d", 5000, 1, 100000, 13);
	is_int(check(a, &c, text, NULL), -ENOEXEC, "a condition without end");
	ok(strlen(c.e.msg) < 300, "is not repeated in full (%zu)", strlen(c.e.msg));
	ok(strstr(c.e.msg, "...") != NULL, "and one sees that");
}

/* As many variables as an image likes: the first are checked, and it is said. */
static void test_many(struct arena *a)
{
	struct strv env = { 0 }, warnings = { 0 };
	struct err e = { 0 };
	struct check c;

	setup(&c, "535.261.03", 1);
	for (int i = 0; i < 40; i++)
		strv_push(a, &env,
			  arena_printf(a, "NVIDIA_REQUIRE_%d=cuda>=%d", i, i < 32 ? 1 : 99));
	is_int(gpu_require_check(a, &env, &c.facts, &warnings, &e), 0, "40 variables");
	is_int(warnings.n, 1, "one warning");
	strv_push(a, &env, "NVIDIA_REQUIRE_3=cuda>=99");
	is_int(gpu_require_check(a, &env, &c.facts, &warnings, &e), -ENOEXEC,
	       "a later value of the first ones still counts");
}

static void test_cuda_version(void)
{
	static const struct {
		const char *driver;
		int major, minor;
	} rows[] = {
		{ "550.163.01", 12, 4 }, { "535.261.03", 12, 2 }, { "470.57.02", 11, 4 },
		{ "390.116", 9, 1 },     { "580.65.06", 13, 0 },  { "610.43.02", 13, 3 },
	};
	static const char *const unknown[] = {
		"", "550", "999.1", "430.40", "55.1", "5500.1", "x"
	};
	int major = -1, minor = -1;

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		ok(gpu_cuda_version(rows[i].driver, &major, &minor), "%s", rows[i].driver);
		ok(major == rows[i].major && minor == rows[i].minor, "is for %d.%d", major, minor);
	}
	for (size_t i = 0; i < ELEMENTS(unknown); i++)
		ok(!gpu_cuda_version(unknown[i], &major, &minor), "\"%s\": not known", unknown[i]);
	ok(major == 13 && minor == 3, "nothing is written then");
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_judge();
	test_odd();
	test_unknown();
	test_check(a);
	test_legacy(a);
	test_disabled(a);
	test_brands(a);
	test_arch(a);
	test_warnings(a);
	test_many(a);
	test_cuda_version();
	return done_testing();
}

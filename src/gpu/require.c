/* SPDX-License-Identifier: Apache-2.0 */
/*
 * require.c - does the driver satisfy the image?  (pure)
 *
 * Images made for CUDA carry conditions in their environment, NVIDIA_REQUIRE_CUDA and others,
 * which all have to hold; older ones have CUDA_VERSION alone.
 *
 * A condition is met, unmet or unknown.  Brand and arch are known to NVML only, which takes
 * seconds and mostly does not matter: "cuda>=12.8 brand=tesla,driver>=535,driver<536 ..." is
 * settled by its first term where the driver is new enough, and needs the brand where it is not.
 * What stays unknown does not keep an image from starting.
 */
#include <errno.h>
#include <stdio.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>

#include "require.h"

#define PREFIX  "NVIDIA_REQUIRE_"
#define JETPACK "NVIDIA_REQUIRE_JETPACK" /* of another kind of machine */

#define REQUIREMENTS_MAX 32U
#define QUOTE_MAX        80U /* characters of the image's in a message */

#define LEGACY     "cuda>="
#define LEGACY_MAX 16U /* characters of a version */

struct requirement {
	struct require_text name; /* of the variable */
	const char *text;
};

struct requirements {
	struct requirement v[REQUIREMENTS_MAX];
	size_t n;
	bool more; /* than there is room for */
	char legacy[sizeof(LEGACY) + LEGACY_MAX];
};

static bool name_is(const struct require_text *name, const char *entry)
{
	return strncmp(entry, name->s, name->n) == 0 && entry[name->n] == '=';
}

/* The value of the last entry with this name, or NULL. */
static const char *env_get(const struct strv *env, const char *name)
{
	struct require_text t = { name, strlen(name) };

	for (size_t i = env->n; i-- > 0;)
		if (name_is(&t, env->v[i]))
			return env->v[i] + t.n + 1;
	return NULL;
}

/* An entry of the environment; a later one of the same name takes the place of the earlier. */
static void requirements_take(struct requirements *r, const char *entry)
{
	const char *equals = strchr(entry, '=');
	size_t i = 0;

	if (!equals || !str_after(entry, PREFIX) || str_after(entry, JETPACK))
		return;
	while (i < r->n && !name_is(&r->v[i].name, entry))
		i++;
	if (i == REQUIREMENTS_MAX) {
		r->more = true;
		return;
	}
	r->v[i].name = (struct require_text){ entry, (size_t)(equals - entry) };
	r->v[i].text = equals + 1;
	if (i == r->n)
		r->n++;
}

/* Images from before NVIDIA_REQUIRE_CUDA: "CUDA_VERSION=9.0.176" is "cuda>=9.0". */
static void requirements_take_legacy(struct requirements *r, const struct strv *env)
{
	const char *version = env_get(env, "CUDA_VERSION");
	size_t n;

	if (!version || !*version || env_get(env, PREFIX "CUDA") || r->n == REQUIREMENTS_MAX)
		return;
	n = strspn(version, "0123456789");
	if (version[n] == '.')
		n += 1 + strspn(version + n + 1, "0123456789");
	if (n == 0 || n > LEGACY_MAX)
		n = strnlen(version, LEGACY_MAX); /* no version: said as what is not understood */
	memcpy(r->legacy, LEGACY, strlen(LEGACY));
	memcpy(r->legacy + strlen(LEGACY), version, n); /* zeros are behind it */
	r->v[r->n].name = (struct require_text){ "CUDA_VERSION", strlen("CUDA_VERSION") };
	r->v[r->n].text = r->legacy;
	r->n++;
}

/* The values that Go's strconv.ParseBool takes for true. */
static bool is_disabled(const struct strv *env)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	const char *value = env_get(env, "NVIDIA_DISABLE_REQUIRE");

	for (size_t i = 0; value && i < ELEMENTS(yes); i++)
		if (str_eq(value, yes[i]))
			return true;
	return false;
}

static void requirements_collect(struct requirements *ret, const struct strv *env)
{
	*ret = (struct requirements){ .n = 0 };
	if (is_disabled(env))
		return;
	for (size_t i = 0; i < env->n; i++)
		requirements_take(ret, env->v[i]);
	requirements_take_legacy(ret, env);
}

/* The facts as text, and the judgement that is based on them. */
struct trial {
	char cuda[32], arch[32];
	const struct gpu *gpu; /* one of those chosen, or NULL */
	struct require_judgement j;
};

static void trial_prepare(struct trial *t, const struct gpu_facts *f, const struct gpu *gpu)
{
	*t = (struct trial){ .gpu = gpu, .j.have[REQUIRE_DRIVER] = f->driver };
	if (f->cuda_major > 0) {
		(void)snprintf(t->cuda, sizeof(t->cuda), "%d.%d", f->cuda_major, f->cuda_minor);
		t->j.have[REQUIRE_CUDA] = t->cuda;
	}
	if (!gpu || !gpu->nvml.known)
		return;
	t->j.have[REQUIRE_BRAND] = gpu->nvml.brand;
	if (gpu->nvml.cc_major > 0) {
		(void)snprintf(t->arch, sizeof(t->arch), "%d.%d", gpu->nvml.cc_major,
			       gpu->nvml.cc_minor);
		t->j.have[REQUIRE_ARCH] = t->arch;
	}
}

/* Try a requirement with each GPU that was chosen; @t is left at the first that is worst off. */
static enum require_verdict require_try(struct trial *t, const struct gpu_facts *f,
					const char *text)
{
	size_t n = f->chosen ? f->chosen->n : 0, worst = 0;
	enum require_verdict least = REQUIRE_MET, v;

	for (size_t i = 0; i < n; i++) {
		trial_prepare(t, f, f->chosen->v[i].gpu);
		v = require_judge(&t->j, text);
		if (v < least) {
			least = v;
			worst = i;
		}
	}
	trial_prepare(t, f, n ? f->chosen->v[worst].gpu : NULL);
	return require_judge(&t->j, text);
}

bool gpu_require_needs_nvml(const struct strv *env, const struct gpu_facts *f)
{
	struct requirements r;
	struct trial t;

	requirements_collect(&r, env);
	for (size_t i = 0; i < r.n; i++)
		if (require_try(&t, f, r.v[i].text) == REQUIRE_UNKNOWN &&
		    (t.j.speaks_of[REQUIRE_BRAND] || t.j.speaks_of[REQUIRE_ARCH]))
			return true;
	return false;
}

/* A piece of the image's text, short enough for a message. */
static const char *quote(struct arena *a, struct require_text t)
{
	size_t n = t.n > QUOTE_MAX ? QUOTE_MAX - 3 : t.n;

	return arena_printf(a, "%.*s%s", (int)n, t.s, n < t.n ? "..." : "");
}

/* "the driver 535.261.03 is for CUDA 12.2", and the GPU where it matters. */
static const char *what_is_there(struct arena *a, const struct trial *t)
{
	const char *const *have = t->j.have;
	bool brand = t->j.speaks_of[REQUIRE_BRAND] && have[REQUIRE_BRAND];
	bool arch = t->j.speaks_of[REQUIRE_ARCH] && have[REQUIRE_ARCH];
	const char *s = arena_printf(a, "the driver%s%s", have[REQUIRE_DRIVER] ? " " : "",
				     have[REQUIRE_DRIVER] ? have[REQUIRE_DRIVER] : "");

	if (have[REQUIRE_CUDA])
		s = arena_printf(a, "%s is for CUDA %s", s, have[REQUIRE_CUDA]);
	if (brand || arch)
		s = arena_printf(a, "%s, GPU %d has %s%s%s%s%s", s, t->gpu->index,
				 brand ? "brand " : "", brand ? have[REQUIRE_BRAND] : "",
				 brand && arch ? " and " : "", arch ? "compute capability " : "",
				 arch ? have[REQUIRE_ARCH] : "");
	return s;
}

static int refuse(struct arena *a, const struct requirement *q, const struct trial *t,
		  struct err *e)
{
	const struct require_judgement *j = &t->j;
	const char *others = "";
	int r;

	if (j->terms == 2)
		others = " or its alternative";
	else if (j->terms > 2)
		others = arena_printf(a, " or one of %zu alternatives", j->terms - 1);
	r = err_set(e, ENOEXEC, "image: needs %s%s (%s); %s", quote(a, j->first), others,
		    quote(a, q->name), what_is_there(a, t));
	err_hint(e, "%s, or start anyway: --no-require",
		 j->speaks_of[REQUIRE_CUDA] || j->speaks_of[REQUIRE_DRIVER] ? "update the driver"
									    : "choose another GPU");
	return r;
}

/* What could not be checked. */
static void warn(struct arena *a, const struct requirement *q, const struct trial *t,
		 enum require_verdict v, struct strv *ret_warn)
{
	const struct require_judgement *j = &t->j;

	if (j->odd.s)
		strv_push(a, ret_warn,
			  arena_printf(a, "image: %s: \"%s\" is not understood, not checked",
				       quote(a, q->name), quote(a, j->odd)));
	if (v == REQUIRE_UNKNOWN && j->speaks_of[REQUIRE_CUDA] && !j->have[REQUIRE_CUDA])
		strv_push(a, ret_warn,
			  arena_printf(a,
				       "image: %s: %s: the driver's CUDA version is not known, "
				       "not checked",
				       quote(a, q->name), quote(a, j->first)));
}

int gpu_require_check(struct arena *a, const struct strv *env, const struct gpu_facts *f,
		      struct strv *ret_warn, struct err *e)
{
	struct requirements r;
	struct trial t;

	requirements_collect(&r, env);
	for (size_t i = 0; i < r.n; i++) {
		enum require_verdict v = require_try(&t, f, r.v[i].text);

		if (v == REQUIRE_UNMET)
			return refuse(a, &r.v[i], &t, e);
		warn(a, &r.v[i], &t, v, ret_warn);
	}
	if (r.more)
		strv_push(a, ret_warn,
			  arena_printf(a,
				       "image: more than %u variables %s*: the others are not "
				       "checked",
				       REQUIREMENTS_MAX, PREFIX));
	return 0;
}

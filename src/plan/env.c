/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment inside, from the weakest to the strongest source:
 *
 *	the host's as --env-host says < who we are (HOME, USER, ...) < the image's
 *	< the host's rank and library families < the GPUs' and the job's < container=gpurun
 *	< --env-file < -e
 *
 * and PATH, TERM and the variables of --torch-env where nobody set them.
 */
#include <errno.h>

#include <gpurun/oci.h>
#include <gpurun/str.h>

#include "build.h"

/* Families of ranks and libraries: they pass always, and win over the image. */
static const char *const families[] = {
	"SLURM_*", "PMI*", "PMIX_*", "OMPI_*", "PRTE_*", "PALS_*",
	"MPICH_*", "FI_*", "UCX_*",  "NCCL_*", "OMP_*",
};

/* What "--env-host auto" passes outside a job, beside the families. */
static const char *const auto_names[] = {
	"TERM",     "TZ",         "http_proxy",  "https_proxy", "ftp_proxy", "all_proxy",
	"no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY",   "ALL_PROXY", "NO_PROXY",
};

/*
 * What "--env-host auto" keeps back in a job: where programs and libraries are found, and how they
 * are built, is the image's to say; so is which locales and modules there are.
 */
static const char *const job_denied[] = {
	"PATH",
	"LD_*",
	"PYTHON*",
	"LANG",
	"LC_*",
	"CUDA_HOME",
	"CUDA_PATH",
	"CONDA_*",
	"CC",
	"CXX",
	"CPATH",
	"LIBRARY_PATH",
	"VIRTUAL_ENV",
	"*FLAGS",
	"LMOD_*",
	"MODULE*",
	"BASH_FUNC_*",
	"PKG_CONFIG_PATH",
	"XDG_RUNTIME_DIR",
};

/* Where a job puts temporary files: a path of the host like those of host_path_variables[]. */
static const char *const temporary[] = { "TMPDIR", "TMP", "TEMP" };

/* Lists of GPUs as the host numbers them: renumbered, or left out without GPUs. */
static const char *const gpu_lists[] = {
	"CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
	"GPU_DEVICE_ORDINAL",   "ZE_AFFINITY_MASK",
};

/* Never the host's: they are decided by other sections. */
static const char *const own_names[] = {
	"HOME", "USER", "LOGNAME", "HOSTNAME", "PWD", "OLDPWD", "SHLVL", "_", "container",
};

size_t env_name_length(const char *entry)
{
	size_t n = strcspn(entry, "=");

	return entry[n] == '=' ? n : 0;
}

/* Where in @env the variable is that @name (of length @n) names; env->n when it is not there. */
static size_t env_find(const struct strv *env, const char *name, size_t n)
{
	size_t i = 0;

	for (; i < env->n; i++)
		if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
			break;
	return i;
}

void env_put(struct arena *a, struct strv *env, const char *entry)
{
	size_t i = env_find(env, entry, env_name_length(entry));

	if (i < env->n)
		env->v[i] = entry;
	else
		strv_push(a, env, entry);
}

const char *env_get(const struct strv *env, const char *name)
{
	size_t n = strlen(name);
	size_t i = env_find(env, name, n);

	return i < env->n ? env->v[i] + n + 1 : NULL;
}

void env_remove(struct strv *env, const char *name)
{
	size_t i = env_find(env, name, strlen(name));

	if (i == env->n)
		return;
	for (; i + 1 < env->n; i++)
		env->v[i] = env->v[i + 1];
	env->v[--env->n] = NULL;
}

/* Does one of the patterns match @name?  Nearly all differ in the first letter. */
static bool env_matches(const char *name, const char *const *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((*patterns[i] == *name || *patterns[i] == '*' || *patterns[i] == '?') &&
		    str_glob(patterns[i], name))
			return true;
	return false;
}

#define ENV_IN(name, table) env_matches(name, table, ELEMENTS(table))

/* Does it name a directory or file of the host? */
static bool env_names_path(const char *name)
{
	for (const char *const *p = host_path_variables; *p; p++)
		if (str_eq(name, *p))
			return true;
	return str_eq(name, "XDG_RUNTIME_DIR") || ENV_IN(name, temporary);
}

/* Is this path of the host, or one of the same use, inside?  /tmp is in every image. */
static bool env_path_is_inside(const struct builder *b, const char *path)
{
	return path[0] != '/' || str_eq(path, "/tmp") || plan_is_shown(b, path);
}

/* Does --env-host let this variable of the host pass? */
static bool env_passes(struct builder *b, const char *mode, const char *name)
{
	if (str_eq(mode, "none") || ENV_IN(name, own_names) || ENV_IN(name, gpu_lists))
		return false;
	if (str_eq(mode, "all"))
		return true;
	if (str_eq(mode, "auto") && b->place->job)
		return !ENV_IN(name, job_denied);
	if (str_eq(mode, "auto"))
		return ENV_IN(name, auto_names) || ENV_IN(name, families);
	return env_matches(name, &mode, 1);
}

static void env_from_host(struct builder *b, struct strv *env)
{
	const char *mode = b->req->env_host ? b->req->env_host : "auto";
	const char *dropped = "";

	for (const char *const *p = b->host->environ; p && *p; p++) {
		size_t n = env_name_length(*p);
		const char *name = arena_strndup(b->a, *p, n);

		if (!n || !env_passes(b, mode, name))
			continue;
		if (env_names_path(name) && !env_path_is_inside(b, *p + n + 1))
			dropped = arena_printf(b->a, "%s%s%s", dropped, *dropped ? ", " : "", name);
		else
			env_put(b->a, env, *p);
	}
	if (*dropped)
		plan_note(b,
			  "left out of the environment: %s (paths of the host that are not "
			  "mounted: -v PATH, then -e NAME)",
			  dropped);
}

static void env_from_identity(struct builder *b, struct strv *env)
{
	const char *hostname = b->req->hostname ? b->req->hostname : b->host->hostname;

	env_put(b->a, env, arena_printf(b->a, "HOME=%s", b->home));
	env_put(b->a, env, arena_printf(b->a, "USER=%s", b->user));
	env_put(b->a, env, arena_printf(b->a, "LOGNAME=%s", b->user));
	env_put(b->a, env, arena_printf(b->a, "HOSTNAME=%s", hostname));
}

static void env_from_image(struct builder *b, struct strv *env)
{
	const struct strv *image = &b->image->config.env;

	for (size_t i = 0; i < image->n; i++)
		if (env_name_length(image->v[i]))
			env_put(b->a, env, image->v[i]);
	if (b->bind_home)
		env_put(b->a, env, arena_printf(b->a, "HOME=%s", b->home));
}

/* A whole item of a comma list: its number when it is a decimal one, else -1. */
static int64_t list_number(const char *item)
{
	uint64_t v;

	return num_u64(item, INT32_MAX, &v) == 0 ? (int64_t)v : -1;
}

/* How many of @items are smaller than @v: the new number of a GPU in a list without gaps. */
static size_t list_rank(const struct strv *items, int64_t v)
{
	size_t rank = 0;

	for (size_t i = 0; i < items->n; i++)
		rank += list_number(items->v[i]) < v;
	return rank;
}

/*
 * In a job the GPUs are those that can be opened, whatever the list says, and a list that is
 * shorter picks from the same numbers as outside: a rank that shares a node keeps its own GPU.
 */
static bool list_picks(const struct strv *items, size_t n)
{
	for (size_t i = 0; i < items->n; i++)
		if (list_number(items->v[i]) < 0 || (uint64_t)list_number(items->v[i]) >= n)
			return false;
	return items->n < n;
}

const char *env_renumber(struct arena *a, const char *value, size_t n, bool narrowed)
{
	struct strv items = { 0 };
	const char *out = "";
	bool numbers = true;

	str_split(a, value, ',', &items);
	/* UUIDs, which stay; or "", "-1" and "NoDevFiles": none */
	if (narrowed && list_number(items.v[0]) < 0)
		return value;
	if (narrowed && list_picks(&items, n))
		return value;
	for (size_t i = 0; i < items.n; i++) {
		numbers &= list_number(items.v[i]) >= 0;
		for (size_t j = 0; j < i; j++)
			numbers &= list_number(items.v[i]) != list_number(items.v[j]);
	}
	for (size_t i = 0; i < n; i++) {
		size_t v = i;

		if (narrowed && numbers && items.n == n)
			v = list_rank(&items, list_number(items.v[i]));
		out = arena_printf(a, "%s%s%zu", out, i ? "," : "", v);
	}
	return out;
}

/* The host's list @value of GPUs as it reads inside. */
static const char *env_gpu_list(struct builder *b, const char *value)
{
	const char *gpus = b->req->gpus;
	bool narrowed = !gpus || str_eq(gpus, "auto");

	if (b->in->gpu_list)
		return b->in->gpu_list;
	return env_renumber(b->a, value, b->in->n_gpus, narrowed);
}

static void env_from_families(struct builder *b, struct strv *env)
{
	const char *mode = b->req->env_host;
	size_t n_gpus = b->in->n_gpus;

	/* of all that the container holds, the GPUs of this process */
	if (b->in->gpu_list)
		env_put(b->a, env, arena_printf(b->a, "CUDA_VISIBLE_DEVICES=%s", b->in->gpu_list));
	if (mode && str_eq(mode, "none"))
		return;
	for (const char *const *p = b->host->environ; p && *p; p++) {
		size_t n = env_name_length(*p);
		const char *name = arena_strndup(b->a, *p, n);

		if (!n)
			continue;
		if (ENV_IN(name, families))
			env_put(b->a, env, *p);
		if (n_gpus && ENV_IN(name, gpu_lists))
			env_put(b->a, env,
				arena_printf(b->a, "%s=%s", name, env_gpu_list(b, *p + n + 1)));
	}
}

/* A list of directories pushes nothing of the image's out: ours stand in front, or behind. */
static const char *env_join_path(struct builder *b, const struct strv *env, const char *entry)
{
	const char *libs = str_after(entry, "LD_LIBRARY_PATH=");
	const char *programs = str_after(entry, "PATH=");
	const char *value = libs       ? env_get(env, "LD_LIBRARY_PATH")
			    : programs ? env_get(env, "PATH")
				       : NULL;

	if (libs && value && *value)
		return arena_printf(b->a, "LD_LIBRARY_PATH=%s:%s", libs, value);
	if (programs)
		return arena_printf(b->a, "PATH=%s:%s", value ? value : ENV_PATH_DEFAULT, programs);
	return entry;
}

static void env_from_edits(struct builder *b, const struct strv *vars, struct strv *env)
{
	for (size_t i = 0; i < vars->n; i++)
		if (env_name_length(vars->v[i]))
			env_put(b->a, env, env_join_path(b, env, vars->v[i]));
}

static void env_from_gpus(struct builder *b, struct strv *env)
{
	const struct strv *gpu = &b->in->gpu->env;

	env_from_edits(b, gpu, env);
	/* CUDA's own order is by speed; indexes mean the order of nvidia-smi everywhere else */
	if (gpu->n && !env_get(env, "CUDA_DEVICE_ORDER"))
		env_put(b->a, env, "CUDA_DEVICE_ORDER=PCI_BUS_ID");
}

/* What is in front wins: programs and libraries of the site. */
static void env_prepend(struct builder *b, const struct strv *entries, struct strv *env)
{
	for (size_t i = 0; i < entries->n; i++) {
		const char *entry = entries->v[i];
		const char *name = arena_strndup(b->a, entry, env_name_length(entry));
		const char *value = env_get(env, name);

		if (!value && str_eq(name, "PATH"))
			value = ENV_PATH_DEFAULT;
		if (!*name)
			continue;
		env_put(b->a, env,
			value && *value ? arena_printf(b->a, "%s:%s", entry, value) : entry);
	}
}

int env_apply_options(struct arena *a, const struct host *h, const struct strv *entries,
		      struct strv *env, struct err *e)
{
	for (size_t i = 0; i < entries->n; i++) {
		const char *entry = entries->v[i];
		const char *value;

		if (entry[0] == '\0' || entry[0] == '=')
			return err_set(e, EINVAL, "--env %s: a variable without a name", entry);
		if (env_name_length(entry)) {
			env_put(a, env, entry);
			continue;
		}
		value = host_getenv(h, entry);
		if (value)
			env_put(a, env, arena_printf(a, "%s=%s", entry, value));
		else
			env_remove(env, entry);
	}
	return 0;
}

/* An image, or -e, may mean the host's numbers; CUDA takes a list that starts so for an empty one. */
static void warn_gpu_list(struct builder *b, const struct strv *env)
{
	const char *list = env_get(env, "CUDA_VISIBLE_DEVICES");
	size_t n = list ? strcspn(list, ",") : 0;
	int64_t first = n ? list_number(arena_strndup(b->a, list, n)) : -1;

	/* in a container that holds more, our own list does not count from 0 */
	if (list && b->in->gpu_list && str_eq(list, b->in->gpu_list))
		return;
	if (b->in->n_gpus && first >= 0 && (uint64_t)first >= b->in->n_gpus)
		plan_warn(b,
			  "CUDA_VISIBLE_DEVICES=%s: the GPUs inside (%zu) count from 0, CUDA will "
			  "see none",
			  list, b->in->n_gpus);
}

int plan_environment(struct builder *b, struct err *e)
{
	struct plan_process *pr = &b->p->process;
	struct strv *env = &pr->env;
	int r;

	if (b->image->config.env.n + b->req->env.n + b->req->env_file.n > PLAN_ENV_MAX)
		return err_set(e, E2BIG, "environment: more than %u variables", PLAN_ENV_MAX);
	env_from_host(b, env);
	env_from_identity(b, env);
	env_from_image(b, env);
	env_from_families(b, env);
	env_from_gpus(b, env);
	if (b->in->job) {
		env_from_edits(b, &b->in->job->env, env);
		env_prepend(b, &b->in->job->env_prepend, env);
	}
	env_put(b->a, env, "container=gpurun");
	r = env_apply_options(b->a, b->host, &b->req->env_file, env, e);
	if (r >= 0)
		r = env_apply_options(b->a, b->host, &b->req->env, env, e);
	if (r < 0)
		return r;
	if (b->req->torch_env)
		torch_environment(b, env);
	if (!env_get(env, "PATH"))
		env_put(b->a, env, "PATH=" ENV_PATH_DEFAULT);
	if (pr->tty && !env_get(env, "TERM"))
		env_put(b->a, env, "TERM=xterm");
	pr->path = env_get(env, "PATH");
	warn_gpu_list(b, env);
	return 0;
}

/* process.env, and nothing else; lists of GPUs count as the GPUs inside do. */
int bundle_environment(struct builder *b, struct err *e)
{
	const struct strv *given = &b->in->bundle->env;
	struct plan_process *pr = &b->p->process;
	struct strv *env = &pr->env;

	(void)e;
	for (size_t i = 0; i < given->n; i++) {
		const char *entry = given->v[i];
		size_t n = env_name_length(entry);
		const char *name = arena_strndup(b->a, entry, n);

		if (b->in->n_gpus && ENV_IN(name, gpu_lists))
			entry = arena_printf(b->a, "%s=%s", name, env_gpu_list(b, entry + n + 1));
		env_put(b->a, env, entry);
	}
	if (b->in->gpu_list)
		env_put(b->a, env, arena_printf(b->a, "CUDA_VISIBLE_DEVICES=%s", b->in->gpu_list));
	env_from_gpus(b, env);
	pr->path = env_get(env, "PATH");
	if (!pr->path)
		pr->path = ENV_PATH_DEFAULT;
	warn_gpu_list(b, env);
	return 0;
}

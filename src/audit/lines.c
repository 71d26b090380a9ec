/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.c - the JSON of --audit.  Members keep their names and their order; one that is not known
 * is null.  Numbers are whole: bytes, micro- and nanoseconds, millijoules.
 */
#include "lines.h"

#include <errno.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/json.h>
#include <gpurun/profile.h>
#include <gpurun/str.h>

#define NS_PER_S 1000000000
#define US_PER_S 1000000
#define CAPS_MAX 64

/* ---- values ----------------------------------------------------------------------------- */

/* What a user can make as long as he likes. */
static void put_text(struct jsonw *w, const char *key, const char *text)
{
	if (text && strlen(text) > LINES_TEXT_MAX)
		text = arena_strndup(w->a, text, LINES_TEXT_MAX);
	jsonw_str(w, key, text);
}

static void put_null(struct jsonw *w, const char *key)
{
	jsonw_str(w, key, NULL);
}

/* -1: unknown */
static void put_index(struct jsonw *w, const char *key, int value)
{
	if (value < 0)
		put_null(w, key);
	else
		jsonw_int(w, key, value);
}

static void put_known(struct jsonw *w, const char *key, bool known, uint64_t value)
{
	if (known)
		jsonw_uint(w, key, value);
	else
		put_null(w, key);
}

static int64_t nanoseconds(const struct timespec *t)
{
	return (int64_t)t->tv_sec * NS_PER_S + t->tv_nsec;
}

static int64_t microseconds(const struct timeval *t)
{
	return (int64_t)t->tv_sec * US_PER_S + t->tv_usec;
}

/* RFC 3339 */
static const char *time_text(struct arena *a, const struct timespec *t)
{
	struct tm tm = { .tm_mday = 1 };

	(void)gmtime_r(&t->tv_sec, &tm);
	return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", tm.tm_year + 1900,
			    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			    t->tv_nsec);
}

/* ---- in both lines ---------------------------------------------------------------------- */

static void put_head(struct jsonw *w, const char *event, const struct lines *l,
		     const struct audit_facts *f, const struct timespec *mono)
{
	const struct host *h = f->host;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	jsonw_int(w, "v", LINES_VERSION);
	jsonw_str(w, "event", event);
	jsonw_str(w, "ts", time_text(w->a, &now));
	jsonw_int(w, "monotonic_ns", nanoseconds(mono));
	put_text(w, "host", h->hostname);
	put_text(w, "boot_id", l->look.boot_id);
	jsonw_uint(w, "uid", h->uid);
	jsonw_uint(w, "gid", h->gid);
	put_text(w, "user", h->user);
	jsonw_int(w, "pid", getpid());
	put_text(w, "container", f->container);
	put_text(w, "mode", f->mode);
}

static const char *digest(struct arena *a, const struct image *i)
{
	return i->id[0] ? arena_printf(a, "sha256:%s", i->id) : NULL;
}

static void put_image(struct jsonw *w, const struct image *i)
{
	jsonw_begin_object(w, "image");
	put_text(w, "name", i->name);
	jsonw_str(w, "digest", digest(w->a, i));
	jsonw_end_object(w);
}

/* Slurm's, by its own variables. */
static const struct {
	const char *key, *variable;
	bool number;
} job_variables[] = {
	{ "node", "SLURMD_NODENAME", false },
	{ "restart", "SLURM_RESTART_COUNT", true },
	{ "account", "SLURM_JOB_ACCOUNT", false },
	{ "sluid", "SLURM_JOB_SLUID", false },
};

static void put_job_variable(struct jsonw *w, const struct host *h, const char *key,
			     const char *variable, bool number)
{
	const char *value = host_getenv(h, variable);
	uint64_t n = 0;
	bool known;

	if (!number) {
		put_text(w, key, value);
		return;
	}
	known = value && num_u64(value, INT64_MAX, &n) == 0;
	put_known(w, key, known, n);
}

static void put_job(struct jsonw *w, const struct host *h)
{
	const struct host_job *j = &h->job;

	if (j->kind == JOB_NONE) {
		put_null(w, "job");
		return;
	}
	jsonw_begin_object(w, "job");
	put_text(w, "launcher", j->launcher);
	put_text(w, "id", j->id);
	put_text(w, "step", j->step);
	put_index(w, "rank", j->rank);
	put_index(w, "local_rank", j->local_rank);
	for (size_t i = 0; i < ELEMENTS(job_variables); i++)
		put_job_variable(w, h, job_variables[i].key, job_variables[i].variable,
				 job_variables[i].number);
	jsonw_end_object(w);
}

static void put_gpu(struct jsonw *w, const struct gpu_choice *c)
{
	const struct gpu_mig *m = c->mig;

	put_index(w, "index", c->gpu->index);
	put_text(w, "uuid", c->gpu->uuid);
	put_index(w, "minor", c->gpu->minor);
	put_text(w, "pci", c->gpu->pci);
	jsonw_str(w, "mig", m ? arena_printf(w->a, "gi%d/ci%d", m->gi, m->ci) : NULL);
	put_text(w, "mig_uuid", m ? m->uuid : NULL);
}

static const char *gpu_names(struct arena *a, const struct gpu_choices *gpus)
{
	const char *text = NULL;

	for (size_t i = 0; i < gpus->n; i++) {
		const struct gpu_choice *c = &gpus->v[i];
		const char *name = c->mig && c->mig->uuid ? c->mig->uuid
				   : c->gpu->uuid         ? c->gpu->uuid
							  : c->gpu->pci;

		if (name)
			text = text ? arena_printf(a, "%s,%s", text, name) : name;
	}
	return text;
}

static void set_fields(struct arena *a, const struct audit_facts *f, const char *event,
		       const char *status, struct line_fields *ret)
{
	const struct target_field v[] = {
		{ "GPURUN_EVENT", event },
		{ "GPURUN_CONTAINER", f->container },
		{ "GPURUN_MODE", f->mode },
		{ "GPURUN_IMAGE", f->image->name },
		{ "GPURUN_IMAGE_DIGEST", digest(a, f->image) },
		{ "GPURUN_JOB", f->host->job.id },
		{ "GPURUN_STEP", f->host->job.step },
		{ "GPURUN_GPUS", gpu_names(a, f->gpus) },
		{ "GPURUN_STATUS", status },
	};

	_Static_assert(ELEMENTS(v) <= LINE_FIELDS_MAX, "room for the fields");
	memcpy(ret->v, v, sizeof(v));
	ret->n = ELEMENTS(v);
}

/* ---- the start -------------------------------------------------------------------------- */

static const struct namespace
{
	const char *name;
	uint64_t flag;
}
namespaces[] = {
	{ "user", CLONE_NEWUSER }, { "mnt", CLONE_NEWNS },  { "pid", CLONE_NEWPID },
	{ "ipc", CLONE_NEWIPC },   { "net", CLONE_NEWNET }, { "uts", CLONE_NEWUTS },
};

/* The command's, by inode: of those that are yet to be made or entered none, the others are ours. */
static uint64_t namespace_inode(struct arena *a, const struct namespace *n,
				const struct audit_facts *f)
{
	struct stat st;

	if (n->flag & f->plan->container.namespaces)
		return 0;
	return stat(arena_printf(a, "/proc/self/ns/%s", n->name), &st) == 0 ? st.st_ino : 0;
}

static void put_namespaces(struct jsonw *w, const struct audit_facts *f)
{
	jsonw_begin_object(w, "ns");
	for (size_t i = 0; i < ELEMENTS(namespaces); i++) {
		uint64_t inode = namespace_inode(w->a, &namespaces[i], f);

		put_known(w, namespaces[i].name, inode, inode);
	}
	jsonw_end_object(w);
}

static void put_gpus(struct jsonw *w, const struct audit_facts *f)
{
	jsonw_begin_array(w, "gpus");
	for (size_t i = 0; i < f->gpus->n; i++) {
		jsonw_begin_object(w, NULL);
		put_gpu(w, &f->gpus->v[i]);
		put_text(w, "source", f->gpu_source);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
	jsonw_begin_array(w, "cdi"); /* names of CDI devices have a '=' */
	for (size_t i = 0; i < f->plan->gpus.n; i++)
		if (strchr(f->plan->gpus.v[i], '='))
			put_text(w, NULL, f->plan->gpus.v[i]);
	jsonw_end_array(w);
	put_text(w, "driver_version", f->driver_version);
}

static void put_caps(struct jsonw *w, uint64_t caps)
{
	jsonw_begin_array(w, "caps");
	for (int i = 0; i < CAPS_MAX; i++)
		if (caps >> i & 1)
			jsonw_str(w, NULL, profile_cap_name(i));
	jsonw_end_array(w);
}

/* Does somebody's device cgroup keep a GPU from us?  A job's list denies GPUs, too. */
static bool is_filtered(const struct gpu_set *set)
{
	if (set->allotted != GPU_ALLOTTED_ALL)
		return set->allotted == GPU_ALLOTTED_FILTER;
	for (size_t i = 0; i < set->n; i++)
		if (set->v[i].denied_errno == EPERM)
			return true;
	return false;
}

static void put_policy(struct jsonw *w, const struct audit_facts *f)
{
	const struct plan_process *p = &f->plan->process;

	jsonw_begin_object(w, "policy");
	put_text(w, "seccomp", p->seccomp_name);
	put_caps(w, p->caps.keep | p->caps.ambient);
	jsonw_bool(w, "no_new_privs", p->no_new_privs);
	jsonw_bool(w, "landlock", p->landlock_dev);
	jsonw_begin_array(w, "device_filter");
	jsonw_str(w, NULL, "mount"); /* only chosen nodes are in /dev */
	if (p->landlock_dev)
		jsonw_str(w, NULL, "landlock");
	if (is_filtered(&f->host->gpus))
		jsonw_str(w, NULL, "cgroup");
	jsonw_end_array(w);
	jsonw_end_object(w);
}

const char *lines_start(struct arena *a, struct lines *l, const struct audit_facts *f,
			struct line_fields *ret_fields, size_t *ret_len)
{
	struct jsonw w = { .a = a, .compact = true };

	(void)clock_gettime(CLOCK_MONOTONIC, &l->started);
	(void)getrusage(RUSAGE_CHILDREN, &l->before);
	look_read(a, &l->look, &l->usage);
	jsonw_begin_object(&w, NULL);
	put_head(&w, "start", l, f, &l->started);
	put_image(&w, f->image);
	put_job(&w, f->host);
	put_namespaces(&w, f);
	jsonw_str(&w, "gpurun", GPURUN_VERSION);
	put_text(&w, "argv0", f->plan->process.argv.v[0]);
	put_gpus(&w, f);
	put_text(&w, "cgroup", l->look.cgroup);
	put_policy(&w, f);
	jsonw_end_object(&w);
	set_fields(a, f, "start", NULL, ret_fields);
	return jsonw_text(&w, ret_len);
}

/* ---- the end ---------------------------------------------------------------------------- */

/* The largest child is known when it is ours: larger than all before it. */
static void put_rusage(struct jsonw *w, const struct rusage *now, const struct rusage *before)
{
	jsonw_begin_object(w, "rusage");
	jsonw_int(w, "user_us", microseconds(&now->ru_utime) - microseconds(&before->ru_utime));
	jsonw_int(w, "system_us", microseconds(&now->ru_stime) - microseconds(&before->ru_stime));
	put_known(w, "maxrss", now->ru_maxrss > before->ru_maxrss, (uint64_t)now->ru_maxrss * 1024);
	jsonw_int(w, "minor_faults", now->ru_minflt - before->ru_minflt);
	jsonw_int(w, "major_faults", now->ru_majflt - before->ru_majflt);
	jsonw_end_object(w);
}

static void put_difference(struct jsonw *w, const char *key, uint64_t now, uint64_t before)
{
	bool known = now != LOOK_UNKNOWN && before != LOOK_UNKNOWN && now >= before;

	put_known(w, key, known, now - before);
}

static void put_cgroup(struct jsonw *w, const struct lines *l)
{
	const struct look_usage *b = &l->usage;
	struct look_usage n;

	look_read(w->a, &l->look, &n);
	jsonw_begin_object(w, "cgroup");
	put_text(w, "path", l->look.cgroup);
	put_known(w, "memory_peak", n.memory_peak != LOOK_UNKNOWN, n.memory_peak);
	put_difference(w, "cpu_us", n.cpu_us, b->cpu_us);
	put_difference(w, "user_us", n.user_us, b->user_us);
	put_difference(w, "system_us", n.system_us, b->system_us);
	put_difference(w, "periods", n.periods, b->periods);
	put_difference(w, "throttled", n.throttled, b->throttled);
	put_difference(w, "throttled_us", n.throttled_us, b->throttled_us);
	jsonw_end_object(w);
}

/* What NVML said of the GPU @g in another snapshot, or NULL. */
static const struct gpu_nvml *find_nvml(const struct gpu_set *set, const struct gpu *g)
{
	for (size_t i = 0; set && i < set->n; i++)
		if (set->v[i].nvml.known && set->v[i].pci && g->pci &&
		    str_eq(set->v[i].pci, g->pci))
			return &set->v[i].nvml;
	return NULL;
}

/* NVML tells energy and memory of whole GPUs: of a MIG device nothing is known. */
static void put_gpu_end(struct jsonw *w, const struct gpu_choice *c, const struct audit_result *r)
{
	const struct gpu_nvml *b = c->mig ? NULL : find_nvml(r->before, c->gpu);
	const struct gpu_nvml *n = c->mig ? NULL : find_nvml(r->after, c->gpu);
	bool energy = b && n && b->energy && n->energy >= b->energy;
	bool memory = n && n->memory_total;

	jsonw_begin_object(w, NULL);
	put_gpu(w, c);
	put_known(w, "energy_mj", energy, energy ? n->energy - b->energy : 0);
	put_known(w, "memory_used", memory, memory ? n->memory_used : 0);
	put_known(w, "memory_total", memory, memory ? n->memory_total : 0);
	jsonw_end_object(w);
}

const char *lines_end(struct arena *a, const struct lines *l, const struct audit_facts *f,
		      const struct audit_result *r, struct line_fields *ret_fields, size_t *ret_len)
{
	struct jsonw w = { .a = a, .compact = true };
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	jsonw_begin_object(&w, NULL);
	put_head(&w, "end", l, f, &now);
	put_image(&w, f->image);
	put_job(&w, f->host);
	jsonw_int(&w, "status", r->status);
	put_known(&w, "signal", r->signal, (uint64_t)r->signal);
	jsonw_int(&w, "wall_ns", nanoseconds(&now) - nanoseconds(&l->started));
	put_rusage(&w, &r->usage, &l->before);
	put_cgroup(&w, l);
	jsonw_begin_array(&w, "gpus");
	for (size_t i = 0; i < f->gpus->n; i++)
		put_gpu_end(&w, &f->gpus->v[i], r);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	set_fields(a, f, "end", arena_printf(a, "%d", r->status), ret_fields);
	return jsonw_text(&w, ret_len);
}
